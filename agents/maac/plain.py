"""The critics and actors of one group agent by agent, in the way of the code of Iqbal and Sha.

They are the oracle of `networks`, and in `plain_loop` what the benchmark compares with. Every agent has modules of its
own, keys, queries and values have one module for each head, and attention loops over heads and agents. All arms are
allowed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, one_hot

from agents.maac.layers import Layers

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
                weight = torch.softmax(logits / math.sqrt(keys[0].shape[1]), dim=2)
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
