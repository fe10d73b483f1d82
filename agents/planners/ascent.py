"""Coordinate ascent over a closed form: nodes take the best point in turn while all others stay.

`ascend` knows neither the closed form nor the goal: an `Allocation` says what would come of a move, a `Rank` how good
that is. `agents.planners.best_assignment` and `energy_ascent` of `agents.planners.baselines` are what it is used for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.region import TP
from lora_marl.core.scenario import Scenario

SEED = 0
"""Seed of the order in which nodes are visited."""
_GAIN = 1e-9
"""Relative improvement below which a point is not changed, so that rounding cannot make the ascent go round."""

Rank = Callable[[Any], list[tuple[bool, float]]]
"""How well the totals of an allocation, or those of several, serve a goal: whether it is reached, and how far."""


class Allocation(Protocol):
    """An allocation whose nodes can move; its totals are whatever the rank reads.

    `lora_marl.core.expect` has one for every closed form: `OneGatewayIncremental` and its siblings.
    """

    @property
    def points(self) -> NDArray[np.int16]: ...  # noqa: D102
    def totals(self) -> Any: ...  # noqa: D102
    def try_points(self, node: int, candidates: NDArray[np.int16]) -> Any: ...  # noqa: D102
    def bounds(self, node: int, candidates: NDArray[np.int16]) -> Any: ...  # noqa: D102
    def move(self, node: int, point: NDArray[np.int16]) -> None: ...  # noqa: D102


def ascend(allocation: Allocation, rank: Rank, sweeps: int, candidates: NDArray[np.int16]) -> NDArray[np.int16]:
    """Move nodes in random order to their best points until a sweep changes nothing.

    Args:
        allocation: The start; it is moved.
        rank: The goal.
        sweeps: Most sweeps over all nodes.
        candidates: Points that every node may use `[K, 4]`, or each its own `[N, K, 4]`.

    Returns:
        The allocation where the ascent ends. `[N, 4]`
    """
    nodes, rng = len(allocation.points), np.random.default_rng(SEED)
    of_nodes = np.broadcast_to(candidates, (nodes, *candidates.shape[-2:]))
    for _ in range(sweeps):
        moves = [improve(allocation, node, of_nodes[node], rank) for node in rng.permutation(nodes)]
        if not any(moves):
            break
    return allocation.points


def improve(allocation: Allocation, node: int, candidates: NDArray[np.int16], rank: Rank) -> bool:
    """Move a node to the best of the candidates `[K, 4]`; whether that changed its point.

    Candidates that would be no better even without interference to or from the node are skipped.
    """
    before = rank(allocation.totals())[0]
    hopeful = candidates[[bound > before for bound in rank(allocation.bounds(node, candidates))]]
    if len(hopeful) == 0:
        return False
    ranks = rank(allocation.try_points(node, hopeful))
    best = max(range(len(ranks)), key=ranks.__getitem__)
    reached, value = ranks[best]
    if reached == before[0] and value <= before[1] + abs(before[1]) * _GAIN:
        return False
    allocation.move(node, hopeful[best])
    return True


def operating_points(scenario: Scenario, powers: str = "all") -> NDArray[np.int16]:
    """All operating points of a scenario, or with `powers="highest"` those of the highest power `[K, 4]`."""
    sizes = scenario.region.factor_sizes
    points = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, 4)
    return points[(powers == "all") | (points[:, TP] == sizes[TP] - 1)].astype(np.int16)
