"""Checks of single values, whose errors name the field, the value and what is allowed.

A field whose name ends in a unit holds that unit. `RANGES` is the one table of what is physical in each, and
`check_units` holds every record of the core and every section of a configuration to it.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import reprlib
import warnings
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, Final, NamedTuple

import numpy as np

_SIMILAR, _SIMILAR_NAME = 0.5, 0.7
"""Least similarity (`difflib`) of a word and its suggestion, in general and between names with the same start."""

_FEW = 10
"""Most known words that a message lists besides the suggestion."""


class Range(NamedTuple):
    """The range of the values of a quantity.

    Attributes:
        unit: As a message names it.
        least, most: Both are allowed.
        infinite: Whether infinity means something, such as no packet, no link or no limit.
        example: How a value that is often given in another unit is written; empty: there is none.
    """

    unit: str
    least: float
    most: float
    infinite: bool = False
    example: str = ""


RANGES: Final[Mapping[str, Range]] = {
    "hz": Range("Hz", 1e6, 1e10, example="868.1 MHz is 868.1e6"),
    "bandwidth_hz": Range("Hz", 1e3, 1e7, example="125 kHz is 125e3"),
    "bandwidths_hz": Range("Hz", 1e3, 1e7, example="125 kHz is 125e3"),
    "dbm": Range("dBm", -300.0, 100.0),
    "tp_dbm": Range("dBm", -50.0, 50.0, example="25 mW is 14"),
    "sensitivity_dbm": Range("dBm", -300.0, 0.0, infinite=True),
    "db": Range("dB", -300.0, 300.0),
    "noise_figure_db": Range("dB", 0.0, 50.0),
    "reference_loss_db": Range("dB", 0.0, 300.0, example="a gain of -127 dB is a loss of 127"),
    "antenna_gain_db": Range("dB", -100.0, 100.0),
    "capture_db": Range("dB", -300.0, 300.0, infinite=True),
    "sir_db": Range("dB", -300.0, 300.0, infinite=True),
    "sinr_db": Range("dB", -300.0, 300.0, infinite=True),
    "shadowing_db": Range("dB", 0.0, 100.0),
    "spread_db": Range("dB", 0.0, 100.0),
    "slow_db": Range("dB", 0.0, 100.0),
    "slow_s": Range("s", 1.0, 1e10, example="2 days are 172800"),
    "path_loss_db": Range("dB", 0.0, 400.0, infinite=True, example="a pair without a link has infinity"),
    "m": Range("m", 0.0, 4.1e7),
    "xy_m": Range("m", -4.1e7, 4.1e7),
    "s": Range("s", 0.0, 1e10),
    "interval_s": Range("s", 1e-6, 1e10, infinite=True, example="10 minutes is 600"),
    "silent_s": Range("s", 0.0, 1e10, infinite=True),
    "delay_s": Range("s", 0.0, 60.0, example="1,000 ms is 1"),
    "dwell_time_s": Range("s", 0.0, 60.0, example="400 ms is 0.4"),
    "h": Range("h", 0.0, 1e7),
    "mj": Range("mJ", 0.0, 1e9),
    "ma": Range("mA", 0.0, 1e4),
    "tx_ma": Range("mA", 1.0, 1e4, example="0.0255 A is 25.5"),
    "sleep_ma": Range("mA", 0.0, 1e2, example="1 uA is 0.001"),
    "mah": Range("mAh", 1.0, 1e7, example="2.6 Ah is 2600"),
    "voltage_v": Range("V", 0.5, 50.0, example="3,300 mV is 3.3"),
    "bytes": Range("bytes", 0.0, 255.0),
}
"""What is physical, by the end of a field's name; the longest end that fits holds.

