"""Regret of learners on the single-node network: how much there is, how fast it grows, and what theorems allow.

The regret of a choice is the difference between its worth and the best one's; its worth is known exactly
(`lora_marl.core.presets.single_node`). It is measured in two currencies, `REWARD` and `PACKETS`.

| paper | name |
|---|---|
| R(t), cumulative regret after t transmissions (journal Eq. (25)) | `regret` |
| Delta_a, the reward that arm a lacks to the best of its factor (conference Eq. (24)) | `gaps` |
| J(t), sum over arms of Delta_a E[T(a)] (conference Eq. (25)-(28)) | `logarithmic_bound` |
| sqrt(K t ln t) (journal Eq. (26)), without its unknown constant | `root_bound` |

Source: D-LoRa journal Eq. (25)-(29), conference Eq. (24)-(30); Auer et al. 2002, Theorem 1, for the constants.

Shape letters: `P` points in time, `B` replicas, `K` arms, `F` factors; `S`, `W`, `C`, `T` values of the four factors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import agents
from agents.bandits.cucb import CUCB, UCB1
from agents.bandits.rewards import INDICATORS
from agents.learner import Learner
from agents.run import single_node_choices
from lora_marl.core.air import Air
from lora_marl.core.presets.single_node import delivery_probabilities, expected_rewards
from lora_marl.core.region import FACTORS
from lora_marl.core.scenario import Scenario
from scripts.runs.cli import UsageError
from scripts.runs.figures import paper_figure, paper_style, save
from scripts.runs.report import number
from scripts.runs.statistics import Estimate, estimate

REWARD, PACKETS = "reward", "packets"
"""Currencies: D-LoRa's rewards summed over its factors; the probability of delivery."""

HEADER = ("learner", "regret in", "at the end", "exponent", "per ln t", "on the best point", "bound", "sqrt(K t ln t)")

Parameters = Mapping[str, Mapping[str, Any]]
"""Parameters of learners, by name."""

Curves = Mapping[str, NDArray[np.float64]]
"""Regret or its bound, by learner."""

_TIMES = 200
"""Points of a curve at most."""


@dataclass(frozen=True)
class RegretGrowth:
    """The growth of regret over the last decade of time: least-squares fits, over seeds.

    Attributes:
        final: Regret at the end.
        exponent: Slope of ln(regret) over ln(t): 1 for linear regret, 1/2 for a square root, and 1 / ln t, which goes
            to 0, for a logarithm. The mean is that of the regret averaged over seeds, the spread that of single seeds.
        per_log: Slope of regret over ln(t): what is added while time grows by a factor of e.
    """

    final: Estimate
    exponent: Estimate
    per_log: Estimate


def log_times(packets: int) -> NDArray[np.int64]:
    """Numbers of packets from 1 to `packets`, about evenly spaced in their logarithm; at most 200. `[P]`"""
    return np.unique(np.geomspace(1, packets, _TIMES).round().astype(np.int64))


def fitted_growth(times: NDArray[np.int64], regret: NDArray[np.float64]) -> RegretGrowth:
    """The growth of regret over the last decade of time.

    Args:
        times: Numbers of packets, ascending. `[P]`
        regret: Cumulative regret. `[P, B]`

    Raises:
        ValueError: fewer than three times in the last decade.
    """
    late = times >= times[-1] / 10
    if late.sum() < 3:
        raise ValueError(f"times: {late.sum()} of {len(times)} lie in the last decade; a slope needs at least 3")
    log_t, columns = np.log(times[late]), regret[late].T
    with np.errstate(divide="ignore", invalid="ignore"):
        exponents = [slope(log_t, np.log(column)) for column in columns]
        of_mean = slope(log_t, np.log(columns.mean(axis=0)))
    spread = estimate(exponents)
    return RegretGrowth(
        final=estimate(regret[-1].tolist()),
        exponent=Estimate(of_mean, spread.spread, math.nan, math.nan, spread.seeds),
        per_log=estimate([slope(log_t, column) for column in columns]),
    )


def slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Slope of the least-squares line through points `[P]`; nan where a value of y is not finite."""
    centred = x - x.mean()
    return float(centred @ (y - y.mean()) / (centred @ centred)) if np.isfinite(y).all() else math.nan


def logarithmic_bound(gaps: ArrayLike, t: ArrayLike, c: float = 2.0) -> NDArray[np.float64]:
    """The regret that the conference paper allows: sum over arms of Delta (2 c^2 ln t / Delta^2 + 1 + pi^2 / 3).

    Args:
        gaps: Delta of all arms; arms with a gap of 0 are optimal and left out. `[K]`
        t: Transmissions, at least 1. [...]
        c: Weight of exploration; with the papers' 2, the first term is the printed 8 ln t / Delta^2.

    Returns:
        In the unit of the gaps. [...]

    Source: D-LoRa conference Eq. (25)-(28).
    Differences: the constants that O() hides are written out. The theorem assumes rewards between 0 and 1, and that the
    reward of an arm does not depend on the other choices. D-LoRa's arms of different factors share one packet, so this
    is what the paper claims and not what is proven.
    """
    suboptimal = np.asarray(gaps, np.float64)
    suboptimal = suboptimal[suboptimal > 0.0]
    return 2 * c**2 * np.log(t) * (1 / suboptimal).sum() + (1 + math.pi**2 / 3) * suboptimal.sum()


def root_bound(arms: int, t: ArrayLike) -> NDArray[np.float64]:
    """The journal's bound with a constant of 1: sqrt(K t ln t). [...]

    Source: D-LoRa journal Eq. (26).
    """
    time = np.asarray(t, np.float64)
    return np.sqrt(arms * time * np.log(time))


@dataclass(frozen=True)
class RegretResult:
    """A learner's regret in one currency.

    Attributes:
        learner, currency: Whose, and in which.
        curve: Cumulative regret. `[P, B]`
        growth: How it grew.
        best_share: Share of a best point among the last tenth of the choices, mean over seeds.
        bound, root_bound: What the papers allow; None where they say nothing. `[P]`
    """

    learner: str
    currency: str
    curve: NDArray[np.float64]
    growth: RegretGrowth
    best_share: float
    bound: NDArray[np.float64] | None
    root_bound: NDArray[np.float64] | None

    def record(self) -> dict[str, Any]:
        """A flat record for JSON."""
        growth = self.growth
        parts = {"regret": growth.final, "exponent": growth.exponent, "per_log": growth.per_log}
        numbers: dict[str, float] = {}
        for name, part in parts.items():
            numbers |= {name: part.mean, f"{name}_sd": part.spread}
        ends = {"bound": self.bound, "root_bound": self.root_bound}
        return {
            "learner": self.learner,
            "currency": self.currency,
            "seeds": self.curve.shape[1],
            **numbers,
            "best_share": self.best_share,
            **{name: None if curve is None else float(curve[-1]) for name, curve in ends.items()},
        }

    def cells(self) -> list[str]:
        """A row of the table, see `HEADER`."""
        growth = [
            f"{number(part.mean)} ± {number(part.spread)}"
            for part in (self.growth.final, self.growth.exponent, self.growth.per_log)
        ]
        ends = ["-" if curve is None else number(float(curve[-1])) for curve in (self.bound, self.root_bound)]
        return [self.learner, self.currency, *growth, f"{100 * self.best_share:.1f} %", *ends]


def parameters_for(learner: str, parameters: Parameters) -> Mapping[str, Any]:
    """The parameters of a learner, whichever of its names they were given under."""
    names = (name for name in parameters if agents.learner_name(name) == agents.learner_name(learner))
    return {key: value for name in names for key, value in parameters[name].items()}


def make_learner(learner: str, scenario: Scenario, seeds: Sequence[int], parameters: Parameters) -> Learner:
    """A learner by name, with its parameters among those of all learners.

    Raises:
        UsageError: an unknown learner, or a parameter that it does not accept.
    """
    try:
        return agents.make(learner, scenario, seeds, **parameters_for(learner, parameters))
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from None


def reward_learner(scenario: Scenario, parameters: Parameters) -> CUCB:
    """D-LoRa, whose rewards are the currency `REWARD`."""
    cucb = make_learner("cucb", scenario, [0], parameters)
    assert isinstance(cucb, CUCB)
    return cucb


def choices(
    learner: str, scenario: Scenario, seeds: Sequence[int], packets: int, parameters: Mapping[str, Any]
) -> NDArray[np.int16]:
    """A learner's choices for every packet of a network of one node, see `single_node_choices`. `[packets, B]`

    Raises:
        UsageError: the learner decides less often than once a packet.
    """
    simulated = agents.make(learner, scenario, seeds, **parameters)
    if simulated.feedback.listens:
        raise UsageError(
            f"{learner} decides by what a network server hears; regret is that of choices for every packet"
        )
    return single_node_choices(Air(scenario, seeds), simulated, packets)


def point_values(scenario: Scenario, parameters: Parameters) -> dict[str, NDArray[np.float64]]:
    """The expected worth of every operating point, by currency: `[S, W, C, T]` flattened."""
    delivered = delivery_probabilities(scenario)
    cucb = reward_learner(scenario, parameters)
    return {
        REWARD: expected_rewards(delivered, cucb.rewards, cucb.factors).sum(axis=0).ravel(),
        PACKETS: delivered.ravel(),
    }


def regret_results(
    chosen: Mapping[str, NDArray[np.int16]], scenario: Scenario, times: NDArray[np.int64], parameters: Parameters
) -> list[RegretResult]:
    """The regret of all learners in all currencies.

    Args:
        chosen: Choices by learner, see `choices`. `[packets, B]`
        scenario: The single-node network.
        times: Numbers of packets at which regret is reported. `[P]`
        parameters: Of the learners; those of `cucb` are also those of the currency `REWARD`.
    """
    results = []
    for currency, worth in point_values(scenario, parameters).items():
        gap = worth.max() - worth
        for learner, points in chosen.items():
            curve = gap[points].cumsum(axis=0)[times - 1]
            last_tenth = points[-max(1, len(points) // 10) :]
            best_share = float((gap[last_tenth] == 0).mean())
            allowed = bounds(learner, currency, scenario, times, parameters)
            results.append(RegretResult(learner, currency, curve, fitted_growth(times, curve), best_share, *allowed))
    return results


def bounds(
    learner: str, currency: str, scenario: Scenario, times: NDArray[np.int64], parameters: Parameters
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """The bounds of the papers for a learner in a currency, `logarithmic_bound` and `root_bound`. `[P]` each, or None.

    They exist for D-LoRa in rewards, where the gap of an arm is taken with the other factors at the best point, and for
    NaiveMAB in packets.
    """
    bandit = make_learner(learner, scenario, [0], parameters)
    delivered = delivery_probabilities(scenario)
    if type(bandit) is CUCB and currency == REWARD:
        rewards = expected_rewards(delivered, bandit.rewards, bandit.factors)
        gaps = arm_gaps(rewards, bandit.factors)
        return logarithmic_bound(gaps, times, bandit.c), root_bound(len(gaps), times)
    if type(bandit) is UCB1 and currency == PACKETS:
        # Its rewards differ by won - lost between a delivered and a lost packet; dividing by that gives packets.
        won, lost = INDICATORS[str(parameters_for(learner, parameters).get("indicator", "pm1"))]
        gaps = (won - lost) * (delivered.max() - delivered).ravel()
        return logarithmic_bound(gaps, times, bandit.c) / (won - lost), root_bound(len(gaps), times)
    return None, None


def arm_gaps(rewards: NDArray[np.float64], factors: Sequence[str]) -> NDArray[np.float64]:
    """Delta_a of every arm: its expected reward below its factor's best one, with the other factors at the best point.

    Args:
        rewards: Of every operating point to each factor. `[F, S, W, C, T]`
        factors: The learned factors, in the order of `FACTORS`.

    Returns:
        `[K]`

    Source: D-LoRa conference Eq. (24).
    """
    best = np.unravel_index(rewards.sum(axis=0).argmax(), rewards.shape[1:])
    gaps = []
    for name, reward in zip(factors, rewards, strict=True):
        axis = FACTORS.index(name)
        along = np.moveaxis(reward, axis, -1)[tuple(index for place, index in enumerate(best) if place != axis)]
        gaps.append(along.max() - along)
    return np.concatenate(gaps)


@paper_style()
def draw_regret(
    path: Path, title: str, times: NDArray[np.int64], regret: Mapping[str, Curves], bounds: Mapping[str, Curves]
) -> None:
    """Draw cumulative regret over packets, both axes logarithmic, one panel for each currency.

    Args:
        path: Where the PNG file goes.
        title: Title of the picture.
        times: Numbers of packets. `[P]`
        regret: By currency and learner: the mean is drawn, and a band from the lowest to the highest seed. `[P, B]`
        bounds: By currency and learner, drawn dashed in the learner's colour. `[P]`
    """
    figure = paper_figure(5.5 * len(regret), 4.4)
    figure.suptitle(f"{title} (mean; band: smallest to largest seed; dashed: bound)")
    for axes, (currency, curves) in zip(figure.subplots(1, len(regret), squeeze=False)[0], regret.items(), strict=True):
        for label, values in curves.items():
            (line,) = axes.plot(times, values.mean(axis=1), label=label)
            colour = line.get_color()
            axes.fill_between(times, values.min(axis=1), values.max(axis=1), alpha=0.2, color=colour, lw=0)
            if label in bounds.get(currency, {}):
                axes.plot(times, bounds[currency][label], color=colour, ls="--", lw=0.9)
        axes.set(xscale="log", yscale="log", xlabel="packets", ylabel=f"regret [{currency}]")
        axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)
