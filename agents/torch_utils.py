"""Shared parts of learners with torch: threads, the optimiser, clipped gradients and draws from policies.

All functions work on many learners at once: their leading axes tell learners apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

_SMALLEST_NORM = 1e-6
"""Added to a norm before it divides, as `torch.nn.utils.clip_grad_norm_` does."""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """A context in which torch computes with `count` threads.

    One thread suits runs that are side by side and times that are compared.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def adam(parameters: Iterable[Tensor], learning_rate: float, weight_decay: float = 0.0) -> torch.optim.Adam:
    """An Adam optimiser whose moments exist before its first step, so that its state always has the same arrays."""
    parameters = list(parameters)
    optimizer = torch.optim.Adam(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)
    for parameter in parameters:
        moments = {"exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
        optimizer.state[parameter] = {"step": torch.zeros((), device=parameter.device)} | moments
    return optimizer


def clip_gradients(parameters: Sequence[Tensor], largest_norm: Tensor) -> None:
    """Scale gradients, in place, where the norm over all parameters of a learner exceeds its largest norm.

    Args:
        parameters: Their leading axes are those of `largest_norm`; parameters without a gradient are skipped.
        largest_norm: One for each learner, for example `[G]` or `[G, A]`.
    """
    axes = largest_norm.dim()
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norms = torch.stack([torch.linalg.vector_norm(gradient.flatten(axes), dim=-1) for gradient in gradients])
    scale = (largest_norm / (torch.linalg.vector_norm(norms, dim=0) + _SMALLEST_NORM)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale.reshape(scale.shape + (1,) * (gradient.dim() - axes)))


def values_at(values: Tensor, action: Tensor) -> Tensor:
    """The values `[..., K]` of the chosen actions `[...]`: `[...]`."""
    return values.gather(-1, action[..., None])[..., 0]


def sample_actions(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Actions drawn by the inverse of the cumulative distribution `[...]`; never one of probability 0.

    Args:
        probabilities: `[..., K]`
        uniform: Random numbers in [0, 1). `[...]`
    """
    cumulative = probabilities.cumsum(-1)
    return torch.searchsorted(cumulative, uniform[..., None] * cumulative[..., -1:], right=True)[..., 0]
