"""EXP3 and EXP3.S of LoRa-MAB: every combination of the factors' values is an arm, and chance chooses among them.

With K arms, T planned packets, and for each arm its weight w (1 at first) and probability p (1 / K at first), a node
draws an arm with the probabilities p, and when the fate of a packet sent with arm a is known,

    x = 1 / p_a if it was delivered, else 0
    w_a <- w_a exp(g x / K)
    EXP3.S: w_k <- w_k + (e alpha / K) sum w,  for all k, with the sum before it
    p_k <- (1 - g) w_k / sum w + g / K;  p_k < 0.0005 becomes 0, and p is scaled to sum to 1

| name | g | alpha |
|---|---|---|
| `exp3` | min(1, sqrt(K ln K / ((e - 1) T))) | |
| `exp3s` | min(1, sqrt(K ln(K T) / T)) | 1 / T |

| paper | name | paper | name |
|---|---|---|---|
| w, p | rows of `arms` | T | `horizon` |
| g | `rate` | alpha | `sharing` |

Source: Ta, Khawam, Lahoud, Adjih and Martin, "LoRa-MAB: a flexible simulator for decentralized learning resource
allocation in IoT networks", WMNC 2019, and its published code; Auer et al., "The nonstochastic multiarmed bandit
problem", 2002, for both rules.
Differences:
    1. In the published code the sum of EXP3.S grows while the weights are updated one after another.
    2. Weights are kept over their sum, as only their ratios count; the published code's can overflow.
    3. The published code knows from the distance which spreading factors reach, in its `PARTIAL` mode; here all
       combinations are arms, as in its `NO` mode. A draw that chose an arm whose probability has since become 0 counts
       as if it had the smallest one, 0.0005.

`mix-mab` starts from the same rule, with elimination of arms.

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch, `K` arms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from agents.bandits.index_bandit import product_group
from agents.bandits.kernel import END, Floats, Groups, Points, Records, arm_of, set_factors
from agents.bandits.mix_mab import SMALLEST_PROBABILITY, check_horizon, learning_rate
from agents.draws import learner_keys
from agents.learner import Learner
from lora_marl.core.factors import chosen_factors
from lora_marl.core.random import uniform

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario

WEIGHT, PROBABILITY = 0, 1


class Exp3(Learner):
    """EXP3 over super arms, with LoRa-MAB's learning rate.

    Args:
        scenario, seeds, factors, fixed_point: As in `Learner`.
        horizon: Packets that a node plans to send, which set the learning rate. At least 1.

    Attributes:
        rate, sharing: The learning rate g and alpha; 0: nothing is shared.

    Raises:
        ValueError: `horizon` below 1.
    """

    name: ClassVar[str] = "exp3"

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
        self.rate, self.sharing = self.rates(arms, float(horizon))
        self._keys = learner_keys(seeds)
        self._decided = np.zeros((self.replicas, self.nodes), np.int64)
        self._arms = np.full((self.replicas, self.nodes, 2, arms), 1.0 / arms)

    def rates(self, arms: int, horizon: float) -> tuple[float, float]:
        """The learning rate g and alpha, for K arms and a horizon of T packets."""
        return learning_rate(arms, horizon), 0.0

    @property
    def operations(self) -> int:
        """Per arm two to choose (add, compare) and six to update; and six."""
        return 8 * self._arms.shape[3] + 6

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Update, select and write the choices into `points` `[B, N, 4]` in one compiled pass."""
        _decide(
            decisions.records, points, self._arms, self._decided, self._keys, self.group, self.fixed_points,
            self.rate, self.sharing,
        )  # fmt: skip

    def update(self, decisions: Decisions) -> None:
        """Learn from the fates of the last packets; rows with `Fate.NONE` are skipped."""
        for record in decisions.records:
            if record["fate"] >= 0:
                arm = arm_of(self.group[0], record["point"])
                arms = self._arms[record["replica"], record["node"]]
                _learn(arms, arm, record["fate"] == 0, self.rate, self.sharing)

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The operating points drawn. `[M, 4]`"""
        replica, node = decisions.replica, decisions.node
        self._decided[replica, node] += 1
        return self._draws(replica, node)

    def initial_points(self) -> NDArray[np.int16]:
        """The draws that come before those of the first decision. `[B, N, 4]`"""
        replica, node = np.indices((self.replicas, self.nodes)).reshape(2, -1)
        return self._draws(replica, node).reshape(self.replicas, self.nodes, 4)

    def state_arrays(self) -> dict[str, NDArray]:
        """Weights and probabilities `[B, N, 2, K]`, decisions `[B, N]`."""
        return {"arms": self._arms, "decided": self._decided}

    def _draws(self, replica: NDArray, node: NDArray) -> NDArray[np.int16]:
        drawn = self.fixed_points[replica, node]
        for point, b, n in zip(drawn, replica, node, strict=True):
            draw = uniform(self._keys[b], n, self._decided[b, n])
            set_factors(self.group[0], _draw(self._arms[b, n, PROBABILITY], draw), point)
        return drawn


class Exp3S(Exp3):
    """EXP3.S over super arms: weights are shared, so that a node can follow an air that changes.

    Args:
        scenario, seeds, factors, fixed_point, horizon: As in `Exp3`.

    Raises:
        ValueError: as in `Exp3`.
    """

    name: ClassVar[str] = "exp3s"

    def rates(self, arms: int, horizon: float) -> tuple[float, float]:
        """The learning rate g and alpha, for K arms and a horizon of T packets."""
        check_horizon(horizon)
        return min(1.0, math.sqrt(arms * math.log(arms * horizon) / horizon)), 1.0 / horizon


@njit(cache=True, nogil=True)
def _learn(arms: Floats, arm: int, delivered: bool, rate: float, sharing: float) -> None:
    """Learn the fate of a packet that was sent with `arm`. Arms `[2, K]`."""
    count = arms.shape[1]
    if delivered:
        reward = 1.0 / max(arms[PROBABILITY, arm], SMALLEST_PROBABILITY)
        arms[WEIGHT, arm] *= math.exp(rate * reward / count)
    shared = math.e * sharing / count * arms[WEIGHT].sum()
    total = 0.0
    for k in range(count):
        arms[WEIGHT, k] += shared
        total += arms[WEIGHT, k]
    kept = 0.0
    for k in range(count):
        arms[WEIGHT, k] /= total
        probability = (1.0 - rate) * arms[WEIGHT, k] + rate / count
        arms[PROBABILITY, k] = probability if probability >= SMALLEST_PROBABILITY else 0.0
        kept += arms[PROBABILITY, k]
    for k in range(count):  # with over 2,000 equal arms none is kept, and all stay as likely
        arms[PROBABILITY, k] = arms[PROBABILITY, k] / kept if kept > 0.0 else 1.0 / count


@njit(cache=True, nogil=True)
def _draw(probability: Floats, draw: float) -> int:
    """The arm that a uniform draw in (0, 1) chooses. Probabilities `[K]`"""
    last = 0
    for k in range(probability.shape[0]):
        if probability[k] > 0.0:
            draw -= probability[k]
            last = k
            if draw < 0.0:
                return k
    return last


@njit(nogil=True)  # no disk cache: it would not notice a change of the generator
def _decide(
    decisions: Records, points: Points, arms: Floats, decided: NDArray[np.int64], keys: NDArray[np.uint64],
    group: Groups, fixed: Points, rate: float, sharing: float,
) -> None:  # fmt: skip
    """Update, select and write, for a batch of decisions."""
    for m in range(decisions.shape[0]):
        decision = decisions[m]
        b, n = decision.replica, decision.node
        if decision.fate >= 0:
            _learn(arms[b, n], arm_of(group[0], decision.point), decision.fate == 0, rate, sharing)
        decided[b, n] += 1
        points[b, n] = fixed[b, n]
        set_factors(group[0], _draw(arms[b, n, PROBABILITY], uniform(keys[b], n, decided[b, n])), points[b, n])
