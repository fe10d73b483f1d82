"""The event queue: a binary heap of the next event of each node, and of each channel's bursts, ordered by time.

The start of node n's packet has the source n, its end the source ~n = -n - 1: at equal times ends come before starts,
and packets that touch do not meet. The bursts of channel c have the source N + c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import compiled


@compiled()
def _earlier(events, i, j):
    """Whether event `i` comes before event `j`; at equal times the lower source is first."""
    return events[i].time_s < events[j].time_s or (
        events[i].time_s == events[j].time_s and events[i].source < events[j].source
    )


@compiled()
def replace_first(events, time_s, source):
    """Replace the earliest event, which was the source's own, by the source's next one, and restore the order."""
    size = events.shape[0]
    hole = 0
    child = 1
    while child < size:
        if child + 1 < size and _earlier(events, child + 1, child):
            child += 1
        if events[child].time_s > time_s or (events[child].time_s == time_s and events[child].source > source):
            break
        events[hole].time_s = events[child].time_s
        events[hole].source = events[child].source
        hole = child
        child = 2 * hole + 1
    events[hole].time_s = time_s
    events[hole].source = source


def fill(events: NDArray[np.void], time_s: NDArray[np.float64], ends: NDArray[np.bool_]) -> None:
    """Write the heaps of all replicas anew; a sorted array is a heap.

    Args:
        events: EVENT, written. `[B, N + C]`
        time_s: Time of each source's next event. `[B, N + C]` s
        ends: Whether that is an end, not a start. `[B, N + C]`
    """
    sources = np.broadcast_to(np.arange(events.shape[-1]), events.shape)
    source = np.where(ends, ~sources, sources)
    order = np.lexsort((source, time_s), axis=-1)
    events["source"] = np.take_along_axis(source, order, axis=-1)
    events["time_s"] = np.take_along_axis(time_s, order, axis=-1)


def times_by_source(events: NDArray[np.void]) -> NDArray[np.float64]:
    """Time of each source's next event, the inverse of `fill`. `[B, N + C]` s"""
    source = events["source"]
    time_s = np.empty(events.shape)
    np.put_along_axis(time_s, np.where(source < 0, ~source, source), events["time_s"], axis=-1)
    return time_s
