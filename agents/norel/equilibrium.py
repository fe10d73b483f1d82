"""How far mixed strategies are from an equilibrium, by the closed form.

Each node n plays action k with probability pi_n(k), independently of the others. Its delivery with action k,

    u_n(k) = E over the others' actions of D_n(k, others),

is exact within the joint log-normal model: a packet survives all others independently, given its own received power r,
so the expectation of the product over interferers is the product of expectations,

    u_n(k) = integral over r >= S of phi_sigma(r - P_n(k)) prod over j of [1 - sum over l of pi_j(l) E Phi(...)] dr

The strategies are an epsilon-coarse correlated equilibrium for epsilon = max over n of

    epsilon_n = max over k of u_n(k) - sum over k of pi_n(k) u_n(k),

what a node that leaves its strategy for a single action gains.

Source: NoReL, Definition 1. Differences: the definition's joint distribution of all nodes' actions is taken as the
product of the nodes' strategies, which is how they play.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core import phy
from lora_marl.core.expect.integrals import SQRT_2_PI, chebyshev_points, fine_table, normal_cdf, read
from lora_marl.core.expect.lognormal import closed_form
from lora_marl.core.expect.physics import rates_per_s, thresholds_db
from lora_marl.core.scenario import Scenario

_ORDER, _REACH = 24, 7.0
"""Points of the quadrature, and standard deviations about the mean power within which is integrated."""
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(_ORDER)


def check_scenario(scenario: Scenario) -> None:
    """Raise ValueError for networks whose equilibria have no closed form here."""
    closed_form.check_scenario(scenario)
    if scenario.gateways != 1 or len(scenario.region.channels_hz) != 1 or scenario.propagation.shadowing_db <= 0:
        raise ValueError("scenario: equilibria are known for one gateway, one channel and shadowing above 0 dB")
    if np.ndim(scenario.traffic.payload_bytes):
        raise ValueError("traffic.payload_bytes: equilibria are known for one payload")


def deviations(scenario: Scenario, strategy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Delivery of each node with each action while all others play their strategies.

    Args:
        scenario: One gateway, one channel, one payload, one placement.
        strategy: Probabilities of the actions (SF by power). `[N, K]`

    Returns:
        u `[N, K]`, 0 to 1.

    Raises:
        ValueError: another network.
    """
    check_scenario(scenario)
    region, traffic = scenario.region, scenario.lone_traffic
    tp_dbm, sf = np.array(region.tp_dbm), np.array(region.spreading_factors)
    airtime_s, bw_hz = scenario.airtime_s()[:, 0], region.bandwidths_hz[0]
    rate_per_s = rates_per_s("renewal", traffic, scenario.interval_s()[:, None], airtime_s)  # [N, S]
    window_s = airtime_s - scenario.reception.spared_preamble_symbols * phy.symbol_time_s(sf, bw_hz)
    sensitivity_dbm = scenario.reception.sensitivities_dbm(sf, np.array([bw_hz]))[:, 0]
    needed_db = thresholds_db(scenario)
    gain_db, sigma = scenario.mean_gain_db()[:, 0], scenario.propagation.shadowing_db
    utility = np.empty(strategy.shape)
    for s in range(len(sf)):
        overlap = -np.expm1(-(airtime_s + window_s[s]) * rate_per_s)  # [N, S]
        mean_dbm = gain_db[:, None] + tp_dbm
        low = float(sensitivity_dbm[s])
        high = max(float(mean_dbm.max()) + _REACH * sigma, low + sigma)
        grid_dbm = chebyshev_points(low, high, sigma)
        hit = strategy.reshape(len(gain_db), len(sf), len(tp_dbm)) * overlap[..., None]
        loud_dbm = needed_db[s][:, None] + tp_dbm  # [S, T], on top of the gain
        table, step = fine_table(low, high, _survival_at(grid_dbm, hit, loud_dbm, gain_db, sigma), sigma)
        utility[:, s * len(tp_dbm) : (s + 1) * len(tp_dbm)] = _integrals(
            mean_dbm, low, sigma, table, step, hit, loud_dbm, gain_db, _POINTS, _WEIGHTS
        )
    return utility


def epsilons(scenario: Scenario, strategy: NDArray[np.float64], allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """epsilon_n of every node `[N]`, 0 to 1; only actions that are allowed `[N, K]` count as deviations."""
    utility = deviations(scenario, strategy)
    best = np.where(allowed, utility, -np.inf).max(axis=1)
    return best - (strategy * utility).sum(axis=1)


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def _harm(r, hit, loud_dbm, gain_db, sigma):  # type: ignore[no-untyped-def]
    """Probability that a node's packet, of whatever action, harms one received with power r."""
    total = 0.0
    for s in range(hit.shape[0]):
        for t in range(hit.shape[1]):
            if hit[s, t] > 0.0:
                total += hit[s, t] * normal_cdf((loud_dbm[s, t] + gain_db - r) / sigma)
    return total


@njit(nogil=True)  # no disk cache: see above
def _survival_at(grid_dbm, hit, loud_dbm, gain_db, sigma):  # type: ignore[no-untyped-def]
    """Logarithm of the share of packets of some powers that survive all nodes `[R]`."""
    log_survival = np.zeros(len(grid_dbm))
    for j in range(len(gain_db)):
        for r in range(len(grid_dbm)):
            log_survival[r] += math.log1p(-_harm(grid_dbm[r], hit[j], loud_dbm, gain_db[j], sigma))
    return log_survival


@njit(nogil=True)  # no disk cache: see above
def _integrals(  # type: ignore[no-untyped-def]
    mean_dbm, low, sigma, table, step, hit, loud_dbm, gain_db, points, weights
):  # fmt: skip
    """Delivery by node and power `[N, T]` at one spreading factor, each node without its own term."""
    utility = np.zeros(mean_dbm.shape)
    for i in range(mean_dbm.shape[0]):
        for t in range(mean_dbm.shape[1]):
            mean = mean_dbm[i, t]
            begin, end = max(low, mean - _REACH * sigma), mean + _REACH * sigma
            if end <= begin:
                continue
            half = 0.5 * (end - begin)
            for q in range(len(points)):
                r = begin + half * (1.0 + points[q])
                z = (r - mean) / sigma
                survives_itself = 1.0 - _harm(r, hit[i], loud_dbm, gain_db[i], sigma)
                weight = weights[q] * half / (sigma * SQRT_2_PI)
                utility[i, t] += weight * math.exp(read(table, low, step, r) - 0.5 * z * z) / survives_itself
    return utility
