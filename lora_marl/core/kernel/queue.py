"""The event queue of a replica: the next event of each node, and of each channel's bursts, in order of time.

The start of node n's packet has the source n, its end the source ~n = -n - 1: at equal times ends come before starts,
and packets that touch do not meet. The bursts of channel c have the source N + c. Sources are placed in this order,
whether they are of a start or of an end.

A binary tree of winners finds the earliest event: element j of `winners` is the place that has the earlier event of
those at elements 2 j and 2 j + 1, element 1 is the earliest of all, and element N + C + i is place i. A new event
changes the elements on the way from its place to the top. What it is compared with there does not depend on the
outcome of the comparisons before, so that a processor need not guess any; in a heap it guesses one in two wrong.

Source: D. E. Knuth, "The Art of Computer Programming", volume 3, section 5.4.1 (selection by a tree of winners).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import compiled

EVENT = np.dtype([("time_s", np.float64), ("source", np.int64)], align=True)


class Queue(NamedTuple):
    """The arrays of the queue; `State` has them too."""

    events: NDArray[np.void]  # EVENT [B, N + C], by place
    winners: NDArray[np.int32]  # [B, 2 (N + C)]


def allocate(replicas: int, places: int) -> Queue:
    """A queue of so many places, to be filled."""
    winners = np.tile(np.arange(-places, places, dtype=np.int32), (replicas, 1))
    return Queue(np.zeros((replicas, places), EVENT), winners)


@compiled()
def _bits(time_s):
    """The bits of a time that is 0 or more: they compare as the times do, and faster."""
    return np.float64(time_s).view(np.int64)


@compiled()
def first_place(queue, b):
    """Place of the earliest event."""
    return np.int64(queue.winners[b, 1])


@compiled()
def schedule(queue, b, place, time_s, is_end):
    """Let the next event of a place come at a time, which is 0 or more; an infinite one: it has none."""
    event = queue.events[b, place]
    event.time_s = time_s
    event.source = ~place if is_end else place
    winner, earliest, tie = np.int32(place), _bits(time_s), False
    j = queue.events.shape[1] + place
    while j > 1:
        rival = queue.winners[b, j ^ 1]
        rivals = _bits(queue.events[b, rival].time_s)
        wins = rivals < earliest
        tie |= rivals == earliest
        winner = rival if wins else winner
        earliest = rivals if wins else earliest
        j >>= 1
        queue.winners[b, j] = winner
    if tie:
        _replay(queue, b, place)


@compiled()
def _replay(queue, b, place):
    """Play the comparisons from a place to the top once more: at equal times the lower source is first."""
    events = queue.events[b]
    winner = np.int32(place)
    j = events.shape[0] + place
    while j > 1:
        rival = queue.winners[b, j ^ 1]
        if events[rival].time_s < events[winner].time_s or (
            events[rival].time_s == events[winner].time_s and events[rival].source < events[winner].source
        ):
            winner = rival
        j >>= 1
        queue.winners[b, j] = winner


def fill(queue: Queue, time_s: NDArray[np.float64], ends: NDArray[np.bool_]) -> None:
    """Write the queues of all replicas anew.

    Args:
        queue: Written.
        time_s: Time of each source's next event. `[B, N + C]` s
        ends: Whether that is an end, not a start. `[B, N + C]`
    """
    events, winners = queue
    places = events.shape[1]
    events["time_s"] = time_s
    events["source"] = np.where(ends, ~np.arange(places), np.arange(places))
    times_s, sources = events["time_s"], events["source"]
    level = 1 << (places - 1).bit_length()
    while level > 1:
        level >>= 1
        children = winners[:, 2 * level : 2 * min(2 * level, places)]
        left, right = children[:, ::2], children[:, 1::2]
        left_s, right_s = np.take_along_axis(times_s, left, 1), np.take_along_axis(times_s, right, 1)
        lower = np.take_along_axis(sources, right, 1) < np.take_along_axis(sources, left, 1)
        right_wins = (right_s < left_s) | ((right_s == left_s) & lower)
        winners[:, level : min(2 * level, places)] = np.where(right_wins, right, left)


def in_order(queue: Queue) -> NDArray[np.void]:
    """The events of all places, the earliest first, as snapshots hold them. EVENT `[B, N + C]`"""
    order = np.lexsort((queue.events["source"], queue.events["time_s"]), axis=-1)
    return np.take_along_axis(queue.events, order, axis=-1)


def times_by_source(events: NDArray[np.void]) -> NDArray[np.float64]:
    """Time of each source's next event, from events in any order. `[B, N + C]` s"""
    source = events["source"]
    time_s = np.empty(events.shape)
    np.put_along_axis(time_s, np.where(source < 0, ~source, source), events["time_s"], axis=-1)
    return time_s
