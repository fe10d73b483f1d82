"""From uplinks as files state them to frames: rows of one frame put together, counters made into sessions.

What a recording shows, and what is made of it:

1. Several rows for one frame: a row for each gateway, an event in two files, an event written twice. Rows of a device
   with the same counter, channel and data rate, close in time, are one frame.
2. The same counter later, or on another channel: a repetition (NbTrans, or a retry of a confirmed frame). It is a frame
   of its own with `repeat` above 0. Network servers drop repetitions, raw frames of gateways show them.
3. A counter that falls: the device was reset or joined anew, and a new session begins; a fall from just below 65,536 is
   the end of 16 bits and goes on. A counter that leaps ahead much faster than the device sends begins a session, too.
4. A time that contradicts the counters before and after: a clock was wrong for a moment; the time is interpolated.
5. Newest rows first: the file is read from its end.

Frames that nobody heard are known from gaps between counters within a session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lora_marl.logs.esp import esp_dbm

FRAME = np.dtype(
    [("device", "i4"), ("session", "i4"), ("counter", "i8"), ("repeat", "i2"), ("time_s", "f8"), ("frequency_hz", "i8"),
     ("sf", "i1"), ("bandwidth_hz", "i4"), ("payload_bytes", "i2")]
)  # fmt: skip

RECEPTION = np.dtype([("frame", "i8"), ("gateway", "i4"), ("rssi_dbm", "f4"), ("snr_db", "f4")])

MINUTE_SPREAD_S = 90.0
"""How far apart rows of one frame may be in a file whose times are whole minutes. s"""

REPEAT_S = 300.0
"""A counter that comes again within this time is a repetition, later it is that of a device that starts anew. s"""

CLOCK_S = 60.0
"""Contradictions between times and counters up to this are delays on the way to the server. s"""

COUNTER_BITS_16 = 65_536
WRAP_FRAMES = 1_024
"""Frames around the end of 16 bits within which a fall is no reset."""

LEAP_FRAMES, LEAP_SPEED = 16, 0.25
"""A counter leaps if it gains more frames than these in less than this share of the time that they take."""

_CHUNK = 4_000_000


@dataclass(frozen=True)
class Merged:
    """Frames, and where each row went.

    Attributes:
        frames: Of type `FRAME`, in order of device and time. `[F]`
        frame_of_event: The frame of each row. `[E]`
        counts: What was mended, by what.
    """

    frames: NDArray[Any]
    frame_of_event: NDArray[np.int64]
    counts: Mapping[str, int]


def merge(events: NDArray[Any], files: NDArray[np.int32]) -> Merged:
    """The frames of rows.

    Args:
        events: Of type `rows.EVENT`, in the order in which they were read. `[E]`
        files: Number of the file of each. `[E]`
    """
    arrival, backward_files = _arrival(events["time_s"], files)
    time_s, clocks = _with_right_clocks(events, files, arrival)
    spread_s = np.where(_whole_minutes(events["time_s"], files), MINUTE_SPREAD_S, events["spread_s"])
    order = np.lexsort((arrival, time_s, events["device"]))
    sorted_events, sorted_s = events[order], time_s[order]
    begins = np.ones(len(order), bool)
    begins[1:] = np.diff(sorted_s) > spread_s[order][1:]
    for name in ("device", "counter", "frequency_hz", "sf"):
        begins[1:] |= np.diff(sorted_events[name]) != 0
    frame_of_sorted = np.cumsum(begins) - 1
    frame_of_event = np.empty(len(order), np.int64)
    frame_of_event[order] = frame_of_sorted
    frames = np.zeros(int(frame_of_sorted[-1]) + 1, FRAME)
    for name in ("device", "counter", "frequency_hz", "sf", "bandwidth_hz"):
        frames[name] = sorted_events[name][begins]
    frames["time_s"] = sorted_s[begins]
    frames["payload_bytes"] = np.maximum.reduceat(sorted_events["payload_bytes"], np.flatnonzero(begins))
    counts = {
        "rows merged into frames": len(order) - len(frames),
        "files with the newest row first": backward_files,
        "times contradicted by counters": clocks,
        **_number_sessions(frames),
    }
    return Merged(frames, frame_of_event, counts)


def _arrival(time_s: NDArray[np.float64], files: NDArray[np.int32]) -> tuple[NDArray[np.int64], int]:
    """A number for each row that grows with its arrival; the number of files with the newest row first."""
    place = np.arange(len(time_s))
    within = np.flatnonzero(np.diff(files) == 0)
    steps = np.sign(time_s[within + 1] - time_s[within])
    trend = np.bincount(files[within], steps, minlength=int(files.max()) + 1)
    backward = trend < 0
    return np.where(backward[files], -place, place), int(backward.sum())


def _whole_minutes(time_s: NDArray[np.float64], files: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether all times of a row's file are whole minutes. `[E]`"""
    broken = np.bincount(files, time_s % 60.0 != 0.0, minlength=int(files.max()) + 1)
    return (broken == 0)[files]


