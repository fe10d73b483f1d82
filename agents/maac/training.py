"""Networks of all groups, what they minimise, and one update of them; shape letters in `agents.maac.groups`."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from agents.maac.groups import Groups, Hyperparameters
from agents.maac.networks import Actor, Critic
from agents.maac.replay import Batch
from agents.torch_utils import adam, clip_gradients, sample_actions, values_at

PENALTY = 1e-3
"""Weight of squared attention logits and of squared policy logits."""
WEIGHT_DECAY = 1e-3
"""Weight decay of critics."""
CRITIC_NORM, ACTOR_NORM = 10.0, 0.5
"""Largest norms of gradients: of a group's critic for each of its agents, and of an agent's actor."""


def critic_loss(values: Tensor, action: Tensor, target: Tensor, penalty: Tensor, taken: Tensor) -> Tensor:
    """Loss of every group's critics: the mean squared errors of its agents and the penalty of attention logits `[G]`.

    Args:
        values: Q of all arms. `[G, A, B, K]`
        action: Actions of the agents. `[G, A, B]`
        target: y. `[G, A, B]`
        penalty: Squared attention logits. `[G]`
        taken: 1 at the seats that are taken, else 0. `[G, A]`

    Source: MMALoRa, Eq. (28).
    """
    errors = (values_at(values, action) - target).square().mean(-1)
    return (errors * taken).sum(1) + PENALTY * penalty


def log_policy(logits: Tensor, allowed: Tensor) -> Tensor:
    """Logarithms of the arms' probabilities; so small where an arm is not allowed that it is never drawn `[..., K]`."""
    return torch.log_softmax(logits.masked_fill(~allowed, -1e30), dim=-1)


def advantage(values: Tensor, policy: Tensor) -> Tensor:
    """Values of an agent's arms less their mean under its policy, the others' actions unchanged `[..., K]`.

    Source: MMALoRa, Eq. (30).
    """
    return values - (policy * values).sum(-1, keepdim=True)


def actor_loss(logits: Tensor, allowed: Tensor, action: Tensor, values: Tensor, alpha: float) -> Tensor:
    """Loss of every agent's actor `[G, A]`.

    Args:
        logits: Logits of the policies. `[G, A, B, K]`
        allowed: Arms that may be chosen. `[G, A, 1, K]`
        action: Drawn from the policies. `[G, A, B]`
        values: Q of all arms of an agent, the others playing `action`. `[G, A, B, K]`
        alpha: Temperature of the entropy.

    Source: MMALoRa, Eq. (29).
    """
    log_probability = log_policy(logits, allowed)
    chosen = values_at(log_probability, action)
    gain = values_at(advantage(values, log_probability.detach().exp()), action) - alpha * chosen.detach()
    squares = (logits.square() * allowed).sum(-1) / allowed.sum(-1)
    return (PENALTY * squares - chosen * gain).mean(-1)


