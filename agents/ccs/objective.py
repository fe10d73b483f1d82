"""What the service is trained to do (paper 000, Eq. (4) and (5)); letters in `agents.ccs.layout`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from agents.ccs.codes import SPHERE
from agents.ccs.layout import Layout

MINIMUM_WEIGHT = 0.5
"""Of the worst learner's utility beside the mean: the guard of fairness."""

CALM_PRR, CONGESTED_RANGE, LEAST_DIVERSITY = 0.88, 0.3, 0.05
"""Mean PRR at which diversity is worth least, how far below it is worth all, and the least share of its weight."""

LEAST_CHANCE = 1e-12
"""In entropies, whose gradient at 0 is infinite: sharp policies of values reach it."""


def task(utility: Tensor, learners: Tensor) -> Tensor:
    """L_task of every world `[M]`: less the mean utility of all, legacy too, and half the least of the learners.

    Args:
        utility: `[M, S]`
        learners: Which networks learn. int64 `[L]`
    """
    least = utility[:, learners].amin(1)
    return -(utility.mean(1) + MINIMUM_WEIGHT * least) / (1.0 + MINIMUM_WEIGHT)


def jensen_shannon(first: Tensor, second: Tensor) -> Tensor:
    """Divergence of distributions `[..., C]`, from 0 to log 2. nats `[...]`"""
    first, second = (chances.clamp(min=LEAST_CHANCE) for chances in (first, second))
    entropies = (torch.special.entr(first) + torch.special.entr(second)).sum(-1)
    return torch.special.entr((first + second) / 2.0).sum(-1) - entropies / 2.0


def diversity(marginals: Tensor) -> Tensor:
    """L_div of every world `[M]`: less the mean divergence of pairs, on the same states; 0 where there is no pair.

    Args:
        marginals: Of each member of pairs, chances of channels in each state. `[M, L, states, C]`

    Source: paper 000, Eq. (5).
    """
    first, second = torch.triu_indices(marginals.shape[1], marginals.shape[1], 1)
    if not len(first):
        return marginals.new_zeros(len(marginals))
    return -jensen_shannon(marginals[:, first], marginals[:, second]).mean((1, 2))


def congestion(prr: Tensor) -> Tensor:
    """What share of its weight diversity has in a world `[M]`, of its networks' PRR `[M, L]`."""
    return ((CALM_PRR - prr.mean(1)) / CONGESTED_RANGE).clamp(LEAST_DIVERSITY, 1.0)


class Discriminator(nn.Module):
    """Says which network chose so in a state: the one whose code its output points at.

    Args:
        layout: Of observations and actions.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        inputs = layout.features + layout.channels
        self.layers = nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, SPHERE))

    def forward(self, states: Tensor, marginals: Tensor, codes: Tensor) -> Tensor:
        """L_adv: cross entropy of the network, which both sides lower.

        Args:
            states: Observations. `[M, states, D]`
            marginals: Of each network in each state. `[M, L, states, C]`
            codes: Of which the points count. `[M, L, Z]`
        """
        count = marginals.shape[1]
        seen = states[:, None].expand(-1, count, -1, -1)
        logits = self.layers(torch.cat([seen, marginals], dim=-1)) @ codes[:, None, :, :SPHERE].mT  # [M, L, states, L]
        target = torch.arange(count)[:, None].expand(logits.shape[:-1])
        return cross_entropy(logits.flatten(0, -2), target.flatten())
