"""The references of every table: the best fixed assignment, planned before the run with everything known.

| name | goal |
|---|---|
| `reference-pdr` | highest PDR of the network; with `powers="highest"` among assignments at the highest power |
| `reference-ee` | highest EE among assignments whose PDR is at least `least_pdr` |

(EE alone is degenerate: the lowest power and smallest SF for all nodes maximises it.)

Coordinate ascent over a closed form (`lora_marl.core.expect`): nodes are visited in random order, each takes the point
that serves the goal best while all others stay, until a sweep changes nothing. There are three starts: all nodes at the
smallest spreading factor, quantiles of distance, and a random one; the best end is kept. While `least_pdr` is not
reached, the point of highest PDR is taken. The closed form errs a little, so the goal of `reference-ee` is `least_pdr`
plus `margin`. Candidates that would be no better even without interference to or from the node are skipped.

The closed form is `OneGateway`, or the pairwise `LogNormal` for several gateways, at most eight in a node's reach.

A goal with a constraint stops single moves early: the first nodes visited use up the spare PDR, and later moves cannot
return it. So each start first goes through sweeps that maximise log EE + price PDR, the price falling while `least_pdr`
is reached and rising while it is not, and the ascent goes on from the best assignment on that way.

It is a reference and not a bound: an ascent may stop at a local optimum, the closed form is not the air, and a learner
that changes its points may do better than one that does not. Where the network changes on schedule, it is planned for
the network after the last change, since the end of a run is what is reported; until then it may do badly.

Source: none; a baseline of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.learner import Learner
from agents.planners.ascent import SEED, Allocation, ascend, improve, operating_points
from agents.rules.fixed import DistanceQuantile, StaticSF7
from lora_marl.core.checks import check_choice
from lora_marl.core.downlink import NEVER, Feedback
from lora_marl.core.expect import Expectation, LogNormal, LogNormalIncremental, OneGateway, OneGatewayIncremental
from lora_marl.core.expect.expectation import BITS, DELIVERED, ENERGY, PACKETS
from lora_marl.core.expect.integrals import SMALLEST
from lora_marl.core.region import TP

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario

POWERS = ("all", "highest")

_PRICE, _PRICE_STEP, _LAST_STEP = 16.0, 2.0, 1.1
"""First price of PDR, the factor that it changes by (its root after every turn), and the factor to stop at."""
_MOST_PRICED_SWEEPS = 40

ClosedForm = OneGateway | LogNormal
Points = NDArray[np.int16]
"""An assignment `[N, 4]`, or candidates for a node `[K, 4]`."""


class Reference(Learner):
    """Operating points found by coordinate ascent before the run, which never change.

    Args:
        scenario: The network.
        seeds: One per replica; the assignment is the same for all that have one placement.
        least_pdr: PDR that the assignment must reach before anything else counts. 0 to 1
        margin: Added to it. 0 to 1
        sweeps: Most sweeps of one ascent, at least 1.
        powers: `all`, or the `highest` alone.

    Attributes:
        expected: Expectation of the closed form for each assignment: one for every placement.

    Raises:
        ValueError: a parameter outside its range, or a network that has no closed form.
    """

    def __init__(
        self, scenario: Scenario, seeds: Sequence[int], *, least_pdr: float, margin: float, sweeps: int,
        powers: str = "all",
    ) -> None:  # fmt: skip
        for name, value in {"least_pdr": least_pdr, "margin": margin}.items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name} = {value}: must lie in 0 to 1")
        if not (sweeps >= 1 and sweeps == int(sweeps)):
            raise ValueError(f"sweeps = {sweeps}: must be a whole number of at least 1")
        check_choice("powers", powers, POWERS)
        goal, final = min(least_pdr + margin, 1.0), _after_changes(scenario)
        candidates = operating_points(scenario, powers)
        closed_forms = [closed_form_of(final.replica(number)) for number in range(min(final.placements, len(seeds)))]
        assignments = [best_assignment(closed_form, candidates, goal, int(sweeps)) for closed_form in closed_forms]
        super().__init__(
            scenario, seeds, fixed_point=assignments[0] if len(assignments) == 1 else np.stack(assignments)
        )
        self.feedback = Feedback(packets=NEVER, answers=False)
        self.expected: list[Expectation] = [
            closed_form.expect(points) for closed_form, points in zip(closed_forms, assignments, strict=True)
        ]

    def select(self, decisions: Decisions) -> Points:
        """The assignment `[M, 4]`."""
        return self.fixed_points[decisions.replica, decisions.node]

    def state_arrays(self) -> dict[str, NDArray]:
        """The assignment `[B, N, 4]`."""
        return {"points": self.fixed_points}


class ReferencePdr(Reference):
    """The assignment of highest PDR.

    Args:
        scenario, seeds, sweeps, powers: As in `Reference`.
    """

    name: ClassVar[str] = "reference-pdr"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, sweeps: int = 50, powers: str = "all") -> None:
        super().__init__(scenario, seeds, least_pdr=1.0, margin=0.0, sweeps=sweeps, powers=powers)


class ReferenceEe(Reference):
    """The assignment of highest EE at a PDR of at least `least_pdr`.

    Args:
        scenario, seeds, least_pdr, margin, sweeps: As in `Reference`.
    """

    name: ClassVar[str] = "reference-ee"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        least_pdr: float = 0.9,
        margin: float = 0.003,
        sweeps: int = 50,
    ) -> None:
        super().__init__(scenario, seeds, least_pdr=least_pdr, margin=margin, sweeps=sweeps)


def closed_form_of(scenario: Scenario) -> ClosedForm:
    """The closed form of a network.

    Raises:
        ValueError: a network that has none, saying why.
    """
    if scenario.gateways == 1:
        return OneGateway(scenario)
    try:
        return LogNormal(scenario, variant="pairwise")
    except ValueError as error:
        raise ValueError(
            f"the best assignment needs a closed form, and for {scenario.gateways} gateways there is none: {error}"
        ) from error


def best_assignment(closed_form: ClosedForm, candidates: Points, least_pdr: float, sweeps: int) -> Points:
    """The best of the assignments that ascents from all starts end at `[N, 4]`; nodes use the candidates `[K, 4]`."""
    ends = []
    for start in starting_assignments(closed_form.scenario):
        start[:, TP] = np.maximum(start[:, TP], candidates[:, TP].min())
        begin = approach_goal(closed_form, start, least_pdr, candidates) if least_pdr < 1.0 else start
        ends.append(ascend_from(closed_form, begin, least_pdr, sweeps, candidates))
    return max(ends, key=lambda end: rank(_allocation(closed_form, end).totals(), least_pdr)[0])


def starting_assignments(scenario: Scenario) -> Iterable[Points]:
    """The starts `[N, 4]`: smallest spreading factor (where it is 7), quantiles of distance, random points."""
    spreading_factors = scenario.region.spreading_factors
    quantiles = spreading_factors[: min(4, len(spreading_factors))]
    if spreading_factors[0] == 7:
        yield StaticSF7(scenario, [SEED]).initial_points()[0]
    yield DistanceQuantile(scenario, [SEED], spreading_factors=quantiles).initial_points()[0]
    drawn = np.random.default_rng(SEED).integers(0, scenario.region.factor_sizes, (scenario.nodes, 4))
    yield drawn.astype(np.int16)


def ascend_from(closed_form: ClosedForm, start: Points, least_pdr: float, sweeps: int, candidates: Points) -> Points:
    """Where coordinate ascent from an assignment `[N, 4]` over the candidates `[K, 4]` ends `[N, 4]`."""
    return ascend(_allocation(closed_form, start), partial(rank, least_pdr=least_pdr), sweeps, candidates)


def approach_goal(closed_form: ClosedForm, start: Points, least_pdr: float, candidates: Points) -> Points:
    """The best assignment `[N, 4]` on a way of sweeps whose price of PDR closes in on `least_pdr`."""
    allocation = _allocation(closed_form, start)
    rng = np.random.default_rng(SEED)
    best, best_rank = start, rank(allocation.totals(), least_pdr)[0]
    price, step, reached_before = _PRICE, _PRICE_STEP, None
    for _ in range(_MOST_PRICED_SWEEPS):
        for node in rng.permutation(len(start)):
            improve(allocation, node, candidates, partial(priced, price=price))
        current = rank(allocation.totals(), least_pdr)[0]
        if current > best_rank:
            best, best_rank = allocation.points, current
        reached = current[0]
        if reached_before is not None and reached != reached_before:
            step **= 0.5
        if step < _LAST_STEP:
            break
        reached_before = reached
        price = price / step if reached else price * step
    return best


def rank(totals: NDArray[np.float64], least_pdr: float) -> list[tuple[bool, float]]:
    """How well totals `[4]` or `[K, 4]` serve the goal: whether the PDR is reached, then EE; where it is not, PDR."""
    pdr, ee = _pdr_and_ee(totals)
    return [(bool(p >= least_pdr), float(e if p >= least_pdr else p)) for p, e in zip(pdr, ee, strict=True)]


def priced(totals: NDArray[np.float64], price: float) -> list[tuple[bool, float]]:
    """Logarithm of EE plus price times PDR, of totals `[4]` or `[K, 4]`, in the form of `rank`."""
    pdr, ee = _pdr_and_ee(totals)
    return [(True, float(value)) for value in np.log(np.maximum(ee, SMALLEST)) + price * pdr]


def _pdr_and_ee(totals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = np.atleast_2d(totals)
    return rows[:, DELIVERED] / rows[:, PACKETS], rows[:, BITS] / rows[:, ENERGY]


def _allocation(closed_form: ClosedForm, points: Points) -> Allocation:
    """An assignment `[N, 4]` whose nodes can move."""
    if isinstance(closed_form, OneGateway):
        return OneGatewayIncremental(closed_form, points)
    return LogNormalIncremental(closed_form, points)


def _after_changes(scenario: Scenario) -> Scenario:
    """The network after its last change on schedule."""
    final = replace(scenario, changes=())
    for change in scenario.changes:
        final = final.with_values(change.values)
    return final
