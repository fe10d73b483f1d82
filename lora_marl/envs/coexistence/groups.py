"""The groups of nodes that servers choose for, and facts about them that no server knows.

Shape letters: `B` replicas, `N` nodes, `G` gateways, `S` networks, `Q` groups of a network, `C` channels, `O` offsets,
`T` powers that may be chosen, `V` spreading factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.coexistence import Coexistence
from lora_marl.core.energy import energy_costs, sending_mw
from lora_marl.core.scenario import Scenario
from lora_marl.core.units import db_to_ratio

MARGIN_DB, FULL_DBM = 8.0, 14.0
"""A node's least spreading factor leaves this margin over sensitivity at this power."""

OFFSETS = 3
"""Steps above it that a server may ask for: 0, 1, 2."""


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The groups of every network: equal parts of its nodes, from the best link to the worst.

    Attributes:
        networks, groups: S and Q.
        network: Network of each node. `[N]`
        group: Group of each node within its network. `[B, N]`
        least_sf: Index of each node's least spreading factor. `[B, N]`
        highest_sf: Index of the region's highest spreading factor.
        gain_db: Received minus transmitted power at the best gateway of the node's network. `[B, N]` dB
        first, first_gateway: First node and first gateway of each network. `[S]`
    """

    networks: int
    groups: int
    network: NDArray[np.int64]
    group: NDArray[np.int64]
    least_sf: NDArray[np.int64]
    highest_sf: int
    gain_db: NDArray[np.float64]
    first: NDArray[np.int64]
    first_gateway: NDArray[np.int64]

    @classmethod
    def of(cls, scenario: Scenario, link_gain_db: NDArray[np.float64], groups: int) -> Groups:
        """The groups of a drawn scenario.

        Args:
            scenario: Its nodes are listed network by network.
            link_gain_db: Received minus transmitted power of every link. `[B, N, G]` dB
            groups: Q.
        """
        network, gateways = np.asarray(scenario.node_network), np.asarray(scenario.gateway_network)
        same_network = network[:, None] == gateways[None, :]
        gain_db = np.where(same_network, link_gain_db, -np.inf).max(axis=-1)
        first, sizes = np.unique(network, return_index=True, return_counts=True)[1:]
        group = np.empty(gain_db.shape, np.int64)
        for at, size in zip(first, sizes, strict=True):
            rank = np.argsort(np.argsort(-gain_db[:, at : at + size], axis=-1, kind="stable"), axis=-1)
            group[:, at : at + size] = rank * groups // size
        sf, bw_hz = np.array(scenario.region.spreading_factors), np.array(scenario.region.bandwidths_hz[:1])
        needed_db = scenario.reception.sensitivities_dbm(sf, bw_hz)[:, 0] + MARGIN_DB - FULL_DBM
        enough = gain_db[..., None] >= needed_db
        least_sf = np.where(enough.any(axis=-1), enough.argmax(axis=-1), len(sf) - 1)
        return cls(
            networks=len(first),
            groups=groups,
            network=network,
            group=group,
            least_sf=least_sf,
            highest_sf=len(sf) - 1,
            gain_db=gain_db,
            first=first,
            first_gateway=np.unique(gateways, return_index=True)[1],
        )

    @property
    def row(self) -> NDArray[np.int64]:
        """Each node's group, numbered over all networks. `[B, N]`"""
        return self.network * self.groups + self.group

    def sums(self, values: NDArray) -> NDArray[np.float64]:
        """Sums over the nodes of each group. `[B, N]` -> `[B, S, Q]`"""
        rows = self.networks * self.groups
        flat = self.row + rows * np.arange(len(values))[:, None]
        summed = np.bincount(flat.ravel(), np.asarray(values, np.float64).ravel(), rows * len(values))
        return np.asarray(summed, np.float64).reshape(len(values), self.networks, self.groups)

    def means(self, values: NDArray) -> NDArray[np.float64]:
        """Means over the nodes of each group. `[B, N, ...]` -> `[B, S, Q, ...]`"""
        flat = np.reshape(values, (*values.shape[:2], -1))
        sums = np.stack([self.sums(column) for column in np.moveaxis(flat, -1, 0)], axis=-1)
        means = sums / self.sums(np.ones(values.shape[:2]))[..., None]
        return means.reshape(*means.shape[:3], *values.shape[2:])

    def reference_mj(self, scenario: Scenario) -> NDArray[np.float64]:
        """Energy of an attempt at least spreading factor and 14 dBm, receive windows included. `[B, S, Q]` mJ"""
        power_mw = float(sending_mw(scenario, [FULL_DBM])[0])
        airtime_s, windows_mj = scenario.airtime_s()[:, 0], energy_costs(scenario).windows_mj[:, 0]
        return self.means(airtime_s[self.least_sf] * power_mw + windows_mj[self.least_sf])

    def network_sums(self, values: NDArray) -> NDArray:
        """Sums over the nodes of each network. `[B, N, ...]` -> `[B, S, ...]`"""
        return np.add.reduceat(values, self.first, axis=1)


