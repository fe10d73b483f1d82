"""Hyperparameters of MAAC, and its groups: who is in them, what each agent may choose, and their random numbers.

Shape letters of the package: `G` groups, `A` agents of a group (padded), `S` = G A seats, `B` batch, `E` replicas of
the environment, `D` features, `K` arms, `H` heads, `F` hidden width.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ATTENTIONS = ("learned", "uniform")
NORMALISATIONS = ("batch_norm", "static")


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of MAAC with their defaults and ranges; symbols are those of the package's page.

    Attributes:
        hidden: Width of all hidden layers, a multiple of `heads`.
        heads: Attention heads.
        attention: `learned`, or `uniform`: the mean over the other agents (MMALoRa-U).
        normalisation: Normalisation of observations: `batch_norm`, or `static`, which takes them as they are.
        batch: Steps of one minibatch; there is no update before the buffer holds as many.
        capacity: Steps that the buffer of a group holds.
        learning_rate: Learning rate of critics and actors, above 0.
        mu: Discount, from 0 up to but not including 1; 0: a static game.
        zeta: Rate of the target networks, above 0 and at most 1.
        alpha: Temperature of the entropy, at least 0.
        updates_per_step: Updates of one call of `update`.

    Raises:
        ValueError: a value outside its range, naming it.

    Source: MMALoRa, Table III, apart from `hidden`, `batch`, `mu` and what it does not give.
    """

    hidden: int = 64
    heads: int = 2
    attention: str = "learned"
    normalisation: str = "batch_norm"
    batch: int = 128
    capacity: int = 100_000
    learning_rate: float = 1e-3
    mu: float = 0.0
    zeta: float = 1e-3
    alpha: float = 0.01
    updates_per_step: int = 1

    def __post_init__(self) -> None:
        for name in ("hidden", "heads", "batch", "capacity", "updates_per_step"):
            value = getattr(self, name)
            self._check(name, isinstance(value, int) and value >= 1, "an integer of at least 1")
        self._check("hidden", self.hidden % self.heads == 0, f"a multiple of heads = {self.heads}")
        self._check("batch", 2 <= self.batch <= self.capacity, f"from 2 to capacity = {self.capacity}")
        self._check("attention", self.attention in ATTENTIONS, f"one of {', '.join(ATTENTIONS)}")
        self._check("normalisation", self.normalisation in NORMALISATIONS, f"one of {', '.join(NORMALISATIONS)}")
        self._check("learning_rate", 0.0 < self.learning_rate < math.inf, "above 0")
        self._check("mu", 0.0 <= self.mu < 1.0, "from 0 up to but not including 1")
        self._check("zeta", 0.0 < self.zeta <= 1.0, "above 0 and at most 1")
        self._check("alpha", 0.0 <= self.alpha < math.inf, "a finite number of at least 0")

    def _check(self, name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise ValueError(f"{name} = {getattr(self, name)!r}: must be {allowed}")


TABLE_III: dict[str, Any] = {"hidden": 128, "batch": 1024, "mu": 0.99}
"""Where MMALoRa's Table III differs from the defaults (`hidden`: of the code of Iqbal and Sha)."""

Seed = int | Sequence[int]


@dataclass(frozen=True)
class Groups:
    """The seats of all groups; padding is where `mask` is false.

    Attributes:
        observation_size: Number of features D.
        actions: Number of arms K.
        mask: Seats that are taken. `[G, A]`
        allowed: Arms that may be chosen. `[G, A, K]`
        seeds: One per group, from which all its random numbers follow; a seed may have several parts.
    """

    observation_size: int
    actions: int
    mask: NDArray[np.bool_]
    allowed: NDArray[np.bool_]
    seeds: tuple[tuple[int, ...], ...]

    @property
    def agents(self) -> NDArray[np.int64]:
        """Number of agents of each group `[G]`."""
        return self.mask.sum(axis=1)

    def uniform(self, stream: str, counter: int, *shape: int, dtype: str = "float64") -> NDArray[np.floating]:
        """Uniform random numbers in [0, 1) for every agent `[G, A, *shape]`, 0 at padded seats.

        They follow from (seed of the group, stream, counter) alone: a run resumes exactly by its counters, and neither
        padding nor other groups change them.
        """
        drawn = np.zeros((*self.mask.shape, *shape), dtype)
        for of_group, mask, seed in zip(drawn, self.mask, self.seeds):
            size = (int(mask.sum()), *shape)
            of_group[mask] = self.generator(seed, stream, counter).random(size, dtype)  # type: ignore[call-overload]
        return drawn

    def uniform_shared(self, stream: str, counter: int, *shape: int) -> NDArray[np.float64]:
        """Uniform random numbers in [0, 1) for every group `[G, *shape]`."""
        return np.stack([self.generator(seed, stream, counter).random(shape) for seed in self.seeds])

    def rows(self, counter: int, batch: int, filled: int) -> NDArray[np.int64]:
        """Different rows of a buffer of which `filled` are filled, for every group `[G, B]`."""
        return np.stack([self.generator(s, "batch", counter).choice(filled, batch, replace=False) for s in self.seeds])

    @staticmethod
    def generator(seed: Sequence[int], stream: str, counter: int) -> np.random.Generator:
        """The random generator of a seed, stream and counter; names of streams must never change."""
        return np.random.default_rng([*seed, zlib.crc32(stream.encode()), counter])


def groups_of(
    observation_size: int, actions: int, mask: ArrayLike, allowed: ArrayLike | None, seeds: Sequence[Seed]
) -> Groups:
    """Checked groups.

    Args:
        observation_size, actions, seeds: As in `Groups`.
        mask: Seats that are taken. `[G, A]`
        allowed: Arms that may be chosen; None: all. `[G, A, K]`

    Raises:
        ValueError: a size below 1, masks of another shape, a group without agents, an agent without arms, a negative
            seed, or another number of seeds than of groups.
    """
    for name, value in (("observation_size", observation_size), ("actions", actions)):
        if not value >= 1:
            raise ValueError(f"{name} = {value}: must be at least 1")
    mask = np.array(mask, dtype=bool)
    if mask.ndim != 2:
        raise ValueError(f"group_mask has shape {list(mask.shape)}; expected [groups, agents]")
    if not mask.any(axis=1).all():
        raise ValueError(f"group_mask: group {int(np.argmin(mask.any(axis=1)))} has no agent; needs at least one")
    arms = np.ones((*mask.shape, actions), bool) if allowed is None else np.array(allowed, dtype=bool)
    if arms.shape != (*mask.shape, actions):
        raise ValueError(f"action_mask has shape {list(arms.shape)}; expected {[*mask.shape, actions]}")
    arms[~mask] = True
    if not arms.any(axis=2).all():
        group, agent = np.argwhere(~arms.any(axis=2))[0]
        raise ValueError(f"action_mask: agent {agent} of group {group} has no arm left of {actions}")
    if len(seeds) != len(mask):
        raise ValueError(f"seeds has {len(seeds)} entries; needs one for each of {len(mask)} groups")
    parts = tuple(tuple(int(part) for part in np.ravel(seed)) for seed in seeds)
    if any(part < 0 for seed in parts for part in seed):
        raise ValueError(f"seeds = {list(seeds)}: must not be negative")
    return Groups(int(observation_size), int(actions), mask, arms, parts)
