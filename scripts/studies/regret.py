"""What learners lose on the toy air: their choices, and the regret of every one of them in two currencies.

How fast regret grows: against the logarithm of time, against time, and what the papers' theorems allow.

| paper | name |
|---|---|
| R(t), cumulative regret after t transmissions (journal Eq. (25)) | `regret` |
| Delta_a, the reward that arm a lacks to the best of its factor (conference Eq. (24)) | `gaps` |
| J(t), sum over arms of Delta_a E[T(a)] (conference Eq. (25)-(28)) | `bound` |
| sqrt(K t ln t) (journal Eq. (26)), without its unknown constant | `root_bound` |

Source: D-LoRa journal Eq. (25)-(29), conference Eq. (24)-(30); Auer et al. 2002, Theorem 1, for the constants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import agents
from agents.bandits.cucb import CUCB, UCB1
from agents.dlora.rewards import INDICATORS
from agents.learner import Learner
from agents.run import single_node_choices
from lora_marl.core.air import Air
from lora_marl.core.published.single_node import delivery_probabilities, expected_rewards
from lora_marl.core.region import FACTORS
from lora_marl.core.scenario import Scenario
from scripts.runs.cli import UsageError
from scripts.runs.report import number
from scripts.runs.statistics import Estimate, estimate

_TIMES = 200


@dataclass(frozen=True)
class RegretGrowth:
    """How regret grew over the last decade of time, fitted by least squares, over seeds.

    Attributes:
        final: Regret at the end.
        exponent: Slope of ln(regret) over ln(t): 1 for linear regret, 1/2 for a square root, towards 0 for a logarithm
            (1 / ln t where regret is a multiple of ln t). Of the mean over seeds; the spread is that of the seeds.
        per_log: Slope of regret over ln(t), what a logarithm adds per factor e of time.
    """

    final: Estimate
    exponent: Estimate
    per_log: Estimate


def log_times(packets: int) -> NDArray[np.int64]:
    """Numbers of packets, about evenly spaced in their logarithm, from 1 to `packets`. `[at most 200]`"""
    return np.unique(np.geomspace(1, packets, _TIMES).round().astype(np.int64))


def growth(times: NDArray[np.int64], regret: NDArray[np.float64]) -> RegretGrowth:
    """Growth over the last decade: times `[P]`, cumulative regret `[P, B]`.

    Raises:
        ValueError: fewer than three times in the last decade.
    """
    late = times >= times[-1] / 10
    if late.sum() < 3:
        raise ValueError(f"times: {late.sum()} of {len(times)} lie in the last decade; a slope needs at least 3")
    log_t, columns = np.log(times[late]), regret[late].T
    with np.errstate(divide="ignore", invalid="ignore"):
        exponents = [slope(log_t, np.log(column)) for column in columns]
        whole = slope(log_t, np.log(columns.mean(axis=0)))
    spread = estimate(exponents)
    return RegretGrowth(
        final=estimate(regret[-1].tolist()),
        exponent=Estimate(whole, spread.spread, math.nan, math.nan, spread.seeds),
        per_log=estimate([slope(log_t, column) for column in columns]),
    )


def slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Slope of the least-squares line; nan where a value is not finite."""
    centred = x - x.mean()
    return float(centred @ (y - y.mean()) / (centred @ centred)) if np.isfinite(y).all() else math.nan


def bound(gaps: ArrayLike, t: ArrayLike, c: float = 2.0) -> NDArray[np.float64]:
    """What the conference paper allows: sum over arms of Delta (2 c^2 ln t / Delta^2 + 1 + pi^2 / 3).

    Args:
        gaps: Of all arms; those of 0 are optimal and left out. `[K]`
        t: Transmissions, at least 1. [...]
        c: Weight of exploration; with the papers' 2 the first term is the printed 8 ln t / Delta^2.

    Returns:
        [...]

    Source: D-LoRa conference Eq. (25)-(28).
    Differences: the constants that O() hides are written out. The theorem behind it takes rewards between 0 and 1 and
    arms whose rewards do not depend on what else is chosen; D-LoRa's arms of different factors share one packet, so
    this is what the paper claims, not what is proven.
    """
    lacking = np.asarray(gaps, np.float64)
    lacking = lacking[lacking > 0.0]
    return 2 * c**2 * np.log(t) * (1 / lacking).sum() + (1 + math.pi**2 / 3) * lacking.sum()


def root_bound(arms: int, t: ArrayLike) -> NDArray[np.float64]:
    """sqrt(K t ln t), the journal's bound for a constant of 1. Source: D-LoRa journal Eq. (26)."""
    time = np.asarray(t, np.float64)
    return np.sqrt(arms * time * np.log(time))


REWARD, PACKETS = "reward", "packets"
"""Currencies: D-LoRa's rewards summed over its factors; the chance of delivery."""

