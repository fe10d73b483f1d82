"""How often nodes send, from the times and the counters of frames received.

A node's mean gap is the time between frames, less what its duty cycle keeps it silent, over the frames counted, lost
ones included. The open gap since the last frame counts too: else nodes seem to send more often than they do, as the
next frame of a slow one is still to come.

With few frames a node's gap is drawn towards the mean of all: k gaps of a node vary by 1 / k around the truth, whatever
they vary by beyond that is between nodes, and the inverse of it is how many gaps the common mean is worth (the
posterior mean of a gamma prior).

Shape letters: `N` nodes, `F` frames of the ring, `V` kinds.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

LATEST = 64
"""Frames of a node that count."""
OPEN_GAP = 0.9
"""Share of the open gap that counts; without it early rates are some 20 % too high. Chosen on development seeds."""
LEAST_GAPS, LEAST_NODES = 5, 10
"""Gaps of a node, and nodes with so many, from which the spread between nodes is judged."""
LEAST_SPREAD = 1e-3
"""Least squared coefficient of variation between nodes."""


def mean_gaps_s(
    frames: NDArray[np.void],
    count: NDArray[np.int64],
    payload: NDArray[np.int64],
    airtime_s: NDArray[np.float64],
    airtimes: float,
    now_s: float,
) -> NDArray[np.float64]:
    """Mean gap of every node of a replica `[N]`, in s; the common mean for nodes without one, nan without any gap.

    Args:
        frames: `frames.FRAME`. `[N, F]`
        count: Frames received of each node. `[N]`
        payload: Class of each node. `[N]`
        airtime_s: By kind. `[V]` s
        airtimes: From a packet's start to where a gap begins, in airtimes.
        now_s: s
    """
    factors = len(airtime_s) // (int(payload.max()) + 1)
    waited_s, gaps = _gaps(frames, count, payload, airtime_s, factors, airtimes, now_s, LATEST, OPEN_GAP)
    counted = gaps > 0
    if not counted.any():
        return np.full(len(count), np.nan)
    pooled_s = waited_s[counted].sum() / gaps[counted].sum()
    many = gaps >= LEAST_GAPS
    spread = 0.0
    if many.sum() >= LEAST_NODES:
        relative = waited_s[many] / gaps[many] / pooled_s
        spread = float(np.mean((relative - 1.0) ** 2 - 1.0 / gaps[many]))
    prior = 1.0 / max(spread, LEAST_SPREAD)
    mean_s: NDArray[np.float64] = (prior * pooled_s + np.where(counted, waited_s, 0.0)) / (prior + gaps)
    return mean_s


@njit(cache=True, nogil=True)
def _gaps(frames, count, payload, airtime_s, factors, airtimes, now_s, latest, open_gap):  # type: ignore[no-untyped-def]
    """Time that nodes waited, in s, and the gaps that it is of: `[N]` each."""
    nodes, size = frames.shape
    waited_s, gaps = np.zeros(nodes), np.zeros(nodes)
    for n in range(nodes):
        for back in range(min(count[n], size, latest)):
            frame = frames[n, (count[n] - 1 - back) % size]
            silent_s = airtimes * airtime_s[payload[n] * factors + frame.sf]
            if back == 0:
                waited_s[n] += open_gap * max(now_s - frame.time_s - silent_s, 0.0)
            if not np.isnan(frame.since_s):
                sent = frame.missed + 1
                waited_s[n] += max(frame.since_s - sent * silent_s, 1e-3 * frame.since_s)
                gaps[n] += sent
    return waited_s, gaps
