"""Fields of interference: what all nodes together leave of packets, by received power; compiled.

    E[c, g, v, x]   share of packets of kind v, received by gateway g on channel c in bin x, that all nodes leave
    W[c, g, v, x]   value per second of the packets that arrive there, each over its own factor of E

A node's packets of kind v at mean position m are delivered with probability D = sum_x mass(x - m) E[v, x], its own
factor taken out of E. What another node at m' takes from all others is h sum W E cdf(m' - limit), with

    h = b + (1 - b) (1 - exp(-V / g))    a packet of it is on the air at the start of V, or starts within it

V: the victim's airtime without spared symbols; b, g: share of time that the other sends, and its mean silence. So the
cost of trying a move does not grow with the number of nodes. Several gateways count as independent given the node: a
packet's value at one is what the others leave.

The formulas are those of `lora_marl.core.expect.OneGateway`, on bins in place of quantiles.

All compiled functions that share helpers are in this file, so that the compiler's disk cache notices every edit.

Shape letters: `N` nodes, `G` gateways, `C` channels, `V` kinds, `S` spreading factors, `T` powers, `X` bins.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.twin.tables import Tables

FINE = 16
"""`tables.FINE`, repeated as a constant of the compiled code; a test holds them equal."""
LEAST_LEFT = 1e-12
"""Least share that one interferer leaves; E stays above 0, so that the interferer can be taken out again."""
LINEAR, LOGARITHM, WORST = 0, 1, 2
"""How a node's delivery counts: by the packet, by its logarithm, or by a high power of what it loses."""
LOSS_POWER = 3.0
"""The power; a high one would count the worst node alone, and its slope would not hold for a whole move."""
LEAST_DELIVERY = 0.05
"""Delivery below which the logarithm counts this much; nobody can help a node that no gateway hears."""
PACKETS, DELIVERED, ENERGY, BITS = 0, 1, 2, 3
"""Columns of totals per second."""


class Nodes(NamedTuple):
    """What the server believes of the nodes."""

    payload: NDArray[np.int64]  # [N], class
    interval_s: NDArray[np.float64]  # [N], mean gap; infinite for nodes that are off
    gain: NDArray[np.int64]  # [N, G], position of a node's mean power at 0 dBm
    outside: NDArray[np.float64]  # [C, V], share of packets that interference from outside leaves


class Fields(NamedTuple):
    """The fields of an assignment."""

    left: NDArray[np.float64]  # [C, G, V, X], E
    value: NDArray[np.float64]  # [C, G, V, X], W
    share: NDArray[np.float64]  # [N, G], what a packet received by a gateway is worth: nobody else receives it


class Objective(NamedTuple):
    """What an assignment is worth.

    Sum over nodes of rate (weight D - theta) where `shape` is `LINEAR`, else of `_worth`(D), less price times energy
    per second, less `move` for every node that leaves its point in force.
    """

    weight: NDArray[np.float64]  # [N], value of a delivered packet, at the present delivery
    shape: int  # LINEAR, LOGARITHM or WORST
    scale: float  # of the shape WORST: loss of the node that loses most
    theta: float
    price: float  # per mJ
    move: NDArray[np.float64]  # [N]
    allowed: NDArray[np.bool_]  # [S, T]
    movable: NDArray[np.bool_]  # [N]


@njit(cache=True, inline="always")
def _cdf(t: Tables, distance: int) -> float:
    reach = len(t.cdf) // 2
    if distance <= -reach:
        return 0.0
    return 1.0 if distance >= reach else t.cdf[distance + reach]


@njit(cache=True, inline="always")
def _mean(t: Tables, gain: int, tp: int) -> int:
    """Position of a mean received power."""
    return min(gain + t.power[tp], t.top)


@njit(cache=True, inline="always")
def _rate(t: Tables, interval_s: float, v: int) -> float:
    """Packets per second."""
    return 1.0 / (interval_s + t.airtimes * t.airtime_s[v])


@njit(cache=True, inline="always")
def _busy(t: Tables, interval_s: float, v: int) -> float:
    """Share of time that a node sends."""
    return min(t.airtime_s[v] * _rate(t, interval_s, v), 1.0)


@njit(cache=True, inline="always")
def _overlap(t: Tables, window_s: float, interval_s: float, v: int) -> float:
    """Probability h that a packet of kind v overlaps a window."""
    busy = _busy(t, interval_s, v)
    silent_s = interval_s + max(t.airtimes - 1.0, 0.0) * t.airtime_s[v]
    return busy - (1.0 - busy) * math.expm1(-window_s / silent_s)


