"""What coexisting networks receive as they become more, and as they send more.

Each number of networks and each load is a regime of its own, of one kind of learner or of both in turn; see
`scripts.studies.ccs.regimes`. The service was trained on at most four networks, and loads from 0.3 to 2.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from scripts.studies.ccs.cells import UNSEEN, WITHOUT_VENDOR, cells_of, name_of, once
from scripts.studies.ccs.plots import draw_sweep
from scripts.studies.ccs.readings import columns, gain, pair, reported
from scripts.studies.claim import Cell, Study

WAYS = ("independent", "ccs", "ranked-partition", "hopping", "optimum")
NETWORKS, LOADS = (1, 2, 3, 4, 6, 8), (0.25, 0.5, 1.0, 2.0, 3.0)
KINDS = {"policy gradient": "P", "DQN": "D", "DQN and policy gradient": "DP"}

Places = Mapping[str, Mapping[float, tuple[str, float]]]
"""By panel and place on the axis: a regime and its load."""


def studies() -> list[Study]:
    """`ccs-networks` and `ccs-load`."""
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
        _study("ccs-networks", "PRR by number of networks, load 1, moving interference", "networks", by_networks),
        _study("ccs-load", "PRR by load, two and four networks, moving interference", "load", by_load),
    ]


def _study(study: str, title: str, axis: str, places: Places) -> Study:
    cells, claims = list[Cell](), []
    for regime, load in dict.fromkeys(each for panel in places.values() for each in panel.values()):
        at = f"{load:g}"
        cells += cells_of(study, regime, WAYS, (f"coexistence.load={load}",), at)
        claims.append(reported(f"{study}/{regime}@{at}/ccs/gain_prr", pair(study, regime, at), gain("prr", 1.0)))
    panels = {panel: {way: _line(study, way, by_place) for way in WAYS} for panel, by_place in places.items()}
    draw = partial(draw_sweep, axis=axis, panels=panels)
    return Study(study, f"Coexisting networks: {title}", once(cells), tuple(claims), draw, columns(study))


def _line(study: str, way: str, by_place: Mapping[float, tuple[str, float]]) -> dict[float, list[str]]:
    """The cells of a way, of all vendors, by place on the axis."""
    vendors = (None,) if way in WITHOUT_VENDOR else UNSEEN
    return {
        place: [name_of(study, regime, way, vendor, f"{load:g}") for vendor in vendors]
        for place, (regime, load) in by_place.items()
    }
