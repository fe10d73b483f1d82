"""Replay buffers of servers; `L` = B S learners."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


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
