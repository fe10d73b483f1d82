"""Runs a strategy on an environment of coexisting networks, interval by interval.

Shape letters: `B` replicas, `L` learning networks, `Q` groups of a network, `A` actions of a group, `D` features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.coexistence.ledger import Ledger, Ledgers, Totals
from agents.coexistence.strategy import Strategy
from agents.torch_utils import threads
from lora_marl.core.coexistence import Episode
from lora_marl.core.states import part_of, with_prefix


class Game(Protocol):
    """The game behind an environment.

    Attributes:
        totals: What came of the last interval.
        episode: The episode that was begun last.
    """

    @property
    def totals(self) -> Totals: ...
    @property
    def episode(self) -> Episode: ...


class Environment(Protocol):
    """Replicas of coexisting networks whose agents are groups; `lora_marl.envs.coexistence_v0` has it."""

    game: Game
    max_cycles: int

    def reset_array(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Begins an episode and returns observations. `[B, L * Q, D]`"""

    def step_array(self, actions: ArrayLike) -> tuple[Any, ...]:
        """Runs an interval and returns observations, rewards `[B, L * Q]`, two arrays of flags, and infos by name."""

    def state_dict(self) -> dict[str, NDArray]:
        """Returns everything that changes during an episode."""

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""


class Rollout:
    """An episode of one strategy in all replicas of an environment.

    Args:
        env: The environment, whose agents are groups.
        strategy: What decides for the learning networks.
        seeds: One per replica. `[B]`

    Attributes:
        env, strategy: The environment and the strategy.
        ledgers: What came of the intervals so far.
    """

    def __init__(self, env: Environment, strategy: Strategy, seeds: Sequence[int]) -> None:
        self.env, self.strategy = env, strategy
        observations = env.reset_array(seeds)
        self._episode: Episode = env.game.episode
        self._observations = self._by_network(observations)
        self.ledgers = Ledgers(self._episode)
        strategy.begin(self._episode)

    @property
    def done(self) -> int:
        """Intervals run so far."""
        return len(self.ledgers)

    @property
    def total(self) -> int:
        """Intervals of the whole episode."""
        return self._episode.intervals

    @property
    def finished(self) -> bool:
        """Whether all intervals have been run."""
        return self.done == self.total

    @threads(1)
    def step(self) -> list[dict[str, float]]:
        """Runs the next interval and returns its KPIs, a row for every replica; see `Ledgers.rows`."""
        chosen = self.strategy.choose(self._observations)
        by_agent = chosen.reshape(len(chosen), -1, *chosen.shape[3:])
        observations, rewards, _, _, infos = self.env.step_array(by_agent)
        next_observations, rewards = self._by_network(observations), self._by_network(rewards)
        self.ledgers.append(self.env.game.totals, rewards)
        attempts = self._by_network(infos["attempts"]).astype(np.float64)
        self.strategy.learn(self._observations, chosen, rewards, attempts, next_observations)
        self.strategy.after(self.done, self.ledgers.last(1), self.ledgers.last(self.strategy.every))
        self._observations = next_observations
        return self.ledgers.rows()

    def run(self) -> list[Ledger]:
        """Runs all intervals that are left and returns a ledger for every replica."""
        while not self.finished:
            self.step()
        return self.ledgers.by_replica()

    def state_dict(self) -> dict[str, NDArray]:
        """Returns everything that later intervals depend on, as plain arrays by name."""
        state = {"observations": self._observations.copy()}
        for prefix, part in self._parts().items():
            state |= with_prefix(prefix, part.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned for the same environment, strategy and seeds.

        Raises:
            ValueError: an array is missing, or belongs to another run; the message names it.
        """
        if "observations" not in state:
            raise ValueError("state of a rollout: observations is missing")
        for prefix, part in self._parts().items():
            part.load_state_dict(part_of(state, prefix))
        self._observations = np.array(state["observations"])

    def _parts(self) -> dict[str, Any]:
        return {"ledgers": self.ledgers, "environment": self.env, "strategy": self.strategy}

    def _by_network(self, values: NDArray) -> NDArray:
        """Values of groups `[B, L * Q, ...]` as `[B, L, Q, ...]`."""
        sizes = (len(self._episode.learning), self._episode.groups)
        return values.reshape(len(values), *sizes, *values.shape[2:])
