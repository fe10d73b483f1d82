"""Fits the proxy's constants to packet runs, by maximum likelihood; letters in `agents.ccs.proxy`.

Of n attempts of a group in a stretch of time r are received: -log likelihood is

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
ATTEMPTS_WEIGHT = 0.3
"""Of how many attempts there are, which vary more than Poisson's: they come in frames of up to four."""

LEAST_CHANCE = 1e-4
DECILES = 10

Raw = dict[str, Tensor]
"""Constants on the whole line: logits of chances, logarithms of the others."""


@dataclass(frozen=True)
class Segments:
    """What came of operating points while they were in force, M stretches of time in any worlds.

    Attributes:
        worlds: M of them.
        actions: Those of legacy networks meaningless. int64 `[M, S, Q]`
        attempts, received: `[M, S, Q]`
        length_s: Of a stretch. s
    """

    worlds: Worlds
    actions: Tensor
    attempts: Tensor
    received: Tensor
    length_s: float

    @classmethod
    def of(cls, parts: Sequence[tuple[Mapping[str, NDArray], NDArray, NDArray, NDArray]], length_s: float) -> Segments:
        """Of parts: facts of worlds, actions, attempts and received."""
        facts, *booked = zip(*parts, strict=True)
        actions, attempts, received = (torch.from_numpy(np.concatenate(each)) for each in booked)
        worlds = Worlds.joined([Worlds.of(each) for each in facts])
        return cls(worlds, actions, attempts.float(), received.float(), length_s)


def expected(proxy: Proxy, data: Segments) -> Expected:
    """What the proxy says of stretches."""
    offsets, powers = data.worlds.link.shape[3:]
    actions = data.worlds.occupancy.shape[-1] * offsets * powers
    return proxy(one_hot(data.actions, actions).float(), data.worlds)


def loss(proxy: Proxy, parts: Sequence[Segments]) -> Tensor:
    """-log likelihood per attempt."""
    found = []
    for data in parts:
        said, sent = expected(proxy, data), data.attempts
        chance = said.success.clamp(LEAST_CHANCE, 1.0 - LEAST_CHANCE)
        mean = (said.attempts_hz * data.length_s).clamp(min=1e-3)
        binomial = -data.received * chance.log() - (sent - data.received) * (1.0 - chance).log()
        found.append((binomial + ATTEMPTS_WEIGHT * (mean - sent * mean.log())).sum())
    return torch.stack(found).sum() / sum(float(data.attempts.sum()) for data in parts)


def fit(parts: Sequence[Segments], *, downlinks: bool, told: Callable[[int], object], steps: int = STEPS) -> Constants:
    """The constants under which what was received is likeliest; Adam from near those by hand.

    Args:
        parts: Packet runs.
        downlinks: Whether acknowledgements are sent, so that they cost time.
        told: Told the number of steps taken.
        steps: Of Adam.
    """
    groups, powers = parts[0].actions.shape[-1], parts[0].worlds.link.shape[-1]
    raw = start(groups, powers, downlinks=downlinks)
    adam = torch.optim.Adam(raw.values(), lr=LEARNING_RATE)
    for step in range(steps):
        adam.zero_grad()
        loss(Proxy(constants_of(raw)), parts).backward()
        adam.step()
        told(step + 1)
    fitted = constants_of(raw)
    return Constants(**{name: value.detach() for name, value in vars(fitted).items()})


def start(groups: int, powers: int, *, downlinks: bool) -> Raw:
    """Where a fit begins."""
    hand = Constants()
    raw = {name: getattr(hand, name).logit() for name in ("same_sf", "other_sf", "burst")}
    raw |= {"weak": torch.zeros(groups), "loud": torch.zeros(groups), "weak_in_bursts": torch.full((groups - 1,), 2.0)}
    raw |= {"weak_power": torch.zeros(powers - 1), "loud_power": torch.zeros(powers - 1), "gap_s": hand.gap_s.log()}
    if downlinks:
        raw |= {"answer_s": torch.tensor(1.0).log(), "deaf_s": torch.tensor(0.2).log()}
    return {name: tensor.clone().requires_grad_() for name, tensor in raw.items()}


def constants_of(raw: Raw) -> Constants:
    """Constants of numbers on the whole line."""
    one = torch.ones(1)
    found = {name: raw[name].sigmoid() for name in ("same_sf", "other_sf", "burst")}
    found |= {name: (raw[name] - raw[name].mean()).exp() for name in ("weak", "loud")}
    found["weak_in_bursts"] = torch.cat([raw["weak_in_bursts"].sigmoid(), one])
    found |= {name: torch.cat([raw[name].exp(), one]) for name in ("weak_power", "loud_power")}
    found |= {name: raw[name].exp() for name in ("gap_s", "answer_s", "deaf_s") if name in raw}
    return Constants(**found)


@dataclass(frozen=True)
class Quality:
    """How well the proxy foretells stretches, all groups alike.

    Attributes:
        error: Mean absolute error of a group's share of attempts received.
        bias: Mean of predicted less played, over attempts.
        chance: The error that chance alone makes of a perfect prediction: mean of sqrt(2 p (1 - p) / (pi n)).
        attempts: Those expected over those made.
        deciles: Predicted and played share by tenth of the groups, in order of the prediction. `[10, 2]`
        predicted, played: Of every group with attempts.
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
    """Of a proxy, on packet runs."""
    said = [expected(proxy, data) for data in parts]
    sent, received = (torch.cat([getattr(data, name).flatten() for data in parts]) for name in ("attempts", "received"))
    chance = torch.cat([each.success.flatten() for each in said])
    due = sum(float(each.attempts_hz.sum()) * data.length_s for each, data in zip(said, parts, strict=True))
    some = sent > 0.0
    sent, chance, share = sent[some], chance[some], received[some] / sent[some]
    deciles = tuple((float(chance[k].mean()), float(share[k].mean())) for k in chance.argsort().tensor_split(DECILES))
    return Quality(
        error=float((chance - share).abs().mean()),
        bias=float(((chance - share) * sent).sum() / sent.sum()),
        chance=float((2.0 / torch.pi * share * (1.0 - share) / sent).sqrt().mean()),
        attempts=due / float(sent.sum()),
        deciles=deciles,
        predicted=chance,
        played=share,
    )
