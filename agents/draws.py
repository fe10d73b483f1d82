"""Random numbers of learners, drawn so that neither the batch, the order of nodes nor a resumed run changes them.

A draw is a pure function of the replica's seed, the node and a counter, usually the number of the node's decision
(`lora_marl.core.random`). The only state is the number of decisions so far. Servers of networks draw likewise: `Draws`.

Shape letters: `B` replicas, `M` decisions of one batch, `S` servers of a replica, `L` = B S.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.random import bits, stream_key, uniform


def learner_keys(seeds: Sequence[int]) -> NDArray[np.uint64]:
    """Keys of the random stream that learners draw from, one per replica. `[B]`"""
    return np.array([stream_key(seed, "learner") for seed in seeds], np.uint64)


@njit(inline="always")
def uniform_index(key: np.uint64, node: int, counter: int, count: int) -> np.int64:
    """A whole number from 0 to count - 1, each as likely: the upper 32 random bits times count, over 2^32."""
    word = bits(key, node, counter) >> np.uint64(32)
    return np.int64((word * np.uint64(count)) >> np.uint64(32))


@njit(nogil=True)  # no disk cache: it would not notice a change of the generator
def uniform_indices(
    key: NDArray[np.uint64], node: NDArray[np.integer], counter: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """`uniform_index` of every decision. `[M]`"""
    drawn = np.empty(len(node), np.int64)
    for m in range(len(node)):
        drawn[m] = uniform_index(key[m], node[m], counter[m], count)
    return drawn


class Draws:
    """Uniform random numbers of servers: functions of seed, stream, server and how many numbers were drawn before.

    Args:
        seeds: One per replica.
        servers: Numbers of the servers within their world.
        stream: Name of what is drawn.

    Attributes:
        drawn: How many numbers each server has drawn so far; the only state. int64 `[]`
    """

    def __init__(self, seeds: Sequence[int], servers: Sequence[int], stream: str) -> None:
        self._keys = np.array([stream_key(seed, f"lns.{stream}") for seed in seeds], np.uint64)
        self._servers = np.array(servers, np.int64)
        self.drawn = np.zeros((), np.int64)

    def uniform(self, *shape: int) -> NDArray[np.float64]:
        """Returns the next numbers of every server, in (0, 1). `[L, *shape]`"""
        size = math.prod(shape)
        numbers = _uniform(self._keys, self._servers, int(self.drawn), size)
        self.drawn += size
        return numbers.reshape(-1, *shape)


@njit(nogil=True)  # no disk cache, as above
def _uniform(keys: NDArray[np.uint64], servers: NDArray[np.int64], first: int, size: int) -> NDArray[np.float64]:
    numbers = np.empty((len(keys), len(servers), size))
    for b in range(len(keys)):
        for s in range(len(servers)):
            for i in range(size):
                numbers[b, s, i] = uniform(keys[b], servers[s], first + i)
    return numbers
