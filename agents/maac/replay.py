"""Replay buffers of all groups: preallocated arrays whose oldest step is overwritten.

Shape letters are those of `agents.maac.groups`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Steps drawn from the buffers.

    Attributes:
        observation: Observations before the step. `[G, A, B, D]`
        action: Actions of the agents. `[G, A, B]`
        reward: Rewards, standardised per agent over the buffer. `[G, A, B]`
        next_observation: Observations after the step; None where the buffer does not keep it. `[G, A, B, D]`
        going_on: 0 after the last step of an episode, else 1; None where the buffer does not keep it. `[G, 1, B]`
    """

    observation: Tensor
    action: Tensor
    reward: Tensor
    next_observation: Tensor | None
    going_on: Tensor | None


class Replay:
    """Buffers of `capacity` steps for each group, shared by the replicas of its environment.

    Args:
        seats: G, A.
        features: D.
        capacity: Steps that a buffer holds.
        keeps_next: Whether next observations are kept: not needed where mu = 0.
        dtype: Type of observations and rewards.
        device: Where the arrays lie.

    Attributes:
        arrays: The buffers by name `[G, capacity, ...]`.
        position: Row of the next step.
        filled: Number of rows that are filled.
    """

    def __init__(
        self, seats: tuple[int, int], features: int, capacity: int, keeps_next: bool, dtype: torch.dtype, device: str
    ) -> None:
        groups, agents = seats
        self.capacity, self.keeps_next, self.position, self.filled = capacity, keeps_next, 0, 0
        shapes = {"observation": (agents, features), "action": (agents,), "reward": (agents,)}
        if keeps_next:
            shapes |= {"next_observation": (agents, features), "going_on": (1,)}
        self.arrays = {
            # NumPy's zeros take no memory before they are written
            name: torch.from_numpy(np.zeros((groups, capacity, *shape), _dtype(name, dtype))).to(device)
            for name, shape in shapes.items()
        }

    def add(self, steps: Mapping[str, Tensor]) -> None:
        """Appends one step of every replica, by name of the array `[G, E, ...]`.

        Raises:
            ValueError: more replicas than the buffer holds steps.
        """
        replicas = steps["action"].shape[1]
        if replicas > self.capacity:
            raise ValueError(f"{replicas} replicas: at most capacity = {self.capacity}")
        rows = torch.arange(self.position, self.position + replicas) % self.capacity
        for name, array in self.arrays.items():
            array[:, rows.to(array.device)] = steps[name].to(array)
        self.position = int(rows[-1] + 1) % self.capacity
        self.filled = min(self.filled + replicas, self.capacity)

    def sample(self, rows: NDArray[np.int64]) -> Batch:
        """The steps in some rows of each group's buffer `[G, B]`."""
        index = torch.from_numpy(rows).to(self.arrays["action"].device)
        group = torch.arange(len(rows), device=index.device)[:, None]
        drawn = {name: array[group, index].transpose(1, 2) for name, array in self.arrays.items()}
        reward = self.arrays["reward"][:, : self.filled]
        variance, mean = torch.var_mean(reward, dim=1, correction=0)
        low, high = torch.aminmax(reward, dim=1)
        spread = variance.sqrt().masked_fill(low == high, 1.0)
        return Batch(
            drawn["observation"].contiguous(),
            drawn["action"].to(torch.int64).contiguous(),
            (drawn["reward"] - mean[..., None]) / spread[..., None],
            drawn["next_observation"].contiguous() if self.keeps_next else None,
            drawn["going_on"] if self.keeps_next else None,
        )

    def state(self) -> dict[str, Tensor]:
        """The filled rows `[G, filled, ...]` and the position of the next one, by name."""
        rows = {name: array[:, : self.filled] for name, array in self.arrays.items()}
        return rows | {"position": torch.tensor(self.position)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes over a state of a buffer with the same arrays."""
        self.position, self.filled = int(state["position"]), state["action"].shape[1]
        for name, array in self.arrays.items():
            array[:, : self.filled] = state[name].to(array)


def _dtype(name: str, dtype: torch.dtype) -> str:
    """NumPy's name of the type of an array."""
    return "int32" if name == "action" else str(dtype).removeprefix("torch.")
