"""The pairwise log-normal model stated plainly in NumPy over all pairs of nodes: the oracle of the compiled ones.

    D_i = [prod over covers C of M_i of (1 - prod over k in C of A_i^k)] (1 - prod over g in M_i of P_o^ig)
    A_i^k = 1 - prod over j of (1 - q_ij^k E_ij)
    q_ij^k = prod over g in k of p_ij^g  prod over g in M_i without k of (1 - p_ij^g)

with M_i the gateways in reach of i, E_ij the probability that a packet of j overlaps one of i, p_ij^g that it is fatal
to it at g, P_o^ig that shadowing takes it below the sensitivity there; covers as in `covers`.

Source: NoReL Eq. (1) to (4), from the INFOCOM'21 model (Eq. (2) as printed lacks "1 -", Eq. (3) the sign).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.expect.lognormal.covers import irredundant_covers, subsets

Matrix = NDArray[np.float64]


class Network(NamedTuple):
    """What the formulas need of every node, each with the point that it uses."""

    mean_dbm: Matrix  # [N, G], mean received power
    sensitivity_dbm: Matrix  # [N], of its spreading factor
    sf: NDArray[np.int64]  # [N], index of its spreading factor
    channel: NDArray[np.int64]  # [N]
    airtime_s: Matrix  # [N]
    spared_s: Matrix  # [N], of its preamble
    rate_per_s: Matrix  # [N], packets as `E_ij` counts them
    threshold_db: Matrix  # [S, S], wanted by interfering spreading factor
    meets: NDArray[np.bool_]  # [C, C], channels that overlap
    sigma_db: float


_erf = np.vectorize(math.erf, otypes=[np.float64])


def outage(net: Network) -> Matrix:
    """P_o `[N, G]`."""
    above_db = net.mean_dbm - net.sensitivity_dbm[:, None]
    if net.sigma_db == 0.0:
        return (above_db < 0.0).astype(np.float64)
    return 0.5 * (1.0 - _erf(above_db / (net.sigma_db * math.sqrt(2.0))))


def overlap(net: Network) -> Matrix:
    """E `[N, N]`: a packet of the column's node harms one of the row's; 0 on the diagonal and between channels."""
    window_s = net.airtime_s[None, :] + (net.airtime_s - net.spared_s)[:, None]
    found = -np.expm1(-window_s * net.rate_per_s[None, :]) * net.meets[np.ix_(net.channel, net.channel)]
    np.fill_diagonal(found, 0.0)
    return found


def fatal(net: Network, g: int, compat: bool) -> Matrix:
    """Probabilities p `[N, N]` that the row's packet does not survive one of the column's node at a gateway."""
    advantage_db = net.mean_dbm[:, g][:, None] - net.mean_dbm[:, g][None, :]
    threshold_db = net.threshold_db[np.ix_(net.sf, net.sf)]
    if net.sigma_db == 0.0:
        heard = net.mean_dbm[:, g] >= net.sensitivity_dbm
        return ((advantage_db < threshold_db) & (heard[None, :] | (not compat))).astype(np.float64)
    spread_db = net.sigma_db * (2.0 if compat else math.sqrt(2.0))
    found = 0.5 * (1.0 + _erf((threshold_db - advantage_db) / (spread_db * math.sqrt(2.0))))
    if compat:
        near = advantage_db < threshold_db + 2.0 * net.sigma_db
        found *= near & (net.mean_dbm[:, g] > net.sensitivity_dbm - net.sigma_db)[None, :]
    return found


def delivery(net: Network, *, compat: bool) -> Matrix:
    """D `[N]`.

    Args:
        net: The network.
        compat: As the authors' code: spread 2 sigma, interferers cut off, and a factor left out where exactly the first
            two gateways are in reach.
    """
    lost, together = outage(net), overlap(net)
    fatals = [fatal(net, g, compat) for g in range(net.mean_dbm.shape[1])]
    reach = net.mean_dbm >= net.sensitivity_dbm[:, None] - net.sigma_db
    masks = reach @ (1 << np.arange(reach.shape[1]))
    found = np.zeros(len(masks))
    for mask in np.unique(masks[masks > 0]):
        rows = np.flatnonzero(masks == mask)
        found[rows] = _delivery_of(rows, int(mask), lost, together, fatals, compat)
    return found


def _delivery_of(
    rows: NDArray[np.intp], mask: int, lost: Matrix, together: Matrix, fatals: list[Matrix], compat: bool
) -> Matrix:
    """D of the nodes `rows` that have the gateways of a mask in reach."""
    members = [g for g in range(len(fatals)) if mask >> g & 1]
    collided = {}
    for subset in subsets((1 << len(members)) - 1):
        quirk = compat and mask == 3 and subset != 3
        share = np.ones_like(together[rows])
        for place, g in enumerate(members):
            hit = fatals[g][rows]
            inside = (hit > 0.0).astype(np.float64) if quirk else hit
            share *= inside if subset >> place & 1 else 1.0 - hit
        collided[subset] = 1.0 - np.exp(np.log1p(-share * together[rows]).sum(axis=1))
    survives = np.ones(len(rows))
    for cover in irredundant_covers(len(members)):
        survives *= 1.0 - np.prod([collided[subset] for subset in cover], axis=0)
    return survives * (1.0 - lost[rows][:, members].prod(axis=1))
