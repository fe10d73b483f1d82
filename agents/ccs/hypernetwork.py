"""The hypernetwork: from behaviour on the probes to wanted shifts of logits; letters in `agents.ccs.layout`.

Encoders of behaviour, one per kind of learner; letters in `agents.ccs.layout`.

The plain hypernetwork of the CCS paper, read literally: from flattened weights to a residual of the last layer.

A baseline. It knows nothing of what the weights do, so that neither permuted channels nor another architecture mean
anything to it, and its residual is one direction per network, scaled by the layer's norm.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.ccs.layout import KINDS, Layout, View, pooled
from agents.ccs.protocol import RANGES
from agents.ccs.ring import SPHERE, STANDING, TOLD, Around, angles, standing
from agents.lns.network import Schema

EMBEDDING = 32


class SharedEncoder(nn.Module):
    """The same perceptron for every channel, then mean and maximum over channels: their numbers do not matter.

    Args:
        probes: n.
        channels: C; any number will do.
    """

    def __init__(self, probes: int, channels: int) -> None:
        super().__init__()
        self.by_channel = nn.Sequential(nn.Linear(probes, 64), nn.ReLU(), nn.Linear(64, 48), nn.ReLU())
        self.output = nn.Linear(96, EMBEDDING)

    def forward(self, marginals: Tensor) -> Tensor:
        """Embeddings `[..., 32]` of chances of channels on the probes `[..., n, C]`."""
        found = self.by_channel(marginals.mT)
        return self.output(torch.cat([found.mean(-2), found.amax(-2)], dim=-1))


class FlatEncoder(nn.Sequential):
    """The encoder of the study: a perceptron of all chances, which knows channels by their numbers.

    Args:
        probes: n.
        channels: C.
    """

    def __init__(self, probes: int, channels: int) -> None:
        sizes = probes * channels, 96
        super().__init__(nn.Flatten(-2), nn.Linear(*sizes), nn.ReLU(), nn.Linear(sizes[1], EMBEDDING))


ENCODERS: dict[str, type[SharedEncoder] | type[FlatEncoder]] = {"shared": SharedEncoder, "flat": FlatEncoder}


class Encoders(nn.Module):
    """One encoder per kind.

    Args:
        name: Of the encoder, a key of `ENCODERS`.
        probes: n.
        channels: C.
    """

    def __init__(self, name: str, probes: int, channels: int) -> None:
        super().__init__()
        self.kinds = nn.ModuleList(ENCODERS[name](probes, channels) for _ in KINDS)

    def forward(self, marginals: Tensor, kinds: Tensor) -> Tensor:
        """Embeddings `[..., 32]` of chances `[..., n, C]` of learners of these kinds `[...]`."""
        found = torch.stack([encoder(marginals) for encoder in self.kinds], dim=-2)
        return found.gather(-2, kinds[..., None, None].expand(*kinds.shape, 1, EMBEDDING)).squeeze(-2)


TRUNK = 32
CHUNK = 32
"""Networks whose channel scores are computed at once without gradients, so that they fit a processor's cache."""


class Behaviour(NamedTuple):
    """Policies on the probes, seen from each network.

    Attributes:
        logits: `[M, S, n, A]`
        own: Chances of channels. `[M, S, n, C]`
        others: Their weighed mean over the other networks. `[M, S, n, C]`
    """

    logits: Tensor
    own: Tensor
    others: Tensor

    @property
    def overlap(self) -> Tensor:
        """Mean over probes of what own and others' chances have in common `[M, S]`."""
        return torch.minimum(self.own, self.others).sum(-1).mean(-1)


def behaviour(view: View, layout: Layout) -> Behaviour:
    """How networks behave on the probes."""
    own = layout.marginals(view.logits.softmax(-1))
    return Behaviour(view.logits, own, pooled(own, view))


