"""Reading files of recorded traffic, of any size, into a folder of Parquet files.

Files are read line by line; `.gz` is understood, folders are searched. A line is one event (ndjson), or a file is one
JSON value, or a table in text (`lora_marl/logs/delimited.py`). The format of an event is seen from its keys, so files
of several servers may be mixed. A line that cannot be read is counted with file and line, and skipped.

Memory: about 60 bytes for each uplink, and a fixed amount for receptions, which pass through a file on the way.
"""

from __future__ import annotations

import csv
import gc
import gzip
import io
import json
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from lora_marl.core.files import write_atomically
from lora_marl.logs.data_rates import data_rates
from lora_marl.logs.delimited import BadHeader, TableParser, separator_of
from lora_marl.logs.formats import Event, Source, parser_of
from lora_marl.logs.merging import Merged, merge, merged_receptions
from lora_marl.logs.report import Report
from lora_marl.logs.rows import HEARD, BadEvent, Rows
from lora_marl.logs.tables import LogWriter, TrafficLog

SUFFIXES = (".json", ".ndjson", ".jsonl", ".csv", ".tsv", ".txt", ".log")
"""Files of a folder that are read, also with `.gz` behind."""

LONGEST_LINE = 64 * 2**20
"""Bytes of a line, or of a file that is one JSON value over several lines."""

_CHUNK_EVENTS = 65_536
_BUCKET_RECEPTIONS = 20_000_000
"""Receptions that are sorted at a time: some 1.5 GB of memory."""

Progress = Callable[[Path, int], None]


class NothingToRead(ValueError):
    """There is no file to read, or no uplink in those that were read."""


def import_log(
    paths: Iterable[Path], folder: Path, *, region: str | None = None, progress: Progress | None = None
) -> TrafficLog:
    """Read files into a folder, and open the log that is then there.

    Args:
        paths: Files and folders, in any order.
        folder: Where the tables go; made if it is missing.
        region: That of data rates which ChirpStack v3 states by number; None: such events are skipped, with the reason.
        progress: Called now and then with the file that is read and the number of uplinks so far.

    Raises:
        NothingToRead: no file, or no uplink.
        ValueError: an unknown region.
        OSError: a file cannot be opened, or the folder not be written.
    """
    rates, report, rows = data_rates(region), Report(), Rows()
    files = log_files(paths)
    folder.mkdir(parents=True, exist_ok=True)
    events: list[NDArray[Any]] = []
    sources: list[int] = []
    count = 0
    with tempfile.TemporaryFile(dir=folder) as spill, _without_garbage_collection():
        for number, path in enumerate(files):
            source = Source(path.name.partition(".")[0], rates)
            report.files += 1
            for full in _read_file(path, source, rows, report):
                if not (full or len(rows)):
                    continue
                chunk, heard = rows.take()
                heard.tofile(spill)
                events.append(chunk)
                sources.append(number)
                count += len(chunk)
                if progress is not None:
                    progress(path, count)
        if not count:
            raise NothingToRead(_nothing(files, report))
        spill.flush()
        receptions = np.memmap(spill, HEARD, "r") if spill.tell() else np.empty(0, HEARD)
        file_numbers = np.repeat(np.array(sources, np.int32), [len(chunk) for chunk in events])
        merged = merge(np.concatenate(events), file_numbers)
        events.clear()
        report.mended = dict(merged.counts)
        _write(folder, rows, merged, receptions, report)
        del receptions
    return TrafficLog.load(folder)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Millions of small tuples without a cycle are not searched for cycles: a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def log_files(paths: Iterable[Path]) -> list[Path]:
    """The files of paths, in order; folders are searched for names that end in `SUFFIXES`.

    Raises:
        NothingToRead: a path that is none, or a folder without such files.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.name.removesuffix(".gz").endswith(SUFFIXES) and p.is_file())
            if not inside:
                raise NothingToRead(f"{path}: has no file whose name ends in {', '.join(SUFFIXES)}, also with .gz")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise NothingToRead(f"{path}: is neither a file nor a folder")
    if not files:
        raise NothingToRead("no file is named")
    return files


def _write(folder: Path, rows: Rows, merged: Merged, receptions: NDArray[Any], report: Report) -> None:
    """Writes frames and, bucket by bucket of frames, receptions."""
    frames = len(merged.frames)
    buckets = max(1, -(-len(receptions) // _BUCKET_RECEPTIONS))
    edges = np.linspace(0, frames, buckets + 1).astype(np.int64)
    with LogWriter(folder, rows, merged.frames) as writer:
        for first, end in zip(edges[:-1], edges[1:], strict=True):
            heard, doubled = merged_receptions(receptions, merged.frame_of_event, int(first), int(end))
            report.mended["same gateway twice"] = report.mended.get("same gateway twice", 0) + doubled
            writer.write(heard)
    write_atomically(folder / "report.json", json.dumps(report.as_dict(), indent=1) + "\n")


def _nothing(files: list[Path], report: Report) -> str:
    first = f"; first: {report.problems[0]}" if report.problems else ""
    skipped = sum(report.skipped.values())
    return f"{len(files)} files, {report.lines} lines: no uplink ({skipped} lines skipped{first})"


def _read_file(path: Path, source: Source, rows: Rows, report: Report) -> Iterator[bool]:
    """Reads a file, and yields True whenever a chunk is full and False at its end."""
    line = 0
    try:
        with _opened(path) as file:
            start = file.peek(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
            if start and start not in b"{[":
                yield from _read_table(file, path, rows, report)
                return
            for line, value in _json_values(file):
                if isinstance(value, orjson.JSONDecodeError):
                    report.lines += 1
                    report.skip(path, line, "no JSON", str(value))
                    continue
                for event in value if type(value) is list else (value,):
                    report.lines += 1
                    _append(event, rows, source, report, path, line)
                    if len(rows) >= _CHUNK_EVENTS:
                        yield True
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        report.skip(path, line + 1, "damaged gzip: the rest of the file", str(error))
    yield False


def _opened(path: Path) -> io.BufferedReader:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        return io.BufferedReader(_Unpacked(gzip.GzipFile(path)), 1 << 20)
    return io.BufferedReader(io.FileIO(path), 1 << 20)


class _Unpacked(io.RawIOBase):
    """A gzip file read by pieces: what was unpacked before a damage is not lost."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _json_values(file: IO[bytes]) -> Iterator[tuple[int, Any]]:
    """Line and value of each JSON value of a file, or the error of a line that is none."""
    lines = iter(lambda: file.readline(LONGEST_LINE), b"")
    first = next(lines, b"").removeprefix(b"\xef\xbb\xbf")
    others: Iterable[bytes] = ()
    if first.rstrip()[-1:] in (b"{", b"[", b","):  # may be one value over several lines
        body = file.read(LONGEST_LINE) + file.readline(LONGEST_LINE)
        try:
            yield 1, orjson.loads(first + body)
            return
        except orjson.JSONDecodeError:
            others = body.splitlines(keepends=True)
    for line, text in enumerate(chain((first,), others, lines), start=1):
        try:
            yield line, orjson.loads(text)
        except orjson.JSONDecodeError as error:
            if text.strip():
                yield line, error


