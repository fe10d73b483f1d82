"""The hypernetwork: from behaviour on the probes to wanted shifts of logits; letters in `agents.ccs.layout`.

Encoders embed the behaviour of each network, a context joins it with that of the others, and a head scores channels.
`RawHypernetwork` reads the paper literally instead: flattened weights to a residual. It knows nothing of what the
weights do, so permuted channels or another architecture have no meaning for it, and it is a baseline only.

Names of attributes and the order in which layers are made are data: files of coordinators and seeds rely on them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.ccs.layout import BY_CHANNEL, CHUNK, KINDS, Layout, View, pooled
from agents.ccs.protocol import RANGES
from agents.ccs.ring import RING_FEATURES, SPHERE, angles, ring_features
from agents.lns.network import Schema

# All widths are our choice: the paper gives none.

EMBEDDING, TRUNK = 32, 32
"""Numbers of an embedding of a network, and of the summary that the trunk makes of it."""

CHANNEL_WIDTHS, FLAT_WIDTH, CONTEXT_WIDTH, TRUNK_WIDTH = (64, 48), 96, 64, 96
"""Hidden layers of the shared and of the flat encoder, of the context and of the trunk."""

MESSAGE = 16
"""Numbers of a message between channels."""

PAIR_FEATURES, SIZE_FEATURES = 5, 2
"""Features of a channel on a probe that come from logits, and those that say how many networks there are."""

SCORE_SCALE, LEAST_SCORE = 5.0, -3.0
"""Scores of channels less the best one are divided by the scale and cut: 15 logits below, a chance is below 1e-6."""

FIRST_SHIFTS, FIRST_EMBEDDING, FIRST_RAW = 0.3, 0.3, 0.02
"""Scale of first weights: of the layer of shifts and of a residual, so that training begins with small changes; and
of embeddings of channels."""

MOST_COUNTED, COUNT_SCALE = 8, 4.0
"""Networks beyond so many look alike; their number is divided by the scale."""


class SharedEncoder(nn.Module):
    """The same perceptron for every channel, then mean and maximum over channels, so that their numbers do not matter.

    Args:
        probes: n, the number of probes.
        channels: C; any number will do.
    """

    def __init__(self, probes: int, channels: int) -> None:
        super().__init__()
        first, second = CHANNEL_WIDTHS
        self.by_channel = nn.Sequential(nn.Linear(probes, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU())
        self.output = nn.Linear(2 * second, EMBEDDING)

    def forward(self, marginals: Tensor) -> Tensor:
        """Embeddings `[..., EMBEDDING]` of chances of channels on the probes `[..., n, C]`."""
        by_channel = self.by_channel(marginals.mT)
        return self.output(torch.cat([by_channel.mean(-2), by_channel.amax(-2)], dim=-1))


class FlatEncoder(nn.Sequential):
    """The encoder of the study: a perceptron of all chances, which knows channels by their numbers.

    Args:
        probes: n, the number of probes.
        channels: C.
    """

    def __init__(self, probes: int, channels: int) -> None:
        first, second = nn.Linear(probes * channels, FLAT_WIDTH), nn.Linear(FLAT_WIDTH, EMBEDDING)
        super().__init__(nn.Flatten(-2), first, nn.ReLU(), second)


ENCODERS: dict[str, type[SharedEncoder] | type[FlatEncoder]] = {"shared": SharedEncoder, "flat": FlatEncoder}


class Encoders(nn.Module):
    """One encoder for each kind of learner.

    Args:
        name: Name of the encoder, a key of `ENCODERS`.
        probes: n, the number of probes.
        channels: C.
    """

    def __init__(self, name: str, probes: int, channels: int) -> None:
        super().__init__()
        self.kinds = nn.ModuleList(ENCODERS[name](probes, channels) for _ in KINDS)

    def forward(self, marginals: Tensor, kinds: Tensor) -> Tensor:
        """Embeddings `[..., EMBEDDING]` of chances `[..., n, C]` of learners of these kinds `[...]`."""
        return _of_kind(torch.stack([encoder(marginals) for encoder in self.kinds], dim=-2), kinds)


def _of_kind(by_kind: Tensor, kinds: Tensor) -> Tensor:
    """Embeddings `[..., EMBEDDING]` of the right kind, of those by kind `[..., K, EMBEDDING]`."""
    return by_kind.gather(-2, kinds[..., None, None].expand(*kinds.shape, 1, EMBEDDING)).squeeze(-2)


class Behaviour(NamedTuple):
    """Policies on the probes, seen from each network.

    Attributes:
        logits: `[M, S, n, A]`
        own: Chances of channels. `[M, S, n, C]`
        others: Those of the other networks as one (`agents.ccs.layout.pooled`). `[M, S, n, C]`
    """

    logits: Tensor
    own: Tensor
    others: Tensor

    @property
    def overlap(self) -> Tensor:
        """The overlap of own and others' chances, mean over probes, from 0 to 1. `[M, S]`"""
        return torch.minimum(self.own, self.others).sum(-1).mean(-1)


