"""Swap matching of nodes to channels at fixed spreading factors and powers.

Two nodes of different channels, i in c and j in c', may swap them. Utilities are the energy efficiency of a node, U_i,
and its sum over the nodes of a channel, U_c. From a matching on, all ordered pairs are tried again and again, until a
sweep makes no swap:

| rule | (i, j) swap if |
|---|---|
| `literal` | none of i, j, c, c' loses, at least one gains (a swap-blocking pair); it ends two-sided exchange stable |
| `utilitarian` | U_c + U_c' rises, and with it the energy efficiency of the network |

Swaps keep the number of nodes of every channel, so balanced channels keep to the quota ceil(N / C).

Speed: what packets of each node would survive in every channel is kept as a sum of logarithms over the channel's nodes,
and what arrives with it. What a swap does to the two nodes then takes O(G), and to all nodes of their channels
O(N / C G) without a logarithm. Most pairs are turned down by the former.

Source: MMALoRa, Definitions 1 to 4 and Algorithm 1. `utilitarian` is ours.
Differences: utilities that change by less than 1e-9 bits/mJ count as unchanged, against rounding.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.checks import check_choice
from lora_marl.core.expect import Rayleigh
from lora_marl.core.expect.integrals import SMALLEST
from lora_marl.core.expect.physics import check_named_channels
from lora_marl.core.expect.rayleigh import reference
from lora_marl.core.region import CHANNEL, SF, TP

Rule = Literal["literal", "utilitarian"]

MARGIN_BITS_PER_MJ = 1e-9
NO_NODE = -1
"""In place of a node that leaves or joins a channel."""


class MatchingResult(NamedTuple):
    """The matching where swapping ended.

    Attributes:
        points: Operating points in the channels of the matching. `[N, 4]`
        swaps: Number of swaps.
        sweeps: Number of sweeps over all pairs, the last one included.
        stable: Whether the last sweep made no swap.
    """

    points: NDArray[np.int16]
    swaps: int
    sweeps: int
    stable: bool


def balanced_channels(rng: np.random.Generator, nodes: int, channels: int) -> NDArray[np.int16]:
    """Channels drawn at random; numbers of nodes in them differ by at most one `[N]`."""
    return rng.permutation(np.arange(nodes) % channels).astype(np.int16)


def match_channels(
    closed_form: Rayleigh, points: NDArray[np.int16], *, rule: Rule = "literal", most_sweeps: int = 100
) -> MatchingResult:
    """Swap channels until no allowed swap is left.

    Args:
        closed_form: Closed form of the network; `expect` or `meang`.
        points: The matching to start from. `[N, 4]`
        rule: Which pairs swap: see the module's page.
        most_sweeps: Sweeps after which it ends in any case, at least 1.

    Raises:
        ValueError: an unknown rule, no sweeps, channels that overlap one another, or the variant `joint`.
    """
    check_choice("rule", rule, get_args(Rule))
    if not (most_sweeps >= 1 and most_sweeps == int(most_sweeps)):
        raise ValueError(f"most_sweeps = {most_sweeps}: must be a whole number of at least 1")
    state = _state(closed_form, points)
    swaps = [_sweep(state, rule == "literal", MARGIN_BITS_PER_MJ)]
    while swaps[-1] > 0 and len(swaps) < most_sweeps:
        swaps.append(_sweep(state, rule == "literal", MARGIN_BITS_PER_MJ))
    matched = points.copy()
    matched[:, CHANNEL] = state.channel
    return MatchingResult(matched, int(sum(swaps)), len(swaps), bool(swaps[-1] == 0))


def blocking_pairs(closed_form: Rayleigh, points: NDArray[np.int16]) -> NDArray[np.int64]:
    """Pairs by whose swap at least one of the two and their channels gains and none loses; no pair: stable. `[P, 2]`

    Source: MMALoRa, Definitions 3 and 4.
    """
    return np.argwhere(np.triu(_blocking(_state(closed_form, points), MARGIN_BITS_PER_MJ)))


class _State(NamedTuple):
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


def _state(closed_form: Rayleigh, points: NDArray[np.int16]) -> _State:
    t = closed_form.tables
    closed_form.product_number()
    closed_form.check_points(points)
    check_named_channels(points)
    if not np.array_equal(t.meets, np.eye(len(t.meets), dtype=np.bool_)):
        raise ValueError("region.channels_hz: channels overlap one another; matching needs channels that do not")
    together, node, channel = points.copy(), np.arange(len(points)), points[:, CHANNEL].astype(np.int64)
    together[:, CHANNEL] = 0
    overlap = reference.overlap(t, together)[..., None]
    survived = 1.0 - overlap * reference.harm(reference.advantage(t, together), closed_form.variant)
    share = np.ascontiguousarray(np.maximum(survived, SMALLEST).swapaxes(0, 1))
    sent_mw = t.tp_mw[points[:, TP]] * t.channel_gain[:, None]
    inside = channel == np.arange(len(t.meets))[:, None]
    quota, place = inside.sum(axis=1), (inside.cumsum(axis=1) - 1)[channel, node]
    members = np.zeros((len(quota), quota.max()), np.int64)
    members[channel, place] = node
    state = _State(
        channel=channel,
        members=members,
        quota=quota,
        place=place,
        share=share,
        reach=np.exp(-(t.sensitivity_mw[points[:, SF]] / sent_mw)[..., None] / t.gain),
        log_left=np.tensordot(inside.astype(np.float64), np.log(share), axes=1),
        arrival=np.empty((len(quota), *t.gain.shape)),
        bits_per_mj=t.bits_per_mj[node, points[:, SF], points[:, TP]],
        ee=np.zeros(len(points)),
    )
    for c in range(len(quota)):
        _settle(state, c)
    return state


@njit(cache=True, nogil=True)
def _sweep(state, literal, margin):  # type: ignore[no-untyped-def]
    """Try all ordered pairs once; the number of swaps."""
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
def _blocking(state, margin):  # type: ignore[no-untyped-def]
    """Whether pairs are swap-blocking `[N, N]`."""
    blocks = np.zeros((len(state.ee), len(state.ee)), np.bool_)
    for i in range(len(blocks)):
        for j in range(len(blocks)):
            blocks[i, j] = state.channel[i] != state.channel[j] and _blocks(state, i, j, margin)
    return blocks


@njit(cache=True)
def _blocks(state, i, j, margin):  # type: ignore[no-untyped-def]
    """Whether none of i, j and their channels loses by a swap and at least one gains."""
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
def _node_gain(state, i, j):  # type: ignore[no-untyped-def]
    """Gain of node i by a swap with node j."""
    return _ee(state, i, state.channel[j], j, NO_NODE) - state.ee[i]


@njit(cache=True)
def _channel_gain(state, i, j, joined):  # type: ignore[no-untyped-def]
    """Gain of the channel of node i when node j, which gains `joined` itself, takes its place."""
    channel = state.channel[i]
    gain = state.ee[j] + joined - state.ee[i]
    for place in range(state.quota[channel]):
        n = state.members[channel, place]
        if n != i:
            gain += _ee(state, n, channel, i, j) - state.ee[n]
    return gain


@njit(cache=True, inline="always")
def _ee(state, n, channel, leaves, joins):  # type: ignore[no-untyped-def]
    """Energy efficiency of node n in a channel that node `leaves` leaves and node `joins` joins; each may be none."""
    delivery = 0.0
    for g in range(state.arrival.shape[2]):
        arrival = state.arrival[channel, n, g]
        if leaves != NO_NODE:
            arrival /= state.share[leaves, n, g]
        if joins != NO_NODE:
            arrival *= state.share[joins, n, g]
        delivery += (1.0 - delivery) * arrival
    return state.bits_per_mj[n] * delivery


@njit(cache=True)
def _swap(state, i, j):  # type: ignore[no-untyped-def]
    """Give two nodes each other's channel."""
    one, other = state.channel[i], state.channel[j]
    for n in range(len(state.ee)):
        for g in range(state.reach.shape[2]):
            change = math.log(state.share[j, n, g] / state.share[i, n, g])
            state.log_left[one, n, g] += change
            state.log_left[other, n, g] -= change
    state.channel[i], state.channel[j] = other, one
    state.place[i], state.place[j] = state.place[j], state.place[i]
    state.members[one, state.place[j]], state.members[other, state.place[i]] = j, i
    _settle(state, one)
    _settle(state, other)


@njit(cache=True)
def _settle(state, channel):  # type: ignore[no-untyped-def]
    """Write what arrives in a channel, and the energy efficiency of its nodes."""
    for n in range(len(state.ee)):
        for g in range(state.arrival.shape[2]):
            state.arrival[channel, n, g] = state.reach[channel, n, g] * math.exp(state.log_left[channel, n, g])
    for place in range(state.quota[channel]):
        n = state.members[channel, place]
        state.ee[n] = _ee(state, n, channel, NO_NODE, NO_NODE)
