"""EXPLoRa: spreading factors shared out in order of received power; all at the highest power and without learning.

| name | nodes, from the strongest to the weakest |
|---|---|
| `explora-sf` | as many at every spreading factor |
| `explora-at` | as many at each that the airtimes of all of them come as close as they can, by ordered water-filling |

A node never gets a spreading factor below MinSF's (`agents.link_margin`). Ordered water-filling starts from the airtime
of all nodes at each of MinSF's spreading factors. While one carries more than the next, both share what they carry, as
nodes can move up but not down:

    P_s = K_s T_s;   where P_s > P_{s+1}, both become (K_s + K_{s+1}) / (1 / T_s + 1 / T_{s+1});   K_s = P_s / T_s

| paper | name | paper | name |
|---|---|---|---|
| K_s, nodes at a spreading factor | `nodes_at` | T_s, time on air | `airtime_s` |

Source: Cuomo et al., "EXPLoRa: Extending the performance of LoRa by suitable spreading factor allocations", WiMob 2017;
a published simulation of EXPLoRa-AT on LoRaSim.
Differences:
    1. T_s is the airtime of the network's largest payload; the simulation has fixed ratios, 1 to 24.04.
    2. The simulation chooses nodes at random among those of a spreading factor; here the weakest move up.
    3. Channels are assigned in turn in the same order; the paper has one.

Shape letters: `B` replicas, `N` nodes, `S` spreading factors.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.link_margin import least_sf, strength_rank
from agents.rules.fixed import FixedRule

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario


class Explora(FixedRule):
    """The base of both: nodes in order of received power, in groups of one spreading factor each.

    Args:
        scenario, seeds: As in `Learner`.
        margin_db: As in `MinSF`. dB

    Raises:
        ValueError: a margin outside its range, or as many as there are not nodes.
    """

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, margin_db: ArrayLike | None = None) -> None:
        rank = strength_rank(scenario, len(seeds))
        least = least_sf(scenario, len(seeds), margin_db)
        share = np.stack([self.share(scenario, sf) for sf in least])
        ends = np.round(np.cumsum(share, axis=1))
        group = (rank[..., None] >= ends[:, None, :-1]).sum(axis=-1)
        super().__init__(scenario, seeds, sf_index=np.maximum(group, least), channel_order=rank)

    @abstractmethod
    def share(self, scenario: Scenario, least: NDArray[np.intp]) -> NDArray[np.float64]:
        """How many nodes of a replica each spreading factor gets, given MinSF's `[N]`; they sum to N. `[S]`"""


class ExploraSF(Explora):
    """EXPLoRa-SF: as many nodes at every spreading factor.

    Args:
        scenario, seeds, margin_db: As in `Explora`.

    Raises:
        ValueError: as in `Explora`.
    """

    name: ClassVar[str] = "explora-sf"

    def share(self, scenario: Scenario, least: NDArray[np.intp]) -> NDArray[np.float64]:
        """An equal share for each. `[S]`"""
        sizes = len(scenario.region.spreading_factors)
        return np.full(sizes, scenario.nodes / sizes)


class ExploraAT(Explora):
    """EXPLoRa-AT: airtimes as equal as nodes that only move up allow.

    Args:
        scenario, seeds, margin_db: As in `Explora`.

    Raises:
        ValueError: as in `Explora`.
    """

    name: ClassVar[str] = "explora-at"

    def share(self, scenario: Scenario, least: NDArray[np.intp]) -> NDArray[np.float64]:
        """The nodes at each spreading factor after water-filling. `[S]`"""
        airtime_s = scenario.airtime_s()[:, 0]
        return fill_in_order(np.bincount(least, minlength=len(airtime_s)), airtime_s)


def fill_in_order(nodes_at: NDArray[np.integer], airtime_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nodes at each spreading factor when none carries more airtime than the next one.

    Args:
        nodes_at: Nodes before, of which any may move up. `[S]`
        airtime_s: Of one packet. `[S]` s

    Returns:
        Nodes after, not whole numbers, with the same sum. `[S]`

    Source: EXPLoRa-AT, ordered water-filling.
    """
    pools: list[tuple[float, float, int]] = []  # nodes, their number per second of airtime, spreading factors
    for nodes, per_s in zip(nodes_at.astype(float), 1.0 / airtime_s, strict=True):
        pool = (float(nodes), float(per_s), 1)
        while pools and pools[-1][0] / pools[-1][1] > pool[0] / pool[1]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1], before[2] + pool[2])
        pools.append(pool)
    level_s = np.repeat([nodes / per_s for nodes, per_s, _ in pools], [size for _, _, size in pools])
    return level_s / airtime_s
