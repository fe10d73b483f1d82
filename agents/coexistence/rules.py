"""Strategies that learn nothing: channels shared out among networks, hopping, a search that knows everything, chance.

Apart from chance and hopping over all channels they know more than a server can: which channels are busy, or all of the
network's facts. They are what operators could agree on without learning, and references for those that learn.

Shape letters: `B` replicas, `S` networks, `L` those that learn, `Q` groups of a network, `C` channels, `A` actions of a
group, `O` offsets, `T` powers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agents.ccs.proxy import Proxy, best_actions
from agents.coexistence.strategy import Strategy
from agents.draws import Draws
from lora_marl.core.coexistence import Episode

SEARCHED = ("occupancy", "rate_hz")
"""Facts that change within an episode, so that `Optimum` searches anew."""


def good_channels(occupancy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns which channels are at most as busy as the middle between the least and the most busy one.

    Args:
        occupancy: Share of time that external interference keeps each channel busy. `[..., C]`

    Returns:
        `[..., C]`
    """
    middle = (occupancy.min(axis=-1, keepdims=True) + occupancy.max(axis=-1, keepdims=True)) / 2
    return occupancy <= middle


def partition(occupancy: NDArray[np.float64], networks: int, groups: int) -> NDArray[np.int64]:
    """Returns one channel for each group.

    The good channels are dealt out to the networks in turn, best first, and each network's channels to its groups in
    turn. If there are more networks than good channels, dealing starts again with the best one.

    Args:
        occupancy: Share of time that external interference keeps each channel busy. `[B, C]`
        networks: S.
        groups: Q.

    Returns:
        Channels. `[B, S, Q]`
    """
    order, good = np.argsort(occupancy, axis=-1, kind="stable"), good_channels(occupancy).sum(axis=-1)
    channels = np.empty((len(occupancy), networks, groups), np.int64)
    for b, ranked in enumerate(order):
        for s in range(networks):
            dealt = [ranked[i] for i in range(s % good[b], good[b], networks)]
            channels[b, s] = [dealt[q % len(dealt)] for q in range(groups)]
    return channels


def hopping_partition(occupancy: NDArray[np.float64], networks: int, groups: int, offsets: int, powers: int) -> NDArray:
    """Returns weights of actions: every attempt hops over its network's part of all channels, busy ones included.

    The channels are dealt out to the networks in turn, best first. Attempts use the minimum SF and the highest
    power.

    Args:
        occupancy: Share of time that external interference keeps each channel busy. `[B, C]`
        networks, groups, offsets, powers: S, Q, O and T.

    Returns:
        `[B, S, Q, A]`
    """
    order = np.argsort(occupancy, axis=-1, kind="stable")
    channels = order.shape[-1]
    weights = np.zeros((len(order), networks, groups, channels, offsets, powers))
    for b, ranked in enumerate(order):
        for s in range(networks):
            weights[b, s, :, ranked[s % channels :: networks], 0, powers - 1] = 1.0
    return weights.reshape(*weights.shape[:3], -1)


def hopping(replicas: int, networks: int, groups: int, channels: int, offsets: int, powers: int) -> NDArray[np.float64]:
    """Returns weights of hopping over all channels.

    Every attempt draws any channel with equal chance, at the minimum SF and the highest power.

    Args:
        replicas, networks, groups, channels, offsets, powers: B, S, Q, C, O and T.

    Returns:
        `[B, S, Q, A]`
    """
    weights = np.zeros((replicas, networks, groups, channels, offsets, powers))
    weights[..., 0, powers - 1] = 1.0
    return weights.reshape(replicas, networks, groups, -1)


class Partition(Strategy):
    """Good channels shared out once, or anew in every interval; minimum SF and highest power.

    Args:
        follows: Whether channels are shared out anew in every interval, so that they follow moving interference.
    """

    def __init__(self, *, follows: bool) -> None:
        self._follows = follows

    def begin(self, episode: Episode) -> None:
        """Shares the channels out by the interference at the beginning of the episode."""
        super().begin(episode)
        self._share()

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """Returns actions on each group's channel. `[B, L, Q]`"""
        if self._follows:
            self._share()
        return self._chosen

    def _share(self) -> None:
        episode = self.episode
        channels = partition(episode.facts()["occupancy"], len(episode.learning), episode.groups)
        self._chosen = (channels * episode.offsets + 1) * len(episode.powers) - 1


class Hopping(Strategy):
    """Every attempt draws its channel: from all channels, or from its network's part of a partition.

    Args:
        partitioned: Whether all channels are shared out among networks at the beginning of the episode.
    """

    hops = True

    def __init__(self, *, partitioned: bool) -> None:
        self._partitioned = partitioned

    def begin(self, episode: Episode) -> None:
        """Computes the weights, the same for the whole episode."""
        super().begin(episode)
        sizes = (len(episode.learning), episode.groups)
        if self._partitioned:
            occupancy = episode.facts()["occupancy"]
            self._weights = hopping_partition(occupancy, *sizes, episode.offsets, len(episode.powers))
        else:
            self._weights = hopping(episode.replicas, *sizes, episode.channels, episode.offsets, len(episode.powers))

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """Returns the weights of actions. `[B, L, Q, A]`"""
        return self._weights


class Optimum(Strategy):
    """The best actions that a search on the model of the air finds with everything known; a reference, not a bound.

    The search is repeated whenever interference or traffic changes.

    Args:
        seeds: One per replica, for the starts of the search. `[B]`
        proxy: The model of the air; None: with the constants set by hand.
    """

    def __init__(self, seeds: Sequence[int], proxy: Proxy | None = None) -> None:
        self._seeds, self._proxy = tuple(seeds), proxy or Proxy()
        self._facts: Mapping[str, NDArray] = {}

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """Returns the best actions for the networks as they are now. `[B, L, Q]`"""
        facts = self.episode.facts()
        if not self._unchanged(facts):
            self._facts = facts
            self._chosen = best_actions(facts, self._seeds, self._proxy)[:, self.episode.learning]
        return self._chosen

    def state_dict(self) -> dict[str, NDArray]:
        """Returns the actions in force and the facts that they answer to; empty before the first search."""
        if not self._facts:
            return {}
        return {"chosen": self._chosen.copy(), **{name: np.array(self._facts[name]) for name in SEARCHED}}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues with the actions in force; see `Strategy`."""
        if "chosen" in state:
            self._chosen, self._facts = np.array(state["chosen"]), {name: state[name] for name in SEARCHED}

    def _unchanged(self, facts: Mapping[str, NDArray]) -> bool:
        return bool(self._facts) and all(np.array_equal(facts[name], self._facts[name]) for name in SEARCHED)


class RandomActions(Strategy):
    """Any action for every group with equal chance, drawn anew in every interval."""

    def begin(self, episode: Episode) -> None:
        """Begins the streams of random numbers, one for each learning network."""
        super().begin(episode)
        self._draws = Draws(episode.seeds, range(len(episode.learning)), "chance")

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """Returns the drawn actions. `[B, L, Q]`"""
        drawn = self._draws.uniform(observations.shape[2])
        return (drawn * self.episode.actions).astype(np.int64).reshape(observations.shape[:3])

    def state_dict(self) -> dict[str, NDArray]:
        """Returns how many numbers were drawn so far."""
        return {"drawn": self._draws.drawn.copy()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues the streams of random numbers; see `Strategy`."""
        self._draws.drawn[...] = state["drawn"]
