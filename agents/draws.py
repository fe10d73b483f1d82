"""Random choices of learners, drawn so that neither the batch, the order of nodes nor a resumed run changes them.

A draw is a pure function of the replica's seed, the node and a counter, usually the number of the node's decision
(`lora_marl.core.random`). The only state is the number of decisions so far.

Shape letters: `B` replicas, `M` decisions of one batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.random import bits, stream_key


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
