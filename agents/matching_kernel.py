"""What swaps of channels do to nodes and channels; compiled.

What packets of each node would survive in every channel is kept as a sum of logarithms over the channel's other nodes,
and what arrives with it, so that what a swap does to the two nodes takes O(G), and to everybody in their channels
O(N / C G) without a logarithm. Most pairs are turned down by the former.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

NOBODY = -1


class State(NamedTuple):
    """A matching; `N` nodes, `G` gateways, `C` channels, `Q` nodes of the channel that has most."""

    channel: NDArray[np.int64]  # [N]
    members: NDArray[np.int64]  # [C, Q], nodes of each channel in any order
    quota: NDArray[np.int64]  # [C], how many there are: swaps keep it
    place: NDArray[np.int64]  # [N], each node's among the members of its channel
    share: NDArray[np.float64]  # [N, N, G], what the column's packets survive of the row's node in one channel
    reach: NDArray[np.float64]  # [C, N, G], probability to reach the sensitivity
    log_left: NDArray[np.float64]  # [C, N, G], sum of log shares over the channel's nodes, the node itself aside
    arrival: NDArray[np.float64]  # [C, N, G], reach times what is left
    bits_per_mj: NDArray[np.float64]  # [N], if all were delivered
    ee: NDArray[np.float64]  # [N], bits/mJ


@njit(cache=True, inline="always")
def _ee(state, n, channel, leaves, comes):  # type: ignore[no-untyped-def]
    """A node's energy efficiency in a channel that one of the others leaves and another one, or nobody, joins."""
    found = 0.0
    for g in range(state.arrival.shape[2]):
        arrival = state.arrival[channel, n, g]
        if leaves != NOBODY:
            arrival /= state.share[leaves, n, g]
        if comes != NOBODY:
            arrival *= state.share[comes, n, g]
        found += (1.0 - found) * arrival
    return state.bits_per_mj[n] * found


@njit(cache=True)
def settle(state, channel):  # type: ignore[no-untyped-def]
    """Write what arrives in a channel, and the energy efficiency of its nodes."""
    for n in range(len(state.ee)):
        for g in range(state.arrival.shape[2]):
            state.arrival[channel, n, g] = state.reach[channel, n, g] * math.exp(state.log_left[channel, n, g])
    for place in range(state.quota[channel]):
        n = state.members[channel, place]
        state.ee[n] = _ee(state, n, channel, NOBODY, NOBODY)


@njit(cache=True)
def _node_gain(state, i, j):  # type: ignore[no-untyped-def]
    """What node i gains by a swap with node j."""
    return _ee(state, i, state.channel[j], j, NOBODY) - state.ee[i]


@njit(cache=True)
def _channel_gain(state, i, j, joined):  # type: ignore[no-untyped-def]
    """What the channel of node i gains when node j, which gains `joined` itself, takes its place."""
    channel = state.channel[i]
    gain = state.ee[j] + joined - state.ee[i]
    for place in range(state.quota[channel]):
        n = state.members[channel, place]
        if n != i:
            gain += _ee(state, n, channel, i, j) - state.ee[n]
    return gain


@njit(cache=True)
def _blocks(state, i, j, margin):  # type: ignore[no-untyped-def]
    """Whether nobody of i, j and their channels loses by a swap and somebody gains."""
    first = _node_gain(state, i, j)
    if first < -margin:
        return False
    second = _node_gain(state, j, i)
    if second < -margin:
        return False
    left = _channel_gain(state, i, j, second)
    if left < -margin:
        return False
    joined = _channel_gain(state, j, i, first)
    return joined >= -margin and max(first, second, left, joined) > margin


@njit(cache=True)
def _raises(state, i, j, margin):  # type: ignore[no-untyped-def]
    """Whether a swap raises the energy efficiency of all together."""
    left = _channel_gain(state, i, j, _node_gain(state, j, i))
    return left + _channel_gain(state, j, i, _node_gain(state, i, j)) > margin


@njit(cache=True)
def _swap(state, i, j):  # type: ignore[no-untyped-def]
    one, other = state.channel[i], state.channel[j]
    for n in range(len(state.ee)):
        for g in range(state.reach.shape[2]):
            change = math.log(state.share[j, n, g] / state.share[i, n, g])
            state.log_left[one, n, g] += change
            state.log_left[other, n, g] -= change
    state.channel[i], state.channel[j] = other, one
    state.place[i], state.place[j] = state.place[j], state.place[i]
    state.members[one, state.place[j]], state.members[other, state.place[i]] = j, i
    settle(state, one)
    settle(state, other)


@njit(cache=True, nogil=True)
def sweep(state, literal, margin):  # type: ignore[no-untyped-def]
    """Try all ordered pairs once; how many swapped."""
    swaps = 0
    for i in range(len(state.ee)):
        for j in range(len(state.ee)):
            if state.channel[i] == state.channel[j]:
                continue
            if _blocks(state, i, j, margin) if literal else _raises(state, i, j, margin):
                _swap(state, i, j)
                swaps += 1
    return swaps


@njit(cache=True, nogil=True)
def blocking(state, margin):  # type: ignore[no-untyped-def]
    """Whether pairs are swap-blocking `[N, N]`."""
    found = np.zeros((len(state.ee), len(state.ee)), np.bool_)
    for i in range(len(found)):
        for j in range(len(found)):
            found[i, j] = state.channel[i] != state.channel[j] and _blocks(state, i, j, margin)
    return found