def _with_right_clocks(
    events: NDArray[Any], files: NDArray[np.int32], arrival: NDArray[np.int64]
) -> tuple[NDArray[np.float64], int]:
    """Times in which those that contradict counters are interpolated, and how many were. `[E]` s"""
    time_s = events["time_s"].copy()
    order = np.lexsort((arrival, files, events["device"]))
    at, counter = time_s[order], events["counter"][order].astype(np.float64)
    stream = events["device"][order].astype(np.int64) * (int(files.max()) + 1) + files[order]
    inner = np.zeros(len(order), bool)
    inner[1:-1] = (stream[:-2] == stream[2:]) & (counter[:-2] < counter[1:-1]) & (counter[1:-1] < counter[2:])
    before, after = np.roll(at, 1), np.roll(at, -1)
    wrong = inner & (before <= after) & ((at > after + CLOCK_S) | (at < before - CLOCK_S))
    counter_before, counter_after = np.roll(counter, 1)[wrong], np.roll(counter, -1)[wrong]
    share = (counter[wrong] - counter_before) / (counter_after - counter_before)
    time_s[order[wrong]] = before[wrong] + share * (after[wrong] - before[wrong])
    return time_s, int(wrong.sum())


def _number_sessions(frames: NDArray[Any]) -> dict[str, int]:
    """Fills in sessions and repeats, and continues counters of 16 bits."""
    same_device = np.diff(frames["device"]) == 0
    step = np.diff(frames["counter"])
    step_s = np.diff(frames["time_s"])
    wraps = same_device & (step < 0) & (step + COUNTER_BITS_16 <= WRAP_FRAMES) & (step + COUNTER_BITS_16 > 0)
    repeats = same_device & (step == 0) & (step_s <= REPEAT_S)
    resets = same_device & ~wraps & ~repeats & (step <= 0)
    leaps = same_device & (step > LEAP_FRAMES)
    leaps &= step_s < LEAP_SPEED * step * _periods_s(frames, same_device, step, step_s)[1:]
    begins = np.ones(len(frames), bool)
    begins[1:] = ~same_device | resets | leaps
    session = np.cumsum(begins) - 1
    first_of_device = np.r_[True, ~same_device]
    frames["session"] = session - session[first_of_device][np.cumsum(first_of_device) - 1]
    wrapped = np.cumsum(np.r_[0, wraps])
    frames["counter"] += COUNTER_BITS_16 * (wrapped - wrapped[np.flatnonzero(begins)][session])
    run = np.r_[0, np.cumsum(repeats)]
    starts = np.r_[True, ~repeats]
    frames["repeat"] = np.minimum(run - run[starts][np.cumsum(starts) - 1], np.iinfo(np.int16).max)
    return {
        "repetitions": int(repeats.sum()),
        "counter resets": int(resets.sum()),
        "counter leaps": int(leaps.sum()),
        "counters of 16 bits continued": int(wraps.sum()),
    }


def _periods_s(
    frames: NDArray[Any], same_device: NDArray[np.bool_], step: NDArray[np.int64], step_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Median time per counter of each frame's device, from neighbours without loss; 0 where there are none. `[F]` s"""
    near = np.flatnonzero(same_device & (step == 1))
    devices = frames["device"][1:][near]
    periods_s = np.zeros(int(frames["device"].max()) + 1)
    order = np.lexsort((step_s[near], devices))
    ends = np.searchsorted(devices[order], np.arange(len(periods_s) + 1))
    middles = (ends[:-1] + ends[1:]) // 2
    seen = ends[1:] > ends[:-1]
    periods_s[seen] = step_s[near][order][middles[seen]]
    result: NDArray[np.float64] = periods_s[frames["device"]]
    return result


def merged_receptions(
    heard: NDArray[Any], frame_of_event: NDArray[np.int64], first: int, end: int
) -> tuple[NDArray[Any], int]:
    """The receptions of frames `first` to `end`, each gateway once, and how many were left out as weaker doubles.

    A gateway with two antennas reports a frame twice; the stronger copy stays.

    Args:
        heard: Of type `rows.HEARD`, those of all frames; may be mapped from a file. `[R]`
        frame_of_event: `[E]`
        first, end: Range of frames.

    Returns:
        Of type `RECEPTION`, in order of frame and gateway.
    """
    parts = []
    for start in range(0, len(heard), _CHUNK):
        chunk = heard[start : start + _CHUNK]
        frame = frame_of_event[chunk["event"]]
        chosen = (frame >= first) & (frame < end)
        part = np.empty(int(chosen.sum()), RECEPTION)
        part["frame"] = frame[chosen]
        for name in ("gateway", "rssi_dbm", "snr_db"):
            part[name] = chunk[name][chosen]
        parts.append(part)
    receptions = np.concatenate(parts) if parts else np.empty(0, RECEPTION)
    esp = esp_dbm(receptions["rssi_dbm"], receptions["snr_db"])
    receptions = receptions[np.lexsort((-esp, receptions["gateway"], receptions["frame"]))]
    keep = np.ones(len(receptions), bool)
    keep[1:] = (np.diff(receptions["frame"]) != 0) | (np.diff(receptions["gateway"]) != 0)
    return receptions[keep], int((~keep).sum())
