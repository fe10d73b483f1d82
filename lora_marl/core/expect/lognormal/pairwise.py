"""The pairwise log-normal model of `reference`, compiled: one pass over all pairs of nodes, whatever the gateways."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.integrals import MOST_POINTS, chebyshev_points, fine_table, normal_cdf, read, survival_at
from lora_marl.core.expect.lognormal.joint import class_overlap, target_classes
from lora_marl.core.expect.lognormal.reference import MOST_GATEWAYS, Network, reach_of

Vector = NDArray[np.float64]


def delivery(net: Network) -> Vector:
    """D of every node `[N]`; sigma above 0.

    Raises:
        ValueError: a node in reach of more gateways than `MOST_GATEWAYS`.
    """
    reach = reach_of(net)
    if net.mean_dbm.shape[1] == 1:
        return _one_gateway(net) * reach.heard
    return _over_pairs(net, reach)


def _one_gateway(net: Network) -> Vector:
    """Share of every node's packets that survive at the only gateway, a smooth function of their mean power `[N]`."""
    survival = np.zeros(len(net.sf))
    spread_db = net.sigma_db * math.sqrt(2.0)
    mean_dbm = net.mean_dbm[:, 0]
    loud_dbm = net.threshold_db[:, net.sf] + mean_dbm
    for rows in target_classes(net):
        sf, overlaps = net.sf[rows[0]], class_overlap(net, rows[0])
        interferers = np.flatnonzero(overlaps)
        others = overlaps[interferers], loud_dbm[sf, interferers]
        low, high = float(mean_dbm[rows].min()), float(mean_dbm[rows].max()) + spread_db
        grid_dbm = chebyshev_points(low, high, spread_db)
        if len(grid_dbm) >= min(len(rows), MOST_POINTS):
            log_survival = survival_at(mean_dbm[rows], *others, spread_db)
        else:
            values = survival_at(grid_dbm, *others, spread_db)
            log_survival = _read_all(*fine_table(low, high, values, spread_db), low, mean_dbm[rows])
        self_factor = _self_factor(overlaps[rows], loud_dbm[sf, rows], mean_dbm[rows], spread_db)
        survival[rows] = np.exp(log_survival) / self_factor
    return survival


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def _read_all(table, step, low, mean_dbm):  # type: ignore[no-untyped-def]
    """F at the mean powers of the targets of a class."""
    log_survival = np.empty(len(mean_dbm))
    for i in range(len(mean_dbm)):
        log_survival[i] = read(table, low, step, mean_dbm[i])
    return log_survival


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def _self_factor(overlap, loud_dbm, mean_dbm, spread_db):  # type: ignore[no-untyped-def]
    """The factor of each target as its own interferer, to be divided out."""
    factor = np.empty(len(overlap))
    for i in range(len(overlap)):
        factor[i] = 1.0 - overlap[i] * normal_cdf((loud_dbm[i] - mean_dbm[i]) / spread_db)
    return factor


@njit(nogil=True, inline="always")
def overlap(net, i, by, j):  # type: ignore[no-untyped-def]
    """E of packets of node `j` of a network with one of node `i` of another; 0 between channels."""
    if not net.meets[net.channel[i], by.channel[j]]:
        return 0.0
    return -math.expm1(-(by.airtime_s[j] + net.airtime_s[i] - net.spared_s[i]) * by.rate_per_s[j])


@njit(nogil=True)  # no disk cache: see above
def write_shares(e, net, reach, i, by, j, scale, shares):  # type: ignore[no-untyped-def]
    """Write the shares of packets of node `i` of `net` that survive node `j` of `by`, overlapping with probability e.

    One share 1 - q E for each set of gateways that may hear `i`, at all of which it survives, as bit masks from 1 on
    `[2^K]`.
    """
    needed_db = net.threshold_db[net.sf[i], by.sf[j]]
    shares[0] = 1.0
    for m in range(reach.counts[i]):
        g = reach.gateways[i, m]
        spared = 1.0 - normal_cdf((needed_db + by.mean_dbm[j, g] - net.mean_dbm[i, g]) * scale)
        for k in range(1 << m):
            shares[k | 1 << m] = shares[k] * spared
    for k in range(1 << reach.counts[i]):
        shares[k] = 1.0 - e * (1.0 - shares[k])


@njit(nogil=True)  # no disk cache: see above
def received(shares, reach, i):  # type: ignore[no-untyped-def]
    """D of node `i`: heard by a gateway at which the packet survives, from the shares by set of gateways `[2^K]`."""
    probability = 0.0
    for k in range(1, 1 << reach.counts[i]):
        term = -shares[k]
        for m in range(reach.counts[i]):
            if k >> m & 1:
                term *= -reach.hears[i, m]
        probability += term
    return probability


@njit(nogil=True)  # no disk cache: see above
def _over_pairs(net, reach):  # type: ignore[no-untyped-def]
    """D of every node `[N]`, by a pass over all pairs."""
    nodes, scale = len(net.sf), 1.0 / (net.sigma_db * math.sqrt(2.0))
    probability = np.empty(nodes)
    product, shares = np.empty(1 << MOST_GATEWAYS), np.empty(1 << MOST_GATEWAYS)
    for i in range(nodes):
        product[:] = 1.0
        for j in range(nodes):
            e = overlap(net, i, net, j) if j != i else 0.0
            if e != 0.0:
                write_shares(e, net, reach, i, net, j, scale, shares)
                for k in range(1, 1 << reach.counts[i]):
                    product[k] *= shares[k]
        probability[i] = received(product, reach, i)
    return probability
