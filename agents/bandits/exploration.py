"""D-LoRa's arms and rewards with two other ways to explore: epsilon-greedy and Thompson sampling.

With the values R and counts T of `agents.bandits.cucb`, a node chooses among the arms of every factor

    epsilon-greedy     with probability epsilon any arm, each as likely, else argmax_k R(k)
    Thompson sampling  argmax_k of a draw from N(R(k), scale^2 / (T(k) + prior))

| paper | name | paper | name |
|---|---|---|---|
| epsilon | `epsilon` | sigma, standard deviation of a reward | `scale` |
| R(k), mean reward | `values` | T(k), packets sent with the arm | `counts` |

Source: Sutton and Barto 2018, section 2.4; Agrawal and Goyal 2013, algorithm 2 (Gaussian priors), which has scale = 1
and prior = 1 for rewards in [0, 1].
Differences:
    1. A node makes one choice for each factor, as in D-LoRa, and not one for each combination.
    2. Rewards are -1 to +1 and metric factors, so `scale` is 2 by default. With 1, Thompson sampling settles on a wrong
       arm of the single-node network on a third of the seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.bandits.cucb import CUCB
from agents.bandits.kernel import END, FIRST, VALUE, WIDTH, Floats, Groups, Points, Records, learn, set_factors
from agents.draws import learner_keys, uniform_index
from lora_marl.core.random import normal, uniform

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


class RandomisedCUCB(CUCB):
    """The base of both: D-LoRa's arms and rewards, with choices that are drawn (see `agents.draws`).

    Args:
        scenario, seeds, **parameters: As in `CUCB`.
    """

    def __init__(self, scenario: Scenario, seeds: Sequence[int], **parameters: Any) -> None:
        super().__init__(scenario, seeds, **parameters)
        self._keys = learner_keys(seeds)
        self._decided = np.zeros((self.replicas, self.nodes), np.int64)

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The operating points drawn. `[M, 4]`"""
        replica, node = decisions.replica, decisions.node
        chosen = self._best(replica, node)
        self._decided[replica, node] += 1
        return chosen

    def state_arrays(self) -> dict[str, NDArray]:
        """The arrays of CUCB, and decisions so far `[B, N]`."""
        return super().state_arrays() | {"decided": self._decided}


class EpsilonGreedy(RandomisedCUCB):
    """Epsilon-greedy: the arm of highest value, and with a small probability any arm.

    Args:
        scenario, seeds, **parameters: As in `CUCB`; `c` has no effect.
        epsilon: Probability to choose a factor's value at random. 0 to 1

    Raises:
        ValueError: `epsilon` outside 0 to 1.
    """

    name: ClassVar[str] = "epsilon-greedy"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, epsilon: float = 0.05, **parameters: Any) -> None:
        super().__init__(scenario, seeds, **parameters)
        if not 0 <= epsilon <= 1:
            raise ValueError(f"epsilon = {epsilon}: must lie in 0 to 1")
        self.epsilon = float(epsilon)

    @property
    def operations(self) -> int:
        """One per arm (compare); per factor two draws and nine for the update."""
        return self.values.shape[2] + 11 * len(self.groups)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Update, select and write the choices into `points` `[B, N, 4]` in one compiled pass."""
        _decide_greedy(decisions.records, points, *self._pass_arguments(self._keys, self._decided, self.epsilon))

    def _best(self, replica: NDArray, node: NDArray) -> NDArray[np.int16]:
        values = self.values[replica, node].copy()
        for m, (b, n) in enumerate(zip(replica, node, strict=True)):
            for g, group in enumerate(self.groups):
                counter = 2 * (self._decided[b, n] * len(self.groups) + g)
                if uniform(self._keys[b], n, counter) < self.epsilon:
                    arms = np.arange(group[FIRST], group[END])
                    arms = arms[values[m, arms] > -np.inf]
                    values[m, arms[uniform_index(self._keys[b], n, counter + 1, len(arms))]] = np.inf
        return self._points_of(values, replica, node)


class Thompson(RandomisedCUCB):
    """Thompson sampling: the arm whose mean reward, drawn from its posterior, is highest.

    Args:
        scenario, seeds, **parameters: As in `CUCB`; `c` has no effect, and `prior` is 1.
        scale: Standard deviation of a reward that the posterior assumes. Above 0.

    Raises:
        ValueError: `scale` not above 0.
    """

    name: ClassVar[str] = "thompson"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, scale: float = 2.0, **parameters: Any) -> None:
        if not 0 < scale < np.inf:
            raise ValueError(f"scale = {scale}: must be above 0 and finite")
        super().__init__(scenario, seeds, **{**parameters, "c": scale * np.sqrt(2.0), "prior": 1})

    @property
    def operations(self) -> int:
        """Four per arm (draw, multiply, add, compare); per factor nine for the update."""
        return 4 * self.values.shape[2] + 9 * len(self.groups)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Update, select and write the choices into `points` `[B, N, 4]` in one compiled pass."""
        _decide_sampled(decisions.records, points, *self._pass_arguments(self._keys, self._decided))

    def indices(self, replica: NDArray[np.integer], node: NDArray[np.integer]) -> NDArray[np.float64]:
        """Draws of the arms' mean rewards. `[M, K]`"""
        arms = self.values.shape[2]
        drawn = [
            [normal(self._keys[b], n, self._decided[b, n] * arms + k) for k in range(arms)]
            for b, n in zip(replica, node, strict=True)
        ]
        return self.values[replica, node] + self.widths[replica, node] * np.array(drawn).reshape(-1, arms)