@njit(cache=True, inline="always")
def _few(t: Tables, sf: int, load: float) -> float:
    """Probability that few enough others are on the air."""
    if not t.counts:
        return 1.0
    place = min(max(load, 0.0) / t.load_step, t.few.shape[1] - 1 - 1e-9)
    low = int(place)
    return t.few[sf, low] + (place - low) * (t.few[sf, low + 1] - t.few[sf, low])


@njit(cache=True, inline="always")
def _first_at_least(limits: NDArray[np.int32], position: int) -> int:
    """First bin whose limit is at least a position; limits do not fall."""
    low, high = 0, len(limits)
    while low < high:
        middle = (low + high) // 2
        if limits[middle] < position:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def _disturb(t: Tables, left, gain, interval_s, v, tp, add):  # type: ignore[no-untyped-def]
    """Put a node's interference into E of its channel `[G, V, X]`, or take it out."""
    factors, bins = len(t.floor), left.shape[2]
    reach = len(t.cdf) // 2
    for victim in range(left.shape[1]):
        hit = _overlap(t, t.window_s[victim], interval_s, v)
        limits = t.limit[victim % factors, v % factors]
        for g in range(len(gain)):
            mean = _mean(t, gain[g], tp)
            for x in range(t.floor[victim % factors], bins):
                if limits[x] >= mean + reach:
                    break
                share = max(1.0 - hit * _cdf(t, mean - limits[x]), LEAST_LEFT)
                if add:
                    left[g, victim, x] *= share
                else:
                    left[g, victim, x] /= share


