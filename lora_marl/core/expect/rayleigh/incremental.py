"""The Rayleigh closed form of an allocation, kept up to date while nodes change one at a time: for planners.

What a planner may weigh before it decides: the sum of the nodes' energy efficiencies, the node's own, and how far
nodes are below a delivery that is asked for. Held to the plain statement of the whole.

What one node's change could do at best, without a look at whom it would disturb; compiled, O(N G + K G) a node.

What one node's change does to everybody; compiled, O(N G) a point.

What every packet survives at a gateway, `left [N, G]`, is a product over interferers. A change takes one factor out of
each and puts another in. The state keeps logarithms, whose sums lose less over many moves than products do.

What a swap of two nodes' channels does to everybody; compiled, O(N G).

Their spreading factors and powers stay, so that each of the others has at most two factors out and two in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.rayleigh.closed_form import Rayleigh
from lora_marl.core.expect.rayleigh.kernel import SMALLEST, any_gateway, harm


@njit(nogil=True, error_model="numpy")
def bounds(t, variant, state, k, candidates, least):  # type: ignore[no-untyped-def]
    """Sums `[K, 3]` and the node's delivery `[K]` if node k met nobody at any of some points, nor anybody it."""
    _, alone = without(t, variant, state, k)
    base = np.zeros(3)
    for n in range(len(alone)):
        if n != k:
            book(t.bits_per_mj[n, state.points[n, 0], state.points[n, 3]], alone[n], least, 1.0, base)
    sums, delivery = np.empty((len(candidates), 3)), np.empty(len(candidates))
    power, reach = np.empty(state.power.shape[1]), np.empty(state.power.shape[1])
    for c in range(len(candidates)):
        sf, channel, tp = candidates[c, 0], candidates[c, 2], candidates[c, 3]
        link(t, k, sf, channel, tp, power, reach)
        delivery[c] = any_gateway(reach)
        sums[c] = base
        book(t.bits_per_mj[k, sf, tp], delivery[c], least, 1.0, sums[c])
    return sums, delivery


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


Vector = NDArray[np.float64]


class Trial(NamedTuple):
    """What would come of each of some points of a node `[K]`.

    Attributes:
        ee_sum: Of all nodes. bits/mJ
        ee: The node's own. bits/mJ
        delivery: The node's own.
        short: How many nodes are below the least delivery.
        shortfall: By how much in all.
    """

    ee_sum: Vector
    ee: Vector
    delivery: Vector
    short: NDArray[np.int64]
    shortfall: Vector


class Totals(NamedTuple):
    """Sums over all nodes; see `Trial`."""

    ee_sum: float
    short: int
    shortfall: float


class Swap(NamedTuple):
    """What would come of two nodes' having each other's channel.

    Attributes:
        totals: Over all nodes.
        ee: Of the two nodes. `[2]` bits/mJ
        channel_ee: Sum over the nodes that the first one's and the second one's old channel would have. `[2]` bits/mJ
        delivery: Of all nodes. `[N]`
    """

    totals: Totals
    ee: Vector
    channel_ee: Vector
    delivery: Vector


class RayleighIncremental:
    """An allocation and what comes of it.

    Args:
        closed_form: Of the scenario; `expect` or `meang`.
        points: The allocation to begin with. `[N, 4]`
        least_delivery: What every node should reach, the D_th of MMALoRa (15b).

    Raises:
        ValueError: `joint`, which has no product over gateways to keep.
    """

    def __init__(self, closed_form: Rayleigh, points: NDArray[np.int16], *, least_delivery: float = 0.0) -> None:
        self._number, self._tables, self._least = closed_form.product_number(), closed_form.tables, least_delivery
        closed_form.check_points(points)
        power, reach, log_left, left = np.zeros((4, *self._tables.gain.shape))
        self._state = State(points.copy(), power, reach, log_left, left, np.zeros(len(points)))
        begin(self._tables, self._number, self._state)

    @property
    def points(self) -> NDArray[np.int16]:
        """The allocation `[N, 4]`."""
        return self._state.points.copy()

    @property
    def delivery(self) -> Vector:
        """Of each node `[N]`."""
        return self._state.delivery.copy()

    @property
    def ee_bits_per_mj(self) -> Vector:
        """Of each node; 0 for nodes that are off `[N]`. bits/mJ"""
        return self._ee(self._state.delivery)

    @property
    def channel_ee(self) -> Vector:
        """Sum over the nodes of each channel `[C]`. bits/mJ"""
        by_channel = np.bincount(self._state.points[:, 2], self.ee_bits_per_mj, len(self._tables.meets))
        return by_channel.astype(np.float64)

    def totals(self) -> Totals:
        """Sums over all nodes."""
        return _totals(sums_of(self._tables, self._state, self._least))

    def try_points(self, node: int, candidates: NDArray[np.int16]) -> Trial:
        """What would come of each of some points `[K, 4]` of a node, everybody else staying as is."""
        tried = try_points(self._tables, self._number, self._state, node, candidates, self._least)
        return self._trial(node, candidates, *tried)

    def bounds(self, node: int, candidates: NDArray[np.int16]) -> Trial:
        """The same as if neither the node nor the others disturbed each other: `try_points` is never better."""
        most = bounds(self._tables, self._number, self._state, node, candidates, self._least)
        return self._trial(node, candidates, *most)

    def try_swap(self, first: int, second: int) -> Swap:
        """What would come of two nodes' having each other's channel."""
        sums, channel_ee, delivery = try_swap(self._tables, self._number, self._state, first, second, self._least)
        ee = [self._bits_per_mj(node) * delivery[node] for node in (first, second)]
        return Swap(_totals(sums), np.array(ee), channel_ee, delivery)

    def move(self, node: int, point: NDArray[np.int16]) -> None:
        """Give a node another point `[4]`."""
        move(self._tables, self._number, self._state, node, point)

    def swap(self, first: int, second: int) -> None:
        """Give two nodes each other's channel."""
        one, other = self._state.points[first].copy(), self._state.points[second].copy()
        one[2], other[2] = other[2], one[2]
        self.move(first, one)
        self.move(second, other)

    def _trial(self, node: int, candidates: NDArray[np.int16], sums: Vector, delivery: Vector) -> Trial:
        ee = self._tables.bits_per_mj[node, candidates[:, 0], candidates[:, 3]] * delivery
        short = np.rint(sums[:, SHORT]).astype(np.int64)
        return Trial(sums[:, EE_SUM], ee, delivery, short, sums[:, SHORTFALL])

    def _bits_per_mj(self, node: int) -> float:
        sf, _, _, tp = self._state.points[node]
        return float(self._tables.bits_per_mj[node, sf, tp])

    def _ee(self, delivery: Vector) -> Vector:
        sf, _, _, tp = self._state.points.T
        return np.asarray(self._tables.bits_per_mj[np.arange(len(sf)), sf, tp] * delivery)


def _totals(sums: Vector) -> Totals:
    return Totals(float(sums[EE_SUM]), round(sums[SHORT]), float(sums[SHORTFALL]))
