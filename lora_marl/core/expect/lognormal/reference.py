"""The pairwise log-normal model, stated in NumPy over all pairs of nodes: what the compiled forms are tested against.

    D_i = sum over nonempty M of (-1)^(|M|+1) [prod over g in M of (1 - P_o^ig)] prod over j of (1 - q_ij^M E_ij)
    q_ij^M = 1 - prod over g in M of (1 - p_ij^g)

over sets M of the gateways that may hear i, with E_ij the probability that a packet of j overlaps one of i, p_ij^g the
probability that it is fatal to it at g, and P_o^ig the probability that shadowing takes i's packet below the
sensitivity at g.

`compat` is the authors' model in place of it. It takes the gateways M_i whose mean power is at most one standard
deviation below the sensitivity, so a node with none delivers nothing, and takes being heard by one of them and
surviving at one of them for independent:

    D_i = [prod over covers C of M_i of (1 - prod over k in C of A_i^k)] (1 - prod over g in M_i of P_o^ig)
    A_i^k = 1 - prod over j of (1 - [prod over g in k of p_ij^g] [prod over g in M_i without k of (1 - p_ij^g)] E_ij)

A cover C of M_i is a family of sets k of gateways (`irredundant_covers`).

Source: NoReL Eq. (1) to (4), from the INFOCOM'21 model (Eq. (2) as printed lacks "1 -", Eq. (3) the sign), for
`compat`; inclusion and exclusion for D_i above.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_GATEWAYS = 8
"""That may hear a node: the cost doubles with each."""
INAUDIBLE = 1e-9
"""A gateway that hears a smaller share of a node's packets than this is left out."""
_LEFT_OUT = 0.01
"""Largest share of a node's packets that only gateways beyond `MOST_GATEWAYS` would hear."""

Matrix = NDArray[np.float64]


class Network(NamedTuple):
    """The nodes of a network with the operating points that they use: `N` nodes, `G` gateways, `C` channels."""

    mean_dbm: Matrix  # [N, G], mean received power
    sensitivity_dbm: Matrix  # [N], at the node's spreading factor
    sf: NDArray[np.int64]  # [N], index of the spreading factor
    channel: NDArray[np.int64]  # [N]
    airtime_s: Matrix  # [N]
    spared_s: Matrix  # [N], start of the preamble, which may be hit
    rate_per_s: Matrix  # [N], packets as `E_ij` counts them
    threshold_db: Matrix  # [S, S], SIR needed, wanted by interfering spreading factor
    meets: NDArray[np.bool_]  # [C, C], channels that overlap
    sigma_db: float  # standard deviation of the shadowing


_erf = np.vectorize(math.erf, otypes=[np.float64])


def delivery(net: Network, *, compat: bool) -> Matrix:
    """Probability D that a packet of each node is delivered `[N]`.

    Args:
        net: The network.
        compat: As the authors' code: covers, spread 2 sigma, gateways and interferers cut off, and a factor left out
            where exactly the first two gateways are in reach.
    """
    if compat:
        return _published_delivery(net)
    reach, together = reach_of(net), overlap(net)
    fatals = np.stack([fatal(net, g, compat) for g in range(net.mean_dbm.shape[1])])
    probability = np.zeros(len(together))
    for i in range(len(together)):
        gateways, heard = reach.gateways[i, : reach.counts[i]], reach.hears[i, : reach.counts[i]]
        for mask in range(1, 1 << len(gateways)):
            members = np.flatnonzero(mask >> np.arange(len(gateways)) & 1)
            spared = np.prod(1.0 - fatals[gateways[members], i], axis=0)
            left = np.prod(1.0 - together[i] * (1.0 - spared))
            probability[i] -= (-1) ** len(members) * heard[members].prod() * left
    return probability


class Reach(NamedTuple):
    """The gateways that may hear packets of every node, the likeliest first."""

    gateways: NDArray[np.int64]  # [N, K], the first of `counts` in a row
    counts: NDArray[np.int64]  # [N]
    hears: Matrix  # [N, K], probability that the gateway hears a packet that nothing disturbs
    heard: Matrix  # [N], probability that one of them does


def reach_of(net: Network) -> Reach:
    """The gateways that may hear each node, `K` at most (`MOST_GATEWAYS`).

    Raises:
        ValueError: a node with more than `MOST_GATEWAYS` gateways of which those left out matter: they are in reach
            (their mean power is at most one standard deviation below the sensitivity), or hear together what no other
            gateway does.
    """
    hears = 1.0 - outage(net)
    order = np.argsort(-hears, axis=1, kind="stable")
    hears = np.take_along_axis(hears, order, axis=1)
    hears[hears < INAUDIBLE] = 0.0
    missed, heard_by_others = np.ones(len(hears)), np.zeros(len(hears))
    if hears.shape[1] > MOST_GATEWAYS:
        in_reach = (net.mean_dbm >= net.sensitivity_dbm[:, None] - net.sigma_db).sum(axis=1)
        missed = (1.0 - hears[:, :MOST_GATEWAYS]).prod(axis=1)
        heard_by_others = 1.0 - (1.0 - hears[:, MOST_GATEWAYS:]).prod(axis=1)
        many = (in_reach > MOST_GATEWAYS) | (missed * heard_by_others > _LEFT_OUT)
        if many.any():
            count = np.where(in_reach > MOST_GATEWAYS, in_reach, (hears > 0.0).sum(axis=1))[many].max()
            raise ValueError(f"a node has {count} gateways in reach; the closed form takes up to {MOST_GATEWAYS}")
    hears, order = hears[:, :MOST_GATEWAYS], order[:, :MOST_GATEWAYS]
    return Reach(order, (hears > 0.0).sum(axis=1), hears, 1.0 - (1.0 - hears).prod(axis=1))


