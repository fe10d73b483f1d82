"""What the service sees of networks: behaviour on the probes, reports, codes; letters in `agents.ccs.layout`."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from agents.lns.dqn import DqnServers
from agents.lns.network import Layers, hidden
from agents.lns.policy_gradient import PolicyGradientServers

KINDS = ("dqn", "pg")
"""Kinds of learners, by index; -1 is a legacy network."""

TEMPERATURES = (DqnServers.temperature, PolicyGradientServers.temperature)
"""What outputs are divided by to make logits, by kind: values are not logits yet."""


class View(NamedTuple):
    """All that a residual may depend on.

    Attributes:
        logits: On the probes, outputs over temperature. `[M, S, n, A]`
        kinds: Index in `KINDS`. int64 `[M, S]`
        kpis: Clipped reports. `[M, S, 4]`
        codes: Latent codes by group, on the unit sphere. `[M, S, Q, Z]`
        weights: How much a network counts for the others, at least 0; 0: not there. `[M, S]`
        parameters: Flat, only read by the baseline on raw weights; else None. `[M, S, P]`
        pooling: How the others are seen as one, of `POOLINGS`.
    """

    logits: Tensor
    kinds: Tensor
    kpis: Tensor
    codes: Tensor
    weights: Tensor
    parameters: Tensor | None = None
    pooling: str = "mean"

    @property
    def networks(self) -> Tensor:
        """How many have any weight, at least 1. int64 `[M, 1]`"""
        return (self.weights > 0.0).sum(1, keepdim=True).clamp(min=1)


def temperatures(kinds: Tensor) -> Tensor:
    """Of kinds; 1 for legacy networks. `[...]`"""
    return torch.tensor((*TEMPERATURES, 1.0))[kinds]


def features(layers: Layers, observations: Tensor) -> Tensor:
    """Last hidden features and a constant 1 `[..., rows, H]`."""
    found = hidden(layers, observations)
    return torch.cat([found, found.new_ones(*found.shape[:-1], 1)], dim=-1)


def last_layer(layers: Layers) -> Tensor:
    """Weights with the bias as last row `[..., H, A]`."""
    return torch.cat([layers.weights[-1], layers.biases[-1][..., None, :]], dim=-2)


def others_mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighed mean over the other networks of a world; 0 where there is none.

    Args:
        values: `[M, S, ...]`
        weights: `[M, S]`
    """
    own = weights.reshape(*weights.shape, *[1] * (values.dim() - 2))
    rest = own.sum(1, keepdim=True) - own
    weighed = own * values
    mean = (weighed.sum(1, keepdim=True) - weighed) / rest.clamp(min=1e-6)
    return torch.where(rest > 1e-6, mean, 0.0)


def others_median(values: Tensor, weights: Tensor) -> Tensor:
    """The weighed median over the other networks of a world, number by number; 0 where there is none.

    Between two values that share the middle it is their mean; so with one other or two it is the mean over them. Who
    has less than half of the others' weight cannot move it beyond what the rest report.

    Args:
        values: `[M, S, ...]`
        weights: `[M, S]`
    """
    ordered, order = values.flatten(2).mT.contiguous().sort(-1)  # [M, numbers, S]
    own = (weights / weights.amax(1, keepdim=True).clamp(min=1e-9))[:, None].expand_as(ordered)
    mass, rank = own.gather(-1, order).cumsum(-1), order.argsort(-1)
    rest = mass[..., -1:] - own
    ends = []
    for aside in (-1e-5, 1e-5):  # a hair below and above the middle
        middle = rest * (0.5 + aside)
        before, behind = torch.searchsorted(mass, middle), torch.searchsorted(mass, middle + own)
        place = torch.where(before < rank, before, behind)  # of the own value nothing counts
        ends.append(ordered.gather(-1, place.clamp(max=values.shape[1] - 1)))
    median = torch.where(rest > 1e-6, (ends[0] + ends[1]) / 2.0, 0.0)
    return median.mT.reshape(values.shape)


POOLINGS = {"mean": others_mean, "median": others_median}
"""Ways of seeing the others as one."""


def pooled(values: Tensor, view: View) -> Tensor:
    """The others as one, from each network `[M, S, ...]`, of values of all of the same shape."""
    return POOLINGS[view.pooling](values, view.weights)
