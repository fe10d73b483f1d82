"""The base class of learners: it sees the decisions that are due in all replicas and answers with operating points.

A learner of your own defines `select`, and `update` if it learns:

    class Stubborn(Learner):
        def select(self, decisions):
            return self.fixed_points[decisions.replica, decisions.node]

To write one, copy `UCB1` in `agents/bandits/cucb.py` (it learns), `agents/rules/dylora.py` (a rule), or the learner in
`docs/own_parts.md`, and register its name in `agents/__init__.py`; an import path works without that.

Every decision passes through the methods in this order:

| method | what it does | to override where |
|---|---|---|
| `hear` | takes in the uplinks that the network server received | the feedback `listens` |
| `answer` | calls `decide`, and before it `decide` for earlier packets that share one answer | never |
| `decide` | calls `update` and `select`, writes the choices | one compiled pass is faster |
| `update` | learns from the fates of the last packets | the learner learns |
| `select` | chooses the next operating points | always |

An operating point is four indices into the region's lists: spreading factor, bandwidth, channel, power. The channel may
be `lora_marl.core.region.HOP`; decisions then name the one that the last packet was sent on.

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.allowed import POINT_SIZES, Allowed, Count, Flag, Given, Point, check
from lora_marl.core.downlink import Feedback
from lora_marl.core.factors import checked_points, chosen_factors
from lora_marl.core.region import FACTORS, Region

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions, Heard, Outcome
    from lora_marl.core.scenario import Scenario


class Learner(ABC):
    """The learners of all nodes in `B` replicas of a network, as arrays.

    Replica b depends on `seeds[b]` alone, and a node's choice on its own history alone. Results therefore depend
    neither on the number of replicas nor on how a run is cut into batches.

    Args:
        scenario: The network; its region says what may be chosen.
        seeds: One per replica.
        factors: Which of `FACTORS` are chosen; None: those with more than one value.
        fixed_point: Indices of the factors that are not chosen, `[4]`, or `[N, 4]` or `[B, N, 4]` by node; None: the
            first value of each, the highest power, and a channel that is drawn for every transmission
            (`lora_marl.core.region.HOP`, in a file `hop`).

    Attributes:
        region: Region of the operating points that may be chosen.
        replicas, nodes: B and N.
        factors: The factors that are chosen, in the order of `FACTORS`.
        fixed_points: The values of the others. `[B, N, 4]`
        overhead: Outcome of the packets that collected data before the first decision; None: there were none.
        feedback: Who decides, and how many packets lie between two decisions; by default nodes, after every packet.
        nb_trans: How often each unconfirmed frame of a node is sent, 1 to 15 (`lora_marl.core.air.Air.advance`); the
            learner may write into it with every decision. None: as the scenario's traffic has it. `[B, N]` int8
        channel_masks: Channels that each node may use where its point's channel is `HOP`; written as `nb_trans` is.
            None: as the scenario has it. `[B, N, C]` bool

    Raises:
        ValueError: no seeds, an unknown factor, or a fixed point outside the region.
    """

    name: ClassVar[str]
    """Name in tables and messages; by default that of the class."""

    whole_rounds: ClassVar[bool] = False
    """Whether it learns from `sent` and `delivered` of whole rounds instead of the fates of single packets."""

    knowledge: ClassVar[tuple[str, ...] | None] = None
    """Dotted names of the scenario's fields that it reads, `nodes` and `gateways` their numbers; None: any."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
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
        self.nb_trans: NDArray[np.int8] | None = None
        self.channel_masks: NDArray[np.bool_] | None = None
        self._downlinks = scenario.feedback == "downlink"

    @property
    def operations(self) -> int:
        """Arithmetic operations of one node for one decision and its update; 0 for a table look-up.

        Additions, multiplications, comparisons, roots, logarithms and draws count one each.
        """
        return 0

    @property
    def state_bytes(self) -> float:
        """Memory that a node needs for its state. bytes"""
        return sum(array.nbytes for array in self.state_arrays().values()) / (self.replicas * self.nodes)

    def hear(self, heard: Heard) -> None:  # noqa: B027 (only learners with a feedback that listens need it)
        """Take in the uplinks that the network server received since the last call."""

    def answer(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Learn from all packets since the last decisions, then decide.

        Where feedback needs downlinks, one answer covers the packet that was received and those lost before it. A
        learner of single packets learns from them one after another, in the order in which they were sent.

        Args:
            decisions: Those that are due. `[M]`
            points: Operating points in force, written in place. `[B, N, 4]`
        """
        if not self.whole_rounds and self._answers_share_packets:
            for earlier in decisions.earlier():
                self.decide(earlier, points)
        self.decide(decisions, points)

    @property
    def _answers_share_packets(self) -> bool:
        """Whether one answer may cover several packets: a round, or the packets lost before one that was received."""
        feedback = self.feedback
        return feedback.packets > 1 or feedback.decides == "server" or (self._downlinks and feedback.answers)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Update, select, and write the choices.

        Args:
            decisions: Those that are due, at most one of each node. `[M]`
            points: Operating points in force, written in place. `[B, N, 4]`

        Raises:
            ValueError: `select` gave an array of another shape.
        """
        self.update(decisions)
        chosen = self.select(decisions)
        if np.shape(chosen) != (len(decisions), len(FACTORS)):
            expected = [len(decisions), len(FACTORS)]
            raise ValueError(
                f"{self.name}: select gave an array of shape {list(np.shape(chosen))}; expected {expected}"
            )
        points[decisions.replica, decisions.node] = chosen

    def update(self, decisions: Decisions) -> None:  # noqa: B027 (rules that do not learn keep it)
        """Learn from the fates of the last packets `[M]`; rows with `Fate.NONE`, before a first packet, are skipped."""

    @abstractmethod
    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The operating points that the deciders choose now. `[M, 4]`"""

    def initial_points(self) -> NDArray[np.int16]:
        """The operating points before the first decision. `[B, N, 4]`"""
        return self.fixed_points.copy()

    def diagnostics(self, scenario: Scenario) -> dict[str, NDArray[np.float64]]:
        """Measures of the learner's own state for learning curves, by name, `[B]` each.

        Args:
            scenario: The network with the changes that have happened so far.
        """
        return {}

    def state_arrays(self) -> dict[str, NDArray]:
        """Everything that changes while learning, by name: the arrays themselves, not copies."""
        return {}

    def state_limits(self) -> dict[str, Allowed]:
        """What the numbers of arrays of the state may be, by name, where more is known than their type says.

        Compiled learners follow indices without a look at them: whatever is one needs a limit. By itself an array of
        int16 `[..., 4]` holds operating points of the region, and other integers are at least -1.
        """
        return {}

    def state_dict(self) -> dict[str, NDArray]:
        """A copy of the state; a learner that loads it goes on exactly where this one stands."""
        return {name: array.copy() for name, array in self.state_arrays().items()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Take over a state of `state_dict`.

        Raises:
            ValueError: an array is missing, unknown, of another shape or type than this learner's, or has numbers that
                it cannot have (`state_limits`); the learner is as it was.
        """
        arrays, limits = self.state_arrays(), self.state_limits()
        sizes = dict(zip(POINT_SIZES, self.region.factor_sizes, strict=True))
        if set(state) != set(arrays):
            raise ValueError(f"state of {self.name} has {sorted(state)}; expected {sorted(arrays)}")
        for name, array in arrays.items():
            loaded = np.asarray(state[name])
            if loaded.shape != array.shape or loaded.dtype != array.dtype:
                raise ValueError(
                    f"state of {self.name}: {name} is {loaded.dtype} {list(loaded.shape)}; "
                    f"expected {array.dtype} {list(array.shape)} (replicas, nodes, ...)"
                )
            check(f"state of {self.name}: {name}", loaded, limits.get(name, _default_limit(array)), sizes)
        for name, array in arrays.items():
            array[...] = state[name]


def _default_limit(array: NDArray) -> Allowed:
    """What an array of a state may hold by its type; see `Learner.state_limits`."""
    if array.dtype == np.int16 and array.shape[-1:] == (len(FACTORS),):
        return Point(hop=True, unset=True)
    if array.dtype == np.bool_:
        return Flag()
    return Count(least=-1) if array.dtype.kind in "iu" else Given()


def most_robust_point(region: Region) -> NDArray[np.int16]:
    """The point that reaches farthest: largest spreading factor, highest power, first bandwidth and channel. `[4]`"""
    return np.array([len(region.spreading_factors) - 1, 0, 0, len(region.tp_dbm) - 1], np.int16)
