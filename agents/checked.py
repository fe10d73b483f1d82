"""Ranges of hyperparameters, and the error that names a value outside its own."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any


class Checked:
    """Checks of a dataclass's fields by name."""

    def check(self, allowed: str, *names: str) -> None:
        """Raise ValueError unless fields are what is `allowed`, one of the ranges below."""
        holds = _RANGES[allowed]
        for name in names:
            value: Any = getattr(self, name)
            if not (isinstance(value, Real) and holds(value)):
                raise ValueError(f"{name} = {value!r}: must be {allowed}")


_RANGES = {
    "an integer of at least 1": lambda value: isinstance(value, int) and value >= 1,
    "an integer of at least 0": lambda value: isinstance(value, int) and value >= 0,
    "above 0": lambda value: value > 0.0,
    "finite and above 0": lambda value: 0.0 < value < math.inf,
    "at least 0": lambda value: value >= 0.0,
    "finite and at least 0": lambda value: 0.0 <= value < math.inf,
    "from 0 to 1": lambda value: 0.0 <= value <= 1.0,
    "from 0 up to but not including 1": lambda value: 0.0 <= value < 1.0,
}


def check_ramp(name: str, given: Any) -> None:
    """Raise ValueError unless it is None or where a scale begins and a width above 0, both finite."""
    if given is not None and not (_finite_pair(given) and given[1] > 0.0):
        raise ValueError(f"{name} = {given!r}: expected where it begins and its width above 0, or none")


def _finite_pair(given: Any) -> bool:
    pair = isinstance(given, tuple) and len(given) == 2
    return pair and all(isinstance(value, Real) and math.isfinite(value) for value in given)
