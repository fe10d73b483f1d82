"""Moves and swaps of nodes in an allocation under Rayleigh fading, compiled for `incremental`.

Arguments of the functions: `t` the tables, `variant` its number in `kernel`, `least` the delivery that is asked for,
`n` the node whose packets are looked at, `k` the node that moves or interferes. Functions that compute shares have no
disk cache, since it would not notice an edited `kernel`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.integrals import SMALLEST
from lora_marl.core.expect.rayleigh.kernel import any_gateway, harm

Vector = NDArray[np.float64]

EE_SUM, SHORT, SHORTFALL = 0, 1, 2
"""Sums over nodes: bits/mJ; how many are below the delivery that is asked for; by how much in all."""


class State(NamedTuple):
    """Arrays that change with the allocation."""

    points: NDArray[np.int16]  # [N, 4]
    power: Vector  # [N, G], mean received power, mW
    reach: Vector  # [N, G], probability to reach the sensitivity
    log_left: Vector  # [N, G]
    left: Vector  # [N, G]
    delivery: Vector  # [N]


@njit(cache=True)
def _link(t, n, sf, channel, tp, power, reach):  # type: ignore[no-untyped-def]
    """Write a node's mean received powers and the probabilities that they reach the sensitivity `[G]`."""
    sent_mw = t.tp_mw[tp] * t.channel_gain[channel]
    for g in range(len(power)):
        power[g] = t.gain[n, g] * sent_mw
        reach[g] = math.exp(-t.sensitivity_mw[sf] / power[g])


@njit(inline="always")
def _share(t, variant, n, sf, k, other_sf, ratio):  # type: ignore[no-untyped-def]
    """Share of packets of node n that survive node k, `ratio` their mean power over its; above 0, to be divided by."""
    h = t.overlap[t.size[n], sf, k, other_sf]
    return max(1.0 - h * harm(variant, t.inverse_sir[sf, other_sf] * ratio), SMALLEST)


@njit(inline="always")
def _count(best, delivery, least, sign, sums):  # type: ignore[no-untyped-def]
    """Add (or, with a sign of -1, take back) a node's part in the sums; one that is off, of 0 bits/mJ, has none."""
    if best > 0.0:
        sums[EE_SUM] += sign * best * delivery
        if delivery < least:
            sums[SHORT] += sign
            sums[SHORTFALL] += sign * (least - delivery)


@njit(cache=True, nogil=True)
def total_sums(t, state, least):  # type: ignore[no-untyped-def]
    """The sums of the allocation `[3]`."""
    sums = np.zeros(3)
    for n in range(len(state.points)):
        _count(t.bits_per_mj[n, state.points[n, 0], state.points[n, 3]], state.delivery[n], least, 1.0, sums)
    return sums


@njit(nogil=True, error_model="numpy")
def begin(t, variant, state):  # type: ignore[no-untyped-def]
    """Compute everything from the points."""
    for n in range(len(state.points)):
        sf, _, channel, tp = state.points[n]
        _link(t, n, sf, channel, tp, state.power[n], state.reach[n])
    for n in range(len(state.points)):
        _rebuild(t, variant, state, n)


@njit(nogil=True, error_model="numpy")
def _rebuild(t, variant, state, n):  # type: ignore[no-untyped-def]
    """Multiply up again what packets of a node survive of all others."""
    sf, channel = state.points[n, 0], state.points[n, 2]
    state.log_left[n] = 0.0
    for k in range(len(state.points)):
        if n == k or not t.meets[channel, state.points[k, 2]]:
            continue
        for g in range(state.left.shape[1]):
            ratio = state.power[n, g] / state.power[k, g]
            state.log_left[n, g] += math.log(_share(t, variant, n, sf, k, state.points[k, 0], ratio))
    _settle(state, n)


@njit(cache=True, nogil=True)
def _settle(state, n):  # type: ignore[no-untyped-def]
    """Write a node's delivery from the logarithms of what its packets survive."""
    delivery = 0.0
    for g in range(state.left.shape[1]):
        state.left[n, g] = math.exp(state.log_left[n, g])
        delivery += (1.0 - delivery) * state.left[n, g] * state.reach[n, g]
    state.delivery[n] = delivery


@njit(nogil=True, error_model="numpy")
def move(t, variant, state, k, point):  # type: ignore[no-untyped-def]
    """Give node k another point."""
    nodes, gateways = state.power.shape
    old_sf, _, old_channel, _ = state.points[k]
    sf, _, channel, tp = point
    old_power = state.power[k].copy()
    state.points[k] = point
    _link(t, k, sf, channel, tp, state.power[k], state.reach[k])
    for n in range(nodes):
        n_sf, n_channel = state.points[n, 0], state.points[n, 2]
        met, meets = t.meets[n_channel, old_channel], t.meets[n_channel, channel]
        if n == k or not (met or meets):
            continue
        for g in range(gateways):
            power = state.power[n, g]
            if met:
                state.log_left[n, g] -= math.log(_share(t, variant, n, n_sf, k, old_sf, power / old_power[g]))
            if meets:
                state.log_left[n, g] += math.log(_share(t, variant, n, n_sf, k, sf, power / state.power[k, g]))
        _settle(state, n)
    _rebuild(t, variant, state, k)


