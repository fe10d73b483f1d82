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

from scripts.claims.claim import Cell, Claim, Column, Numbers, Played, Study
from scripts.plot_ccs import draw_regimes

UNSEEN = (5, 6, 7)
LEARNERS = {"P": "pg", "D": "dqn", "L": "uniform"}
REGIMES = ("PP", "DD", "DP", "PPPP", "DDDD", "DLP")
WAYS = ("independent", "ccs", "independent-all", "random-residual", "averaging")
FEWER = WAYS[:2]
WITHOUT_VENDOR = ("static-partition", "hopping-partition", "ranked-partition", "hopping", "optimum")
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


def _same_air(regime: str) -> str:
    """The first regime of as many learners and legacy networks: what rules without learning do is the same there."""
    return next(each for each in REGIMES if (len(each), "L" in each) == (len(regime), "L" in regime))


def _name(study: str, regime: str, way: str, vendor: int | None) -> str:
    regime = _same_air(regime) if vendor is None else regime
    return f"{study}/{regime}/{way}" + ("" if vendor is None else f"-{vendor}")


def _cell(study: str, regime: str, way: str, vendor: int | None, changes: Sequence[str]) -> Cell:
    networks = ", ".join(f"{{learner: {LEARNERS[letter]}}}" for letter in regime)
    fixed = (f"coexistence.networks=[{networks}]", f"coexistence.vendor={UNSEEN[0] if vendor is None else vendor}")
    return Cell(_name(study, regime, way, vendor), "ccs_two.yaml", way, (*fixed, *changes))


def _table(
    study: str,
    title: str,
    changes: tuple[str, ...],
    targets: Callable[[str], list[Claim]] | None = None,
    ways: Sequence[str] = WAYS,
) -> Study:
    """Table 1's regimes: all ways, vendors that were never seen."""
    cells = [_cell(study, regime, way, vendor, changes) for regime in REGIMES for way in ways for vendor in UNSEEN]
    cells += [
        _cell(study, regime, way, None, changes)
        for regime in REGIMES
        for way in WITHOUT_VENDOR
        if regime == _same_air(regime)
    ]
    claims = [*(targets(study) if targets else []), *(claim for regime in REGIMES for claim in _gains(study, regime))]
    title = f"Coexisting networks, Table 1: {title}, three unseen vendors of each kind"
    return Study(study, title, tuple(cells), tuple(claims), partial(draw_regimes, study=study), _columns(study))


_COLUMNS = {"PRR": "prr", "EPN [mJ]": "epn_mj", "ATP": "atp", "PDR": "pdr", "overlap": "overlap", "Jain": "jain"}


def _columns(study: str) -> tuple[Column, ...]:
    """KPIs of every cell, and its gain."""
    return tuple(
        Column(name, lambda cell, numbers, read=read: numbers[cell].extra[read])  # type: ignore[misc]
        for name, read in _COLUMNS.items()
    ) + (Column("gain in PRR [%]", partial(_gain_of_cell, study)),)


def _pooled(name: str) -> Callable[..., list[float]]:
    """A measure by vendor: the mean over seeds and kinds of learners, whose cells come vendor by vendor."""

    def read(*played: Played) -> list[float]:
        size = len(played) // len(UNSEEN)
        parts = [played[first : first + size] for first in range(0, len(played), size)]
        return [_mean([value for each in part for value in each.extra[name]]) for part in parts]

    return read


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _paired(name: str, sign: float, played: Sequence[Played]) -> list[list[float]]:
    """By how much the first half of the cells is better than the second, by cell and seed. percent"""
    half = len(played) // 2
    return [
        [sign * 100.0 * (a / b - 1.0) for a, b in zip(one.extra[name], other.extra[name], strict=True)]
        for one, other in zip(played[:half], played[half:], strict=True)
    ]


def _gain(name: str, sign: float) -> Callable[..., list[float]]:
    """The mean gain over seeds of every vendor, which is what the interval of the table is over. percent"""
    return lambda *played: [_mean(gains) for gains in _paired(name, sign, played)]


def _share(*played: Played) -> list[float]:
    """Of what the optimum gains over independent learners on the same seeds, by vendor, in percent.

    Cells: ccs by vendor, independent by vendor, optimum.
    """
    half, shares = len(played) // 2, []
    best = sum(played[-1].extra["prr"])
    for one, other in zip(played[:half], played[half:-1], strict=True):
        ours, alone = sum(one.extra["prr"]), sum(other.extra["prr"])
        shares.append(100.0 * (ours - alone) / (best - alone) if best > alone else math.nan)
    return shares


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
        cells.append(_cell(study, regime, "independent", UNSEEN[0], ()))
        for name, parameters in VARIANTS.items():
            made = _cell(study, regime, "ccs", UNSEEN[0], (f"learners.ccs.parameters={{{parameters}}}",))
            cells.append(replace(made, name=f"{study}/{regime}/{name}"))
            pair = (cells[-1].name, _name(study, regime, "independent", UNSEEN[0]))
            claims.append(Claim(f"{cells[-1].name}/gain_prr", pair, _gain("prr", 1.0), -math.inf, math.inf))
    title = "Coexisting networks: the service's clock, clipping and safeguards, load 1, moving interference"
    return Study(study, title, tuple(cells), tuple(claims), None, _columns(study))


