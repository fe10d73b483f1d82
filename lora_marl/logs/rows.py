"""Rows that parsers append to: one for each uplink that a file states, and one for each gateway that heard it.

Parsers run once per event, so rows are plain lists of numbers; names of devices and gateways are numbered on the way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

EVENT = np.dtype(
    [("device", "i4"), ("counter", "i8"), ("time_s", "f8"), ("frequency_hz", "i8"), ("sf", "i1"),
     ("bandwidth_hz", "i4"), ("payload_bytes", "i2"), ("spread_s", "f4")]
)  # fmt: skip
"""An uplink as a file states it.

Spreading factor and bandwidth are 0 where it is no LoRa, the size is -1 if unknown. Other rows of the same frame lie
within `spread_s` of one another.
"""

SERVER_SPREAD_S = 2.0
"""How far apart a server gets the copies of a frame from its gateways: repetitions come later. s"""

HEARD = np.dtype([("event", "i8"), ("gateway", "i4"), ("rssi_dbm", "f4"), ("snr_db", "f4")])
"""A gateway that heard an uplink; `event` counts the uplinks of all files from 0."""

LARGEST_COUNTER = 2**32 - 1

LARGEST_PAYLOAD_BYTES = 255
"""Of a PHY payload: LoRa's header states its length in eight bits. Source: SX1276 datasheet, "Explicit header"."""

_LATEST_S = 4102444800.0
"""2100-01-01, the end of what is taken for a time. s"""

_UNKNOWN_POSITION = 89.9
"""Degrees of latitude from which a position is none: Helium writes -90 for hotspots without one."""

FrameRow = tuple[int, int, float, int, int, int, int, float]
ReceptionRow = tuple[int, float, float]


class BadEvent(ValueError):
    """An event lacks what its format promises, or states a value that cannot be."""


@dataclass
class Rows:
    """What parsers have read since the last `take`, and the numbers of devices and gateways so far.

    Attributes:
        devices, gateways: Numbers by name, in order of first appearance.
        located: Numbers of the gateways whose position is known, by name.
        positions: Latitude and longitude of gateways whose files state them, by number. degrees
    """

    devices: dict[str, int] = field(default_factory=dict)
    gateways: dict[str, int] = field(default_factory=dict)
    located: dict[str, int] = field(default_factory=dict)
    positions: dict[int, tuple[float, float]] = field(default_factory=dict)
    _events: list[FrameRow] = field(default_factory=list)
    _heard: list[tuple[int, int, float, float]] = field(default_factory=list)
    _taken: int = 0

    def __len__(self) -> int:
        return len(self._events)

    def device(self, name: str) -> int:
        """The number of a device."""
        number = self.devices.get(name)
        if number is None:
            number = self.devices[_checked_name(name)] = len(self.devices)
        return number

    def gateway(self, name: str, latitude: Any = None, longitude: Any = None) -> int:
        """The number of a gateway; its position is kept where it is stated and plausible."""
        number = self.gateways.get(name)
        if number is None:
            number = self.gateways[_checked_name(name)] = len(self.gateways)
        if latitude is not None and longitude is not None and number not in self.positions:
            if abs(latitude) < _UNKNOWN_POSITION and abs(longitude) <= 180.0 and (latitude or longitude):
                self.positions[number] = (float(latitude), float(longitude))
                self.located[name] = number
        return number

    def add(self, frame: FrameRow, receptions: list[ReceptionRow]) -> None:
        """Append an uplink and who heard it.

        Args:
            frame: In the order of `EVENT`.
            receptions: Gateway, RSSI and SNR of each. dBm, dB

        Raises:
            BadEvent: a number out of its range; nothing is appended.
        """
        _, counter, time_s, frequency_hz, _, _, payload_bytes, _ = frame
        if not 0 <= counter <= LARGEST_COUNTER:
            raise BadEvent(f"frame counter {counter}; allowed is 0 to {LARGEST_COUNTER}")
        if not 0.0 < time_s < _LATEST_S:
            raise BadEvent(f"time {time_s} s; allowed is 1970 to 2100")
        if not (frequency_hz == 0 or 1e8 <= frequency_hz <= 1e10):
            raise BadEvent(f"frequency {frequency_hz} Hz; allowed is 100 MHz to 10 GHz")
        if not -1 <= payload_bytes <= LARGEST_PAYLOAD_BYTES:
            raise BadEvent(
                f"PHY payload of {payload_bytes} bytes; allowed is 0 to {LARGEST_PAYLOAD_BYTES}, or -1 for unknown"
            )
        event = self._taken + len(self._events)
        for _, rssi, snr in receptions:
            if not (-200.0 <= rssi <= 50.0 and -100.0 <= snr <= 100.0):
                raise BadEvent(f"RSSI {rssi} dBm, SNR {snr} dB; allowed are -200 to 50 dBm and -100 to 100 dB")
        self._events.append(frame)
        self._heard += [(event, gateway, rssi, snr) for gateway, rssi, snr in receptions]

    def take(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The rows since the last call, of types `EVENT` and `HEARD`."""
        events, heard = np.array(self._events, EVENT), np.array(self._heard, HEARD)
        self._taken += len(self._events)
        self._events, self._heard = [], []
        return events, heard


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= 256:
        raise BadEvent(f"{name!r:.80} is no name of a device or gateway")
    return name


def whole(value: Any) -> int:
    """A whole number, also one written as text or with a fraction of 0.

    Raises:
        BadEvent: it is none.
    """
    if type(value) is int:
        return value
    number = float(value) if isinstance(value, (str, float)) else math.nan
    if not number.is_integer():
        raise BadEvent(f"{value!r:.80} is no whole number")
    return int(number)
