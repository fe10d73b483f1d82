"""The Rayleigh closed form of `reference`, compiled.

Nodes are taken in order of their channel, so that one pass meets only those that can interfere. Arguments of all
functions: `t` the tables, `points` `[N, 4]`, `variant` `EXPECT` or `MEANG`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.integrals import SMALLEST

EXPECT, MEANG = 0, 1
"""Numbers of the variants whose D_ik are products over interferers."""


@njit(cache=True, inline="always", error_model="numpy")
def harm(variant, b):  # type: ignore[no-untyped-def]
    """Probability that an overlapping packet is fatal to one whose mean power is 1 / c = b of what it needs."""
    return 1.0 / (1.0 + b) if variant == EXPECT else 1.0 - math.exp(-1.0 / b)


@njit(cache=True, inline="always")
def any_gateway(received):  # type: ignore[no-untyped-def]
    """1 - prod of (1 - D_ik) over the gateways of one node, exact for small D_ik."""
    probability = 0.0
    for g in range(len(received)):
        probability += (1.0 - probability) * received[g]
    return probability


@njit(cache=True, nogil=True)
def by_channel(points, channels):  # type: ignore[no-untyped-def]
    """Nodes in order of their channel `[N]`, and where each channel begins `[C + 1]`."""
    begins = np.zeros(channels + 1, np.int64)
    for n in range(len(points)):
        begins[points[n, 2] + 1] += 1
    for c in range(channels):
        begins[c + 1] += begins[c]
    place, order = begins.copy(), np.empty(len(points), np.int64)
    for n in range(len(points)):
        c = points[n, 2]
        order[place[c]] = n
        place[c] += 1
    return order, begins


@njit(cache=True, nogil=True)
def links(t, points, order):  # type: ignore[no-untyped-def]
    """Mean received powers of nodes in some order `[N, G]` in mW, and one over them."""
    power = np.empty(t.gain.shape)
    for place in range(len(order)):
        n = order[place]
        sent_mw = t.tp_mw[points[n, 3]] * t.channel_gain[points[n, 2]]
        for g in range(t.gain.shape[1]):
            power[place, g] = t.gain[n, g] * sent_mw
    return power, 1.0 / power


@njit(cache=True, nogil=True, error_model="numpy")
def gateway_delivery(t, points, variant):  # type: ignore[no-untyped-def]
    """D_ik `[N, G]` of `expect` or `meang`."""
    nodes, gateways = t.gain.shape
    channels = len(t.meets)
    order, begins = by_channel(points, channels)
    power, inverse = links(t, points, order)
    received, left = np.empty((nodes, gateways)), np.empty(gateways)
    for place in range(nodes):
        i = order[place]
        sf, channel = points[i, 0], points[i, 2]
        overlap, inverse_sir = t.overlap[t.size[i], sf], t.inverse_sir[sf]
        left[:] = 1.0
        for c in range(channels):
            if not t.meets[channel, c]:
                continue
            for other in range(begins[c], begins[c + 1]):
                if other == place:
                    continue
                j = order[other]
                h, ratio = overlap[j, points[j, 0]], inverse_sir[points[j, 0]]
                for g in range(gateways):
                    left[g] *= 1.0 - h * harm(variant, ratio * power[place, g] * inverse[other, g])
        for g in range(gateways):
            received[i, g] = left[g] * math.exp(-t.sensitivity_mw[sf] * inverse[place, g])
    return received


@njit(cache=True, nogil=True, error_model="numpy")
def delivery(t, points, variant):  # type: ignore[no-untyped-def]
    """D_i `[N]` of `expect` or `meang`."""
    received = gateway_delivery(t, points, variant)
    probability = np.empty(len(received))
    for i in range(len(received)):
        probability[i] = any_gateway(received[i])
    return probability


@njit(cache=True, nogil=True, error_model="numpy")
def joint_delivery(t, points):  # type: ignore[no-untyped-def]
    """D_i `[N]` of `joint`; gateway sets are bit masks."""
    nodes, gateways = t.gain.shape
    channels = len(t.meets)
    order, begins = by_channel(points, channels)
    power, inverse = links(t, points, order)
    probability = np.empty(nodes)
    left, spared, s = np.empty(1 << gateways), np.empty(1 << gateways), np.empty(gateways)
    spared[0] = 1.0
    for place in range(nodes):
        i = order[place]
        sf, channel = points[i, 0], points[i, 2]
        for g in range(gateways):
            s[g] = t.sensitivity_mw[sf] * inverse[place, g]
        left[0], left[1:] = -1.0, 1.0
        for c in range(channels):
            if not t.meets[channel, c]:
                continue
            for other in range(begins[c], begins[c + 1]):
                if other == place:
                    continue
                j = order[other]
                h = t.overlap[t.size[i], sf, j, points[j, 0]]
                for g in range(gateways):
                    b = t.inverse_sir[sf, points[j, 0]] * power[place, g] * inverse[other, g]
                    q = 1.0 - math.exp(-s[g] * b) / (1.0 + b)
                    for mask in range(1 << g):
                        spared[mask | 1 << g] = spared[mask] * q
                for mask in range(1, 1 << gateways):
                    left[mask] *= 1.0 - h * (1.0 - spared[mask])
        probability[i] = _alternating_sum(left, s)
    return probability


@njit(cache=True, nogil=True)
def _alternating_sum(left, s):  # type: ignore[no-untyped-def]
    """Sum over nonempty sets of gateways, with the signs of inclusion and exclusion."""
    total = 0.0
    for mask in range(1, len(left)):
        term = -left[mask]
        for g in range(len(s)):
            if mask >> g & 1:
                term *= -math.exp(-s[g])
        total += term
    return total


class Counterfactuals(NamedTuple):
    """Delivery and energy efficiency of nodes, and of each node's channel with and without it, all `[B, N]`.

    Attributes:
        delivery: D_i.
        ee: Energy efficiency of each node. bits/mJ
        ee_sum_without: Sum over the others of its channel with the node removed, EE_{c,-i}. bits/mJ
        ee_sum: Sum over its channel with it, EE_c. bits/mJ

    Source: MMALoRa Eq. (13), (14), (23).
    """

    delivery: NDArray[np.float64]
    ee: NDArray[np.float64]
    ee_sum_without: NDArray[np.float64]
    ee_sum: NDArray[np.float64]


@njit(cache=True, nogil=True)
def counterfactuals(t, points, variant):  # type: ignore[no-untyped-def]
    """The fields of `Counterfactuals` `[4, B, N]` for allocations `[B, N, 4]`, of `expect` or `meang`."""
    replicas, nodes = points.shape[:2]
    fields = np.zeros((4, replicas, nodes))
    for b in range(replicas):
        order, begins = by_channel(points[b], len(t.meets))
        power, inverse = links(t, points[b], order)
        for c in range(len(t.meets)):
            if begins[c] < begins[c + 1]:
                _channel_fields(t, points[b], variant, c, order, begins, power, inverse, fields[:, b])
    return fields


@njit(cache=True, nogil=True, error_model="numpy")
def _channel_fields(t, points, variant, channel, order, begins, power, inverse, fields):  # type: ignore[no-untyped-def]
    """Write the fields of the nodes of a channel into `fields` `[4, N]`."""
    first, last = begins[channel], begins[channel + 1]
    gateways = power.shape[1]
    received = np.empty((last - first, gateways))
    survived = np.ones((last - first, last - first, gateways))  # share of the row's packets that survive the column's
    for place in range(first, last):
        i, row = order[place], place - first
        sf = points[i, 0]
        for g in range(gateways):
            received[row, g] = math.exp(-t.sensitivity_mw[sf] * inverse[place, g])
        for c in range(len(t.meets)):
            if not t.meets[channel, c]:
                continue
            for other in range(begins[c], begins[c + 1]):
                j = order[other]
                if i == j:
                    continue
                h, ratio = t.overlap[t.size[i], sf, j, points[j, 0]], t.inverse_sir[sf, points[j, 0]]
                for g in range(gateways):
                    factor = max(1.0 - h * harm(variant, ratio * power[place, g] * inverse[other, g]), SMALLEST)
                    received[row, g] *= factor
                    if c == channel:
                        survived[row, other - first, g] = factor
    _sum_fields(t, points, order[first:last], received, survived, fields)


@njit(cache=True, nogil=True)
def _sum_fields(t, points, members, received, survived, fields):  # type: ignore[no-untyped-def]
    """Write the fields from what gateways receive of the members of a channel, and what survives of each pair."""
    delivery, ee, without, total = fields
    ee_sum = 0.0
    for row in range(len(members)):
        i = members[row]
        best = t.bits_per_mj[i, points[i, 0], points[i, 3]]
        delivery[i] = any_gateway(received[row])
        ee[i] = best * delivery[i]
        ee_sum += ee[i]
        for column in range(len(members)):
            if column != row:
                probability = 0.0
                for g in range(received.shape[1]):
                    probability += (1.0 - probability) * received[row, g] / survived[row, column, g]
                without[members[column]] += best * probability
    for row in range(len(members)):
        total[members[row]] = ee_sum