HEADER = ("learner", "regret in", "at the end", "exponent", "per ln t", "on the best point", "bound", "sqrt(K t ln t)")

Parameters = Mapping[str, Mapping[str, Any]]
"""Of learners, by name."""


@dataclass(frozen=True)
class RegretResult:
    """A learner's regret in one currency.

    Attributes:
        curve: Regret at the times `[P, B]`.
        grown: Its growth.
        best_share: Share of the last tenth of the choices that were a best point, mean over seeds.
        bound, root_bound: At the times `[P]`; None where the paper has none.
    """

    learner: str
    currency: str
    curve: NDArray[np.float64]
    grown: RegretGrowth
    best_share: float
    bound: NDArray[np.float64] | None
    root_bound: NDArray[np.float64] | None

    def record(self) -> dict[str, Any]:
        """For machines."""
        parts = {"regret": self.grown.final, "exponent": self.grown.exponent, "per_log": self.grown.per_log}
        numbers = {f"{name}{suffix}": value for name, part in parts.items() for suffix, value in _mean_sd(part)}
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
        """For readers."""
        grown = [_with_spread(part) for part in (self.grown.final, self.grown.exponent, self.grown.per_log)]
        ends = ["-" if curve is None else number(float(curve[-1])) for curve in (self.bound, self.root_bound)]
        return [self.learner, self.currency, *grown, f"{100 * self.best_share:.1f} %", *ends]


def make_learner(learner: str, scenario: Scenario, seeds: Sequence[int], parameters: Parameters) -> Learner:
    """A learner.

    Raises:
        UsageError: an unknown one, or parameters that it refuses.
    """
    try:
        return agents.make(learner, scenario, seeds, **parameters.get(learner, {}))
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from None


def reward_learner(scenario: Scenario, parameters: Parameters) -> CUCB:
    """The learner whose rewards are the currency `REWARD`."""
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
    """What every operating point is worth on average, by currency: flattened `[S W C T]`."""
    delivered = delivery_probabilities(scenario)
    cucb = reward_learner(scenario, parameters)
    return {
        REWARD: expected_rewards(delivered, cucb.rewards, cucb.factors).sum(axis=0).ravel(),
        PACKETS: delivered.ravel(),
    }


def found(
    played: Mapping[str, NDArray[np.int16]], scenario: Scenario, times: NDArray[np.int64], parameters: Parameters
) -> list[RegretResult]:
    """Regret of all learners in all currencies."""
    findings = []
    for currency, worth in point_values(scenario, parameters).items():
        lacking = worth.max() - worth
        for learner, chosen in played.items():
            curve = lacking[chosen].cumsum(axis=0)[times - 1]
            late = chosen[-max(1, len(chosen) // 10) :]
            findings.append(
                RegretResult(
                    learner,
                    currency,
                    curve,
                    growth(times, curve),
                    float((lacking[late] == 0).mean()),
                    *bounds(learner, currency, scenario, times, parameters),
                )  # fmt: skip
            )
    return findings


def bounds(
    learner: str, currency: str, scenario: Scenario, times: NDArray[np.int64], parameters: Parameters
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """What the papers allow a learner in a currency: conference Eq. (28) and journal Eq. (26), each `[P]` or None.

    For D-LoRa an arm's gap is what its factor's reward lacks while the other factors are at the best point.
    """
    player = make_learner(learner, scenario, [0], parameters)
    delivered = delivery_probabilities(scenario)
    if type(player) is CUCB and currency == REWARD:
        rewards = expected_rewards(delivered, player.rewards, player.factors)
        gaps = arm_gaps(rewards, player.factors)
        return bound(gaps, times, player.c), root_bound(len(gaps), times)
    if type(player) is UCB1 and currency == PACKETS:
        # It learns rewards that a packet decides between, so a gap of its own counts that much more than a packet.
        won, lost = INDICATORS[str(parameters.get(learner, {}).get("indicator", "pm1"))]
        gaps = (won - lost) * (delivered.max() - delivered).ravel()
        return bound(gaps, times, player.c) / (won - lost), root_bound(len(gaps), times)
    return None, None


def arm_gaps(rewards: NDArray[np.float64], factors: Sequence[str]) -> NDArray[np.float64]:
    """What each base arm's own reward lacks to its factor's best, the others being at the best point `[K]`."""
    best = np.unravel_index(rewards.sum(axis=0).argmax(), rewards.shape[1:])
    gaps = []
    for name, reward in zip(factors, rewards, strict=True):
        axis = FACTORS.index(name)
        along = np.moveaxis(reward, axis, -1)[tuple(index for place, index in enumerate(best) if place != axis)]
        gaps.append(along.max() - along)
    return np.concatenate(gaps)


def _mean_sd(part: Estimate) -> list[tuple[str, float]]:
    return [("", part.mean), ("_sd", part.spread)]


def _with_spread(part: Estimate) -> str:
    return f"{number(part.mean)} ± {number(part.spread)}"
