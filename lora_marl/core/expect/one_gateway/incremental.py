"""The closed form of one gateway, kept up to date while one node at a time changes its operating point.

The logarithms of what every packet survives, `survival [N, Q]`, are sums over interferers, so a change of one node
takes one term out of each sum and adds another: O(N Q) in place of O(N^2 Q). `try_points` does so for many points of a
node without choosing one. Tests compare it with `OneGateway.expect`, its reference.

Below the class are the compiled functions; they share a file so that the compiler's disk cache notices every edit.
Their arguments: `t` the tables, `n` the node whose packets are looked at, `k` an interferer. Letters as in
`closed_form.Tables`, and `K` candidate points of a node.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.expectation import BITS, DELIVERED, ENERGY, PACKETS
from lora_marl.core.expect.integrals import SMALLEST, normal_cdf
from lora_marl.core.expect.one_gateway.closed_form import COUNT, LOADS, SINR, SIR, OneGateway, Tables
from lora_marl.core.expect.physics import check_named_channels
from lora_marl.core.random import normal_quantile

_NEVER = -8.0
"""Below so many standard deviations no packet is lost: Phi is 6e-16."""

Vector = NDArray[np.float64]
Point = NDArray[np.int16]


class _Levels(NamedTuple):
    """Powers at which packets are received."""

    reached: Vector  # [M], probability to reach the floor
    x_dbm: Vector  # [M, Q]
    limit_dbm: Vector  # [M, Q], interference that lowers the SINR to what is needed


class _State(NamedTuple):
    """Arrays that change with the allocation."""

    points: NDArray[np.int16]  # [N, 4]
    reached: Vector  # [N], probability to reach the floor
    x_dbm: Vector  # [N, Q]
    limit_dbm: Vector  # [N, Q], interference that lowers the SINR to what is needed
    survival: Vector  # [N, Q], logarithms


class OneGatewayIncremental:
    """An allocation and its totals, which follow the moves of single nodes.

    Args:
        closed_form: Of the scenario.
        points: The allocation to start from. `[N, 4]`
    """

    def __init__(self, closed_form: OneGateway, points: NDArray[np.int16]) -> None:
        check_named_channels(points)
        self._tables, self._region = closed_form.tables, closed_form.scenario.region
        points = self._region.as_sent(points.astype(np.int16))
        levels = _levels(self._tables, np.arange(len(points)), points)
        self._state = _State(points, *levels, np.zeros_like(levels.x_dbm))
        self._without_node: tuple[int, Vector] | None = None
        for node in range(len(points)):
            _change_others(self._tables, self._state, node, 1.0)

    @property
    def points(self) -> NDArray[np.int16]:
        """The allocation `[N, 4]`."""
        return self._state.points.copy()

    def totals(self) -> Vector:
        """Packets, packets delivered, bits delivered and mJ, all per second, over all nodes `[4]`."""
        return _totals(self._tables, self._state)

    def try_points(self, node: int, candidates: NDArray[np.int16]) -> Vector:
        """The totals if a node used each of some points `[K, 4]`, all others staying as they are: `[K, 4]`."""
        candidates = self._region.as_sent(candidates)
        levels = self._levels_of(node, candidates)
        return _try_points(self._tables, self._state, self._without(node), node, candidates, levels)

    def bounds(self, node: int, candidates: NDArray[np.int16]) -> Vector:
        """Totals `[K, 4]` as if the node and the others did not disturb each other: `try_points` never has more."""
        candidates = self._region.as_sent(candidates)
        reached = self._levels_of(node, candidates).reached
        return _bounds(self._tables, self._state, self._without(node), node, candidates, reached)

    def move(self, node: int, point: Point) -> None:
        """Give a node another point `[4]`."""
        self._without_node, state = None, self._state
        _change_others(self._tables, state, node, -1.0)
        state.points[node] = self._region.as_sent(np.asarray(point, np.int16))
        levels = self._levels_of(node, state.points[node : node + 1])
        state.reached[node], state.x_dbm[node], state.limit_dbm[node] = (row[0] for row in levels)
        _change_others(self._tables, state, node, 1.0)
        _rebuild(self._tables, state, node)

    def _levels_of(self, node: int, points: NDArray[np.int16]) -> _Levels:
        return _levels(self._tables, np.full(len(points), node), points)

    def _without(self, node: int) -> Vector:
        """Survival of packets of others without a node's interference `[N, Q]`."""
        if self._without_node is None or self._without_node[0] != node:
            self._without_node = node, _survival_without(self._tables, self._state, node)
        return self._without_node[1]


