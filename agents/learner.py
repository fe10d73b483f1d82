"""What a learner is: it sees the decisions that are due in all replicas and answers with operating points.

Shape letters: `B` replicas, `N` nodes, `K` arms, `M` decisions of one batch, `F` factors that are learned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.region import FACTORS, Region

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


class Learner(ABC):
    """All deciders of `B` replicas of a network, as arrays.

    Replica b depends on `seeds[b]` alone and a node's choice on its own history alone, so neither the number of
    replicas nor the cut of a run into batches changes a result.

    Args:
        scenario: The network; what may be chosen is in its region.
        seeds: One per replica.
        factors: The factors that are chosen, a subset of `FACTORS`; None: those with more than one value.
        fixed_point: `[4]` indices of the factors that are not chosen; None: the first value of each, highest power.

    Raises:
        ValueError: no seeds, an unknown factor, or a fixed point outside the region.
    """

    name: ClassVar[str]

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        factors: Sequence[str] | None = None,
        fixed_point: Sequence[int] | None = None,
    ) -> None:
        if len(seeds) == 0:
            raise ValueError("seeds = []: needs one per replica, at least one")
        self.region = scenario.region
        self.replicas, self.nodes = len(seeds), scenario.nodes
        self.factors = learned_factors(self.region, factors)
        self.fixed_point = checked_point(self.region, fixed_point)

    @abstractmethod
    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The operating points that the deciders choose now `[M, 4]`."""

    def update(self, decisions: Decisions) -> None:  # noqa: B027 (rules that do not learn keep it)
        """Learns from the fates of the last packets; rows with `Fate.NONE` are skipped."""

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Updates, selects and writes the choices into `points` `[B, N, 4]`, in place."""
        self.update(decisions)
        points[decisions.replica, decisions.node] = self.select(decisions)

    def initial_points(self) -> NDArray[np.int16]:
        """The operating points before the first decision `[B, N, 4]`."""
        return np.tile(self.fixed_point, (self.replicas, self.nodes, 1))

    def state_arrays(self) -> dict[str, NDArray]:
        """Everything that changes while learning, by name: the arrays themselves, not copies."""
        return {}

    def state_dict(self) -> dict[str, NDArray]:
        """A copy of the state; loading it resumes exactly."""
        return {name: array.copy() for name, array in self.state_arrays().items()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Takes over a state.

        Raises:
            ValueError: an array is missing, unknown, or of another shape or type than this learner's.
        """
        own = self.state_arrays()
        if set(state) != set(own):
            raise ValueError(f"state of {self.name} has {sorted(state)}; expected {sorted(own)}")
        for name, array in own.items():
            given = np.asarray(state[name])
            if given.shape != array.shape or given.dtype != array.dtype:
                raise ValueError(
                    f"state of {self.name}: {name} is {given.dtype} {list(given.shape)}; "
                    f"expected {array.dtype} {list(array.shape)} (replicas, nodes, ...)"
                )
        for name, array in own.items():
            array[...] = state[name]


def learned_factors(region: Region, factors: Sequence[str] | None) -> tuple[str, ...]:
    """The chosen factors in the order of `FACTORS`; None: those with more than one value in the region.

    Raises:
        ValueError: an unknown, repeated or missing factor, naming it.
    """
    if factors is None:
        return tuple(name for name, size in zip(FACTORS, region.factor_sizes, strict=True) if size > 1)
    for name in factors:
        if name not in FACTORS:
            raise ValueError(f"factors: {name!r} is not one of {', '.join(FACTORS)}")
    if len(factors) == 0 or len(set(factors)) < len(factors):
        raise ValueError(f"factors = {list(factors)}: needs at least one, each once, of {', '.join(FACTORS)}")
    return tuple(name for name in FACTORS if name in factors)


def checked_point(region: Region, point: Sequence[int] | None) -> NDArray[np.int16]:
    """An operating point within the region; None: the first value of each factor and the highest power `[4]`.

    Raises:
        ValueError: an index outside the region's list, naming the factor and the limits.
    """
    if point is None:
        return np.array([0, 0, 0, np.argmax(region.tp_dbm)], np.int16)
    if len(point) != len(FACTORS):
        raise ValueError(f"fixed_point = {list(point)}: needs {len(FACTORS)} indices, of {', '.join(FACTORS)}")
    for name, index, size in zip(FACTORS, point, region.factor_sizes, strict=True):
        if not 0 <= index < size:
            raise ValueError(f"fixed_point: {name} = {index} is outside 0 to {size - 1}")
    return np.array(point, np.int16)
