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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.fixed import DistanceQuantile, StaticSF7
from agents.learner import Learner
from lora_marl.core.downlink import NEVER, Feedback
from lora_marl.core.expect import Expectation, LogNormal, OneGateway
from lora_marl.core.expect.incremental import BITS, DELIVERED, ENERGY, PACKETS, Incremental
from lora_marl.core.expect.lognormal_incremental import LogNormalIncremental

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario

_SEED = 0
_PRICE, _PRICE_STEP, _LAST_STEP = 16.0, 2.0, 1.1
"""First price of PDR, the factor that it changes by (its root after every turn), and the factor to stop at."""

_MOST_PRICED_SWEEPS = 40
POWERS = ("all", "highest")
_GAIN = 1e-9
"""Relative improvement below which a point is not changed, so that rounding cannot make the ascent go round."""


ClosedForm = OneGateway | LogNormal


class Allocation(Protocol):
    """An allocation and its expectation while single nodes move; see `Incremental`."""

    @property
    def points(self) -> NDArray[np.int16]: ...  # noqa: D102
    def totals(self) -> NDArray[np.float64]: ...  # noqa: D102
    def try_points(self, node: int, candidates: NDArray[np.int16]) -> NDArray[np.float64]: ...  # noqa: D102
    def bounds(self, node: int, candidates: NDArray[np.int16]) -> NDArray[np.float64]: ...  # noqa: D102
    def move(self, node: int, point: NDArray[np.int16]) -> None: ...  # noqa: D102


def closed_form_of(scenario: Scenario) -> ClosedForm:
    """The closed form that the ascent goes by.

    Raises:
        ValueError: a network that it does not have, saying why.
    """
    if scenario.gateways == 1:
        return OneGateway(scenario)
    try:
        return LogNormal(scenario, variant="pairwise")
    except ValueError as error:
        raise ValueError(f"scenario has {scenario.gateways} gateways; {error}") from error


def allocation_of(closed_form: ClosedForm, points: NDArray[np.int16]) -> Allocation:
    """An allocation `[N, 4]` whose nodes can move."""
    if isinstance(closed_form, OneGateway):
        return Incremental(closed_form, points)
    return LogNormalIncremental(closed_form, points)


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


def starts(scenario: Scenario) -> Iterable[NDArray[np.int16]]:
    """Three assignments to begin with `[N, 4]`: smallest spreading factor, quantiles of distance, random."""
    known = scenario.region.spreading_factors
    quantiles = known[: min(4, len(known))]
    if known[0] == 7:
        yield StaticSF7(scenario, [_SEED]).initial_points()[0]
    yield DistanceQuantile(scenario, [_SEED], spreading_factors=quantiles).initial_points()[0]
    drawn = np.random.default_rng(_SEED).integers(0, scenario.region.factor_sizes, (scenario.nodes, 4))
    yield drawn.astype(np.int16)


def best_assignment(
    closed_form: ClosedForm, candidates: NDArray[np.int16], goal: float, sweeps: int
) -> NDArray[np.int16]:
    """The best of the assignments that the ascents end at `[N, 4]`; nodes use the candidates `[K, 4]`."""
    ends = []
    for start in starts(closed_form.scenario):
        start[:, 3] = np.maximum(start[:, 3], candidates[:, 3].min())
        begin = approached(closed_form, start, goal, candidates) if goal < 1.0 else start
        ends.append(ascended(closed_form, begin, goal, sweeps, candidates))
    return max(ends, key=lambda end: rank(allocation_of(closed_form, end).totals()[None], goal)[0])


def ascended(
    closed_form: ClosedForm, start: NDArray[np.int16], least_pdr: float, sweeps: int, candidates: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Where coordinate ascent from an assignment `[N, 4]` over the candidates `[K, 4]` ends."""
    allocation = allocation_of(closed_form, start)
    rng = np.random.default_rng(_SEED)
    for _ in range(sweeps):
        moves = [
            _improved(allocation, node, candidates, partial(rank, least_pdr=least_pdr))
            for node in rng.permutation(len(start))
        ]
        if not any(moves):
            break
    return allocation.points


def approached(
    closed_form: ClosedForm, start: NDArray[np.int16], least_pdr: float, candidates: NDArray[np.int16]
) -> NDArray[np.int16]:
    """The best assignment `[N, 4]` on the way of sweeps at a price of PDR that closes in on `least_pdr`."""
    allocation = allocation_of(closed_form, start)
    rng = np.random.default_rng(_SEED)
    best, best_rank = start, rank(allocation.totals()[None], least_pdr)[0]
    price, step, reached_before = _PRICE, _PRICE_STEP, None
    for _ in range(_MOST_PRICED_SWEEPS):
        for node in rng.permutation(len(start)):
            _improved(allocation, node, candidates, partial(priced, price=price))
        found = rank(allocation.totals()[None], least_pdr)[0]
        if found > best_rank:
            best, best_rank = allocation.points, found
        if reached_before is not None and found[0] != reached_before:
            step **= 0.5
        if step < _LAST_STEP:
            break
        reached_before = found[0]
        price = price / step if reached_before else price * step
    return best


def every_point(scenario: Scenario, powers: str = "all") -> NDArray[np.int16]:
    """All operating points, or those of the highest power `[K, 4]`."""
    sizes = scenario.region.factor_sizes
    points = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, 4)
    return points[(powers == "all") | (points[:, 3] == sizes[3] - 1)].astype(np.int16)


def priced(totals: NDArray[np.float64], price: float) -> list[tuple[bool, float]]:
    """Logarithm of EE plus price times PDR, of totals `[K, 4]`, in the form of `rank`."""
    pdr, ee = totals[:, DELIVERED] / totals[:, PACKETS], totals[:, BITS] / totals[:, ENERGY]
    return [(True, float(value)) for value in np.log(np.maximum(ee, 1e-300)) + price * pdr]


def rank(totals: NDArray[np.float64], least_pdr: float) -> list[tuple[bool, float]]:
    """How well totals `[K, 4]` serve the goal: whether the PDR is reached, then EE; where it is not, PDR."""
    pdr, ee = totals[:, DELIVERED] / totals[:, PACKETS], totals[:, BITS] / totals[:, ENERGY]
    return [(bool(p >= least_pdr), float(e if p >= least_pdr else p)) for p, e in zip(pdr, ee, strict=True)]


def _in_the_end(scenario: Scenario) -> Scenario:
    """The network after its last change."""
    final = replace(scenario, changes=())
    for change in scenario.changes:
        final = final.with_values(change.values)
    return final


def _improved(
    allocation: Allocation,
    node: int,
    candidates: NDArray[np.int16],
    ranked: Callable[[NDArray[np.float64]], list[tuple[bool, float]]],
) -> bool:
    """Gives a node its best point; whether that is another one."""
    before = ranked(allocation.totals()[None])[0]
    hopeful = candidates[[bound > before for bound in ranked(allocation.bounds(node, candidates))]]
    if len(hopeful) == 0:
        return False
    found = ranked(allocation.try_points(node, hopeful))
    best = max(range(len(found)), key=found.__getitem__)
    reached, value = found[best]
    if reached == before[0] and value <= before[1] + abs(before[1]) * _GAIN:
        return False
    allocation.move(node, hopeful[best])
    return True