@njit(nogil=True)  # no disk cache: it would not notice an edited generator
def _levels(t: Tables, nodes: NDArray[np.intp], points: NDArray[np.int16]) -> _Levels:
    """The levels of packets of certain nodes `[M]` with points `[M, 4]`."""
    shape = len(points), len(t.levels)
    reached, x_dbm, limit_dbm = np.empty(len(points)), np.empty(shape), np.zeros(shape)
    for m in range(len(points)):
        sf, bw = points[m, 0], points[m, 1]
        mean_dbm = _mean_dbm(t, nodes[m], points[m])
        reached[m] = 1.0 - _cdf(t.floor_dbm[sf, bw] - mean_dbm, t.sigma_db)
        for q in range(shape[1]):
            x_dbm[m, q] = mean_dbm
            if t.sigma_db > 0.0:
                part = 1.0 - reached[m] + reached[m] * t.levels[q]
                x_dbm[m, q] += t.sigma_db * normal_quantile(min(max(part, 1e-15), 1.0 - 1e-15))
            if t.mode == SINR or (t.mode == SIR and len(t.noise_mw) > 1):
                left_mw = 10.0 ** (x_dbm[m, q] / 10.0) / t.sinr_ratio[sf] - t.noise_mw[bw]
                limit_dbm[m, q] = 10.0 * math.log10(max(left_mw, 1e-30)) if left_mw > 0.0 else -np.inf
    return _Levels(reached, x_dbm, limit_dbm)


@njit(cache=True, inline="always")
def _cdf(difference: float, sigma: float) -> float:
    if sigma == 0.0:
        return 1.0 if difference > 0.0 else 0.0
    return normal_cdf(difference / sigma)


@njit(cache=True, inline="always")
def _mean_dbm(t: Tables, n: int, point: Point) -> float:
    return t.gain_db[n] + t.tp_dbm[point[3]] - t.channel_loss_db[point[2]]


@njit(cache=True, inline="always")
def _busy(t: Tables, n: int, point: Point) -> float:
    """Share of time that a node sends."""
    airtime_s = t.airtime_s[n, point[0], point[1]]
    return min(airtime_s / (t.interval_s[n] + t.airtimes * airtime_s), 1.0)


@njit(cache=True, nogil=True)
def _load(t: Tables, state: _State) -> float:
    """Mean number of nodes that send."""
    load = 0.0
    for n in range(len(state.points)):
        load += _busy(t, n, state.points[n])
    return load


@njit(cache=True, inline="always")
def _few(t: Tables, sf: int, load: float) -> float:
    """Probability that few enough others are on the air."""
    if t.mode != COUNT:
        return 1.0
    place = min(load / t.load_step, LOADS - 1e-9)
    low = int(place)
    return t.few[sf, low] + (place - low) * (t.few[sf, low + 1] - t.few[sf, low])


@njit(cache=True, inline="always")
def _harm(t: Tables, n: int, point: Point, k: int, other: Point) -> tuple[float, float, bool]:
    """Harm of packets of node `k` with point `other` to those of node `n` with `point`, but for their power.

    The probability of overlapping (0: no harm), dB that count on top of the interferer's power, and whether the limit
    is of the SINR.
    """
    collides = point[0] == other[0] and (point[1] == other[1] or not t.equal_bw)
    if n == k or not t.overlaps[point[2], point[1], other[2], other[1]]:
        return 0.0, 0.0, False
    if not collides and t.mode != SINR and t.mode != SIR:
        return 0.0, 0.0, False
    busy = _busy(t, k, other)
    window_s = max(t.airtime_s[n, point[0], point[1]] - t.spared_s[point[0], point[1]], 0.0)
    silent_s = t.interval_s[k] + max(t.airtimes - 1.0, 0.0) * t.airtime_s[k, other[0], other[1]]
    hit = busy - (1.0 - busy) * math.expm1(-window_s / silent_s)
    if collides:
        return hit, t.capture_db, False
    if t.mode == SIR and point[1] == other[1]:
        return hit, t.sir_db[point[0], other[0]], False
    return hit, 0.0, True


