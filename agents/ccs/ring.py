"""The ring of channels: who stands where on it, and what channels hear around it; letters in `agents.ccs.layout`.

Channel c stands at the angle 2 pi c / C, a network at the place of its code (`agents.ccs.ring`), and its groups around
that place.

Latent codes: a point on a sphere, as far from the others as can be, and a place on the ring of channels.

Networks that start from one default differ in their codes alone. The sphere tells them apart; the ring tells them apart
by channel: channels stand around it (`agents.ccs.ring`) and a network at the angle of its place, so that "nearer to me
than to the others" is a preference that all can have at once. Channel numbers are known to everybody, and nothing else
that two equal networks see differs between channels that are equally good.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from agents.ccs.layout import View, pooled

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


STANDING = 6
"""Numbers that say where a channel stands."""

TOLD = 16
"""Numbers that channels tell one another."""

CROWD = 4
"""From so many networks on the groups of each stand at one place."""


def angles(channels: int) -> Tensor:
    """Where channels stand. rad `[C]`"""
    return 2.0 * torch.pi * torch.arange(channels) / channels


def spread_out(view: View, spread: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine of where groups stand: evenly on an arc around their network's place.

    The arcs of K networks are `spread (1 / K - 1 / CROWD)` of the ring long, and no longer than the way to the nearest
    other network, so that none overlap up to a spread of 2. Groups of one default crowd on one channel as networks do;
    but two networks do best with a few channels each, and four or more with one. Whoever has any weight counts.

    Returns:
        `[M, S, Q]` each.
    """
    x, y = view.codes[..., -2], view.codes[..., -1]
    groups = x.shape[-1]
    arc = 2.0 * torch.pi * spread * (1.0 / view.networks[..., None] - 1.0 / CROWD).clamp(min=0.0)
    nearest = _nearest(x[..., 0], y[..., 0], view.weights > 0.0)[..., None]
    arc = torch.where(nearest < arc - 1e-3, nearest, arc)
    turn = ((torch.arange(groups) + 0.5) / groups - 0.5) * arc
    return x * turn.cos() - y * turn.sin(), x * turn.sin() + y * turn.cos()


def _nearest(x: Tensor, y: Tensor, there: Tensor) -> Tensor:
    """Angle from each network's place to that of the nearest other one that is there; the whole ring: none. `[M, S]`"""
    apart = (x[:, :, None] * x[:, None] + y[:, :, None] * y[:, None]).clamp(-1.0, 1.0).acos()
    counts = there[:, None] & ~torch.eye(x.shape[1], dtype=torch.bool)
    return torch.where(counts, apart, 2.0 * torch.pi).amin(-1)


def standing(view: View, at: Tensor, spread: float) -> Tensor:
    """Where channels stand, seen from each group's place, and how near they are to other networks.

    Args:
        view: Of all networks.
        at: Angles of channels. rad `[C]`
        spread: See `spread_out`.

    Returns:
        First two harmonics of the angle from the place to the channel, cosine and sine; both cosines of the others
        as one (`agents.ccs.layout.pooled`), each the mean over its groups. `[M, S, Q, C, STANDING]`
    """
    x, y = (each[..., None] for each in spread_out(view, spread))
    cos, sin = x * at.cos() + y * at.sin(), x * at.sin() - y * at.cos()
    double = cos.square() - sin.square()
    near = pooled(torch.stack([cos, double], dim=-1).mean(2), view)
    seen = torch.stack([cos, sin, double, 2.0 * sin * cos], dim=-1)
    return torch.cat([seen, near[:, :, None].expand(-1, -1, seen.shape[2], -1, -1)], dim=-1)


class Around(nn.Module):
    """What a channel hears of all channels of a probe, by how far around the ring each of them stands from it.

    So it knows how good its neighbours are, and those nearer to a network's place. A sum over channels, weighed by a
    Fourier series of the angle between them: on an even ring a circular convolution. It goes by angles, so that
    renumbered channels hear the same.

    Args:
        channels: C.
        width: Of what is known of a channel.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.tells = nn.Linear(width, TOLD)
        self.weight = nn.Parameter(torch.randn(channels, TOLD, TOLD) / (channels * TOLD) ** 0.5)

    def forward(self, known: Tensor, at: Tensor) -> Tensor:
        """What is heard `[..., n C, TOLD]` of what is known `[..., n C, width]` by channels at these angles `[C]`."""
        mix = torch.einsum("kcd,kio->cido", self._series(at), self.weight).flatten(2).flatten(0, 1)
        told = self.tells(known).unflatten(-2, (-1, len(at))).flatten(-2)
        return (told @ mix).unflatten(-1, (len(at), TOLD)).flatten(-3, -2)

    def _series(self, at: Tensor) -> Tensor:
        """Harmonics, by number, of the angle from the one that tells to the one that hears `[C, C, C]`."""
        apart = at - at[:, None]
        found = [torch.ones_like(apart)]
        for k in range(1, len(at) // 2 + 1):
            found += [2**0.5 * (k * apart).cos(), 2**0.5 * (k * apart).sin()]
        return torch.stack(found[: len(at)])
