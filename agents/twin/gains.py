"""Mean gains of all links and the standard deviation of the shadowing, from frames received and frames lost.

Received frames alone would mislead: the weak ones are missing. A frame received counts its power. One that was lost
counts what it was on average, given that it was lost, under the present belief:

    p(x | lost) ~ phi(x - mu) (1 - E(x) [x >= floor])

where E is the twin's own field of interference when the frame was sent, so that a collision is not taken for a weak
link. Mean gains and sigma follow by expectation and maximisation (a Tobit model); gains have a normal prior from all
nodes. Of several gateways, one that did not report a frame received it weaker than the one that did, or not at all.

Source: Tobin, "Estimation of relationships for limited dependent variables", Econometrica 26, 1958; Dempster, Laird and
Rubin, "Maximum likelihood from incomplete data via the EM algorithm", JRSS B 39, 1977.

Shape letters: `N` nodes, `G` gateways, `F` frames of the ring, `P` epochs, `C` channels, `V` kinds, `X` bins.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FINE = 16
"""`tables.FINE`, repeated as a constant of the compiled code; a test holds them equal."""
LEAST_WEIGHT = 1e-9
"""Share of frames lost below which a loss tells nothing."""
LEAST_SPREAD = 0.2
"""Least standard deviation of frames received, in those of all frames."""
LEAST_RECEIVED = 1e-3
"""Share of frames received below which it counts as so much."""


@njit(cache=True)
def _lost_moments(t, left, mean, first, moments):  # type: ignore[no-untyped-def]
    """Probability that a frame is lost, and its mean and mean squared distance from the mean power. `[3]`

    Args:
        t: `tables.Tables`.
        left: E of the frame's kind. `[X]`
        mean: Position of its mean power.
        first: First bin in which it can be received.
        moments: Where they are written; distances in dB.
    """
    reach = len(t.mass) // 2
    moments[:] = 0.0
    for x in range((mean - reach) // FINE, (mean + reach) // FINE + 1):
        distance = x * FINE + FINE // 2 - mean
        if distance < -reach or distance > reach:
            continue
        lost = t.mass[distance + reach]
        if x >= first:
            lost *= 1.0 - left[min(x, len(left) - 1)]
        distance_db = distance * t.fine_db
        moments[0] += lost
        moments[1] += lost * distance_db
        moments[2] += lost * distance_db * distance_db
    if moments[0] > LEAST_WEIGHT:
        moments[1] /= moments[0]
        moments[2] /= moments[0]


@njit(cache=True, nogil=True)
def expect_received(t, left, points, payload, gain_db, sigma_db, mean_db, spread_db):  # type: ignore[no-untyped-def]
    """Write the mean and the standard deviation of the gains that frames received should show: weak ones are missing.

    Args:
        t: `tables.Tables`.
        left: E. `[C, G, V, X]`
        points: Spreading factor, channel and power of every node. `[N, 3]`
        payload: Class of each node. `[N]`
        gain_db: Mean gains. `[N, G]` dB
        sigma_db: Standard deviation of the shadowing. dB
        mean_db, spread_db: Where they are written. `[N, G]` dB
    """
    moments = np.zeros(3)
    for n in range(len(points)):
        sf, channel, tp = points[n]
        for g in range(gain_db.shape[1]):
            mean = min(int(np.rint((gain_db[n, g] - t.lowest_dbm) / t.fine_db)) + t.power[tp], t.top)
            _lost_moments(t, left[channel, g, payload[n] * len(t.floor) + sf], mean, t.floor[sf], moments)
            received = max(1.0 - moments[0], LEAST_RECEIVED)
            excess_db = -moments[0] * moments[1] / received
            square = (sigma_db**2 - moments[0] * moments[2]) / received - excess_db**2
            mean_db[n, g] = gain_db[n, g] + excess_db
            spread_db[n, g] = max(square, (LEAST_SPREAD * sigma_db) ** 2) ** 0.5


@njit(cache=True, nogil=True)
def improve_gains(t, left, frames, count, begin_s, payload, gain_db, prior_db, prior_frames, sigma_db, steps):  # type: ignore[no-untyped-def]
    """Steps of expectation and maximisation on the mean gains of a replica, for one sigma and given fields.

    Args:
        t: `tables.Tables` of the present sigma.
        left: E of every epoch; frames of epoch e saw the one at e modulo P. `[P, C, G, V, X]`
        frames, count: Of the replica (`frames.FrameRing`). `[N, F]`, `[N]`
        begin_s: Older frames do not count. s
        payload: Class of each node. `[N]`
        gain_db: Mean gains, changed in place. `[N, G]` dB
        prior_db: Mean of the prior of every link. `[N, G]` dB
        prior_frames: How many frames the prior is worth.
        sigma_db: The present sigma. dB
        steps: How many steps.

    Returns:
        Sum of squared distances from the gains, in dB^2, in expectation over what the gains may be, and their number.
    """
    factors, powers, epochs, channels = len(t.floor), len(t.power), left.shape[0], left.shape[1]
    lost_frames = np.zeros(epochs * factors * channels * powers)
    used = np.empty(len(lost_frames), np.int64)
    moments = np.zeros(3)
    squares, number = 0.0, 0.0
    for n in range(len(count)):
        have = min(count[n], frames.shape[1])
        points = 0
        for i in range(have):
            frame = frames[n, i]
            if frame.missed > 0 and frame.time_s >= begin_s:
                point = ((frame.epoch % epochs * factors + frame.sf) * channels + frame.channel) * powers + frame.tp
                if lost_frames[point] == 0.0:
                    used[points] = point
                    points += 1
                lost_frames[point] += frame.missed
        for g in range(gain_db.shape[1]):
            for step in range(steps if have > 0 else 0):
                mean_db = gain_db[n, g]
                total, weight = prior_db[n, g] * prior_frames, prior_frames
                square, seen = 0.0, 0.0
                position = int(np.rint((mean_db - t.lowest_dbm) / t.fine_db))
                for i in range(have):
                    frame = frames[n, i]
                    if frame.time_s < begin_s:
                        continue
                    if frame.gateway == g:
                        total += frame.gain_db
                        square += (frame.gain_db - mean_db) ** 2
                    else:
                        mean = min(position + t.power[frame.tp], t.top)
                        louder = int((frame.gain_db - t.lowest_dbm) / (FINE * t.fine_db) + t.power[frame.tp] / FINE)
                        row = left[frame.epoch % epochs, frame.channel, g, payload[n] * factors + frame.sf]
                        _lost_moments(t, row, mean, max(t.floor[frame.sf], louder), moments)
                        if moments[0] <= LEAST_WEIGHT:
                            continue
                        total += mean_db + moments[1]
                        square += moments[2]
                    weight += 1.0
                    seen += 1.0
                for place in range(points):
                    point, frames_lost = used[place], lost_frames[used[place]]
                    tp, channel = point % powers, point // powers % channels
                    sf, epoch = point // (channels * powers) % factors, point // (channels * powers * factors)
                    mean = min(position + t.power[tp], t.top)
                    _lost_moments(t, left[epoch, channel, g, payload[n] * factors + sf], mean, t.floor[sf], moments)
                    if moments[0] > LEAST_WEIGHT:
                        total += frames_lost * (mean_db + moments[1])
                        square += frames_lost * moments[2]
                        weight += frames_lost
                        seen += frames_lost
                gain_db[n, g] = total / weight
                if step == steps - 1:
                    shift_db = gain_db[n, g] - mean_db
                    squares += max(
                        square - 2.0 * shift_db * (total - prior_db[n, g] * prior_frames - seen * mean_db), 0.0
                    )
                    squares += seen * shift_db**2 + seen / weight * sigma_db**2
                    number += seen
        for place in range(points):
            lost_frames[used[place]] = 0.0
    return squares, number
