"""Servers that learn action values: double Q-learning with a target network.

    y = r + gamma Q'(o', argmax_a Q(o', a))
    minimise the weighted mean of huber(Q(o, a) - y) over a minibatch drawn evenly, with replacement
    Q' <- Q' + rate (Q - Q') after every update

With probability epsilon an action is drawn evenly, otherwise it is the one of highest value. All groups of a server
share one network and one buffer.

Source: V. Mnih et al., "Human-level control through deep reinforcement learning", Nature 2015; H. van Hasselt et al.,
"Deep reinforcement learning with double Q-learning", AAAI 2016. The CCS paper names the kind only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from agents.draws import Draws
from agents.lns.learning import LearningServers, weighted_mean
from agents.lns.network import TrainedNetworks, forward
from agents.lns.replay import Replay
from agents.lns.vendor import Vendor
from agents.torch_utils import values_at
from lora_marl.core.checks import check_above_0, check_count, check_share


@dataclass(frozen=True)
class DqnHyperparameters:
    """Hyperparameters of `DqnServers`; the defaults are those of learning online.

    Attributes:
        learning_rate: Learning rate of Adam, above 0.
        updates_per_step: Minibatches in each control interval.
        epsilon: Share of actions that are drawn evenly, from 0 to 1; the final share where it decays.
        exploration_steps: Intervals in which the share decays from 1 to 0, but not below `epsilon`; 0: no decay.
        capacity: Rows that the buffer of a server holds, one for each group and interval.
        batch: Rows of a minibatch; there is no update before the buffer holds as many.
        discount: gamma, from 0 up to but not including 1.
        target_rate: Share by which the target network moves towards the network with every update, from 0 to 1.
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
        for name in ("updates_per_step", "capacity", "batch"):
            check_count(name, getattr(self, name))
        check_count("exploration_steps", self.exploration_steps, least=0)
        for name in ("learning_rate", "gradient_norm"):
            check_above_0(name, getattr(self, name))
        for name in ("epsilon", "target_rate"):
            check_share(name, getattr(self, name))
        check_share("discount", self.discount, below_1=True)
        if self.batch > self.capacity:
            raise ValueError(f"batch = {self.batch}: must be at most capacity = {self.capacity}")

    @classmethod
    def pretraining(cls, intervals: int = 2_500) -> DqnHyperparameters:
        """Returns those that make a vendor's default in so many intervals."""
        return cls(3e-4, updates_per_step=6, epsilon=0.1, exploration_steps=round(0.4 * intervals), capacity=40_000)

    @classmethod
    def online(cls) -> DqnHyperparameters:
        """Returns the defaults."""
        return cls()


class DqnServers(LearningServers):
    """Servers that learn action values by double Q-learning, as the module's page describes.

    Args:
        vendors, seeds, servers, groups: See `LearningServers`.
        hyper: Hyperparameters; None: those of learning online.

    Attributes:
        target: Learned parameters of the target network, padded; its residual is that of the network. `[L, P]`
    """

    kind, temperature = "dqn", 0.03

    def __init__(
        self,
        vendors: Sequence[Vendor],
        seeds: Sequence[int],
        servers: Sequence[int],
        groups: int = 4,
        hyper: DqnHyperparameters | None = None,
    ) -> None:
        super().__init__(vendors, seeds, servers, groups)
        self.hyper = hyper = hyper or DqnHyperparameters.online()
        start = self._starts([vendor.parameters for vendor in self.vendors])
        self.policy = TrainedNetworks(start, self.schema, hyper.learning_rate, hyper.gradient_norm)
        self.networks = {"policy": self.policy}
        self.target = self.policy.vectors.detach().clone()
        self.replaying = Draws(seeds, servers, "replay")
        next_row = {"next_observation": self.row["observation"]}
        self.replay = Replay(self.learners, hyper.capacity, self.row | next_row)

    @property
    def epsilon(self) -> float:
        """Share of actions that are drawn evenly at present."""
        decayed = int(self.steps) / self.hyper.exploration_steps if self.hyper.exploration_steps else 1.0
        return max(self.hyper.epsilon, 1.0 - decayed)

    def explore(self, outputs: Tensor) -> Tensor:
        """Returns the actions of highest value, or with probability epsilon evenly drawn ones. `[L, Q]`"""
        exploring, number = torch.from_numpy(self.acting.uniform(outputs.shape[1], 2)).unbind(-1)
        drawn = (number * outputs.shape[-1]).long()
        return torch.where(exploring < self.epsilon, drawn, outputs.argmax(-1))

    def learn(self, rows: dict[str, Tensor], next_observations: Tensor) -> dict[str, Tensor]:
        """Stores an interval and updates on minibatches; returns the `loss` of the last one. `[L]`"""
        self.replay.add(**rows, next_observation=next_observations)
        diagnostics: dict[str, Tensor] = {}
        if self.replay.filled >= self.hyper.batch:
            for _ in range(self.hyper.updates_per_step):
                minibatch = self.replay.sample(torch.from_numpy(self.replaying.uniform(self.hyper.batch)))
                diagnostics = {"loss": self._loss(minibatch)}
                self.policy.descend(diagnostics["loss"])
                self.target.lerp_(self.policy.vectors.detach(), self.hyper.target_rate)
        return diagnostics

    def _loss(self, rows: dict[str, Tensor]) -> Tensor:
        """Weighted Huber loss of each learner. `[L]`"""
        layers = self.policy.layers()
        with torch.no_grad():
            best = forward(layers, rows["next_observation"]).argmax(-1)
            values = forward(self.policy.layers(self.target), rows["next_observation"])
            goals = rows["reward"] + self.hyper.discount * values_at(values, best)
        predictions = values_at(forward(layers, rows["observation"]), rows["action"].long())
        return weighted_mean(smooth_l1_loss(predictions, goals, reduction="none"), rows["weight"])

    def _tensors(self) -> dict[str, Tensor]:
        return super()._tensors() | {"target": self.target, "replaying": torch.from_numpy(self.replaying.drawn)}
