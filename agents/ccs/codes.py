"""Latent codes: a point on a sphere, as far from the others as can be, and a place on the ring of channels.

Networks that start from one default differ in their codes alone. The sphere tells them apart; the ring tells them apart
by channel: channels stand around it (`agents.ccs.ring`) and a network at the angle of its place, so that "nearer to me
than to the others" is a preference that all can have at once. Channel numbers are known to everybody, and nothing else
that two equal networks see differs between channels that are equally good.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

SPHERE = 8
DIMENSION = SPHERE + 2
"""Of a code: the point, then cosine and sine of the place."""

CANDIDATES = 4096


@cache
def _ordered(count: int) -> Tensor:
    """The first `count` points, each the farthest from those before it among corners and random candidates."""
    corners = torch.eye(SPHERE).repeat_interleave(2, 0)
    corners[1::2] *= -1.0
    random = torch.randn(CANDIDATES, SPHERE, generator=torch.Generator().manual_seed(0))
    points = torch.cat([corners, random / random.norm(dim=-1, keepdim=True)])
    chosen, closest = [0], points @ points[0]
    for _ in range(count - 1):
        chosen.append(int(closest.argmin()))
        closest = torch.maximum(closest, points @ points[chosen[-1]])
    return points[chosen]


def points(count: int) -> Tensor:
    """Points on the unit sphere of dimension 8 `[count, 8]`, the same for every count that reaches them.

    The first 16 are the unit vectors and their negatives, so that any two of them are at right angles or opposite;
    each further one is the farthest from all before it among 4,096 candidates. Beyond 4,112 they repeat.
    """
    distinct = min(count, CANDIDATES + 2 * SPHERE)
    size = min(max(16, 1 << (distinct - 1).bit_length()), CANDIDATES + 2 * SPHERE)  # few sizes to keep
    return _ordered(size)[torch.arange(count) % distinct]


def places(slots: Tensor) -> Tensor:
    """Cosine and sine of places on the ring `[..., 2]`, by slot `[...]`: van der Corput's sequence, in turns.

    However many of the first slots are taken, whoever has them stands well apart; 2, 4, 8, ... evenly.
    """
    rest, turns, width = slots.clone(), torch.zeros(slots.shape), 0.5
    while bool(rest.any()):
        turns += width * (rest % 2)
        rest, width = rest // 2, width / 2.0
    return torch.stack([(2.0 * torch.pi * turns).cos(), (2.0 * torch.pi * turns).sin()], dim=-1)


def codes(numbers: Tensor, slots: Tensor) -> Tensor:
    """Codes `[..., 10]` of points with these numbers and of these slots, both int64 `[...]`."""
    return torch.cat([points(int(numbers.max()) + 1)[numbers], places(slots)], dim=-1)


def random_codes(worlds: int, count: int, generator: torch.Generator) -> Tensor:
    """Codes of `count` members of every world, of the first slots, no two the same `[worlds, count, 10]`."""
    numbers, slots = (
        torch.rand(worlds, among, generator=generator).argsort(-1)[:, :count] for among in (max(16, count), count)
    )
    return codes(numbers, slots)
