"""From a wanted shift of logits on the probes to a change of the last layer; letters in `agents.ccs.layout`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

RIDGE = 0.2


def way_back(features: Tensor, temperature: Tensor, ridge: float = RIDGE) -> Tensor:
    """What a shift of logits is multiplied by to get the change of the last layer that comes closest to it.

        dW = tau (F'F + ridge s I)^-1 F' dL = tau F' (FF' + ridge s I)^-1 dL,   s the mean diagonal of F'F

    is ridge regression; the second form is of the size of the probes. What is realised, F dW / tau, is never larger
    than what is asked.

    Args:
        features: F, with a constant 1. `[..., n, H]`
        temperature: tau. `[...]`
        ridge: Above 0.

    Returns:
        `[..., H, n]`
    """
    gram = features @ features.mT
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    added = ridge * diagonal.sum(-1, keepdim=True) / features.shape[-1]
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram + torch.diag_embed(added.expand_as(diagonal))))
    return temperature[..., None, None] * (features.mT @ inverse)


def clipped(delta: Tensor, last: Tensor, limit: float) -> Tensor:
    """A change whose norm is at most `limit` times that of the layer.

    Args:
        delta: `[..., H, A]`
        last: The layer. `[..., H, A]`
        limit: At least 0; infinite: any.
    """
    if math.isinf(limit):
        return delta
    # No change at all, behind a shut gate, has a norm without a gradient: not a root of zero.
    norm = delta.square().sum((-2, -1), keepdim=True).clamp(min=1e-24).sqrt()
    largest = limit * torch.linalg.matrix_norm(last, keepdim=True)
    return delta * (largest / norm).clamp(max=1.0)
