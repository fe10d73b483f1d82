"""How observations and actions of a group are laid out, and what permuting the channels does to them.

Letters of the package: M worlds, S networks, Q groups of a network, D features of a group, C channels, O offsets, T
powers, A = C O T actions, n probes, H features of the last hidden layer, the constant 1 included, P parameters of a
network, Z numbers of a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from agents.lns.dqn import DqnServers
from agents.lns.network import Layers
from agents.lns.policy_gradient import PolicyGradientServers


@dataclass(frozen=True)
class Layout:
    """Sizes of a group's observation and actions.

    A group sees, in this order: per channel the acknowledgement ratio, the share of own attempts, the level of
    interference; per offset the ratio and the share; four numbers of its network; one-hot group; two of its own.
    An action is (channel * O + offset) * T + power.

    Attributes:
        channels: C.
        offsets: O.
        powers: T.
        groups: Q.
    """

    channels: int = 8
    offsets: int = 3
    powers: int = 2
    groups: int = 4

    @property
    def actions(self) -> int:
        """A."""
        return self.channels * self.offsets * self.powers

    @property
    def features(self) -> int:
        """D."""
        return 3 * self.channels + 2 * self.offsets + 4 + self.groups + 2

    def by_channel(self, observations: Tensor) -> Tensor:
        """The features that channels have: ratio, share, interference `[..., C, 3]`."""
        return observations[..., : 3 * self.channels].unflatten(-1, (3, self.channels)).mT

    def one_hot(self, observations: Tensor) -> Tensor:
        """Which group it is `[..., Q]`."""
        return observations[..., -self.groups - 2 : -2]

    def scores(self, logits: Tensor) -> Tensor:
        """Logits of channels `[..., C]`: log-sum-exp over offsets and powers, of logits `[..., A]`."""
        return logits.unflatten(-1, (self.channels, -1)).logsumexp(-1)

    def marginals(self, policy: Tensor) -> Tensor:
        """Chances of channels `[..., C]` under policies `[..., A]`."""
        return policy.unflatten(-1, (self.channels, -1)).sum(-1)

    def feature_order(self, order: Tensor) -> Tensor:
        """Which old feature a new one is `[..., D]`, where channel c is channel `order[..., c]` of before."""
        fixed = torch.arange(3 * self.channels, self.features).expand(*order.shape[:-1], -1)
        return torch.cat([order, order + self.channels, order + 2 * self.channels, fixed], dim=-1)

    def action_order(self, order: Tensor) -> Tensor:
        """Which old action a new one is `[..., A]`."""
        rest = self.offsets * self.powers
        return (order[..., None] * rest + torch.arange(rest)).flatten(-2)

    def permuted_observations(self, observations: Tensor, order: Tensor) -> Tensor:
        """Observations `[..., D]` of the same air, channels numbered anew; `order` `[..., C]` broadcasts."""
        index = self.feature_order(order)
        return observations.gather(-1, index.expand(*observations.shape[:-1], -1))

    def permuted_actions(self, values: Tensor, order: Tensor) -> Tensor:
        """Likewise of whatever belongs to actions `[..., A]`."""
        return values.gather(-1, self.action_order(order).expand(*values.shape[:-1], -1))

    def permuted_layers(self, layers: Layers, order: Tensor) -> Layers:
        """Networks `[..., in, out]` that do on permuted observations what these do, permuted; `order` `[..., C]`."""
        rows, columns = self.feature_order(order)[..., None], self.action_order(order)
        first = layers.weights[0].gather(
            -2, rows.expand(*layers.weights[0].shape[:-2], -1, layers.weights[0].shape[-1])
        )
        last = layers.weights[-1]
        last = last.gather(-1, columns[..., None, :].expand(*last.shape[:-1], -1))
        bias = layers.biases[-1].gather(-1, columns.expand(*layers.biases[-1].shape[:-1], -1))
        return Layers((first, *layers.weights[1:-1], last), (*layers.biases[:-1], bias))


def random_orders(count: int, channels: int, generator: torch.Generator) -> Tensor:
    """Random permutations of the channels. int64 `[count, C]`"""
    return torch.rand(count, channels, generator=generator).argsort(-1)


def probes_of(observations: Tensor, patterns: int, layout: Layout, generator: torch.Generator) -> Tensor:
    """Public probe observations: what networks in rollouts saw, channels permuted at random.

    Args:
        observations: Of the groups of a network. `[..., Q, D]`
        patterns: Networks' views that are drawn, without repetition.
        layout: Of the observations.
        generator: Draws.

    Returns:
        Probe `i Q + q` is group q's view in pattern i. `[patterns * Q, D]`

    Raises:
        ValueError: fewer views than patterns.
    """
    views = observations.flatten(0, -3)
    if len(views) < patterns:
        raise ValueError(f"patterns = {patterns}: observations hold only {len(views)} views of a network")
    drawn = views[torch.randperm(len(views), generator=generator)[:patterns]]
    orders = random_orders(patterns, layout.channels, generator)
    return layout.permuted_observations(drawn, orders[:, None]).flatten(0, 1)


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