They catch a value in another unit (868.1 for a channel, which is in Hz) and a sign that was forgotten, not a bad idea:
LoRa's carriers lie between 137 MHz and 2.5 GHz and its bandwidths between 7.8 kHz and 1.6 MHz, a gateway transmits 10 W
at most, no passive link amplifies, no receiver is quieter than thermal noise, the Earth measures 40,000 km around, a
receive delay is 15 s at most, and a LoRa frame has 255 bytes and lasts some 10 s at most.
"""


def range_of(field: str) -> Range | None:
    """The physical range of a field, by its unit suffix; None: its name ends in no unit."""
    parts = field.split("_")
    if len(parts) < 2 or parts[-2] == "per":
        return None
    ends = ("_".join(parts[first:]) for first in range(len(parts)))
    return next((RANGES[end] for end in ends if end in RANGES), None)


def check_record(record: Any, owner: str, *, by_rate: Iterable[str] = ()) -> None:
    """Raise ValueError unless the fields of a dataclass have the form and, where they name a unit, the range they need.

    Args:
        record: The dataclass.
        owner: Its name, which precedes the field in a message.
        by_rate: Fields that hold pairs of a data rate and a value, which the record checks itself.
    """
    values = {field: value for field, value in vars(record).items() if field not in by_rate}
    fields = dataclasses.fields(record)
    by_node = [field.name for field in fields if field.type == "ArrayLike"]
    for field in fields:
        if field.name in by_rate:
            continue
        name, value, kind = f"{owner}.{field.name}", values[field.name], str(field.type).removesuffix(" | None")
        if kind in _SCALARS:
            check_single(name, value, by_node)
            if not (isinstance(value, _SCALARS[kind][0]) or (value is None and field.type != kind)):
                raise ValueError(f"{name}: {reprlib.repr(value)} is not {_SCALARS[kind][1]}")
        elif kind.startswith(("NDArray", "ArrayLike")) and value is not None:
            _check_numbers(name, value)
    check_units(values, owner)


_SCALARS: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "bool": ((bool, np.bool_), "true or false"),
    "int": ((Real, np.number), "a number"),  # whether it is whole is checked, and said, with its range
    "float": ((Real, np.number), "a number"),
    "str": ((str,), "a text"),
}
"""Annotations of fields that have one value for all: the types that the value may have, and what a message calls it."""


def _check_numbers(name: str, value: object) -> None:
    try:
        numbers = np.asarray(value).dtype.kind in "iufb"
    except ValueError:  # lists of unequal lengths
        numbers = False
    if not numbers:
        raise ValueError(f"{name}: {reprlib.repr(value)} is neither a number nor an even list of numbers")


def check_single(name: str, value: object, by_node: Iterable[str] = ()) -> None:
    """Raise ValueError for several values where one holds for all nodes; `by_node`: fields that may have one for each.

    Strings are single values.
    """
    if isinstance(value, (list, tuple, set, dict)) or getattr(value, "ndim", 0) > 0:
        may = f"; each node may have its own {' and '.join(by_node)}" if by_node else ""
        raise ValueError(f"{name}: {reprlib.repr(value)} has several values; it takes one for all{may}")


def check_units(values: Mapping[str, Any], owner: str = "") -> None:
    """Raise ValueError unless every value whose field names a unit is a number, or an array of numbers, in its range.

    Args:
        values: By field; those that are None, and fields without a unit, are skipped.
        owner: Name of the record, which precedes the field in a message.
    """
    for field, value in values.items():
        allowed = None if value is None else range_of(field)
        if allowed is not None:
            check_in_range(f"{owner}.{field}" if owner else field, value, allowed)


def check_in_range(name: str, value: object, allowed: Range) -> None:
    """Raise ValueError unless a number, or every number of an array, is in a range; the message names the unit."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        array = np.empty(1, object)
    if array.dtype.kind not in "iuf" and array.size:
        raise ValueError(f"{name}: {value!r} is not a number of {allowed.unit}")
    inside = (array >= allowed.least) & (array <= allowed.most)
    if allowed.infinite:
        inside |= np.isinf(array)
    if inside.all():
        return
    at = np.argwhere(~np.atleast_1d(inside))[0].tolist()
    wrong = np.atleast_1d(array)[tuple(at)]
    place = f"{name}{at}" if array.ndim else name
    hint = f"; {allowed.example}" if allowed.example else ""
    raise ValueError(f"{place}: {wrong:.10g} is not within {allowed.least:g} to {allowed.most:g} {allowed.unit}{hint}")


