"""What decides for the learning networks of all replicas: the protocol, and servers that learn by themselves.

Shape letters: `B` replicas, `L` learning networks, `Q` groups of a network, `A` actions of a group, `D` features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.coexistence.ledger import Book
from agents.lns.team import Team
from agents.torch_utils import threads
from lora_marl.envs.coexistence.game import CoexistenceGame


class Way:
    """What decides for the learning networks of all replicas.

    Attributes:
        hops: Whether it gives weights of actions, from which every attempt draws, in place of actions.
        indicator: What its servers measure of others; None: what the run says.
    """

    hops = False
    indicator: str | None = None

    def begin(self, game: CoexistenceGame) -> None:
        """An episode begins."""
        self.game = game

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """Actions `[B, L, Q]`, or weights `[B, L, Q, A]`, for observations `[B, L, Q, D]`."""
        raise NotImplementedError

    def learn(
        self, observations: NDArray, actions: NDArray, rewards: NDArray, weights: NDArray, following: NDArray
    ) -> None:
        """An interval has been played; see `agents.lns.servers.Servers.update`."""

    def after(self, book: Book) -> None:
        """The same, for whoever looks at what came of it."""


class Independent(Way):
    """Servers that learn by themselves.

    Args:
        team: The servers.
        online: Whether they go on learning.
        indicator: See `Way`.

    Attributes:
        seen: What groups see after the last interval. `[B, L, Q, D]`
    """

    def __init__(self, team: Team, online: bool = True, indicator: str | None = None) -> None:
        self.team, self._online, self.indicator = team, online, indicator

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """See `Way`."""
        with threads(1):
            return self.team.select(observations)

    def learn(
        self, observations: NDArray, actions: NDArray, rewards: NDArray, weights: NDArray, following: NDArray
    ) -> None:
        """See `Way`."""
        self.seen = following
        if self._online:
            with threads(1):
                self.team.update(observations, actions, rewards, weights, following)
