"""MinSF, and rules that spread nodes over spreading factors by load, all at the highest power and without learning.

MinSF gives each node the smallest spreading factor that reaches the nearest gateway with a margin
(`agents.rules.link_margin`). It leaves slow, sensitive spreading factors
empty. The others start from its choice and move nodes up:

| name | a node moves one spreading factor up | order |
|---|---|---|
| `min-sf` | never | |
| `load-br` | while the airtime of all nodes there is less than at its own | random, by seed, again until nobody moves |
| `load-sorted` | the same | farthest first, again until nobody moves |
| `tolio` | once, from SF7 alone, while fewer nodes are there than at SF7 | random, by seed |

Airtime counts one packet of every node at the spreading factor. A node never moves beyond what its region has.

Source: MinSF: NoReL and its authors' code. `tolio`: a count-equalising game as NoReL describes a baseline that it was
given privately: nodes know how many use each spreading factor and keep theirs or take the next one; only SF7 and SF8
were used, about half each. That only SF7's nodes move is our reading, which meets its numbers within 0.3 points.
`load-br` and `load-sorted` are ours.
Differences: with several channels, load is counted per channel; channels are dealt out in turn by node number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.rules.fixed import FixedRule
from agents.rules.link_margin import least_sf
from lora_marl.core.random import stream_key
from lora_marl.core.topology import distances_m

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario


class MinSF(FixedRule):
    """The smallest spreading factor that reaches the nearest gateway with a margin.

    Args:
        scenario, seeds: See `Learner`.
        margin_db: None: a standard deviation of the shadowing. dB

    Raises:
        ValueError: a margin that is not finite.
    """

    name: ClassVar[str] = "min-sf"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, margin_db: float | None = None) -> None:
        base = least_sf(scenario, len(seeds), margin_db)
        moved = np.stack(
            [self.moved(scenario, seed, sf, b) for b, (seed, sf) in enumerate(zip(seeds, base, strict=True))]
        )
        super().__init__(scenario, seeds, sf_index=moved, channel_order=np.arange(scenario.nodes))

    def moved(self, scenario: Scenario, seed: int, sf: NDArray[np.intp], replica: int) -> NDArray[np.intp]:
        """Where the nodes of a replica go from MinSF's spreading factors `[N]`."""
        return sf


class LoadBestResponse(MinSF):
    """Moves up while the next spreading factor carries less airtime, nodes in random order; see the module's page."""

    name: ClassVar[str] = "load-br"

    def order(self, scenario: Scenario, seed: int, replica: int) -> NDArray[np.intp]:
        """Nodes in the order in which they may move `[N]`."""
        return _shuffled(seed, scenario.nodes)

    def moved(self, scenario: Scenario, seed: int, sf: NDArray[np.intp], replica: int) -> NDArray[np.intp]:
        """Balanced by airtime `[N]`."""
        airtime_s = scenario.airtime_s()[:, 0]
        return balance_airtime(sf, airtime_s, _channels(scenario), self.order(scenario, seed, replica))


class LoadSorted(LoadBestResponse):
    """The same, farthest nodes first."""

    name: ClassVar[str] = "load-sorted"

    def order(self, scenario: Scenario, seed: int, replica: int) -> NDArray[np.intp]:
        """Farthest from their nearest gateway first `[N]`."""
        apart_m = distances_m(scenario.node_xy_m, scenario.gateway_xy_m).min(axis=-1)
        own = apart_m if apart_m.ndim == 1 else apart_m[replica % len(apart_m)]
        return np.argsort(-own, kind="stable")


class Tolio(MinSF):
    """Nodes at SF7 take SF8 while it has fewer nodes; see the module's page."""

    name: ClassVar[str] = "tolio"

    def moved(self, scenario: Scenario, seed: int, sf: NDArray[np.intp], replica: int) -> NDArray[np.intp]:
        """As many nodes at SF8 as at SF7 `[N]`, if there are enough to move."""
        after, channel = sf.copy(), _channels(scenario)
        for node in _shuffled(seed, scenario.nodes):
            here = channel == channel[node]
            if sf[node] == 0 and np.sum(here & (after == 1)) < np.sum(here & (after == 0)):
                after[node] = 1
        return after


def balance_airtime(
    sf: NDArray[np.intp], airtime_s: NDArray[np.float64], channel: NDArray[np.intp], order: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Spreading factors after all moves.

    Args:
        sf: Index of each node's. `[N]`
        airtime_s: Of one packet at each. `[S]` s
        channel: Of each node. `[N]`
        order: In which nodes move. `[N]`

    Returns:
        `[N]`
    """
    after = sf.copy()
    load_s = np.zeros((int(channel.max()) + 1, len(airtime_s)))
    np.add.at(load_s, (channel, after), airtime_s[after])
    while True:
        before = after.copy()
        for node in order:
            c, s = channel[node], after[node]
            if s + 1 < len(airtime_s) and load_s[c, s + 1] < load_s[c, s]:
                load_s[c, s] -= airtime_s[s]
                load_s[c, s + 1] += airtime_s[s + 1]
                after[node] += 1
        if np.array_equal(before, after):
            return after


def _channels(scenario: Scenario) -> NDArray[np.intp]:
    return np.arange(scenario.nodes) % len(scenario.region.channels_hz)


def _shuffled(seed: int, nodes: int) -> NDArray[np.intp]:
    return np.random.default_rng(int(stream_key(seed, "learner"))).permutation(nodes)
