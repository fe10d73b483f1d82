"""Figures of the CCS paper on our air, and what networks receive as they become more and as they send more.

Figures 3 and 4: interference that moves, and different learners beside networks that do not learn. The paper shows one
simulation and gives no numbers. Ours show mean and band over seeds, and channel by time of the first seed; and both
kinds of networks that do not learn: on any channel at random, which nobody can help, and on the default channels under
adaptive data rate, which learners can avoid.

In the sweeps each number of networks and each load is a regime of its own, of one kind of learner or of both in turn.
The service was trained on at most four networks, and loads from 0.3 to 2.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from scripts.runs.report import markdown
from scripts.studies.ccs.cells import LEARNERS, MOVE_EVERY, UNSEEN, WITHOUT_VENDOR, cells_of, name_of, unique
from scripts.studies.ccs.plots import draw_gains, draw_moving, draw_sweep
from scripts.studies.ccs.readings import KPIS, columns, gain, pair, reading, reported, spill_over
from scripts.studies.ccs.tables import Table, read, short, with_half
from scripts.studies.claim import Cell, Results, Study

SHOWN = ("independent", "ccs")
"""Labels of the figures."""

MOVING, MIXED = ("PP", "PPPP"), ("DLP", "DAP")
"""Regimes of figures 3 and 4."""

RULES = ("ranked-partition", "hopping", "optimum")
SWEPT = (*SHOWN, *RULES)
"""Labels of the sweeps."""

NETWORKS, LOADS = (1, 2, 3, 4, 6, 8), (0.25, 0.5, 1.0, 2.0, 3.0)
KINDS = {"policy gradient": "P", "DQN": "D", "DQN and policy gradient": "DP"}
"""Letters of the learners of a sweep, dealt out in turn, by the title of its panel."""

KIND_NAMES = {"dqn": "DQN", "pg": "policy gradient"}
"""How tables name learners."""

Places = Mapping[str, Mapping[float, tuple[str, float]]]
"""By panel and place on the axis: a regime and its load."""


def studies() -> list[Study]:
    """Returns `ccs-figure-3`, `ccs-figure-4`, `ccs-networks` and `ccs-load`."""
    by_networks = {
        kind: {float(n): (letters * (n // len(letters)), 1.0) for n in NETWORKS if n % len(letters) == 0}
        for kind, letters in KINDS.items()
    }
    by_load = {
        f"{size} x {kind}": {load: (letter * size, load) for load in LOADS}
        for size in (2, 4)
        for kind, letter in KINDS.items()
        if len(letter) == 1
    }
    return [
        _moving("ccs-figure-3"),
        _mixed("ccs-figure-4"),
        _sweep("ccs-networks", "PRR by number of networks, load 1, moving interference", "networks", by_networks),
        _sweep("ccs-load", "PRR by load, two and four networks, moving interference", "load", by_load),
    ]


def _moving(study: str) -> Study:
    """Overlap and oscillation, and PRR over time."""
    cells = [cell for regime in MOVING for cell in cells_of(study, regime, SHOWN, vendors=UNSEEN[:1])]
    claims = [
        reported(f"{cell.name}/{name}", (cell.name,), reading(name))
        for cell in cells
        for name in ("prr", "overlap", "switches")
    ]
    panels = {regime: {label: name_of(study, regime, label, UNSEEN[0]) for label in SHOWN} for regime in MOVING}
    draw = partial(draw_moving, panels=panels, move_every=MOVE_EVERY)
    title = "Coexisting networks, Fig. 3: moving interference, PRR over time and who uses which channel"
    return Study(study, title, unique(cells), tuple(claims), draw, columns(study))


def _mixed(study: str) -> Study:
    """Gains by kind of learner, and spill-over."""
    cells = [cell for regime in MIXED for cell in cells_of(study, regime, SHOWN)]
    claims = [claim for regime in MIXED for claim in spill_over(study, regime)]
    claims += [
        reported(f"{study}/{regime}/ccs/{LEARNERS[letter]}_gain_{name}", pair(study, regime), gain(f"{name}_{s}", sign))
        for regime in MIXED
        for s, letter in enumerate(regime)
        if letter in "DP"
        for name, sign in KPIS.items()
    ]
    panels = {regime: (pair(study, regime), [LEARNERS[letter] for letter in regime]) for regime in MIXED}
    title = "Coexisting networks, Fig. 4: DQN and policy gradient beside a non-learning network, gains of each"
    return Study(study, title, unique(cells), tuple(claims), partial(draw_gains, panels=panels), columns(study))


def _sweep(study: str, title: str, axis: str, places: Places) -> Study:
    """PRR over an axis."""
    cells, claims = list[Cell](), []
    for regime, load in dict.fromkeys(place for panel in places.values() for place in panel.values()):
        at = f"{load:g}"
        cells += cells_of(study, regime, SWEPT, (f"coexistence.load={load}",), at)
        claims.append(reported(f"{study}/{regime}@{at}/ccs/gain_prr", pair(study, regime, at), gain("prr", 1.0)))
    panels = {panel: {label: _line(study, label, by_place) for label in SWEPT} for panel, by_place in places.items()}
    draw = partial(draw_sweep, axis=axis, panels=panels)
    return Study(study, f"Coexisting networks: {title}", unique(cells), tuple(claims), draw, columns(study))


def _line(study: str, label: str, by_place: Mapping[float, tuple[str, float]]) -> dict[float, list[str]]:
    """The cells of a label, of all vendors, by place on the axis."""
    vendors = (None,) if label in WITHOUT_VENDOR else UNSEEN
    return {
        place: [name_of(study, regime, label, vendor, f"{load:g}") for vendor in vendors]
        for place, (regime, load) in by_place.items()
    }


def sweep_table(name: str) -> Table:
    """Returns the table of a sweep, by regime and load."""
    header = ["networks", "load", "independent, PRR", "with the service", "gain [%]", *(f"`{rule}`" for rule in RULES)]
    (study,) = (study for study in studies() if study.name == name)
    places = dict.fromkeys(cell.name.split("/")[1] for cell in study.cells if cell.learner == "ccs")

    def table(numbers: Results) -> str:
        lines = []
        for regime, _, at in (place.partition("@") for place in places):
            played = [numbers[cell] for cell in pair(name, regime, at)]
            first, second, *rules = (read(numbers, name, regime, label, at) for label in SWEPT)
            gained = with_half(gain("prr", 1.0)(*played))
            lines.append([regime, at, short(first), short(second), gained, *map(short, rules)])
        return markdown(header, lines)

    return table


def mixed_table(numbers: Results) -> str:
    """Returns the table of gains by kind of network, those of networks that do not learn last."""
    lines = []
    for regime in MIXED:
        played, last = [numbers[cell] for cell in pair("ccs-figure-4", regime)], []
        for s, letter in enumerate(regime):
            if letter in "DP":
                gains = [with_half(gain(f"{name}_{s}", sign)(*played)) for name, sign in KPIS.items()]
                lines.append([regime, KIND_NAMES[LEARNERS[letter]], *gains])
            else:
                gains = [with_half(gain(f"legacy_{name}", sign)(*played)) for name, sign in KPIS.items()]
                last.append([regime, "non-learning network", *gains])
        lines += last
    return markdown(["networks", "whose", "PRR [%]", "EPN [%]", "ATP [%]"], lines)
