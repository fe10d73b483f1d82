"""Coexisting networks: what learning alone loses, and what the coordination service and others win back.

Every seed is a placement, interference and traffic of its own, the same for all strategies. Policies are of vendors
that the service has not seen, which are a factor of the tables. Gains are paired by seed and vendor. There are two
references: `optimum` is a local search that knows everything, on a model of the air, and not a bound; `direct` are
residuals optimised on that model for the very networks, for one vendor only because of its cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from scripts.runs.report import markdown
from scripts.studies.ccs.cells import (
    MOVE_EVERY,
    REGIMES,
    STRATEGIES,
    UNSEEN,
    WITHOUT_VENDOR,
    cell_of,
    cells_of,
    has_non_learning,
    name_of,
    unique,
)
from scripts.studies.ccs.plots import draw_regimes
from scripts.studies.ccs.readings import (
    columns,
    gain,
    gains,
    harmless,
    least_network,
    pair,
    paired,
    pooled,
    reported,
    settling,
)
from scripts.studies.ccs.tables import rounded, short, with_half
from scripts.studies.claim import OUR_TARGET, Cell, Claim, Column, Results, Study

SETTLED = "intervals until five in a row are within a point of the PRR of the second half, means over seeds"


def studies() -> list[Study]:
    """Returns `ccs-dynamic`, `-light`, `-heavy`, the same three with interference that stays, and `-unequal`."""
    light, heavy, static = "coexistence.load=0.25", "coexistence.load=2", "coexistence.interference=static"
    return [
        _table("ccs-dynamic", "load 1, moving interference", (), _targets),
        _table("ccs-light", "load 0.25, moving interference", (light,), _harmless),
        _table("ccs-heavy", "load 2, moving interference", (heavy,)),
        _table("ccs-static", "load 1, interference that stays", (static,), _settling),
        _table("ccs-static-light", "load 0.25, interference that stays", (light, static), _harmless),
        _table("ccs-static-heavy", "load 2, interference that stays", (heavy, static)),
        _unequal(),
    ]


def _table(study: str, title: str, changes: tuple[str, ...], more: Callable[[str], list[Claim]] | None = None) -> Study:
    """Table 1's regimes: all strategies, vendors that the service has not seen."""
    cells = [cell for regime in REGIMES for cell in cells_of(study, regime, (*STRATEGIES, *WITHOUT_VENDOR), changes)]
    learning = [regime for regime in REGIMES if not has_non_learning(regime)]  # `direct` is undefined for others
    cells += [cell_of(study, regime, "direct", UNSEEN[0], (*changes, DIRECT)) for regime in learning]
    claims = [*(more(study) if more else []), *(claim for regime in REGIMES for claim in gains(study, regime))]
    title = f"Coexisting networks, Table 1: {title}, three unseen vendors of each kind"
    return Study(study, title, unique(cells), tuple(claims), partial(draw_regimes, study=study), columns(study))


DIRECT = "learners.direct={}"
"""Adds a strategy that `configs/ccs_two.yaml` leaves out for its cost."""

UNEQUAL = {
    "loads-4111": ("{load: 4}", "{}", "{}", "{}"),
    "nodes-3111": ("{nodes: 300}", "{}", "{}", "{}"),
    "silent": ("{silent_s: [[3600, 7200]]}", "{}", "{}", "{}"),
}


def _unequal() -> Study:
    """Demand that differs between networks, where rigid rules should lose."""
    study, cells, claims = "ccs-unequal", list[Cell](), list[Claim]()
    for demand, networks in UNEQUAL.items():
        listed = f"coexistence.networks=[{', '.join(networks)}]"
        for label in (*STRATEGIES, "direct", *WITHOUT_VENDOR):
            vendor = None if label in WITHOUT_VENDOR else UNSEEN[0]
            cell = cell_of(study, "PPPP", label, vendor, (listed, DIRECT) if label == "direct" else (listed,))
            cells.append(replace(cell, name=unequal_cell(demand, label)))
        without = cell_of(study, "PPPP", "ccs", UNSEEN[0], (listed, "learners.ccs.parameters={floor: false}"))
        cells.append(replace(without, name=unequal_cell(demand, "ccs without floor")))
        claims += _by_network(study, demand)
    by_network = tuple(
        Column(f"PRR of network {s}", lambda cell, numbers, name=f"prr_{s}": numbers[cell].extra[name])  # type: ignore[misc]
        for s in range(4)
    )
    title = "Coexisting networks: unequal demand of four policy-gradient networks (the first one differs)"
    return Study(study, title, tuple(cells), tuple(claims), None, (*columns(study), *by_network))


def unequal_cell(demand: str, label: str) -> str:
    """Returns the name of a cell of `ccs-unequal`."""
    return f"ccs-unequal/{demand}/{label}" + ("" if label in WITHOUT_VENDOR else f"-{UNSEEN[0]}")


