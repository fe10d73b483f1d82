"""Which spreading factors and powers reach the nearest gateway, by mean path loss and a margin for shadowing.

A node's action set is A_n = {(s, p) : p - PL(d_n) - margin >= S_s}, d_n the distance to the nearest gateway and S_s the
sensitivity; {(largest s, highest p)} where that is empty. Both at the region's first bandwidth, and without the losses
of single channels.

Source: NoReL, section on the system model, and its authors' code (a margin of one standard deviation of the shadowing).

The last packets that a network server received of each node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario


class PacketHistory:
    """A number per packet received, of the last `length` packets of every node.

    Attributes:
        values: In no particular order; nan where there were fewer `[B, N, length]`.
        heard: Packets so far `[B, N]`.
    """

    def __init__(self, replicas: int, nodes: int, length: int) -> None:
        self.values = np.full((replicas, nodes, length), np.nan)
        self.heard = np.zeros((replicas, nodes), np.int64)

    def add(self, replica: NDArray[np.integer], node: NDArray[np.integer], value: NDArray[np.float64]) -> None:
        """Notes packets in order of time `[M]`; several of one node take places one after another."""
        replicas, nodes, length = self.values.shape
        flat = replica.astype(np.int64) * nodes + node
        order = np.argsort(flat, kind="stable")
        number = np.empty(len(flat), np.int64)
        number[order] = np.arange(len(flat)) - np.searchsorted(flat[order], flat[order])
        self.values[replica, node, (self.heard[replica, node] + number) % length] = value
        np.add.at(self.heard, (replica, node), 1)


def margin_above_db(scenario: Scenario, replicas: int) -> NDArray[np.float64]:
    """Mean received power at the nearest gateway above the sensitivity, at 0 dBm `[B, N, S]`. dB"""
    region = scenario.region
    gain_db = np.broadcast_to(scenario.mean_gain_db().max(axis=-1), (replicas, scenario.nodes))
    sensitivity_dbm = scenario.reception.sensitivities_dbm(
        np.array(region.spreading_factors), np.array(region.bandwidths_hz)
    )
    return gain_db[..., None] - sensitivity_dbm[:, 0]


def feasible(scenario: Scenario, replicas: int, margin_db: float | None = None) -> NDArray[np.bool_]:
    """The action sets.

    Args:
        scenario: Before its changes.
        replicas: B.
        margin_db: None: the standard deviation of its shadowing. dB

    Returns:
        `[B, N, S, T]`

    Raises:
        ValueError: a margin that is not finite.
    """
    margin_db = scenario.propagation.shadowing_db if margin_db is None else margin_db
    if not np.isfinite(margin_db):
        raise ValueError(f"margin_db = {margin_db}: must be finite")
    above_db = margin_above_db(scenario, replicas)[..., None] + np.array(scenario.region.tp_dbm)
    reaches = above_db - margin_db >= 0.0
    reaches[..., -1, -1] |= ~reaches.any(axis=(-2, -1))
    return reaches


def least_sf(scenario: Scenario, replicas: int, margin_db: float | None = None) -> NDArray[np.intp]:
    """Index of the smallest spreading factor that reaches a gateway at the highest power `[B, N]`; else the largest."""
    return feasible(scenario, replicas, margin_db)[..., -1].argmax(axis=-1)
