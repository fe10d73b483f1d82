"""Spreading factor and bandwidth of the data rates that files state by number or as text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lora_marl.core.checks import suggest
from lora_marl.logs.rows import BadEvent

Rate = tuple[int, int]
"""Spreading factor, and bandwidth in Hz."""

NO_LORA: Rate = (0, 0)
"""FSK and LR-FHSS: their frames count, and have no spreading factor."""

_NARROW: dict[int, Rate] = {12 - sf: (sf, 125_000) for sf in range(12, 6, -1)}

DATA_RATES: Mapping[str, Mapping[int, Rate]] = {
    **{
        name: _NARROW | {6: (7, 250_000), 7: NO_LORA} | dict.fromkeys(range(8, 12), NO_LORA)
        for name in ("EU868", "EU433", "AS923", "RU864", "IN865", "KR920", "CN470")
    },
    "US915": {10 - sf: (sf, 125_000) for sf in range(10, 6, -1)} | {4: (8, 500_000), 5: NO_LORA, 6: NO_LORA},
    "AU915": _NARROW | {6: (8, 500_000), 7: NO_LORA},
}
"""Uplink data rates by region and number. Source: LoRaWAN Regional Parameters RP002-1.0.5, 3.4 to 3.12."""

_TEXT = re.compile(r"SF(\d{1,2})BW(\d{2,3})")


def data_rates(region: str | None) -> Mapping[int, Rate]:
    """The data rates of a region; None: it is not known, and there are none.

    Raises:
        ValueError: no such region.
    """
    if region is None:
        return {}
    if region not in DATA_RATES:
        raise ValueError(f"region: {region!r} has no data rates here{suggest(region, DATA_RATES)}")
    return DATA_RATES[region]


def rate_of_text(text: str) -> Rate:
    """The rate of a text such as `SF7BW125`; that of FSK (`50000`) or LR-FHSS (`M0CW137`) is `NO_LORA`.

    Raises:
        BadEvent: an LoRa rate that is none.
    """
    match = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        if isinstance(text, int) or re.fullmatch(r"\d+|M\d+CW\d+", str(text)):
            return NO_LORA
        raise BadEvent(f"data rate {text!r:.40} is neither like SF7BW125 nor one of FSK or LR-FHSS")
    return lora_rate(int(match[1]), int(match[2]) * 1000)


def lora_rate(sf: int, bandwidth_hz: int) -> Rate:
    """The rate of a spreading factor and a bandwidth, which some files state in kHz.

    Raises:
        BadEvent: LoRa has no such rate.
    """
    bandwidth_hz = bandwidth_hz * 1000 if 0 < bandwidth_hz < 2000 else bandwidth_hz
    if not (5 <= sf <= 12 and 7_000 <= bandwidth_hz <= 2_000_000):
        raise BadEvent(f"SF{sf} at {bandwidth_hz} Hz; LoRa has SF5 to SF12 at 7.8 kHz to 1.6 MHz")
    return sf, bandwidth_hz