@njit(cache=True, nogil=True)
def _shares(hit: float, loud_dbm: float, limits_dbm: Vector, sigma_db: float, shares: Vector) -> bool:
    """Write the shares of packets that survive an interferer, by level with its limit `[Q]`.

    False: all packets survive, and nothing is written.
    """
    if hit == 0.0 or loud_dbm - limits_dbm[0] < _NEVER * sigma_db:  # the first level is the weakest
        return False
    if sigma_db == 0.0:
        shares[:] = max(1.0 - hit * (loud_dbm > limits_dbm[0]), SMALLEST)
        return True
    scale = 1.0 / sigma_db
    for q in range(len(shares)):
        share = 1.0 - hit * normal_cdf((loud_dbm - limits_dbm[q]) * scale)
        shares[q] = share if share > SMALLEST else SMALLEST
    return True


@njit(cache=True, nogil=True)
def _shares_of(
    t: Tables, n: int, point: Point, x_dbm: Vector, limit_dbm: Vector, k: int, other: Point, shares: Vector
) -> bool:
    """Write the shares of packets of node `n` that survive node `k` `[Q]`; False: all."""
    hit, needed_db, of_sinr = _harm(t, n, point, k, other)
    limits_dbm = limit_dbm if of_sinr else x_dbm
    return _shares(hit, _mean_dbm(t, k, other) + needed_db, limits_dbm, t.sigma_db, shares)


@njit(cache=True, nogil=True)
def _add(t: Tables, state: _State, n: int, k: int, sign: float, shares: Vector) -> None:
    """Add (or, with a sign of -1, take out) what node `k` does to packets of node `n`; `shares` `[Q]` is scratch."""
    if _shares_of(t, n, state.points[n], state.x_dbm[n], state.limit_dbm[n], k, state.points[k], shares):
        for q in range(len(shares)):
            state.survival[n, q] += sign * math.log(shares[q])


@njit(cache=True, nogil=True)
def _change_others(t: Tables, state: _State, k: int, sign: float) -> None:
    """Add or take out what node `k` does to all others."""
    shares = np.empty(state.x_dbm.shape[1])
    for n in range(len(state.points)):
        _add(t, state, n, k, sign, shares)


@njit(cache=True, nogil=True)
def _rebuild(t: Tables, state: _State, n: int) -> None:
    """Sum up again what all others do to node `n`."""
    shares = np.empty(state.x_dbm.shape[1])
    state.survival[n] = 0.0
    for k in range(len(state.points)):
        _add(t, state, n, k, 1.0, shares)


@njit(cache=True, nogil=True)
def _survival_without(t: Tables, state: _State, k: int) -> Vector:
    """Survival of packets of others without node `k` `[N, Q]`."""
    survival = np.exp(state.survival)
    shares = np.empty(survival.shape[1])
    for n in range(len(survival)):
        if _shares_of(t, n, state.points[n], state.x_dbm[n], state.limit_dbm[n], k, state.points[k], shares):
            survival[n] /= shares
    return survival


@njit(cache=True, nogil=True)
def _count(t: Tables, n: int, point: Point, delivery: float, totals: Vector) -> None:
    """Add a node's packets to the totals."""
    airtime_s = t.airtime_s[n, point[0], point[1]]
    rate = 1.0 / (t.interval_s[n] + t.airtimes * airtime_s)
    totals[PACKETS] += rate
    totals[DELIVERED] += rate * delivery
    totals[BITS] += rate * delivery * t.bits[n]
    totals[ENERGY] += rate * (t.tp_mw[point[3]] * airtime_s + t.windows_mj[point[0], point[1]]) + t.sleep_mw


