"""Coexisting networks: what learning alone loses, and what the coordination service and others win back.

Every seed is a placement, interference and traffic of its own, the same for all ways; policies are of vendors that the
service has never seen, which are a factor of the tables. Regimes: P policy gradient, D DQN, L legacy. Gains are paired
by seed and vendor. `optimum` is a local search that knows everything, on a model of the air: a reference, not a bound.
`direct`, residuals optimised on that model for the very networks, is a second one; it is dear, so of one vendor alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lora_marl.core.presets.ccs import INTERVAL_S, MOVES_S
from scripts.studies.ccs.cells import LEGACY, REGIMES, UNSEEN, WAYS, WITHOUT_VENDOR, cell_of, cells_of, name_of, once
from scripts.studies.ccs.plots import draw_regimes
from scripts.studies.ccs.readings import (
    OURS,
    columns,
    gain,
    gains,
    harmless,
    least_network,
    pair,
    pooled,
    reported,
    settling,
)
from scripts.studies.claim import Cell, Claim, Column, Study

STRETCH = round(MOVES_S / INTERVAL_S)
"""Intervals between two moves of interference."""

SETTLED = "intervals until five in a row are within a point of the PRR of the second half, means over seeds"


def studies() -> list[Study]:
    """`ccs-dynamic`, `-light`, `-heavy`, the same three with interference that stays, `-variants` and `-unequal`."""
    light, heavy, static = "coexistence.load=0.25", "coexistence.load=2", "coexistence.interference=static"
    return [
        _table("ccs-dynamic", "load 1, moving interference", (), _targets),
        _table("ccs-light", "load 0.25, moving interference", (light,), _harmless),
        _table("ccs-heavy", "load 2, moving interference", (heavy,)),
        _table("ccs-static", "load 1, interference that stays", (static,), _settling),
        _table("ccs-static-light", "load 0.25, interference that stays", (light, static), _harmless),
        _table("ccs-static-heavy", "load 2, interference that stays", (heavy, static)),
        _variants(),
        _unequal(),
    ]


def _table(study: str, title: str, changes: tuple[str, ...], more: Callable[[str], list[Claim]] | None = None) -> Study:
    """Table 1's regimes: all ways, vendors that were never seen."""
    cells = [cell for regime in REGIMES for cell in cells_of(study, regime, (*WAYS, *WITHOUT_VENDOR), changes)]
    equal = [regime for regime in REGIMES if not set(regime) & set(LEGACY)]  # direct optimisation knows no legacy
    cells += [cell_of(study, regime, "direct", UNSEEN[0], (*changes, DIRECT)) for regime in equal]
    claims = [*(more(study) if more else []), *(claim for regime in REGIMES for claim in gains(study, regime))]
    title = f"Coexisting networks, Table 1: {title}, three unseen vendors of each kind"
    return Study(study, title, once(cells), tuple(claims), partial(draw_regimes, study=study), columns(study))


DIRECT = "learners.direct={}"
"""A way that `configs/ccs_two.yaml` leaves out for its cost."""

VARIANTS = {
    "default": "",
    "congestion-off": "congestion: null",
    "congestion-wide": "congestion: [0.8, 0.15]",
    "trial": "accept: true",
    "no-floor": "floor: false",
    "half-take-part": "participation: 0.5",
    "every-2": "every: 2",
    "every-15": "every: 15",
    "every-40": "every: 40",
    "clip-0.1": "clip: 0.1",
    "clip-0.25": "clip: 0.25",
    "clip-0.5": "clip: 0.5",
    "clip-off": "clip: .inf",
}
UNEQUAL = {
    "loads-4111": ("{load: 4}", "{}", "{}", "{}"),
    "nodes-3111": ("{nodes: 300}", "{}", "{}", "{}"),
    "silent": ("{silent_s: [[3600, 7200]]}", "{}", "{}", "{}"),
}


