"""D-LoRa (`cucb`, `d-lora`) and NaiveMAB (`ucb1`, `naive-mab`): upper confidence bandits.

To write a bandit of your own, copy `UCB1` of this file and register its name in `agents/__init__.py`.

D-LoRa has one group of competing arms for each learned factor, NaiveMAB one group of all their combinations ("super
arms"). In every group a node chooses

    argmax_k  R(k) + c sqrt(ln t / (2 (T(k) + prior)))

and when the fate of the packet is known, the arms that it was sent with learn

    T(k) <- T(k) + 1,    R(k) <- R(k) + (r - R(k)) / (T(k) + prior)

| paper | name | paper | name |
|---|---|---|---|
| R-bar(a), expected reward | `values` | c | `c` |
| T(a), packets sent with the arm | `counts` | pi of the published code | `prior` |
| t, transmissions of the node | `t`, from 1 | xi, zeta, eta | `xi`, `zeta`, `eta` |

Source: D-LoRa journal Eq. (16)-(18) and Algorithm 1 (NaiveMAB), Eq. (19)-(24) and Algorithm 2 (D-LoRa); conference
Eq. (17)-(23) with bandwidth as a fourth factor. Chen, Wang and Yuan 2013 for CUCB, Auer et al. 2002 for UCB1.

Differences:
    1. The indicator is in {-1, +1}, see `agents.bandits.rewards`.
    2. `prior` is 1, as in the published code: values start at 0 as if every arm had been tried once. `prior=0`
       is the paper: an untried arm has an infinite index, so every arm is tried once first, in order.
    3. Ties go to the lowest index.
    4. t and T count packets of known fate. The published code counts choices, which differs only for packets on the air
       at the end of an episode, whose fate is never learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.bandits.index_bandit import IndexBandit, factor_groups, product_group
from agents.bandits.kernel import END
from agents.bandits.rewards import indicator as indicator_rewards
from agents.bandits.rewards import reward_table
from lora_marl.core.factors import chosen_factors
from lora_marl.core.metric_factors import metric_bonus

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario


class CUCB(IndexBandit):
    """D-LoRa: one arm for each value of each factor; each factor has its own rewards.

    Args:
        scenario, seeds, factors, fixed_point: As in `Learner`.
        c: Weight of exploration.
        xi, zeta, eta: Metric factors: weights of the bonus for small spreading factors, wide bandwidths, low powers.
        prior: 1 as in the published code, 0 as in the paper.
        indicator: `pm1`: a packet is worth +1 or -1; `indicator01`: 1 or 0, as printed.
        sf_weight: `true`: SF / 2^SF; `xor`: the published code's exclusive or.
        allowed: Arms that may be chosen, the values of the learned factors one after another; broadcasts to
            `[B, N, K]`; None: all.

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    name: ClassVar[str] = "cucb"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        factors: Sequence[str] | None = None,
        fixed_point: ArrayLike | None = None,
        c: float = 2.0,
        xi: float = 1.0,
        zeta: float = 0.0,
        eta: float = 1.8,
        prior: int = 1,
        indicator: str = "pm1",
        sf_weight: str = "true",
        allowed: NDArray[np.bool_] | None = None,
    ) -> None:
        region = scenario.region
        factors = chosen_factors(region, factors)
        bonus = metric_bonus(region, xi=xi, zeta=zeta, eta=eta if "tp" in factors else 0.0, sf_weight=sf_weight)
        super().__init__(
            scenario, seeds, factors=factors, fixed_point=fixed_point, c=c, prior=prior,
            groups=factor_groups(region.factor_sizes, factors),
            rewards=reward_table(indicator_rewards(indicator), bonus, region, factors),
            allowed=allowed,
        )  # fmt: skip


class UCB1(IndexBandit):
    """NaiveMAB: one arm for each combination of the factors' values; the reward is the delivery alone.

    Args:
        scenario, seeds, factors, fixed_point: As in `Learner`.
        c: Weight of exploration.
        prior: 1, or 0 for the paper's rule to try every super arm at least once.
        indicator: `pm1`: a packet is worth +1 or -1; `indicator01`: 1 or 0, as printed.

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    name: ClassVar[str] = "ucb1"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        factors: Sequence[str] | None = None,
        fixed_point: ArrayLike | None = None,
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