@njit(cache=True, nogil=True)
def _totals(t: Tables, state: _State) -> Vector:
    """Packets, packets delivered, bits delivered and mJ, all per second, over all nodes `[4]`."""
    totals = np.zeros(4)
    load = _load(t, state)
    for n in range(len(state.points)):
        others_load = load - _busy(t, n, state.points[n])
        delivery = state.reached[n] * np.exp(state.survival[n]).mean() * _few(t, state.points[n, 0], others_load)
        _count(t, n, state.points[n], delivery, totals)
    return totals


@njit(cache=True, nogil=True)
def _others(t: Tables, state: _State, survival: Vector, k: int) -> tuple[Vector, Vector, float]:
    """Delivery of the others without node `k` `[N]`, their totals `[4]`, and their load."""
    delivery, totals = np.zeros(len(survival)), np.zeros(4)
    load = _load(t, state) - _busy(t, k, state.points[k])
    for n in range(len(survival)):
        if n != k:
            point = state.points[n]
            few = _few(t, point[0], load - _busy(t, n, point))
            delivery[n] = state.reached[n] * survival[n].mean() * few
            _count(t, n, point, delivery[n], totals)
    return delivery, totals, load


@njit(cache=True, nogil=True)
def _bounds(
    t: Tables, state: _State, survival: Vector, k: int, candidates: NDArray[np.int16], reached: Vector
) -> Vector:
    """The totals `[K, 4]` if node `k` and the others did not disturb each other."""
    _, of_others, _ = _others(t, state, survival, k)
    totals = np.empty((len(candidates), 4))
    for c in range(len(candidates)):
        totals[c] = of_others
        _count(t, k, candidates[c], reached[c], totals[c])
    return totals


@njit(cache=True, nogil=True)
def _try_points(
    t: Tables, state: _State, survival: Vector, k: int, candidates: NDArray[np.int16], levels: _Levels
) -> Vector:
    """The totals `[K, 4]` of every candidate of node `k`; `survival` is without it.

    What does not depend on the candidate's power is computed once for successive candidates that share the rest.
    """
    (nodes, depth), count = survival.shape, len(candidates)
    undisturbed, of_others, load = _others(t, state, survival, k)
    totals, loud_dbm = np.empty((count, 4)), np.empty(count)
    own_survival, fresh, shares = np.ones((count, depth)), np.ones(count, np.bool_), np.empty(depth)
    for c in range(count):
        totals[c], loud_dbm[c] = of_others, _mean_dbm(t, k, candidates[c])
        fresh[c] = c == 0 or np.any(candidates[c, :3] != candidates[c - 1, :3])
    for n in range(nodes):
        if n == k:
            continue
        point = state.points[n]
        mean_dbm, others_load = _mean_dbm(t, n, point), load - _busy(t, n, point)
        rate = 1.0 / (t.interval_s[n] + t.airtimes * t.airtime_s[n, point[0], point[1]])
        for c in range(count):
            if fresh[c]:
                on_k, on_n = _harm(t, k, candidates[c], n, point), _harm(t, n, point, k, candidates[c])
                few = _few(t, point[0], others_load + _busy(t, k, candidates[c]))
                limits_dbm = state.limit_dbm[n] if on_n[2] else state.x_dbm[n]
            own_limits_dbm = levels.limit_dbm[c] if on_k[2] else levels.x_dbm[c]
            if _shares(on_k[0], mean_dbm + on_k[1], own_limits_dbm, t.sigma_db, shares):
                for q in range(depth):
                    own_survival[c, q] *= shares[q]
            if _shares(on_n[0], loud_dbm[c] + on_n[1], limits_dbm, t.sigma_db, shares):
                left = 0.0
                for q in range(depth):
                    left += survival[n, q] * shares[q]
                gained = rate * (state.reached[n] * few * left / depth - undisturbed[n])
            elif t.mode == COUNT:
                gained = rate * (state.reached[n] * few * survival[n].mean() - undisturbed[n])
            else:
                continue
            totals[c, DELIVERED] += gained
            totals[c, BITS] += gained * t.bits[n]
    for c in range(count):
        delivery = levels.reached[c] * own_survival[c].mean() * _few(t, candidates[c, 0], load)
        _count(t, k, candidates[c], delivery, totals[c])
    return totals
