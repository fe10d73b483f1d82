"""Index bandits, all nodes and replicas as arrays `[B, N, K]`: D-LoRa (CUCB) and NaiveMAB (UCB1 over super arms).

Of every group of competing arms (one per learned factor, or one with all their combinations), a node chooses

    argmax_k  R(k) + c sqrt(ln t / (2 (T(k) + prior)))

and when the fate of the packet is known, the arms it was sent with learn

    T(k) <- T(k) + 1,    R(k) <- R(k) + (r - R(k)) / (T(k) + prior)

| paper | name | paper | name |
|---|---|---|---|
| R-bar(a), expected reward | `values` | c | `c` |
| T(a), number of times chosen | `counts` | pi of the published code | `prior` |
| t, transmissions of the node | `t`, from 1 | xi, zeta, eta | `xi`, `zeta`, `eta` |

Source: D-LoRa journal Eq. (16)-(18) and Algorithm 1 (NaiveMAB), Eq. (19)-(24) and Algorithm 2 (D-LoRa); conference
Eq. (17)-(23) with bandwidth as a fourth factor. Chen, Wang and Yuan 2013 for CUCB, Auer et al. 2002 for UCB1.

Differences:
    1. The indicator is in {-1, +1} (see `agents.rewards`).
    2. `prior` is 1, as in the published code: values start at 0 as if from one earlier try, and no arm is forced.
       `prior=0` is the paper: an untried arm has an infinite index, so arms are first walked in order.
    3. Ties go to the lowest index.
    4. t and T count packets whose fate is known. The published code counts when it chooses, which differs only for
       packets on air at the end of an episode, whose fate nobody learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import ucb_kernel
from agents.learner import Learner
from agents.rewards import indicator as indicator_rewards
from agents.rewards import reward_table
from agents.ucb_kernel import COUNT, END, FIRST, STRIDES, SUBTRACTED, VALUE, WIDTH
from lora_marl.core.choice import chosen_factors
from lora_marl.core.metric_factors import metric_bonus
from lora_marl.core.region import FACTORS

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


class IndexBandit(Learner):
    """Nodes that choose by upper confidence index.

    `decide` is one compiled pass; `update` and `select` say the same in NumPy and are its oracle.

    Args:
        scenario, seeds, factors, fixed_point: See `Learner`.
        groups: Which arms compete and which factors they set (`agents.ucb_kernel`). `[G, 7]`
        rewards: Of every arm by fate. `[5, K]`
        c: Weight of exploration, at least 0.
        prior: Tries that every arm starts with, 0 or 1.

    Raises:
        ValueError: `c` or `prior` outside its range.
    """

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        factors: Sequence[str],
        fixed_point: Sequence[int] | None,
        groups: NDArray[np.int64],
        rewards: NDArray[np.float64],
        c: float,
        prior: int,
    ) -> None:
        super().__init__(scenario, seeds, factors=factors, fixed_point=fixed_point)
        if not 0 <= c < np.inf:
            raise ValueError(f"c = {c}: must be a finite number of at least 0")
        if prior not in (0, 1):
            raise ValueError(f"prior = {prior}: must be 0 or 1")
        self.c, self.prior = float(c), float(prior)
        self.groups, self.rewards = groups, rewards
        self.t = np.ones((self.replicas, self.nodes), np.int64)
        self._state = np.zeros((self.replicas, self.nodes, 3, self.rewards.shape[1]))
        self._state[:, :, WIDTH] = self.c / np.sqrt(2 * self.prior) if prior else np.inf

    @property
    def values(self) -> NDArray[np.float64]:
        """Expected rewards `[B, N, K]`."""
        return self._state[:, :, VALUE]

    @property
    def counts(self) -> NDArray[np.float64]:
        """Packets of known fate that each arm was sent with `[B, N, K]`."""
        return self._state[:, :, COUNT]

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Updates, selects and writes the choices into `points` `[B, N, 4]`, in place, in one compiled pass."""
        ucb_kernel.decide(
            decisions.records, points, self.t, self._state, self.rewards, self.groups,
            self.fixed_point, self.c, self.prior,
        )  # fmt: skip

    def update(self, decisions: Decisions) -> None:
        """Learns from the fates of the last packets; rows with `Fate.NONE` are skipped."""
        known = np.flatnonzero(decisions.fate >= 0)
        b, n = decisions.replica[known], decisions.node[known]
        fate, point = decisions.fate[known], decisions.point[known]
        self.t[b, n] += 1
        for group in self.groups:
            k = group[FIRST] + point @ group[STRIDES:]
            self.counts[b, n, k] += 1
            pulls = self.counts[b, n, k] + self.prior
            self.values[b, n, k] += (self.rewards[fate, k] - self.values[b, n, k + group[SUBTRACTED]]) / pulls
            self._state[b, n, WIDTH, k] = self.c / np.sqrt(2 * pulls)

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The points of highest index `[M, 4]`."""
        index = self.indices(decisions.replica, decisions.node)
        chosen = np.tile(self.fixed_point, (len(index), 1))
        for group in self.groups:
            rest = index[:, group[FIRST] : group[END]].argmax(axis=1)
            for factor in np.flatnonzero(group[STRIDES:]):
                chosen[:, factor], rest = np.divmod(rest, group[STRIDES + factor])
        return chosen

    def indices(self, replica: NDArray[np.integer], node: NDArray[np.integer]) -> NDArray[np.float64]:
        """Upper confidence indices of the arms of some nodes `[M, K]`."""
        return ucb_index(
            self.values[replica, node], self.counts[replica, node], self.t[replica, node, None], self.c, self.prior
        )

    def initial_points(self) -> NDArray[np.int16]:
        """The first arm of every group: what the index chooses while nothing is known `[B, N, 4]`."""
        learned = np.any(self.groups[:, STRIDES:] > 0, axis=0)
        return np.tile(np.where(learned, 0, self.fixed_point).astype(np.int16), (self.replicas, self.nodes, 1))

    def state_arrays(self) -> dict[str, NDArray]:
        """Transmissions `[B, N]`; values, counts and widths `[B, N, 3, K]`."""
        return {"t": self.t, "arms": self._state}


def ucb_index(
    value: NDArray[np.float64], count: NDArray[np.float64], t: NDArray[np.integer], c: float, prior: float
) -> NDArray[np.float64]:
    """Upper confidence index: value + c sqrt(ln t / (2 (count + prior))); infinite where nothing was tried.

    Source: D-LoRa journal Eq. (18) and (23).
    """
    pulls = count + prior
    bonus = c * np.sqrt(np.log(t) / (2 * np.where(pulls > 0, pulls, 1.0)))
    return np.where(pulls > 0, value + bonus, np.inf)


class CUCB(IndexBandit):
    """D-LoRa: one arm per value of each factor, each factor with rewards of its own.

    Args:
        scenario, seeds, factors, fixed_point: See `Learner`.
        c: Weight of exploration.
        xi, zeta, eta: Metric factors: how much small spreading factors, wide bandwidths and low powers are favoured.
        prior: 1 as in the published code, 0 as in the paper.
        indicator: `pm1`: a packet is worth +1 or -1; `indicator01`: 1 or 0, as printed.
        sf_weight: `true`: SF / 2^SF; `xor`: the published code's exclusive or.
    """

    name: ClassVar[str] = "cucb"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        factors: Sequence[str] | None = None,
        fixed_point: Sequence[int] | None = None,
        c: float = 2.0,
        xi: float = 1.0,
        zeta: float = 0.0,
        eta: float = 1.8,
        prior: int = 1,
        indicator: str = "pm1",
        sf_weight: str = "true",
    ) -> None:
        region = scenario.region
        factors = chosen_factors(region, factors)
        bonus = metric_bonus(region, xi=xi, zeta=zeta, eta=eta if "tp" in factors else 0.0, sf_weight=sf_weight)
        super().__init__(
            scenario, seeds, factors=factors, fixed_point=fixed_point, c=c, prior=prior,
            groups=factor_groups(region.factor_sizes, factors),
            rewards=reward_table(indicator_rewards(indicator), bonus, region, factors),
        )  # fmt: skip


class UCB1(IndexBandit):
    """NaiveMAB: one arm per combination of the factors' values; a packet is rewarded by its delivery alone.

    Args:
        scenario, seeds, factors, fixed_point: See `Learner`.
        c: Weight of exploration.
        prior: 1, or 0 for the paper's "try every super arm at least once" first.
        indicator: `pm1`: a packet is worth +1 or -1; `indicator01`: 1 or 0, as printed.
    """

    name: ClassVar[str] = "ucb1"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        factors: Sequence[str] | None = None,
        fixed_point: Sequence[int] | None = None,
        c: float = 2.0,
        prior: int = 1,
        indicator: str = "pm1",
    ) -> None:
        factors = chosen_factors(scenario.region, factors)
        group = product_group(scenario.region.factor_sizes, factors)
        rewards = np.repeat(indicator_rewards(indicator)[:, :1], group[0, END], axis=1)
        super().__init__(
            scenario, seeds, factors=factors, fixed_point=fixed_point, c=c, prior=prior, groups=group, rewards=rewards
        )


def factor_groups(sizes: Sequence[int], factors: Sequence[str]) -> NDArray[np.int64]:
    """One group of arms per factor, one after another `[F, 7]`."""
    groups = np.zeros((len(factors), STRIDES + len(FACTORS)), np.int64)
    first = 0
    for group, name in zip(groups, factors, strict=True):
        column = FACTORS.index(name)
        group[FIRST], group[END], group[STRIDES + column] = first, first + sizes[column], 1
        first = group[END]
    return groups


def product_group(sizes: Sequence[int], factors: Sequence[str]) -> NDArray[np.int64]:
    """One group with every combination of the factors' values, the last factor counting fastest `[1, 7]`."""
    group = np.zeros((1, STRIDES + len(FACTORS)), np.int64)
    arms = 1
    for column in reversed(range(len(FACTORS))):
        if FACTORS[column] in factors:
            group[0, STRIDES + column] = arms
            arms *= sizes[column]
    group[0, END] = arms
    return group
