"""Replay buffers of servers, and their random numbers, each server's from a stream of its own; `L` = B S learners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from lora_marl.core.random import stream_key, uniform


class Draws:
    """Uniform random numbers: pure functions of seed, stream, server and how many numbers were drawn before.

    Args:
        seeds: One per replica.
        servers: Numbers of the servers within their world.
        stream: Name of what is drawn.

    Attributes:
        drawn: How many numbers each server has drawn so far; the only state.
    """

    def __init__(self, seeds: Sequence[int], servers: Sequence[int], stream: str) -> None:
        self._keys = np.array([stream_key(seed, f"lns.{stream}") for seed in seeds], np.uint64)
        self._servers = np.array(servers, np.int64)
        self.drawn = torch.zeros((), dtype=torch.int64)

    def uniform(self, *shape: int) -> Tensor:
        """Returns the next numbers of every server, in (0, 1). `[L, *shape]`"""
        size = int(np.prod(shape))
        numbers = _uniform(self._keys, self._servers, int(self.drawn), size)
        self.drawn += size
        return torch.from_numpy(numbers).reshape(-1, *shape)


@njit(cache=True)
def _uniform(keys: NDArray[np.uint64], servers: NDArray[np.int64], first: int, size: int) -> NDArray[np.float64]:
    numbers = np.empty((len(keys), len(servers), size))
    for b in range(len(keys)):
        for s in range(len(servers)):
            for i in range(size):
                numbers[b, s, i] = uniform(keys[b], servers[s], first + i)
    return numbers


class Replay:
    """Replay buffers of all learners, which fill in step; the oldest rows are overwritten.

    Args:
        learners: `L`
        capacity: Rows of each buffer.
        rows: Shape and type of the arrays of a row, by name.

    Attributes:
        position: Where the next row is written.
        filled: How many rows are filled.
    """

    def __init__(self, learners: int, capacity: int, rows: Mapping[str, tuple[tuple[int, ...], torch.dtype]]) -> None:
        self.capacity, self.position, self.filled = capacity, 0, 0
        self._arrays = {
            # NumPy's zeros take no memory before they are written
            name: torch.from_numpy(np.zeros((learners, capacity, *shape), str(dtype).removeprefix("torch.")))
            for name, (shape, dtype) in rows.items()
        }
        self._learner = torch.arange(learners)[:, None]

    def add(self, **rows: Tensor) -> None:
        """Appends rows `[L, M, ...]` by name.

        Raises:
            ValueError: more of them than the buffer holds.
        """
        count = next(iter(rows.values())).shape[1]
        if count > self.capacity:
            raise ValueError(f"capacity = {self.capacity}: must be at least the {count} rows of one interval")
        places = torch.arange(self.position, self.position + count) % self.capacity
        for name, array in self._arrays.items():
            array[:, places] = rows[name].to(array.dtype)
        self.position = int(places[-1] + 1) % self.capacity
        self.filled = min(self.filled + count, self.capacity)

    def sample(self, uniform: Tensor) -> dict[str, Tensor]:
        """Returns rows drawn with replacement, by name. `[L, M, ...]` each

        Args:
            uniform: Random numbers in (0, 1), each of which selects a row. `[L, M]`
        """
        index = (uniform * self.filled).long()
        return {name: array[self._learner, index] for name, array in self._arrays.items()}

    def take(self) -> dict[str, Tensor]:
        """Returns a copy of all rows `[L, filled, ...]` by name, and empties the buffers."""
        rows = {name: array.clone() for name, array in self.state().items()}
        self.position, self.filled = 0, 0
        return rows

    def state(self) -> dict[str, Tensor]:
        """Returns the filled rows, not copied, by name. `[L, filled, ...]` each"""
        return {name: array[:, : self.filled] for name, array in self._arrays.items()}

    def load(self, rows: Mapping[str, Tensor], position: int) -> None:
        """Continues from the filled rows of buffers of the same shape, and where their next row is written."""
        self.position, self.filled = position, next(iter(rows.values())).shape[1]
        for name, array in self._arrays.items():
            array[:, : self.filled] = rows[name]
