"""The pairwise log-normal model of `lognormal_plain`, compiled: one pass over all pairs of nodes for any gateways."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.covers import MOST_GATEWAYS, irredundant_covers
from lora_marl.core.expect.joint import class_overlap, target_classes
from lora_marl.core.expect.lognormal_plain import Network, outage
from lora_marl.core.expect.normal import normal_cdf
from lora_marl.core.expect.smooth import MOST_POINTS, chebyshev_points, fine_table, read, survival_at

Vector = NDArray[np.float64]


def delivery(net: Network) -> Vector:
    """D `[N]`; sigma above 0.

    Raises:
        ValueError: a node in reach of more than five gateways: the covers of six would be 6,424 families.
    """
    reach = net.mean_dbm >= net.sensitivity_dbm[:, None] - net.sigma_db
    if reach.sum(axis=1).max() > MOST_GATEWAYS:
        raise ValueError(f"a node has {reach.sum(axis=1).max()} gateways in reach; the closed form takes up to 5")
    if net.mean_dbm.shape[1] == 1:
        return np.where(reach[:, 0], _one_gateway(net) * (1.0 - outage(net)[:, 0]), 0.0)
    survives = _pairs(
        net.mean_dbm, reach, net.sf, net.channel, net.airtime_s, net.spared_s, net.rate_per_s, net.threshold_db,
        net.meets, 1.0 / (net.sigma_db * math.sqrt(2.0)), *_COVERS,
    )  # fmt: skip
    lost = np.where(reach, outage(net), 1.0).prod(axis=1)
    return np.where(reach.any(axis=1), survives * (1.0 - lost), 0.0)


def _one_gateway(net: Network) -> Vector:
    """What every node's packets survive at the only gateway, read off the smooth function of their mean power `[N]`."""
    found = np.zeros(len(net.sf))
    spread_db = net.sigma_db * math.sqrt(2.0)
    mean_dbm = net.mean_dbm[:, 0]
    loud_dbm = net.threshold_db[:, net.sf] + mean_dbm
    for rows in target_classes(net):
        sf, overlap = net.sf[rows[0]], class_overlap(net, rows[0])
        met = np.flatnonzero(overlap)
        low, high = float(mean_dbm[rows].min()), float(mean_dbm[rows].max()) + spread_db
        grid_dbm = chebyshev_points(low, high, spread_db)
        if len(grid_dbm) >= min(len(rows), MOST_POINTS):
            found[rows] = survival_at(mean_dbm[rows], overlap[met], loud_dbm[sf, met], spread_db)
        else:
            values = survival_at(grid_dbm, overlap[met], loud_dbm[sf, met], spread_db)
            found[rows] = _read_all(*fine_table(low, high, values, spread_db), low, mean_dbm[rows])
        found[rows] = np.exp(found[rows]) / _own(overlap[rows], loud_dbm[sf, rows], mean_dbm[rows], spread_db)
    return found


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def _read_all(table, step, low, mean_dbm):  # type: ignore[no-untyped-def]
    found = np.empty(len(mean_dbm))
    for i in range(len(mean_dbm)):
        found[i] = read(table, low, step, mean_dbm[i])
    return found


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def _own(overlap, loud_dbm, mean_dbm, spread_db):  # type: ignore[no-untyped-def]
    """The term that each target is for itself, which does not belong there."""
    found = np.empty(len(overlap))
    for i in range(len(overlap)):
        found[i] = 1.0 - overlap[i] * normal_cdf((loud_dbm[i] - mean_dbm[i]) / spread_db)
    return found


def _cover_table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Covers of 1 to 5 members as rows of bit masks padded with 0, and where those of each number begin."""
    rows = [cover for members in range(1, MOST_GATEWAYS + 1) for cover in irredundant_covers(members)]
    table = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for place, cover in enumerate(rows):
        table[place, : len(cover)] = cover
    counts = [0, *(len(irredundant_covers(members)) for members in range(1, MOST_GATEWAYS + 1))]
    return table, np.cumsum(counts)


_COVERS = _cover_table()


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def _pairs(  # type: ignore[no-untyped-def]
    mean_dbm, reach, sf, channel, airtime_s, spared_s, rate_per_s, threshold_db, meets, scale, covers, begins
):  # fmt: skip
    """The share of packets of each node that its interferers leave at some gateway in reach `[N]`."""
    nodes, gateways = mean_dbm.shape
    found = np.ones(nodes)
    members = np.empty(gateways, np.int64)
    share, spared = np.empty(1 << MOST_GATEWAYS), np.empty(1 << MOST_GATEWAYS)
    for i in range(nodes):
        count = 0
        for g in range(gateways):
            if reach[i, g]:
                members[count] = g
                count += 1
        regions = 1 << count
        spared[:regions] = 1.0
        window_s = airtime_s[i] - spared_s[i]
        for j in range(nodes):
            if j == i or not meets[channel[i], channel[j]]:
                continue
            share[0] = 1.0
            for m in range(count):
                g = members[m]
                hit = normal_cdf((threshold_db[sf[i], sf[j]] + mean_dbm[j, g] - mean_dbm[i, g]) * scale)
                for k in range(1 << m):
                    share[k | 1 << m] = share[k] * hit
                    share[k] *= 1.0 - hit
            e = -math.expm1(-(airtime_s[j] + window_s) * rate_per_s[j])
            for k in range(1, regions):
                spared[k] *= 1.0 - e * share[k]
        for row in range(begins[max(count - 1, 0)], begins[count]):
            fails = 1.0
            for k in covers[row]:
                fails *= 1.0 - spared[k] if k else 1.0
            found[i] *= 1.0 - fails
    return found
