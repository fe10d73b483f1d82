"""Encoders of behaviour, one per kind of learner; letters in `agents.ccs.layout`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.ccs.view import KINDS

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
