"""How the arrays of the service are laid out: observations and actions of a group, and the view of all networks.

Letters of the package: `M` worlds, `S` networks, `L` networks that learn, `Q` groups of a network, `D` features of a
group, `C` channels, `O` offsets, `T` powers, `A` = C O T actions, `n` probes, `H` inputs of the last layer (the last
hidden features and a constant 1), `P` parameters of a network, `Z` numbers of a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from agents.lns.dqn import DqnServers
from agents.lns.network import Layers
from agents.lns.policy_gradient import PolicyGradientServers
from lora_marl.core.checks import check_count

BY_CHANNEL, BY_OFFSET = ("received_channel", "share_channel", "busy_channel"), ("received_offset", "share_offset")
OF_NETWORK, OF_GROUP = ("prr", "trend", "queue", "repeats"), ("received", "energy")
"""Features of a group's observation, by what there is one of; between the last two, one-hot, which group it is."""

KINDS = ("dqn", "pg")
"""Kinds of learners, by index; -1 is a network that does not learn."""

LETTER_OF = {"dqn": "D", "pg": "P", "uniform": "L", "adr": "A"}
"""Letters of learners and of the rules of other networks, in the name of a mixture."""

TEMPERATURES = (DqnServers.temperature, PolicyGradientServers.temperature)
"""Divisors that turn outputs into logits, by kind: action values are no logits yet."""

MOST_OF_A_KIND = 512
"""Channels, offsets, powers and groups of a layout: far more than any region has, and little to name one by one."""

CHUNK = 32
"""Networks that are computed at once where no gradients are needed, so that they fit a processor's cache."""

LEAST_WEIGHT = 1e-6
"""Others of less weight together count as none."""

LEAST_SCALE = 1e-9
"""Weights are divided by the largest one, or by this if all are smaller."""

MIDDLE_WIDTH = 1e-5
"""How far below and above the middle of all weight a median is read, relative to that weight, against rounding."""


@dataclass(frozen=True)
class Layout:
    """Sizes of a group's observation and actions.

    A group observes the features of `feature_names`. An action is (channel * O + offset) * T + power.

    Attributes:
        channels: C.
        offsets: O.
        powers: T.
        groups: Q.

    Raises:
        ValueError: one of them is no whole number from 1 to `MOST_OF_A_KIND`.
    """

    channels: int = 8
    offsets: int = 3
    powers: int = 2
    groups: int = 4

    def __post_init__(self) -> None:
        for name in ("channels", "offsets", "powers", "groups"):
            check_count(name, value := getattr(self, name))
            if value > MOST_OF_A_KIND:
                raise ValueError(f"{name}: {value} is more than {MOST_OF_A_KIND}")

    @property
    def actions(self) -> int:
        """A."""
        return self.channels * self.offsets * self.powers

    @property
    def features(self) -> int:
        """D."""
        return len(self.feature_names)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features of a group in the environment, in order. `[D]`"""
        by_channel = (f"{name}_{channel}" for name in BY_CHANNEL for channel in range(self.channels))
        by_offset = (f"{name}_{offset}" for name in BY_OFFSET for offset in range(self.offsets))
        group = (f"is_{group}" for group in range(self.groups))
        return (*by_channel, *by_offset, *OF_NETWORK, *group, *OF_GROUP)

    def by_channel(self, observations: Tensor) -> Tensor:
        """The features of channels: received share, share of own attempts, how busy. `[..., C, 3]`"""
        kinds = len(BY_CHANNEL)
        return observations[..., : kinds * self.channels].unflatten(-1, (kinds, self.channels)).mT

    def one_hot(self, observations: Tensor) -> Tensor:
        """Which group it is, one-hot. `[..., Q]`"""
        end = -len(OF_GROUP)
        return observations[..., end - self.groups : end]

    def scores(self, logits: Tensor) -> Tensor:
        """Logits of channels: log-sum-exp over offsets and powers of logits `[..., A]`. `[..., C]`"""
        return logits.unflatten(-1, (self.channels, -1)).logsumexp(-1)

    def marginals(self, policy: Tensor) -> Tensor:
        """Chances of channels under policies `[..., A]`. `[..., C]`"""
        return policy.unflatten(-1, (self.channels, -1)).sum(-1)

    def feature_order(self, order: Tensor) -> Tensor:
        """Which old feature a new one is, where channel c is channel `order[..., c]` of before. int64 `[..., D]`"""
        kinds = len(BY_CHANNEL)
        fixed = torch.arange(kinds * self.channels, self.features).expand(*order.shape[:-1], -1)
        return torch.cat([*(order + kind * self.channels for kind in range(kinds)), fixed], dim=-1)

    def action_order(self, order: Tensor) -> Tensor:
        """Which old action a new one is, of orders of channels `[..., C]`. int64 `[..., A]`"""
        rest = self.offsets * self.powers
        return (order[..., None] * rest + torch.arange(rest)).flatten(-2)

    def permuted_observations(self, observations: Tensor, order: Tensor) -> Tensor:
        """Observations `[..., D]` of the same air with channels numbered anew; `order` `[..., C]` broadcasts."""
        index = self.feature_order(order)
        return observations.gather(-1, index.expand(*observations.shape[:-1], -1))

    def permuted_actions(self, values: Tensor, order: Tensor) -> Tensor:
        """Values of actions `[..., A]` with channels numbered anew; `order` `[..., C]` broadcasts."""
        return values.gather(-1, self.action_order(order).expand(*values.shape[:-1], -1))

    def permuted_layers(self, layers: Layers, order: Tensor) -> Layers:
        """Networks that do on permuted observations what these do, permuted.

        Args:
            layers: `[..., in, out]`
            order: Order of the channels. int64 `[..., C]`
        """
        rows, columns = self.feature_order(order)[..., None], self.action_order(order)
        first, last, bias = layers.weights[0], layers.weights[-1], layers.biases[-1]
        first = first.gather(-2, rows.expand(*first.shape[:-2], -1, first.shape[-1]))
        last = last.gather(-1, columns[..., None, :].expand(*last.shape[:-1], -1))
        bias = bias.gather(-1, columns.expand(*bias.shape[:-1], -1))
        return Layers((first, *layers.weights[1:-1], last), (*layers.biases[:-1], bias))


def random_orders(count: int, channels: int, generator: torch.Generator) -> Tensor:
    """Draws permutations of the channels. int64 `[count, C]`"""
    return torch.rand(count, channels, generator=generator).argsort(-1)


def probes_of(observations: Tensor, patterns: int, layout: Layout, generator: torch.Generator) -> Tensor:
    """Draws public probe observations: what networks in rollouts observed, with channels permuted at random.

    Args:
        observations: Observations of the groups of a network. `[..., Q, D]`
        patterns: How many observations of a whole network are drawn, without repetition.
        layout: Layout of the observations.
        generator: Random generator.

    Returns:
        Probe `i Q + q` is what group q observes in pattern i. `[patterns * Q, D]`

    Raises:
        ValueError: fewer observations than patterns.
    """
    views = observations.flatten(0, -3)
    if len(views) < patterns:
        raise ValueError(f"patterns = {patterns}: observations hold only {len(views)} views of a network")
    drawn = views[torch.randperm(len(views), generator=generator)[:patterns]]
    orders = random_orders(patterns, layout.channels, generator)
    return layout.permuted_observations(drawn, orders[:, None]).flatten(0, 1)


class View(NamedTuple):
    """The networks as the service sees them: everything that a residual may depend on.

    Attributes:
        logits: Outputs on the probes over temperature. `[M, S, n, A]`
        kinds: Index in `KINDS`. int64 `[M, S]`
        kpis: Reports within their ranges. `[M, S, 4]`
        codes: Latent codes by group (`agents.ccs.ring`). `[M, S, Q, Z]`
        weights: How much a network counts for the others, at least 0; 0: it is not present. `[M, S]`
        parameters: Flat parameters, read by the baseline on raw weights only; else None. `[M, S, P]`
        pooling: How the others are seen as one, a key of `POOLINGS`.
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
        """How many networks have any weight, at least 1. int64 `[M, 1]`"""
        return (self.weights > 0.0).sum(1, keepdim=True).clamp(min=1)


