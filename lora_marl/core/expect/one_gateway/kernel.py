"""Kernels of `incremental`: what pairs of nodes do to each other, and the sums over all.

They share a file so that the compiler's disk cache notices every edit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.expectation import BITS, DELIVERED, ENERGY, PACKETS
from lora_marl.core.expect.integrals import normal_cdf
from lora_marl.core.expect.one_gateway.closed_form import COUNT, LOADS, SINR, SIR, Tables
from lora_marl.core.random import normal_quantile

_SMALLEST = 1e-300
_NEVER = -8.0
"""Below so many standard deviations no packet is lost: Phi is 6e-16."""


class Levels(NamedTuple):
    """Powers at which packets are received."""

    reached: NDArray[np.float64]  # [M], probability to reach the floor
    x_dbm: NDArray[np.float64]  # [M, Q]
    limit_dbm: NDArray[np.float64]  # [M, Q], interference that lowers the SINR to what is needed


class State(NamedTuple):
    """What changes with the allocation."""

    points: NDArray[np.int16]  # [N, 4]
    reached: NDArray[np.float64]  # [N], probability to reach the floor
    x_dbm: NDArray[np.float64]  # [N, Q]
    limit_dbm: NDArray[np.float64]  # [N, Q], interference that lowers the SINR to what is needed
    survival: NDArray[np.float64]  # [N, Q], logarithms


@njit(cache=True, inline="always")
def _cdf(difference: float, sigma: float) -> float:
    if sigma == 0.0:
        return 1.0 if difference > 0.0 else 0.0
    return normal_cdf(difference / sigma)


@njit(cache=True, inline="always")
def _mean_dbm(t: Tables, n: int, point: NDArray[np.int16]) -> float:
    return t.gain_db[n] + t.tp_dbm[point[3]] - t.channel_loss_db[point[2]]


@njit(cache=True, inline="always")
def _busy(t: Tables, n: int, point: NDArray[np.int16]) -> float:
    airtime_s = t.airtime_s[n, point[0], point[1]]
    return min(airtime_s / (t.interval_s[n] + t.airtimes * airtime_s), 1.0)


@njit(nogil=True)  # no disk cache: it would not notice an edited generator
def levels(t: Tables, nodes: NDArray[np.intp], points: NDArray[np.int16]) -> Levels:
    """Of packets of certain nodes `[M]` with points `[M, 4]`."""
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
            if t.mode == SINR:
                left_mw = 10.0 ** (x_dbm[m, q] / 10.0) / t.sinr_ratio[sf] - t.noise_mw[bw]
                limit_dbm[m, q] = 10.0 * math.log10(max(left_mw, 1e-30)) if left_mw > 0.0 else -np.inf
    return Levels(reached, x_dbm, limit_dbm)


@njit(cache=True, inline="always")
def _harm(t: Tables, n: int, own: NDArray[np.int16], k: int, other: NDArray[np.int16]) -> tuple[float, float, bool]:
    """What packets of node `k` can do to those of node `n`, but for its power.

    The probability of overlapping (0: no harm), dB of power that count on top, and whether the limit is of the SINR.
    """
    collides = own[0] == other[0] and (own[1] == other[1] or not t.equal_bw)
    if n == k or not t.overlaps[own[2], own[1], other[2], other[1]]:
        return 0.0, 0.0, False
    if not collides and t.mode != SINR and t.mode != SIR:
        return 0.0, 0.0, False
    busy = _busy(t, k, other)
    window_s = max(t.airtime_s[n, own[0], own[1]] - t.spared_s[own[0], own[1]], 0.0)
    silent_s = t.interval_s[k] + max(t.airtimes - 1.0, 0.0) * t.airtime_s[k, other[0], other[1]]
    hit = busy - (1.0 - busy) * math.expm1(-window_s / silent_s)
    if collides:
        return hit, t.capture_db, False
    return (hit, t.sir_db[own[0], other[0]], False) if t.mode == SIR else (hit, 0.0, True)


@njit(cache=True, nogil=True)
def _spares(
    hit: float, loud_dbm: float, limits_dbm: NDArray[np.float64], sigma_db: float, spared: NDArray[np.float64]
) -> bool:
    """Write what an interferer leaves of packets whose levels have limits `[Q]`; False: all, and nothing is written."""
    if hit == 0.0 or loud_dbm - limits_dbm[0] < _NEVER * sigma_db:  # the first level is the weakest
        return False
    if sigma_db == 0.0:
        spared[:] = max(1.0 - hit * (loud_dbm > limits_dbm[0]), _SMALLEST)
        return True
    scale = 1.0 / sigma_db
    for q in range(len(spared)):
        left = 1.0 - hit * normal_cdf((loud_dbm - limits_dbm[q]) * scale)
        spared[q] = left if left > _SMALLEST else _SMALLEST
    return True


@njit(cache=True, nogil=True)
def _spares_of(
    t: Tables, n: int, own: NDArray[np.int16], x_dbm: NDArray[np.float64], limit_dbm: NDArray[np.float64],
    k: int, other: NDArray[np.int16], spared: NDArray[np.float64],
) -> bool:  # fmt: skip
    """The same of packets of node `n` and interferer `k`."""
    hit, needed_db, linear = _harm(t, n, own, k, other)
    limits_dbm = limit_dbm if linear else x_dbm
    return _spares(hit, _mean_dbm(t, k, other) + needed_db, limits_dbm, t.sigma_db, spared)


@njit(cache=True, nogil=True)
def _add(
    t: Tables, n: int, own: NDArray[np.int16], x_dbm: NDArray[np.float64], limit_dbm: NDArray[np.float64],
    k: int, other: NDArray[np.int16], sign: float, survival: NDArray[np.float64], spared: NDArray[np.float64],
) -> None:  # fmt: skip
    """Add (or, with a sign of -1, take out) what node `k` does to packets of node `n` `[Q]`; `spared` is room."""
    if _spares_of(t, n, own, x_dbm, limit_dbm, k, other, spared):
        for q in range(len(survival)):
            survival[q] += sign * math.log(spared[q])


@njit(cache=True, inline="always")
def _few(t: Tables, sf: int, load: float) -> float:
    """Probability that few enough others are on the air."""
    if t.mode != COUNT:
        return 1.0
    place = min(load / t.load_step, LOADS - 1e-9)
    low = int(place)
    return t.few[sf, low] + (place - low) * (t.few[sf, low + 1] - t.few[sf, low])


@njit(cache=True, nogil=True)
def _book(t: Tables, n: int, point: NDArray[np.int16], delivery: float, totals: NDArray[np.float64]) -> None:
    airtime_s = t.airtime_s[n, point[0], point[1]]
    rate = 1.0 / (t.interval_s[n] + t.airtimes * airtime_s)
    totals[PACKETS] += rate
    totals[DELIVERED] += rate * delivery
    totals[BITS] += rate * delivery * t.bits[n]
    totals[ENERGY] += rate * (t.tp_mw[point[3]] * airtime_s + t.receive_mj)


@njit(cache=True, nogil=True)
def _load(t: Tables, state: State) -> float:
    load = 0.0
    for n in range(len(state.points)):
        load += _busy(t, n, state.points[n])
    return load


@njit(cache=True, nogil=True)
def totals(t: Tables, state: State) -> NDArray[np.float64]:
    """Packets, packets delivered, bits delivered and mJ, all per second, over all nodes `[4]`."""
    totals = np.zeros(4)
    load = _load(t, state)
    for n in range(len(state.points)):
        own = load - _busy(t, n, state.points[n])
        delivery = state.reached[n] * np.exp(state.survival[n]).mean() * _few(t, state.points[n, 0], own)
        _book(t, n, state.points[n], delivery, totals)
    return totals


@njit(cache=True, nogil=True)
def change_others(t: Tables, state: State, k: int, sign: float) -> None:
    """Add or take out what node `k` does to all others."""
    spared = np.empty(state.x_dbm.shape[1])
    for n in range(len(state.points)):
        _add(
            t, n, state.points[n], state.x_dbm[n], state.limit_dbm[n], k, state.points[k], sign, state.survival[n],
            spared,
        )  # fmt: skip


@njit(cache=True, nogil=True)
def rebuild(t: Tables, state: State, k: int) -> None:
    """What all others do to node `k`."""
    spared = np.empty(state.x_dbm.shape[1])
    state.survival[k] = 0.0
    for n in range(len(state.points)):
        _add(
            t, k, state.points[k], state.x_dbm[k], state.limit_dbm[k], n, state.points[n], 1.0, state.survival[k],
            spared,
        )  # fmt: skip


@njit(cache=True, nogil=True)
def without(t: Tables, state: State, k: int) -> NDArray[np.float64]:
    """What packets of others survive without node `k` `[N, Q]`."""
    survival = np.exp(state.survival)
    spared = np.empty(survival.shape[1])
    for n in range(len(survival)):
        own = state.points[n]
        if _spares_of(t, n, own, state.x_dbm[n], state.limit_dbm[n], k, state.points[k], spared):
            survival[n] /= spared
    return survival


@njit(cache=True, nogil=True)
def _others(
    t: Tables, state: State, survival: NDArray[np.float64], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """What the others deliver without node `k` `[N]`, their totals `[4]`, and their load."""
    alone, totals = np.zeros(len(survival)), np.zeros(4)
    load = _load(t, state) - _busy(t, k, state.points[k])
    for n in range(len(survival)):
        if n != k:
            point = state.points[n]
            few = _few(t, point[0], load - _busy(t, n, point))
            alone[n] = state.reached[n] * survival[n].mean() * few
            _book(t, n, point, alone[n], totals)
    return alone, totals, load


@njit(cache=True, nogil=True)
def bounds(
    t: Tables, state: State, survival: NDArray[np.float64], k: int, candidates: NDArray[np.int16],
    reached: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """The totals `[K, 4]` if node `k` and the others did not disturb each other."""
    _, totals, _ = _others(t, state, survival, k)
    found = np.empty((len(candidates), 4))
    for c in range(len(candidates)):
        found[c] = totals
        _book(t, k, candidates[c], reached[c], found[c])
    return found


@njit(cache=True, nogil=True)
def try_points(
    t: Tables, state: State, survival: NDArray[np.float64], k: int, candidates: NDArray[np.int16], tried: Levels
) -> NDArray[np.float64]:
    """The totals of every candidate; what does not depend on its power is computed once for those that share it."""
    (nodes, depth), count = survival.shape, len(candidates)
    alone, totals, load = _others(t, state, survival, k)
    found, loud_dbm = np.empty((count, 4)), np.empty(count)
    mine, fresh, spared = np.ones((count, depth)), np.ones(count, np.bool_), np.empty(depth)
    for c in range(count):
        found[c], loud_dbm[c] = totals, _mean_dbm(t, k, candidates[c])
        fresh[c] = c == 0 or np.any(candidates[c, :3] != candidates[c - 1, :3])
    for n in range(nodes):
        if n == k:
            continue
        other = state.points[n]
        mean_dbm, own_load = _mean_dbm(t, n, other), load - _busy(t, n, other)
        rate = 1.0 / (t.interval_s[n] + t.airtimes * t.airtime_s[n, other[0], other[1]])
        for c in range(count):
            if fresh[c]:
                on_me, on_them = _harm(t, k, candidates[c], n, other), _harm(t, n, other, k, candidates[c])
                few = _few(t, other[0], own_load + _busy(t, k, candidates[c]))
                limits_dbm = state.limit_dbm[n] if on_them[2] else state.x_dbm[n]
            mine_dbm = tried.limit_dbm[c] if on_me[2] else tried.x_dbm[c]
            if _spares(on_me[0], mean_dbm + on_me[1], mine_dbm, t.sigma_db, spared):
                for q in range(depth):
                    mine[c, q] *= spared[q]
            if _spares(on_them[0], loud_dbm[c] + on_them[1], limits_dbm, t.sigma_db, spared):
                left = 0.0
                for q in range(depth):
                    left += survival[n, q] * spared[q]
                gained = rate * (state.reached[n] * few * left / depth - alone[n])
            elif t.mode == COUNT:
                gained = rate * (state.reached[n] * few * survival[n].mean() - alone[n])
            else:
                continue
            found[c, DELIVERED] += gained
            found[c, BITS] += gained * t.bits[n]
    for c in range(count):
        share = tried.reached[c] * mine[c].mean() * _few(t, candidates[c, 0], load)
        _book(t, k, candidates[c], share, found[c])
    return found