# Neither pass has a disk cache, which would not notice a change of the generator.


@njit(nogil=True)
def _decide_greedy(
    decisions: Records, points: Points, t: Floats, arms: Floats, reward: Floats, groups: Groups, fixed: Points,
    c: float, prior: float, keys: NDArray[np.uint64], decided: NDArray[np.int64], epsilon: float,
) -> None:  # fmt: skip
    """EpsilonGreedy. Arguments as in `agents.bandits.kernel`."""
    for m in range(decisions.shape[0]):
        decision = decisions[m]
        b, n = decision.replica, decision.node
        if decision.fate >= 0:
            t[b, n] += 1.0
            learn(arms[b, n], reward[decision.fate], groups, decision.point, c, prior)
        points[b, n] = fixed[b, n]
        for g in range(groups.shape[0]):
            counter = 2 * (decided[b, n] * groups.shape[0] + g)
            if uniform(keys[b], n, counter) < epsilon:
                arm = _any_arm(arms[b, n], groups[g], keys[b], n, counter + 1)
            else:
                arm = groups[g, FIRST] + np.argmax(arms[b, n, VALUE, groups[g, FIRST] : groups[g, END]])
            set_factors(groups[g], arm, points[b, n])
        decided[b, n] += 1


@njit(inline="always")
def _any_arm(arms: Floats, group: Groups, key: np.uint64, node: int, counter: int) -> int:
    """One of the allowed arms of a group, each as likely."""
    allowed = 0
    for k in range(group[FIRST], group[END]):
        allowed += arms[VALUE, k] > -np.inf
    before = uniform_index(key, node, counter, allowed)  # allowed arms before the one drawn
    drawn = group[FIRST]
    for k in range(group[FIRST], group[END]):
        if arms[VALUE, k] > -np.inf:
            if before == 0:
                drawn = k
            before -= 1
    return drawn


@njit(nogil=True)
def _decide_sampled(
    decisions: Records, points: Points, t: Floats, arms: Floats, reward: Floats, groups: Groups, fixed: Points,
    c: float, prior: float, keys: NDArray[np.uint64], decided: NDArray[np.int64],
) -> None:  # fmt: skip
    """Thompson. Arguments as in `agents.bandits.kernel`."""
    for m in range(decisions.shape[0]):
        decision = decisions[m]
        b, n = decision.replica, decision.node
        if decision.fate >= 0:
            t[b, n] += 1.0
            learn(arms[b, n], reward[decision.fate], groups, decision.point, c, prior)
        points[b, n] = fixed[b, n]
        first_draw = decided[b, n] * arms.shape[3]
        for g in range(groups.shape[0]):
            best, highest = groups[g, FIRST], -np.inf
            for k in range(groups[g, FIRST], groups[g, END]):
                drawn = arms[b, n, VALUE, k] + arms[b, n, WIDTH, k] * normal(keys[b], n, first_draw + k)
                if drawn > highest:
                    highest = drawn
                    best = k
            set_factors(groups[g], best, points[b, n])
        decided[b, n] += 1