def behaviour(view: View, layout: Layout) -> Behaviour:
    """How networks behave on the probes."""
    own = layout.marginals(view.logits.softmax(-1))
    return Behaviour(view.logits, own, pooled(own, view))


class RingMessages(nn.Module):
    """Messages between the channels of a probe, weighted by their angle on the ring.

    A message is a linear map of the sender's features; the weight is a Fourier series of the angle between sender and
    receiver. On an even ring this is a circular convolution. Channels are known by their angles, so that renumbered
    channels receive the same.

    Args:
        channels: C.
        width: Number of features of a channel.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.tells = nn.Linear(width, MESSAGE)
        self.weight = nn.Parameter(torch.randn(channels, MESSAGE, MESSAGE) / (channels * MESSAGE) ** 0.5)

    def forward(self, features: Tensor, channel_angles: Tensor) -> Tensor:
        """The sum of the messages that each channel receives.

        Args:
            features: Features of each channel on each probe. `[..., n C, width]`
            channel_angles: Angles of the channels. rad `[C]`

        Returns:
            `[..., n C, MESSAGE]`
        """
        channels = len(channel_angles)
        mix = torch.einsum("kcd,kio->cido", self._series(channel_angles), self.weight).flatten(2).flatten(0, 1)
        messages = self.tells(features).unflatten(-2, (-1, channels)).flatten(-2)
        return (messages @ mix).unflatten(-1, (channels, MESSAGE)).flatten(-3, -2)

    def _series(self, channel_angles: Tensor) -> Tensor:
        """Harmonics, by number, of the angle from sender to receiver. `[C, C, C]`"""
        apart = channel_angles - channel_angles[:, None]
        harmonics = [torch.ones_like(apart)]
        for k in range(1, len(channel_angles) // 2 + 1):
            harmonics += [2**0.5 * (k * apart).cos(), 2**0.5 * (k * apart).sin()]
        return torch.stack(harmonics[: len(channel_angles)])


class ChannelHead(nn.Module):
    """A perceptron of the features of a (probe, channel): own and others' chances, the probe, the trunk, the code.

    It gives a shift for each of the channel's actions: a network that leaves a channel may want another SF there. After
    the first layer, channels exchange messages around the ring (`RingMessages`).

    The first layer is one product per network: what the trunk and a group's code add is a row of the weights that the
    one-hot group of the probe picks, so that they are not repeated for every probe and channel.

    Args:
        layout: Layout of observations and actions.
        embedding: Numbers of a learned embedding of channels; 0: channels are known by their features only.
        width: Width of both hidden layers.
        ring: Whether channels are known by their angles on a ring, too, and exchange messages around it.
    """

    def __init__(self, layout: Layout, embedding: int, width: int, ring: bool) -> None:
        super().__init__()
        self.layout = layout
        self.of_pair = nn.Linear(PAIR_FEATURES + len(BY_CHANNEL) + embedding + ring * RING_FEATURES, width)
        self.of_group = nn.Linear(TRUNK + SPHERE + layout.groups, width, bias=False)
        self.around = RingMessages(layout.channels, width) if ring else None
        shifts = nn.Linear(width, layout.offsets * layout.powers)
        self.rest = nn.Sequential(nn.Linear(width + ring * MESSAGE, width), nn.ReLU(), shifts)
        self.channels = nn.Parameter(FIRST_EMBEDDING * torch.randn(layout.channels, embedding))
        _scale(self.rest[-1], FIRST_SHIFTS)

    def forward(
        self, seen: Behaviour, probes: Tensor, of_network: Tensor, ring: Tensor | None, channel_angles: Tensor
    ) -> Tensor:
        """Shifts of logits, centred under the own policy.

        Args:
            seen: How the networks behave.
            probes: `[n, D]`
            of_network: Trunk and code by group. `[M, S, Q, TRUNK + SPHERE]`
            ring: Features of `agents.ccs.ring.ring_features`; None: there is no ring. `[M, S, Q, C, RING_FEATURES]`
            channel_angles: Angles of the channels; not read without a ring. rad `[C]`

        Returns:
            `[M, S, n, A]`
        """
        size = self.layout.groups
        of_network = of_network.flatten(0, 1)
        group = torch.eye(size).expand(len(of_network), size, size)
        by_group = self.of_group(torch.cat([of_network, group], dim=-1)) + self.of_pair.bias
        weights = torch.cat([by_group, self.of_pair.weight.T.expand(len(by_group), -1, -1)], dim=1)
        pairs, by_probe = self._pairs(seen), self._of_probe(probes)
        if ring is not None:
            pairs = torch.cat([pairs, ring.repeat(1, 1, pairs.shape[2] // self.layout.groups, 1, 1)], dim=-1)
        pairs = pairs.flatten(0, 1)
        at_once = len(pairs) if torch.is_grad_enabled() else CHUNK
        chunks = zip(pairs.split(at_once), weights.split(at_once))
        shifts = torch.cat([self._shifts(*chunk, by_probe, channel_angles) for chunk in chunks]).view_as(seen.logits)
        return shifts - (seen.logits.softmax(-1) * shifts).sum(-1, keepdim=True)

    def _shifts(self, pairs: Tensor, weights: Tensor, by_probe: Tensor, channel_angles: Tensor) -> Tensor:
        """Shifts of some networks, not centred. `[rows, n C, O T]`"""
        inputs = torch.cat([by_probe.expand(len(pairs), -1, -1, -1), pairs], dim=-1)
        hidden = torch.bmm(inputs.flatten(1, 2), weights).relu()
        if self.around is not None:
            hidden = torch.cat([hidden, self.around(hidden, channel_angles)], dim=-1)
        return self.rest(hidden)

    def _pairs(self, seen: Behaviour) -> Tensor:
        """Features of a channel on a probe: own score, own and others' chances, and both in other groups.

        Returns:
            Score; own and others' chances; own ones in the other groups of the pattern; others' over its groups.
            `[M, S, n, C, PAIR_FEATURES]`
        """
        groups = self.layout.groups
        scores = self.layout.scores(seen.logits)
        scores = ((scores - scores.amax(-1, keepdim=True)) / SCORE_SCALE).clamp(min=LEAST_SCORE)
        own, others = (chances.unflatten(2, (-1, groups)) for chances in (seen.own, seen.others))
        elsewhere = (own.sum(3, keepdim=True) - own) / max(groups - 1, 1)
        anywhere = others.mean(3, keepdim=True).expand_as(others)
        return torch.stack([scores, seen.own, seen.others, elsewhere.flatten(2, 3), anywhere.flatten(2, 3)], dim=-1)

    def _of_probe(self, probes: Tensor) -> Tensor:
        """One-hot group, embedding and features of channels on the probes. `[n, C, Q + embedding + 3]`"""
        by_channel = self.layout.by_channel(probes)
        group = self.layout.one_hot(probes)[:, None].expand(-1, by_channel.shape[1], -1)
        return torch.cat([group, self.channels.expand(len(probes), -1, -1), by_channel], dim=-1)


class Hypernetwork(nn.Module):
    """Encoders, context, trunk, and the head that says how logits on the probes should shift.

    Args:
        layout: Layout of observations and actions.
        probes: n, the number of probes.
        encoder: Name of the encoder.
        channel_embedding: Numbers of a learned embedding of channels.
        width: Width of the channel head.
        ring: Whether channels are known by their angles; see `ChannelHead`.
        spread: How far groups stand apart; see `agents.ccs.ring.group_places`.

    Attributes:
        angles: Angles of the channels on the ring. rad `[C]`

    Source: the CCS paper, Eq. (2), (3).
    """

    angles: Tensor

    def __init__(
        self, layout: Layout, probes: int, encoder: str, channel_embedding: int, width: int, ring: bool, spread: float
    ) -> None:
        super().__init__()
        self.layout, self.ring, self.spread = layout, ring, spread
        self.register_buffer("angles", angles(layout.channels), persistent=False)
        self.encoders = Encoders(encoder, probes, layout.channels)
        self.context = _context()
        self.trunk = _trunk()
        self.head = ChannelHead(layout, channel_embedding, width, ring)

    def forward(self, view: View, seen: Behaviour, probes: Tensor) -> Tensor:
        """Wanted shifts of logits, before any gate. `[M, S, n, A]`"""
        embedding = self.encoders(seen.own, view.kinds)
        context = self.context(torch.cat([embedding, pooled(embedding, view)], dim=-1))
        summary = self.trunk(torch.cat([embedding, context, facts(view)], dim=-1))
        points = view.codes[..., :SPHERE]
        by_group = torch.cat([summary[:, :, None].expand(*points.shape[:-1], -1), points], dim=-1)
        ring = ring_features(view, self.angles, self.spread) if self.ring else None
        return self.head(seen, probes, by_group, ring, self.angles)


@torch.no_grad()
def _scale(layer: nn.Module, scale: float) -> None:
    """Scales the first weights of a linear layer."""
    layer.get_parameter("weight").mul_(scale)


def _context() -> nn.Sequential:
    """A perceptron of the own embedding and the others' as one."""
    return nn.Sequential(nn.Linear(2 * EMBEDDING, CONTEXT_WIDTH), nn.ReLU(), nn.Linear(CONTEXT_WIDTH, EMBEDDING))


