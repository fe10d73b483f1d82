"""Data rates as regions list them, and the tables that follow from their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

Rate = tuple[int, float]
"""A LoRa data rate: spreading factor, and bandwidth in Hz."""

MAC_OVERHEAD_BYTES = 5
"""MAC header and integrity code, which a PHY payload has on top of the MACPayload of M bytes."""

OFFSETS_TO_5 = (0, 1, 2, 3, 4, 5)
"""What RX1DROffset 0 to 5 lower the data rate by."""

OFFSETS_TO_7 = (*OFFSETS_TO_5, -1, -2)
"""The same of RX1DROffset 0 to 7, of which the last two raise it."""


def payloads(m_bytes: Mapping[Rate, int]) -> tuple[tuple[Rate, int], ...]:
    """The largest PHY payloads, from M by data rate. bytes"""
    return tuple((rate, m + MAC_OVERHEAD_BYTES) for rate, m in m_bytes.items())


def rx1_rates(
    uplink: Mapping[int, Rate],
    downlink: Mapping[int, Rate],
    offsets: Sequence[int],
    *,
    least: int,
    most: int,
    shift: int = 0,
) -> tuple[tuple[Rate, tuple[Rate, ...]], ...]:
    """The data rates of RX1 by that of the uplink and by RX1DROffset: DR + shift - offset, within `least` to `most`.

    A list ends before the first offset that leads to a data rate which is not among the downlinks.

    Args:
        uplink, downlink: Data rates by number (DR).
        offsets: What each RX1DROffset lowers the data rate by.
        least, most: The slowest and the fastest number of a downlink.
        shift: Between the numbers of uplinks and downlinks at offset 0.
    """
    by_offset: list[tuple[Rate, tuple[Rate, ...]]] = []
    for number, rate in uplink.items():
        numbers = [min(max(number + shift - offset, least), most) for offset in offsets]
        by_offset.append((rate, tuple(downlink[known] for known in takewhile(downlink.__contains__, numbers))))
    return tuple(by_offset)


def channels_hz(first_hz: float, count: int, step_hz: float = 200_000.0) -> tuple[float, ...]:
    """Centre frequencies at equal distances. Hz"""
    return tuple(first_hz + step_hz * channel for channel in range(count))
