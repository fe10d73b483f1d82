"""The critics and actors of one group agent by agent, in the way of the code of Iqbal and Sha.

It is the oracle of `networks`, `losses` and the updates of `learner`, and what the benchmark compares them with. Every
agent has modules of its own, keys, queries and values have one module for each head, and attention loops over heads and
agents. All arms are allowed, and mu's target is given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, log_softmax, one_hot

from agents.maac.layers import Layers
from agents.maac.losses import ACTOR_NORM, CRITIC_NORM, PENALTY, WEIGHT_DECAY
from agents.maac.networks import Actor, Critic

Layer = tuple[str, tuple[int | slice, ...], nn.Module]
"""Name in the networks of all agents, index into its tensors, module."""


class PlainActor(nn.Sequential):
    """One agent's policy; logits `[B, K]` for observations `[B, D]`."""

    def __init__(self, features: int, hidden: int, actions: int, batch_norm: bool) -> None:
        super().__init__(
            nn.BatchNorm1d(features, affine=False) if batch_norm else nn.Identity(),
            *(nn.Linear(features, hidden), nn.LeakyReLU()),
            *(nn.Linear(hidden, hidden), nn.LeakyReLU()),
            nn.Linear(hidden, actions),
        )

    def layers(self, group: int, seat: int) -> Iterator[Layer]:
        """Its linear layers."""
        linear = [module for module in self if isinstance(module, nn.Linear)]
        yield from ((name, (group, seat), module) for name, module in zip(("first", "second", "output"), linear))


class PlainCritic(nn.Module):
    """The critics of a group of `agents`."""

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
        own = [encoder(o) for encoder, o in zip(self.own, seen)]
        mixed: list[list[Tensor]] = [[] for _ in own]
        penalties = [own[0].new_zeros(()) for _ in own]
        weights: list[list[Tensor]] = [[] for _ in own]
        for key, query, value in zip(self.keys, self.queries, self.values):
            keys, values = [key(e) for e in encodings], [leaky_relu(value(e)) for e in encodings]
            for i, s in enumerate(own):
                others = [j for j in range(len(own)) if j != i]
                logits = torch.matmul(query(s)[:, None], torch.stack([keys[j] for j in others]).permute(1, 2, 0))
                weight = torch.softmax(logits / math.sqrt(logits.new_tensor(keys[0].shape[1])), dim=2)
                if self.learned:
                    penalties[i] = penalties[i] + logits.square().mean()
                else:
                    weight = torch.full_like(weight, 1.0 / len(others))
                mixed[i].append((torch.stack([values[j] for j in others]).permute(1, 2, 0) * weight).sum(dim=2))
                weights[i].append(weight[:, 0])
        q = [head(torch.cat([s, *x], dim=1)) for head, s, x in zip(self.heads, own, mixed)]
        return q, penalties, torch.stack([torch.stack(heads) for heads in weights])

    def layers(self, group: int, seats: Sequence[int]) -> Iterator[Layer]:
        """Its linear layers; those of 2 F inputs are two in the networks of all agents, `head` and `head_others`."""
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


class PlainLoop:
    """One group's networks with the weights of the networks of all agents, and an update of theirs.

    Args:
        actor, critic: The networks of all agents.
        group: Whose weights to take.
        learning_rate: Of every optimizer.
    """

    def __init__(self, actor: Actor, critic: Critic, group: int = 0, learning_rate: float = 1e-3) -> None:
        groups, second = actor.groups, actor.get_parameter("second_weight")
        hidden, kind = second.shape[-1], second.dtype
        self.seats = [int(seat) for seat in groups.mask[group].nonzero()[0]]
        sizes, attention = (groups.observation_size, groups.actions), critic.attention
        self.critic = PlainCritic(
            len(self.seats), *sizes, hidden, attention.heads, attention.learned, critic.batch_norm
        )
        self.critic.to(kind)
        self.actors = [PlainActor(sizes[0], hidden, sizes[1], actor.batch_norm).to(kind) for _ in self.seats]
        for layer in self.critic.layers(group, self.seats):
            take(critic, layer)
        for plain, seat in zip(self.actors, self.seats):
            for layer in plain.layers(group, seat):
                take(actor, layer)
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
        self.actor_adams = [torch.optim.Adam(plain.parameters(), lr=learning_rate) for plain in self.actors]

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

    def update_actors(self, seen: Sequence[Tensor], drawn: Sequence[Tensor], alpha: float) -> list[Tensor]:
        """One step on each agent's `[B, D]` with actions `[B]` drawn from the policies; the losses."""
        logits = [actor(o) for actor, o in zip(self.actors, seen)]
        with torch.no_grad():
            values, _, _ = self.critic(seen, drawn)
        found = []
        for own, a, q, actor, adam in zip(logits, drawn, values, self.actors, self.actor_adams):
            log_policy = log_softmax(own, dim=1)
            chosen = log_policy.gather(1, a[:, None])
            gain = q.gather(1, a[:, None]) - (log_policy.exp() * q).sum(dim=1, keepdim=True)
            loss = (chosen * (alpha * chosen - gain).detach()).mean() + PENALTY * own.square().mean()
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(actor.parameters(), ACTOR_NORM)
            adam.step()
            found.append(loss.detach())
        return found


@torch.no_grad()
def take(networks: Layers, layer: Layer) -> None:
    """Copies a layer's weights from the networks of all agents."""
    name, index, module = layer
    assert isinstance(module, nn.Linear)
    module.weight.copy_(gathered(networks, name, "weight", index).mT)
    if module.bias is not None:
        module.bias.copy_(gathered(networks, name, "bias", index)[0])


def gathered(networks: Layers, name: str, kind: str, index: tuple[int | slice, ...], gradient: bool = False) -> Tensor:
    """A layer's weight `[in, out]` or bias `[1, out]`, or its gradient, in the networks of all agents."""
    names = [f"{name}_{kind}", *([f"{name}_others_{kind}"] if name == "head" and kind == "weight" else [])]
    tensors = [networks.get_parameter(each) for each in names]
    return torch.cat([(tensor.grad if gradient else tensor.detach())[index] for tensor in tensors])  # type: ignore[index]
