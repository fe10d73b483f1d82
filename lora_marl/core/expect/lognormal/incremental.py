"""The pairwise log-normal closed form, kept up to date while one node at a time changes its operating point.

For up to eight gateways in a node's reach. What a packet survives is a product over interferers per set of gateways
(the sets M of `reference`); their logarithms `[N, 2^G]` are kept. A move takes one term out of each and adds another:
O(N 2^G) in place of O(N^2 2^G). Tests compare it with `LogNormal.delivery`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.expect.expectation import BITS, DELIVERED, ENERGY, PACKETS
from lora_marl.core.expect.integrals import SMALLEST
from lora_marl.core.expect.lognormal.closed_form import LogNormal
from lora_marl.core.expect.lognormal.pairwise import overlap, received, write_shares
from lora_marl.core.expect.lognormal.reference import MOST_GATEWAYS, reach_of
from lora_marl.core.expect.physics import check_named_channels

_OF_NODES = ("mean_dbm", "sensitivity_dbm", "sf", "channel", "airtime_s", "spared_s", "rate_per_s")
"""Fields of a `Network` with a row for every node."""

Matrix = NDArray[np.float64]


class LogNormalIncremental:
    """An allocation and its totals, which follow the moves of single nodes.

    Args:
        closed_form: Of the scenario, `variant="pairwise"`; `bounds` hold for rates that are not negative (`renewal`).
        points: The allocation to start from. `[N, 4]`

    Raises:
        ValueError: another variant, no shadowing, or a node with more than eight gateways in reach; the last also when
            a point is tried.
    """

    def __init__(self, closed_form: LogNormal, points: NDArray[np.int16]) -> None:
        if closed_form.variant != "pairwise":
            raise ValueError(f"variant: {closed_form.variant!r} cannot be kept up to date; it takes 'pairwise'")
        if closed_form.scenario.propagation.shadowing_db <= 0.0:
            raise ValueError("propagation.shadowing_db: 0 cannot be kept up to date; it takes more than 0")
        check_named_channels(points)
        self._closed_form = closed_form
        self._points = points.astype(np.int16)
        self._net = closed_form.network(points)
        self._scale = 1.0 / (self._net.sigma_db * math.sqrt(2.0))
        self._reach = reach_of(self._net)
        self._traffic = closed_form.expectation(points, np.arange(len(points)), np.zeros(len(points)))
        self._without_node: tuple[int, Matrix] | None = None
        self._logs = np.zeros((len(points), 1 << min(self._net.mean_dbm.shape[1], MOST_GATEWAYS)))
        for node in range(len(points)):
            _change_others(self._net, self._reach, self._logs, node, 1.0, self._scale)

    @property
    def points(self) -> NDArray[np.int16]:
        """The allocation `[N, 4]`."""
        return self._points.copy()

    def delivery(self) -> Matrix:
        """Probability that a packet of each node is delivered `[N]`."""
        return _delivery(self._reach, np.exp(self._logs))

    def totals(self) -> Matrix:
        """Packets, packets delivered, bits delivered and mJ, all per second, over all nodes `[4]`."""
        return self._totals(0, self._points[:1], self.delivery()[None])[0]

    def try_delivery(self, node: int, candidates: NDArray[np.int16]) -> Matrix:
        """The deliveries if a node used each of some points `[K, 4]`, all others staying as they are: `[K, N]`."""
        tried = self._closed_form.network(candidates, np.full(len(candidates), node))
        return _try(self._net, self._reach, self._without(node), tried, reach_of(tried), node, self._scale)

    def try_points(self, node: int, candidates: NDArray[np.int16]) -> Matrix:
        """The totals if a node used each of some points `[K, 4]`, all others staying as they are: `[K, 4]`."""
        return self._totals(node, candidates, self.try_delivery(node, candidates))

    def bounds(self, node: int, candidates: NDArray[np.int16]) -> Matrix:
        """Totals `[K, 4]` as if the node and the others did not disturb each other: `try_points` never has more."""
        delivery = np.tile(_delivery(self._reach, self._without(node)), (len(candidates), 1))
        delivery[:, node] = reach_of(self._closed_form.network(candidates, np.full(len(candidates), node))).heard
        return self._totals(node, candidates, delivery)

    def move(self, node: int, point: NDArray[np.int16]) -> None:
        """Give a node another point `[4]`."""
        self._without_node, nodes = None, np.array([node])
        moved = self._closed_form.network(np.asarray(point)[None], nodes)
        reach = reach_of(moved)
        _change_others(self._net, self._reach, self._logs, node, -1.0, self._scale)
        self._points[node] = point
        for field in _OF_NODES:
            getattr(self._net, field)[node] = getattr(moved, field)[0]
        for rows, row in zip(self._reach, reach, strict=True):
            rows[node] = row[0]
        traffic = self._closed_form.expectation(self._points[nodes], nodes, np.zeros(1))
        self._traffic.packets_per_s[node], self._traffic.energy_mj[node] = (
            traffic.packets_per_s[0],
            traffic.energy_mj[0],
        )
        _change_others(self._net, self._reach, self._logs, node, 1.0, self._scale)
        _rebuild(self._net, self._reach, self._logs, node, self._scale)

    def _without(self, node: int) -> Matrix:
        """Survival of packets of others by set of gateways, without a node's interference `[N, 2^G]`."""
        if self._without_node is None or self._without_node[0] != node:
            logs = self._logs.copy()
            _change_others(self._net, self._reach, logs, node, -1.0, self._scale)
            self._without_node = node, np.exp(logs)
        return self._without_node[1]

    def _totals(self, node: int, candidates: NDArray[np.int16], delivery: Matrix) -> Matrix:
        """Totals `[K, 4]` of deliveries `[K, N]` with each of the candidates of a node."""
        tried = self._closed_form.expectation(candidates, np.full(len(candidates), node), delivery[:, node])
        rate_per_s = np.tile(self._traffic.packets_per_s, (len(candidates), 1))
        energy_mj = np.tile(self._traffic.energy_mj, (len(candidates), 1))
        rate_per_s[:, node], energy_mj[:, node] = tried.packets_per_s, tried.energy_mj
        totals, delivered = np.empty((len(candidates), 4)), rate_per_s * delivery
        totals[:, PACKETS], totals[:, DELIVERED] = rate_per_s.sum(axis=1), delivered.sum(axis=1)
        totals[:, BITS], totals[:, ENERGY] = delivered @ self._traffic.bits, (rate_per_s * energy_mj).sum(axis=1)
        totals[:, ENERGY] += self._traffic.sleep_mw * len(self._points)
        return totals


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def _delivery(reach, survival):  # type: ignore[no-untyped-def]
    """D `[N]` from what packets survive by set of gateways `[N, 2^G]`."""
    probability = np.empty(len(survival))
    for n in range(len(survival)):
        probability[n] = received(survival[n], reach, n)
    return probability


