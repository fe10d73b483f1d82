"""Coexisting networks: what learning alone loses, and what the coordination service and others win back.

Every seed is a placement, interference and traffic of its own, the same for all ways; policies are of vendors that the
service has never seen, which are a factor of the tables. Regimes: P policy gradient, D DQN, L legacy. Gains are paired
by seed and vendor. `optimum` is a local search that knows everything, on a model of the air: a reference, not a bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from scripts.claims.ccs_cells import FEWER, REGIMES, UNSEEN, WAYS, WITHOUT_VENDOR, cell_of, name_of, same_air
from scripts.claims.ccs_reads import columns, gain, least_network, pooled, share_of_optimum, worst_network
from scripts.claims.claim import Cell, Claim, Column, Study
from scripts.plot_ccs import draw_regimes

OURS = "our target"
PAPER = {2: (20, 10, 15), 4: (10, 8, 10), 3: (5, 5, 5)}
"""Gains that the paper prints for two, four and mixed networks: PRR, EPN, ATP; its air is not published."""


def studies() -> list[Study]:
    """`ccs-dynamic`, `-light`, `-heavy`, `-static`, `-variants` and `-unequal`."""
    return [
        _table("ccs-dynamic", "load 1, moving interference", (), _targets),
        _table("ccs-light", "load 0.25, moving interference", ("coexistence.load=0.25",), _harmless, FEWER),
        _table("ccs-heavy", "load 2, moving interference", ("coexistence.load=2",), ways=FEWER),
        _table("ccs-static", "load 1, interference that stays", ("coexistence.interference=static",), ways=FEWER),
        _variants(),
        _unequal(),
    ]


def _table(
    study: str,
    title: str,
    changes: tuple[str, ...],
    targets: Callable[[str], list[Claim]] | None = None,
    ways: Sequence[str] = WAYS,
) -> Study:
    """Table 1's regimes: all ways, vendors that were never seen."""
    cells = [cell_of(study, regime, way, vendor, changes) for regime in REGIMES for way in ways for vendor in UNSEEN]
    cells += [
        cell_of(study, regime, way, None, changes)
        for regime in REGIMES
        for way in WITHOUT_VENDOR
        if regime == same_air(regime)
    ]
    claims = [*(targets(study) if targets else []), *(claim for regime in REGIMES for claim in _gains(study, regime))]
    title = f"Coexisting networks, Table 1: {title}, three unseen vendors of each kind"
    return Study(study, title, tuple(cells), tuple(claims), partial(draw_regimes, study=study), columns(study))


VARIANTS = {
    "default": "",
    "congestion-off": "congestion: null",
    "congestion-75": "congestion: [0.75, 0.2]",
    "trial": "accept: true",
    "no-floor": "floor: false",
    "half-take-part": "participation: 0.5",
    "every-2": "every: 2",
    "every-15": "every: 15",
    "every-40": "every: 40",
    "clip-0.1": "clip: 0.1",
    "clip-1": "clip: 1.0",
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
            pair = (cells[-1].name, name_of(study, regime, "independent", UNSEEN[0]))
            claims.append(Claim(f"{cells[-1].name}/gain_prr", pair, gain("prr", 1.0), -math.inf, math.inf))
    title = "Coexisting networks: the service's clock, clipping and safeguards, load 1, moving interference"
    return Study(study, title, tuple(cells), tuple(claims), None, columns(study))


def _unequal() -> Study:
    """Demand that differs between networks, where what is rigid should lose."""
    study, cells, claims = "ccs-unequal", list[Cell](), list[Claim]()
    for demand, networks in UNEQUAL.items():
        listed = f"coexistence.networks=[{', '.join(networks)}]"
        for way in ("independent", "ccs", *WITHOUT_VENDOR):
            vendor = None if way in WITHOUT_VENDOR else UNSEEN[0]
            made = cell_of(study, "PPPP", way, vendor, (listed,))
            cells.append(replace(made, name=name_of(study, "PPPP", way, vendor).replace("PPPP", demand)))
        pair = tuple(name_of(study, "PPPP", way, UNSEEN[0]).replace("PPPP", demand) for way in ("ccs", "independent"))
        least = partial(least_network, networks=4)
        claims.append(Claim(f"{study}/{demand}/ccs/least_network", pair, least, -5.0, math.inf, None, OURS))
        without = cell_of(study, "PPPP", "ccs", UNSEEN[0], (listed, "learners.ccs.parameters={floor: false}"))
        cells.append(replace(without, name=f"{study}/{demand}/ccs without floor-{UNSEEN[0]}"))
    each = tuple(
        Column(f"PRR of network {s}", lambda cell, numbers, name=f"prr_{s}": numbers[cell].extra[name])  # type: ignore[misc]
        for s in range(4)
    )
    title = "Coexisting networks: unequal demand of four policy-gradient networks (the first one differs)"
    return Study(study, title, tuple(cells), tuple(claims), None, (*columns(study), *each))


def _gains(study: str, regime: str) -> list[Claim]:
    """What the service gains: paper 000, Table 1."""
    ours, alone = ([name_of(study, regime, way, v) for v in UNSEEN] for way in ("ccs", "independent"))
    names, claims = (*ours, *alone), []
    paper = PAPER[3 if "L" in regime else len(regime)]
    for (name, sign), printed in zip((("prr", 1.0), ("epn_mj", -1.0), ("atp", -1.0)), paper, strict=True):
        read = gain(name, sign)
        note = "the paper's air is not published"
        claims.append(
            Claim(f"{study}/{regime}/ccs/gain_{name}", names, read, -math.inf, math.inf, float(printed), note)
        )
    if len(set(regime)) > 1:
        return claims
    best = (*names, name_of(study, regime, "optimum", None))
    return [*claims, Claim(f"{study}/{regime}/ccs/share_of_optimum", best, share_of_optimum, -math.inf, math.inf)]


def _targets(study: str) -> list[Claim]:
    """PRR under the service of two and of four equal learners."""
    claims = []
    for size, least in ((2, 0.735), (4, 0.635)):
        names = tuple(name_of(study, letter * size, "ccs", v) for v in UNSEEN for letter in "PD")
        claims.append(Claim(f"{study}/equal-{size}/ccs/prr", names, pooled("prr"), least, 1.0, None, OURS))
    for regime in ("DP", "DLP"):
        ours, alone = ([name_of(study, regime, way, v) for v in UNSEEN] for way in ("ccs", "independent"))
        read = gain("prr", 1.0)
        claims.append(Claim(f"{study}/{regime}/ccs/gains", (*ours, *alone), read, 0.0, math.inf, None, OURS))
    return claims


def _harmless(study: str) -> list[Claim]:
    """What the network that gains least gains in the mean over seeds, and the worst network and seed."""
    claims = []
    for regime in REGIMES:
        ours, alone = ([name_of(study, regime, way, v) for v in UNSEEN] for way in ("ccs", "independent"))
        names = (*ours, *alone)
        least = partial(least_network, networks=len(regime))
        claims.append(Claim(f"{study}/{regime}/ccs/least_network", names, least, -1.0, math.inf, None, OURS))
        worst = partial(worst_network, networks=len(regime))
        claims.append(Claim(f"{study}/{regime}/ccs/worst_network_and_seed", names, worst, -math.inf, math.inf))
    return claims
