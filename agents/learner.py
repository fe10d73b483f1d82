"""What a learner is: it sees the decisions that are due in all replicas and answers with operating points.

Shape letters: `B` replicas, `N` nodes, `K` arms, `M` decisions of one batch, `F` factors that are learned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.downlink import Feedback
from lora_marl.core.region import FACTORS, checked_points, chosen_factors

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions, Heard, Outcome
    from lora_marl.core.scenario import Scenario


class Learner(ABC):
    """All deciders of `B` replicas of a network, as arrays.

    Replica b depends on `seeds[b]` alone and a node's choice on its own history alone, so neither the number of
    replicas nor the cut of a run into batches changes a result.

    Args:
        scenario: The network; what may be chosen is in its region.
        seeds: One per replica.
        factors: The factors that are chosen, a subset of `FACTORS`; None: those with more than one value.
        fixed_point: Indices of the factors that are not chosen, `[4]`, or `[N, 4]` or `[B, N, 4]` by node; None: the
            first value of each, highest power.

    Attributes:
        overhead: What was sent before the first decision (data collection); None: nothing.
        feedback: Who decides, and how many packets lie between two decisions; every packet by default.

    Raises:
        ValueError: no seeds, an unknown factor, or a fixed point outside the region.
    """

    name: ClassVar[str]
    """In tables and messages; the class's, where it states none."""

    whole_rounds: ClassVar[bool] = False
    """Whether it learns from `sent` and `delivered` of whole rounds, and not from the fates of single packets."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if not hasattr(cls, "name"):
            cls.name = cls.__name__

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        factors: Sequence[str] | None = None,
        fixed_point: ArrayLike | None = None,
    ) -> None:
        if len(seeds) == 0:
            raise ValueError("seeds = []: needs one per replica, at least one")
        self.region = scenario.region
        self.replicas, self.nodes = len(seeds), scenario.nodes
        self.factors = chosen_factors(self.region, factors)
        self.fixed_points = checked_points(self.region, fixed_point, (self.replicas, self.nodes))
        self.overhead: Outcome | None = None
        self.feedback = Feedback()

    @property
    def operations(self) -> int:
        """Arithmetic operations of one node for one decision, its update included; 0: it only looks up.

        Additions, multiplications, comparisons, roots, logarithms and draws count one each.
        """
        return 0

    @property
    def state_bytes(self) -> float:
        """Memory of one node, in bytes."""
        return sum(array.nbytes for array in self.state_arrays().values()) / (self.replicas * self.nodes)

    def answer(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Learns from all packets since the last decisions, then decides: see `decide`.

        Where feedback needs downlinks, packets that were lost are answered together with the next one that was
        received; who learns from single packets is told of them one after another.
        """
        if not self.whole_rounds:
            for earlier in decisions.earlier():
                self.decide(earlier, points)
        self.decide(decisions, points)

    @abstractmethod
    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The operating points that the deciders choose now `[M, 4]`."""

    def update(self, decisions: Decisions) -> None:  # noqa: B027 (rules that do not learn keep it)
        """Learns from the fates of the last packets; rows with `Fate.NONE` are skipped."""

    def hear(self, heard: Heard) -> None:  # noqa: B027 (rules that do not listen keep it)
        """Takes in the uplinks that the network received since the last call; only where the feedback `listens`."""

    def diagnostics(self, scenario: Scenario) -> dict[str, NDArray[np.float64]]:
        """What the learner knows of itself, by name `[B]`, for learning curves; `scenario`: as changed so far."""
        return {}

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Updates, selects and writes the choices into `points` `[B, N, 4]`, in place."""
        self.update(decisions)
        chosen = self.select(decisions)
        if np.shape(chosen) != (len(decisions), len(FACTORS)):
            expected = [len(decisions), len(FACTORS)]
            raise ValueError(
                f"{self.name}: select gave an array of shape {list(np.shape(chosen))}; expected {expected}"
            )
        points[decisions.replica, decisions.node] = chosen

    def initial_points(self) -> NDArray[np.int16]:
        """The operating points before the first decision `[B, N, 4]`."""
        return self.fixed_points.copy()

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
