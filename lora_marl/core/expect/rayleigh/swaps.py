"""What a swap of two nodes' channels does to everybody; compiled, O(N G).

Their spreading factors and powers stay, so that each of the others has at most two factors out and two in.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from lora_marl.core.expect.rayleigh.kernel import any_gateway
from lora_marl.core.expect.rayleigh.moves import book, link, share


@njit(nogil=True, error_model="numpy")
def try_swap(t, variant, state, i, j, least):  # type: ignore[no-untyped-def]
    """With each other's channel: sums `[3]`, sums of EE in the two old channels `[2]`, delivery of all `[N]`."""
    pair, channels = np.array([i, j]), np.array([state.points[i, 2], state.points[j, 2]])
    sf = np.array([state.points[i, 0], state.points[j, 0]])
    power, reach = np.empty((2, state.power.shape[1])), np.empty((2, state.power.shape[1]))
    for m in range(2):
        link(t, pair[m], sf[m], channels[1 - m], state.points[pair[m], 3], power[m], reach[m])
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
        book(best, delivery[n], least, 1.0, sums)
        for m in range(2):
            if channel == channels[m]:
                channel_ee[m] += best * delivery[n]
    return sums, channel_ee, delivery


@njit(inline="always")
def _beside_swap(t, variant, state, n, pair, sf, channels, power, delivery):  # type: ignore[no-untyped-def]
    """Write the delivery of a node when two others, of some old channels, have swapped them."""
    own_sf, channel = state.points[n, 0], state.points[n, 2]
    if not (t.meets[channel, channels[0]] or t.meets[channel, channels[1]]):
        return
    found = 0.0
    for g in range(power.shape[1]):
        own, factor = state.power[n, g], 1.0
        for m in range(2):
            if t.meets[channel, channels[m]]:
                factor /= share(t, variant, n, own_sf, pair[m], sf[m], own / state.power[pair[m], g])
            if t.meets[channel, channels[1 - m]]:
                factor *= share(t, variant, n, own_sf, pair[m], sf[m], own / power[m, g])
        found += (1.0 - found) * state.left[n, g] * factor * state.reach[n, g]
    delivery[n] = found


@njit(nogil=True, error_model="numpy")
def _swapped(t, variant, state, m, pair, sf, channels, power, reach):  # type: ignore[no-untyped-def]
    """Delivery of the one or the other of two nodes in the other's channel."""
    n, channel, own = pair[m], channels[1 - m], reach[m].copy()
    for k in range(len(state.points)):
        its_channel = channels[m] if k == pair[1 - m] else state.points[k, 2]
        if k == n or not t.meets[channel, its_channel]:
            continue
        for g in range(len(own)):
            its = power[1 - m, g] if k == pair[1 - m] else state.power[k, g]
            own[g] *= share(t, variant, n, sf[m], k, state.points[k, 0], power[m, g] / its)
    return any_gateway(own)
