"""Hyperparameters of learning servers: the one place of their defaults and ranges.

Defaults are those of learning online, in service; `pretraining` gives those of making a vendor's default.
"""

from __future__ import annotations

from dataclasses import dataclass

from lora_marl.core.checks import Checked


@dataclass(frozen=True)
class DqnHyperparameters(Checked):
    """What a user may change of `DqnServers`.

    Attributes:
        learning_rate: Of Adam, above 0.
        updates_per_step: Minibatches of one control interval.
        epsilon: Share of actions that are drawn evenly, from 0 to 1; the least share where it falls.
        exploration_steps: Intervals in which that share would fall from 1 to 0, did it not stop at `epsilon`; 0: none.
        capacity: Rows that the buffer of a server holds, one per group and interval.
        batch: Rows of a minibatch; no update before the buffer holds as many.
        discount: gamma, from 0 up to but not including 1.
        target_rate: Share of the way that the target network moves with every update, from 0 to 1.
        gradient_norm: Largest norm of a server's gradient, above 0.

    Raises:
        ValueError: a value outside its range, naming it.
    """

    learning_rate: float = 1e-4
    updates_per_step: int = 1
    epsilon: float = 0.03
    exploration_steps: int = 0
    capacity: int = 4_000
    batch: int = 64
    discount: float = 0.2
    target_rate: float = 0.02
    gradient_norm: float = 1.0

    def __post_init__(self) -> None:
        self.check("an integer of at least 1", "updates_per_step", "capacity", "batch")
        self.check("an integer of at least 0", "exploration_steps")
        self.check("finite and above 0", "learning_rate", "gradient_norm")
        self.check("from 0 to 1", "epsilon", "target_rate")
        self.check("from 0 up to but not including 1", "discount")
        if self.batch > self.capacity:
            raise ValueError(f"batch = {self.batch}: must be at most capacity = {self.capacity}")

    @classmethod
    def pretraining(cls, intervals: int = 2_500) -> DqnHyperparameters:
        """Those of a vendor's default, learned in so many intervals."""
        return cls(3e-4, updates_per_step=6, epsilon=0.1, exploration_steps=round(0.4 * intervals), capacity=40_000)

    @classmethod
    def online(cls) -> DqnHyperparameters:
        """The defaults."""
        return cls()


@dataclass(frozen=True)
class PolicyGradientHyperparameters(Checked):
    """What a user may change of `PolicyGradientServers`.

    Attributes:
        learning_rate: Of the policy's Adam, above 0.
        critic_rate: Learning rate of the critic over that of the policy, above 0.
        entropy: Weight of the policy's entropy, at least 0.
        every: Control intervals between two times of learning, which see the rows of all of them.
        epochs: Updates by all these rows each time.
        clip: Largest change of an action's probability ratio that pays, above 0.
        spread: Added to the standard deviation that advantages are divided by, above 0.
        advantage: Largest absolute advantage after that, above 0.
        gradient_norm: Largest norms of the gradients of a server's policy and of its critic, above 0.

    Raises:
        ValueError: a value outside its range, naming it.
    """

    learning_rate: float = 1e-4
    critic_rate: float = 2.0
    entropy: float = 0.01
    every: int = 4
    epochs: int = 1
    clip: float = 0.2
    spread: float = 0.05
    advantage: float = 3.0
    gradient_norm: float = 1.0

    def __post_init__(self) -> None:
        self.check("an integer of at least 1", "every", "epochs")
        self.check("finite and at least 0", "entropy")
        above = ("learning_rate", "critic_rate", "clip", "spread", "advantage", "gradient_norm")
        self.check("finite and above 0", *above)

    @classmethod
    def pretraining(cls) -> PolicyGradientHyperparameters:
        """Those of a vendor's default."""
        return cls(7e-4, entropy=0.02, every=1, epochs=6)

    @classmethod
    def online(cls) -> PolicyGradientHyperparameters:
        """The defaults."""
        return cls()
