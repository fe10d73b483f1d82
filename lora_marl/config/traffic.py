"""Traffic from a file: what each node sent, and when.

A row is a packet, with the columns `node`, `time_s` (from the beginning, of an episode too), `payload_bytes` and, if
wished, `counter`, the frame counter. The rows of a node are in order of time, those of different nodes in any. Nodes go
by their ids where their file has some, else by their numbers from 0; a node without rows is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lora_marl.config.ids import numbers_of
from lora_marl.config.section import InputFile, RecordSection, Section, fields_of
from lora_marl.config.tabular import TextTable, read_table
from lora_marl.core.trace import Trace
from lora_marl.core.traffic import Traffic

REQUIRED = ("node", "time_s", "payload_bytes")


@fields_of(Traffic, omit=("trace",))
class TrafficConfig(RecordSection):
    """Times and sizes of the nodes' frames; fields and defaults of `lora_marl.core.traffic.Traffic`.

    Attributes:
        trace_csv: Under `trace`, the packets that nodes generate: a file with the columns node, time_s, payload_bytes
            and, if wished, counter (`lora_marl.core.trace`); a relative path counts from the configuration's folder.
        trace_repeat_s: The trace begins anew after this time; null: it is played once, then nodes are silent. s
    """

    trace_csv: InputFile | None = None
    trace_repeat_s: float | None = None

    def _check(self) -> None:
        Section._check(self)  # a value that is not physical is told before a value that is out of place
        self.build()

    def build(self, nodes: Sequence[str] | None = None) -> Traffic:
        """The traffic of nodes of these names; None: only what needs no file is checked."""
        values = {name: value for name, value in self.fields().items() if not name.startswith("trace_")}
        if self.kind != "trace":  # type: ignore[attr-defined]
            if self.trace_csv is not None or self.trace_repeat_s is not None:
                raise ValueError(f"trace_csv: is not read by kind {values['kind']!r}; set kind: trace")
            return Traffic(**values)
        if self.trace_csv is None:
            raise ValueError("trace_csv: is required by kind 'trace'")
        if nodes is None:
            return Traffic(**(values | {"kind": "periodic"}))
        return Traffic(**values, trace=read_trace("traffic.trace_csv", self.trace_csv, nodes, self.trace_repeat_s))


def read_trace(key: str, path: Path, nodes: Sequence[str], repeat_s: float | None) -> Trace:
    """The trace in a file.

    Args:
        key: The configuration key that names the file.
        path: The file.
        nodes: Their ids, or their numbers as text. `[N]`
        repeat_s: After which the trace begins anew; None: it is played once. s

    Raises:
        ValueError: a column that is missing, a node that is unknown, a value that is none or a time that lies before
            the node's last one, with its line.
    """
    table = read_table(key, path)
    table.ignore_others((*REQUIRED, "counter"), (*REQUIRED, "counter"))
    for column in REQUIRED:
        if column not in table.header:
            raise ValueError(f"{table.place}: the column {column!r} is required; found: {', '.join(table.header)}")
    node = np.array(numbers_of(table, "node", table.texts("node"), nodes), np.int64)
    values = {name: table.numbers(name) for name in (*REQUIRED[1:], "counter") if name in table.header}
    _check_rows(table, node, values)
    return Trace(
        nodes=len(nodes), node=node, time_s=values["time_s"], payload_bytes=values["payload_bytes"].astype(np.int64),
        counter=values["counter"].astype(np.int64) if "counter" in values else None, repeat_s=repeat_s,
    )  # fmt: skip


def _check_rows(table: TextTable, node: NDArray[np.int64], values: dict[str, NDArray[np.float64]]) -> None:
    """Raise ValueError, with its line, for the first row that a trace cannot have."""
    bounds = {"time_s": (0.0, np.inf, "at least 0 s"), "payload_bytes": (1.0, 255.0, "from 1 to 255 bytes, whole")}
    bounds["counter"] = (0.0, 2.0**32 - 1.0, "a whole number from 0 to 2^32 - 1")
    for name, column in values.items():
        least, most, allowed = bounds[name]
        whole = name == "time_s" or (column == np.floor(column))
        wrong = np.flatnonzero(~((column >= least) & (column <= most) & whole))
        if len(wrong):
            place = f"{table.place} line {table.lines[wrong[0]]}"
            raise ValueError(f"{place}: {name}: {column[wrong[0]]:.10g} is not allowed; it is {allowed}")
    order = np.argsort(node, kind="stable")
    time_s = values["time_s"][order]
    back = np.flatnonzero((node[order][1:] == node[order][:-1]) & (time_s[1:] < time_s[:-1]))
    if len(back):
        row = order[back[0] + 1]
        raise ValueError(
            f"{table.place} line {table.lines[row]}: time_s: {values['time_s'][row]:.10g} lies before the node's last "
            f"row, at {time_s[back[0]]:.10g} s; sort the rows by time"
        )
