"""The closed form of one gateway, kept up to date while one node at a time changes its operating point.

The logarithms of what every packet survives, `survival [N, Q]`, are sums over interferers, so a change of one node
takes one term out of each sum and adds another: O(N Q) instead of O(N^2 Q). `try_points` does so for all points of a
node without deciding for any. It is held to `OneGateway.expect`, the plain statement.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.expect.one_gateway import kernel
from lora_marl.core.expect.one_gateway.closed_form import OneGateway


class OneGatewayIncremental:
    """An allocation and its expectation.

    Args:
        closed_form: Of the scenario.
        points: The allocation to begin with. `[N, 4]`
    """

    def __init__(self, closed_form: OneGateway, points: NDArray[np.int16]) -> None:
        self._tables = closed_form.tables
        points = points.astype(np.int16)
        found = kernel.levels(self._tables, np.arange(len(points)), points)
        self._state = kernel.State(points, *found, np.zeros_like(found.x_dbm))
        self._apart: tuple[int, NDArray[np.float64]] | None = None
        for node in range(len(points)):
            kernel.change_others(self._tables, self._state, node, 1.0)

    @property
    def points(self) -> NDArray[np.int16]:
        """The allocation `[N, 4]`."""
        return self._state.points.copy()

    def totals(self) -> NDArray[np.float64]:
        """Packets, packets delivered, bits delivered and mJ, all per second, over all nodes `[4]`."""
        return kernel.totals(self._tables, self._state)

    def try_points(self, node: int, candidates: NDArray[np.int16]) -> NDArray[np.float64]:
        """The totals if a node used each of some points `[K, 4]`, everybody else staying as is: `[K, 4]`."""
        tried = self._levels(node, candidates)
        return kernel.try_points(self._tables, self._state, self._without(node), node, candidates, tried)

    def bounds(self, node: int, candidates: NDArray[np.int16]) -> NDArray[np.float64]:
        """Totals `[K, 4]` as if neither the node nor the others disturbed each other: `try_points` never has more."""
        reached = self._levels(node, candidates).reached
        return kernel.bounds(self._tables, self._state, self._without(node), node, candidates, reached)

    def move(self, node: int, point: NDArray[np.int16]) -> None:
        """Give a node another point `[4]`."""
        self._apart, state = None, self._state
        kernel.change_others(self._tables, state, node, -1.0)
        state.points[node] = point
        moved = self._levels(node, state.points[node : node + 1])
        state.reached[node], state.x_dbm[node], state.limit_dbm[node] = (
            moved.reached[0],
            moved.x_dbm[0],
            moved.limit_dbm[0],
        )
        kernel.change_others(self._tables, state, node, 1.0)
        kernel.rebuild(self._tables, state, node)

    def _levels(self, node: int, points: NDArray[np.int16]) -> kernel.Levels:
        return kernel.levels(self._tables, np.full(len(points), node), points)

    def _without(self, node: int) -> NDArray[np.float64]:
        """What packets of others survive without a node's interference `[N, Q]`."""
        if self._apart is None or self._apart[0] != node:
            self._apart = node, kernel.without(self._tables, self._state, node)
        return self._apart[1]
