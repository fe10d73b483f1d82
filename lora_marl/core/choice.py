"""What a decision is about: the factors that are chosen, and the operating point of all that is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def checked_points(region: Region, points: ArrayLike | None, cells: tuple[int, ...]) -> NDArray[np.int16]:
    """Operating points within the region for all `cells`, from one `[4]` or as many as broadcast to them.

    Args:
        region: What may be chosen.
        points: Indices; None: the first value of each factor and the highest power.
        cells: Leading shape of the result, such as (replicas, nodes).

    Returns:
        int16 `[*cells, 4]`

    Raises:
        ValueError: a shape that does not broadcast, or an index outside the region's list, naming it and the limits.
    """
    given = np.asarray([0, 0, 0, len(region.tp_dbm) - 1] if points is None else points)
    if given.ndim == 0 or given.shape[-1] != len(FACTORS):
        raise ValueError(f"fixed_point: {given.tolist()}; needs {len(FACTORS)} indices, of {', '.join(FACTORS)}")
    for name, indices, size in zip(FACTORS, np.moveaxis(given, -1, 0), region.factor_sizes, strict=True):
        outside = indices[(indices < 0) | (indices >= size)]
        if outside.size:
            raise ValueError(f"fixed_point: {name} = {outside.flat[0]} is outside 0 to {size - 1}")
    try:
        return np.broadcast_to(given, (*cells, len(FACTORS))).astype(np.int16)
    except ValueError:
        raise ValueError(f"fixed_point: shape {given.shape} is not one of a point for {cells}") from None
