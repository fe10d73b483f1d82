"""Rewards of the D-LoRa family: one for the fate of the packet, plus a bonus for the value that a factor used.

    r_f(fate, v) = outcome[fate, f] + bonus_f(v)

| paper | name | paper | name |
|---|---|---|---|
| I{C_j = 0 and S_j = 0} | `outcome`, `indicator` | terms of xi, zeta, eta | `bonus` (`core.metric_factors`) |

Source: D-LoRa journal Eq. (19)-(21), conference Eq. (20)-(23).
Differences: the indicator is in {-1, +1} by default (`pm1`). The printed {0, 1} (`indicator01`) does not give the
published numbers.

Shape letters: `K` values of the learned factors, one factor after another; 5 fates; 4 factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_choice
from lora_marl.core.reception import FATES, Fate
from lora_marl.core.region import FACTORS, Region

INDICATORS: dict[str, tuple[float, float]] = {"pm1": (1.0, -1.0), "indicator01": (1.0, 0.0)}
"""Reward of a delivered and of a lost packet."""


def indicator(kind: str = "pm1") -> NDArray[np.float64]:
    """The reward for delivery, the same for all factors.

    Args:
        kind: One of `INDICATORS`.

    Returns:
        By fate and factor. `[5, 4]`

    Raises:
        ValueError: an unknown kind.
    """
    check_choice("indicator", kind, INDICATORS)
    delivered, lost = INDICATORS[kind]
    by_fate = [delivered if fate == Fate.DELIVERED else lost for fate in FATES]
    return np.repeat(np.array(by_fate)[:, None], len(FACTORS), axis=1)


def reward_table(
    outcome: NDArray[np.float64], bonus: Mapping[str, ArrayLike], region: Region, factors: Sequence[str]
) -> NDArray[np.float64]:
    """Rewards of all arms: that of the fate, plus the bonus of the value.

    Args:
        outcome: By fate and factor. `[5, 4]`
        bonus: By factor, for each of its values; a factor that is missing has none.
        region: Region whose factor values are the arms.
        factors: The learned factors, in the order of `FACTORS`.

    Returns:
        By fate and arm. `[5, K]`
    """
    sizes = dict(zip(FACTORS, region.factor_sizes, strict=True))
    columns = [
        outcome[:, [FACTORS.index(name)]] + np.broadcast_to(bonus.get(name, 0.0), sizes[name]) for name in factors
    ]
    return np.concatenate(columns, axis=1)
