"""The learner of D-LoRa's conference paper as it was run, for that paper's Table III only; no default uses it.

It is CUCB over all four factors with two changes:

    r_f(fate, v) = outcome[fate, f] + bonus_f(v)            reward by class of fate
    R_bw(k) <- R_bw(k) + (r_bw - R_sf(k)) / (T_bw(k) + 1)   the published bug: the value of the SF arm is subtracted

| fate | sf | bw | channel | tp |
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
Differences:
    1. From the paper: everything above.
    2. From the code: factors are updated in the order SF, BW, channel, TP, so R_sf(k) is already updated where the
       packet was sent with that arm; t and T count packets of known fate (see `agents.bandits.cucb`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.bandits.index_bandit import IndexBandit, factor_groups
from agents.bandits.kernel import FIRST, SUBTRACTED
from agents.bandits.rewards import reward_table
from lora_marl.core.checks import check_choice
from lora_marl.core.metric_factors import sf_weights, shares
from lora_marl.core.reception import FATES, Fate
from lora_marl.core.region import FACTORS, Region

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

_RECEIVED, _LOST, _COLLIDED = (1.0, 1.0, 1.0, 1.0), (-0.5, -0.5, 0.0, -1.0), (-1.0, -0.5, -0.5, 0.0)
_BY_FATE = {Fate.DELIVERED: _RECEIVED, Fate.COLLIDED: _COLLIDED}
"""Rewards by factor; those of every other fate are `_LOST`."""

VARIANTS = ("D", "EE", "PDR", "TH")


class ConferenceCUCB(IndexBandit):
    """The learner of the four columns of the conference paper's Table III, with the bug in its update.

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
    """Rewards by fate and factor. `[5, 4]`"""
    return np.array([_BY_FATE.get(fate, _LOST) for fate in FATES])


def conference_bonus(region: Region, variant: str) -> dict[str, NDArray[np.float64]]:
    """The bonus of a variant: by factor that has one, for each of its values.

    Raises:
        ValueError: an unknown variant.
    """
    check_choice("variant", variant, VARIANTS)
    if variant == "TH":
        return {"sf": 10 * sf_weights(region.spreading_factors, "xor"), "bw": -10 * shares(region.bandwidths_hz)}
    eta = {"D": 1.8, "EE": 3.5, "PDR": 0.0}[variant]
    return {"tp": -eta * shares(region.tp_dbm)}
