"""Residuals optimised for the networks at hand on a model of the air: a reference for the coordination service.

Shape letters: `B` replicas, `L` learning networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from agents.ccs.baselines import direct_residuals
from agents.ccs.dataset import FleetSnapshot, Snapshots
from agents.ccs.model import Design
from agents.ccs.residuals import ResidualState
from agents.coexistence.independent import IndependentServers
from agents.lns.team import Team
from lora_marl.core.coexistence import Episode
from lora_marl.core.states import part_of, with_prefix


class DirectResiduals(IndependentServers):
    """Servers that learn, and whose last layers move to where stored worlds of the same mixture gain most.

    Residuals fade before every round as they do under the service. Only parameters are read from the world that is
    played; what is true of it is not looked at.

    Args:
        team: The servers.
        worlds: Returns the stored snapshots to optimise over, at the first round.
        parts: Equal parts of the stored snapshots, one of which every step of the optimisation looks at, in turn.
        online: Whether servers keep learning.
        every: Intervals between two rounds.
    """

    def __init__(
        self, team: Team, worlds: Callable[[], Snapshots], parts: int, online: bool = True, every: int = 5
    ) -> None:
        super().__init__(team, online)
        self._worlds, self._parts = worlds, parts
        self.every, self._fade = every, Design().fade

    def begin(self, episode: Episode) -> None:
        """Prepares for an episode, in which no server has a residual yet."""
        super().begin(episode)
        self.residuals = ResidualState(self.team, episode.replicas)

    def after(
        self, done: int, last: Mapping[str, NDArray[np.float64]], recent: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Optimises new residuals when it is time."""
        if done % self.every == 0:
            snapshot = FleetSnapshot.of(self.team, self.episode.learning, self.observations, recent)
            self.residuals.fade(self._fade)
            self.residuals.take(direct_residuals(snapshot, self._worlds(), self._parts))

    def state_dict(self) -> dict[str, NDArray]:
        """Returns the states of the servers and of their residuals."""
        return super().state_dict() | with_prefix("residuals", self.residuals.state_dict())

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned; see `Strategy`."""
        super().load_state_dict(state)
        self.residuals.load_state_dict(part_of(state, "residuals"))
