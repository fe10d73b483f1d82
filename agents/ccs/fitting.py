"""Fits the constants of the proxy of the air to packet runs, by maximum likelihood; letters in `agents.ccs.proxy`.

Of n attempts of a group in a segment of time, r are received. -log likelihood is

    -r log p - (n - r) log(1 - p) + weight * (m - n log m),

p the proxy's chance of success (binomial) and m the attempts it expects (Poisson). What only a product of constants
decides is fixed: the geometric mean of `weak` and of `loud` is 1, as are `weak_in_bursts` of the group of the worst
links and both constants of the highest power.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from agents.ccs.dataset import Worlds
from agents.ccs.proxy import Constants, Expected, Proxy

STEPS, LEARNING_RATE = 80, 0.08
"""Steps and learning rate of Adam, which moves all constants on the whole line."""

ATTEMPTS_WEIGHT = 0.3
"""Weight of the number of attempts, whose variance exceeds Poisson's: attempts come in frames of up to four."""

LEAST_CHANCE = 1e-4
"""Chances are kept so far from 0 and 1, where the likelihood is infinite."""

LEAST_ATTEMPTS = 1e-3
"""Expected attempts are at least as many, for the logarithm."""

DECILES = 10
"""Parts of equally many groups in which the quality of a fit is reported."""

WEAK_IN_BURSTS_LOGIT, ANSWER_S, DEAF_S = 2.0, 1.0, 0.2
"""Where a fit begins for constants that are trivial by hand: logit of `weak_in_bursts`, and times of downlinks in s."""

Raw = dict[str, Tensor]
"""Constants on the whole line: logits of chances, logarithms of the others."""


@dataclass(frozen=True)
class Segments:
    """Attempts under operating points while they were in force: M segments of time in any worlds.

    Attributes:
        worlds: M worlds.
        actions: Actions of groups; those of networks that do not learn have no meaning. int64 `[M, S, Q]`
        attempts, received: Attempts of a group, and those received. `[M, S, Q]`
        length_s: Length of a segment. s
    """

    worlds: Worlds
    actions: Tensor
    attempts: Tensor
    received: Tensor
    length_s: float

    @classmethod
    def of(cls, parts: Sequence[tuple[Mapping[str, NDArray], NDArray, NDArray, NDArray]], length_s: float) -> Segments:
        """Segments of parts, each facts of worlds, actions, attempts and received."""
        facts, *counts = zip(*parts, strict=True)
        actions, attempts, received = (torch.from_numpy(np.concatenate(count)) for count in counts)
        worlds = Worlds.joined([Worlds.of(arrays) for arrays in facts])
        return cls(worlds, actions, attempts.float(), received.float(), length_s)


def expected(proxy: Proxy, data: Segments) -> Expected:
    """The expectation of the proxy in segments. `[M, S, ...]`"""
    offsets, powers = data.worlds.link.shape[3:]
    actions = data.worlds.occupancy.shape[-1] * offsets * powers
    return proxy(one_hot(data.actions, actions).float(), data.worlds)


def loss(proxy: Proxy, parts: Sequence[Segments]) -> Tensor:
    """-log likelihood of packet runs per attempt. nats `[]`"""
    losses = []
    for data in parts:
        predicted, attempts = expected(proxy, data), data.attempts
        chance = predicted.success.clamp(LEAST_CHANCE, 1.0 - LEAST_CHANCE)
        mean = (predicted.attempts_hz * data.length_s).clamp(min=LEAST_ATTEMPTS)
        binomial = -data.received * chance.log() - (attempts - data.received) * (1.0 - chance).log()
        losses.append((binomial + ATTEMPTS_WEIGHT * (mean - attempts * mean.log())).sum())
    return torch.stack(losses).sum() / sum(float(data.attempts.sum()) for data in parts)


