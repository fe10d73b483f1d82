"""Servers that learn the values of actions: double Q-learning with a target network.

    y = r + gamma Q'(o', argmax_a Q(o', a))
    minimise the weighted mean of huber(Q(o, a) - y) over a minibatch drawn evenly, with replacement
    Q' <- Q' + rate (Q - Q') after every update

An action is drawn evenly with probability epsilon, else it is the one of highest value. Rows of all groups of a server
share one network and one buffer.

Source: V. Mnih et al., "Human-level control through deep reinforcement learning", Nature 2015; H. van Hasselt et al.,
"Deep reinforcement learning with double Q-learning", AAAI 2016. The paper on coexisting networks names the kind only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from agents.lns.hyperparameters import DqnHyperparameters
from agents.lns.learning import LearningServers, weighted_mean
from agents.lns.network import Trained, forward
from agents.lns.replay import Draws, Replay
from agents.lns.vendor import Vendor
from agents.torch_utils import values_at


class DqnServers(LearningServers):
    """See the module's page.

    Args:
        vendors, seeds, servers, groups: See `LearningServers`.
        hyper: Hyperparameters; None: those of learning online.

    Attributes:
        target: What the target network has learned `[L, P]`, padded; residuals are added as to the network.
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
        self.policy = Trained(start, self.schema, hyper.learning_rate, hyper.gradient_norm)
        self.target = self.policy.vectors.detach().clone()
        self.replaying = Draws(seeds, servers, "replay")
        following = {"next_observation": self.row["observation"]}
        self.replay = Replay(self.learners, hyper.capacity, self.row | following)

    @property
    def networks(self) -> dict[str, Trained]:
        """See `LearningServers`."""
        return {"policy": self.policy}

    @property
    def epsilon(self) -> float:
        """Share of actions that are drawn evenly now."""
        gone = int(self.steps) / self.hyper.exploration_steps if self.hyper.exploration_steps else 1.0
        return max(self.hyper.epsilon, 1.0 - gone)

    def chosen(self, outputs: Tensor) -> Tensor:
        """See `LearningServers`."""
        whether, which = self.acting.uniform(outputs.shape[1], 2).unbind(-1)
        evenly = (which * outputs.shape[-1]).long()
        return torch.where(whether < self.epsilon, evenly, outputs.argmax(-1))

    def learn(self, rows: dict[str, Tensor], following: Tensor) -> dict[str, Tensor]:
        """See `LearningServers`; gives `loss` of the last minibatch."""
        self.replay.add(**rows, next_observation=following)
        found: dict[str, Tensor] = {}
        if self.replay.filled >= self.hyper.batch:
            for _ in range(self.hyper.updates_per_step):
                drawn = self.replay.sample(self.replaying.uniform(self.hyper.batch))
                found = {"loss": self._loss(drawn)}
                self.policy.descend(found["loss"])
                self.target.lerp_(self.policy.vectors.detach(), self.hyper.target_rate)
        return found

    def _loss(self, rows: dict[str, Tensor]) -> Tensor:
        """Of each learner `[L]`."""
        layers = self.policy.layers()
        with torch.no_grad():
            best = forward(layers, rows["next_observation"]).argmax(-1)
            values = forward(self.policy.layers(self.target), rows["next_observation"])
            goal = rows["reward"] + self.hyper.discount * values_at(values, best)
        chosen = values_at(forward(layers, rows["observation"]), rows["action"].long())
        return weighted_mean(smooth_l1_loss(chosen, goal, reduction="none"), rows["weight"])

    def _tensors(self) -> dict[str, Tensor]:
        return super()._tensors() | {"target": self.target, "replaying": self.replaying.drawn}
