"""The Rayleigh closed form of an allocation, kept up to date while nodes change one at a time: for planners.

What a planner may weigh before it decides: the sum of the nodes' energy efficiencies, the node's own, and how far
nodes are below a delivery that is asked for. Held to the plain statement of the whole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.expect.rayleigh import bounds, moves, swaps
from lora_marl.core.expect.rayleigh.closed_form import Rayleigh

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


class Incremental:
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
        self._state = moves.State(points.copy(), power, reach, log_left, left, np.zeros(len(points)))
        moves.begin(self._tables, self._number, self._state)

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
        return _totals(moves.sums_of(self._tables, self._state, self._least))

    def try_points(self, node: int, candidates: NDArray[np.int16]) -> Trial:
        """What would come of each of some points `[K, 4]` of a node, everybody else staying as is."""
        tried = moves.try_points(self._tables, self._number, self._state, node, candidates, self._least)
        return self._trial(node, candidates, *tried)

    def bounds(self, node: int, candidates: NDArray[np.int16]) -> Trial:
        """The same as if neither the node nor the others disturbed each other: `try_points` is never better."""
        most = bounds.bounds(self._tables, self._number, self._state, node, candidates, self._least)
        return self._trial(node, candidates, *most)

    def try_swap(self, first: int, second: int) -> Swap:
        """What would come of two nodes' having each other's channel."""
        sums, channel_ee, delivery = swaps.try_swap(self._tables, self._number, self._state, first, second, self._least)
        ee = [self._bits_per_mj(node) * delivery[node] for node in (first, second)]
        return Swap(_totals(sums), np.array(ee), channel_ee, delivery)

    def move(self, node: int, point: NDArray[np.int16]) -> None:
        """Give a node another point `[4]`."""
        moves.move(self._tables, self._number, self._state, node, point)

    def swap(self, first: int, second: int) -> None:
        """Give two nodes each other's channel."""
        one, other = self._state.points[first].copy(), self._state.points[second].copy()
        one[2], other[2] = other[2], one[2]
        self.move(first, one)
        self.move(second, other)

    def _trial(self, node: int, candidates: NDArray[np.int16], sums: Vector, delivery: Vector) -> Trial:
        ee = self._tables.bits_per_mj[node, candidates[:, 0], candidates[:, 3]] * delivery
        short = np.rint(sums[:, moves.SHORT]).astype(np.int64)
        return Trial(sums[:, moves.EE_SUM], ee, delivery, short, sums[:, moves.SHORTFALL])

    def _bits_per_mj(self, node: int) -> float:
        sf, _, _, tp = self._state.points[node]
        return float(self._tables.bits_per_mj[node, sf, tp])

    def _ee(self, delivery: Vector) -> Vector:
        sf, _, _, tp = self._state.points.T
        return np.asarray(self._tables.bits_per_mj[np.arange(len(sf)), sf, tp] * delivery)


def _totals(sums: Vector) -> Totals:
    return Totals(float(sums[moves.EE_SUM]), round(sums[moves.SHORT]), float(sums[moves.SHORTFALL]))
