"""What the closed forms of several gateways need of a scenario: interference by pairs, and nothing that adds up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.scenario import Scenario


def check_pairwise(scenario: Scenario, form: str, more: Iterable[tuple[str, Any, tuple[Any, ...]]]) -> None:
    """Raise ValueError for physics that no pairwise closed form has, or that the one of this name lacks.

    Args:
        scenario: The network.
        form: Name of the closed form, for the error.
        more: Fields, their values, and what the form takes.
    """
    check_alone(scenario, form)
    rule = scenario.reception
    for name, value, allowed in (
        ("reception.inter_sf", rule.inter_sf, ("sir_pairwise", "none")),
        ("reception.demodulators", rule.demodulators, (None,)),
        ("traffic.kind", scenario.traffic.kind, ("poisson",)),
        ("region.bandwidths_hz", len(scenario.region.bandwidths_hz), (1,)),
        *more,
    ):
        if value not in allowed:
            raise ValueError(f"{name}: {value!r} has no {form} closed form; it takes {allowed[0]!r}")


def check_alone(scenario: Scenario, form: str) -> None:
    """Raise ValueError for what no closed form has: other networks, interference from outside, retries."""
    for name, value, allowed in (
        ("node_network", scenario.networks, 1),
        ("interference", scenario.interference, None),
        ("traffic.confirmed", scenario.traffic.confirmed, False),
    ):
        if value != allowed:
            raise ValueError(f"scenario.{name}: {value!r} has no {form} closed form; it takes {allowed!r}")


def check_points(scenario: Scenario, points: NDArray[np.int16], axes: int = 2) -> None:
    """Raise ValueError for points that are not int16 `[N, 4]` or `[B, N, 4]`, or outside the region."""
    sizes, nodes = scenario.region.factor_sizes, scenario.nodes
    if points.ndim != axes or points.shape[-2:] != (nodes, len(sizes)) or points.dtype != np.int16:
        shape = f"[{'B, ' * (axes - 2)}{nodes}, 4]"
        raise ValueError(f"points are {points.dtype} {points.shape}: they must be int16 {shape}")
    if points.min() < 0 or (points.reshape(-1, len(sizes)).max(axis=0) >= sizes).any():
        scenario.region.physical(points)


def thresholds_db(scenario: Scenario) -> NDArray[np.float64]:
    """SIR needed, wanted by interfering spreading factor `[S, S]`; -inf where they do not harm each other."""
    rule, sf = scenario.reception, np.array(scenario.region.spreading_factors) - 7
    needed_db = np.full((len(sf), len(sf)), -np.inf)
    if rule.inter_sf == "sir_pairwise" and rule.sir_db is not None:
        needed_db[...] = rule.sir_db[np.ix_(sf, sf)]
    np.fill_diagonal(needed_db, rule.capture_db)
    return needed_db
