"""Ways of coordinating networks: none, the service and what it is compared with, and rules that know more than servers.

Shape letters: `B` replicas, `L` learning networks, `Q` groups of a network, `A` actions of a group, `D` features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.lns import partition
from agents.lns.team import Team
from agents.maac.threads import threads
from lora_marl.config import ConfigError, TrainConfig
from lora_marl.config.errors import did_you_mean
from lora_marl.envs.coexistence_game import CoexistenceGame
from lora_marl.envs.coexistence_groups import OFFSETS
from scripts.coexistence.ledger import Book
from scripts.coexistence.networks import coexistence_of, team_of


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
        if self._online:
            with threads(1):
                self.team.update(observations, actions, rewards, weights, following)


class Partition(Way):
    """Good channels shared out once, or anew whenever interference has moved; least SF and full power."""

    def __init__(self, again: bool) -> None:
        self._again = again

    def begin(self, game: CoexistenceGame) -> None:
        """See `Way`."""
        super().begin(game)
        self._share()

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """See `Way`."""
        if self._again:
            self._share()
        return self._chosen

    def _share(self) -> None:
        game = self.game
        powers = len(game.actions.powers)
        channels = partition.partition(game.facts()["occupancy"], len(game.learning), game.settings.groups)
        self._chosen = channels * OFFSETS * powers + powers - 1


class Hopping(Way):
    """Every attempt on any channel, or on any of those that a partition of all channels gives its network."""

    hops = True

    def __init__(self, partitioned: bool) -> None:
        self._partitioned = partitioned

    def begin(self, game: CoexistenceGame) -> None:
        """See `Way`."""
        super().begin(game)
        occupancy, powers = game.facts()["occupancy"], len(game.actions.powers)
        sizes = (len(game.learning), game.settings.groups)
        if self._partitioned:
            self._weights = partition.hopping_partition(occupancy, *sizes, OFFSETS, powers)
        else:
            self._weights = partition.hopping(len(occupancy), *sizes, occupancy.shape[-1], OFFSETS, powers)

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """See `Way`."""
        return self._weights


RULES: Mapping[str, Callable[[], Way]] = {
    "static-partition": lambda: Partition(again=False),
    "ranked-partition": lambda: Partition(again=True),
    "hopping-partition": lambda: Hopping(partitioned=True),
    "hopping": lambda: Hopping(partitioned=False),
}


def way_of(config: TrainConfig, label: str) -> Way:
    """The way of a label.

    Raises:
        ConfigError: an unknown name or parameter.
    """
    spec, coexistence = config.learners[label], coexistence_of(config)
    learning: dict[str, Callable[..., Way]] = {"independent": Independent}
    known = (*learning, *RULES)
    if spec.name not in known:
        hint = did_you_mean(spec.name, known)
        raise ConfigError([f"learners.{label}: {spec.name!r} is no way of coordinating networks{hint}"])
    if spec.name in RULES:
        if spec.parameters:
            raise ConfigError([f"learners.{label}.parameters: rules take none"])
        return RULES[spec.name]()
    parameters: dict[str, Any] = {"online": coexistence.online, **spec.parameters}
    try:
        return learning[spec.name](team_of(coexistence, config.seeds), **parameters)
    except (TypeError, ValueError) as error:
        raise ConfigError([f"learners.{label}: {error}"]) from None
