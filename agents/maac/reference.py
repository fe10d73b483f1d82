"""Networks and updates of one group agent by agent, as in the code of Iqbal and Sha: what tests compare with.

The benchmark compares with it, too. Every agent has modules of its own, keys, queries and values have one module for
each head, and attention loops over heads and agents. All arms are allowed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, log_softmax, one_hot

from agents.maac.networks import AgentLayers
from agents.maac.replay import Batch
from agents.maac.training import ACTOR_NORM, CRITIC_NORM, PENALTY, WEIGHT_DECAY, Training
from agents.torch_utils import sample_actions

Layer = tuple[str, tuple[int | slice, ...], nn.Module]
"""Name in the networks of all agents, index into its tensors, module."""


class ReferenceActor(nn.Sequential):
    """One agent's policy; logits `[B, K]` for observations `[B, D]`."""

    def __init__(self, features: int, hidden: int, actions: int, batch_norm: bool) -> None:
        super().__init__(
            nn.BatchNorm1d(features, affine=False) if batch_norm else nn.Identity(),
            *(nn.Linear(features, hidden), nn.LeakyReLU()),
            *(nn.Linear(hidden, hidden), nn.LeakyReLU()),
            nn.Linear(hidden, actions),
        )

    def layers(self, group: int, seat: int) -> Iterator[Layer]:
        """Its linear layers, with their places in the networks of all agents."""
        linear = [module for module in self if isinstance(module, nn.Linear)]
        yield from ((name, (group, seat), module) for name, module in zip(("first", "second", "output"), linear))


