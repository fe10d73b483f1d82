"""The channel state of a network, as its server can estimate it: how much the channel varies, how busy nodes are.

Every window of 100 packets received gives estimates, which are smoothed, z <- 0.3 z + 0.7 z_new, and cut into bins:
state = (min(3, floor(sigma / 5 dB)), min(1, floor(lambda / 0.0035 per s))).

**Channel.** Received powers are x = mu + sigma z, z standard normal, of which a gateway reports only those above the
sensitivity of their spreading factor: a truncated normal sample. With residuals e = x - (power + expected gain),
mu = a + b l, l = 10 log10(d / 1 km) (a change of path-loss exponent is a change of b), and h the hazard
phi(alpha) / (1 - Phi(alpha)) at alpha = (limit - mu) / sigma, the likelihood's equations

    sum (z - h) = 0,    sum (z - h) l = 0,    sum z^2 = sum (1 + alpha h)

are solved by steps e <- e - sigma h, a line through e, sigma^2 = sum (e - mu)^2 / sum (1 + alpha h), which start where
the window before ended.

**Traffic.** A gap between two frames received of a node covers all frames lost between them, by the frame counter (a
retry of a frame received before is no gap, and a sample of the channel all the same):
1 / lambda = (sum of gaps) / (packets in them) - mean off time and airtime that the duty cycle imposes.

| paper | name |
|---|---|
| omega, the random state | state |
| sigma, lambda, gamma | standard deviation, rate, exponent (b = 10 log10 slope) |

Source: NoReL, section on channel and traffic estimation; Tobin 1958 and Amemiya 1973 for truncated samples.
Differences: the authors' code estimates from all packets, lost ones too, at the last gateway, by least squares. No
server hears lost packets, and by those received alone shadowing would look smaller than it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.allowed import Allowed, Columns, Count, Number
from lora_marl.core.topology import distances_m

if TYPE_CHECKING:
    from lora_marl.core.outcome import Heard
    from lora_marl.core.scenario import Scenario

WINDOW = 100
SMOOTHING = 0.7
SIGMA_BIN_DB, SIGMA_BINS = 5.0, 4
RATE_BIN_PER_S, RATE_BINS = 0.0035, 2
STATES = SIGMA_BINS * RATE_BINS
WINDOWS_KEPT = 64
"""Windows remembered, for decisions that fell due before the last one ended."""
_STEPS = 4
_LEAST_SIGMA_DB, _LARGEST_SIGMA_DB = 0.1, 30.0
_LARGEST_ENTRY = 1e10
"""Of a window in a state that is read: squares and sums of such entries stay finite."""
EXCESS, LENGTH, LIMIT, GAP, PACKETS, OFF = range(6)
"""Columns of a window: e, l and the limit on x in dB, gap in s, packets in it, airtime and off time of each in s."""
SIGMA, RATE, OFFSET, SLOPE = range(4)
"""Columns of estimates."""


class ChannelState:
    """Estimates and channel states of the networks of `B` replicas.

    Args:
        scenario: Before its changes; the estimates start from it.
        replicas: B.

    Attributes:
        estimates: Smoothed sigma in dB, lambda in 1/s, a in dB and b in dB per unit of l `[B, 4]`.
        counted: Number of windows by state `[B, STATES]`.
    """

    def __init__(self, scenario: Scenario, replicas: int) -> None:
        nodes, gateways, region = scenario.nodes, scenario.gateways, scenario.region
        shape = (replicas, nodes, gateways)
        self._gain_db = np.ascontiguousarray(np.broadcast_to(scenario.mean_gain_db(), shape))
        distance_m = np.broadcast_to(distances_m(scenario.node_xy_m, scenario.gateway_xy_m), shape)
        self._length = 10.0 * np.log10(np.maximum(distance_m, 0.1) / 1000.0)
        self._sensitivity_dbm = scenario.reception.sensitivities_dbm(
            np.array(region.spreading_factors), np.array(region.bandwidths_hz)
        )
        duty = scenario.duty_cycle
        self._off_s = scenario.airtime_s() / (1.0 if duty is None else duty)
        self._tp_dbm = np.array(region.tp_dbm)
        rate = float(np.mean(1.0 / np.asarray(scenario.traffic.interval_s, np.float64)))
        self.estimates: NDArray[np.float64] = np.tile(
            [scenario.propagation.shadowing_db, rate, 0.0, 0.0], (replicas, 1)
        )
        self.counted = np.zeros((replicas, STATES), np.int64)
        self._open = np.zeros((replicas, WINDOW, OFF + 1))
        self._filled = np.zeros(replicas, np.int64)
        self._ended_s = np.full((replicas, WINDOWS_KEPT), -np.inf)
        self._states = np.tile(state_of(self.estimates[:, SIGMA], self.estimates[:, RATE])[:, None], (1, WINDOWS_KEPT))
        self._sigma_db = np.tile(self.estimates[:, SIGMA, None], (1, WINDOWS_KEPT))
        self._heard_s = np.full(replicas, -np.inf)
        self._counted_before = self.counted.copy()

    def hear(self, heard: Heard) -> None:
        """Takes in packets received, in order of time within each replica."""
        _hear(
            heard.records, self._gain_db, self._length, self._sensitivity_dbm, self._off_s, self._tp_dbm,
            self.estimates, self.counted, self._open, self._filled, self._ended_s, self._states, self._sigma_db,
            self._heard_s,
        )  # fmt: skip

    def at(self, replica: NDArray[np.integer], time_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """The states in force at some times `[M]`, from the windows that had ended by then: `[M]`."""
        return self._states[replica, _places(replica, time_s, self._ended_s, self.counted)]

    def sigma_at_db(self, replica: NDArray[np.integer], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The estimates of sigma in force at some times `[M]`: `[M]`. dB"""
        return self._sigma_db[replica, _places(replica, time_s, self._ended_s, self.counted)]

    def take_windows(self, true_state: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Windows since the last call, and those of them in the true state of each replica, `[B]` and `[B]`."""
        since = self.counted - self._counted_before
        self._counted_before[...] = self.counted
        return since.sum(axis=1), np.take_along_axis(since, np.asarray(true_state)[:, None], axis=1)[:, 0]

    def state_arrays(self) -> dict[str, NDArray]:
        """Estimates, counts, the open window, and the states of the last windows; the names are those of snapshots."""
        return {
            "state_estimates": self.estimates,
            "state_counted": self.counted,
            "state_open": self._open,
            "state_filled": self._filled,
            "state_ended_s": self._ended_s,
            "states": self._states,
            "state_sigma_db": self._sigma_db,
            "state_told": self._counted_before,
            "state_heard_s": self._heard_s,
        }

    def state_limits(self) -> dict[str, Allowed]:
        """The place in the open window and the states are indices, which follow from estimates and the open window.

        See `Learner.state_limits`.
        """
        return {
            "state_filled": Count(WINDOW - 1),
            "states": Count(STATES - 1),
            "state_counted": Count(),
            "state_estimates": Columns((Number(least=0.0), Number(least=0.0), Number(), Number())),
            "state_open": Number(-_LARGEST_ENTRY, _LARGEST_ENTRY),
        }


@njit(cache=True, inline="always")
def binned(sigma_db: float, rate_per_s: float) -> int:
    """The state of a standard deviation in dB and a rate in 1/s."""
    sigma_bin = min(int(sigma_db / SIGMA_BIN_DB), SIGMA_BINS - 1)
    return sigma_bin * RATE_BINS + min(int(rate_per_s / RATE_BIN_PER_S), RATE_BINS - 1)


def state_of(sigma_db: ArrayLike, rate_per_s: ArrayLike) -> NDArray[np.int64]:
    """States of standard deviations in dB and rates in 1/s `[...]`; rate bins vary fastest."""
    return np.vectorize(binned, otypes=[np.int64])(sigma_db, rate_per_s)


def true_state(scenario: Scenario) -> int:
    """The state that a network is in, by its scenario and not by what was heard."""
    rate_per_s = np.mean(1.0 / np.asarray(scenario.traffic.interval_s, np.float64))
    return int(state_of(scenario.propagation.shadowing_db, rate_per_s))


@njit(cache=True)
def _hazard(alpha: float) -> float:
    """Hazard of the standard normal distribution, phi / (1 - Phi); for large alpha by its asymptote."""
    if alpha > 8.0:
        return alpha + 1.0 / alpha
    return math.exp(-0.5 * alpha * alpha) * 0.7978845608028654 / math.erfc(alpha * 0.7071067811865476)


@njit(cache=True)
def _truncated_step(rows: NDArray[np.float64], sigma: float, a: float, b: float) -> tuple[float, float, float]:
    """One step towards the solution of the likelihood's equations, from sigma, a, b to better ones."""
    count = len(rows)
    sum_l, sum_ll, sum_e, sum_le = 0.0, 0.0, 0.0, 0.0
    squares, weight = 0.0, 0.0
    for i in range(count):
        mean = a + b * rows[i, LENGTH]
        alpha = (rows[i, LIMIT] - mean) / sigma
        hazard = _hazard(alpha)
        completed = rows[i, EXCESS] - sigma * hazard
        sum_l += rows[i, LENGTH]
        sum_ll += rows[i, LENGTH] ** 2
        sum_e += completed
        sum_le += completed * rows[i, LENGTH]
        squares += (rows[i, EXCESS] - mean) ** 2
        weight += 1.0 + alpha * hazard
    spread = sum_ll - sum_l * sum_l / count
    b_new = (sum_le - sum_l * sum_e / count) / spread if spread > 1e-9 else 0.0
    a_new = (sum_e - b_new * sum_l) / count
    sigma_new = math.sqrt(squares / max(weight, 1e-9))
    return min(max(sigma_new, _LEAST_SIGMA_DB), _LARGEST_SIGMA_DB), a_new, b_new


@njit(cache=True)
def _end_window(rows: NDArray[np.float64], estimates: NDArray[np.float64]) -> None:
    """Smooth a window's estimates into the running ones."""
    sigma, a, b = estimates[SIGMA], estimates[OFFSET], estimates[SLOPE]
    for _ in range(_STEPS):
        sigma, a, b = _truncated_step(rows, sigma, a, b)
    gaps_s, packets = 0.0, 0.0
    for i in range(len(rows)):
        gaps_s += rows[i, GAP] - rows[i, OFF] * rows[i, PACKETS]
        packets += rows[i, PACKETS]
    rate = packets / max(gaps_s, 1e-9) if packets > 0.0 else estimates[RATE]
    for place, value in ((SIGMA, sigma), (RATE, rate), (OFFSET, a), (SLOPE, b)):
        estimates[place] += SMOOTHING * (value - estimates[place])


@njit(cache=True)
def _hear(  # type: ignore[no-untyped-def]
    records, gain_db, length, sensitivity_dbm, off_s, tp_dbm, estimates, counted, open_, filled, ended_s, states,
    sigma_db, heard_s,
):  # fmt: skip
    """Fill the open windows with records of packets received, and end those that are full."""
    for record in records:
        b, n, g, point = record.replica, record.node, record.gateway, record.point
        if record.time_s < heard_s[b]:
            ended_s[b, :] = -np.inf  # the clock has begun anew
        heard_s[b] = record.time_s
        row = open_[b, filled[b]]
        expected_dbm = tp_dbm[point[3]] + gain_db[b, n, g]
        row[EXCESS] = record.rssi_dbm - expected_dbm
        row[LENGTH] = length[b, n, g]
        row[LIMIT] = sensitivity_dbm[point[0], point[1]] - expected_dbm
        has_gap = record.missed >= 0
        row[GAP] = record.since_s if has_gap else 0.0
        row[PACKETS] = record.missed + 1.0 if has_gap else 0.0
        row[OFF] = off_s[point[0], point[1]]
        filled[b] += 1
        if filled[b] < WINDOW:
            continue
        filled[b] = 0
        _end_window(open_[b], estimates[b])
        state = binned(estimates[b, SIGMA], estimates[b, RATE])
        place = counted[b].sum() % WINDOWS_KEPT
        ended_s[b, place] = record.time_s
        states[b, place] = state
        sigma_db[b, place] = estimates[b, SIGMA]
        counted[b, state] += 1


@njit(cache=True)
def _places(replica, time_s, ended_s, counted):  # type: ignore[no-untyped-def]
    """Place of the last window that had ended by some times `[M]`; if none had, the oldest place, or the start's."""
    places = np.empty(len(replica), np.int64)
    for m in range(len(replica)):
        b = replica[m]
        ended = counted[b].sum()
        places[m] = ended % WINDOWS_KEPT
        for back in range(1, min(ended, WINDOWS_KEPT) + 1):
            place = (ended - back) % WINDOWS_KEPT
            if ended_s[b, place] <= time_s[m]:
                places[m] = place
                break
    return places
