"""Traffic as it was recorded: the times, sizes and, where they are known, frame counters of each node's packets.

A trace begins with an episode, at 0 s. After its last row every node is silent, unless the trace is repeated. A packet
that its node cannot send, because it sends another one or waits for its duty cycle, is dropped or waits, as of other
traffic (`Traffic.queued`).

Frame counters are what a network server sees: the same one twice is a frame that was sent twice, a gap is frames that
were lost before the trace, and a smaller one is a device that began anew. They decide what `Heard.missed` says and
which packets count as frames in ADR_ACK_CNT; without them every row is a frame of its own.

Shape letters: `N` nodes, `K` rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_count, check_record

_SHORTEST_S = 1.0
"""A trace lasts this long at least where its mean rate is asked for: one of a single packet lasts no time. s"""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Packets that nodes generate at given times.

    Attributes:
        nodes: How many nodes there are, `N`; a node without rows is off.
        node: Node of each row, from 0. `[K]`
        time_s: When the packet is generated, from the beginning of an episode; the rows of one node are in order of
            time, those of different nodes in any. `[K]` s
        payload_bytes: PHY payload, 1 to 255. `[K]` bytes
        counter: Frame counter; None: each row is a frame of its own. `[K]`
        repeat_s: The trace begins anew after this time, again and again, its counters continuing; None: it is played
            once, then nodes are silent. s

    Raises:
        ValueError: rows of another number, out of order or outside their range, naming the first.
    """

    nodes: int
    node: NDArray[np.int64]
    time_s: NDArray[np.float64]
    payload_bytes: NDArray[np.int64]
    counter: NDArray[np.int64] | None = None
    repeat_s: float | None = None

    def __post_init__(self) -> None:
        check_record(self, "trace")
        check_count("trace.nodes", self.nodes)
        size = np.shape(self.time_s)
        if len(size) != 1 or 0 in size:
            raise ValueError(f"trace.time_s: shape {list(size)}; allowed is [at least 1]")
        for name, least, most in (("node", 0, self.nodes - 1), ("payload_bytes", 1, 255), ("counter", 0, 2**32 - 1)):
            values = getattr(self, name)
            if values is not None:
                object.__setattr__(self, name, _whole_numbers(f"trace.{name}", values, size, least, most))
        object.__setattr__(self, "time_s", np.asarray(self.time_s, np.float64))
        self._check_order()
        if self.repeat_s is not None and not self.repeat_s > self.time_s.max():
            raise ValueError(f"trace.repeat_s: {self.repeat_s} is not after the last row, at {self.time_s.max():g} s")

    @classmethod
    def of_nodes(
        cls,
        times_s: Sequence[ArrayLike],
        payload_bytes: Sequence[ArrayLike],
        counters: Sequence[ArrayLike] | None = None,
        *,
        repeat_s: float | None = None,
    ) -> Trace:
        """A trace from a list for each node.

        Args:
            times_s: Times of each node's packets, ascending. `N` lists. s
            payload_bytes: Their payloads: a list, or a number for all of a node's packets. `N` lists. bytes
            counters: Their frame counters. `N` lists
            repeat_s: As of the trace. s

        Raises:
            ValueError: lists of different numbers.
        """
        lengths = [len(np.atleast_1d(times)) for times in times_s]
        lists = {"payload_bytes": payload_bytes} | ({} if counters is None else {"counters": counters})
        for name, values in lists.items():
            if len(values) != len(lengths):
                raise ValueError(f"trace.{name}: of {len(values)} nodes; times_s has {len(lengths)}")
        try:
            rows = {
                name: np.concatenate([np.broadcast_to(value, (k,)) for value, k in zip(values, lengths, strict=True)])
                for name, values in {"times_s": times_s, **lists}.items()
            }
        except ValueError as error:
            raise ValueError(
                f"trace: a node has {lengths} times, and another number of other values: {error}"
            ) from None
        return cls(
            nodes=len(lengths), node=np.repeat(np.arange(len(lengths)), lengths), time_s=rows["times_s"],
            payload_bytes=rows["payload_bytes"], counter=rows.get("counters"), repeat_s=repeat_s,
        )  # fmt: skip

    @property
    def order(self) -> NDArray[np.int64]:
        """The rows by node, those of each in order of time. `[K]`"""
        return np.argsort(self.node, kind="stable")

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of each node. `[N]`"""
        return np.bincount(self.node, minlength=self.nodes)

    @property
    def mean_interval_s(self) -> NDArray[np.float64]:
        """Length of the trace, up to its last row or its repetition, over rows; infinite for a node without. `[N]` s"""
        length_s = max(float(self.time_s.max()), _SHORTEST_S) if self.repeat_s is None else self.repeat_s
        with np.errstate(divide="ignore"):
            return np.asarray(length_s / self.rows, np.float64)

    @property
    def largest_payload_bytes(self) -> NDArray[np.int64]:
        """Largest payload of each node; 1 for a node without rows. `[N]` bytes"""
        largest = np.ones(self.nodes, np.int64)
        np.maximum.at(largest, self.node, self.payload_bytes)
        return largest

    @property
    def counter_spans(self) -> NDArray[np.int64]:
        """How far counters go on with each repetition of the trace. `[N]`"""
        least, most = np.full(self.nodes, 2**32), np.full(self.nodes, -1)
        if self.counter is not None:
            np.minimum.at(least, self.node, self.counter)
            np.maximum.at(most, self.node, self.counter)
        return np.maximum(most - least + 1, 0)

    @property
    def repeats_frames(self) -> bool:
        """Whether a row has the frame counter of the row before it, of the same node."""
        if self.counter is None:
            return False
        node, counter = self.node[self.order], self.counter[self.order]
        return bool(((node[1:] == node[:-1]) & (counter[1:] == counter[:-1])).any())

    def _check_order(self) -> None:
        order = self.order
        node, time_s = self.node[order], self.time_s[order]
        back = np.flatnonzero((node[1:] == node[:-1]) & (time_s[1:] < time_s[:-1]))
        if len(back):
            row = order[back[0] + 1]
            raise ValueError(
                f"trace.time_s[{row}]: {self.time_s[row]:.10g} s of node {self.node[row]} lies before the node's last "
                f"row, at {time_s[back[0]]:.10g} s; the rows of a node must be in order of time"
            )


def _whole_numbers(name: str, values: ArrayLike, shape: tuple[int, ...], least: int, most: int) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.shape != shape:
        raise ValueError(f"{name}: shape {list(array.shape)}; time_s has {list(shape)}")
    wrong = np.flatnonzero((array != np.floor(array)) | (array < least) | (array > most))
    if len(wrong):
        raise ValueError(f"{name}[{wrong[0]}]: {array[wrong[0]]:.10g} is not a whole number from {least} to {most}")
    return array.astype(np.int64)
