"""The joint log-normal model: the target's own shadowing is common to all its interferers. Exact for one gateway:

    D_i = integral over r >= S_i of phi_sigma(r - P_i) prod over j of [1 - E_ij Phi((threshold + P_j - r) / sigma)] dr

and for two, whether an interferer is active is common to both: D_i = D_i1 + D_i2 - D_i12, with

    D_i12 = double integral over r1 >= S_i, r2 >= S_i of phi phi prod over j of [1 - E_ij (1 - (1 - F_j1) (1 - F_j2))]

and F_jg = Phi((threshold + P_jg - r_g) / sigma).

Source: ours; the model of NoReL (`reference`) takes the pairs of a target for independent.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.integrals import (
    MOST_POINTS,
    SQRT_2_PI,
    chebyshev_points,
    fine_table,
    normal_cdf,
    read,
    survival_at,
)
from lora_marl.core.expect.lognormal.reference import Network

ORDER, ORDER_OF_TWO = 32, 24
"""Points of the quadrature over one gateway's power, and over each of two."""
_REACH = 7.0
"""Standard deviations about the mean power within which is integrated."""

MOST_GATEWAYS = 2

Vector = NDArray[np.float64]


def audible(net: Network) -> NDArray[np.intp]:
    """The gateways that some node may reach `[A]`."""
    return np.flatnonzero((net.mean_dbm + _REACH * net.sigma_db > net.sensitivity_dbm[:, None]).any(axis=0))


def delivery(net: Network, gateways: NDArray[np.intp]) -> Vector:
    """D of every node from at most two gateways `[N]`; sigma above 0."""
    if len(gateways) == 0:
        return np.zeros(len(net.sf))
    if len(gateways) == 1:
        return one_gateway(net, int(gateways[0]))
    return two_gateways(net._replace(mean_dbm=np.ascontiguousarray(net.mean_dbm[:, gateways])))


def one_gateway(net: Network, g: int = 0) -> Vector:
    """D of every node at gateway `g` `[N]`; sigma above 0."""
    probability = np.zeros(len(net.sf))
    loud_dbm = net.threshold_db[:, net.sf] + net.mean_dbm[:, g]
    for rows in target_classes(net):
        first = rows[0]
        overlap = class_overlap(net, first)
        interferers = np.flatnonzero(overlap)
        target = overlap[rows], loud_dbm[net.sf[first], rows]
        low = float(net.sensitivity_dbm[first])
        high = max(float(net.mean_dbm[rows, g].max()) + _REACH * net.sigma_db, low + net.sigma_db)
        grid_dbm = chebyshev_points(low, high, net.sigma_db)
        if len(grid_dbm) > MOST_POINTS:
            others = overlap[interferers], loud_dbm[net.sf[first], interferers]
            probability[rows] = _summed(net.mean_dbm[rows, g], low, net.sigma_db, *others, *target, *_RULE)
            continue
        values = survival_at(grid_dbm, overlap[interferers], loud_dbm[net.sf[first], interferers], net.sigma_db)
        table, step = fine_table(low, high, values, net.sigma_db)
        probability[rows] = _integrals(net.mean_dbm[rows, g], low, net.sigma_db, table, step, *target, *_RULE)
    return probability


def target_classes(net: Network) -> list[NDArray[np.intp]]:
    """Nodes by class `[...]`: others do the same to all that have one spreading factor, critical window and channel."""
    window_s = net.airtime_s - net.spared_s
    keys = np.stack([net.sf, net.channel, window_s, net.sensitivity_dbm], axis=1)
    _, number = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(number, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1)


def class_overlap(net: Network, i: int) -> Vector:
    """E of packets of all nodes, itself included, with one of node `i`'s class `[N]`."""
    window_s = net.airtime_s + net.airtime_s[i] - net.spared_s[i]
    return -np.expm1(-window_s * net.rate_per_s) * net.meets[net.channel[i], net.channel]


def _rule(order: int) -> tuple[Vector, Vector]:
    """Points and weights of the Gauss-Legendre quadrature."""
    points, weights = np.polynomial.legendre.leggauss(order)
    return points, weights


