"""The interface of servers: all those of one kind, in all replicas; they get arrays and answer with actions.

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
        """Returns the actions of all groups. `[B, S, Q]`

        Args:
            observations: `[B, S, Q, D]`
            explore: Whether chance has a part in the choice; if not, nothing is drawn and no state changes.

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
        """Learns from a control interval; servers that do not learn ignore it.

        Args:
            observations: `[B, S, Q, D]`
            actions: The actions that `select` returned. `[B, S, Q]`
            rewards: `[B, S, Q]`
            weights: Weight of each row in every loss, at least 0; 0 where a group sent nothing. `[B, S, Q]`
            next_observations: `[B, S, Q, D]`

        Returns:
            Diagnostics by name `[B, S]`; empty where nothing was learned.

        Raises:
            ValueError: an array of another shape or not finite, an unknown action, or a negative weight.
        """
        return {}

    def state_dict(self) -> dict[str, NDArray]:
        """Returns a copy of everything that changes, by name; loading it continues bit by bit."""
        return {}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from a state of servers built with the same arguments.

        Raises:
            ValueError: an array is missing, unknown, or of another shape or type than these servers'.
        """
        check_names(state, self.state_dict())

    def checked(self, name: str, values: ArrayLike, *last: int) -> NDArray:
        """Returns values as an array `[B, S, Q, *last]`. ValueError: another shape, or not finite."""
        array, expected = np.asarray(values), [*self.shape, *last]
        if list(array.shape) != expected:
            raise ValueError(f"{name} has shape {list(array.shape)}; expected {expected} (replicas, servers, groups)")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: must be finite")
        return array


class Model(Protocol):
    """A policy of another library, such as a model of Stable-Baselines3."""

    def predict(self, observation: NDArray[np.float32], *, deterministic: bool) -> tuple[NDArray, object]:
        """Returns actions `[M]` for observations `[M, D]`, and a state that is not used."""


class ExternalServers(Servers):
    """Servers whose policies were learned by another library and stay as they are.

    They have no parameters to report, so a coordination service treats them like networks that do not learn. Their
    random numbers are the library's own.

    Args:
        models: One per server, or one for all.
        replicas, servers, groups, features: See `Servers`.
        actions: Number of actions of a group.

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
        """Returns the models' actions; see `Servers.select`. `[B, S, Q]`

        Raises:
            ValueError: a model that answers something else than an action, naming it.
        """
        rows = self.checked("observations", observations, self.features).astype(np.float32)
        actions = np.empty(self.shape, np.int64)
        for server, model in enumerate(self._models):
            answer, _ = model.predict(rows[:, server].reshape(-1, self.features), deterministic=not explore)
            numbers = np.reshape(answer, actions[:, server].shape)
            if not np.isin(numbers, np.arange(self._actions)).all():
                answered = f"{numbers.min()} to {numbers.max()}"
                raise ValueError(f"models[{server}] answers {answered}; allowed are 0 to {self._actions - 1}")
            actions[:, server] = numbers
        return actions


def check_names(state: Mapping[str, NDArray], expected: Mapping[str, NDArray]) -> None:
    """Raises ValueError for a state with an array too many or too few, naming it."""
    for name in sorted(set(state) ^ set(expected)):
        raise ValueError(f"state of servers: {name} is {'missing' if name in expected else 'unknown'}")