def _trunk() -> nn.Sequential:
    """A perceptron of embedding, context and `facts`."""
    inputs = 2 * EMBEDDING + SPHERE + len(RANGES) + SIZE_FEATURES
    return nn.Sequential(nn.Linear(inputs, TRUNK_WIDTH), nn.ReLU(), nn.Linear(TRUNK_WIDTH, TRUNK))


def facts(view: View) -> Tensor:
    """Features of networks beside behaviour.

    Returns:
        Mean point of the groups, report, and two numbers that say how many networks there are.
        `[M, S, SPHERE + 4 + SIZE_FEATURES]`
    """
    count = view.networks.expand_as(view.weights)
    sizes = torch.stack([1.0 / count, count.clamp(max=MOST_COUNTED) / COUNT_SCALE], dim=-1)
    return torch.cat([view.codes[..., :SPHERE].mean(2), view.kpis, sizes], dim=-1)


class RawHypernetwork(nn.Module):
    """Encoders of flat parameters, context, trunk, and a linear layer to the residual.

    A residual is one direction per network, scaled by the norm of the layer.

    Args:
        schema: Sizes of every network that it serves.
    """

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.schema = schema
        self.encoders = nn.ModuleList(nn.Linear(schema.size, EMBEDDING) for _ in KINDS)
        self.context = _context()
        self.trunk = _trunk()
        self.output = nn.Linear(TRUNK, math.prod(schema.last_layer))
        _scale(self.output, FIRST_RAW)
        nn.init.zeros_(self.output.bias)

    def forward(self, view: View, seen: Behaviour, probes: Tensor) -> Tensor:
        """Residuals relative to the norm of the layer. `[M, S, H, A]`"""
        if view.parameters is None or view.parameters.shape[-1] != self.schema.size:
            raise ValueError(f"parameters: the raw mapping takes flat vectors of {self.schema} only")
        by_kind = torch.stack([encoder(view.parameters) for encoder in self.encoders], dim=-2)
        embedding = _of_kind(by_kind, view.kinds)
        context = self.context(torch.cat([embedding, pooled(embedding, view)], dim=-1))
        summary = self.trunk(torch.cat([embedding, context, facts(view)], dim=-1))
        return self.output(summary).unflatten(-1, self.schema.last_layer)
