"""Hyperparameters of MAAC: the one place of their defaults and ranges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

ATTENTIONS = ("learned", "uniform")
NORMALISATIONS = ("batch_norm", "static")


@dataclass(frozen=True)
class Hyperparameters:
    """What a user may change of MAAC; symbols on the package's page.

    Attributes:
        hidden: Width of all hidden layers, a multiple of `heads`.
        heads: Attention heads.
        attention: `learned`, or `uniform`: the mean over the other agents (MMALoRa-U).
        normalisation: Of observations: `batch_norm`, or `static`: taken as they are.
        batch: Steps of one minibatch; no update before the buffer holds as many.
        capacity: Steps that the buffer of a group holds.
        learning_rate: Of critics and actors, above 0.
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
