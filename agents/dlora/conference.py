"""The learner of the conference paper as it was run, for its Table III only; no default reaches it.

It is CUCB over all four factors with two things changed:

    r_f(fate, v) = outcome[fate, f] + bonus_f(v)            rewards by class of outcome
    R_bw(k) <- R_bw(k) + (r_bw - R_sf(k)) / (T_bw(k) + 1)   the bandwidth arm subtracts the spreading factor's value

| outcome | sf | bw | channel | tp |
|---|---|---|---|---|
| received | 1 | 1 | 1 | 1 |
| lost (power, SINR or no demodulator) | -0.5 | -0.5 | 0 | -1 |
| collided | -1 | -0.5 | -0.5 | 0 |

| variant | paper's (xi, zeta, eta) | bonus as run |
|---|---|---|
| `D` | (0, 0, 1.8) | tp: -1.8 TP / sum TP |
| `EE` | (0, 0, 3.5) | tp: -3.5 TP / sum TP |
| `PDR` | (0, 0, 0) | none |
| `TH` | (10, 10, 0) | sf: +10 w_SF with exclusive-or weights; bw: -10 BW / sum BW |

Source: the code and result files behind D-LoRa's conference paper (IEEE GLOBECOM 2025), Table III.
Differences: from the paper, everything above. From the code: factors are updated in the order SF, BW, channel, TP,
so R_sf(k) is already the new one where that arm was sent with; t and T count known fates (see `agents.bandits.cucb`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.bandits.index_bandit import IndexBandit, factor_groups
from agents.bandits.kernel import FIRST, SUBTRACTED
from agents.dlora.rewards import reward_table
from lora_marl.core.published.metric_factors import sf_weights, shares
from lora_marl.core.reception import FATES, Fate
from lora_marl.core.region import FACTORS, Region

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

_RECEIVED, _LOST, _COLLIDED = (1.0, 1.0, 1.0, 1.0), (-0.5, -0.5, 0.0, -1.0), (-1.0, -0.5, -0.5, 0.0)
_OUTCOME = {Fate.DELIVERED: _RECEIVED, Fate.COLLIDED: _COLLIDED}

VARIANTS = ("D", "EE", "PDR", "TH")


class ConferenceCUCB(IndexBandit):
    """The four columns of the conference paper's Table III, update bug included.

    Args:
        scenario: Needs at least as many spreading factors as bandwidths.
        seeds: One per replica.
        variant: `D`, `EE`, `PDR` or `TH`.
        c: Weight of exploration.

    Raises:
        ValueError: an unknown variant, or fewer spreading factors than bandwidths.
    """

    name: ClassVar[str] = "conference-cucb"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, variant: str = "D", c: float = 2.0) -> None:
        region = scenario.region
        if len(region.spreading_factors) < len(region.bandwidths_hz):
            raise ValueError(
                f"spreading_factors = {list(region.spreading_factors)}: the published update needs at least as many "
                f"as there are bandwidths, {len(region.bandwidths_hz)}"
            )
        groups = factor_groups(region.factor_sizes, FACTORS)
        sf, bw = FACTORS.index("sf"), FACTORS.index("bw")
        groups[bw, SUBTRACTED] = groups[sf, FIRST] - groups[bw, FIRST]
        rewards = reward_table(conference_outcome(), conference_bonus(region, variant), region, FACTORS)
        super().__init__(
            scenario, seeds, factors=FACTORS, fixed_point=None, c=c, prior=1, groups=groups, rewards=rewards
        )


def conference_outcome() -> NDArray[np.float64]:
    """Rewards by class of outcome `[5 fates, 4 factors]`."""
    return np.array([_OUTCOME.get(fate, _LOST) for fate in FATES])


def conference_bonus(region: Region, variant: str) -> dict[str, NDArray[np.float64]]:
    """The bonus of each value of the factors that have one.

    Raises:
        ValueError: an unknown variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant = {variant!r} is not one of {', '.join(VARIANTS)}")
    if variant == "TH":
        return {"sf": 10 * sf_weights(region.spreading_factors, "xor"), "bw": -10 * shares(region.bandwidths_hz)}
    eta = {"D": 1.8, "EE": 3.5, "PDR": 0.0}[variant]
    return {"tp": -eta * shares(region.tp_dbm)}
