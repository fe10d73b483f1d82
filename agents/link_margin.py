"""Which spreading factors and powers reach the nearest gateway, by mean path loss and a margin for shadowing.

The action set of node n at the distance d_n of the nearest gateway is

    A_n = {(s, p) : p - PL(d_n) - margin >= S_s},   {(largest s, highest p)} where that is empty

| paper | name | paper | name |
|---|---|---|---|
| A_n | `feasible` | PL(d_n), mean path loss | `Scenario.mean_gain_db`, negative |
| S_s, sensitivity | `Reception.sensitivities_dbm` | margin | `margin_db` |

Source: NoReL, section on the system model, and its authors' code (a margin of one standard deviation of the shadowing).
Differences: sensitivities are those of the region's first bandwidth; losses of single channels do not count.

Shape letters: `B` replicas, `N` nodes, `S` spreading factors, `T` powers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import RANGES, check_in_range

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario


def margin_above_db(scenario: Scenario, replicas: int) -> NDArray[np.float64]:
    """Mean received power at the nearest gateway over the sensitivity, for a power of 0 dBm. `[B, N, S]` dB"""
    region = scenario.region
    gain_db = np.broadcast_to(scenario.mean_gain_db().max(axis=-1), (replicas, scenario.nodes))
    sensitivity_dbm = scenario.reception.sensitivities_dbm(
        np.array(region.spreading_factors), np.array(region.bandwidths_hz)
    )
    return gain_db[..., None] - sensitivity_dbm[:, 0]


def checked_margin_db(margin_db: ArrayLike, nodes: int) -> NDArray[np.float64]:
    """A margin for all nodes `[]`, or one for each `[N]`. dB

    Raises:
        ValueError: a margin that is no number within 300 dB, or as many as there are not nodes.
    """
    check_in_range("margin_db", margin_db, RANGES["db"])
    margins_db = np.asarray(margin_db, np.float64)
    if margins_db.shape not in ((), (nodes,)):
        raise ValueError(
            f"margin_db: shape {margins_db.shape}; allowed is one for all, or one for each of {nodes} nodes"
        )
    return margins_db


def of_nodes(values: NDArray[np.float64], node: NDArray[np.integer]) -> NDArray[np.float64]:
    """The values of nodes `[M]`, from one for all `[]` or one for each `[N]`."""
    return values if values.ndim == 0 else values[node]


def feasible(scenario: Scenario, replicas: int, margin_db: ArrayLike | None = None) -> NDArray[np.bool_]:
    """The action sets A_n: whether a spreading factor and a power reach the nearest gateway.

    Args:
        scenario: The network before its changes.
        replicas: B.
        margin_db: For all nodes, or for each `[N]`; None: the standard deviation of the network's shadowing. dB

    Returns:
        `[B, N, S, T]`

    Raises:
        ValueError: see `checked_margin_db`.

    Source: NoReL, section on the system model.
    """
    reserve_db = checked_margin_db(
        scenario.propagation.shadowing_db if margin_db is None else margin_db, scenario.nodes
    )
    above_db = margin_above_db(scenario, replicas)[..., None] + np.array(scenario.region.tp_dbm)
    reaches = above_db - reserve_db[..., None, None] >= 0.0
    reaches[..., -1, -1] |= ~reaches.any(axis=(-2, -1))
    return reaches


def least_sf(scenario: Scenario, replicas: int, margin_db: ArrayLike | None = None) -> NDArray[np.intp]:
    """The smallest spreading factor that reaches a gateway at the highest power, else the largest.

    Args:
        scenario, replicas, margin_db: As in `feasible`.

    Returns:
        Indices into the region's spreading factors. `[B, N]`
    """
    return feasible(scenario, replicas, margin_db)[..., -1].argmax(axis=-1)


def strength_rank(scenario: Scenario, replicas: int) -> NDArray[np.intp]:
    """The place of each node in the order of mean received power at its best gateway, 0 for the strongest. `[B, N]`"""
    gain_db = np.broadcast_to(scenario.mean_gain_db().max(axis=-1), (replicas, scenario.nodes))
    return np.argsort(np.argsort(-gain_db, axis=-1, kind="stable"), axis=-1)
