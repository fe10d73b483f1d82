"""Updates of one group agent by agent, in the way of the code of Iqbal and Sha: the oracle of `training`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from agents.maac.losses import ACTOR_NORM, CRITIC_NORM, PENALTY, WEIGHT_DECAY, sample
from agents.maac.plain import PlainActor, PlainCritic, take
from agents.maac.replay import Batch
from agents.maac.training import Training


class PlainLoop:
    """The networks of one group with the weights of a training, and updates of theirs.

    Args:
        training: Whose weights and hyperparameters to take.
        group: Which group of it.

    Attributes:
        seats: Seats of its agents.
    """

    def __init__(self, training: Training, group: int = 0) -> None:
        groups, self.hyper, self.group = training.groups, training.hyper, group
        self.seats = [int(seat) for seat in groups.mask[group].nonzero()[0]]
        hidden, sizes = self.hyper.hidden, (groups.observation_size, groups.actions)
        batch_norm, learned = self.hyper.normalisation == "batch_norm", self.hyper.attention == "learned"
        self.critic = PlainCritic(len(self.seats), *sizes, hidden, self.hyper.heads, learned, batch_norm)
        self.actors = nn.ModuleList(PlainActor(sizes[0], hidden, sizes[1], batch_norm) for _ in self.seats)
        self.critic.to(training.dtype), self.actors.to(training.dtype)
        for layer in self.critic.layers(group, self.seats):
            take(training.critic, layer)
        for actor, seat in zip(self.actors, self.seats):
            assert isinstance(actor, PlainActor)
            for layer in actor.layers(group, seat):
                take(training.actor, layer)
        self.target_critic, self.target_actors = copy.deepcopy(self.critic), copy.deepcopy(self.actors)
        rate = self.hyper.learning_rate
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
        self.actor_adams = [torch.optim.Adam(actor.parameters(), lr=rate) for actor in self.actors]

    def update(self, batch: Batch, uniform: Callable[[str], Tensor]) -> dict[str, Tensor]:
        """One step of critic, actors and targets.

        Args:
            batch: Of all groups.
            uniform: Random numbers in [0, 1) by stream, `target` and `policy`, of all groups. `[G, A, B]`
        """
        seen, action, target = self.own(batch.observation), self.own(batch.action), self.own(batch.reward)
        if self.hyper.mu > 0.0:
            assert batch.next_observation is not None and batch.going_on is not None
            future = self.future(self.own(batch.next_observation), self.own(uniform("target")))
            going_on = self.hyper.mu * batch.going_on[self.group, 0]
            target = [reward + going_on * value for reward, value in zip(target, future)]
        critic_loss = self.update_critic(seen, action, target)
        actor_loss = self.update_actors(seen, self.own(uniform("policy")))
        if self.hyper.mu > 0.0:
            self.follow(self.target_critic, self.critic)
            self.follow(self.target_actors, self.actors)
        return {"critic_loss": critic_loss, "actor_loss": actor_loss}

    def own(self, tensor: Tensor) -> list[Tensor]:
        """Of what all groups have `[G, A, ...]` each agent's `[...]`."""
        return [tensor[self.group, seat] for seat in self.seats]

    @torch.no_grad()
    def future(self, seen: Sequence[Tensor], uniform: Sequence[Tensor]) -> list[Tensor]:
        """Each agent's value of what follows, by the targets `[B]`."""
        log_policies = [log_softmax(actor(o), dim=1) for actor, o in zip(self.target_actors, seen)]
        drawn = [sample(log_policy.exp(), u) for log_policy, u in zip(log_policies, uniform)]
        values, _, _ = self.target_critic(seen, drawn)
        return [
            q.gather(1, a[:, None])[:, 0] - self.hyper.alpha * log_policy.gather(1, a[:, None])[:, 0]
            for q, a, log_policy in zip(values, drawn, log_policies)
        ]

    def update_critic(self, seen: Sequence[Tensor], action: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
        """One step on each agent's `[B, D]`, `[B]`, `[B]`; the loss, its gradients left in place."""
        values, penalties, _ = self.critic(seen, action)
        loss = seen[0].new_zeros(())
        for q, a, y, penalty in zip(values, action, target, penalties):
            loss = loss + (q.gather(1, a[:, None])[:, 0] - y).square().mean() + PENALTY * penalty
        self.critic_adam.zero_grad()
        loss.backward()
        for shared in (self.critic.encoders, self.critic.keys, self.critic.queries, self.critic.values):
            for parameter in shared.parameters():
                if parameter.grad is not None:
                    parameter.grad /= len(self.seats)
        torch.nn.utils.clip_grad_norm_(self.critic.parameters(), CRITIC_NORM * len(self.seats))
        self.critic_adam.step()
        return loss.detach()

    def update_actors(self, seen: Sequence[Tensor], uniform: Sequence[Tensor]) -> Tensor:
        """One step on each agent's `[B, D]`; the sum of the losses."""
        logits = [actor(o) for actor, o in zip(self.actors, seen)]
        drawn = [sample(log_softmax(own.detach(), dim=1).exp(), u) for own, u in zip(logits, uniform)]
        with torch.no_grad():
            values, _, _ = self.critic(seen, drawn)
        total = seen[0].new_zeros(())
        for own, a, q, actor, adam in zip(logits, drawn, values, self.actors, self.actor_adams):
            log_policy = log_softmax(own, dim=1)
            chosen = log_policy.gather(1, a[:, None])
            gain = q.gather(1, a[:, None]) - (log_policy.exp() * q).sum(dim=1, keepdim=True)
            loss = (chosen * (self.hyper.alpha * chosen - gain).detach()).mean() + PENALTY * own.square().mean()
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(actor.parameters(), ACTOR_NORM)
            adam.step()
            total = total + loss.detach()
        return total

    @torch.no_grad()
    def follow(self, target: nn.Module, network: nn.Module) -> None:
        """Moves a target network by zeta."""
        for slow, fast in zip(target.parameters(), network.parameters()):
            slow.lerp_(fast, self.hyper.zeta)
