"""Snapshots with formal privacy: the Gaussian mechanism, composed over reports.

It protects everything that a network's snapshots say beyond the public default of its vendor: any two histories of its
learning are neighbours. This is stronger than hiding one packet, and costs accordingly. Epsilon covers snapshots only:
the summaries beside them (`agents.ccs.protocol`) are sent as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.ccs.safeguards import LEAST_NORM


@dataclass(frozen=True)
class GaussianMechanism:
    """Clips what was learned since the default to a norm and adds noise.

    Two clipped snapshots differ by 2 C at most, so that noise of deviation sigma makes a report zero-concentrated
    private with rho = (2 C)^2 / (2 sigma^2), and T reports together with T rho. That is (epsilon, delta)-private with
    epsilon = T rho + 2 sqrt(T rho ln(1 / delta)), which is solved for sigma.

    Attributes:
        epsilon: Privacy loss of all reports together, above 0.
        delta: Chance that the loss is larger, of all reports together, between 0 and 1.
        clip: C, the norm to which a snapshot less the default is clipped.
        reports: T, how many are ever sent.

    Raises:
        ValueError: a value outside its range, naming it.

    Source: M. Bun and T. Steinke, "Concentrated differential privacy", TCC 2016, Propositions 1.3 and 1.6, Lemma 1.7.
    """

    epsilon: float
    delta: float
    clip: float
    reports: int

    def __post_init__(self) -> None:
        for name in ("epsilon", "clip", "reports"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name)}: must be above 0")
        if math.isinf(self.clip):
            raise ValueError("clip = inf: must be finite, or no noise would be enough")
        if not 0.0 < self.delta < 1.0:
            raise ValueError(f"delta = {self.delta}: expected between 0 and 1")

    @property
    def rho(self) -> float:
        """Zero-concentrated privacy of all reports together."""
        log = math.log(1.0 / self.delta)
        return (math.sqrt(log + self.epsilon) - math.sqrt(log)) ** 2

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise on every parameter."""
        return 2.0 * self.clip * math.sqrt(self.reports / (2.0 * self.rho))

    def __call__(
        self, parameters: NDArray[np.float32], default: NDArray[np.float32], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Returns what is reported instead of a snapshot.

        Privacy holds as long as `default` follows from what is public and from earlier reports, and a report is sent
        whatever was learned.

        Args:
            parameters: `[..., P]`
            default: What is public: the vendor's default, plus residuals in force if these are known. `[..., P]`
            generator: Draws the noise.

        Returns:
            float32 `[..., P]`
        """
        learned = parameters - default
        norm = np.linalg.norm(learned, axis=-1, keepdims=True)
        clipped = learned * np.minimum(1.0, self.clip / np.maximum(norm, LEAST_NORM))
        noise = generator.normal(0.0, self.deviation, parameters.shape)
        return (default + clipped + noise).astype(np.float32)
