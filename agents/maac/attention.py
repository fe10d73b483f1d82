"""Attention between the agents of a group; shape letters in `agents.maac.groups`."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from agents.maac.groups import Groups
from agents.maac.layers import Layers


class Attention(Layers):
    """Values of the other agents, weighed for every agent; keys, queries and values are shared by a group.

    Args:
        groups: Whose.
        hidden: F.
        heads: H, of F / H features each.
        learned: Whether weights are learned, else equal.
    """

    sight: Tensor
    taken: Tensor
    others: Tensor

    def __init__(self, groups: Groups, hidden: int, heads: int, learned: bool) -> None:
        super().__init__(groups, "attention")
        self.heads, self.learned = heads, learned
        self.add_shared("value", hidden, hidden)
        if learned:
            self.add_shared("key", hidden, hidden, bias=False)
            self.add_shared("query", hidden, hidden, bias=False)
        mask = torch.from_numpy(groups.mask)
        unseen = ~mask[:, None, :] | torch.eye(mask.shape[1], dtype=torch.bool)
        self.register_buffer("sight", torch.zeros(unseen.shape).masked_fill(unseen, -1e30), persistent=False)
        self.register_buffer("taken", mask.double(), persistent=False)
        self.register_buffer("others", mask.sum(1).double() - 1.0, persistent=False)
        self.alone = bool((groups.agents == 1).any())

    def forward(self, own: Tensor, encoding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the others contribute, and what attention did.

        Args:
            own: Encodings of observations, which ask. `[S, B, F]`
            encoding: Of observations and actions, which are asked. `[S, B, F]`

        Returns:
            Contributions `[S, B, F]`; penalty, the squared logits summed over heads and agents and averaged over batch
            and others `[G]`; entropy of the weights, averaged over batch and agents `[G, H]`. nats
        """
        value = leaky_relu(self.layer("value", encoding), inplace=True)
        return self._attended(own, encoding, value) if self.learned else self._averaged(value)

    def _attended(self, own: Tensor, encoding: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key = self._by_head(self.layer("query", own)), self._by_head(self.layer("key", encoding))
        logits = torch.bmm(query, key.mT)
        by_group = logits.view(len(self.taken), -1, self.heads, *logits.shape[1:])
        weights = torch.softmax(by_group / math.sqrt(key.shape[-1]) + self.sight[:, None, None], dim=-1)
        mixed = self._by_seat(torch.bmm(weights.view(logits.shape), self._by_head(value)), own.shape)
        if self.alone:  # nobody to attend to: no contribution
            mixed = (mixed.unflatten(0, self.taken.shape) * (self.others > 0)[:, None, None, None]).flatten(0, 1)
        squares = by_group.square().sum((1, 2, 3, 4)) - by_group.diagonal(dim1=-2, dim2=-1).square().sum((1, 2, 3))
        penalty = squares / (by_group.shape[1] * self.others.clamp(min=1.0))
        entropy = torch.special.entr(weights.detach()).sum(-1).mean(1) @ self.taken[:, :, None]
        return mixed, penalty, entropy[..., 0] / self.taken.sum(1, keepdim=True)

    def _averaged(self, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        by_group = value.unflatten(0, self.taken.shape) * self.taken[:, :, None, None]
        others = self.others.clamp(min=1.0)
        mixed = (by_group.sum(1, keepdim=True) - by_group) / others[:, None, None, None]
        return mixed.flatten(0, 1), torch.zeros_like(others), others.log()[:, None].expand(-1, self.heads)

    def _by_head(self, x: Tensor) -> Tensor:
        """`[S, B, F]` -> `[G B H, A, F / H]`."""
        groups, agents = self.taken.shape
        x = x.view(groups, agents, x.shape[1], self.heads, -1)
        return x.permute(0, 2, 3, 1, 4).reshape(-1, agents, x.shape[-1]).contiguous()

    def _by_seat(self, x: Tensor, shape: torch.Size) -> Tensor:
        """`[G B H, A, F / H]` -> `[S, B, F]`."""
        x = x.view(len(self.taken), -1, self.heads, *x.shape[1:])
        return x.permute(0, 3, 1, 2, 4).reshape(shape)
