"""The factors of a decision: which of them are chosen, and the values of those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_choice
from lora_marl.core.region import FACTORS, HOP, LEAST, Region, allowed_indices


def chosen_factors(region: Region, factors: Sequence[str] | None) -> tuple[str, ...]:
    """The chosen factors in the order of `FACTORS`; None chooses those with more than one value in the region.

    Raises:
        ValueError: an unknown, repeated or missing factor, naming it.
    """
    if factors is None:
        return tuple(name for name, size in zip(FACTORS, region.factor_sizes, strict=True) if size > 1)
    for name in factors:
        check_choice("factors", name, FACTORS)
    if len(factors) == 0 or len(set(factors)) < len(factors):
        raise ValueError(f"factors: {list(factors)}; allowed is at least one, each once, of {', '.join(FACTORS)}")
    return tuple(name for name in FACTORS if name in factors)


def checked_points(region: Region, points: ArrayLike | None, cells: tuple[int, ...]) -> NDArray[np.int16]:
    """Operating points within the region for all `cells`, from one `[4]` or as many as broadcast to them.

    Args:
        region: What may be chosen.
        points: Indices, in the column of channels also `HOP` or `"hop"`; None: the first spreading factor and
            bandwidth, the highest power, and `HOP` where there is more than one channel.
        cells: Leading shape of the result, such as (replicas, nodes).

    Returns:
        int16 `[*cells, 4]`

    Raises:
        ValueError: a shape that does not broadcast, or an index outside the region's list, naming it and the limits.
    """
    indices = _default_point(region) if points is None else _with_hops(points)
    if indices.ndim == 0 or indices.shape[-1] != len(FACTORS):
        raise ValueError(f"fixed_point: {indices.tolist()}; needs {len(FACTORS)} indices, of {', '.join(FACTORS)}")
    for at, (name, size) in enumerate(zip(FACTORS, region.factor_sizes, strict=True)):
        outside = indices[..., at][(indices[..., at] < LEAST[at]) | (indices[..., at] >= size)]
        if outside.size:
            raise ValueError(f"fixed_point: {name} = {outside.flat[0]} is outside {allowed_indices(at, size)}")
    try:
        return np.broadcast_to(indices, (*cells, len(FACTORS))).astype(np.int16)
    except ValueError:
        raise ValueError(f"fixed_point: shape {indices.shape} is not one of a point for {cells}") from None


def _default_point(region: Region) -> NDArray[np.int64]:
    """The point of a device that nobody has configured. `[4]`"""
    return np.array([0, 0, region.default_channel, len(region.tp_dbm) - 1])


def _with_hops(points: ArrayLike) -> NDArray[Any]:
    """Indices with `HOP` where a file says `hop`. `[..., 4]`"""
    indices = np.asarray(points)
    if indices.dtype.kind not in "UO":
        return indices
    values = np.asarray(points, object)
    try:
        return np.where(values == "hop", HOP, values).astype(np.int64)
    except (TypeError, ValueError):
        raise ValueError(f"fixed_point: {values.tolist()}; needs whole numbers, or hop for the channel") from None
