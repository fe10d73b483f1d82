"""Random numbers of servers, each from a stream of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from lora_marl.core.kernel.random import stream_key, uniform


class Draws:
    """Uniform random numbers: pure functions of seed, stream, server and how many the server drew before.

    Args:
        seeds: One per replica.
        servers: Numbers of the servers within their world.
        stream: Name of what is drawn.

    Attributes:
        drawn: Numbers that each server drew so far, which is all there is to store.
    """

    def __init__(self, seeds: Sequence[int], servers: Sequence[int], stream: str) -> None:
        self._keys = np.array([stream_key(seed, f"lns.{stream}") for seed in seeds], np.uint64)
        self._servers = np.array(servers, np.int64)
        self.drawn = torch.zeros((), dtype=torch.int64)

    def uniform(self, *shape: int) -> Tensor:
        """The next numbers of every server, in (0, 1) `[B S, *shape]`."""
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
