"""Learning curves as TensorBoard events, through TensorBoard's own record writer (no TensorFlow, no torch)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from lora_marl.core.files import errors_named
from scripts.runs.metrics import COUNTS, METRICS, SUMS

FILE_NAME = "events.out.tfevents.metrics"


class EventFile:
    """The events of one seed and learner; opening it begins a new file, which a resumed run fills again."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._file = self._path.open("wb")
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with errors_named(self._path):
            self._file.close()

    def add(self, step: int, tags: Mapping[str, float]) -> None:
        """Adds numbers by tag."""
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in tags.items()]
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def _write(self, event: Event) -> None:
        with errors_named(self._path):
            self._records.write(event.SerializeToString())
            self._records.flush()


def packet_event(row: Mapping[str, float]) -> tuple[int, dict[str, float]]:
    """A row of metrics.csv of packets: simulated time in s, and its values by tag.

    Tags: `metrics/pdr` and so on; `fates/collided` and so on and `usage/sf7` and so on as shares of packets sent;
    `learner/...` the learner's own diagnostics.
    """
    return round(3600 * row["time_h"]), _tagged(row)


def _tagged(row: Mapping[str, float]) -> dict[str, float]:
    known = {*METRICS, *COUNTS, *SUMS, "time_h", "evaluation", "duration_s"}
    diagnostics = {name: value for name, value in row.items() if name not in known and not name.startswith("sent_")}
    sent = row["sent"] or float("nan")
    return {
        **{f"metrics/{name}": row[name] for name in METRICS},
        **{f"fates/{name}": row[name] / sent for name in COUNTS if name not in ("sent", "dropped")},
        **{f"usage/{name.removeprefix('sent_')}": row[name] / sent for name in row if name.startswith("sent_")},
        **{f"learner/{name}": value for name, value in diagnostics.items()},
    }