def suggest(word: str, known: Iterable[str], *, same_start: bool = False) -> str:
    """Return the end of an error message about an unknown word: the known word that was probably meant.

    Args:
        word: The unknown word.
        known: All words that would have been right.
        same_start: Whether a suggestion must be very similar and begin with the same letter, in either case, as for
            names of learners: those of different algorithms often differ in a prefix only, so `d-lora` is not answered
            with `cd-lora`.

    Returns:
        `; did you mean 'x'?`, followed by ` Known: x, y` where there are few; or `; known: x, y` where no known word is
        similar.
    """
    words = {name.casefold(): name for name in sorted(known)}
    typed = str(word).casefold()
    candidates = [name for name in words if not same_start or name[:1] == typed[:1]]
    nearest = difflib.get_close_matches(typed, candidates, n=1, cutoff=_SIMILAR_NAME if same_start else _SIMILAR)
    listed = ", ".join(words.values()) or "none"
    if not nearest:
        return f"; known: {listed}"
    return f"; did you mean {words[nearest[0]]!r}?" + (f" Known: {listed}" if len(words) <= _FEW else "")


def check_choice(name: str, value: object, allowed: Iterable[object]) -> None:
    """Raise ValueError unless the value is one of those allowed."""
    choices = tuple(allowed)
    if value not in choices:
        raise ValueError(f"{name}: {value!r} is not one of {', '.join(map(str, choices))}")


def check_count(name: str, value: object, *, least: int = 1) -> None:
    """Raise ValueError unless the value is a whole number of at least `least`."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: {value!r} is not a whole number of at least {least}")


def check_above_0(name: str, value: object, *, finite: bool = True) -> None:
    """Raise ValueError unless the value is a number above 0, finite unless infinity is allowed."""
    if not _is_number(value) or not 0.0 < value or (finite and value == math.inf):  # type: ignore[operator]
        raise ValueError(f"{name}: {value!r} is not a number above 0")


def check_at_least_0(name: str, value: object, *, finite: bool = True) -> None:
    """Raise ValueError unless the value is a number of at least 0, finite unless infinity is allowed."""
    if not _is_number(value) or not 0.0 <= value or (finite and value == math.inf):  # type: ignore[operator]
        raise ValueError(f"{name}: {value!r} is not a number of at least 0")


def check_share(name: str, value: object, *, below_1: bool = False) -> None:
    """Raise ValueError unless the value is a number from 0 to 1, or `below_1`."""
    if not _is_number(value) or not 0.0 <= value <= 1.0 or (below_1 and value == 1.0):  # type: ignore[operator]
        allowed = "of at least 0 and below 1" if below_1 else "from 0 to 1"
        raise ValueError(f"{name}: {value!r} is not a number {allowed}")


def check_duty_cycle(name: str, duty: object) -> None:
    """Raise ValueError for a duty cycle that is neither None, nor `region`, nor a share above 0."""
    if duty is not None and duty != "region" and not (_is_number(duty) and 0.0 < duty <= 1.0):  # type: ignore[operator]
        raise ValueError(f"{name}: {duty} is not above 0 and at most 1 (or region: by sub-band; or None: no limit)")


def check_finite(name: str, array: Any) -> None:
    """Raise ValueError for an array of NumPy or torch that has numbers that are not finite."""
    count = int((~np.isfinite(np.asarray(array))).sum())
    if count:
        raise ValueError(f"{name}: {count} numbers are not finite")


def check_range(name: str, value: object) -> None:
    """Raise ValueError unless the value is two finite numbers above 0 that ascend."""
    pair = value if isinstance(value, (tuple, list)) else ()
    if len(pair) != 2 or not all(map(_is_number, pair)) or not 0.0 < pair[0] <= pair[1] < np.inf:
        raise ValueError(f"{name}: {value!r} is not two numbers above 0 that ascend")


def _is_number(value: object) -> bool:
    return isinstance(value, (Real, np.number)) and not isinstance(value, bool)


def warn_renamed(old: str, new: str, *, stacklevel: int = 3) -> None:
    """Emit the DeprecationWarning of a former name, which is accepted until 0.2.0.

    Args:
        old: The former name, as the message shows it.
        new: The name that replaces it.
        stacklevel: As of `warnings.warn`: 2 is the caller of this function, 3 the caller of that one.
    """
    message = f"{old} is now {new}; the old name is removed in 0.2.0"
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel)
