"""The Rayleigh closed form of an allocation, kept up to date while nodes move or swap channels one at a time.

It says what a planner weighs before it decides: the sum of the nodes' energy efficiencies, the node's own, and how far
nodes are below a delivery that is asked for. Tests compare it with a new evaluation of the whole.

What every packet survives at a gateway, `left [N, G]`, is a product over interferers. A move takes one factor out of
each and puts another in: O(N G) a point. In a swap of channels spreading factors and powers stay, so each of the others
has at most two factors out and two in: O(N G). Bounds do not look at whom a node would disturb: O(N G + K G) for K
points. The state keeps logarithms, whose sums lose less over many moves than products do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.expect.physics import check_named_channels
from lora_marl.core.expect.rayleigh import moves
from lora_marl.core.expect.rayleigh.closed_form import Rayleigh

Vector = NDArray[np.float64]


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
        check_named_channels(points)
        power, reach, log_left, left = np.zeros((4, *self._tables.gain.shape))
        self._state = moves.State(points.copy(), power, reach, log_left, left, np.zeros(len(points)))
        moves.begin(self._tables, self._number, self._state)

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
        return _named(moves.total_sums(self._tables, self._state, self._least))

    def try_points(self, node: int, candidates: NDArray[np.int16]) -> Trial:
        """The outcome of each of some points `[K, 4]` of a node, all others staying as they are."""
        return self._trial(node, candidates, disturbed=True)

    def bounds(self, node: int, candidates: NDArray[np.int16]) -> Trial:
        """The outcome as if the node and the others did not disturb each other: `try_points` is never better."""
        return self._trial(node, candidates, disturbed=False)

    def try_swap(self, first: int, second: int) -> Swap:
        """The outcome of a swap of two nodes' channels."""
        sums, channel_ee, delivery = moves.try_swap(self._tables, self._number, self._state, first, second, self._least)
        ee = [self._bits_per_mj(node) * delivery[node] for node in (first, second)]
        return Swap(_named(sums), np.array(ee), channel_ee, delivery)

    def move(self, node: int, point: NDArray[np.int16]) -> None:
        """Give a node another point `[4]`."""
        moves.move(self._tables, self._number, self._state, node, point)

    def swap(self, first: int, second: int) -> None:
        """Give two nodes each other's channel."""
        one, other = self._state.points[first].copy(), self._state.points[second].copy()
        one[2], other[2] = other[2], one[2]
        self.move(first, one)
        self.move(second, other)

    def _trial(self, node: int, candidates: NDArray[np.int16], *, disturbed: bool) -> Trial:
        sums, delivery = moves.try_points(
            self._tables, self._number, self._state, node, candidates, self._least, disturbed
        )
        ee = self._tables.bits_per_mj[node, candidates[:, 0], candidates[:, 3]] * delivery
        short = np.rint(sums[:, moves.SHORT]).astype(np.int64)
        return Trial(sums[:, moves.EE_SUM], ee, delivery, short, sums[:, moves.SHORTFALL])

    def _bits_per_mj(self, node: int) -> float:
        sf, _, _, tp = self._state.points[node]
        return float(self._tables.bits_per_mj[node, sf, tp])


def _named(sums: Vector) -> Totals:
    return Totals(float(sums[moves.EE_SUM]), round(sums[moves.SHORT]), float(sums[moves.SHORTFALL]))