def _variants() -> Study:
    """What the service's settings are worth, without training anew."""
    study, cells, claims = "ccs-variants", list[Cell](), list[Claim]()
    for regime in ("PP", "PPPP", "DDDD", "DP"):
        cells.append(cell_of(study, regime, "independent", UNSEEN[0], ()))
        for name, parameters in VARIANTS.items():
            made = cell_of(study, regime, "ccs", UNSEEN[0], (f"learners.ccs.parameters={{{parameters}}}",))
            cells.append(replace(made, name=f"{study}/{regime}/{name}"))
            names = (cells[-1].name, name_of(study, regime, "independent", UNSEEN[0]))
            claims.append(reported(f"{cells[-1].name}/gain_prr", names, gain("prr", 1.0)))
    title = "Coexisting networks: the service's clock, clipping and safeguards, load 1, moving interference"
    return Study(study, title, tuple(cells), tuple(claims), None, columns(study))


def _unequal() -> Study:
    """Demand that differs between networks, where what is rigid should lose."""
    study, cells, claims = "ccs-unequal", list[Cell](), list[Claim]()
    for demand, networks in UNEQUAL.items():
        listed = f"coexistence.networks=[{', '.join(networks)}]"
        for way in (*WAYS, "direct", *WITHOUT_VENDOR):
            vendor = None if way in WITHOUT_VENDOR else UNSEEN[0]
            made = cell_of(study, "PPPP", way, vendor, (listed, DIRECT) if way == "direct" else (listed,))
            cells.append(replace(made, name=name_of(study, "PPPP", way, vendor).replace("PPPP", demand)))
        without = cell_of(study, "PPPP", "ccs", UNSEEN[0], (listed, "learners.ccs.parameters={floor: false}"))
        cells.append(replace(without, name=f"{study}/{demand}/ccs without floor-{UNSEEN[0]}"))
        claims += _by_network(study, demand)
    each = tuple(
        Column(f"PRR of network {s}", lambda cell, numbers, name=f"prr_{s}": numbers[cell].extra[name])  # type: ignore[misc]
        for s in range(4)
    )
    title = "Coexisting networks: unequal demand of four policy-gradient networks (the first one differs)"
    return Study(study, title, tuple(cells), tuple(claims), None, (*columns(study), *each))


def _by_network(study: str, demand: str) -> list[Claim]:
    """What each network gains, with the floor and without, and how soon all settle."""
    alone = f"{study}/{demand}/independent-{UNSEEN[0]}"
    least, with_floor = partial(least_network, networks=4), f"{study}/{demand}/ccs-{UNSEEN[0]}"
    claims = [Claim(f"{study}/{demand}/ccs/least_network", (with_floor, alone), least, -5.0, math.inf, None, OURS)]
    for way in ("ccs", "ccs without floor"):
        names, place = (f"{study}/{demand}/{way}-{UNSEEN[0]}", alone), f"{study}/{demand}/{way}"
        claims += [reported(f"{place}/gain_prr_{s}", names, gain(f"prr_{s}", 1.0)) for s in range(4)]
    return claims + [
        reported(
            f"{study}/{demand}/{way}/settles", (f"{study}/{demand}/{way}-{UNSEEN[0]}",), settling(STRETCH), SETTLED
        )
        for way in ("independent", "ccs", "ccs without floor")
    ]


def _targets(study: str) -> list[Claim]:
    """PRR under the service of two and of four equal learners, gains of others, and how soon all settle."""
    claims = []
    for size, least in ((2, 0.735), (4, 0.635)):
        names = tuple(name_of(study, letter * size, "ccs", v) for v in UNSEEN for letter in "PD")
        claims.append(Claim(f"{study}/equal-{size}/ccs/prr", names, pooled("prr"), least, 1.0, None, OURS))
    for regime in ("DP", "DLP"):
        read = gain("prr", 1.0)
        claims.append(Claim(f"{study}/{regime}/ccs/gains", pair(study, regime), read, 0.0, math.inf, None, OURS))
    return claims + _settling(study, STRETCH)


def _settling(study: str, until: int | None = None) -> list[Claim]:
    """Intervals until a way is within a point of its later PRR: from the start, and after interference moves."""
    found = {"settles": settling(until)}
    if until is not None:
        found["settles_after_moves"] = settling(until, after_moves=True)
    return [
        reported(f"{study}/{regime}/{way}/{what}", tuple(name_of(study, regime, way, v) for v in UNSEEN), read, SETTLED)
        for regime in REGIMES
        for way in ("independent", "ccs")
        for what, read in found.items()
    ]


def _harmless(study: str) -> list[Claim]:
    return [claim for regime in REGIMES for claim in harmless(study, regime, -1.0)]
