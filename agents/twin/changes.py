"""Sudden changes of the channel, told by frames whose gains are not those that the server believes.

Every `CHECK_S` the server looks at the frames of that time. Let r be their gains less the mean that frames received
should show (`gains.expect_received`), and z that over the standard deviation that they should show. The channel has
changed if the mean of r is farther from 0 than `LEAST_SHIFT_DB`, or the standard deviation of z farther from 1 than
`LEAST_STRETCH`, and either by `SURPRISE` standard errors. The server then waits for as many frames again, and forgets
the older ones. A change of path-loss exponent, reference loss or antennas is affine in the mean gains, so it begins
anew from

    gain <- a + s gain,    a and s by least squares over the new frames

as the prior of every node, also of those that have not been heard since. Rates and interference from outside stay.

Shape letters: `N` nodes, `G` gateways, `F` frames of the ring.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

CHECK_S = 900.0
"""From one look at the frames to the next. s"""
LEAST_FRAMES = 30
"""Frames from which a change is told."""
LEAST_SHIFT_DB = 1.5
"""Mean shift from which it is worth a new beginning. dB"""
LEAST_STRETCH = 0.3
"""Change of the standard deviation from which it is worth one, as a share of it."""
SURPRISE = 5.0
"""Standard errors: one false alarm in over a million looks."""
LEAST_SLOPE, MOST_SLOPE = 0.25, 4.0
"""Range of the slope s: path-loss exponents of open space and of buildings differ by less."""
LEAST_SPREAD_DB = 3.0
"""Standard deviation of believed gains among the frames, from which the slope is fitted; below, it is 1. dB"""


def has_changed(
    frames: NDArray[np.void],
    count: NDArray[np.int64],
    mean_db: NDArray[np.float64],
    spread_db: NDArray[np.float64],
    since_s: float,
) -> bool:
    """Whether the frames of a replica since a time show another channel.

    Args:
        frames, count: `frames.FRAME` `[N, F]`, and how many there were `[N]`.
        mean_db, spread_db: Mean and standard deviation of gains that frames received should show. `[N, G]` dB
        since_s: s
    """
    wanted_db, seen_db, scale_db = _recent(frames, count, mean_db, spread_db, since_s)
    number = len(seen_db)
    if number < LEAST_FRAMES:
        return False
    residuals_db = seen_db - wanted_db
    error_db = max(float(residuals_db.std()), float(scale_db.mean())) / math.sqrt(number)
    shifted = abs(float(residuals_db.mean())) > max(LEAST_SHIFT_DB, SURPRISE * error_db)
    stretch = abs(math.log(float((residuals_db / scale_db).std())))
    return shifted or stretch > max(math.log1p(LEAST_STRETCH), SURPRISE / math.sqrt(2.0 * number))


def refit(
    frames: NDArray[np.void], count: NDArray[np.int64], gain_db: NDArray[np.float64], since_s: float
) -> tuple[NDArray[np.float64], float]:
    """Mean gains after a change, affine in those before, and what the frames since then scatter around them.

    Args:
        frames, count, since_s: As of `has_changed`.
        gain_db: Mean gains believed before. `[N, G]` dB

    Returns:
        Gains `[N, G]` and a standard deviation, in dB; as before, and 0, where there are too few frames.
    """
    believed_db, seen_db, _ = _recent(frames, count, gain_db, gain_db, since_s)
    if len(seen_db) < LEAST_FRAMES:
        return gain_db, 0.0
    slope = 1.0
    if believed_db.std() >= LEAST_SPREAD_DB:
        slope = float(np.cov(believed_db, seen_db)[0, 1] / believed_db.var(ddof=1))
        slope = min(max(slope, LEAST_SLOPE), MOST_SLOPE)
    offset_db = float(seen_db.mean() - slope * believed_db.mean())
    spread_db = float((seen_db - offset_db - slope * believed_db).std())
    return offset_db + slope * gain_db, spread_db


@njit(cache=True, nogil=True)
def _recent(frames, count, mean_db, spread_db, since_s):  # type: ignore[no-untyped-def]
    """First value, gain seen and second value of the links of the frames since a time `[M]` each, in dB."""
    nodes, size = frames.shape
    means_db, seen_db, spreads_db = np.empty(nodes * size), np.empty(nodes * size), np.empty(nodes * size)
    number = 0
    for n in range(nodes):
        for back in range(min(count[n], size)):
            frame = frames[n, (count[n] - 1 - back) % size]
            if frame.time_s < since_s:
                break
            means_db[number] = mean_db[n, frame.gateway]
            spreads_db[number] = spread_db[n, frame.gateway]
            seen_db[number] = frame.gain_db
            number += 1
    return means_db[:number], seen_db[:number], spreads_db[:number]
