"""Slow changes of a link: how large, and how long they last.

Around the means of a fitted link (`lora_marl/logs/link_fit.py`) the received power of a frame on channel c at time t is

    E = mu_c + b(t) + s_c(t) + eps

with b of the link and s_c of each of its channels Ornstein-Uhlenbeck processes and eps ~ N(0, sigma_e^2) anew for each
frame. A Kalman filter runs over the frames that were sent. A frame that was heard is a measurement; after one that was
missed, mean and variance are those of the powers that could be missed (assumed-density filtering). Innovations beyond
three standard deviations are clipped. The parameters are those under which each frame is predicted best from those
before it.

Shape letters: `C` channels, `M` frames.

Source: ours; Kalman, J. Basic Eng. 82 (1960); moment matching as in Minka, UAI 2001.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lora_marl.core.units import DAY_S, HOUR_S
from lora_marl.logs.link_fit import Link

CLIP = 3.0
"""Standard deviations at which an innovation is clipped."""

LEAST_HEARD = 500
"""Frames that must have been heard for slow changes to be fitted."""

_EVALUATIONS = 600
_LOG_2_PI = math.log(2.0 * math.pi)

_SEARCH = (
    (1.5, 0.5, 0.05, 8.0),
    (DAY_S, 1.5, HOUR_S, 60 * DAY_S),
    (1.0, 0.5, 0.05, 8.0),
    (3 * DAY_S, 1.5, HOUR_S, 60 * DAY_S),
    (1.0, 0.4, 0.3, 6.0),
)
"""Start, first step as a logarithm, least and most of the fields of `Slow`, in their order."""


@dataclass(frozen=True)
class Slow:
    """Slow changes of a link.

    Attributes:
        link_db, link_s: Standard deviation and time constant of what all channels share. dB, s
        channel_db, channel_s: The same of each channel by itself.
        packet_db: Standard deviation from frame to frame. dB
    """

    link_db: float
    link_s: float
    channel_db: float
    channel_s: float
    packet_db: float


@dataclass(frozen=True)
class Series:
    """The frames of a link in order of time, those that nobody heard left out.

    Attributes:
        time_s: `[M]` s
        channel: `[M]`
        power_dbm: Received power; NaN: missed. `[M]` dBm
        step_db: Step of the data rate from SF7. `[M]` dB
    """

    time_s: NDArray[np.float64]
    channel: NDArray[np.int64]
    power_dbm: NDArray[np.float64]
    step_db: NDArray[np.float64]


def fit_slow(link: Link, series: Series) -> Slow:
    """The slow changes under which each frame is predicted best from those before it."""
    start, first_steps, low, high = np.array(_SEARCH).T
    start, low, high = np.log(start), np.log(low), np.log(high)

    def worth(theta: NDArray[np.float64]) -> float:
        return -float(log_likelihoods(link, _slow(np.clip(theta, low, high)), series).sum())

    simplex = np.vstack((start, start + np.diag(first_steps)))
    options = {"maxfev": _EVALUATIONS, "xatol": 0.02, "fatol": 0.5, "initial_simplex": simplex}
    result = minimize(worth, start, method="Nelder-Mead", options=options)
    return _slow(np.clip(result.x, low, high))


def _slow(theta: NDArray[np.float64]) -> Slow:
    return Slow(*np.exp(theta).tolist())


def log_likelihoods(link: Link, slow: Slow, series: Series) -> NDArray[np.float64]:
    """Log-likelihood of each frame given those before it, who heard it and at which power. `[M]` nats"""
    values = np.empty(len(series.time_s))
    limits = (link.mean_dbm, link.limit_dbm, link.softness_db, link.loss)
    changes = (slow.link_db, slow.link_s, slow.channel_db, slow.channel_s, slow.packet_db)
    _filter(series.time_s, series.channel, series.power_dbm, series.step_db, *limits, *changes, values)
    return values


@numba.njit(cache=True)
def _filter(
    time_s: NDArray[np.float64],
    channel: NDArray[np.int64],
    power_dbm: NDArray[np.float64],
    step_db: NDArray[np.float64],
    mean_dbm: NDArray[np.float64],
    limit_dbm: NDArray[np.float64],
    softness_db: float,
    loss: float,
    link_db: float,
    link_s: float,
    channel_db: float,
    channel_s: float,
    packet_db: float,
    values: NDArray[np.float64],
) -> None:
    """Fills in the log-likelihood of each frame. `values`: `[M]`"""
    size = len(mean_dbm) + 1
    mean, cov, reach = np.zeros(size), np.zeros((size, size)), np.empty(size)
    cov[0, 0] = link_db * link_db
    for c in range(1, size):
        cov[c, c] = channel_db * channel_db
    noise = packet_db * packet_db
    for m in range(len(time_s)):
        if m > 0:
            gap_s = max(time_s[m] - time_s[m - 1], 0.0)
            kept_link, kept_channel = math.exp(-gap_s / link_s), math.exp(-gap_s / channel_s)
            for i in range(size):
                kept_i = kept_link if i == 0 else kept_channel
                mean[i] *= kept_i
                for j in range(size):
                    cov[i, j] *= kept_i * (kept_link if j == 0 else kept_channel)
            cov[0, 0] += link_db * link_db * (1.0 - kept_link * kept_link)
            for c in range(1, size):
                cov[c, c] += channel_db * channel_db * (1.0 - kept_channel * kept_channel)
        c = channel[m] + 1
        for i in range(size):
            reach[i] = cov[i, 0] + cov[i, c]
        expected = mean_dbm[c - 1] + mean[0] + mean[c]
        variance = reach[0] + reach[c]
        limit = limit_dbm[c - 1] + step_db[m]
        if not math.isnan(power_dbm[m]):
            total = variance + noise
            away = power_dbm[m] - expected
            heard = 0.5 * math.erfc(-(power_dbm[m] - limit) / softness_db / math.sqrt(2.0))
            values[m] = -0.5 * (away * away / total + math.log(total) + _LOG_2_PI)
            values[m] += math.log(max((1.0 - loss) * heard, 1e-300))
            most = CLIP * math.sqrt(total)
            first, second = min(max(away, -most), most) / total, -1.0 / total
        else:
            total = variance + noise + softness_db * softness_db
            z = (expected - limit) / math.sqrt(total)
            missed = max(1.0 - (1.0 - loss) * 0.5 * math.erfc(-z / math.sqrt(2.0)), 1e-300)
            values[m] = math.log(missed)
            density = (1.0 - loss) * math.exp(-0.5 * (z * z + _LOG_2_PI)) / missed
            first = -density / math.sqrt(total)
            second = density * z / total - first * first
        for i in range(size):
            mean[i] += reach[i] * first
            for j in range(size):
                cov[i, j] += reach[i] * reach[j] * second
