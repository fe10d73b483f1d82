"""Rewards of the D-LoRa family: what the fate of a packet is worth to each factor, plus a bonus for the value used.

    r_f(fate, v) = outcome[fate, f] + bonus_f(v)

| paper | name | paper | name |
|---|---|---|---|
| I{C_j = 0 and S_j = 0} | `outcome`, `indicator` | w_SF = (SF / 2^SF) / sum (SF / 2^SF) | `sf_weights` |
| xi, zeta, eta | `xi`, `zeta`, `eta` | BW / sum BW, TP / sum TP | `shares` |

Source: D-LoRa journal Eq. (19)-(21), conference Eq. (20)-(23).
Differences: the indicator is in {-1, +1} by default (`pm1`); the printed {0, 1} (`indicator01`) does not give the
published numbers. `xor` weights replay the published code, in which `SF / (2 ^ SF)` is Python's exclusive or.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.reception import FATES, Fate
from lora_marl.core.region import FACTORS, Region

INDICATORS: dict[str, tuple[float, float]] = {"pm1": (1.0, -1.0), "indicator01": (1.0, 0.0)}
"""Reward of a delivered and of a lost packet."""

SF_WEIGHTS = ("true", "xor")


def indicator(kind: str = "pm1") -> NDArray[np.float64]:
    """The same reward to all factors, by whether the packet was delivered `[5 fates, 4 factors]`.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in INDICATORS:
        raise ValueError(f"indicator = {kind!r} is not one of {', '.join(INDICATORS)}")
    delivered, lost = INDICATORS[kind]
    by_fate = [delivered if fate == Fate.DELIVERED else lost for fate in FATES]
    return np.repeat(np.array(by_fate)[:, None], len(FACTORS), axis=1)


def sf_weights(spreading_factors: Sequence[int], kind: str = "true") -> NDArray[np.float64]:
    """Weights that favour small spreading factors and sum to 1 `[len(spreading_factors)]`.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in SF_WEIGHTS:
        raise ValueError(f"sf_weight = {kind!r} is not one of {', '.join(SF_WEIGHTS)}")
    sf = np.asarray(spreading_factors, np.int64)
    return shares(sf / (2**sf if kind == "true" else np.bitwise_xor(2, sf)))


def shares(values: ArrayLike) -> NDArray[np.float64]:
    """Each value over their sum.

    Raises:
        ValueError: the sum is not positive (powers in dBm may add up to 0 or less).
    """
    array = np.asarray(values, np.float64)
    if not array.sum() > 0:
        raise ValueError(f"values {array.tolist()} sum to {array.sum()}; a share needs a sum above 0")
    return array / array.sum()


def metric_bonus(
    region: Region, *, xi: float, zeta: float, eta: float, sf_weight: str = "true"
) -> dict[str, NDArray[np.float64]]:
    """The bonus of each value of the factors that have one: xi w_SF, zeta BW / sum BW, eta (1 - TP / sum TP).

    Raises:
        ValueError: a metric factor that is not finite, or an unknown `sf_weight`.
    """
    for name, value in {"xi": xi, "zeta": zeta, "eta": eta}.items():
        if not np.isfinite(value):
            raise ValueError(f"{name} = {value}: must be finite")
    bonus = {"sf": xi * sf_weights(region.spreading_factors, sf_weight)}
    bonus["bw"] = zeta * shares(region.bandwidths_hz)
    if eta != 0:
        bonus["tp"] = eta * (1 - shares(region.tp_dbm))
    return bonus


def reward_table(
    outcome: NDArray[np.float64], bonus: Mapping[str, ArrayLike], region: Region, factors: Sequence[str]
) -> NDArray[np.float64]:
    """Rewards of all base arms, the values of the learned factors one after another `[5 fates, K]`."""
    sizes = dict(zip(FACTORS, region.factor_sizes, strict=True))
    columns = [
        outcome[:, [FACTORS.index(name)]] + np.broadcast_to(bonus.get(name, 0.0), sizes[name]) for name in factors
    ]
    return np.concatenate(columns, axis=1)
