"""Values with a unit: `10min` for a field in seconds, `868.1 MHz` for one in hertz.

The end of a field's name says its unit (`interval_s`, `channels_hz`); a value without a unit is in that one already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from lora_marl.core.checks import range_of
from lora_marl.core.units import mw_to_dbm

_TIME: Final[Mapping[str, str]] = {
    "us": "1e-6", "ms": "1e-3",
    "s": "1", "sec": "1", "second": "1", "seconds": "1",
    "min": "60", "minute": "60", "minutes": "60",
    "h": "3600", "hour": "3600", "hours": "3600",
    "d": "86400", "day": "86400", "days": "86400",
    "week": "604800", "weeks": "604800",
}  # fmt: skip

UNITS: Final[Mapping[str, Mapping[str, str]]] = {
    "s": _TIME,
    "h": {name: str(Decimal(seconds) / 3600) for name, seconds in _TIME.items()},
    "m": {"cm": "0.01", "m": "1", "km": "1000"},
    "Hz": {
        **{"Hz": "1", "kHz": "1e3", "MHz": "1e6", "GHz": "1e9"},
        **{"hz": "1", "khz": "1e3", "mhz": "1e6", "ghz": "1e9", "KHz": "1e3"},
    },
    "dB": {"dB": "1", "db": "1"},
    "dBm": {"dBm": "1", "dbm": "1"},
    "mJ": {"uJ": "1e-3", "mJ": "1", "J": "1e3", "kJ": "1e6"},
    "mA": {"uA": "1e-3", "mA": "1", "A": "1e3"},
    "mAh": {"mAh": "1", "Ah": "1e3"},
    "V": {"mV": "1e-3", "V": "1"},
    "bytes": {"B": "1", "byte": "1", "bytes": "1"},
}
"""Units that are understood, and their size in the unit of the field, by the latter."""

POWERS: Final[Mapping[str, float]] = {"mW": 1.0, "W": 1000.0}
"""Powers that are understood for fields in dBm, in mW."""

_WITH_UNIT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-zA-Zµ]+)\s*")


def in_field_unit(field: str, value: Any) -> Any:
    """A value of a field with its unit applied; lists item by item; anything else comes back as it is.

    Args:
        field: The field's name, dotted or not.
        value: As a file has it.

    Raises:
        ValueError: a unit of another quantity, naming those that are understood.
    """
    if isinstance(value, list | tuple):
        return [in_field_unit(field, item) for item in value]
    allowed = range_of(field.rpartition(".")[2])
    match = _WITH_UNIT.fullmatch(value) if allowed is not None and isinstance(value, str) else None
    if allowed is None or match is None:
        return value
    number, unit = match[1], match[2].replace("µ", "u")
    if allowed.unit == "dBm" and unit in POWERS and float(number) > 0.0:
        return float(mw_to_dbm(float(number) * POWERS[unit]))
    known = UNITS[allowed.unit]
    if unit not in known:
        listed = ", ".join([*known, *(POWERS if allowed.unit == "dBm" else ())])
        raise ValueError(f"{field}: {value!r} is not in a unit of this field; understood are {listed}")
    return float(Decimal(number) * Decimal(known[unit]))


def with_units(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a section, those with a unit in the unit of their field."""
    return {name: in_field_unit(name, value) if isinstance(name, str) else value for name, value in values.items()}
