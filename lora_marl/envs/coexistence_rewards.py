"""The rewards of a network's groups: sums of named terms, each times a weight.

| term | formula | meaning |
|---|---|---|
| `delivery` | received / attempts | share of attempts that the network received (or acknowledged) |
| `energy` | -(energy / attempts) / reference | against an attempt at least SF and 14 dBm |
| `delay` | -(delay / delivered frames) / interval | from a frame's birth to its first reception |

A group without attempts has no terms (all 0) and no weight in its server's mean.

Shape letters: `B` replicas, `S` networks, `Q` groups of a network.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lora_marl.envs.coexistence_groups import Books

TERMS = ("delivery", "energy", "delay")
DEFAULT: Mapping[str, float] = {"delivery": 1.0, "energy": 0.1, "delay": 0.0}
"""Weights of paper 000's study; a delay costs nothing."""


def weights(reward: Mapping[str, float] | Sequence[Mapping[str, float]], networks: int) -> dict[str, NDArray]:
    """Weights by term, of each learning network. `[S]` each

    Raises:
        ValueError: an unknown term, or a number of rewards other than one or one for each network.
    """
    rewards = [reward] * networks if isinstance(reward, Mapping) else list(reward)
    if len(rewards) != networks:
        raise ValueError(f"reward: {len(rewards)} rewards; allowed is one, or one for each of {networks} networks")
    for each in rewards:
        unknown = [name for name in each if name not in TERMS]
        if unknown:
            near = difflib.get_close_matches(unknown[0], TERMS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"reward: {unknown[0]!r} is not one of {', '.join(TERMS)}{hint}")
        if not each or not np.all(np.isfinite(list(each.values()))):
            raise ValueError(f"reward: {dict(each)} needs a term, and finite weights")
    return {name: np.array([float(each.get(name, 0.0)) for each in rewards]) for name in TERMS}


def terms(
    books: Books,
    answered: NDArray[np.float64],
    reference_mj: NDArray[np.float64],
    interval_s: float,
) -> dict[str, NDArray[np.float64]]:
    """The named terms of a group's reward, before their weights. `[B, S, Q]` each

    Args:
        books: Of the interval.
        answered: Attempts that count as successes. `[B, S, Q]`
        reference_mj: `[B, S, Q]` mJ
        interval_s: What delays are measured in. s
    """
    attempts = np.maximum(books.attempts, 1)
    values = {
        "delivery": answered / attempts,
        "energy": -books.energy_mj / attempts / reference_mj,
        "delay": -books.delay_s / np.maximum(books.frames_delivered, 1) / interval_s,
    }
    return {name: np.where(books.attempts > 0, value, 0.0) for name, value in values.items()}
