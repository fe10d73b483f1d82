"""A binary heap of each source's next event, ordered by time and, at equal times, by source."""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel.compiled import kernel


@kernel()
def _earlier(events, i, j):
    return events[i].time_s < events[j].time_s or (
        events[i].time_s == events[j].time_s and events[i].source < events[j].source
    )


@kernel()
def replace_first(events, time_s):
    """Give the source of the earliest event its next event and restore the order."""
    source = events[0].source
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


def fill(events: np.ndarray, time_s: np.ndarray) -> None:
    """Write the heaps `[B, N]` of the sources' next times `[B, N]`: sorted arrays are heaps."""
    order = np.argsort(time_s, axis=-1, kind="stable")
    events["source"] = order
    events["time_s"] = np.take_along_axis(time_s, order, axis=-1)


def times_by_source(events: np.ndarray) -> np.ndarray:
    """Each source's next time `[B, N]`: the inverse of `fill`."""
    time_s = np.empty(events.shape)
    np.put_along_axis(time_s, events["source"], events["time_s"], axis=-1)
    return time_s