@njit(nogil=True)  # no disk cache: see above
def _add(net, reach, n, k, sign, scale, logs, shares):  # type: ignore[no-untyped-def]
    """Add (or, with a sign of -1, take out) what node `k` does to packets of node `n` `[2^G]`; `shares` is scratch."""
    e = overlap(net, n, net, k) if n != k else 0.0
    if e != 0.0:
        write_shares(e, net, reach, n, net, k, scale, shares)
        for subset in range(1, 1 << reach.counts[n]):
            logs[subset] += sign * math.log(max(shares[subset], SMALLEST))


@njit(nogil=True)  # no disk cache: see above
def _change_others(net, reach, logs, k, sign, scale):  # type: ignore[no-untyped-def]
    """Add or take out what node `k` does to all others."""
    shares = np.empty(1 << MOST_GATEWAYS)
    for n in range(len(logs)):
        _add(net, reach, n, k, sign, scale, logs[n], shares)


@njit(nogil=True)  # no disk cache: see above
def _rebuild(net, reach, logs, k, scale):  # type: ignore[no-untyped-def]
    """Sum up again what all others do to node `k`."""
    shares = np.empty(1 << MOST_GATEWAYS)
    logs[k] = 0.0
    for n in range(len(logs)):
        _add(net, reach, k, n, 1.0, scale, logs[k], shares)


@njit(nogil=True)  # no disk cache: see above
def _try(net, reach, survival, tried, tried_reach, k, scale):  # type: ignore[no-untyped-def]
    """D `[K, N]` for every candidate of node `k`, a row of the network `tried`; `survival` is without the node."""
    count, nodes = len(tried.sf), len(net.sf)
    probability, own_survival = np.empty((count, nodes)), np.ones((count, survival.shape[1]))
    shares = np.empty(1 << MOST_GATEWAYS)
    on_k = on_n = 0.0
    for n in range(nodes):
        undisturbed = received(survival[n], reach, n)
        for c in range(count if n != k else 0):
            if c == 0 or tried.sf[c] != tried.sf[c - 1] or tried.channel[c] != tried.channel[c - 1]:
                on_k, on_n = overlap(tried, c, net, n), overlap(net, n, tried, c)
            probability[c, n] = undisturbed
            if on_k != 0.0:
                write_shares(on_k, tried, tried_reach, c, net, n, scale, shares)
                for subset in range(1, 1 << tried_reach.counts[c]):
                    own_survival[c, subset] *= shares[subset]
            if on_n != 0.0:
                write_shares(on_n, net, reach, n, tried, c, scale, shares)
                for subset in range(1, 1 << reach.counts[n]):
                    shares[subset] *= survival[n, subset]
                probability[c, n] = received(shares, reach, n)
    for c in range(count):
        probability[c, k] = received(own_survival[c], tried_reach, c)
    return probability