@njit(nogil=True, error_model="numpy")
def _without(t, variant, state, k):  # type: ignore[no-untyped-def]
    """Delivery of the others at each gateway `[N, G]` and at any `[N]`, with node k removed."""
    received, delivery = state.left * state.reach, state.delivery.copy()
    old_sf, old_channel = state.points[k, 0], state.points[k, 2]
    for n in range(len(delivery)):
        if n == k or not t.meets[state.points[n, 2], old_channel]:
            continue
        probability = 0.0
        for g in range(received.shape[1]):
            ratio = state.power[n, g] / state.power[k, g]
            received[n, g] /= _share(t, variant, n, state.points[n, 0], k, old_sf, ratio)
            probability += (1.0 - probability) * received[n, g]
        delivery[n] = probability
    return received, delivery


@njit(nogil=True, error_model="numpy")
def try_points(t, variant, state, k, candidates, least, disturbed):  # type: ignore[no-untyped-def]
    """Sums `[K, 3]` and the node's delivery `[K]` at each of some points of node k.

    If not `disturbed`, as if node k met nobody and nobody met it.
    """
    nodes, gateways = state.power.shape
    received, undisturbed = _without(t, variant, state, k)
    best, base = np.empty(nodes), np.zeros(3)
    for n in range(nodes):
        best[n] = t.bits_per_mj[n, state.points[n, 0], state.points[n, 3]]
        if n != k:
            _count(best[n], undisturbed[n], least, 1.0, base)
    sums, delivery = np.empty((len(candidates), 3)), np.empty(len(candidates))
    power, left = np.empty(gateways), np.empty(gateways)
    for c in range(len(candidates)):
        sf, channel, tp = candidates[c, 0], candidates[c, 2], candidates[c, 3]
        _link(t, k, sf, channel, tp, power, left)
        total = base.copy()
        for n in range(nodes if disturbed else 0):
            if n == k or not t.meets[channel, state.points[n, 2]]:
                continue
            n_sf, probability = state.points[n, 0], 0.0
            for g in range(gateways):
                ratio = power[g] / state.power[n, g]
                left[g] *= _share(t, variant, k, sf, n, n_sf, ratio)
                probability += (1.0 - probability) * received[n, g] * _share(t, variant, n, n_sf, k, sf, 1.0 / ratio)
            _count(best[n], undisturbed[n], least, -1.0, total)
            _count(best[n], probability, least, 1.0, total)
        delivery[c] = any_gateway(left)
        _count(t.bits_per_mj[k, sf, tp], delivery[c], least, 1.0, total)
        sums[c] = total
    return sums, delivery


@njit(nogil=True, error_model="numpy")
def try_swap(t, variant, state, i, j, least):  # type: ignore[no-untyped-def]
    """With each other's channel: sums `[3]`, sums of EE in the two old channels `[2]`, delivery of all `[N]`."""
    pair, channels = np.array([i, j]), np.array([state.points[i, 2], state.points[j, 2]])
    sf = np.array([state.points[i, 0], state.points[j, 0]])
    power, reach = np.empty((2, state.power.shape[1])), np.empty((2, state.power.shape[1]))
    for m in range(2):
        _link(t, pair[m], sf[m], channels[1 - m], state.points[pair[m], 3], power[m], reach[m])
    delivery, sums, channel_ee = state.delivery.copy(), np.zeros(3), np.zeros(2)
    for n in range(len(delivery)):
        channel = state.points[n, 2]
        if n != i and n != j:
            _beside_swap(t, variant, state, n, pair, sf, channels, power, delivery)
        else:
            m = 0 if n == i else 1
            channel = channels[1 - m]
            delivery[n] = _swapped(t, variant, state, m, pair, sf, channels, power, reach)
        best = t.bits_per_mj[n, state.points[n, 0], state.points[n, 3]]
        _count(best, delivery[n], least, 1.0, sums)
        for m in range(2):
            if channel == channels[m]:
                channel_ee[m] += best * delivery[n]
    return sums, channel_ee, delivery


@njit(inline="always")
def _beside_swap(t, variant, state, n, pair, sf, channels, power, delivery):  # type: ignore[no-untyped-def]
    """Write the delivery of node n when two others, of some old channels, have swapped them."""
    n_sf, channel = state.points[n, 0], state.points[n, 2]
    if not (t.meets[channel, channels[0]] or t.meets[channel, channels[1]]):
        return
    probability = 0.0
    for g in range(power.shape[1]):
        n_power, factor = state.power[n, g], 1.0
        for m in range(2):
            if t.meets[channel, channels[m]]:
                factor /= _share(t, variant, n, n_sf, pair[m], sf[m], n_power / state.power[pair[m], g])
            if t.meets[channel, channels[1 - m]]:
                factor *= _share(t, variant, n, n_sf, pair[m], sf[m], n_power / power[m, g])
        probability += (1.0 - probability) * state.left[n, g] * factor * state.reach[n, g]
    delivery[n] = probability


@njit(nogil=True, error_model="numpy")
def _swapped(t, variant, state, m, pair, sf, channels, power, reach):  # type: ignore[no-untyped-def]
    """Delivery of the one (m = 0) or the other (m = 1) of two nodes in the other's channel."""
    n, channel, left = pair[m], channels[1 - m], reach[m].copy()
    for k in range(len(state.points)):
        partner = k == pair[1 - m]
        k_channel = channels[m] if partner else state.points[k, 2]
        if k == n or not t.meets[channel, k_channel]:
            continue
        for g in range(len(left)):
            k_power = power[1 - m, g] if partner else state.power[k, g]
            left[g] *= _share(t, variant, n, sf[m], k, state.points[k, 0], power[m, g] / k_power)
    return any_gateway(left)
