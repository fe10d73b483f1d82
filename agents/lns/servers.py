"""What servers are: all those of one kind, in all replicas; they see arrays and answer with actions.

Shape letters in `agents.lns.network`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Servers(ABC):
    """`S` servers in each of `B` replicas.

    Args:
        replicas: B.
        servers: S.
        groups: Q.
        features: D.
    """

    def __init__(self, replicas: int, servers: int, groups: int, features: int) -> None:
        for name, value in (("seeds", replicas), ("servers", servers), ("groups", groups)):
            if value < 1:
                raise ValueError(f"{name}: needs at least one")
        self.shape, self.features = (replicas, servers, groups), features

    @abstractmethod
    def select(self, observations: ArrayLike, explore: bool = True) -> NDArray[np.int64]:
        """The actions of all groups `[B, S, Q]`.

        Args:
            observations: `[B, S, Q, D]`
            explore: Whether chance has a part in it; without, nothing is drawn and nothing remembered.

        Raises:
            ValueError: observations of another shape, or not finite.
        """

    def update(
        self,
        observations: ArrayLike,
        actions: ArrayLike,
        rewards: ArrayLike,
        weights: ArrayLike,
        next_observations: ArrayLike,
    ) -> dict[str, NDArray[np.floating]]:
        """Learns from a control interval; servers that do not learn let it pass.

        Args:
            observations: `[B, S, Q, D]`
            actions: As `select` gave them. `[B, S, Q]`
            rewards: `[B, S, Q]`
            weights: Of the rows in every loss, at least 0; 0 where a group sent nothing. `[B, S, Q]`
            next_observations: `[B, S, Q, D]`

        Returns:
            Diagnostics by name `[B, S]`; empty where nothing was learned.

        Raises:
            ValueError: an array of another shape or not finite, an unknown action, or a negative weight.
        """
        return {}

    def state_dict(self) -> dict[str, NDArray]:
        """A copy of everything that changes; loading it resumes bit by bit."""
        return {}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Takes over a state of servers made with the same arguments.

        Raises:
            ValueError: an array is missing, unknown, or of another shape or type than these servers'.
        """
        check_names(state, self.state_dict())

    def checked(self, name: str, given: ArrayLike, *last: int) -> NDArray:
        """An array `[B, S, Q, *last]` that is finite."""
        array, expected = np.asarray(given), [*self.shape, *last]
        if list(array.shape) != expected:
            raise ValueError(f"{name} has shape {list(array.shape)}; expected {expected} (replicas, servers, groups)")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: must be finite")
        return array


class Model(Protocol):
    """A policy of another library, such as a model of Stable-Baselines3."""

    def predict(self, observation: NDArray[np.float32], *, deterministic: bool) -> tuple[NDArray, object]:
        """Actions `[M]` of observations `[M, D]`, and a state that is not used."""


class ExternalServers(Servers):
    """Servers whose policies were learned elsewhere and stay as they are.

    They have no parameters to report, so that a coordination service treats them like legacy networks. Their random
    numbers are the library's own.

    Args:
        models: One per server, or one for all.
        replicas, servers, groups, features: See `Servers`.
        actions: Of a group.

    Raises:
        ValueError: another number of models than of servers.
    """

    def __init__(
        self,
        models: Sequence[Model],
        replicas: int,
        servers: int,
        groups: int = 4,
        features: int = 40,
        actions: int = 48,
    ) -> None:
        super().__init__(replicas, servers, groups, features)
        self._actions = actions
        if len(models) not in (1, servers):
            raise ValueError(f"models has {len(models)} entries; needs one, or one for each of {servers} servers")
        self._models = [*models] * (servers // len(models))

    def select(self, observations: ArrayLike, explore: bool = True) -> NDArray[np.int64]:
        """See `Servers`. ValueError: a model that answers something else than an action, naming it."""
        seen = self.checked("observations", observations, self.features).astype(np.float32)
        actions = np.empty(self.shape, np.int64)
        for server, model in enumerate(self._models):
            rows = seen[:, server].reshape(-1, self.features)
            chosen, _ = model.predict(rows, deterministic=not explore)
            found = np.reshape(chosen, actions[:, server].shape)
            if not np.isin(found, np.arange(self._actions)).all():
                given = f"{found.min()} to {found.max()}"
                raise ValueError(f"models[{server}] answers {given}; allowed are 0 to {self._actions - 1}")
            actions[:, server] = found
        return actions


def check_names(state: Mapping[str, NDArray], own: Mapping[str, NDArray]) -> None:
    """Refuses a state with an array too many or too few."""
    for name in sorted(set(state) ^ set(own)):
        raise ValueError(f"state of servers: {name} is {'missing' if name in own else 'unknown'}")