def facts(coexistence: Coexistence, scenario: Scenario, groups: Groups, powers: Sequence[int]) -> dict[str, NDArray]:
    """The true state of the networks now, which no server knows: for models of their air and for references.

    Args:
        coexistence: The networks.
        scenario: Their scenario, with the changes so far.
        groups: The groups of their nodes.
        powers: Indices of the powers that may be chosen.

    Returns:
        Arrays by name:

        rate_hz: Frames that all nodes of a group generate per second. `[B, S, Q]` 1/s
        nodes: Number of nodes of a group. `[B, S, Q]`
        sf_share: Share of a group's nodes that send with each spreading factor at an offset. `[B, S, Q, O, V]`
        link: Probability that the link to the best gateway of the network holds under Rayleigh fading,
            exp(-10^(-margin / 10)), mean over nodes. `[B, S, Q, O, T]`
        energy_mj: Energy of an attempt, receive windows included, mean over nodes. `[B, S, Q, O, T]` mJ
        reference_mj: The same at least spreading factor and 14 dBm. `[B, S, Q]` mJ
        airtime_s: Airtime of an attempt by spreading factor. `[B, V]` s
        occupancy: Share of time that external interference keeps each channel busy. `[B, C]`
        non_learning: Whether the network does not learn. `[B, S]`
    """
    replicas, region = len(groups.group), scenario.region
    airtime_s, tp_dbm = scenario.airtime_s()[:, 0], np.array(region.tp_dbm)[list(powers)]
    costs = energy_costs(scenario)
    power_mw, windows_mj = costs.tp_mw[list(powers)], costs.windows_mj[:, 0]
    sf = np.minimum(groups.least_sf[..., None] + np.arange(OFFSETS), len(airtime_s) - 1)  # [B, N, O]
    floor_dbm = scenario.reception.sensitivities_dbm(
        np.array(region.spreading_factors), np.array(region.bandwidths_hz[:1])
    )[:, 0]
    margin_db = groups.gain_db[..., None, None] + tp_dbm - floor_dbm[sf][..., None]
    interval_s = np.broadcast_to(scenario.interval_s(), groups.group.shape)
    now = scenario.interference
    occupancy = np.zeros(len(region.channels_hz)) if now is None else np.asarray(now.occupancy)
    learns = [deployment.rule == "learns" for deployment in coexistence.deployments]
    return {
        "rate_hz": groups.sums(1.0 / interval_s),
        "nodes": groups.sums(np.ones_like(interval_s)),
        "sf_share": groups.means(np.eye(len(airtime_s))[sf]),
        "link": groups.means(np.exp(-db_to_ratio(-margin_db))),
        "energy_mj": groups.means(airtime_s[sf][..., None] * power_mw + windows_mj[sf][..., None]),
        "reference_mj": groups.reference_mj(scenario),
        "airtime_s": np.tile(airtime_s, (replicas, 1)),
        "occupancy": np.broadcast_to(occupancy, (replicas, occupancy.shape[-1])).copy(),
        "non_learning": np.tile(~np.array(learns), (replicas, 1)),
    }
