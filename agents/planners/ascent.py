"""Coordinate ascent over the closed forms, for whoever says how good an allocation is.

See `coordinate_ascent`, the references that are found by it, and `planners.search`, which maximises MMALoRa's energy
efficiency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.rules.fixed import DistanceQuantile, StaticSF7
from lora_marl.core.expect import LogNormal, OneGateway
from lora_marl.core.expect.lognormal.incremental import LogNormalIncremental
from lora_marl.core.expect.one_gateway.incremental import BITS, DELIVERED, ENERGY, PACKETS, Incremental

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

_SEED = 0
_PRICE, _PRICE_STEP, _LAST_STEP = 16.0, 2.0, 1.1
"""First price of PDR, the factor that it changes by (its root after every turn), and the factor to stop at."""

_MOST_PRICED_SWEEPS = 40
_GAIN = 1e-9
"""Relative improvement below which a point is not changed, so that rounding cannot make the ascent go round."""


ClosedForm = OneGateway | LogNormal

Ranked = Callable[[Any], list[tuple[bool, float]]]
"""How well the totals of an allocation, or those of several, serve a goal: whether it is reached, and how far."""


class Allocation(Protocol):
    """An allocation and its expectation while single nodes move, whatever its totals are; see the `Incremental`s."""

    @property
    def points(self) -> NDArray[np.int16]: ...  # noqa: D102
    def totals(self) -> Any: ...  # noqa: D102
    def try_points(self, node: int, candidates: NDArray[np.int16]) -> Any: ...  # noqa: D102
    def bounds(self, node: int, candidates: NDArray[np.int16]) -> Any: ...  # noqa: D102
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
    return max(ends, key=lambda end: rank(allocation_of(closed_form, end).totals(), goal)[0])


def ascended(
    closed_form: ClosedForm, start: NDArray[np.int16], least_pdr: float, sweeps: int, candidates: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Where coordinate ascent from an assignment `[N, 4]` over the candidates `[K, 4]` ends."""
    return climbed(allocation_of(closed_form, start), partial(rank, least_pdr=least_pdr), sweeps, candidates)


def climbed(allocation: Allocation, ranked: Ranked, sweeps: int, candidates: NDArray[np.int16]) -> NDArray[np.int16]:
    """Where coordinate ascent from an allocation ends `[N, 4]`.

    Args:
        allocation: To begin with; it is moved.
        ranked: The goal.
        sweeps: Most of them.
        candidates: What every node may use `[K, 4]`, or each `[N, K, 4]`.
    """
    nodes, rng = len(allocation.points), np.random.default_rng(_SEED)
    own = np.broadcast_to(candidates, (nodes, *candidates.shape[-2:]))
    for _ in range(sweeps):
        moves = [_improved(allocation, node, own[node], ranked) for node in rng.permutation(nodes)]
        if not any(moves):
            break
    return allocation.points


def approached(
    closed_form: ClosedForm, start: NDArray[np.int16], least_pdr: float, candidates: NDArray[np.int16]
) -> NDArray[np.int16]:
    """The best assignment `[N, 4]` on the way of sweeps at a price of PDR that closes in on `least_pdr`."""
    allocation = allocation_of(closed_form, start)
    rng = np.random.default_rng(_SEED)
    best, best_rank = start, rank(allocation.totals(), least_pdr)[0]
    price, step, reached_before = _PRICE, _PRICE_STEP, None
    for _ in range(_MOST_PRICED_SWEEPS):
        for node in rng.permutation(len(start)):
            _improved(allocation, node, candidates, partial(priced, price=price))
        found = rank(allocation.totals(), least_pdr)[0]
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
    """Logarithm of EE plus price times PDR, of totals `[4]` or `[K, 4]`, in the form of `rank`."""
    pdr, ee = _pdr_and_ee(totals)
    return [(True, float(value)) for value in np.log(np.maximum(ee, 1e-300)) + price * pdr]


def rank(totals: NDArray[np.float64], least_pdr: float) -> list[tuple[bool, float]]:
    """How well totals `[4]` or `[K, 4]` serve the goal: whether the PDR is reached, then EE; where it is not, PDR."""
    pdr, ee = _pdr_and_ee(totals)
    return [(bool(p >= least_pdr), float(e if p >= least_pdr else p)) for p, e in zip(pdr, ee, strict=True)]


def _pdr_and_ee(totals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    each = np.atleast_2d(totals)
    return each[:, DELIVERED] / each[:, PACKETS], each[:, BITS] / each[:, ENERGY]


def _improved(allocation: Allocation, node: int, candidates: NDArray[np.int16], ranked: Ranked) -> bool:
    """Gives a node its best point; whether that is another one."""
    before = ranked(allocation.totals())[0]
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
