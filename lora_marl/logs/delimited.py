"""Parser of tables in text files: a row for each gateway that heard a frame, columns by name.

Understood are commas, semicolons and tabs between columns, decimal commas where columns are not separated by commas,
and times as ISO 8601, in seconds or milliseconds since 1970, or as `31/12/2024 23:59`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from lora_marl.core.checks import suggest
from lora_marl.logs.data_rates import lora_rate, rate_of_text
from lora_marl.logs.phy_payload import OVERHEAD_BYTES
from lora_marl.logs.rows import SERVER_SPREAD_S, BadEvent, Rows, whole
from lora_marl.logs.times import time_s

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "device": ("device", "dev_eui", "deveui", "device_id", "devaddr", "dev_addr", "node"),
    "counter": ("counter", "fcnt", "f_cnt", "fcntup", "sequence", "seq"),
    "time": ("time", "time_s", "date time", "datetime", "date", "received_at", "timestamp"),
    "gateway": ("gateway", "gateway_id", "gatewayid", "gw", "gateway_eui"),
    "rssi": ("rssi", "rssi_dbm"),
    "snr": ("snr", "snr_db", "lsnr", "lorasnr"),
    "sf": ("sf", "spreading_factor", "spreadingfactor"),
    "rate": ("datr", "data_rate", "datarate"),
    "bandwidth": ("bandwidth_hz", "bandwidth", "bw"),
    "frequency": ("frequency_hz", "frequency", "freq"),
    "payload": ("payload_bytes", "phy_payload_bytes"),
    "size": ("size", "payload_size"),
    "latitude": ("gateway_lat", "gateway_latitude"),
    "longitude": ("gateway_lon", "gateway_longitude"),
    "direction": ("direction",),
}
"""Columns by what they hold: their accepted names, in any case, the first one that is there counts.

`payload_bytes` is that of the PHY payload, `size` that of the application's.
"""

REQUIRED = ("device", "counter", "time", "gateway", "rssi", "snr")

_SEPARATORS = "\t;,"
_DAY_FIRST = ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")


class BadHeader(ValueError):
    """A table lacks columns that a log needs."""


def separator_of(header: str) -> str:
    """The mark between the columns of a header."""
    return next((mark for mark in _SEPARATORS if mark in header), ",")


class TableParser:
    """Appends the rows of one table.

    Args:
        header: Names of the columns.
        decimal_commas: Whether numbers may have a decimal comma.

    Raises:
        BadHeader: a required column is missing.
    """

    def __init__(self, header: Sequence[str], *, decimal_commas: bool) -> None:
        names = [name.strip().strip('"').casefold() for name in header]
        self._at = {
            what: next((names.index(name) for name in accepted if name in names), -1)
            for what, accepted in COLUMNS.items()
        }
        missing = [what for what in REQUIRED if self._at[what] < 0]
        if self._at["sf"] < 0 and self._at["rate"] < 0:
            missing.append("sf")
        if missing:
            raise BadHeader(
                f"no column {missing[0]!r}{suggest(missing[0], names)}; needed are {', '.join(REQUIRED)} and sf"
            )
        self._width, self._commas = len(names), decimal_commas

    def append(self, cells: Sequence[str], rows: Rows) -> str:
        """Append a row; returns what it is.

        Raises:
            BadEvent, ValueError: a cell that cannot be read.
        """
        if len(cells) < self._width:
            raise BadEvent(f"{len(cells)} values for {self._width} columns")
        if self._at["direction"] >= 0 and not self._cell(cells, "direction").lower().startswith("up"):
            return "downlinks"
        sf, bandwidth_hz = self._rate(cells)
        latitude, longitude = self._cell(cells, "latitude"), self._cell(cells, "longitude")
        places = (self._number(latitude), self._number(longitude)) if latitude and longitude else (None, None)
        gateway = rows.gateway(self._cell(cells, "gateway"), *places)
        heard = (gateway, self._number(self._cell(cells, "rssi")), self._number(self._cell(cells, "snr")))
        frame = (
            rows.device(self._cell(cells, "device")),
            whole(self._cell(cells, "counter")),
            _time_s(self._cell(cells, "time")),
            self._frequency_hz(self._cell(cells, "frequency")),
            sf,
            bandwidth_hz,
            self._payload_bytes(cells),
            SERVER_SPREAD_S,
        )
        rows.add(frame, [heard])
        return "uplinks"

    def _cell(self, cells: Sequence[str], what: str) -> str:
        at = self._at[what]
        return cells[at].strip() if at >= 0 else ""

    def _number(self, text: str) -> float:
        return float(text.replace(",", ".") if self._commas else text)

    def _rate(self, cells: Sequence[str]) -> tuple[int, int]:
        if self._at["sf"] < 0:
            return rate_of_text(self._cell(cells, "rate"))
        bandwidth = self._cell(cells, "bandwidth")
        sf = self._cell(cells, "sf").upper().removeprefix("SF")
        return lora_rate(whole(sf), whole(bandwidth) if bandwidth else 125_000)

    def _frequency_hz(self, text: str) -> int:
        """Hz, also of a frequency in MHz; 0: not stated."""
        frequency = self._number(text) if text else 0.0
        return round(frequency * 1e6 if 0 < frequency < 1e5 else frequency)

    def _payload_bytes(self, cells: Sequence[str]) -> int:
        payload, size = self._cell(cells, "payload"), self._cell(cells, "size")
        if payload:
            return whole(payload)
        return whole(size) + OVERHEAD_BYTES if size else -1


def _time_s(text: str) -> float:
    try:
        return time_s(float(text))
    except ValueError:
        pass
    if len(text) > 5 and text[2] in "/.":
        for form in _DAY_FIRST:
            try:
                return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
            except ValueError:
                continue
    return time_s(text)
