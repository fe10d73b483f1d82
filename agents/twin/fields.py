"""Fields of interference: what all nodes together leave of packets, by received power; compiled.

    E[c, g, v, x]   share of packets of kind v, received by gateway g on channel c in bin x, that all nodes leave
    W[c, g, v, x]   value per second of the packets that arrive there, each over its own factor of E

A node's packets of kind v at mean position m are delivered with probability D = sum_x mass(x - m) E[v, x], its own
factor taken out of E. What another node at m' takes from all others is h sum W E cdf(m' - limit), with

    h = b + (1 - b) (1 - exp(-V / g))    a packet of it is on the air at the start of V, or starts within it

V: the victim's airtime without spared symbols; b, g: share of time that the other sends, and its mean silence. So the
cost of trying a move does not grow with the number of nodes.

Of several gateways, a node's two strongest, its pair, are judged together, since one interferer may hit a packet at
both: with E1, E2 the shares left at each, the share left at both is E1 E2 R, where every interferer has a factor

    (1 - h (f1 + f2 - f1 f2)) / ((1 - h f1) (1 - h f2))    f: cdf(m' - limit) at each gateway

in R[c, p, v, y1, y2], on cells of `CELL` bins. A packet is lost at the pair with probability 1 - D1 - D2 + D12; any
further gateways count as independent given the node.

The formulas are those of `lora_marl.core.expect.OneGateway`, on bins in place of quantiles.

All compiled functions that share helpers are in this file, so that the compiler's disk cache notices every edit.

Shape letters: `N` nodes, `G` gateways, `P` pairs of them, `C` channels, `V` kinds, `S` spreading factors, `T` powers,
`X` bins, `Y` cells.
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
CELL = 6
"""Bins of a cell."""
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
    pair: NDArray[np.int64]  # [N, 2], its two strongest gateways, in order of their numbers; of one gateway, 0 and 0
    outside: NDArray[np.float64]  # [C, V], share of packets that interference from outside leaves


class Fields(NamedTuple):
    """The fields of an assignment."""

    left: NDArray[np.float64]  # [C, G, V, X], E
    value: NDArray[np.float64]  # [C, G, V, X], W
    both: NDArray[np.float64]  # [C, P, V, Y, Y], R
    both_value: NDArray[np.float64]  # [C, P, V, Y, Y], value per second of the packets that arrive there at both
    share: NDArray[
        np.float64
    ]  # [N, G + 1], chance that no further gateway receives a packet; at last, of the pair's D12


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


@njit(cache=True, inline="always")
def _pair_number(first: int, second: int, gateways: int) -> int:
    return first * (2 * gateways - first - 1) // 2 + second - first - 1


@njit(cache=True, inline="always")
def _fatal(t: Tables, limits: NDArray[np.int32], mean: int, y: int) -> float:
    """Probability that an interferer exceeds what packets in the middle of a cell survive."""
    return _cdf(t, mean - limits[min(y * CELL + CELL // 2, len(limits) - 1)])


@njit(cache=True)
def _disturb_pairs(t: Tables, both, gain, interval_s, v, tp, add):  # type: ignore[no-untyped-def]
    """Put a node's interference into R of its channel `[P, V, Y, Y]`, or take it out."""
    gateways, cells, factors = len(gain), both.shape[2], len(t.floor)
    fatal, end = np.zeros((gateways, cells)), np.zeros(gateways, np.int64)
    for victim in range(both.shape[1]):
        hit = _overlap(t, t.window_s[victim], interval_s, v)
        limits = t.limit[victim % factors, v % factors]
        for g in range(gateways):
            end[g] = 0
            for y in range(cells):
                fatal[g, y] = _fatal(t, limits, _mean(t, gain[g], tp), y)
                if fatal[g, y] == 0.0:
                    break
                end[g] = y + 1
        for g1 in range(gateways):
            for g2 in range(g1 + 1, gateways):
                p = _pair_number(g1, g2, gateways)
                for y1 in range(end[g1]):
                    f1 = fatal[g1, y1]
                    for y2 in range(end[g2]):
                        f2 = fatal[g2, y2]
                        at_both = max(1.0 - hit * (f1 + f2 - f1 * f2), LEAST_LEFT)
                        factor = at_both / max((1.0 - hit * f1) * (1.0 - hit * f2), LEAST_LEFT)
                        if add:
                            both[p, victim, y1, y2] *= factor
                        else:
                            both[p, victim, y1, y2] /= factor


