"""The link of a device to a gateway, from the frames that the gateway heard and those that it missed.

On channel c the received power of a frame is E ~ N(mu_c, sigma_c^2). The gateway hears it with probability
(1 - q) Phi((E - tau_c - d) / omega): tau_c is the power at which SF7 is heard half the time, d the step from SF7 to the
frame's data rate, omega the softness of that limit and q a loss whatever the power. So a frame that was heard at e and
one that was missed have the likelihoods

    (1 - q) phi((e - mu_c) / sigma_c) / sigma_c Phi((e - tau_c - d) / omega)
    1 - (1 - q) Phi((mu_c - tau_c - d) / sqrt(sigma_c^2 + omega^2))

Leaving the second one out would overrate every weak link, since only its strong frames are heard. Weak normal priors
keep what the data do not say within reason; a parameter whose standard error is close to that of its prior is named as
not identified.

Shape letters: `C` channels, `K` cells (a channel and a step d), `E` distinct powers.

Source: ours; censored normal regression (Tobit), Tobin, Econometrica 26 (1958), with a soft limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_ndtr, ndtr

MEAN_PRIOR_DB = 6.0
"""Of a channel's mean power around that of the link. dB"""

LIMIT_PRIOR_DB = 3.0
"""Of a channel's limit around the noise of the gateway and the demodulator's floor. dB"""

_LOG_SPREAD_PRIOR = (np.log(2.0), 0.7)
_LOG_SOFTNESS_PRIOR = (np.log(1.2), 0.5)
_LOGIT_LOSS_PRIOR = (-4.0, 1.5)
_LOG_2_PI = float(np.log(2 * np.pi))

_IDENTIFIED = 0.8
"""Standard error, as a share of the prior's, from which a parameter is not identified."""


Objective = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


