"""Channel and traffic as NoReL's authors' code estimates them: from every packet, lost ones too, at the last gateway.

With y = p - r the path loss of an uplink at distance d and x = 10 log10(d / 1 km), over windows of L = 100 uplinks:

    (PL0, gamma)_new = least squares of y on (1, x)
    sigma_new = standard deviation of y - gamma x         (gamma as estimated *before* the window)
    lambda_new = L / (t - t_before) / N
    z <- 0.3 z + 0.7 z_new                                for all four; first values are the true ones

Source: NoReL, section on channel and traffic estimation, as its authors' code has it (the paper: windows of 80).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel.compiled import kernel
from lora_marl.core.scenario import Scenario
from lora_marl.core.topology import distances_m

PL0, GAMMA, SIGMA, RATE, SINCE = range(5)
WINDOW, OLD = 100, 0.3
_NEAREST_M = 0.1


class Estimate(NamedTuple):
    """The running estimates."""

    now: NDArray[np.float64]  # [5]: PL0 in dB, gamma, sigma in dB, lambda in 1/s, end of the last window in s
    x: NDArray[np.float64]  # [N], 10 log10 of the distance to the last gateway in km
    window: NDArray[np.float64]  # [2, WINDOW], x and y of the uplinks since
    filled: NDArray[np.int64]  # [1]


def estimate_of(scenario: Scenario) -> Estimate:
    """The estimates before the first packet: the truth."""
    air, rate_per_s = scenario.propagation, 1.0 / float(np.max(scenario.interval_s()))
    distance_m = distances_m(scenario.node_xy_m, scenario.gateway_xy_m)[:, -1]
    return Estimate(
        now=np.array([air.reference_loss_db, air.exponent, air.shadowing_db, rate_per_s, 0.0]),
        x=10.0 * np.log10(np.maximum(distance_m, _NEAREST_M) / 1000.0),
        window=np.zeros((2, WINDOW)),
        filled=np.zeros(1, np.int64),
    )


@kernel()
def note(estimate, n, loss_db, time_s):  # type: ignore[no-untyped-def]
    """Take in an uplink of node `n`."""
    place = estimate.filled[0]
    estimate.window[0, place] = estimate.x[n]
    estimate.window[1, place] = loss_db
    estimate.filled[0] = place + 1
    if place + 1 == WINDOW:
        _renew(estimate, time_s)
        estimate.filled[0] = 0


@kernel()
def _renew(estimate, time_s):  # type: ignore[no-untyped-def]
    now, x, y = estimate.now, estimate.window[0], estimate.window[1]
    x_mean, y_mean = x.mean(), y.mean()
    across, along, spread = 0.0, 0.0, 0.0
    for k in range(WINDOW):
        across += (x[k] - x_mean) * (y[k] - y_mean)
        along += (x[k] - x_mean) ** 2
        spread += (y[k] - y_mean - now[GAMMA] * (x[k] - x_mean)) ** 2
    gamma = across / along if along > 0.0 else now[GAMMA]
    rate_per_s = WINDOW / (time_s - now[SINCE]) / len(estimate.x)
    new = (y_mean - gamma * x_mean, gamma, math.sqrt(spread / WINDOW), rate_per_s)
    for k in range(4):
        now[k] = OLD * now[k] + (1.0 - OLD) * new[k]
    now[SINCE] = time_s