def _append(event: Any, rows: Rows, source: Source, report: Report, path: Path, line: int) -> None:
    """Appends the uplinks of an event, or counts why there are none."""
    if type(event) is not dict:
        report.skip(path, line, "no event", str(event))
        return
    match = parser_of(event)
    if match is None:
        event = _unwrapped(event)
        match = parser_of(event)
        if match is None:
            report.skip(path, line, "unknown format", f"keys {', '.join(map(str, list(event)[:8]))}")
            return
    name, parser = match
    try:
        report.events[parser(event, rows, source)] += 1
        report.formats[name] += 1
    except KeyError as error:
        report.skip(path, line, f"damaged {name} event", f"no {error}")
    except (BadEvent, TypeError, ValueError, AttributeError, OverflowError) as error:
        report.skip(path, line, f"damaged {name} event", str(error))


def _unwrapped(event: Event) -> Event:
    """The event in a wrapper: `result` or `data` of web interfaces, `payload` and `topic` of MQTT recorders."""
    for key in ("result", "data", "payload"):
        inner = event.get(key)
        if isinstance(inner, str) and inner.startswith("{"):
            try:
                inner = orjson.loads(inner)
            except orjson.JSONDecodeError:
                return event
        if isinstance(inner, dict):
            stamp = next((event[name] for name in ("_timestamp", "tst", "timestamp") if name in event), None)
            return inner if stamp is None or "_timestamp" in inner else {**inner, "_timestamp": stamp}
    return event


def _read_table(file: io.BufferedReader, path: Path, rows: Rows, report: Report) -> Iterator[bool]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    header = text.readline(LONGEST_LINE)
    separator = separator_of(header)
    try:
        parser = TableParser(next(csv.reader([header], delimiter=separator), []), decimal_commas=separator != ",")
    except BadHeader as error:
        report.skip(path, 1, "neither JSON nor a table of receptions", str(error))
        yield False
        return
    table = csv.reader(text, delimiter=separator)
    while True:
        try:
            cells = next(table)
        except StopIteration:
            break
        except csv.Error as error:
            report.skip(path, table.line_num + 1, "no row", str(error))
            continue
        if not cells:
            continue
        report.lines += 1
        try:
            report.events[parser.append(cells, rows)] += 1
            report.formats["table"] += 1
        except (BadEvent, ValueError, OverflowError) as error:
            report.skip(path, table.line_num + 1, "damaged row", str(error))
        if len(rows) >= _CHUNK_EVENTS:
            yield True
    yield False