def _unequal() -> Study:
    """Demand that differs between networks, where what is rigid should lose."""
    study, cells, claims = "ccs-unequal", list[Cell](), list[Claim]()
    for demand, networks in UNEQUAL.items():
        listed = f"coexistence.networks=[{', '.join(networks)}]"
        for way in ("independent", "ccs", *WITHOUT_VENDOR):
            vendor = None if way in WITHOUT_VENDOR else UNSEEN[0]
            made = _cell(study, "PPPP", way, vendor, (listed,))
            cells.append(replace(made, name=_name(study, "PPPP", way, vendor).replace("PPPP", demand)))
        pair = tuple(_name(study, "PPPP", way, UNSEEN[0]).replace("PPPP", demand) for way in ("ccs", "independent"))
        least = partial(_least_network, networks=4)
        claims.append(Claim(f"{study}/{demand}/ccs/least_network", pair, least, -5.0, math.inf, None, OURS))
        without = _cell(study, "PPPP", "ccs", UNSEEN[0], (listed, "learners.ccs.parameters={floor: false}"))
        cells.append(replace(without, name=f"{study}/{demand}/ccs without floor-{UNSEEN[0]}"))
    each = tuple(
        Column(f"PRR of network {s}", lambda cell, numbers, name=f"prr_{s}": numbers[cell].extra[name])  # type: ignore[misc]
        for s in range(4)
    )
    title = "Coexisting networks: unequal demand of four policy-gradient networks (the first one differs)"
    return Study(study, title, tuple(cells), tuple(claims), None, (*_columns(study), *each))


def _gains(study: str, regime: str) -> list[Claim]:
    """What the service gains: paper 000, Table 1."""
    ours, alone = ([_name(study, regime, way, v) for v in UNSEEN] for way in ("ccs", "independent"))
    names, claims = (*ours, *alone), []
    paper = PAPER[3 if "L" in regime else len(regime)]
    for (name, sign), printed in zip((("prr", 1.0), ("epn_mj", -1.0), ("atp", -1.0)), paper, strict=True):
        read = _gain(name, sign)
        note = "the paper's air is not published"
        claims.append(
            Claim(f"{study}/{regime}/ccs/gain_{name}", names, read, -math.inf, math.inf, float(printed), note)
        )
    if len(set(regime)) > 1:
        return claims
    best = (*names, _name(study, regime, "optimum", None))
    return [*claims, Claim(f"{study}/{regime}/ccs/share_of_optimum", best, _share, -math.inf, math.inf)]


def _targets(study: str) -> list[Claim]:
    """PRR under the service of two and of four equal learners."""
    claims = []
    for size, least in ((2, 0.735), (4, 0.635)):
        names = tuple(_name(study, letter * size, "ccs", v) for v in UNSEEN for letter in "PD")
        claims.append(Claim(f"{study}/equal-{size}/ccs/prr", names, _pooled("prr"), least, 1.0, None, OURS))
    for regime in ("DP", "DLP"):
        ours, alone = ([_name(study, regime, way, v) for v in UNSEEN] for way in ("ccs", "independent"))
        read = _gain("prr", 1.0)
        claims.append(Claim(f"{study}/{regime}/ccs/gains", (*ours, *alone), read, 0.0, math.inf, None, OURS))
    return claims


def _harmless(study: str) -> list[Claim]:
    """What the network that gains least gains in the mean over seeds, and the worst network and seed."""
    claims = []
    for regime in REGIMES:
        ours, alone = ([_name(study, regime, way, v) for v in UNSEEN] for way in ("ccs", "independent"))
        names = (*ours, *alone)
        least = partial(_least_network, networks=len(regime))
        claims.append(Claim(f"{study}/{regime}/ccs/least_network", names, least, -1.0, math.inf, None, OURS))
        worst = partial(_worst, networks=len(regime))
        claims.append(Claim(f"{study}/{regime}/ccs/worst_network_and_seed", names, worst, -math.inf, math.inf))
    return claims


def _least_network(*played: Played, networks: int) -> list[float]:
    """The least of all vendors' and networks' mean gains over seeds. percent"""
    means = [_mean(gains) for s in range(networks) for gains in _paired(f"prr_{s}", 1.0, played)]
    return [min(means)]


def _worst(*played: Played, networks: int) -> list[float]:
    """The least gain of any network, vendor and seed. percent"""
    gains = [gain for s in range(networks) for own in _paired(f"prr_{s}", 1.0, played) for gain in own]
    return [min(gains)]


def _gain_of_cell(study: str, cell: str, numbers: Numbers) -> list[float]:
    """In PRR over independent learners of the same vendor, or of the first one."""
    _, regime, way = cell.split("/")
    vendor = way.rpartition("-")[2]
    name = _name(study, regime, "independent", int(vendor) if vendor.isdigit() else UNSEEN[0])
    return _paired("prr", 1.0, (numbers[cell], numbers[name]))[0] if name in numbers else []
