"""What critics and actors minimise, and how their gradients are bounded; shape letters in `agents.maac.groups`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

PENALTY = 1e-3
"""Weight of squared attention logits and of squared policy logits."""

WEIGHT_DECAY = 1e-3
CRITIC_NORM, ACTOR_NORM = 10.0, 0.5
"""Largest norms of gradients: of a group's critic for each of its agents, and of an agent's actor."""


def at(values: Tensor, action: Tensor) -> Tensor:
    """Of values by arm `[..., K]` those of the actions `[...]`."""
    return values.gather(-1, action[..., None])[..., 0]


def critic_loss(values: Tensor, action: Tensor, target: Tensor, penalty: Tensor, taken: Tensor) -> Tensor:
    """Sum over agents of the mean squared error, and the penalty of attention logits `[G]`.

    Args:
        values: `[G, A, B, K]`
        action: `[G, A, B]`
        target: `[G, A, B]`
        penalty: `[G]`
        taken: 1 at the seats that are taken, else 0. `[G, A]`

    Source: MMALoRa, Eq. (28).
    """
    errors = (at(values, action) - target).square().mean(-1)
    return (errors * taken).sum(1) + PENALTY * penalty


def log_policy(logits: Tensor, allowed: Tensor) -> Tensor:
    """Log probabilities of the arms, far below any other where an arm is not allowed `[..., K]`."""
    return torch.log_softmax(logits.masked_fill(~allowed, -1e30), dim=-1)


def advantage(values: Tensor, policy: Tensor) -> Tensor:
    """Values of own arms less their mean under the policy, the others' actions unchanged `[..., K]`.

    Source: MMALoRa, Eq. (30).
    """
    return values - (policy * values).sum(-1, keepdim=True)


def actor_loss(logits: Tensor, allowed: Tensor, action: Tensor, values: Tensor, alpha: float) -> Tensor:
    """Loss of every agent's actor `[G, A]`.

    Args:
        logits: `[G, A, B, K]`
        allowed: `[G, A, 1, K]`
        action: Drawn from the policy. `[G, A, B]`
        values: Of all own arms, the others playing `action`. `[G, A, B, K]`
        alpha: Temperature.

    Source: MMALoRa, Eq. (29).
    """
    log_probability = log_policy(logits, allowed)
    chosen = at(log_probability, action)
    gain = at(advantage(values, log_probability.detach().exp()), action) - alpha * chosen.detach()
    squares = (logits.square() * allowed).sum(-1) / allowed.sum(-1)
    return (PENALTY * squares - chosen * gain).mean(-1)


def sample(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Actions by the inverse of the cumulative distribution; never one of probability 0.

    Args:
        probabilities: `[..., K]`
        uniform: In [0, 1). `[...]`
    """
    cumulative = probabilities.cumsum(-1)
    return torch.searchsorted(cumulative, uniform[..., None] * cumulative[..., -1:], right=True)[..., 0]


def clip(parameters: Sequence[Tensor], largest: Tensor) -> None:
    """Scales gradients, in place, where their common norm exceeds `largest`: by its leading axes, `[G]` or `[G, A]`."""
    axes = largest.dim()
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = torch.stack([torch.linalg.vector_norm(g.flatten(axes), dim=-1) for g in gradients])
    scale = (largest / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale.reshape(scale.shape + (1,) * (gradient.dim() - axes)))