@njit(cache=True, inline="always")
def _bins(t: Tables, mean: int, sf: int, bins: int) -> tuple[int, int]:
    """First bin that a packet of a mean power may arrive in above the floor, and the one behind the last."""
    reach = len(t.mass) // 2
    first = (mean - reach - FINE // 2) // FINE + 1
    return max(first, t.floor[sf]), min((mean + reach - FINE // 2) // FINE + 1, bins)


@njit(cache=True)
def _arrive(t: Tables, value, gain, interval_s, v, tp, worth_per_s, share):  # type: ignore[no-untyped-def]
    """Add a node's packets, worth so much per second, to W of its channel `[G, V, X]`."""
    sf, reach = v % len(t.floor), len(t.mass) // 2
    hit = _overlap(t, t.window_s[v], interval_s, v)
    for g in range(len(gain)):
        mean = _mean(t, gain[g], tp)
        first, end = _bins(t, mean, sf, value.shape[2])
        for x in range(first, end):
            own = max(1.0 - hit * _cdf(t, mean - t.limit[sf, sf, x]), LEAST_LEFT)
            value[g, v, x] += worth_per_s * share[g] * t.mass[x * FINE + FINE // 2 - mean + reach] / own


@njit(cache=True)
def _received(t: Tables, left, gain, v, tp, by_gateway):  # type: ignore[no-untyped-def]
    """Delivery of a node that is not in E of its channel `[G, V, X]`; at each gateway, `by_gateway` `[G]`."""
    sf, reach = v % len(t.floor), len(t.mass) // 2
    lost = 1.0
    for g in range(len(gain)):
        mean = _mean(t, gain[g], tp)
        first, end = _bins(t, mean, sf, left.shape[2])
        delivered = 0.0
        for x in range(first, end):
            delivered += t.mass[x * FINE + FINE // 2 - mean + reach] * left[g, v, x]
        by_gateway[g] = delivered
        lost *= 1.0 - delivered
    return 1.0 - lost


@njit(cache=True)
def _worth_shares(by_gateway, share):  # type: ignore[no-untyped-def]
    """What the other gateways miss of a node's packets `[G]`, from its delivery at each `[G]`."""
    for g in range(len(share)):
        share[g] = 1.0
        for other in range(len(share)):
            if other != g:
                share[g] *= 1.0 - by_gateway[other]


@njit(cache=True, inline="always")
def _worth(delivery: float, shape: int, scale: float) -> float:
    """Value of a node's delivery; a test holds its slope equal to that of `goals`."""
    if shape == LOGARITHM:
        return math.log(max(delivery, LEAST_DELIVERY))
    return -scale / LOSS_POWER * ((1.0 - delivery) / scale) ** LOSS_POWER


@njit(cache=True, nogil=True)
def build_fields(t: Tables, nodes: Nodes, points, weight, channels):  # type: ignore[no-untyped-def]
    """The fields of an assignment.

    Args:
        t, nodes: Constants and beliefs.
        points: Spreading factor, channel and power of every node. `[N, 3]`
        weight: Value of a delivered packet. `[N]`
        channels: C.
    """
    count, gateways = nodes.gain.shape
    kinds, factors, bins = len(t.airtime_s), len(t.floor), t.limit.shape[2]
    left = np.zeros((channels, gateways, kinds, bins))
    value = np.zeros((channels, gateways, kinds, bins))
    share = np.ones((count, gateways))
    for c in range(channels):
        for v in range(kinds):
            first = t.floor[v % factors]
            left[c, :, v, first] = t.above_floor[v % factors] * nodes.outside[c, v]
            left[c, :, v, first + 1 :] = nodes.outside[c, v]
    for n in range(count):
        if nodes.interval_s[n] < np.inf:
            v = nodes.payload[n] * factors + points[n, 0]
            _disturb(t, left[points[n, 1]], nodes.gain[n], nodes.interval_s[n], v, points[n, 2], True)
    by_gateway = np.empty(gateways)
    for n in range(count):
        if nodes.interval_s[n] < np.inf:
            v, c, tp = nodes.payload[n] * factors + points[n, 0], points[n, 1], points[n, 2]
            if gateways > 1:
                _received(t, left[c], nodes.gain[n], v, tp, by_gateway)
                _worth_shares(by_gateway, share[n])
            per_s = weight[n] * _rate(t, nodes.interval_s[n], v)
            _arrive(t, value[c], nodes.gain[n], nodes.interval_s[n], v, tp, per_s, share[n])
    return Fields(left, value, share)


@njit(cache=True, nogil=True)
def deliveries(t: Tables, nodes: Nodes, points, left):  # type: ignore[no-untyped-def]
    """Delivery of every node `[N]`, 0 for those that are off, and the totals per second `[4]`."""
    count, gateways = nodes.gain.shape
    factors, bins, reach = len(t.floor), left.shape[3], len(t.mass) // 2
    delivery, totals = np.zeros(count), np.zeros(4)
    load = 0.0
    for n in range(count):
        totals[ENERGY] += t.sleep_mw
        if nodes.interval_s[n] < np.inf:
            load += _busy(t, nodes.interval_s[n], nodes.payload[n] * factors + points[n, 0])
    for n in range(count):
        interval_s = nodes.interval_s[n]
        if not interval_s < np.inf:
            continue
        sf, c, tp = points[n, 0], points[n, 1], points[n, 2]
        v = nodes.payload[n] * factors + sf
        hit = _overlap(t, t.window_s[v], interval_s, v)
        lost = 1.0
        for g in range(gateways):
            mean = _mean(t, nodes.gain[n, g], tp)
            first, end = _bins(t, mean, sf, bins)
            received = 0.0
            for x in range(first, end):
                own = max(1.0 - hit * _cdf(t, mean - t.limit[sf, sf, x]), LEAST_LEFT)
                received += t.mass[x * FINE + FINE // 2 - mean + reach] * left[c, g, v, x] / own
            lost *= 1.0 - received
        delivery[n] = (1.0 - lost) * _few(t, sf, load - _busy(t, interval_s, v))
        rate = _rate(t, interval_s, v)
        totals[PACKETS] += rate
        totals[DELIVERED] += rate * delivery[n]
        totals[BITS] += rate * delivery[n] * t.bits[v]
        totals[ENERGY] += rate * t.energy_mj[v, tp]
    return delivery, totals


@njit(cache=True)
def _harm(t: Tables, remaining, sums, gain, interval_s, v, tp):  # type: ignore[no-untyped-def]
    """What a node would take from the others on a channel, by spreading factor of the victims `[S]`.

    Args:
        remaining: W E of the channel. `[G, V, X]`
        sums: Its sums over all lower bins. `[G, V, X + 1]`
    """
    factors, bins, reach = len(t.floor), remaining.shape[2], len(t.cdf) // 2
    harm = np.zeros(factors)
    for victim in range(remaining.shape[1]):
        limits = t.limit[victim % factors, v % factors]
        taken = 0.0
        for g in range(len(gain)):
            mean = _mean(t, gain[g], tp)
            certain = _first_at_least(limits, mean - reach)  # up to here it is always fatal
            taken += sums[g, victim, certain]
            for x in range(max(certain, t.floor[victim % factors]), bins):
                if limits[x] >= mean + reach:
                    break
                taken += remaining[g, victim, x] * t.cdf[mean - limits[x] + reach]
        harm[victim % factors] += taken * _overlap(t, t.window_s[victim], interval_s, v)
    return harm


@njit(cache=True, nogil=True)
def sweep(t: Tables, nodes: Nodes, fields: Fields, objective: Objective, points, in_force, order):  # type: ignore[no-untyped-def]
    """Give nodes, one after another, the point of most value while all others stay; returns how many moved.

    Args:
        t, nodes, objective: Constants, beliefs, and what counts.
        fields: Of the assignment; kept up to date.
        points: The assignment, changed in place. `[N, 3]`
        in_force: Points that nodes use. `[N, 3]`
        order: Nodes in the order in which they choose. `[N]`
    """
    channels, gateways, kinds, bins = fields.left.shape
    factors, powers = len(t.floor), len(t.power)
    by_gateway = np.empty(gateways)
    remaining, sums = np.zeros((gateways, kinds, bins)), np.zeros((gateways, kinds, bins + 1))
    others = np.zeros((channels, factors))  # value per second of all others, by what `few` depends on
    load, senders = 0.0, 0
    for n in range(len(points)):
        if nodes.interval_s[n] < np.inf:
            load += _busy(t, nodes.interval_s[n], nodes.payload[n] * factors + points[n, 0])
            senders += 1
    moves = 0
    for k in order:
        if not (nodes.interval_s[k] < np.inf and objective.movable[k]):
            continue
        interval_s, gain, base = nodes.interval_s[k], nodes.gain[k], nodes.payload[k] * factors
        sf0, c0, tp0 = points[k, 0], points[k, 1], points[k, 2]
        worth0 = objective.weight[k] * _rate(t, interval_s, base + sf0)
        _arrive(t, fields.value[c0], gain, interval_s, base + sf0, tp0, -worth0, fields.share[k])
        _disturb(t, fields.left[c0], gain, interval_s, base + sf0, tp0, False)
        load -= _busy(t, interval_s, base + sf0)
        typical = load / max(senders - 1, 1)  # busy share of a victim, which is no load to itself
        if t.counts:
            others[:] = 0.0
            for c in range(channels):
                for v in range(kinds):
                    for g in range(gateways):
                        others[c, v % factors] += (fields.value[c, g, v] * fields.left[c, g, v]).sum()
        best, best_sf, best_c, best_tp, stay = -np.inf, sf0, c0, tp0, -np.inf
        for c_step in range(channels):
            c = (c0 + c_step) % channels
            for g in range(gateways):
                for v in range(kinds):
                    total = 0.0
                    for x in range(t.floor[v % factors], bins):
                        remaining[g, v, x] = fields.value[c, g, v, x] * fields.left[c, g, v, x]
                        total += remaining[g, v, x]
                        sums[g, v, x + 1] = total
            for sf_step in range(factors):
                sf = (sf0 + sf_step) % factors
                v = base + sf
                rate = _rate(t, interval_s, v)
                with_it = load + _busy(t, interval_s, v)
                for tp_step in range(powers):
                    tp = (tp0 - tp_step) % powers
                    here = c == c0 and sf == sf0 and tp == tp0
                    if not (objective.allowed[sf, tp] or here):
                        continue
                    delivery = _received(t, fields.left[c], gain, v, tp, by_gateway) * _few(t, sf, load)
                    if objective.shape == LINEAR:
                        value = rate * (objective.weight[k] * delivery - objective.theta)
                    else:
                        value = _worth(delivery, objective.shape, objective.scale)
                    value -= objective.price * rate * t.energy_mj[v, tp]
                    if sf != in_force[k, 0] or c != in_force[k, 1] or tp != in_force[k, 2]:
                        value -= objective.move[k]
                    if not t.counts and value <= best and not here:
                        continue  # harm is at least 0
                    harm = _harm(t, remaining, sums, gain, interval_s, v, tp)
                    for victim in range(factors):
                        few = _few(t, victim, with_it - typical)
                        value -= harm[victim] * few
                        if t.counts:
                            for channel in range(channels):
                                value += others[channel, victim] * few
                    if here:
                        stay = value
                    if value > best:
                        best, best_sf, best_c, best_tp = value, sf, c, tp
        if best <= stay + 1e-12:
            best_sf, best_c, best_tp = sf0, c0, tp0
        moves += best_sf != sf0 or best_c != c0 or best_tp != tp0
        points[k, 0], points[k, 1], points[k, 2] = best_sf, best_c, best_tp
        v = base + best_sf
        if gateways > 1:
            _received(t, fields.left[best_c], gain, v, best_tp, by_gateway)
            _worth_shares(by_gateway, fields.share[k])
        worth_now = objective.weight[k] * _rate(t, interval_s, v)
        _disturb(t, fields.left[best_c], gain, interval_s, v, best_tp, True)
        _arrive(t, fields.value[best_c], gain, interval_s, v, best_tp, worth_now, fields.share[k])
        load += _busy(t, interval_s, v)
    return moves
