"""What the air has booked, handed out by the names of `Outcome` and `Heard`; the books begin anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel.state import (
    AIRTIME_S,
    ANSWERED,
    ANSWERS_RECEIVED,
    DELIVERED_BITS,
    DROPPED,
    ENERGY_MJ,
    HEARD,
    QUEUE,
    REFUSED,
    State,
)
from lora_marl.core.reception import FATES


def take_heard(state: State) -> NDArray[np.void]:
    """HEARD rows of all replicas since they were last taken, by replica and time. `[H]`"""
    counts = state.replicas["heard"]
    rows = np.empty(int(counts.sum()), HEARD)  # np.concatenate would compare the fields' types anew for every replica
    ends = np.cumsum(counts)
    for b, (end, count) in enumerate(zip(ends, counts, strict=True)):
        rows[end - count : end] = state.heard[b, :count]
    counts[:] = 0
    return rows


def take_tallies(state: State) -> dict[str, NDArray]:
    """What was booked since tallies were last taken, by the names of `Outcome`; the books begin anew."""
    replicas = state.replicas
    taken = {fate.name.lower(): state.counts[..., fate].copy() for fate in FATES} | {
        "duration_s": replicas["now_s"] - replicas["taken_s"],
        "dropped": state.counts[..., DROPPED].copy(),
        "downlinks": state.counts[..., ANSWERED].copy(),
        "downlinks_received": state.counts[..., ANSWERS_RECEIVED].copy(),
        "downlinks_refused": state.counts[..., REFUSED].copy(),
        "downlink_airtime_s": state.gate_airtime_s.copy(),
        "foreign_busy_s": state.foreign_busy_s.copy(),
        "external_busy_s": _take_busy_s(state),
        "airtime_s": state.sums[..., AIRTIME_S].copy(),
        "energy_mj": state.sums[..., ENERGY_MJ].copy(),
        "delivered_bits": state.sums[..., DELIVERED_BITS].copy(),
        "arm_sent": state.arms[..., 0].copy(),
        "arm_delivered": state.arms[..., 1].copy(),
    }
    taken |= _take_frames(state.queues if state.queues.size else np.zeros(state.nodes.shape, QUEUE))
    for tally in (state.counts, state.sums, state.arms, state.gate_airtime_s, state.foreign_busy_s):
        tally.fill(0)
    replicas["taken_s"] = replicas["now_s"]
    return taken


def _take_busy_s(state: State) -> NDArray[np.float64]:
    """Time with a burst since outcomes were last taken, those on the air included. `[B, C]` s"""
    bursts, replicas = state.bursts, state.replicas
    if not bursts.size:
        return np.zeros(state.newest.shape)
    now_s, taken_s = replicas["now_s"][:, None], replicas["taken_s"][:, None]
    busy_s = bursts["busy_s"] + np.where(bursts["on"], now_s - np.maximum(bursts["start_s"], taken_s), 0.0)
    bursts["busy_s"] = 0.0
    return busy_s


def _take_frames(queues: NDArray[np.void]) -> dict[str, NDArray]:
    """What was booked of frames; how many wait is no tally, and stays."""
    taken = {
        "frames_delivered": queues["delivered"].copy(),
        "frames_lost": queues["lost"].copy(),
        "delay_s": queues["delay_s"].copy(),
        "queued": queues["size"].astype(np.int64),
    }
    for name in ("delivered", "lost", "delay_s"):
        queues[name] = 0
    return taken