def fit(
    parts: Sequence[Segments], *, downlinks: bool, progress: Callable[[int], object], steps: int = STEPS
) -> Constants:
    """Finds the constants under which what was received is likeliest, by Adam from near those set by hand.

    Args:
        parts: Packet runs.
        downlinks: Whether acknowledgements are sent, so that they cost time.
        progress: Called with the number of steps taken.
        steps: Steps of Adam.
    """
    groups, powers = parts[0].actions.shape[-1], parts[0].worlds.link.shape[-1]
    raw = start(groups, powers, downlinks=downlinks)
    adam = torch.optim.Adam(raw.values(), lr=LEARNING_RATE)
    for step in range(steps):
        adam.zero_grad()
        loss(Proxy(constants_of(raw)), parts).backward()
        adam.step()
        progress(step + 1)
    fitted = constants_of(raw)
    return Constants(**{name: value.detach() for name, value in vars(fitted).items()})


def start(groups: int, powers: int, *, downlinks: bool) -> Raw:
    """The numbers from which a fit begins: near the constants set by hand, all groups and powers alike."""
    hand = Constants()
    raw = {name: getattr(hand, name).logit() for name in ("same_sf", "other_sf", "burst")}
    raw |= {"weak": torch.zeros(groups), "loud": torch.zeros(groups)}
    raw["weak_in_bursts"] = torch.full((groups - 1,), WEAK_IN_BURSTS_LOGIT)
    raw |= {"weak_power": torch.zeros(powers - 1), "loud_power": torch.zeros(powers - 1), "gap_s": hand.gap_s.log()}
    if downlinks:
        raw |= {"answer_s": torch.tensor(ANSWER_S).log(), "deaf_s": torch.tensor(DEAF_S).log()}
    return {name: tensor.clone().requires_grad_() for name, tensor in raw.items()}


def constants_of(raw: Raw) -> Constants:
    """Constants of numbers on the whole line."""
    one = torch.ones(1)
    numbers = {name: raw[name].sigmoid() for name in ("same_sf", "other_sf", "burst")}
    numbers |= {name: (raw[name] - raw[name].mean()).exp() for name in ("weak", "loud")}
    numbers["weak_in_bursts"] = torch.cat([raw["weak_in_bursts"].sigmoid(), one])
    numbers |= {name: torch.cat([raw[name].exp(), one]) for name in ("weak_power", "loud_power")}
    numbers |= {name: raw[name].exp() for name in ("gap_s", "answer_s", "deaf_s") if name in raw}
    return Constants(**numbers)


@dataclass(frozen=True)
class Quality:
    """How well the proxy predicts segments, all groups alike.

    Attributes:
        error: Mean absolute error of a group's share of attempts received.
        bias: Mean of predicted less played share, over attempts.
        chance: The error that a perfect prediction would have, from chance alone: mean of sqrt(2 p (1 - p) / (pi n)).
        attempts: Expected attempts over those made.
        deciles: Predicted and played share by tenth of the groups, in order of the prediction. `[10, 2]`
        predicted, played: Shares of every group with attempts.
    """

    error: float
    bias: float
    chance: float
    attempts: float
    deciles: tuple[tuple[float, float], ...]
    predicted: Tensor
    played: Tensor


@torch.no_grad()
def quality(proxy: Proxy, parts: Sequence[Segments]) -> Quality:
    """Measures how well a proxy predicts packet runs."""
    predictions = [expected(proxy, data) for data in parts]
    attempts, received = (
        torch.cat([getattr(data, name).flatten() for data in parts]) for name in ("attempts", "received")
    )
    chance = torch.cat([predicted.success.flatten() for predicted in predictions])
    due = sum(
        float(predicted.attempts_hz.sum()) * data.length_s for predicted, data in zip(predictions, parts, strict=True)
    )
    sent = attempts > 0.0
    attempts, chance, share = attempts[sent], chance[sent], received[sent] / attempts[sent]
    deciles = tuple((float(chance[k].mean()), float(share[k].mean())) for k in chance.argsort().tensor_split(DECILES))
    return Quality(
        error=float((chance - share).abs().mean()),
        bias=float(((chance - share) * attempts).sum() / attempts.sum()),
        chance=float((2.0 / torch.pi * share * (1.0 - share) / attempts).sqrt().mean()),
        attempts=due / float(attempts.sum()),
        deciles=deciles,
        predicted=chance,
        played=share,
    )