class ChannelHead(nn.Module):
    """A perceptron of what is known of a (probe, channel): own and others' chances, the probe, the trunk, the code.

    It gives a shift for each of the channel's actions: a network that leaves a channel may want another SF there. After
    its first layer channels hear of one another around the ring.

    Its first layer is one product per network: what the trunk and a group's code add is a row of the weights that the
    one-hot group of the probe picks, so that they are not repeated for every probe and channel.

    Args:
        layout: Of observations and actions.
        embedding: Numbers of a learned embedding of channels; 0: channels are known by what is seen of them only.
        width: Of both hidden layers.
        ring: Whether channels are also known by where they stand on their ring, and hear of one another around it.
    """

    def __init__(self, layout: Layout, embedding: int, width: int, ring: bool) -> None:
        super().__init__()
        self.layout = layout
        self.of_pair = nn.Linear(5 + 3 + embedding + ring * STANDING, width)
        self.of_group = nn.Linear(TRUNK + SPHERE + layout.groups, width, bias=False)
        self.around = Around(layout.channels, width) if ring else None
        shifts = nn.Linear(width, layout.offsets * layout.powers)
        self.rest = nn.Sequential(nn.Linear(width + ring * TOLD, width), nn.ReLU(), shifts)
        self.channels = nn.Parameter(0.3 * torch.randn(layout.channels, embedding))
        scaled(self.rest[-1], 0.3)

    def forward(self, seen: Behaviour, probes: Tensor, of_network: Tensor, stands: Tensor | None, at: Tensor) -> Tensor:
        """Shifts of logits, centred under the own policy `[M, S, n, A]`.

        Args:
            seen: How the networks behave.
            probes: `[n, D]`
            of_network: Trunk and code by group. `[M, S, Q, TRUNK + Z]`
            stands: On the ring, see `agents.ccs.ring.standing`; None: there is none. `[M, S, Q, C, STANDING]`
            at: Angles of channels, not read without a ring. rad `[C]`
        """
        size = self.layout.groups
        of_network = of_network.flatten(0, 1)
        group = torch.eye(size).expand(len(of_network), size, size)
        by_group = self.of_group(torch.cat([of_network, group], dim=-1)) + self.of_pair.bias
        weights = torch.cat([by_group, self.of_pair.weight.T.expand(len(by_group), -1, -1)], dim=1)
        pairs, by_probe = self._pairs(seen), self._of_probe(probes)
        if stands is not None:
            pairs = torch.cat([pairs, stands.repeat(1, 1, pairs.shape[2] // self.layout.groups, 1, 1)], dim=-1)
        pairs = pairs.flatten(0, 1)
        at_once = len(pairs) if torch.is_grad_enabled() else CHUNK
        parts = [self._scores(*part, by_probe, at) for part in zip(pairs.split(at_once), weights.split(at_once))]
        shifts = torch.cat(parts).view_as(seen.logits)
        return shifts - (seen.logits.softmax(-1) * shifts).sum(-1, keepdim=True)

    def _scores(self, pairs: Tensor, weights: Tensor, by_probe: Tensor, at: Tensor) -> Tensor:
        inputs = torch.cat([by_probe.expand(len(pairs), -1, -1, -1), pairs], dim=-1)
        hidden = torch.bmm(inputs.flatten(1, 2), weights).relu()
        if self.around is not None:
            hidden = torch.cat([hidden, self.around(hidden, at)], dim=-1)
        return self.rest(hidden)

    def _pairs(self, seen: Behaviour) -> Tensor:
        """Own score, own and others' chances, own in other groups of the pattern, others' over its groups."""
        groups = self.layout.groups
        scores = self.layout.scores(seen.logits)
        scores = ((scores - scores.amax(-1, keepdim=True)) / 5.0).clamp(min=-3.0)
        own, others = (chances.unflatten(2, (-1, groups)) for chances in (seen.own, seen.others))
        elsewhere = (own.sum(3, keepdim=True) - own) / max(groups - 1, 1)
        anywhere = others.mean(3, keepdim=True).expand_as(others)
        return torch.stack([scores, seen.own, seen.others, elsewhere.flatten(2, 3), anywhere.flatten(2, 3)], dim=-1)

    def _of_probe(self, probes: Tensor) -> Tensor:
        """One-hot group, embedding and features of channels `[n, C, Q + embedding + 3]`."""
        by_channel = self.layout.by_channel(probes)
        group = self.layout.one_hot(probes)[:, None].expand(-1, by_channel.shape[1], -1)
        return torch.cat([group, self.channels.expand(len(probes), -1, -1), by_channel], dim=-1)


class Hypernetwork(nn.Module):
    """Encoders, context, trunk, and the heads that say how logits on the probes should shift.

    Args:
        layout: Of observations and actions.
        probes: n.
        encoder: Name of the encoder.
        channel_embedding: Numbers of a learned embedding of channels.
        width: Of the channel head.
        ring: See `ChannelHead`.
        spread: See `agents.ccs.ring.spread_out`.

    Attributes:
        angles: Where channels stand on their ring. rad `[C]`

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
        self.context = nn.Sequential(nn.Linear(2 * EMBEDDING, 64), nn.ReLU(), nn.Linear(64, EMBEDDING))
        self.trunk = trunk(2 * EMBEDDING)
        self.head = ChannelHead(layout, channel_embedding, width, ring)

    def forward(self, view: View, seen: Behaviour, probes: Tensor) -> Tensor:
        """Wanted shifts, before any gate `[M, S, n, A]`."""
        embedding = self.encoders(seen.own, view.kinds)
        context = self.context(torch.cat([embedding, pooled(embedding, view)], dim=-1))
        summary = self.trunk(torch.cat([embedding, context, facts(view)], dim=-1))
        points = view.codes[..., :SPHERE]
        by_group = torch.cat([summary[:, :, None].expand(*points.shape[:-1], -1), points], dim=-1)
        stands = standing(view, self.angles, self.spread) if self.ring else None
        return self.head(seen, probes, by_group, stands, self.angles)


@torch.no_grad()
def scaled(layer: nn.Module, scale: float) -> None:
    """Makes the first weights of a linear layer smaller."""
    layer.get_parameter("weight").mul_(scale)


def trunk(embeddings: int) -> nn.Sequential:
    """A perceptron of embeddings and `facts`."""
    return nn.Sequential(nn.Linear(embeddings + SPHERE + len(RANGES) + 2, 96), nn.ReLU(), nn.Linear(96, TRUNK))


def facts(view: View) -> Tensor:
    """What is known of networks beside behaviour: mean code, report, how many there are `[M, S, Z + 6]`."""
    count = view.networks.expand_as(view.weights)
    sizes = torch.stack([1.0 / count, count.clamp(max=8) / 4.0], dim=-1)
    return torch.cat([view.codes[..., :SPHERE].mean(2), view.kpis, sizes], dim=-1)


class RawHypernetwork(nn.Module):
    """Encoders of flat parameters, context, trunk, and a linear layer to the residual.

    Args:
        schema: Of every network that it serves.
    """

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.schema = schema
        self.encoders = nn.ModuleList(nn.Linear(schema.size, EMBEDDING) for _ in KINDS)
        self.context = nn.Sequential(nn.Linear(2 * EMBEDDING, 64), nn.ReLU(), nn.Linear(64, EMBEDDING))
        self.trunk = trunk(2 * EMBEDDING)
        self.output = nn.Linear(TRUNK, math.prod(schema.last_layer))
        with torch.no_grad():
            self.output.weight.mul_(0.02)
            self.output.bias.zero_()

    def forward(self, view: View, seen: Behaviour, probes: Tensor) -> Tensor:
        """Residuals relative to the norm of the layer `[M, S, H, A]`."""
        if view.parameters is None or view.parameters.shape[-1] != self.schema.size:
            raise ValueError(f"parameters: the raw mapping takes flat vectors of {self.schema} only")
        found = torch.stack([encoder(view.parameters) for encoder in self.encoders], dim=-2)
        embedding = found.gather(-2, view.kinds[..., None, None].expand(*view.kinds.shape, 1, EMBEDDING)).squeeze(-2)
        context = self.context(torch.cat([embedding, pooled(embedding, view)], dim=-1))
        summary = self.trunk(torch.cat([embedding, context, facts(view)], dim=-1))
        return self.output(summary).unflatten(-1, self.schema.last_layer)