_RULE, _RULE_OF_TWO = _rule(ORDER), _rule(ORDER_OF_TWO)


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def _integrals(mean_dbm, low, sigma, table, step, target_overlap, target_loud, points, weights):  # type: ignore[no-untyped-def]
    """D of the targets of one class, each without its own term, from a table of what all interferers do."""
    probability = np.zeros(len(mean_dbm))
    for i in range(len(mean_dbm)):
        begin = max(low, mean_dbm[i] - _REACH * sigma)
        end = mean_dbm[i] + _REACH * sigma
        if end <= begin:
            continue
        half = 0.5 * (end - begin)
        total = 0.0
        for q in range(len(points)):
            r = begin + half * (1.0 + points[q])
            z = (r - mean_dbm[i]) / sigma
            self_factor = 1.0 - target_overlap[i] * normal_cdf((target_loud[i] - r) / sigma)
            total += weights[q] * math.exp(read(table, low, step, r) - 0.5 * z * z) / self_factor
        probability[i] = total * half / (sigma * SQRT_2_PI)
    return probability


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def _summed(mean_dbm, low, sigma, overlap, loud, target_overlap, target_loud, points, weights):  # type: ignore[no-untyped-def]
    """D of the targets of one class, with the interferers summed at every power of every target."""
    probability = np.zeros(len(mean_dbm))
    for i in range(len(mean_dbm)):
        begin, end = max(low, mean_dbm[i] - _REACH * sigma), mean_dbm[i] + _REACH * sigma
        if end <= begin:
            continue
        half = 0.5 * (end - begin)
        r = begin + half * (1.0 + points)
        survived = survival_at(r, overlap, loud, sigma)
        for q in range(len(points)):
            z = (r[q] - mean_dbm[i]) / sigma
            self_factor = 1.0 - target_overlap[i] * normal_cdf((target_loud[i] - r[q]) / sigma)
            probability[i] += weights[q] * math.exp(survived[q] - 0.5 * z * z) / self_factor
        probability[i] *= half / (sigma * SQRT_2_PI)
    return probability


def two_gateways(net: Network) -> Vector:
    """D of every node that two gateways may hear `[N]`; sigma above 0."""
    both = _both(
        net.mean_dbm, net.sensitivity_dbm, net.sf, net.channel, net.airtime_s, net.spared_s, net.rate_per_s,
        net.threshold_db, net.meets, net.sigma_db, *_RULE_OF_TWO,
    )  # fmt: skip
    return one_gateway(net, 0) + one_gateway(net, 1) - both


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def _both(  # type: ignore[no-untyped-def]
    mean_dbm, sensitivity_dbm, sf, channel, airtime_s, spared_s, rate_per_s, threshold_db, meets, sigma, points, weights
):  # fmt: skip
    """Probability that both gateways receive a packet of each node `[N]`."""
    nodes, order = len(sf), len(points)
    probability = np.zeros(nodes)
    r, w = np.empty((2, order)), np.empty((2, order))
    survives = np.empty((2, order))
    product = np.empty((order, order))
    for i in range(nodes):
        reachable = True
        for g in range(2):
            begin = max(sensitivity_dbm[i], mean_dbm[i, g] - _REACH * sigma)
            half = 0.5 * (mean_dbm[i, g] + _REACH * sigma - begin)
            reachable = reachable and half > 0.0
            for q in range(order):
                r[g, q] = begin + half * (1.0 + points[q])
                z = (r[g, q] - mean_dbm[i, g]) / sigma
                w[g, q] = weights[q] * half * math.exp(-0.5 * z * z) / (sigma * SQRT_2_PI)
        if not reachable:
            continue
        product[:] = 1.0
        window_s = airtime_s[i] - spared_s[i]
        for j in range(nodes):
            if j == i or not meets[channel[i], channel[j]]:
                continue
            e = -math.expm1(-(airtime_s[j] + window_s) * rate_per_s[j])
            for g in range(2):
                loud = threshold_db[sf[i], sf[j]] + mean_dbm[j, g]
                for q in range(order):
                    survives[g, q] = normal_cdf((r[g, q] - loud) / sigma)
            for p in range(order):
                for q in range(order):
                    product[p, q] *= 1.0 - e + e * survives[0, p] * survives[1, q]
        for p in range(order):
            for q in range(order):
                probability[i] += w[0, p] * w[1, q] * product[p, q]
    return probability
