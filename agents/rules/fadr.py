"""FADR: fair shares of nodes at each spreading factor, and powers that bring received powers close together.

Nodes are sorted by their mean received power R_n at a power of 0 dBm, the strongest first. In this order they get the
spreading factors, the smallest first, a share of

    p_s = (s / 2^s) / sum_i (i / 2^i)

of the nodes each. Powers come from the same order, with the lowest power P_1 and CIR, the ratio that a packet needs
over another one to be received:

    P_max  the lowest power for which the strongest node at P_1 and the weakest at it are within CIR; else the highest
    R_min = min(R_N + P_max, R_1 + P_1)
    nodes with R_n + P_1 >= R_min send at P_1, from the strongest on, up to node i
    nodes with |R_n + P_max - R_min| <= CIR send at P_max, from the weakest on, down to the one after node j
    for each power p between P_1 and P_max, ascending, if |R_i + p - R_min| <= CIR and |R_i + p - R_j - P_max| <= CIR:
        nodes i to j with |R_n + p - R_j - P_max| <= CIR send at p, until one has not; i is the last of them
    whoever is left sends at P_1

| paper | name | paper | name |
|---|---|---|---|
| p_s | `sf_weights` | CIR, 6 dB | `cir_db` |
| MinTP, MaxTP | `lowest`, `highest` | TPs between | `between` |

Source: Abdelfadeel, Cionca and Pesch, "Fair adaptive data rate allocation and power control in LoRaWAN", WoWMoM 2018;
its published extension of LoRaSim (experiment 6).
Differences:
    1. A node gets no spreading factor below MinSF's, and no power with which it does not reach a gateway on average
       (`agents.link_margin`, without a margin). In the simulation all nodes reach with all of them.
    2. In the simulation the loop of the last rule may run past node j, over those that already have P_max.
    3. Shares end at the nearest whole node; the simulation rounds each share up.
    4. Channels are assigned in turn in the same order; the simulation has one.

Shape letters: `B` replicas, `N` nodes, `T` powers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.link_margin import feasible, least_sf, strength_rank
from agents.rules.fixed import FixedRule
from lora_marl.core.checks import check_at_least_0
from lora_marl.core.metric_factors import sf_weights

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario


class FADR(FixedRule):
    """FADR: spreading factors by fair shares, powers within the capture ratio.

    Args:
        scenario, seeds: As in `Learner`.
        cir_db: Ratio of powers that a packet needs over another one of its spreading factor, at least 0. dB

    Raises:
        ValueError: `cir_db` below 0.
    """

    name: ClassVar[str] = "fadr"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, cir_db: float = 6.0) -> None:
        check_at_least_0("cir_db", cir_db)
        replicas, region = len(seeds), scenario.region
        rank = strength_rank(scenario, replicas)
        ends = np.round(np.cumsum(sf_weights(region.spreading_factors)) * scenario.nodes)
        sf = np.maximum((rank[..., None] >= ends[:-1]).sum(axis=-1), least_sf(scenario, replicas, 0.0))
        gain_db = np.broadcast_to(scenario.mean_gain_db().max(axis=-1), rank.shape)
        order = np.argsort(rank, axis=-1)
        sorted_db = np.take_along_axis(gain_db, order, axis=-1)
        tp_dbm = np.array(region.tp_dbm, np.float64)
        power = np.stack([controlled_power(received_db, tp_dbm, cir_db) for received_db in sorted_db])
        reaches = np.take_along_axis(feasible(scenario, replicas, 0.0), sf[..., None, None], axis=2)[:, :, 0]
        least_power = np.where(reaches.any(axis=-1), reaches.argmax(axis=-1), len(tp_dbm) - 1)
        tp = np.maximum(np.take_along_axis(power, rank, axis=-1), least_power)
        super().__init__(scenario, seeds, sf_index=sf, channel_order=rank, tp_index=tp)


def controlled_power(gain_db: NDArray[np.float64], tp_dbm: NDArray[np.float64], cir_db: float) -> NDArray[np.intp]:
    """FADR's powers.

    Args:
        gain_db: Received minus transmitted power of the nodes, the largest first. `[N]` dB
        tp_dbm: Powers, ascending. `[T]` dBm
        cir_db: See `FADR`. dB

    Returns:
        Indices of the powers. `[N]`

    Source: Abdelfadeel et al. 2018, algorithm 2.
    """
    nodes = len(gain_db)
    lowest_dbm = tp_dbm[0]
    close = np.abs(gain_db[0] + lowest_dbm - gain_db[-1] - tp_dbm[1:]) <= cir_db
    highest = int(close.argmax()) + 1 if close.any() else len(tp_dbm) - 1
    highest_dbm = tp_dbm[highest]
    weakest_dbm = min(gain_db[-1] + highest_dbm, gain_db[0] + lowest_dbm)
    power = np.zeros(nodes, np.intp)
    at_lowest = gain_db + lowest_dbm >= weakest_dbm
    i = nodes - 1 if at_lowest.all() else max(int(at_lowest.argmin()) - 1, 0)
    at_highest = np.abs(gain_db + highest_dbm - weakest_dbm) <= cir_db
    j = nodes - 1
    while j > i and at_highest[j]:
        power[j] = highest
        j -= 1
    bound_dbm = gain_db[j] + highest_dbm
    for between in range(1, highest):
        sent_dbm = tp_dbm[between]
        if max(abs(gain_db[i] + sent_dbm - weakest_dbm), abs(gain_db[i] + sent_dbm - bound_dbm)) > cir_db:
            continue
        n = i
        while n <= j and abs(gain_db[n] + sent_dbm - bound_dbm) <= cir_db:
            power[n] = between
            n += 1
        i = n - 1
    return power