def _published_delivery(net: Network) -> Matrix:
    """D `[N]` of `compat`."""
    lost, together = outage(net), overlap(net)
    fatals = [fatal(net, g, True) for g in range(net.mean_dbm.shape[1])]
    reach = net.mean_dbm >= net.sensitivity_dbm[:, None] - net.sigma_db
    masks = reach @ (1 << np.arange(reach.shape[1]))
    probability = np.zeros(len(masks))
    for mask in np.unique(masks[masks > 0]):
        rows = np.flatnonzero(masks == mask)
        probability[rows] = _delivery_of(rows, int(mask), lost, together, fatals)
    return probability


def outage(net: Network) -> Matrix:
    """Probability P_o that shadowing takes a packet below the sensitivity of a gateway `[N, G]`."""
    above_db = net.mean_dbm - net.sensitivity_dbm[:, None]
    if net.sigma_db == 0.0:
        return (above_db < 0.0).astype(np.float64)
    return 0.5 * (1.0 - _erf(above_db / (net.sigma_db * math.sqrt(2.0))))


def overlap(net: Network) -> Matrix:
    """Probability E that a packet of the column's node overlaps one of the row's `[N, N]`.

    0 on the diagonal and between channels that do not overlap.
    """
    window_s = net.airtime_s[None, :] + (net.airtime_s - net.spared_s)[:, None]
    probability = -np.expm1(-window_s * net.rate_per_s[None, :]) * net.meets[np.ix_(net.channel, net.channel)]
    np.fill_diagonal(probability, 0.0)
    return probability


def fatal(net: Network, g: int, compat: bool) -> Matrix:
    """Probability p that an overlapping packet of the column's node is fatal to the row's at gateway `g` `[N, N]`."""
    advantage_db = net.mean_dbm[:, g][:, None] - net.mean_dbm[:, g][None, :]
    threshold_db = net.threshold_db[np.ix_(net.sf, net.sf)]
    if net.sigma_db == 0.0:
        heard = net.mean_dbm[:, g] >= net.sensitivity_dbm
        return ((advantage_db < threshold_db) & (heard[None, :] | (not compat))).astype(np.float64)
    spread_db = net.sigma_db * (2.0 if compat else math.sqrt(2.0))
    probability = 0.5 * (1.0 + _erf((threshold_db - advantage_db) / (spread_db * math.sqrt(2.0))))
    if compat:
        near = advantage_db < threshold_db + 2.0 * net.sigma_db
        probability *= near & (net.mean_dbm[:, g] > net.sensitivity_dbm - net.sigma_db)[None, :]
    return probability


def _delivery_of(rows: NDArray[np.intp], mask: int, lost: Matrix, together: Matrix, fatals: list[Matrix]) -> Matrix:
    """D in `compat` of the nodes `rows`, whose gateways in reach are the bits of `mask`."""
    members = [g for g in range(len(fatals)) if mask >> g & 1]
    collided = {}
    for subset in subsets((1 << len(members)) - 1):
        quirk = mask == 3 and subset != 3
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


@cache
def irredundant_covers(members: int) -> tuple[tuple[int, ...], ...]:
    """Families of non-empty subsets of {0, ..., members - 1} that cover it and of which no subset can be left out.

    Subsets are bit masks. There are 1, 2, 8, 49, 462 families for 1 to 5 members.

    Source: the model of "Modeling and Analysis of LoRa networks with several gateways" (INFOCOM'21), sets C(M).
    """
    everything = (1 << members) - 1
    covers: set[tuple[int, ...]] = set()

    def grow(chosen: tuple[int, ...], covered: int) -> None:
        if covered == everything:
            if all(_union(chosen[:i] + chosen[i + 1 :]) != everything for i in range(len(chosen))):
                covers.add(tuple(sorted(chosen)))
            return
        lowest = (everything & ~covered) & -(everything & ~covered)
        for subset in range(1, everything + 1):
            if subset & lowest:
                grow((*chosen, subset), covered | subset)

    grow((), 0)
    return tuple(sorted(covers))


def _union(masks: tuple[int, ...]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


def subsets(mask: int) -> list[int]:
    """The non-empty subsets of a bit mask, as bit masks."""
    bits = [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
    return [sum(1 << bit for bit in chosen) for size in range(1, len(bits) + 1) for chosen in combinations(bits, size)]