class Training:
    """Critics and actors of all groups, with their optimisers and targets.

    Args:
        groups: The groups.
        hyper: The hyperparameters.
        device: Where the networks lie.
        dtype: Type of their parameters.

    Attributes:
        actor, critic: The networks.
        targets: Actor and critic that follow slowly; None where mu = 0.
        actor_adam, critic_adam: Their optimisers.
        taken: 1 at the seats that are taken, else 0. `[G, A]`
        allowed: Arms that may be chosen. `[G, A, 1, K]`
        updates: Number of updates so far.
    """

    def __init__(self, groups: Groups, hyper: Hyperparameters, device: str, dtype: torch.dtype) -> None:
        self.groups, self.hyper, self.device, self.dtype = groups, hyper, device, dtype
        batch_norm, learned = hyper.normalisation == "batch_norm", hyper.attention == "learned"
        self.actor = Actor(groups, hyper.hidden, batch_norm).to(device, dtype)
        self.critic = Critic(groups, hyper.hidden, hyper.heads, learned, batch_norm).to(device, dtype)
        self.targets = (copy.deepcopy(self.actor), copy.deepcopy(self.critic)) if hyper.mu > 0.0 else None
        self.actor_adam = adam(self.actor.parameters(), hyper.learning_rate)
        self.critic_adam = adam(self.critic.parameters(), hyper.learning_rate, WEIGHT_DECAY)
        self.taken = torch.from_numpy(groups.mask).to(device, dtype)
        self.allowed = torch.from_numpy(groups.allowed).to(device)[:, :, None]
        self.updates = 0

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One step of critics, actors and targets; losses and entropies as of `MAAC.update`."""
        report = self.update_critic(batch) | self.update_actor(batch)
        self.update_targets()
        self.updates += 1
        return report

    def update_critic(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the critics; `critic_loss` `[G]` and `attention_entropy` `[G, H]`."""
        target = self._target(batch)
        values, attended = self.critic(batch.observation, batch.action)
        loss = critic_loss(values, batch.action, target, attended.penalty, self.taken)
        self.critic_adam.zero_grad()
        loss.sum().backward()
        agents = self.taken.sum(1)
        for name in self.critic.shared_names:
            gradient = self.critic.get_parameter(name).grad
            assert gradient is not None
            gradient /= agents.reshape(-1, *[1] * (gradient.dim() - 1))
        clip_gradients(list(self.critic.parameters()), CRITIC_NORM * agents)
        self.critic_adam.step()
        return {"critic_loss": loss, "attention_entropy": self.critic.attention.entropy(attended)}

    def update_actor(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the actors, by critics that stay as they are; `actor_loss` and `entropy` `[G]`."""
        self.actor.train()
        logits = self.actor(batch.observation)
        with torch.no_grad():
            log_probability = log_policy(logits, self.allowed)
            policy = log_probability.exp()
            drawn = sample_actions(policy, self.uniform("policy", self.updates, logits.shape[2]))
            values = self.critic(batch.observation, drawn)[0]
            entropy = -((policy * log_probability).sum(-1).mean(-1) * self.taken).sum(1) / self.taken.sum(1)
        loss = (actor_loss(logits, self.allowed, drawn, values, self.hyper.alpha) * self.taken).sum(1)
        self.actor_adam.zero_grad()
        loss.sum().backward()
        clip_gradients(list(self.actor.parameters()), torch.full_like(self.taken, ACTOR_NORM))
        self.actor_adam.step()
        return {"actor_loss": loss, "entropy": entropy}

    @torch.no_grad()
    def update_targets(self) -> None:
        """Moves the target networks towards the networks by zeta; with mu = 0 there are none."""
        for target, network in zip(self.targets or (), (self.actor, self.critic)):
            torch._foreach_lerp_(list(target.parameters()), list(network.parameters()), self.hyper.zeta)

    def uniform(self, stream: str, counter: int, size: int) -> Tensor:
        """Uniform random numbers in [0, 1) for every agent, from a stream of `Groups.uniform` `[G, A, size]`."""
        name = str(self.dtype).removeprefix("torch.")
        return torch.from_numpy(self.groups.uniform(stream, counter, size, dtype=name)).to(self.device)

    @torch.no_grad()
    def _target(self, batch: Batch) -> Tensor:
        """The targets y of Eq. (28) `[G, A, B]`."""
        if self.targets is None:
            return batch.reward
        assert batch.next_observation is not None and batch.going_on is not None
        actor, critic = self.targets
        actor.train()
        log_probability = log_policy(actor(batch.next_observation), self.allowed)
        drawn = sample_actions(log_probability.exp(), self.uniform("target", self.updates, log_probability.shape[2]))
        values = values_at(critic(batch.next_observation, drawn)[0], drawn)
        future = values - self.hyper.alpha * values_at(log_probability, drawn)
        return batch.reward + self.hyper.mu * batch.going_on * future
