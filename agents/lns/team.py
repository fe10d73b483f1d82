"""Servers of several kinds in one world: each kind has its places among the networks that learn.

Shape letters as in `agents.lns.network`; `L` counts the learning networks of all kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.lns.learning import LearningServers
from agents.lns.servers import Servers
from lora_marl.core.states import part_of, with_prefix


@dataclass(frozen=True)
class TeamMember:
    """The servers of one kind in a team.

    Attributes:
        servers: All of them, in all replicas.
        places: Their places among the learning networks.
    """

    servers: Servers
    places: tuple[int, ...]


class Team:
    """The servers of all learning networks, of one kind or several, behind one interface.

    Args:
        members: Members, whose places together are 0 to L - 1, each once.

    Attributes:
        members: The members.
        networks: `L`, how many networks learn.
        learners: The servers that have parameters to report, kind by kind, and their places.

    Raises:
        ValueError: a place that is missing or occurs twice.
    """

    def __init__(self, members: Sequence[TeamMember]) -> None:
        self.members = tuple(members)
        places = sorted(place for member in members for place in member.places)
        if not places or places != list(range(len(places))):
            raise ValueError(f"members: places are {places}; each of 0 to S - 1 must be there once")
        self.networks = len(places)
        self.learners = [(servers, places) for servers, places in self._all() if isinstance(servers, LearningServers)]

    def select(self, observations: NDArray[np.floating], explore: bool = True) -> NDArray[np.int64]:
        """Returns actions `[B, L, Q]` for observations `[B, L, Q, D]`; see `Servers.select`."""
        actions = np.empty(observations.shape[:3], np.int64)
        for servers, places in self._all():
            actions[:, places] = servers.select(observations[:, places], explore)
        return actions

    def update(
        self,
        observations: NDArray[np.floating],
        actions: NDArray[np.int64],
        rewards: NDArray[np.floating],
        weights: NDArray[np.floating],
        next_observations: NDArray[np.floating],
    ) -> None:
        """Lets all servers learn from a control interval; see `Servers.update`."""
        interval = (observations, actions, rewards, weights, next_observations)
        for servers, places in self._all():
            servers.update(*(array[:, places] for array in interval))

    def state_dict(self) -> dict[str, NDArray]:
        """Returns a copy of everything that changes, as `<member>.<name>`."""
        state: dict[str, NDArray] = {}
        for number, member in enumerate(self.members):
            state |= with_prefix(str(number), member.servers.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from a state. ValueError: it is of another team."""
        for number, member in enumerate(self.members):
            member.servers.load_state_dict(part_of(state, str(number)))

    def _all(self) -> Iterator[tuple[Servers, list[int]]]:
        return ((member.servers, list(member.places)) for member in self.members)
