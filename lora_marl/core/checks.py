"""Checks of single values, which name the field, the value and what is allowed."""

from __future__ import annotations

from numbers import Real

import numpy as np


def check_count(name: str, value: object) -> None:
    """ValueError unless the value is a whole number of at least 1."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}: {value!r} is not a whole number of at least 1")


def check_above_0(name: str, value: object) -> None:
    """ValueError unless the value is a finite number above 0."""
    if not _number(value) or not 0.0 < value < np.inf:  # type: ignore[operator]
        raise ValueError(f"{name}: {value!r} is not a number above 0")


def check_range(name: str, value: object) -> None:
    """ValueError unless the value is two finite numbers above 0 that ascend."""
    pair = value if isinstance(value, (tuple, list)) else ()
    if len(pair) != 2 or not all(map(_number, pair)) or not 0.0 < pair[0] <= pair[1] < np.inf:
        raise ValueError(f"{name}: {value!r} is not two numbers above 0 that ascend")


def _number(value: object) -> bool:
    return isinstance(value, (Real, np.number)) and not isinstance(value, bool)