def _by_network(study: str, demand: str) -> list[Claim]:
    """Returns claims of each network's gain, with the floor and without, and of how soon all settle."""
    independent = unequal_cell(demand, "independent")
    least, with_floor = partial(least_network, networks=4), unequal_cell(demand, "ccs")
    claims = [
        Claim(f"{study}/{demand}/ccs/least_network", (with_floor, independent), least, -5.0, math.inf, None, OUR_TARGET)
    ]
    for label in ("ccs", "ccs without floor"):
        names, place = (unequal_cell(demand, label), independent), f"{study}/{demand}/{label}"
        claims += [reported(f"{place}/gain_prr_{s}", names, gain(f"prr_{s}", 1.0)) for s in range(4)]
    return claims + [
        reported(f"{study}/{demand}/{label}/settles", (unequal_cell(demand, label),), settling(MOVE_EVERY), SETTLED)
        for label in ("independent", "ccs", "ccs without floor")
    ]


def _targets(study: str) -> list[Claim]:
    """Targets: PRR under the service of two and of four equal learners, gains of others, and how soon all settle."""
    claims = []
    for size, least in ((2, 0.735), (4, 0.635)):
        names = tuple(name_of(study, letter * size, "ccs", v) for v in UNSEEN for letter in "PD")
        claims.append(Claim(f"{study}/equal-{size}/ccs/prr", names, pooled("prr"), least, 1.0, None, OUR_TARGET))
    for regime in ("DP", "DLP"):
        names = pair(study, regime)
        claims.append(Claim(f"{study}/{regime}/ccs/gains", names, gain("prr", 1.0), 0.0, math.inf, None, OUR_TARGET))
    return claims + _settling(study, MOVE_EVERY)


def _settling(study: str, until: int | None = None) -> list[Claim]:
    """Intervals until a label is within a point of its later PRR: from the start, and after interference moves."""
    reads = {"settles": settling(until)}
    if until is not None:
        reads["settles_after_moves"] = settling(until, after_moves=True)
    return [
        reported(
            f"{study}/{regime}/{label}/{what}", tuple(name_of(study, regime, label, v) for v in UNSEEN), read, SETTLED
        )
        for regime in REGIMES
        for label in ("independent", "ccs")
        for what, read in reads.items()
    ]


def _harmless(study: str) -> list[Claim]:
    return [claim for regime in REGIMES for claim in harmless(study, regime, -1.0)]


DEMANDS = {
    "loads-4111": "4 : 1 : 1 : 1 loads",
    "nodes-3111": "300 : 100 : 100 : 100 nodes",
    "silent": "one silent for an hour",
}
"""How tables name the demands of `UNEQUAL`."""

UNEQUAL_ROWS = {
    "independent": "independent",
    "ccs": "with the service",
    "ccs without floor": "the same without the floor",
    "independent-all": "independent, indicator that sees other networks, too",
    "random-residual": "random residual of the same norm",
    "averaging": "parameter averaging",
    **{label: f"`{label}`" for label in WITHOUT_VENDOR},
}
"""How tables name the labels of `ccs-unequal`."""


def unequal_prr(numbers: Results) -> str:
    """Returns the table of the PRR of all networks, and of each, where the first one differs."""
    lines = []
    for label, text in UNEQUAL_ROWS.items():
        measures = [numbers[unequal_cell(demand, label)].extra for demand in UNEQUAL]
        by_network = [", ".join(short(float(np.mean(values[f"prr_{s}"]))) for s in range(4)) for values in measures]
        of_all = [short(float(np.mean(values["prr"]))) for values in measures]
        lines.append([text, *(f"{prr} ({parts})" for prr, parts in zip(of_all, by_network, strict=True))])
    return markdown(["PRR of all (of each network)", *(DEMANDS[demand] for demand in UNEQUAL)], lines)


def unequal_gains(numbers: Results) -> str:
    """Returns the table of the gain of each network, with the floor and without."""
    lines = []
    for label, text in (("ccs", "with the floor"), ("ccs without floor", "without the floor")):
        pairs = [[numbers[unequal_cell(demand, name)] for name in (label, "independent")] for demand in UNEQUAL]
        lines += [[text, str(s), *(with_half(paired(f"prr_{s}", 1.0, two)[0]) for two in pairs)] for s in range(4)]
    return markdown(["gain in PRR [%]", "network", *(DEMANDS[demand] for demand in UNEQUAL)], lines)


def unequal_settled(numbers: Results) -> str:
    """Returns the table of how soon all networks settle."""
    settles, lines = settling(MOVE_EVERY), []
    for label in ("independent", "ccs", "ccs without floor"):
        intervals = [settles(numbers[unequal_cell(demand, label)])[0] for demand in UNEQUAL]
        lines.append([UNEQUAL_ROWS[label].removeprefix("the same "), *map(rounded, intervals)])
    return markdown(["intervals until settled", *(DEMANDS[demand] for demand in UNEQUAL)], lines)