@dataclass(frozen=True)
class LinkData:
    """What a gateway heard and missed of a device.

    Attributes:
        power_dbm: Distinct powers of frames heard. `[E]` dBm
        heard: Frames heard at each, and `power_cell` their cell. `[E]`
        missed: Frames missed in each cell; need not be whole, where the channel of a lost frame is uncertain. `[K]`
        cell_channel: Channel of each cell. `[K]`
        cell_step_db: Step of the cell's data rate from the limit of SF7. `[K]` dB
    """

    power_dbm: NDArray[np.float64]
    power_cell: NDArray[np.int64]
    heard: NDArray[np.float64]
    missed: NDArray[np.float64]
    cell_channel: NDArray[np.int64]
    cell_step_db: NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """A fitted link.

    Attributes:
        mean_dbm: Mean received power. `[C]` dBm
        limit_dbm: Power at which SF7 is heard half the time. `[C]` dBm
        spread_db: Standard deviation of received power. `[C]` dB
        softness_db: Standard deviation of the limit. dB
        loss: Share of frames that are missed whatever their power.
        covariance: Of means, limits, log spreads, log softness and logit loss, in this order. `[3 C + 2, 3 C + 2]`
    """

    mean_dbm: NDArray[np.float64]
    limit_dbm: NDArray[np.float64]
    spread_db: NDArray[np.float64]
    softness_db: float
    loss: float
    covariance: NDArray[np.float64]

    @property
    def total_spread_db(self) -> NDArray[np.float64]:
        """Standard deviation of received power less limit. `[C]` dB"""
        return np.asarray(np.hypot(self.spread_db, self.softness_db))

    def prr(self, channel: NDArray[np.int64], step_db: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of frames that the gateway hears, by channel and step of the data rate. [...]"""
        margin_db = self.mean_dbm[channel] - self.limit_dbm[channel] - step_db
        return np.asarray((1.0 - self.loss) * ndtr(margin_db / self.total_spread_db[channel]))

    def standard_errors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Those of means and limits. `[C]`, `[C]` dB"""
        errors = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        channels = len(self.mean_dbm)
        return errors[:channels], errors[channels : 2 * channels]

    def identified_limits(self) -> NDArray[np.bool_]:
        """Whether the data say more of each limit than the prior did. `[C]`"""
        return self.standard_errors()[1] < _IDENTIFIED * LIMIT_PRIOR_DB

    def prr_error(self, channel: int, step_db: float) -> float:
        """Standard error of `prr` from the parameters' covariance, by its slope."""
        channels = len(self.mean_dbm)
        total_db = float(self.total_spread_db[channel])
        x = float((self.mean_dbm[channel] - self.limit_dbm[channel] - step_db) / total_db)
        density = (1.0 - self.loss) * math.exp(-0.5 * (x * x + _LOG_2_PI))
        slope = np.zeros(3 * channels + 2)
        slope[channel], slope[channels + channel] = density / total_db, -density / total_db
        slope[2 * channels + channel] = -density * x * (self.spread_db[channel] / total_db) ** 2
        slope[-2] = -density * x * (self.softness_db / total_db) ** 2
        slope[-1] = -self.loss * (1.0 - self.loss) * float(ndtr(x))
        return math.sqrt(max(float(slope @ self.covariance @ slope), 0.0))

    def log_likelihood(self, data: LinkData) -> float:
        """Of frames heard, with their powers, and missed. nats"""
        value, _ = _log_likelihood(_packed(self), data)
        return value


def fit_link(data: LinkData, prior_limit_dbm: float, blocks: Sequence[LinkData] = ()) -> Link:
    """The link with the largest posterior density, and its covariance there.

    Args:
        data: With at least one frame heard.
        prior_limit_dbm: Middle of the prior of limits: noise of the gateway and floor of SF7. dBm
        blocks: The same data in parts by time. Frames near in time share the link's slow changes, so the covariance
            is taken from how much the parts differ (a sandwich estimator with clusters) and not from the number of
            frames; without parts, frames count as independent.
    """
    channels = int(data.cell_channel.max()) + 1
    mean_dbm = np.average(data.power_dbm, weights=data.heard)

    def objective(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = _log_likelihood(theta, data)
        prior, prior_slope = _log_prior(theta, prior_limit_dbm)
        return -(value + prior), -(slope + prior_slope)

    start = np.concatenate(
        (np.full(channels, mean_dbm), np.full(channels, prior_limit_dbm), np.full(channels, _LOG_SPREAD_PRIOR[0]),
         [_LOG_SOFTNESS_PRIOR[0], _LOGIT_LOSS_PRIOR[0]])
    )  # fmt: skip
    result = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    theta = result.x
    covariance = _inverse_curvature(objective, theta)
    if len(blocks) > 1:
        slopes = np.array([_log_likelihood(theta, block)[1] for block in blocks])
        slopes -= slopes.mean(axis=0)
        scatter = slopes.T @ slopes * len(blocks) / (len(blocks) - 1)
        prior = np.diag(1.0 / _prior(theta, prior_limit_dbm)[1] ** 2)
        covariance = covariance @ (scatter + prior) @ covariance
    return Link(
        mean_dbm=theta[:channels],
        limit_dbm=theta[channels : 2 * channels],
        spread_db=np.exp(theta[2 * channels : -2]),
        softness_db=float(np.exp(theta[-2])),
        loss=float(expit(theta[-1])),
        covariance=covariance,
    )


def _packed(link: Link) -> NDArray[np.float64]:
    loss = min(max(link.loss, 1e-12), 1 - 1e-12)
    rest = [np.log(link.softness_db), np.log(loss / (1.0 - loss))]
    return np.concatenate((link.mean_dbm, link.limit_dbm, np.log(link.spread_db), rest))


def _log_likelihood(theta: NDArray[np.float64], data: LinkData) -> tuple[float, NDArray[np.float64]]:
    """Value and slope."""
    channels = (len(theta) - 2) // 3
    means, limits, spreads = (slice(part * channels, (part + 1) * channels) for part in range(3))
    mean_dbm, limit_dbm, spread_db = theta[means], theta[limits], np.exp(theta[spreads])
    softness_db, loss = np.exp(theta[-2]), expit(theta[-1])
    slope = np.zeros_like(theta)
    channel = data.cell_channel[data.power_cell]
    z = (data.power_dbm - mean_dbm[channel]) / spread_db[channel]
    h = (data.power_dbm - limit_dbm[channel] - data.cell_step_db[data.power_cell]) / softness_db
    log_heard = log_ndtr(h)
    mills = np.exp(-0.5 * (h * h + _LOG_2_PI) - log_heard)
    weight, total = data.heard, float(data.heard.sum())
    value = total * (np.log1p(-loss) - 0.5 * _LOG_2_PI)
    value += weight @ (log_heard - 0.5 * z * z - theta[spreads][channel])
    slope[means] += np.bincount(channel, weight * z, minlength=channels) / spread_db
    slope[spreads] += np.bincount(channel, weight * (z * z - 1.0), minlength=channels)
    slope[limits] -= np.bincount(channel, weight * mills, minlength=channels) / softness_db
    slope[-2] -= weight @ (mills * h)
    slope[-1] -= total * loss
    # Frames missed, by cell.
    spread_db = spread_db[data.cell_channel]
    total_db = np.hypot(spread_db, softness_db)
    x = (mean_dbm[data.cell_channel] - limit_dbm[data.cell_channel] - data.cell_step_db) / total_db
    chance = ndtr(x)
    missed = np.maximum(1.0 - (1.0 - loss) * chance, 1e-300)
    value += data.missed @ np.log(missed)
    by_x = -data.missed / missed * (1.0 - loss) * np.exp(-0.5 * (x * x + _LOG_2_PI))
    by_channel = np.bincount(data.cell_channel, by_x / total_db, minlength=channels)
    slope[means] += by_channel
    slope[limits] -= by_channel
    slope[spreads] -= np.bincount(data.cell_channel, by_x * x * (spread_db / total_db) ** 2, minlength=channels)
    slope[-2] -= by_x @ (x * (softness_db / total_db) ** 2)
    slope[-1] += loss * (1.0 - loss) * ((data.missed / missed) @ chance)
    return float(value), slope


def _prior(theta: NDArray[np.float64], prior_limit_dbm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles and standard deviations. The middle of means is their own mean, which so has no prior."""
    channels = (len(theta) - 2) // 3
    middle, width = np.empty_like(theta), np.empty_like(theta)
    middle[:channels], width[:channels] = theta[:channels].mean(), MEAN_PRIOR_DB
    middle[channels : 2 * channels], width[channels : 2 * channels] = prior_limit_dbm, LIMIT_PRIOR_DB
    middle[2 * channels : -2], width[2 * channels : -2] = _LOG_SPREAD_PRIOR
    (middle[-2], width[-2]), (middle[-1], width[-1]) = _LOG_SOFTNESS_PRIOR, _LOGIT_LOSS_PRIOR
    return middle, width


def _log_prior(theta: NDArray[np.float64], prior_limit_dbm: float) -> tuple[float, NDArray[np.float64]]:
    """Value and slope; deviations of means from their mean sum to zero, so its own slope is nought."""
    middle, width = _prior(theta, prior_limit_dbm)
    away = (theta - middle) / width
    return float(-0.5 * (away @ away)), -away / width


def _inverse_curvature(objective: Objective, theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance: the inverse of the matrix of second derivatives, from differences of slopes."""
    step = 1e-4
    rows = []
    for place in range(len(theta)):
        moved = np.zeros_like(theta)
        moved[place] = step
        rows.append((objective(theta + moved)[1] - objective(theta - moved)[1]) / (2 * step))
    curvature = np.array(rows)
    return np.asarray(np.linalg.pinv((curvature + curvature.T) / 2, hermitian=True), np.float64)
