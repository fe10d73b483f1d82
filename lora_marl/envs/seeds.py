"""Seeds of replicas: those of a list as they are, or all from one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

Seeds = int | Sequence[int] | NDArray[np.integer]
"""One seed for all replicas, or one for each `[B]`."""

_REPLICAS = 2
"""Spawn key of what follows from a seed, apart from its own random numbers and those of views (1)."""


def seeds_of(seeds: Seeds, replicas: int) -> list[int]:
    """The seed of each replica.

    A list is taken as it is. One number is the seed of the first replica, and those of the others are random numbers
    that follow from it (`numpy.random.SeedSequence`). They are not its successors, as in the vectors of Gymnasium and
    Stable-Baselines3, by which runs of neighbouring seeds have all replicas but one in common and repeat each other.

    Args:
        seeds: Of at least 0.
        replicas: `B`; the first ones are the same however many there are.

    Raises:
        ValueError: something else, or another number of them.
    """
    given = seeds.tolist() if isinstance(seeds, (np.ndarray, np.generic)) else seeds
    if _is_seed(given):
        state = np.random.SeedSequence(given, spawn_key=(_REPLICAS,)).generate_state(replicas - 1, np.uint64)
        return [given, *(state >> np.uint64(1)).tolist()]  # such as fit into int64, too
    listed = list(given) if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) else []
    if len(listed) != replicas or not all(map(_is_seed, listed)):
        each = "" if replicas == 1 else f", or {replicas} of them, one per replica"
        raise ValueError(f"seed: {seeds!r}; allowed is a whole number of at least 0{each}")
    return [int(each) for each in listed]


def _is_seed(value: object) -> TypeGuard[int]:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= 0)
