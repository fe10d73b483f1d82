"""MinSF, and rules that balance load over spreading factors; all at the highest power and without learning.

MinSF gives each node the smallest spreading factor that reaches the nearest gateway with a margin
(`agents.link_margin`). It leaves slow, sensitive spreading factors empty. The others start from its choice and move
nodes up:

| name | a node moves one spreading factor up | order |
|---|---|---|
| `min-sf` | never | |
| `load-br` | while the airtime of all nodes there is less than at its own | random, by seed, until none moves |
| `load-sorted` | the same | farthest first, until none moves |
| `tolio` | once, from SF7 only, while fewer nodes are there than at SF7 | random, by seed |

The airtime at a spreading factor is that of one packet of every node there, on the node's channel. Channels are
assigned in turn by node number.

Source: MinSF: NoReL and its authors' code. `tolio`: a game that equalises counts, as NoReL describes a baseline that it
was given privately: nodes know how many use each spreading factor, and keep theirs or take the next one; only SF7 and
SF8 were used, about half each. `load-br` and `load-sorted` are ours.
Differences:
    1. `tolio`: that only nodes at SF7 move is our reading; it meets NoReL's numbers within 0.3 points.
    2. Load is counted for each channel where there are several.

Shape letters: `N` nodes, `S` spreading factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.link_margin import least_sf
from agents.rules.fixed import FixedRule, nearest_gateway_m
from lora_marl.core.random import stream_key

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario


class MinSF(FixedRule):
    """MinSF: the smallest spreading factor that reaches the nearest gateway with a margin.

    Args:
        scenario, seeds: As in `Learner`.
        margin_db: For all nodes, or for each `[N]`; None: one standard deviation of the shadowing. dB

    Raises:
        ValueError: a margin outside its range, or as many as there are not nodes.
    """

    name: ClassVar[str] = "min-sf"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, margin_db: ArrayLike | None = None) -> None:
        least = least_sf(scenario, len(seeds), margin_db)
        balanced = np.stack(
            [self.balanced(scenario, seed, sf, b) for b, (seed, sf) in enumerate(zip(seeds, least, strict=True))]
        )
        super().__init__(scenario, seeds, sf_index=balanced, channel_order=np.arange(scenario.nodes))

    def balanced(self, scenario: Scenario, seed: int, sf: NDArray[np.intp], replica: int) -> NDArray[np.intp]:
        """The spreading factors of a replica's nodes, given MinSF's; MinSF keeps them. `[N]` indices"""
        return sf


class LoadBestResponse(MinSF):
    """Nodes, in random order, move up while the next spreading factor carries less airtime than theirs."""

    name: ClassVar[str] = "load-br"

    def order(self, scenario: Scenario, seed: int, replica: int) -> NDArray[np.intp]:
        """Nodes in the order in which they may move. `[N]`"""
        return _shuffled(seed, scenario.nodes)

    def balanced(self, scenario: Scenario, seed: int, sf: NDArray[np.intp], replica: int) -> NDArray[np.intp]:
        """Spreading factors balanced by airtime. `[N]` indices"""
        airtime_s = scenario.airtime_s()[:, 0]
        return balance_airtime(sf, airtime_s, _channels(scenario), self.order(scenario, seed, replica))


class LoadSorted(LoadBestResponse):
    """Like `LoadBestResponse`, with the farthest nodes first."""

    name: ClassVar[str] = "load-sorted"

    def order(self, scenario: Scenario, seed: int, replica: int) -> NDArray[np.intp]:
        """Nodes by the distance to their nearest gateway, farthest first. `[N]`"""
        nearest_m = nearest_gateway_m(scenario)
        replica_m = nearest_m if nearest_m.ndim == 1 else nearest_m[replica % len(nearest_m)]
        return np.argsort(-replica_m, kind="stable")


class Tolio(MinSF):
    """Nodes at SF7 move to SF8 while fewer nodes are there."""

    name: ClassVar[str] = "tolio"

    def balanced(self, scenario: Scenario, seed: int, sf: NDArray[np.intp], replica: int) -> NDArray[np.intp]:
        """As many nodes at SF8 as at SF7 on every channel, if enough can move. `[N]` indices"""
        after, channel = sf.copy(), _channels(scenario)
        for node in _shuffled(seed, scenario.nodes):
            on_channel = channel == channel[node]
            if sf[node] == 0 and np.sum(on_channel & (after == 1)) < np.sum(on_channel & (after == 0)):
                after[node] = 1
        return after


def balance_airtime(
    sf: NDArray[np.intp], airtime_s: NDArray[np.float64], channel: NDArray[np.intp], order: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Spreading factors when no node can move to a next one that carries less airtime.

    Args:
        sf: Index of each node's spreading factor before. `[N]`
        airtime_s: Airtime of one packet. `[S]` s
        channel: Index of each node's channel. `[N]`
        order: Nodes in the order in which they may move. `[N]`

    Returns:
        Indices. `[N]`
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
