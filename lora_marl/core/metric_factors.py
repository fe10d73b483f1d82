"""D-LoRa's metric factors: what a value of a parameter adds to its reward, to favour cheap or fast transmissions.

| paper | name |
|---|---|
| xi w_SF, w_SF = (SF / 2^SF) / sum (SF / 2^SF) | `xi`, `sf_weights` |
| zeta BW / sum BW | `zeta`, `shares` |
| eta (1 - TP / sum TP) | `eta`, `shares` |

Source: D-LoRa journal Eq. (19)-(21), conference Eq. (20)-(23). `xor` weights replay the published code, in which
`SF / (2 ^ SF)` is Python's exclusive or.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_choice
from lora_marl.core.region import Region

SF_WEIGHTS = ("true", "xor")


def sf_weights(spreading_factors: Sequence[int], kind: str = "true") -> NDArray[np.float64]:
    """Weights that favour small spreading factors and sum to 1. `[S]`

    Raises:
        ValueError: an unknown kind.
    """
    check_choice("sf_weight", kind, SF_WEIGHTS)
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
    """The bonus of each value, by factor: xi w_SF, zeta BW / sum BW, eta (1 - TP / sum TP). `[values]` each

    Raises:
        ValueError: a metric factor that is not finite, or an unknown `sf_weight`.
    """
    for name, value in {"xi": xi, "zeta": zeta, "eta": eta}.items():
        if not (isinstance(value, (int, float, np.number)) and np.isfinite(value)):
            raise ValueError(f"{name} = {value}: must be a finite number")
    bonus = {"sf": xi * sf_weights(region.spreading_factors, sf_weight)}
    bonus["bw"] = zeta * shares(region.bandwidths_hz)
    if eta != 0:
        bonus["tp"] = eta * (1 - shares(region.tp_dbm))
    return bonus
