"""MIX-MAB: every combination of the factors' values is an arm; EXP3 with successive elimination.

With K arms, H planned packets, learning rate g = min(1, sqrt(K ln K / ((e - 1) H))), and for each arm its weight w
(1 at first), probability p, packets sent N and delivered S (0 at first), a node chooses

    the first arm of fewest packets, while min N <= ln(100 K)
    else an arm drawn with the probabilities p (any arm, each as likely, where all p are 0)

and when the fate of a packet sent with arm a is known,

    N_a <- N_a + 1
    if it was delivered:
        S_a <- S_a + 1
        w_a <- w_a exp(g x / K),  x = 1 / p_a, or 1 where p_a = 0
        for the arms k with S_k > 0, in order:  p_k <- (1 - g) w_k / (sum w - Z) + g / K,  Z: arms with p = 0 by then
        if N_a > 5, p_a < max p / 2 and a is not the only arm with p > 0:  p_a <- 0, S_a <- 0      (elimination)
    if N_a > 100 ref:  ref <- ref + 1 (1 at first); N, S, p <- 0                                    (start afresh)
    p_k < 0.0005 becomes 0, and p is scaled to sum to 1

| paper | name | paper | name |
|---|---|---|---|
| w, p, N, S | rows of `arms` | gamma | `rate` |
| alpha | `ref` | horizon | `horizon` |

Source: the published code of MIX-MAB (Azizi et al., "MIX-MAB: Reinforcement Learning-based Resource Allocation
Algorithm for LoRaWAN", 2022), which D-LoRa's papers compare with.
Differences:
    1. N counts packets of known fate.
    2. Where all p are 0, since nothing was ever delivered, any arm is drawn; the published code fails there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from agents.bandits.index_bandit import product_group
from agents.bandits.kernel import END, FIRST, Floats, Groups, Points, Records, arm_of, set_factors
from agents.draws import learner_keys
from agents.learner import Learner
from lora_marl.core.factors import chosen_factors
from lora_marl.core.random import uniform

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario

WEIGHT, PROBABILITY, SENT, DELIVERED = 0, 1, 2, 3
SMALLEST_PROBABILITY = 0.0005
TRIED_ENOUGH, TOO_OFTEN = 5, 100
"""Packets of an arm after which it may be eliminated, and, times `ref`, after which the node starts afresh."""


class MixMAB(Learner):
    """MIX-MAB: EXP3 with successive elimination over super arms.

    Args:
        scenario, seeds, factors, fixed_point: As in `Learner`.
        horizon: Packets that a node plans to send, which set the learning rate. At least 1.

    Raises:
        ValueError: `horizon` below 1.
    """

    name: ClassVar[str] = "mix-mab"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        factors: Sequence[str] | None = None,
        fixed_point: ArrayLike | None = None,
        horizon: float = 180_000.0,
    ) -> None:
        factors = chosen_factors(scenario.region, factors)
        super().__init__(scenario, seeds, factors=factors, fixed_point=fixed_point)
        self.group = product_group(scenario.region.factor_sizes, factors)
        arms = int(self.group[0, END])
        self.rate = learning_rate(arms, horizon)
        self._keys = learner_keys(seeds)
        self._decided = np.zeros((self.replicas, self.nodes), np.int64)
        self._ref = np.ones((self.replicas, self.nodes), np.int64)
        self._arms = np.zeros((self.replicas, self.nodes, 4, arms))
        self._arms[:, :, WEIGHT] = 1.0

    @property
    def operations(self) -> int:
        """Two per arm to choose (compare, add), nine per arm to update probabilities after a delivery, and eight."""
        return 11 * self._arms.shape[3] + 8

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Update, select and write the choices into `points` `[B, N, 4]` in one compiled pass."""
        _decide(
            decisions.records, points, self._arms, self._ref, self._decided, self._keys, self.group,
            self.fixed_points, self.rate,
        )  # fmt: skip

    def update(self, decisions: Decisions) -> None:
        """Learn from the fates of the last packets; rows with `Fate.NONE` are skipped."""
        for record in decisions.records:
            if record["fate"] >= 0:
                b, n = record["replica"], record["node"]
                arm = arm_of(self.group[0], record["point"])
                _learn(self._arms[b, n], self._ref[b], n, arm, record["fate"] == 0, self.rate)

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The operating points drawn. `[M, 4]`"""
        chosen = self.fixed_points[decisions.replica, decisions.node]
        for point, b, n in zip(chosen, decisions.replica, decisions.node, strict=True):
            arm = _draw(self._arms[b, n], uniform(self._keys[b], n, self._decided[b, n]))
            set_factors(self.group[0], arm, point)
            self._decided[b, n] += 1
        return chosen

    def initial_points(self) -> NDArray[np.int16]:
        """The first arm, which has the fewest packets when none has been sent. `[B, N, 4]`"""
        learned = np.any(self.group[:, FIRST + 3 :] > 0, axis=0)
        return np.where(learned, 0, self.fixed_points).astype(np.int16)

    def state_arrays(self) -> dict[str, NDArray]:
        """Weights, probabilities, packets sent and delivered `[B, N, 4, K]`; `ref` and decisions `[B, N]`."""
        return {"arms": self._arms, "ref": self._ref, "decided": self._decided}


def learning_rate(arms: int, horizon: float) -> float:
    """EXP3's learning rate for K arms and a horizon of H packets: min(1, sqrt(K ln K / ((e - 1) H))).

    Source: Auer et al. 2002.

    Raises:
        ValueError: see `check_horizon`.
    """
    check_horizon(horizon)
    return min(1.0, math.sqrt(arms * math.log(arms) / ((math.e - 1) * horizon)))


def check_horizon(horizon: float) -> None:
    """Checks how many packets a node plans to send.

    Raises:
        ValueError: below 1, or not finite.
    """
    if not 1 <= horizon < math.inf:
        raise ValueError(f"horizon = {horizon}: must be a finite number of at least 1 packet")


def exploration_packets(arms: int) -> int:
    """Packets sent with each arm before any is drawn by its probability: the first whole number above ln(100 K)."""
    return math.floor(math.log(100 * arms)) + 1


@njit(cache=True, nogil=True)
def _update_probabilities(arms: Floats, rate: float) -> None:
    """Update the probabilities of arms with deliveries, in order.

    Each update counts the arms that have probability 0 at that moment, as in the published code.
    """
    count = arms.shape[1]
    zeros = 0
    for k in range(count):
        zeros += arms[PROBABILITY, k] == 0.0
    total = arms[WEIGHT].sum()
    for k in range(count):
        if arms[DELIVERED, k] > 0.0:
            was_zero = arms[PROBABILITY, k] == 0.0
            arms[PROBABILITY, k] = (1.0 - rate) * arms[WEIGHT, k] / (total - zeros) + rate / count
            zeros -= was_zero


@njit(cache=True, nogil=True)
def _learn(arms: Floats, ref: NDArray[np.int64], n: int, arm: int, delivered: bool, rate: float) -> None:
    """Learn the fate of a packet of node `n` that was sent with `arm`. Arms `[4, K]`, ref `[N]`."""
    arms[SENT, arm] += 1.0
    if delivered:
        arms[DELIVERED, arm] += 1.0
        reward = 1.0 / arms[PROBABILITY, arm] if arms[PROBABILITY, arm] > 0.0 else 1.0
        arms[WEIGHT, arm] *= math.exp(rate * reward / arms.shape[1])
        _update_probabilities(arms, rate)
        not_alone = (arms[PROBABILITY] > 0.0).sum() > 1
        if arms[SENT, arm] > TRIED_ENOUGH and not_alone and arms[PROBABILITY, arm] < 0.5 * arms[PROBABILITY].max():
            arms[PROBABILITY, arm] = 0.0
            arms[DELIVERED, arm] = 0.0
    if arms[SENT, arm] > TOO_OFTEN * ref[n]:
        ref[n] += 1
        arms[PROBABILITY:] = 0.0
    for k in range(arms.shape[1]):
        if arms[PROBABILITY, k] < SMALLEST_PROBABILITY:
            arms[PROBABILITY, k] = 0.0
    total = arms[PROBABILITY].sum()
    if total > 0.0:
        for k in range(arms.shape[1]):
            arms[PROBABILITY, k] /= total


@njit(cache=True, nogil=True)
def _draw(arms: Floats, draw: float) -> int:
    """The arm that a uniform draw in (0, 1) chooses: one of the least tried ones first, then by probability."""
    fewest = int(np.argmin(arms[SENT]))
    if arms[SENT, fewest] <= math.log(100.0 * arms.shape[1]):
        return fewest
    last = -1
    for k in range(arms.shape[1]):
        if arms[PROBABILITY, k] > 0.0:
            draw -= arms[PROBABILITY, k]
            last = k
            if draw < 0.0:
                return k
    return last if last >= 0 else int(draw * arms.shape[1])


@njit(nogil=True)  # no disk cache: it would not notice a change of the generator
def _decide(
    decisions: Records, points: Points, arms: Floats, ref: NDArray[np.int64], decided: NDArray[np.int64],
    keys: NDArray[np.uint64], group: Groups, fixed: Points, rate: float,
) -> None:  # fmt: skip
    """Update, select and write, for a batch of decisions."""
    for m in range(decisions.shape[0]):
        decision = decisions[m]
        b, n = decision.replica, decision.node
        if decision.fate >= 0:
            _learn(arms[b, n], ref[b], n, arm_of(group[0], decision.point), decision.fate == 0, rate)
        points[b, n] = fixed[b, n]
        set_factors(group[0], _draw(arms[b, n], uniform(keys[b], n, decided[b, n])), points[b, n])
        decided[b, n] += 1
