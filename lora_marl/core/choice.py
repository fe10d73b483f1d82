"""What a decision is about: the factors that are chosen, and the operating point of all that is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.region import FACTORS, Region


def chosen_factors(region: Region, factors: Sequence[str] | None) -> tuple[str, ...]:
    """The chosen factors in the order of `FACTORS`; None: those with more than one value in the region.

    Raises:
        ValueError: an unknown, repeated or missing factor, naming it.
    """
    if factors is None:
        return tuple(name for name, size in zip(FACTORS, region.factor_sizes, strict=True) if size > 1)
    for name in factors:
        if name not in FACTORS:
            raise ValueError(f"factors: {name!r} is not one of {', '.join(FACTORS)}")
    if len(factors) == 0 or len(set(factors)) < len(factors):
        raise ValueError(f"factors: {list(factors)}; allowed is at least one, each once, of {', '.join(FACTORS)}")
    return tuple(name for name in FACTORS if name in factors)


def checked_point(region: Region, point: Sequence[int] | None) -> NDArray[np.int16]:
    """An operating point within the region; None: the first value of each factor and the highest power. `[4]`

    Raises:
        ValueError: an index outside the region's list, naming the factor and the limits.
    """
    if point is None:
        return np.array([0, 0, 0, len(region.tp_dbm) - 1], np.int16)
    if len(point) != len(FACTORS):
        raise ValueError(f"fixed_point: {list(point)}; needs {len(FACTORS)} indices, of {', '.join(FACTORS)}")
    for name, index, size in zip(FACTORS, point, region.factor_sizes, strict=True):
        if not 0 <= index < size:
            raise ValueError(f"fixed_point: {name} = {index} is outside 0 to {size - 1}")
    return np.array(point, np.int16)
