"""Servers of several kinds in one world: each kind has its places among the networks that learn.

Shape letters in `agents.lns.network`; here `S` counts the learning networks of all kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.lns.learning import LearningServers
from agents.lns.servers import Servers


@dataclass(frozen=True)
class TeamMember:
    """Servers of one kind.

    Attributes:
        servers: All of them, in all replicas.
        places: Which of the learning networks are theirs.
    """

    servers: Servers
    places: tuple[int, ...]


class Team:
    """What all servers choose and learn, as one.

    Args:
        members: Whose places are 0 to S - 1, each once.

    Raises:
        ValueError: places that are not.
    """

    def __init__(self, members: Sequence[TeamMember]) -> None:
        self.members = tuple(members)
        places = sorted(place for member in members for place in member.places)
        if not places or places != list(range(len(places))):
            raise ValueError(f"members: places are {places}; each of 0 to S - 1 must be there once")
        self.networks = len(places)

    def select(self, observations: NDArray[np.floating], explore: bool = True) -> NDArray[np.int64]:
        """Actions `[B, S, Q]` for observations `[B, S, Q, D]`."""
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
        """Everybody learns from a control interval; see `Servers.update`."""
        for servers, places in self._all():
            servers.update(*(part[:, places] for part in (observations, actions, rewards, weights, next_observations)))

    def learners(self) -> Iterator[tuple[LearningServers, list[int]]]:
        """Members with parameters to report, and their places."""
        for servers, places in self._all():
            if isinstance(servers, LearningServers):
                yield servers, places

    def add(self, delta: NDArray[np.floating]) -> None:
        """Adds residuals `[B, L, hidden + 1, A]` to last layers; where all are 0 a network stays as it is."""
        for servers, places in self.learners():
            if delta[:, places].any():
                servers.add_to_last_layer(delta[:, places])

    def state_dict(self) -> dict[str, NDArray]:
        """A copy of everything that changes, by member."""
        return {
            f"{number}.{name}": array
            for number, member in enumerate(self.members)
            for name, array in member.servers.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Takes over a state. ValueError: it is of another team."""
        for number, member in enumerate(self.members):
            prefix = f"{number}."
            own = {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
            member.servers.load_state_dict(own)

    def _all(self) -> Iterator[tuple[Servers, list[int]]]:
        return ((member.servers, list(member.places)) for member in self.members)
