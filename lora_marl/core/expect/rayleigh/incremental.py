"""The Rayleigh closed form of an allocation, kept up to date while nodes move or swap channels one at a time.

It says what a planner weighs before it decides: the sum of the nodes' energy efficiencies, the node's own, and how far
nodes are below a delivery that is asked for. Tests hold it to a new evaluation of the whole.

What every packet survives at a gateway, `left [N, G]`, is a product over interferers. A move takes one factor out of
each and puts another in: O(N G) a point. In a swap of channels spreading factors and powers stay, so each of the others
has at most two factors out and two in: O(N G). Bounds do not look at whom a node would disturb: O(N G + K G) for K
points. The state keeps logarithms, whose sums lose less over many moves than products do.

Arguments of the compiled functions below the class: `t` the tables, `variant` its number in `kernel`, `least` the
delivery that is asked for, `n` the node whose packets are looked at, `k` the node that moves or interferes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.rayleigh.closed_form import Rayleigh
from lora_marl.core.expect.rayleigh.kernel import SMALLEST, any_gateway, harm

Vector = NDArray[np.float64]

EE_SUM, SHORT, SHORTFALL = 0, 1, 2
"""Sums over nodes: bits/mJ; how many are below the delivery that is asked for; by how much in all."""


class Totals(NamedTuple):
    """Sums over all nodes.

    Attributes:
        ee_sum: Energy efficiency. bits/mJ
        short: Number of nodes below the least delivery.
        shortfall: By how much they are below it in all.
    """

    ee_sum: float
    short: int
    shortfall: float


class Trial(NamedTuple):
    """The outcome of each of some points of a node `[K]`.

    Attributes:
        ee_sum: Energy efficiency of all nodes. bits/mJ
        ee: Energy efficiency of the node. bits/mJ
        delivery: Delivery of the node.
        short: Number of nodes below the least delivery.
        shortfall: By how much they are below it in all.
    """

    ee_sum: Vector
    ee: Vector
    delivery: Vector
    short: NDArray[np.int64]
    shortfall: Vector


class Swap(NamedTuple):
    """The outcome of a swap of two nodes' channels.

    Attributes:
        totals: Sums over all nodes.
        ee: Energy efficiency of the two nodes. `[2]` bits/mJ
        channel_ee: Sum over the nodes that the first one's and the second one's old channel would have. `[2]` bits/mJ
        delivery: Delivery of all nodes. `[N]`
    """

    totals: Totals
    ee: Vector
    channel_ee: Vector
    delivery: Vector


class _State(NamedTuple):
    """Arrays that change with the allocation."""

    points: NDArray[np.int16]  # [N, 4]
    power: Vector  # [N, G], mean received power, mW
    reach: Vector  # [N, G], probability to reach the sensitivity
    log_left: Vector  # [N, G]
    left: Vector  # [N, G]
    delivery: Vector  # [N]


class RayleighIncremental:
    """An allocation with its deliveries and sums, which follow moves and swaps.

    Args:
        closed_form: Of the scenario; `expect` or `meang`.
        points: The allocation to start from. `[N, 4]`
        least_delivery: Delivery that every node should reach, the D_th of MMALoRa (15b). 0 to 1

    Raises:
        ValueError: `joint`, whose D_ik are no products over interferers that could be kept.
    """

    def __init__(self, closed_form: Rayleigh, points: NDArray[np.int16], *, least_delivery: float = 0.0) -> None:
        self._number, self._tables, self._least = closed_form.product_number(), closed_form.tables, least_delivery
        closed_form.check_points(points)
        power, reach, log_left, left = np.zeros((4, *self._tables.gain.shape))
        self._state = _State(points.copy(), power, reach, log_left, left, np.zeros(len(points)))
        _begin(self._tables, self._number, self._state)

    @property
    def points(self) -> NDArray[np.int16]:
        """The allocation `[N, 4]`."""
        return self._state.points.copy()

    @property
    def delivery(self) -> Vector:
        """Probability that a packet of each node is delivered `[N]`."""
        return self._state.delivery.copy()

    @property
    def ee_bits_per_mj(self) -> Vector:
        """Energy efficiency of each node; 0 for nodes that are off `[N]`. bits/mJ"""
        sf, _, _, tp = self._state.points.T
        return np.asarray(self._tables.bits_per_mj[np.arange(len(sf)), sf, tp] * self._state.delivery)

    @property
    def channel_ee(self) -> Vector:
        """Sum of the energy efficiencies in each channel `[C]`. bits/mJ"""
        sums = np.bincount(self._state.points[:, 2], self.ee_bits_per_mj, len(self._tables.meets))
        return sums.astype(np.float64)

    def totals(self) -> Totals:
        """Sums over all nodes."""
        return _named(_sums(self._tables, self._state, self._least))

    def try_points(self, node: int, candidates: NDArray[np.int16]) -> Trial:
        """The outcome of each of some points `[K, 4]` of a node, all others staying as they are."""
        return self._trial(node, candidates, disturbed=True)

    def bounds(self, node: int, candidates: NDArray[np.int16]) -> Trial:
        """The outcome as if the node and the others did not disturb each other: `try_points` is never better."""
        return self._trial(node, candidates, disturbed=False)

    def try_swap(self, first: int, second: int) -> Swap:
        """The outcome of a swap of two nodes' channels."""
        sums, channel_ee, delivery = _try_swap(self._tables, self._number, self._state, first, second, self._least)
        ee = [self._bits_per_mj(node) * delivery[node] for node in (first, second)]
        return Swap(_named(sums), np.array(ee), channel_ee, delivery)

    def move(self, node: int, point: NDArray[np.int16]) -> None:
        """Give a node another point `[4]`."""
        _move(self._tables, self._number, self._state, node, point)

    def swap(self, first: int, second: int) -> None:
        """Give two nodes each other's channel."""
        one, other = self._state.points[first].copy(), self._state.points[second].copy()
        one[2], other[2] = other[2], one[2]
        self.move(first, one)
        self.move(second, other)

    def _trial(self, node: int, candidates: NDArray[np.int16], *, disturbed: bool) -> Trial:
        sums, delivery = _try_points(self._tables, self._number, self._state, node, candidates, self._least, disturbed)
        ee = self._tables.bits_per_mj[node, candidates[:, 0], candidates[:, 3]] * delivery
        short = np.rint(sums[:, SHORT]).astype(np.int64)
        return Trial(sums[:, EE_SUM], ee, delivery, short, sums[:, SHORTFALL])

    def _bits_per_mj(self, node: int) -> float:
        sf, _, _, tp = self._state.points[node]
        return float(self._tables.bits_per_mj[node, sf, tp])


