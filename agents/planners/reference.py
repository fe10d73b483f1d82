"""The references of every table: the best fixed assignment found with everything known.

| name | goal |
|---|---|
| `reference-pdr` | highest PDR of the network; with `powers="highest"` among assignments at the highest power |
| `reference-ee` | highest EE among assignments whose PDR is at least `least_pdr` |

(EE alone is degenerate: everybody at the lowest power and the smallest spreading factor wins.)

Coordinate ascent over a closed form (`lora_marl.core.expect`): nodes are visited in random order, each takes the point
that serves the goal best while all others stay, until a sweep changes nothing. From three starts: everybody at the
smallest spreading factor, quantiles of distance, and a random one; the best end is kept. While `least_pdr` is not
reached, the point of highest PDR is taken. The closed form errs a little, so that the goal of `reference-ee` is
`least_pdr` and `margin`. Points that could not do better if the node disturbed nobody and nobody it are not tried.

The closed form is `OneGateway`, or the pairwise `LogNormal` for several gateways, at most five in a node's reach.

A goal with a constraint stops single moves early: the first nodes that are visited spend all the PDR there is to spare,
and nobody gives any back. So each start first goes through sweeps that maximise log EE + price PDR, the price falling
while `least_pdr` is reached and rising while it is not, and the ascent goes on from the best assignment on that way.

It is a reference and no bound: an ascent may stop at a local optimum, the closed form is not the air, and who changes
its mind may do better than who does not. Where the network changes on schedule, it is made for what the last change
leaves, since it is the end of a run that is reported; until then it may do badly.

Source: none; a baseline of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.learner import Learner
from agents.planners.ascent import best_assignment, closed_form_of, every_point
from lora_marl.core.downlink import NEVER, Feedback
from lora_marl.core.expect import Expectation

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario

POWERS = ("all", "highest")


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
        expected: What the closed form expects of each assignment: one for every placement.

    Raises:
        ValueError: a parameter outside its range, or a network that has no closed form (see the two).
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
        if powers not in POWERS:
            raise ValueError(f"powers = {powers!r} is not one of {', '.join(POWERS)}")
        goal, last = min(least_pdr + margin, 1.0), _in_the_end(scenario)
        candidates = every_point(scenario, powers)
        closed_forms = [closed_form_of(last.replica(number)) for number in range(min(last.placements, len(seeds)))]
        found = [best_assignment(closed_form, candidates, goal, int(sweeps)) for closed_form in closed_forms]
        super().__init__(scenario, seeds, fixed_point=found[0] if len(found) == 1 else np.stack(found))
        self.feedback = Feedback(packets=NEVER, answers=False)
        self.expected: list[Expectation] = [
            closed_form.expect(points) for closed_form, points in zip(closed_forms, found, strict=True)
        ]

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The assignment `[M, 4]`."""
        return self.fixed_points[decisions.replica, decisions.node]

    def state_arrays(self) -> dict[str, NDArray]:
        """The assignment `[B, N, 4]`."""
        return {"points": self.fixed_points}


class ReferencePdr(Reference):
    """The highest PDR.

    Args:
        scenario, seeds, sweeps, powers: See `Reference`.
    """

    name: ClassVar[str] = "reference-pdr"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, sweeps: int = 50, powers: str = "all") -> None:
        super().__init__(scenario, seeds, least_pdr=1.0, margin=0.0, sweeps=sweeps, powers=powers)


class ReferenceEe(Reference):
    """The highest EE at a PDR of at least `least_pdr`.

    Args:
        scenario, seeds, least_pdr, margin, sweeps: See `Reference`.
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


def _in_the_end(scenario: Scenario) -> Scenario:
    """The network after its last change."""
    final = replace(scenario, changes=())
    for change in scenario.changes:
        final = final.with_values(change.values)
    return final
