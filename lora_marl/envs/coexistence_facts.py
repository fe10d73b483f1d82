"""What is true of coexisting networks now, known to nobody in them: for models of their air and for references.

Shape letters: `B` replicas, `N` nodes, `S` networks, `Q` groups of a network, `C` channels, `O` offsets, `T` powers
that may be chosen, `V` spreading factors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import phy
from lora_marl.core.coexistence import Coexistence
from lora_marl.core.scenario import Scenario
from lora_marl.core.units import db_to_ratio
from lora_marl.envs.coexistence_groups import OFFSETS, Groups


def facts(coexistence: Coexistence, scenario: Scenario, groups: Groups, powers: Sequence[int]) -> dict[str, NDArray]:
    """Facts by name.

    Args:
        coexistence: The networks.
        scenario: As drawn, and changed so far.
        groups: As drawn.
        powers: Indices of those that may be chosen.

    Returns:
        rate_hz: Frames born in all nodes of a group per second. `[B, S, Q]` 1/s
        nodes: Of a group. `[B, S, Q]`
        sf_share: Share of a group's nodes that send with each spreading factor at an offset. `[B, S, Q, O, V]`
        link: Chance that the link to the best own gateway stands under Rayleigh fading, exp(-10^(-margin / 10)), mean
            over nodes. `[B, S, Q, O, T]`
        energy_mj: Of an attempt, receive windows included, mean over nodes. `[B, S, Q, O, T]` mJ
        reference_mj: The same at least spreading factor and 14 dBm. `[B, S, Q]` mJ
        airtime_s: Of an attempt by spreading factor. `[B, V]` s
        occupancy: Of the channels by external interference. `[B, C]`
        legacy: Networks that do not learn. `[B, S]`
    """
    replicas, region = len(groups.group), scenario.region
    airtime_s, tp_dbm = scenario.airtime_s()[:, 0], np.array(region.tp_dbm)[list(powers)]
    power_mw = np.asarray(phy.tx_power_mw(tp_dbm, scenario.energy, supply=scenario.supply))
    sf = np.minimum(groups.least_sf[..., None] + np.arange(OFFSETS), len(airtime_s) - 1)  # [B, N, O]
    floor_dbm = scenario.reception.sensitivities_dbm(
        np.array(region.spreading_factors), np.array(region.bandwidths_hz[:1])
    )[:, 0]
    margin_db = groups.gain_db[..., None, None] + tp_dbm - floor_dbm[sf][..., None]
    interval_s = np.broadcast_to(scenario.interval_s(), groups.group.shape)
    now = scenario.interference
    occupancy = np.zeros(len(region.channels_hz)) if now is None else np.asarray(now.occupancy)
    learns = [each.rule == "learns" for each in coexistence.deployments]
    return {
        "rate_hz": groups.sums(1.0 / interval_s),
        "nodes": groups.sums(np.ones_like(interval_s)),
        "sf_share": groups.means(np.eye(len(airtime_s))[sf]),
        "link": groups.means(np.exp(-db_to_ratio(-margin_db))),
        "energy_mj": groups.means(airtime_s[sf][..., None] * power_mw + scenario.receive_mj),
        "reference_mj": groups.reference_mj(scenario),
        "airtime_s": np.tile(airtime_s, (replicas, 1)),
        "occupancy": np.broadcast_to(occupancy, (replicas, occupancy.shape[-1])).copy(),
        "legacy": np.tile(~np.array(learns), (replicas, 1)),
    }
