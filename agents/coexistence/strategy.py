"""The interface of strategies of coexisting networks to the loop that runs them (`agents.coexistence.rollout`).

Shape letters: `B` replicas, `L` learning networks, `Q` groups of a network, `A` actions of a group, `D` features.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.coexistence import Episode


class Strategy:
    """Decides for the learning networks of all replicas.

    A subclass implements `choose`. In every interval `choose`, `learn` and `after` are called in this order.

    Attributes:
        hops: Whether `choose` returns weights of actions, from which every attempt draws, instead of actions.
        indicator: What the servers measure of others (an interference indicator of the environment); None: what the
            run states.
        every: Intervals between two rounds of the strategy, over which `after` gets sums.
        episode: The episode being played, from `begin` on.
    """

    hops = False
    indicator: str | None = None
    every = 1
    episode: Episode

    def begin(self, episode: Episode) -> None:
        """Prepares for an episode that begins now."""
        self.episode = episode

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """Returns actions `[B, L, Q]`, or weights `[B, L, Q, A]` if the strategy hops.

        Args:
            observations: What groups see. `[B, L, Q, D]`
        """
        raise NotImplementedError

    def learn(
        self,
        observations: NDArray,
        actions: NDArray,
        rewards: NDArray,
        weights: NDArray,
        next_observations: NDArray,
    ) -> None:
        """Learns from an interval; the arguments are those of `agents.lns.servers.Servers.update`."""

    def after(
        self, done: int, last: Mapping[str, NDArray[np.float64]], recent: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Looks at what came of the intervals so far.

        Args:
            done: Intervals played.
            last: Sums of the last interval, by the names of `agents.coexistence.ledger.SUMS`. `[B, S]` each
            recent: Sums of the last `every` intervals, or of all if these are fewer. `[B, S]` each
        """

    def state_dict(self) -> dict[str, NDArray]:
        """Returns a copy of everything that changes during an episode, as plain arrays by name."""
        return {}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned; `begin` must have been called for the same episode.

        Raises:
            ValueError: an array is missing or belongs to another strategy; the message names it.
        """
