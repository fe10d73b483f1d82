"""What one node's change does to everybody; compiled, O(N G) a point.

What every packet survives at a gateway, `left [N, G]`, is a product over interferers. A change takes one factor out of
each and puts another in. The state keeps logarithms, whose sums lose less over many moves than products do.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.rayleigh.kernel import SMALLEST, any_gateway, harm

EE_SUM, SHORT, SHORTFALL = 0, 1, 2
"""Sums over nodes: bits/mJ; how many are below the delivery that is asked for; by how much in all."""


class State(NamedTuple):
    """What changes with the allocation."""

    points: NDArray[np.int16]  # [N, 4]
    power: NDArray[np.float64]  # [N, G], mean received. mW
    reach: NDArray[np.float64]  # [N, G], probability to reach the sensitivity
    log_left: NDArray[np.float64]  # [N, G]
    left: NDArray[np.float64]  # [N, G]
    delivery: NDArray[np.float64]  # [N]


@njit(cache=True)
def link(t, n, sf, channel, tp, power, reach):  # type: ignore[no-untyped-def]
    """Write a node's mean received powers and the probabilities that they reach the sensitivity `[G]`."""
    sent_mw = t.tp_mw[tp] * t.channel_gain[channel]
    for g in range(len(power)):
        power[g] = t.gain[n, g] * sent_mw
        reach[g] = math.exp(-t.sensitivity_mw[sf] / power[g])


@njit(inline="always")
def share(t, variant, n, sf, k, other_sf, over):  # type: ignore[no-untyped-def]
    """What packets of node n survive of node k, over whose mean power theirs is `over`; above 0, to be divided by."""
    h = t.overlap[t.size[n], sf, k, other_sf]
    return max(1.0 - h * harm(variant, t.inverse_sir[sf, other_sf] * over), SMALLEST)


@njit(inline="always")
def book(best, delivery, least, sign, sums):  # type: ignore[no-untyped-def]
    """Add (or, with a sign of -1, take back) a node's part in the sums; one that is off, of 0 bits/mJ, has none."""
    if best > 0.0:
        sums[EE_SUM] += sign * best * delivery
        if delivery < least:
            sums[SHORT] += sign
            sums[SHORTFALL] += sign * (least - delivery)


@njit(nogil=True)
def sums_of(t, state, least):  # type: ignore[no-untyped-def]
    """The sums of the allocation `[3]`."""
    sums = np.zeros(3)
    for n in range(len(state.points)):
        book(t.bits_per_mj[n, state.points[n, 0], state.points[n, 3]], state.delivery[n], least, 1.0, sums)
    return sums


@njit(nogil=True, error_model="numpy")
def begin(t, variant, state):  # type: ignore[no-untyped-def]
    """Compute everything from the points."""
    for n in range(len(state.points)):
        sf, _, channel, tp = state.points[n]
        link(t, n, sf, channel, tp, state.power[n], state.reach[n])
    for n in range(len(state.points)):
        _start(t, variant, state, n)


@njit(nogil=True, error_model="numpy")
def move(t, variant, state, k, point):  # type: ignore[no-untyped-def]
    """Give a node another point."""
    nodes, gateways = state.power.shape
    old_sf, _, old_channel, _ = state.points[k]
    sf, _, channel, tp = point
    old_power = state.power[k].copy()
    state.points[k] = point
    link(t, k, sf, channel, tp, state.power[k], state.reach[k])
    for n in range(nodes):
        own_sf, own_channel = state.points[n, 0], state.points[n, 2]
        met, meets = t.meets[own_channel, old_channel], t.meets[own_channel, channel]
        if n == k or not (met or meets):
            continue
        for g in range(gateways):
            own = state.power[n, g]
            if met:
                state.log_left[n, g] -= math.log(share(t, variant, n, own_sf, k, old_sf, own / old_power[g]))
            if meets:
                state.log_left[n, g] += math.log(share(t, variant, n, own_sf, k, sf, own / state.power[k, g]))
        _settle(state, n)
    _start(t, variant, state, k)


@njit(nogil=True, error_model="numpy")
def _start(t, variant, state, n):  # type: ignore[no-untyped-def]
    """What packets of a node survive, from all others."""
    sf, channel = state.points[n, 0], state.points[n, 2]
    state.log_left[n] = 0.0
    for k in range(len(state.points)):
        if n == k or not t.meets[channel, state.points[k, 2]]:
            continue
        for g in range(state.left.shape[1]):
            over = state.power[n, g] / state.power[k, g]
            state.log_left[n, g] += math.log(share(t, variant, n, sf, k, state.points[k, 0], over))
    _settle(state, n)


@njit(nogil=True)
def _settle(state, n):  # type: ignore[no-untyped-def]
    found = 0.0
    for g in range(state.left.shape[1]):
        state.left[n, g] = math.exp(state.log_left[n, g])
        found += (1.0 - found) * state.left[n, g] * state.reach[n, g]
    state.delivery[n] = found


@njit(nogil=True, error_model="numpy")
def without(t, variant, state, k):  # type: ignore[no-untyped-def]
    """What each gateway receives of the others `[N, G]`, and their delivery `[N]`, with node k removed."""
    received, delivery = state.left * state.reach, state.delivery.copy()
    old_sf, old_channel = state.points[k, 0], state.points[k, 2]
    for n in range(len(delivery)):
        if n == k or not t.meets[state.points[n, 2], old_channel]:
            continue
        found = 0.0
        for g in range(received.shape[1]):
            over = state.power[n, g] / state.power[k, g]
            received[n, g] /= share(t, variant, n, state.points[n, 0], k, old_sf, over)
            found += (1.0 - found) * received[n, g]
        delivery[n] = found
    return received, delivery


@njit(nogil=True, error_model="numpy")
def try_points(t, variant, state, k, candidates, least):  # type: ignore[no-untyped-def]
    """Sums `[K, 3]`, and the node's own delivery `[K]`, at each of some points of node k."""
    nodes, gateways = state.power.shape
    alone, alone_delivery = without(t, variant, state, k)
    best, base = np.empty(nodes), np.zeros(3)
    for n in range(nodes):
        best[n] = t.bits_per_mj[n, state.points[n, 0], state.points[n, 3]]
        if n != k:
            book(best[n], alone_delivery[n], least, 1.0, base)
    sums, own_delivery = np.empty((len(candidates), 3)), np.empty(len(candidates))
    power, own = np.empty(gateways), np.empty(gateways)
    for c in range(len(candidates)):
        sf, channel, tp = candidates[c, 0], candidates[c, 2], candidates[c, 3]
        link(t, k, sf, channel, tp, power, own)
        total = base.copy()
        for n in range(nodes):
            if n == k or not t.meets[channel, state.points[n, 2]]:
                continue
            other_sf, found = state.points[n, 0], 0.0
            for g in range(gateways):
                over = power[g] / state.power[n, g]
                own[g] *= share(t, variant, k, sf, n, other_sf, over)
                found += (1.0 - found) * alone[n, g] * share(t, variant, n, other_sf, k, sf, 1.0 / over)
            book(best[n], alone_delivery[n], least, -1.0, total)
            book(best[n], found, least, 1.0, total)
        own_delivery[c] = any_gateway(own)
        book(t.bits_per_mj[k, sf, tp], own_delivery[c], least, 1.0, total)
        sums[c] = total
    return sums, own_delivery