class ReferenceCritic(nn.Module):
    """The critics of a group of `agents` agents."""

    def __init__(
        self, agents: int, features: int, actions: int, hidden: int, heads: int, learned: bool, batch_norm: bool
    ) -> None:
        super().__init__()
        self.actions, self.learned, width = actions, learned, hidden // heads

        def encoders(inputs: int) -> nn.ModuleList:
            norm = (lambda: nn.BatchNorm1d(inputs, affine=False)) if batch_norm else nn.Identity
            return nn.ModuleList(
                nn.Sequential(norm(), nn.Linear(inputs, hidden), nn.LeakyReLU()) for _ in range(agents)
            )

        self.encoders, self.own = encoders(features + actions), encoders(features)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * hidden, hidden), nn.LeakyReLU(), nn.Linear(hidden, actions))
            for _ in range(agents)
        )
        self.keys = nn.ModuleList(nn.Linear(hidden, width, bias=False) for _ in range(heads))
        self.queries = nn.ModuleList(nn.Linear(hidden, width, bias=False) for _ in range(heads))
        self.values = nn.ModuleList(nn.Linear(hidden, width) for _ in range(heads))

    def forward(self, seen: Sequence[Tensor], action: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Each agent's values `[B, K]`, each agent's penalty, weights `[A, H, B, A - 1]`, for `[B, D]` and `[B]`."""
        pairs = [torch.cat([o, one_hot(a, self.actions).to(o)], dim=1) for o, a in zip(seen, action)]
        encodings = [encoder(pair) for encoder, pair in zip(self.encoders, pairs)]
        states = [encoder(o) for encoder, o in zip(self.own, seen)]
        mixed: list[list[Tensor]] = [[] for _ in states]
        penalties = [states[0].new_zeros(()) for _ in states]
        weights: list[list[Tensor]] = [[] for _ in states]
        for key, query, value in zip(self.keys, self.queries, self.values):
            keys, values = [key(e) for e in encodings], [leaky_relu(value(e)) for e in encodings]
            for i, s in enumerate(states):
                others = [j for j in range(len(states)) if j != i]
                logits = torch.matmul(query(s)[:, None], torch.stack([keys[j] for j in others]).permute(1, 2, 0))
                weight = torch.softmax(logits / math.sqrt(keys[0].shape[1]), dim=2)
                if self.learned:
                    penalties[i] = penalties[i] + logits.square().mean()
                else:
                    weight = torch.full_like(weight, 1.0 / len(others))
                mixed[i].append((torch.stack([values[j] for j in others]).permute(1, 2, 0) * weight).sum(dim=2))
                weights[i].append(weight[:, 0])
        q = [head(torch.cat([s, *x], dim=1)) for head, s, x in zip(self.heads, states, mixed)]
        return q, penalties, torch.stack([torch.stack(heads) for heads in weights])

    def layers(self, group: int, seats: Sequence[int]) -> Iterator[Layer]:
        """Its linear layers, with their places; one of 2 F inputs is two there, `head` and `head_others`."""
        for i, seat in enumerate(seats):
            yield "encoder", (group, seat), self.encoders[i].get_submodule("1")
            yield "own", (group, seat), self.own[i].get_submodule("1")
            yield "head", (group, seat), self.heads[i].get_submodule("0")
            yield "output", (group, seat), self.heads[i].get_submodule("2")
        for name, modules in (
            ("key", self.keys),
            ("query", self.queries),
            ("value", self.values),
        ):
            if self.learned or name == "value":
                for head, module in enumerate(modules):
                    assert isinstance(module, nn.Linear)
                    width = module.out_features
                    yield f"attention.{name}", (group, slice(None), slice(head * width, (head + 1) * width)), module


@torch.no_grad()
def copy_layer(networks: AgentLayers, layer: Layer) -> None:
    """Copies a layer's parameters from the networks of all agents."""
    name, index, module = layer
    assert isinstance(module, nn.Linear)
    module.weight.copy_(layer_parameters(networks, name, "weight", index).mT)
    if module.bias is not None:
        module.bias.copy_(layer_parameters(networks, name, "bias", index)[0])


def layer_parameters(
    networks: AgentLayers, name: str, kind: str, index: tuple[int | slice, ...], gradient: bool = False
) -> Tensor:
    """A layer's weight `[in, out]` or bias `[1, out]`, or its gradient, in the networks of all agents."""
    names = [f"{name}_{kind}", *([f"{name}_others_{kind}"] if name == "head" and kind == "weight" else [])]
    tensors = [networks.get_parameter(parameter) for parameter in names]
    return torch.cat([(tensor.grad if gradient else tensor.detach())[index] for tensor in tensors])  # type: ignore[index]


class ReferenceTraining:
    """The networks of one group with the parameters of a `Training`, and their updates.

    Args:
        training: From which parameters and hyperparameters are copied.
        group: Index of the group.

    Attributes:
        seats: Seats of its agents.
    """

    def __init__(self, training: Training, group: int = 0) -> None:
        groups, self.hyper, self.group = training.groups, training.hyper, group
        self.seats = [int(seat) for seat in groups.mask[group].nonzero()[0]]
        hidden, sizes = self.hyper.hidden, (groups.observation_size, groups.actions)
        batch_norm, learned = self.hyper.normalisation == "batch_norm", self.hyper.attention == "learned"
        self.critic = ReferenceCritic(len(self.seats), *sizes, hidden, self.hyper.heads, learned, batch_norm)
        self.actors = nn.ModuleList(ReferenceActor(sizes[0], hidden, sizes[1], batch_norm) for _ in self.seats)
        self.critic.to(training.dtype), self.actors.to(training.dtype)
        for layer in self.critic.layers(group, self.seats):
            copy_layer(training.critic, layer)
        for actor, seat in zip(self.actors, self.seats):
            assert isinstance(actor, ReferenceActor)
            for layer in actor.layers(group, seat):
                copy_layer(training.actor, layer)
        self.target_critic, self.target_actors = copy.deepcopy(self.critic), copy.deepcopy(self.actors)
        rate = self.hyper.learning_rate
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
        self.actor_adams = [torch.optim.Adam(actor.parameters(), lr=rate) for actor in self.actors]

    def update(self, batch: Batch, uniform: Callable[[str], Tensor]) -> dict[str, Tensor]:
        """One step of critic, actors and targets.

        Args:
            batch: Batch of all groups.
            uniform: Random numbers in [0, 1) by stream, `target` and `policy`, of all groups. `[G, A, B]`
        """
        seen, action, target = (
            self.by_agent(batch.observation),
            self.by_agent(batch.action),
            self.by_agent(batch.reward),
        )
        if self.hyper.mu > 0.0:
            assert batch.next_observation is not None and batch.going_on is not None
            future = self.future(self.by_agent(batch.next_observation), self.by_agent(uniform("target")))
            going_on = self.hyper.mu * batch.going_on[self.group, 0]
            target = [reward + going_on * value for reward, value in zip(target, future)]
        critic_loss = self.update_critic(seen, action, target)
        actor_loss = self.update_actors(seen, self.by_agent(uniform("policy")))
        if self.hyper.mu > 0.0:
            self.update_target(self.target_critic, self.critic)
            self.update_target(self.target_actors, self.actors)
        return {"critic_loss": critic_loss, "actor_loss": actor_loss}

    def by_agent(self, tensor: Tensor) -> list[Tensor]:
        """The rows `[...]` of the group's agents in a tensor of all groups `[G, A, ...]`."""
        return [tensor[self.group, seat] for seat in self.seats]

    @torch.no_grad()
    def future(self, seen: Sequence[Tensor], uniform: Sequence[Tensor]) -> list[Tensor]:
        """Each agent's value of the next step, by the target networks `[B]`."""
        log_policies = [log_softmax(actor(o), dim=1) for actor, o in zip(self.target_actors, seen)]
        drawn = [sample_actions(log_policy.exp(), u) for log_policy, u in zip(log_policies, uniform)]
        values, _, _ = self.target_critic(seen, drawn)
        return [
            q.gather(1, a[:, None])[:, 0] - self.hyper.alpha * log_policy.gather(1, a[:, None])[:, 0]
            for q, a, log_policy in zip(values, drawn, log_policies)
        ]

    def update_critic(self, seen: Sequence[Tensor], action: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
        """One step on each agent's observations `[B, D]`, actions and targets `[B]`; the loss, gradients in place."""
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
        """One step on each agent's observations `[B, D]` and random numbers `[B]`; the sum of the losses."""
        logits = [actor(o) for actor, o in zip(self.actors, seen)]
        drawn = [sample_actions(log_softmax(logit.detach(), dim=1).exp(), u) for logit, u in zip(logits, uniform)]
        with torch.no_grad():
            values, _, _ = self.critic(seen, drawn)
        total = seen[0].new_zeros(())
        for logit, a, q, actor, adam in zip(logits, drawn, values, self.actors, self.actor_adams):
            log_policy = log_softmax(logit, dim=1)
            chosen = log_policy.gather(1, a[:, None])
            gain = q.gather(1, a[:, None]) - (log_policy.exp() * q).sum(dim=1, keepdim=True)
            loss = (chosen * (self.hyper.alpha * chosen - gain).detach()).mean() + PENALTY * logit.square().mean()
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(actor.parameters(), ACTOR_NORM)
            adam.step()
            total = total + loss.detach()
        return total

    @torch.no_grad()
    def update_target(self, target: nn.Module, network: nn.Module) -> None:
        """Moves a target network towards a network by zeta."""
        for slow, fast in zip(target.parameters(), network.parameters()):
            slow.lerp_(fast, self.hyper.zeta)
