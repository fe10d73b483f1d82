"""Servers that learn without a coordination service.

Shape letters: `B` replicas, `L` learning networks, `Q` groups of a network, `D` features.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from agents.coexistence.strategy import Strategy
from agents.lns.team import Team
from lora_marl.core.states import part_of, with_prefix


class IndependentServers(Strategy):
    """Servers that learn by themselves.

    Args:
        team: The servers.
        online: Whether they keep learning.
        indicator: What they measure of others; None: what the run states.

    Attributes:
        team: The servers.
        observations: What groups see after the last interval. `[B, L, Q, D]`
    """

    observations: NDArray[np.float32]

    def __init__(self, team: Team, online: bool = True, indicator: str | None = None) -> None:
        self.team, self._online, self.indicator = team, online, indicator

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """Returns the actions that the servers select. `[B, L, Q]`"""
        return self.team.select(observations)

    def learn(
        self,
        observations: NDArray,
        actions: NDArray,
        rewards: NDArray,
        weights: NDArray,
        next_observations: NDArray,
    ) -> None:
        """Updates all servers from an interval, unless they stay as they are."""
        self.observations = next_observations
        if self._online:
            self.team.update(observations, actions, rewards, weights, next_observations)

    def state_dict(self) -> dict[str, NDArray]:
        """Returns the state of the servers, by `team.<name>`."""
        return with_prefix("team", self.team.state_dict())

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from a state of the same servers."""
        self.team.load_state_dict(part_of(state, "team"))


class ParameterAveraging(IndependentServers):
    """Federated averaging: networks of one kind take the mean of their parameters every few intervals.

    Args:
        team: The servers.
        online: Whether they keep learning.
        every: Intervals between two averages.
    """

    def __init__(self, team: Team, online: bool = True, every: int = 5) -> None:
        super().__init__(team, online)
        self.every = every

    def after(
        self, done: int, last: Mapping[str, NDArray[np.float64]], recent: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Averages the parameters when it is time."""
        if done % self.every == 0:
            for servers, _ in self.team.learners:
                parameters = servers.parameters()
                mean = parameters.mean(axis=1, keepdims=True)
                servers.replace_parameters(np.broadcast_to(mean, parameters.shape))
