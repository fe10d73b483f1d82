"""Latent codes: points on a sphere, as far from each other as they can be."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

DIMENSION = 8
CANDIDATES = 4096


@cache
def _ordered(count: int) -> Tensor:
    """The first `count` points, each the farthest from those before it among corners and random candidates."""
    corners = torch.eye(DIMENSION).repeat_interleave(2, 0)
    corners[1::2] *= -1.0
    random = torch.randn(CANDIDATES, DIMENSION, generator=torch.Generator().manual_seed(0))
    points = torch.cat([corners, random / random.norm(dim=-1, keepdim=True)])
    chosen, closest = [0], points @ points[0]
    for _ in range(count - 1):
        chosen.append(int(closest.argmin()))
        closest = torch.maximum(closest, points @ points[chosen[-1]])
    return points[chosen]


def codes(count: int) -> Tensor:
    """Points on the unit sphere of dimension 8 `[count, 8]`, the same for every count that reaches them.

    The first 16 are the unit vectors and their negatives, so that any two of them are at right angles or opposite;
    each further one is the farthest from all before it among 4,096 candidates. Beyond 4,112 they repeat.
    """
    distinct = min(count, CANDIDATES + 2 * DIMENSION)
    size = min(max(16, 1 << (distinct - 1).bit_length()), CANDIDATES + 2 * DIMENSION)  # few sizes to keep
    return _ordered(size)[torch.arange(count) % distinct]


def random_codes(worlds: int, count: int, generator: torch.Generator) -> Tensor:
    """Codes of `count` members of every world, no two the same `[worlds, count, 8]`."""
    table = codes(max(16, count))
    return table[torch.rand(worlds, len(table), generator=generator).argsort(-1)[:, :count]]
