"""Servers that learn a policy: clipped advantage actor-critic on immediate rewards (gamma = 0).

    A = clamp((r - V(o)) / (sd(r - V(o)) + spread), -3, 3)
    policy: ascend the weighted mean of min(rho A, clamp(rho, 1 - clip, 1 + clip) A) + entropy H(pi(. | o)),
            rho = pi(a | o) / pi_then(a | o)
    critic: minimise the weighted mean of (V(o) - r)^2

over all rows since the last update, `epochs` times; advantages are those of the critic before it. `pi_then` is the
policy at the `update` that brought the row. Advantages are scaled, not centred: rows of few groups would lose what they
have in common. For each group and interval one action is drawn from the policy.

Source: J. Schulman et al., "Proximal policy optimization algorithms", 2017, Eq. (7). The CCS paper names the kind
only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.lns.learning import LearningServers, weighted_mean
from agents.lns.network import TrainedNetworks, forward
from agents.lns.replay import Replay
from agents.lns.vendor import Vendor, critic_schema
from agents.torch_utils import sample_actions, values_at
from lora_marl.core.checks import check_above_0, check_at_least_0, check_count


@dataclass(frozen=True)
class PolicyGradientHyperparameters:
    """Hyperparameters of `PolicyGradientServers`; the defaults are those of learning online.

    Attributes:
        learning_rate: Learning rate of the policy's Adam, above 0.
        critic_rate: Learning rate of the critic divided by that of the policy, above 0.
        entropy: Weight of the policy's entropy, at least 0.
        every: Control intervals between two updates, which use the rows of all of them.
        epochs: Passes over all these rows in each update.
        clip: Largest change of an action's probability ratio that is rewarded, above 0.
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
        for name in ("every", "epochs"):
            check_count(name, getattr(self, name))
        check_at_least_0("entropy", self.entropy)
        for name in ("learning_rate", "critic_rate", "clip", "spread", "advantage", "gradient_norm"):
            check_above_0(name, getattr(self, name))

    @classmethod
    def pretraining(cls) -> PolicyGradientHyperparameters:
        """Returns those that make a vendor's default."""
        return cls(7e-4, entropy=0.02, every=1, epochs=6)

    @classmethod
    def online(cls) -> PolicyGradientHyperparameters:
        """Returns the defaults."""
        return cls()


class PolicyGradientServers(LearningServers):
    """Servers that learn a policy and a critic, as the module's page describes.

    Args:
        vendors, seeds, servers, groups: See `LearningServers`.
        hyper: Hyperparameters; None: those of learning online.
    """

    kind, temperature = "pg", 1.0

    def __init__(
        self,
        vendors: Sequence[Vendor],
        seeds: Sequence[int],
        servers: Sequence[int],
        groups: int = 4,
        hyper: PolicyGradientHyperparameters | None = None,
    ) -> None:
        super().__init__(vendors, seeds, servers, groups)
        self.hyper = hyper = hyper or PolicyGradientHyperparameters.online()
        policies = self._starts([vendor.parameters for vendor in self.vendors])
        critics = self._starts([vendor.critic for vendor in self.vendors if vendor.critic is not None])
        self.policy = TrainedNetworks(policies, self.schema, hyper.learning_rate, hyper.gradient_norm)
        rate = hyper.learning_rate * hyper.critic_rate
        self.critic = TrainedNetworks(critics, critic_schema(self.schema), rate, hyper.gradient_norm)
        self.networks = {"policy": self.policy, "critic": self.critic}
        log_chance = {"log_chance": ((), self.dtype)}
        self.replay = Replay(self.learners, hyper.every * groups, self.row | log_chance)

    def explore(self, outputs: Tensor) -> Tensor:
        """Returns actions drawn from the policy. `[L, Q]`"""
        chances = torch.softmax(outputs, -1)
        return sample_actions(chances, torch.from_numpy(self.acting.uniform(outputs.shape[1])).to(chances.dtype))

    def learn(self, rows: dict[str, Tensor], next_observations: Tensor) -> dict[str, Tensor]:
        """Stores an interval and updates when it is time.

        Residuals are added between an update and the next selection, so the policy at this point is the one that acted.

        Returns:
            `policy_loss`, `critic_loss` and `entropy` of the last epoch; empty between two updates. `[L]` each
        """
        with torch.no_grad():
            log_policy = torch.log_softmax(forward(self.policy.layers(), rows["observation"]), -1)
        self.replay.add(**rows, log_chance=values_at(log_policy, rows["action"]))
        diagnostics: dict[str, Tensor] = {}
        if int(self.steps) % self.hyper.every == 0:
            batch = self.replay.take()
            advantage = self._advantage(batch)
            for _ in range(self.hyper.epochs):
                diagnostics = self._epoch(batch, advantage)
        return diagnostics

    def _epoch(self, rows: dict[str, Tensor], advantage: Tensor) -> dict[str, Tensor]:
        """One step of policy and critic by all rows; diagnostics `[L]`."""
        gain, entropy = self._policy_terms(rows, advantage)
        error = weighted_mean((self._values(rows) - rows["reward"]).square(), rows["weight"])
        self.policy.descend(-gain - self.hyper.entropy * entropy)
        self.critic.descend(error)
        return {"policy_loss": -gain, "critic_loss": error, "entropy": entropy}

    @torch.no_grad()
    def _advantage(self, rows: dict[str, Tensor]) -> Tensor:
        """Scaled and clipped advantages of all rows. `[L, M]`"""
        error, weight = rows["reward"] - self._values(rows), rows["weight"]
        mean = weighted_mean(error, weight)[:, None]
        deviation = weighted_mean((error - mean).square(), weight)[:, None].sqrt()
        return (error / (deviation + self.hyper.spread)).clamp(-self.hyper.advantage, self.hyper.advantage)

    def _policy_terms(self, rows: dict[str, Tensor], advantage: Tensor) -> tuple[Tensor, Tensor]:
        """The clipped objective of the policy, and its entropy in nats. `[L]` each"""
        log_policy = torch.log_softmax(forward(self.policy.layers(), rows["observation"]), -1)
        ratio = (values_at(log_policy, rows["action"].long()) - rows["log_chance"]).exp()
        clipped = ratio.clamp(1.0 - self.hyper.clip, 1.0 + self.hyper.clip)
        gain = torch.minimum(ratio * advantage, clipped * advantage)
        entropy = -(log_policy.exp() * log_policy).sum(-1)
        return weighted_mean(gain, rows["weight"]), weighted_mean(entropy, rows["weight"])

    def _values(self, rows: dict[str, Tensor]) -> Tensor:
        """The critics' values. `[L, M]`"""
        return forward(self.critic.layers(), rows["observation"])[..., 0]
