"""The traffic of a trace as a plain statement, to test the compiled air against.

It goes through the rows of one node, in their order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.trace import Trace


def trace_packets(
    trace: Trace,
    node: int,
    airtime_s: dict[int, float],
    *,
    until_s: float,
    off_per_airtime: float = 0.0,
    queued: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], int]:
    """Packets of a node that sends each as soon as it may, and keeps one operating point.

    Args:
        trace: All nodes' packets.
        node: Which one.
        airtime_s: Of its operating point, by payload in bytes. s
        until_s: Packets that start before this time are listed; those generated before it and dropped are counted,
            unless the packet that they met is on the air still. s
        off_per_airtime: Off time after a packet, in airtimes.
        queued: Whether packets wait until the node is free; else they are dropped.

    Returns:
        Starts in s, payloads in bytes and frame counters of the packets sent; packets dropped.
    """
    rows = [row for row in range(len(trace.node)) if trace.node[row] == node]
    counters = [0 if trace.counter is None else int(trace.counter[row]) for row in rows]
    span = max(counters, default=0) - min(counters, default=0) + 1
    starts_s: list[float] = []
    sent: list[tuple[int, int]] = []
    end_s, free_s, dropped, repetition = 0.0, 0.0, 0, 0
    while rows:
        for row, counter in zip(rows, counters, strict=True):
            time_s = float(trace.time_s[row]) + repetition * (trace.repeat_s or 0.0)
            if time_s < free_s and not queued:
                dropped += time_s < until_s and end_s < until_s
                continue
            start_s = max(time_s, free_s)
            if start_s < until_s:
                starts_s.append(start_s)
                sent.append((int(trace.payload_bytes[row]), counter + repetition * span))
            end_s = start_s + airtime_s[int(trace.payload_bytes[row])]
            free_s = end_s + (end_s - start_s) * off_per_airtime
        repetition += 1
        if trace.repeat_s is None or repetition * trace.repeat_s > until_s:
            break
    columns = np.array(sent, np.int64).reshape(-1, 2)
    return np.array(starts_s), columns[:, 0], columns[:, 1], dropped
