"""A log: one table of frames and one of receptions, in a folder of Parquet files.

| file | a row for each | columns |
|---|---|---|
| `frames.parquet` | frame that somebody heard, by device and time | `device`, `session`, `counter`, `repeat`, `time_s` (since 1970), `frequency_hz` (0: not stated), `sf` and `bandwidth_hz` (0: no LoRa), `payload_bytes` (PHY; -1: unknown) |
| `receptions.parquet` | gateway that heard a frame | `frame` (row of `frames.parquet` from 0), `gateway`, `rssi_dbm`, `snr_db` |
| `gateways.parquet` | gateway | `gateway`, `lat`, `lon` (empty: unknown) |
| `devices.parquet` | device | `device` |

`report.json` has what reading counted (`lora_marl/logs/report.py`).

Shape letters: `F` frames, `R` receptions, `G` gateways, `N` devices.
"""  # noqa: E501

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lora_marl.core.files import one_line
from lora_marl.logs.esp import esp_dbm
from lora_marl.logs.merging import FRAME, RECEPTION
from lora_marl.logs.rows import Rows

_COMPRESSION = "zstd"


@dataclass(frozen=True)
class TrafficLog:
    """What was recorded.

    Attributes:
        devices: Their names. `[N]`
        gateways: Their names. `[G]`
        gateway_lat_lon: Positions; NaN: unknown. `[G, 2]` degrees
        frames: Of type `merging.FRAME`, in order of device and time. `[F]`
        receptions: Of type `merging.RECEPTION`, in order of frame and gateway. `[R]`
        report: What reading counted.
    """

    devices: tuple[str, ...]
    gateways: tuple[str, ...]
    gateway_lat_lon: NDArray[np.float64]
    frames: NDArray[Any]
    receptions: NDArray[Any]
    report: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> TrafficLog:
        """The log in a folder.

        Raises:
            ValueError: it holds none.
        """
        try:
            names = pq.read_table(folder / "devices.parquet").column("device")
            places = pq.read_table(folder / "gateways.parquet")
            frames = pq.read_table(folder / "frames.parquet")
            receptions = pq.read_table(folder / "receptions.parquet")
            report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
            log = cls(
                devices=tuple(names.to_pylist()),
                gateways=tuple(places.column("gateway").to_pylist()),
                gateway_lat_lon=np.stack(
                    [places.column(name).to_numpy().astype(np.float64) for name in ("lat", "lon")], axis=1
                ),
                frames=_rows(frames, FRAME, "device", names),
                receptions=_rows(receptions, RECEPTION, "gateway", places.column("gateway")),
                report=report,
            )
            log._check()
        except (OSError, KeyError, TypeError, ValueError, OverflowError, RecursionError, pa.ArrowException) as error:
            raise ValueError(f"{folder}: holds no imported log ({one_line(error)})") from None
        return log

    def _check(self) -> None:
        """ValueError: a row points at a device, a gateway or a frame that is not there, or the report is none."""
        for what, numbers, size in (
            ("device", self.frames["device"], len(self.devices)),
            ("frame", self.receptions["frame"], len(self.frames)),
            ("gateway", self.receptions["gateway"], len(self.gateways)),
        ):
            if numbers.size and not 0 <= numbers.min() <= numbers.max() < size:
                raise ValueError(f"a row is of {what} {numbers.max()}; there are {size}")
        if not all(isinstance(name, str) for name in (*self.devices, *self.gateways)):
            raise ValueError("a device or gateway has no name")
        if not isinstance(self.report, dict):
            raise ValueError("report.json is no mapping")

    @cached_property
    def heard(self) -> NDArray[np.bool_]:
        """Whether each gateway heard each frame. `[F, G]`"""
        heard = np.zeros((len(self.frames), len(self.gateways)), bool)
        heard[self.receptions["frame"], self.receptions["gateway"]] = True
        return heard

    @property
    def power_dbm(self) -> NDArray[np.float64]:
        """Received power of each reception. `[R]` dBm"""
        return esp_dbm(self.receptions["rssi_dbm"], self.receptions["snr_db"])

    def between(self, from_s: float, until_s: float) -> TrafficLog:
        """The part of the log in a span of time, its report aside."""
        chosen = (self.frames["time_s"] >= from_s) & (self.frames["time_s"] < until_s)
        number = np.cumsum(chosen) - 1
        receptions = self.receptions[chosen[self.receptions["frame"]]].copy()
        receptions["frame"] = number[receptions["frame"]]
        return TrafficLog(
            self.devices, self.gateways, self.gateway_lat_lon, self.frames[chosen], receptions, self.report
        )


class LogWriter:
    """Writes a log, receptions in parts that follow one another in order of frames.

    Args:
        folder: It exists.
        rows: Names and positions.
        frames: Of type `merging.FRAME`. `[F]`
    """

    def __init__(self, folder: Path, rows: Rows, frames: NDArray[Any]) -> None:
        self._folder = folder
        self._gateways = list(rows.gateways)
        devices = list(rows.devices)
        places = [rows.positions.get(number, (None, None)) for number in range(len(self._gateways))]
        _write(folder / "devices.parquet", pa.table({"device": pa.array(devices, pa.string())}))
        _write(
            folder / "gateways.parquet",
            pa.table(
                {
                    "gateway": pa.array(self._gateways, pa.string()),
                    "lat": pa.array([latitude for latitude, _ in places], pa.float64()),
                    "lon": pa.array([longitude for _, longitude in places], pa.float64()),
                }
            ),
        )
        _write(folder / "frames.parquet", _table(frames, "device", devices))

    def __enter__(self) -> Self:
        schema = _table(np.empty(0, RECEPTION), "gateway", self._gateways).schema
        self._writer = pq.ParquetWriter(self._folder / "receptions.parquet", schema, compression=_COMPRESSION)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.close()

    def write(self, receptions: NDArray[Any]) -> None:
        """Append receptions of type `merging.RECEPTION`."""
        self._writer.write_table(_table(receptions, "gateway", self._gateways))


def _table(rows: NDArray[Any], named: str, names: Sequence[str]) -> pa.Table:
    """A table of rows, whose numbers of devices or gateways become names."""
    columns: dict[str, Any] = {name: pa.array(np.ascontiguousarray(rows[name])) for name in rows.dtype.names or ()}
    columns[named] = pa.DictionaryArray.from_arrays(columns[named], pa.array(names, pa.string()))
    return pa.table(columns)


def _rows(table: pa.Table, dtype: np.dtype[Any], named: str, names: pa.ChunkedArray) -> NDArray[Any]:
    rows = np.empty(table.num_rows, dtype)
    for name in dtype.names or ():
        column = table.column(name)
        if name == named:
            column = pc.index_in(column.cast(pa.string()), value_set=names.combine_chunks())
        if column.null_count:
            raise ValueError(f"column {name}: {column.null_count} rows are empty or name what is not there")
        rows[name] = column.to_numpy()
    return rows


def _write(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression=_COMPRESSION)