def temperatures(kinds: Tensor) -> Tensor:
    """Divisors that turn outputs of kinds into logits; 1 for networks that do not learn. `[...]`"""
    return torch.tensor((*TEMPERATURES, 1.0))[kinds]


def others_mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean over the other networks of a world; 0 where there is no other.

    Args:
        values: `[M, S, ...]`
        weights: At least 0. `[M, S]`

    Returns:
        `[M, S, ...]`
    """
    weights = weights.reshape(*weights.shape, *[1] * (values.dim() - 2))
    rest = weights.sum(1, keepdim=True) - weights
    weighted = weights * values
    mean = (weighted.sum(1, keepdim=True) - weighted) / rest.clamp(min=LEAST_WEIGHT)
    return torch.where(rest > LEAST_WEIGHT, mean, 0.0)


def others_median(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted median over the other networks of a world, number by number; 0 where there is no other.

    Between two values that share the middle it is their mean, so that with one or two others it is the mean over them.
    Networks with less than half of the others' weight cannot move it beyond what the rest report.

    Args:
        values: `[M, S, ...]`
        weights: At least 0. `[M, S]`

    Returns:
        `[M, S, ...]`
    """
    ordered, order = values.flatten(2).mT.contiguous().sort(-1)  # [M, numbers, S]
    share = (weights / weights.amax(1, keepdim=True).clamp(min=LEAST_SCALE))[:, None].expand_as(ordered)
    mass, rank = share.gather(-1, order).cumsum(-1), order.argsort(-1)
    rest = mass[..., -1:] - share
    ends = []
    for aside in (-MIDDLE_WIDTH, MIDDLE_WIDTH):
        middle = rest * (0.5 + aside)
        before, behind = torch.searchsorted(mass, middle), torch.searchsorted(mass, middle + share)
        place = torch.where(before < rank, before, behind)  # its own value does not count
        ends.append(ordered.gather(-1, place.clamp(max=values.shape[1] - 1)))
    median = torch.where(rest > LEAST_WEIGHT, (ends[0] + ends[1]) / 2.0, 0.0)
    return median.mT.reshape(values.shape)


POOLINGS = {"mean": others_mean, "median": others_median}
"""How the other networks are seen as one, by name."""


def pooled(values: Tensor, view: View) -> Tensor:
    """The others as one, seen from each network, of values of all `[M, S, ...]`. `[M, S, ...]`"""
    return POOLINGS[view.pooling](values, view.weights)
