"""The rewards of a network's groups: sums of named terms, each times a weight.

| term | formula | meaning |
|---|---|---|
| `delivery` | received / attempts | share of attempts that the network received (or acknowledged) |
| `energy` | -(energy / attempts) / reference | against an attempt at least SF and 14 dBm |
| `delay` | -(delay / delivered frames) / interval, at least -1 | from a frame's generation to its first reception |

A term of yours takes an `Interval`, too. The terms of a group without attempts are 0, and it has no weight in its
server's mean.

Shape letters: `B` replicas, `S` networks, `L` those that learn, `Q` groups of a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.checks import warn_renamed
from lora_marl.envs.coexistence.totals import IntervalTotals
from lora_marl.envs.rewards import Reward, Term, TermFunction, Weights, weights_by_term


@dataclass(frozen=True)
class Interval:
    """A control interval, as reward terms take it.

    Attributes:
        totals: The totals of the interval.
        successes: Attempts that count as successes. `[B, S, Q]`
        reference_mj: Energy of an attempt at least SF and 14 dBm. `[B, S, Q]` mJ
        interval_s: Its length. s
    """

    totals: IntervalTotals
    successes: NDArray[np.float64]
    reference_mj: NDArray[np.float64]
    interval_s: float

    @property
    def books(self) -> IntervalTotals:
        """Former name of `totals`, until 0.2.0."""
        warn_renamed("Interval.books", "Interval.totals")
        return self.totals


def delivery(interval: Interval) -> Term:
    """Share of attempts that count as successes. `[B, S, Q]`

    From 0 to 1, but where successes are acknowledgements it can exceed 1: one may be heard an interval after its
    attempt.
    """
    return interval.successes / np.maximum(interval.totals.attempts, 1)


def energy(interval: Interval) -> Term:
    """Minus the mean energy of an attempt, relative to the reference. `[B, S, Q]`"""
    totals = interval.totals
    return -totals.energy_mj / np.maximum(totals.attempts, 1) / interval.reference_mj


def delay(interval: Interval) -> Term:
    """Minus the mean delay of delivered frames, in intervals. `[B, S, Q]`, -1 to 0

    A group that sent and delivered nothing gets -1, so that losing everything does not look fast.
    """
    totals = interval.totals
    mean = totals.delay_s / np.maximum(totals.frames_delivered, 1) / interval.interval_s
    return -np.where((totals.attempts > 0) & (totals.frames_delivered == 0), 1.0, np.minimum(mean, 1.0))


TERMS: Mapping[str, TermFunction] = MappingProxyType({term.__name__: term for term in (delivery, energy, delay)})
"""The terms by name."""

DEFAULT: Mapping[str, float] = MappingProxyType({"delivery": 1.0, "energy": 0.1, "delay": 0.0})
"""Weights in the CCS paper's study; delay has no cost."""


class NetworkRewards:
    """A reward for each learning network.

    All networks have the same terms, ours and all that any of them weighs; the others' weights are 0.

    Args:
        reward: Weight by name, import path or function of a term, or such a function alone; or one such reward for
            each network.
        networks: L, how many networks learn.

    Raises:
        ValueError: a number of rewards other than one or one for each network, or weights that `Reward` refuses.
    """

    def __init__(self, reward: Weights | Sequence[Weights], networks: int) -> None:
        reward = weights_by_term(reward)
        if not isinstance(reward, (Mapping, Sequence)) or isinstance(reward, str):
            raise ValueError(
                f"reward: {reward!r} is neither a mapping from reward term to weight nor a list of such by network"
            )
        rewards = [weights_by_term(one) for one in ([reward] * networks if isinstance(reward, Mapping) else reward)]
        if len(rewards) != networks:
            raise ValueError(f"reward: {len(rewards)} rewards; allowed is one, or one for each of {networks} networks")
        by_network = [Reward(weights, TERMS).weights for weights in rewards]
        self._all = Reward({path: 1.0 for weights in (TERMS, *rewards) for path in weights}, TERMS)
        self._weights = {
            name: np.array([weights.get(name, 0.0) for weights in by_network]) for name in self._all.weights
        }

    def terms(self, interval: Interval, learning: NDArray[np.int64]) -> dict[str, Term]:
        """The terms of learning networks times their weights, 0 for groups without attempts. `[B, L, Q]` each

        Args:
            interval: The interval of all networks.
            learning: Indices of the networks that learn. `[L]`
        """
        attempts = interval.totals.attempts
        terms = self._all.terms(attempts.shape, interval)
        values = {name: np.where(attempts > 0, term, 0.0)[:, learning] for name, term in terms.items()}
        return {name: self._weights[name][:, None] * value for name, value in values.items()}
