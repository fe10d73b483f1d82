"""What the numbers of an array may be: indices, counts, times, switches. States that come from a file are checked so.

Compiled code follows indices and counts without a look at them, so a false one reads memory that is another's, or never
ends. A declaration names what an index points into; `check` compares a whole array with its declaration in one pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_COUNT = 2**47 - 1
"""Largest count of packets or draws: `lora_marl.core.random.draw_index` has as many bits for it."""

LATEST_S = 1e10
"""Latest time of a clock, some three hundred years. s"""


@dataclass(frozen=True)
class Index:
    """Whole numbers from 0 that point into something.

    Attributes:
        of: Name of what they point into.
        none: Whether -1 stands for none.
    """

    of: str
    none: bool = False


@dataclass(frozen=True)
class Count:
    """Whole numbers from `least` to `most`, or to the size of that name."""

    most: int | str = MOST_COUNT
    least: int = 0


@dataclass(frozen=True)
class Number:
    """Numbers from `least` to `most`; infinite, or not a number, only where it says so."""

    least: float = -np.inf
    most: float = np.inf
    infinite: bool = False
    nan: bool = False


@dataclass(frozen=True)
class Flag:
    """False or True, as bytes 0 or 1."""


@dataclass(frozen=True)
class Point:
    """Operating points `[..., 4]`: indices of spreading factor, bandwidth, channel and power.

    Attributes:
        hop: Whether the channel may be -1, `lora_marl.core.region.HOP`.
        unset: Whether all four may be -1.
    """

    hop: bool = False
    unset: bool = False


@dataclass(frozen=True)
class Columns:
    """Arrays `[..., len(columns)]` whose columns mean something else each."""

    columns: tuple[Count | Number, ...]


@dataclass(frozen=True)
class Given:
    """Anything: what another check compares, such as keys that follow from seeds, or what nothing follows."""


Allowed = Index | Columns | Count | Number | Flag | Point | Given

POINT_SIZES = ("spreading factors", "bandwidths", "channels", "powers")
"""Names of the sizes that a point's indices are checked against, in order."""


def time_s(*, infinite: bool = False, nan: bool = False) -> Number:
    """Times of a clock, or of one that has been set back. s"""
    return Number(-LATEST_S, LATEST_S, infinite=infinite, nan=nan)


def check(name: str, array: NDArray[Any], allowed: Allowed, sizes: Mapping[str, int]) -> None:
    """Raise ValueError unless all numbers of an array are allowed.

    Args:
        name: What the message calls the array.
        array: `[...]`
        allowed: What its numbers may be.
        sizes: How many there are of what indices point into, by name.
    """
    if not array.size or isinstance(allowed, Given):
        return
    if isinstance(allowed, Point):
        _check_points(name, array, allowed, sizes)
    elif isinstance(allowed, Columns):
        for number, column in enumerate(allowed.columns):
            check(f"{name}, column {number},", array[..., number], column, sizes)
    elif isinstance(allowed, Flag):
        _check_range(name, array.view(np.uint8), 0, 1)
    elif isinstance(allowed, Index):
        _check_range(name, array, -1 if allowed.none else 0, sizes[allowed.of] - 1)
    elif isinstance(allowed, Count):
        most = sizes[allowed.most] if isinstance(allowed.most, str) else allowed.most
        _check_range(name, array, allowed.least, most)
    else:
        _check_numbers(name, array, allowed)


def _check_numbers(name: str, array: NDArray[Any], allowed: Number) -> None:
    least, most = float(array.min()), float(array.max())  # nan where there is one
    if allowed.least <= least and most <= allowed.most and np.isfinite((least, most)).all():
        return
    wrong: NDArray[np.bool_] = np.asarray(~((array >= allowed.least) & (array <= allowed.most)) & np.isfinite(array))
    if not allowed.infinite:
        wrong = wrong | np.isinf(array)
    if not allowed.nan:
        wrong = wrong | np.isnan(array)
    _raise_first(name, array, wrong, f"{allowed.least:g} to {allowed.most:g}")


def _check_range(name: str, array: NDArray[Any], least: float, most: float) -> None:
    if not (array.min() >= least and array.max() <= most):
        _raise_first(name, array, ~((array >= least) & (array <= most)), f"{least:g} to {most:g}")


def _check_points(name: str, array: NDArray[Any], allowed: Point, sizes: Mapping[str, int]) -> None:
    least = np.array([0, 0, -1 if allowed.hop else 0, 0])
    most = np.array([sizes[size] for size in POINT_SIZES]) - 1
    fits: NDArray[np.bool_] = np.asarray(((array >= least) & (array <= most)).all(-1))
    if allowed.unset:
        fits = fits | np.asarray((array == -1).all(-1))
    if not fits.all():
        limits = ", ".join(f"{low} to {high}" for low, high in zip(least, most, strict=True))
        _raise_first(name, array, ~fits, f"{limits} (indices of {', '.join(POINT_SIZES)})")


def _raise_first(name: str, array: NDArray[Any], wrong: NDArray[np.bool_], allowed: str) -> None:
    """Raise the ValueError of the first number, or point, that is wrong; return if none is."""
    if not wrong.any():
        return
    place = np.unravel_index(int(wrong.argmax()), wrong.shape)
    at = "".join(f"[{int(i)}]" for i in place)
    raise ValueError(f"{name}{at} is {array[place].tolist()}; allowed are {allowed}")
