"""Hyperparameters of training a coordinator: the one place of their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from agents.checked import Checked


@dataclass(frozen=True)
class Hyperparameters(Checked):
    """How a coordinator is trained.

    Attributes:
        snapshots: Of one mixture in a batch.
        orders: Random numberings of the channels that each of them is seen in.
        rounds: That are unrolled.
        clip: Largest norm of a residual relative to the layer, per round.
        alpha: Weight of the task.
        beta: Of diversity, where the air is congested.
        gamma: Of the discriminator, in the last round.
        pairs: Whose channels should differ: of `network`s, in the same states, or of all `group`s, in their own.
        shift_weight: Of squared shifts of logits in the first round; grows by twice itself per round.
        norm_weight: Of the squared relative norm of all changes.
        kpi_noise: Deviation of noise on reports.
        gradient_norm: Largest.
        discriminator_rate: Learning rate of the discriminator.

    Raises:
        ValueError: a value outside its range, naming it.
    """

    snapshots: int = 8
    orders: int = 1
    rounds: int = 2
    clip: float = 1.0
    alpha: float = 1.0
    beta: float = 0.1
    gamma: float = 0.02
    pairs: str = "network"
    shift_weight: float = 1e-5
    norm_weight: float = 2e-4
    kpi_noise: float = 0.02
    gradient_norm: float = 1.0
    discriminator_rate: float = 1e-3

    def __post_init__(self) -> None:
        self.check("an integer of at least 1", "snapshots", "orders", "rounds")
        self.check("finite and above 0", "gradient_norm", "discriminator_rate")
        weights = ("alpha", "beta", "gamma", "shift_weight", "norm_weight")
        self.check("finite and at least 0", *weights, "clip", "kpi_noise")
        if self.pairs not in ("network", "group"):
            raise ValueError(f"pairs = {self.pairs!r}: expected network or group")