@njit(cache=True)
def _cells(t: Tables, left, mean, sf, cells):  # type: ignore[no-untyped-def]
    """Mass of packets of a mean power by cell, times what `left` `[X]` leaves of them. `[Y]`"""
    reach = len(t.mass) // 2
    first, end = _bins(t, mean, sf, len(left))
    by_cell = np.zeros(cells)
    for x in range(first, end):
        by_cell[x // CELL] += t.mass[x * FINE + FINE // 2 - mean + reach] * left[x]
    return by_cell


@njit(cache=True)
def _over_own(t: Tables, first, second, both, means, hit, sf, into, scale):  # type: ignore[no-untyped-def]
    """Sum over cells of `first` `second` `both` over the node's own factor; also added to `into` `[Y, Y]`, scaled.

    Args:
        first, second: By cell at each gateway of the pair. `[Y]`
        both: R, or ones. `[Y, Y]`
        means: Mean positions at the two gateways.
        hit: Probability that packets of the node overlap one another; 0: it is not in R.
    """
    limits, cells, total = t.limit[sf, sf], len(first), 0.0
    for y1 in range(cells):
        if first[y1] == 0.0:
            continue
        f1 = _fatal(t, limits, means[0], y1)
        for y2 in range(cells):
            if second[y2] > 0.0:
                f2 = _fatal(t, limits, means[1], y2)
                share = first[y1] * second[y2] * both[y1, y2] / max(1.0 - hit * (f1 + f2 - f1 * f2), LEAST_LEFT)
                total += share
                if scale != 0.0:
                    into[y1, y2] += scale * share
    return total


@njit(cache=True)
def _arrive_pair(t: Tables, both_value, gain, pair, interval_s, v, tp, worth_per_s):  # type: ignore[no-untyped-def]
    """Add a node's packets to the value of its pair's cells on its channel `[P, V, Y, Y]`."""
    sf, cells = v % len(t.floor), both_value.shape[2]
    everything, ones = np.ones(t.limit.shape[2]), np.ones((cells, cells))
    means = _mean(t, gain[pair[0]], tp), _mean(t, gain[pair[1]], tp)
    first, second = _cells(t, everything, means[0], sf, cells), _cells(t, everything, means[1], sf, cells)
    hit = _overlap(t, t.window_s[v], interval_s, v)
    p = _pair_number(pair[0], pair[1], len(gain))
    _over_own(t, first, second, ones, means, hit, sf, both_value[p, v], worth_per_s)


@njit(cache=True)
def _received_by_pair(t: Tables, left, both, gain, pair, v, tp, hit):  # type: ignore[no-untyped-def]
    """Probability D12 that both gateways of a node's pair receive a packet; `hit` as in `_over_own`."""
    sf, cells = v % len(t.floor), both.shape[2]
    means = _mean(t, gain[pair[0]], tp), _mean(t, gain[pair[1]], tp)
    first, second = _cells(t, left[pair[0], v], means[0], sf, cells), _cells(t, left[pair[1], v], means[1], sf, cells)
    p = _pair_number(pair[0], pair[1], len(gain))
    return _over_own(t, first, second, both[p, v], means, hit, sf, both[p, v], 0.0)


@njit(cache=True)
def _delivered(by_gateway, at_both, pair, share):  # type: ignore[no-untyped-def]
    """Delivery of a node, from that at each gateway `[G]` and at both of its pair; writes `share` `[G + 1]`."""
    gateways = len(by_gateway)
    if gateways == 1:
        share[0], share[1] = 1.0, 0.0
        return by_gateway[0]
    lost_at_pair, lost_elsewhere = 1.0 - by_gateway[pair[0]] - by_gateway[pair[1]] + at_both, 1.0
    for g in range(gateways):
        if g != pair[0] and g != pair[1]:
            lost_elsewhere *= 1.0 - by_gateway[g]
    share[:] = lost_elsewhere
    for g in range(gateways):
        if g != pair[0] and g != pair[1]:
            share[g] = lost_at_pair
            for other in range(gateways):
                if other != pair[0] and other != pair[1] and other != g:
                    share[g] *= 1.0 - by_gateway[other]
    return 1.0 - lost_at_pair * lost_elsewhere


@njit(cache=True)
def _received(t: Tables, left, both, gain, pair, v, tp, by_gateway, share):  # type: ignore[no-untyped-def]
    """Delivery of a node that is not in E `[G, V, X]` and R `[P, V, Y, Y]` of its channel.

    Writes its delivery at each gateway, `by_gateway` `[G]`, and `share` `[G + 1]` as in `Fields`.
    """
    sf, reach = v % len(t.floor), len(t.mass) // 2
    for g in range(len(gain)):
        mean = _mean(t, gain[g], tp)
        first, end = _bins(t, mean, sf, left.shape[2])
        delivered = 0.0
        for x in range(first, end):
            delivered += t.mass[x * FINE + FINE // 2 - mean + reach] * left[g, v, x]
        by_gateway[g] = delivered
    at_both = 0.0
    if len(gain) > 1:
        at_both = _received_by_pair(t, left, both, gain, pair, v, tp, 0.0)
    return _delivered(by_gateway, at_both, pair, share)


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
    pairs, cells = gateways * (gateways - 1) // 2, (bins + CELL - 1) // CELL
    both = np.ones((channels, pairs, kinds, cells, cells))
    both_value = np.zeros((channels, pairs, kinds, cells, cells))
    share = np.ones((count, gateways + 1))
    for c in range(channels):
        for v in range(kinds):
            first = t.floor[v % factors]
            left[c, :, v, first] = t.above_floor[v % factors] * nodes.outside[c, v]
            left[c, :, v, first + 1 :] = nodes.outside[c, v]
    for n in range(count):
        if nodes.interval_s[n] < np.inf:
            v, c, tp = nodes.payload[n] * factors + points[n, 0], points[n, 1], points[n, 2]
            _disturb(t, left[c], nodes.gain[n], nodes.interval_s[n], v, tp, True)
            if pairs:
                _disturb_pairs(t, both[c], nodes.gain[n], nodes.interval_s[n], v, tp, True)
    fields = Fields(left, value, both, both_value, share)
    by_gateway = np.empty(gateways)
    for n in range(count):
        if nodes.interval_s[n] < np.inf:
            v, c, tp = nodes.payload[n] * factors + points[n, 0], points[n, 1], points[n, 2]
            _own_delivery(t, nodes, fields, n, v, c, tp, by_gateway)
            per_s = weight[n] * _rate(t, nodes.interval_s[n], v)
            _arrive(t, value[c], nodes.gain[n], nodes.interval_s[n], v, tp, per_s, share[n])
            if pairs:
                worth = per_s * share[n, gateways]
                _arrive_pair(t, both_value[c], nodes.gain[n], nodes.pair[n], nodes.interval_s[n], v, tp, worth)
    return fields


@njit(cache=True)
def _own_delivery(t: Tables, nodes: Nodes, fields: Fields, n, v, c, tp, by_gateway):  # type: ignore[no-untyped-def]
    """Delivery of a node that is in the fields, but for `few`; writes its shares, and that at each gateway `[G]`."""
    sf, reach, gateways = v % len(t.floor), len(t.mass) // 2, len(by_gateway)
    hit = _overlap(t, t.window_s[v], nodes.interval_s[n], v)
    for g in range(gateways):
        mean = _mean(t, nodes.gain[n, g], tp)
        first, end = _bins(t, mean, sf, fields.left.shape[3])
        received = 0.0
        for x in range(first, end):
            own = max(1.0 - hit * _cdf(t, mean - t.limit[sf, sf, x]), LEAST_LEFT)
            received += t.mass[x * FINE + FINE // 2 - mean + reach] * fields.left[c, g, v, x] / own
        by_gateway[g] = received
    at_both = 0.0
    if gateways > 1:
        at_both = _received_by_pair(t, fields.left[c], fields.both[c], nodes.gain[n], nodes.pair[n], v, tp, hit)
    return _delivered(by_gateway, at_both, nodes.pair[n], fields.share[n])


@njit(cache=True, nogil=True)
def deliveries(t: Tables, nodes: Nodes, points, fields):  # type: ignore[no-untyped-def]
    """Delivery of every node `[N]`, 0 for those that are off, and the totals per second `[4]`."""
    count, gateways = nodes.gain.shape
    factors = len(t.floor)
    delivery, totals, by_gateway = np.zeros(count), np.zeros(4), np.empty(gateways)
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
        few = _few(t, sf, load - _busy(t, interval_s, v))
        delivery[n] = _own_delivery(t, nodes, fields, n, v, c, tp, by_gateway) * few
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


@njit(cache=True)
def _value_of_pairs(t: Tables, left, both, both_value, value, rows, columns):  # type: ignore[no-untyped-def]
    """Write the value per second of what both gateways receive of a channel, `value` `[P, V, Y, Y]`, and its sums.

    Args:
        left, both, both_value: Of the channel.
        rows, columns: Sums over the cells of the second and of the first gateway. `[P, V, Y]`
    """
    gateways, kinds, bins = left.shape
    factors, cells = len(t.floor), both.shape[2]
    mean_left = np.zeros((gateways, kinds, cells))
    for g in range(gateways):
        for v in range(kinds):
            for y in range(cells):
                begin, end = max(y * CELL, t.floor[v % factors]), min(y * CELL + CELL, bins)
                for x in range(begin, end):
                    mean_left[g, v, y] += left[g, v, x] / (end - begin)
    rows[:] = 0.0
    columns[:] = 0.0
    for g1 in range(gateways):
        for g2 in range(g1 + 1, gateways):
            p = _pair_number(g1, g2, gateways)
            for v in range(kinds):
                for y1 in range(cells):
                    for y2 in range(cells):
                        worth = both_value[p, v, y1, y2]
                        if worth > 0.0:
                            worth *= mean_left[g1, v, y1] * mean_left[g2, v, y2] * both[p, v, y1, y2]
                            rows[p, v, y1] += worth
                            columns[p, v, y2] += worth
                        value[p, v, y1, y2] = max(worth, 0.0)


@njit(cache=True)
def _harm_to_pairs(t: Tables, value, rows, columns, gain, interval_s, v, tp, harm):  # type: ignore[no-untyped-def]
    """Take from `harm` `[S]` what two gateways lose at the same time; arguments as of `_value_of_pairs`."""
    gateways, factors, cells = len(gain), len(t.floor), value.shape[2]
    second = np.zeros(cells)
    for victim in range(value.shape[1]):
        limits = t.limit[victim % factors, v % factors]
        hit = _overlap(t, t.window_s[victim], interval_s, v)
        for g1 in range(gateways):
            for g2 in range(g1 + 1, gateways):
                p, taken, end = _pair_number(g1, g2, gateways), 0.0, 0
                for y in range(cells):
                    second[y] = _fatal(t, limits, _mean(t, gain[g2], tp), y)
                    if second[y] == 0.0:
                        break
                    taken += second[y] * columns[p, victim, y]
                    end = y + 1
                for y1 in range(cells):
                    f1 = _fatal(t, limits, _mean(t, gain[g1], tp), y1)
                    if f1 == 0.0:
                        break
                    if rows[p, victim, y1] > 0.0:
                        at_both = 0.0
                        for y2 in range(end):
                            at_both += value[p, victim, y1, y2] * second[y2]
                        taken += f1 * (rows[p, victim, y1] - at_both)
                harm[victim % factors] -= hit * taken


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
    pairs, cells = fields.both.shape[1], fields.both.shape[3]
    by_gateway, share = np.empty(gateways), np.empty(gateways + 1)
    pair_value = np.zeros((pairs, kinds, cells, cells))
    pair_rows, pair_columns = np.zeros((pairs, kinds, cells)), np.zeros((pairs, kinds, cells))
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
        if pairs:
            worth_of_both = -worth0 * fields.share[k, gateways]
            _arrive_pair(t, fields.both_value[c0], gain, nodes.pair[k], interval_s, base + sf0, tp0, worth_of_both)
            _disturb_pairs(t, fields.both[c0], gain, interval_s, base + sf0, tp0, False)
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
            if pairs:
                _value_of_pairs(
                    t, fields.left[c], fields.both[c], fields.both_value[c], pair_value, pair_rows, pair_columns
                )
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
                    delivery = _received(
                        t, fields.left[c], fields.both[c], gain, nodes.pair[k], v, tp, by_gateway, share
                    ) * _few(t, sf, load)
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
                    if pairs:
                        _harm_to_pairs(t, pair_value, pair_rows, pair_columns, gain, interval_s, v, tp, harm)
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
        left, both = fields.left[best_c], fields.both[best_c]
        _received(t, left, both, gain, nodes.pair[k], v, best_tp, by_gateway, fields.share[k])
        worth_now = objective.weight[k] * _rate(t, interval_s, v)
        _disturb(t, left, gain, interval_s, v, best_tp, True)
        _arrive(t, fields.value[best_c], gain, interval_s, v, best_tp, worth_now, fields.share[k])
        if pairs:
            worth_of_both = worth_now * fields.share[k, gateways]
            _disturb_pairs(t, both, gain, interval_s, v, best_tp, True)
            _arrive_pair(t, fields.both_value[best_c], gain, nodes.pair[k], interval_s, v, best_tp, worth_of_both)
        load += _busy(t, interval_s, v)
    return moves
