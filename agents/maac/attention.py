"""Attention between the agents of a group; shape letters in `agents.maac.groups`."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from agents.maac.groups import Groups
from agents.maac.layers import Layers


class Attended(NamedTuple):
    """What attention gives.

    Attributes:
        contribution: Of the others to every agent. `[S, B, F]`
        penalty: Squared logits, summed over heads and agents and averaged over batch and others. `[G]`
        weights: `[G, B, H, A, A]`; None where they are equal.
    """

    contribution: Tensor
    penalty: Tensor
    weights: Tensor | None


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

    def forward(self, own: Tensor, encoding: Tensor) -> Attended:
        """What the others contribute.

        Args:
            own: Encodings of observations, which ask. `[S, B, F]`
            encoding: Of observations and actions, which are asked. `[S, B, F]`
        """
        value = self.layer("value", encoding)
        return self._weighed(own, encoding, value) if self.learned else self._averaged(value)

    def entropy(self, attended: Attended, steps: int = 32) -> Tensor:
        """Entropy of the weights, averaged over agents and the first `steps` of the batch `[G, H]`. nats"""
        if attended.weights is None:
            return self.others.clamp(min=1.0).log()[:, None].expand(-1, self.heads)
        entropy = torch.special.entr(attended.weights[:, :steps].detach()).sum(-1).mean(1)
        of_agents = self.taken * (self.others > 0)[:, None]
        return (entropy * of_agents[:, None]).sum(-1) / self.taken.sum(1, keepdim=True)

    def _weighed(self, own: Tensor, encoding: Tensor, value: Tensor) -> Attended:
        query = self._by_head(self.layer("query", own, active=False))
        key = self._by_head(self.layer("key", encoding, active=False))
        logits = torch.bmm(query, key.mT).view(len(self.taken), -1, self.heads, *self.sight.shape[1:])
        weights, squares = _Softmax.apply(logits, self.sight[:, None, None], 1.0 / math.sqrt(key.shape[-1]))
        contribution = self._by_seat(torch.bmm(weights.flatten(0, 2), self._by_head(value)), own.shape)
        if self.alone:  # nobody to attend to
            someone = (self.others > 0)[:, None, None, None]
            contribution = (contribution.unflatten(0, self.taken.shape) * someone).flatten(0, 1)
        return Attended(contribution, squares / (logits.shape[1] * self.others.clamp(min=1.0)), weights)

    def _averaged(self, value: Tensor) -> Attended:
        by_group = value.unflatten(0, self.taken.shape) * self.taken[:, :, None, None]
        others = self.others.clamp(min=1.0)[:, None, None, None]
        contribution = (by_group.sum(1, keepdim=True) - by_group) / others
        return Attended(contribution.flatten(0, 1), torch.zeros_like(self.others), None)

    def _by_head(self, x: Tensor) -> Tensor:
        """`[S, B, F]` -> `[G B H, A, F / H]`."""
        groups, agents = self.taken.shape
        x = x.view(groups, agents, x.shape[1], self.heads, -1)
        return x.permute(0, 2, 3, 1, 4).reshape(-1, agents, x.shape[-1]).contiguous()

    def _by_seat(self, x: Tensor, shape: torch.Size) -> Tensor:
        """`[G B H, A, F / H]` -> `[S, B, F]`."""
        x = x.view(len(self.taken), -1, self.heads, *x.shape[1:])
        return x.permute(0, 3, 1, 2, 4).reshape(shape)


class _Softmax(torch.autograd.Function):
    """Weights of logits `[G, B, H, A, A]`, and the sum of the squared logits off the diagonal `[G]`.

    One function, so that neither scaling nor squaring nor the diagonal costs passes over the largest arrays.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, sight: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        logits.diagonal(dim1=-2, dim2=-1).zero_()  # in place: nothing else needs the product
        weights = torch.softmax(torch.add(sight, logits, alpha=scale), dim=-1)
        ctx.save_for_backward(logits, weights)
        ctx.scale = scale
        return weights, torch.linalg.vector_norm(logits.flatten(1), dim=1).square()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (logits, weights), (of_weights, of_squares) = ctx.saved_tensors, gradients
        gradient = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype).mul_(ctx.scale)
        return gradient.addcmul_(logits, 2.0 * of_squares[:, None, None, None, None]), None, None
