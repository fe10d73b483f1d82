"""What the nodes of a channel would have without each of them: for rewards, compiled over replicas."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.rayleigh.kernel import SMALLEST, any_gateway, by_channel, harm, links


class Counterfactuals(NamedTuple):
    """What comes of allocations `[B, N]`.

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


@njit(nogil=True)
def counterfactuals(t, points, variant):  # type: ignore[no-untyped-def]
    """The fields of `Counterfactuals` for `expect` or `meang`; points `[B, N, 4]`."""
    replicas, nodes = points.shape[:2]
    found = np.zeros((4, replicas, nodes))
    for b in range(replicas):
        order, begins = by_channel(points[b], len(t.meets))
        power, inverse = links(t, points[b], order)
        for c in range(len(t.meets)):
            if begins[c] < begins[c + 1]:
                _channel(t, points[b], variant, c, order, begins, power, inverse, found[:, b])
    return found


@njit(nogil=True, error_model="numpy")
def _channel(t, points, variant, channel, order, begins, power, inverse, found):  # type: ignore[no-untyped-def]
    """Write the fields of the nodes of a channel `[4, N]`."""
    first, last = begins[channel], begins[channel + 1]
    gateways = power.shape[1]
    received = np.empty((last - first, gateways))
    survived = np.ones((last - first, last - first, gateways))  # by row of column
    for place in range(first, last):
        i, own = order[place], place - first
        sf = points[i, 0]
        for g in range(gateways):
            received[own, g] = math.exp(-t.sensitivity_mw[sf] * inverse[place, g])
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
                    received[own, g] *= factor
                    if c == channel:
                        survived[own, other - first, g] = factor
    _book(t, points, order[first:last], received, survived, found)


@njit(nogil=True)
def _book(t, points, members, received, survived, found):  # type: ignore[no-untyped-def]
    delivery, ee, without, total = found
    ee_sum = 0.0
    for own in range(len(members)):
        i = members[own]
        best = t.bits_per_mj[i, points[i, 0], points[i, 3]]
        delivery[i] = any_gateway(received[own])
        ee[i] = best * delivery[i]
        ee_sum += ee[i]
        for other in range(len(members)):
            if other != own:
                alone = 0.0
                for g in range(received.shape[1]):
                    alone += (1.0 - alone) * received[own, g] / survived[own, other, g]
                without[members[other]] += best * alone
    for own in range(len(members)):
        total[members[own]] = ee_sum
