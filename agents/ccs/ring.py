"""Latent codes of networks, and the ring of channels on which their places lie; letters in `agents.ccs.layout`.

A code is a point on a sphere, as far from the others' as possible, and a place on the ring. Networks that start from
one default differ in their codes alone. The sphere tells them apart; the ring tells them apart by channel: channel c
stands at the angle 2 pi c / C, a network at its place and its groups around that, so that "nearer to me than to the
others" is a preference that all can have at once. Channel numbers are known to everybody; nothing else that two equal
networks see differs between channels that are equally good.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from agents.ccs.layout import View, pooled

SPHERE = 8
"""Dimension of the space of the points."""

DIMENSION = SPHERE + 2
"""Numbers of a code: the point, then cosine and sine of the place."""

CANDIDATES = 4096
"""Random points among which further points are chosen."""

SHORTEST_TABLE = 2 * SPHERE
"""Points that every table has: the unit vectors and their negatives."""

RING_FEATURES = 6
"""Numbers of a channel's position relative to a group; see `ring_features`."""

ARC_TOLERANCE = 1e-3
"""An arc is cut only if it exceeds the distance to the nearest network by more, against rounding. rad"""

CROWD = 4
"""Networks from which on all groups of a network stand at its place."""


@cache
def _ordered(count: int) -> Tensor:
    """The first `count` points: each is the farthest from those before it, among corners and random candidates."""
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
    """Points on the unit sphere of dimension 8, the same for every count that reaches them.

    The first 16 are the unit vectors and their negatives, so that any two of them are at right angles or opposite;
    each further one is the farthest from all before it among 4,096 candidates. Beyond 4,112 they repeat.

    Returns:
        `[count, 8]`
    """
    distinct = min(count, CANDIDATES + SHORTEST_TABLE)
    size = min(max(SHORTEST_TABLE, 1 << (distinct - 1).bit_length()), CANDIDATES + SHORTEST_TABLE)  # few to keep
    return _ordered(size)[torch.arange(count) % distinct]


def places(slots: Tensor) -> Tensor:
    """Places on the ring by slot, which follow van der Corput's sequence.

    However many of the first slots are taken, their places are well apart; 2, 4, 8, ... are spaced evenly.

    Args:
        slots: int64 `[...]`

    Returns:
        Cosine and sine. `[..., 2]`

    Source: J. G. van der Corput, "Verteilungsfunktionen", 1935.
    """
    rest, turns, width = slots.clone(), torch.zeros(slots.shape), 0.5
    while bool(rest.any()):
        turns += width * (rest % 2)
        rest, width = rest // 2, width / 2.0
    return torch.stack([(2.0 * torch.pi * turns).cos(), (2.0 * torch.pi * turns).sin()], dim=-1)


def codes(numbers: Tensor, slots: Tensor) -> Tensor:
    """Codes `[..., Z]` of the points with these numbers and the places of these slots, both int64 `[...]`."""
    return torch.cat([points(int(numbers.max()) + 1)[numbers], places(slots)], dim=-1)


def random_codes(worlds: int, count: int, generator: torch.Generator) -> Tensor:
    """Draws codes for `count` networks of every world, no two the same, of the first slots. `[worlds, count, Z]`"""
    numbers, slots = (
        torch.rand(worlds, among, generator=generator).argsort(-1)[:, :count]
        for among in (max(SHORTEST_TABLE, count), count)
    )
    return codes(numbers, slots)


def angles(channels: int) -> Tensor:
    """Angles of the channels on the ring. rad `[C]`"""
    return 2.0 * torch.pi * torch.arange(channels) / channels


def group_places(view: View, spread: float) -> tuple[Tensor, Tensor]:
    """Where groups stand: evenly on an arc around their network's place.

    The arcs of K networks are `spread (1 / K - 1 / CROWD)` of the ring long, and no longer than the way to the nearest
    other network, so that none overlap up to a spread of 2. Groups of one default crowd on one channel as networks do;
    but two networks do best with a few channels each, and four or more with one. Networks with any weight count.

    Args:
        view: View of all networks.
        spread: See `agents.ccs.model.Design`.

    Returns:
        Cosine and sine. `[M, S, Q]` each
    """
    x, y = view.codes[..., -2], view.codes[..., -1]
    groups = x.shape[-1]
    arc = 2.0 * torch.pi * spread * (1.0 / view.networks[..., None] - 1.0 / CROWD).clamp(min=0.0)
    nearest = _nearest(x[..., 0], y[..., 0], view.weights > 0.0)[..., None]
    arc = torch.where(nearest < arc - ARC_TOLERANCE, nearest, arc)
    turn = ((torch.arange(groups) + 0.5) / groups - 0.5) * arc
    return x * turn.cos() - y * turn.sin(), x * turn.sin() + y * turn.cos()


def _nearest(x: Tensor, y: Tensor, present: Tensor) -> Tensor:
    """Angle from each network's place to that of the nearest other one that is present.

    Args:
        x, y: Cosine and sine of the places. `[M, S]`
        present: Which networks count. bool `[M, S]`

    Returns:
        2 pi where there is no other. rad `[M, S]`
    """
    apart = (x[:, :, None] * x[:, None] + y[:, :, None] * y[:, None]).clamp(-1.0, 1.0).acos()
    counts = present[:, None] & ~torch.eye(x.shape[1], dtype=torch.bool)
    return torch.where(counts, apart, 2.0 * torch.pi).amin(-1)


def ring_features(view: View, channel_angles: Tensor, spread: float) -> Tensor:
    """Where channels stand, seen from each group's place, and how near they are to other networks.

    Args:
        view: View of all networks.
        channel_angles: rad `[C]`
        spread: See `group_places`.

    Returns:
        Cosine and sine of the angle from the place to the channel, and of twice that angle; then both cosines of the
        others as one (`agents.ccs.layout.pooled`), each the mean over its groups. `[M, S, Q, C, RING_FEATURES]`
    """
    x, y = (coordinate[..., None] for coordinate in group_places(view, spread))
    cos = x * channel_angles.cos() + y * channel_angles.sin()
    sin = x * channel_angles.sin() - y * channel_angles.cos()
    double = cos.square() - sin.square()
    near_others = pooled(torch.stack([cos, double], dim=-1).mean(2), view)
    from_place = torch.stack([cos, sin, double, 2.0 * sin * cos], dim=-1)
    return torch.cat([from_place, near_others[:, :, None].expand(-1, -1, from_place.shape[2], -1, -1)], dim=-1)
