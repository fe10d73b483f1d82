"""Servers that learn a policy: clipped advantage actor-critic, without a future (gamma = 0).

    A = clamp((r - V(o)) / (sd(r - V(o)) + spread), -3, 3)
    policy: ascend the weighted mean of min(rho A, clamp(rho, 1 - clip, 1 + clip) A) + entropy H(pi(. | o)),
            rho = pi(a | o) / pi_then(a | o)
    critic: minimise the weighted mean of (V(o) - r)^2

over all rows since the last time, `epochs` times; advantages are of the critic before. `pi_then` is the policy at the
`update` that brought the row. Advantages are scaled, not centred: rows of few groups would lose their common part. One
action is drawn from the policy per group and interval.

Source: J. Schulman et al., "Proximal policy optimization algorithms", 2017, Eq. (7). The paper on coexisting networks
names the kind only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from agents.lns.hyperparameters import PolicyGradientHyperparameters
from agents.lns.learning import LearningServers, weighted_mean
from agents.lns.network import Trained, forward
from agents.lns.replay import Replay
from agents.lns.vendor import Vendor, critic_schema
from agents.torch_utils import sample_actions, values_at


class PolicyGradientServers(LearningServers):
    """See the module's page.

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
        self.policy = Trained(policies, self.schema, hyper.learning_rate, hyper.gradient_norm)
        rate = hyper.learning_rate * hyper.critic_rate
        self.critic = Trained(critics, critic_schema(self.schema), rate, hyper.gradient_norm)
        then = {"log_chance": ((), self.dtype)}
        self.replay = Replay(self.learners, hyper.every * groups, self.row | then)

    @property
    def networks(self) -> dict[str, Trained]:
        """See `LearningServers`."""
        return {"policy": self.policy, "critic": self.critic}

    def chosen(self, outputs: Tensor) -> Tensor:
        """See `LearningServers`."""
        chances = torch.softmax(outputs, -1)
        return sample_actions(chances, self.acting.uniform(outputs.shape[1]).to(chances.dtype))

    def learn(self, rows: dict[str, Tensor], following: Tensor) -> dict[str, Tensor]:
        """See `LearningServers`; gives `policy_loss`, `critic_loss` and `entropy` of the last epoch, when one was due.

        Residuals come between an update and the next selection, so that the policy here is the one that acted.
        """
        with torch.no_grad():
            log_policy = torch.log_softmax(forward(self.policy.layers(), rows["observation"]), -1)
        self.replay.add(**rows, log_chance=values_at(log_policy, rows["action"]))
        found: dict[str, Tensor] = {}
        if int(self.steps) % self.hyper.every == 0:
            drawn = self.replay.take()
            advantage = self._advantage(drawn)
            for _ in range(self.hyper.epochs):
                found = self._epoch(drawn, advantage)
        return found

    def _epoch(self, rows: dict[str, Tensor], advantage: Tensor) -> dict[str, Tensor]:
        """One step of policy and critic by all rows; diagnostics `[L]`."""
        gain, entropy = self._policy_terms(rows, advantage)
        error = weighted_mean((self._values(rows) - rows["reward"]).square(), rows["weight"])
        self.policy.descend(-gain - self.hyper.entropy * entropy)
        self.critic.descend(error)
        return {"policy_loss": -gain, "critic_loss": error, "entropy": entropy}

    @torch.no_grad()
    def _advantage(self, rows: dict[str, Tensor]) -> Tensor:
        """`[L, M]`."""
        error, weight = rows["reward"] - self._values(rows), rows["weight"]
        mean = weighted_mean(error, weight)[:, None]
        deviation = weighted_mean((error - mean).square(), weight)[:, None].sqrt()
        return (error / (deviation + self.hyper.spread)).clamp(-self.hyper.advantage, self.hyper.advantage)

    def _policy_terms(self, rows: dict[str, Tensor], advantage: Tensor) -> tuple[Tensor, Tensor]:
        """What the policy gains, and its entropy in nats `[L]`, `[L]`."""
        log_policy = torch.log_softmax(forward(self.policy.layers(), rows["observation"]), -1)
        ratio = (values_at(log_policy, rows["action"].long()) - rows["log_chance"]).exp()
        near = ratio.clamp(1.0 - self.hyper.clip, 1.0 + self.hyper.clip)
        gain = torch.minimum(ratio * advantage, near * advantage)
        entropy = -(log_policy.exp() * log_policy).sum(-1)
        return weighted_mean(gain, rows["weight"]), weighted_mean(entropy, rows["weight"])

    def _values(self, rows: dict[str, Tensor]) -> Tensor:
        """What the critics expect `[L, M]`."""
        return forward(self.critic.layers(), rows["observation"])[..., 0]