def _named(sums: Vector) -> Totals:
    return Totals(float(sums[EE_SUM]), round(sums[SHORT]), float(sums[SHORTFALL]))


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


@njit(nogil=True)
def _sums(t, state, least):  # type: ignore[no-untyped-def]
    """The sums of the allocation `[3]`."""
    sums = np.zeros(3)
    for n in range(len(state.points)):
        _count(t.bits_per_mj[n, state.points[n, 0], state.points[n, 3]], state.delivery[n], least, 1.0, sums)
    return sums


@njit(nogil=True, error_model="numpy")
def _begin(t, variant, state):  # type: ignore[no-untyped-def]
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


@njit(nogil=True)
def _settle(state, n):  # type: ignore[no-untyped-def]
    """Write a node's delivery from the logarithms of what its packets survive."""
    delivery = 0.0
    for g in range(state.left.shape[1]):
        state.left[n, g] = math.exp(state.log_left[n, g])
        delivery += (1.0 - delivery) * state.left[n, g] * state.reach[n, g]
    state.delivery[n] = delivery


@njit(nogil=True, error_model="numpy")
def _move(t, variant, state, k, point):  # type: ignore[no-untyped-def]
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
def _try_points(t, variant, state, k, candidates, least, disturbed):  # type: ignore[no-untyped-def]
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
def _try_swap(t, variant, state, i, j, least):  # type: ignore[no-untyped-def]
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
