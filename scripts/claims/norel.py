"""NoReL on our air: with downlinks that cost what they cost, in changing networks, and spending them sparingly.

`delivery` is the share delivered over the last part of the run, mean over nodes, with all downlinks on the air;
`model` and `joint` are what the authors' closed form and the exact one expect of the last assignment, which know of no
downlinks. Every seed has a placement of its own, shared by all learners.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

from scripts.claims.claim import AGAIN, Cell, Claim, Numbers, Played, Study
from scripts.measures import estimate
from scripts.plot_norel import draw_assignments, draw_by_nodes, draw_estimates

TEN = "seeds=[0,1,2,3,4,5,6,7,8,9] scenario.topology.placements=10"
MARGINS = {"adr-server": 15.0, "adr-sigma8": 11.54}
_ADR = ("learners.adr-sigma8={name: adr-server, parameters: {margin_db: 11.54}}",)
NODES = (200, 1000, 2000)
OURS = "our target"
DAY_H = 24.0


def studies() -> list[Study]:
    """`norel-downlinks`, `norel-frugal`, `norel-dynamic`, `norel-tracking`."""
    return [_downlinks(), _frugal(), *map(_dynamic, ("nodes", "traffic", "channel")), _tracking()]


def _cell(study: str, learner: str, config: str = "norel.yaml", changes: tuple[str, ...] = (), name: str = "") -> Cell:
    added = _ADR if learner == "adr-sigma8" else (f"learners.{learner}={{}}",)
    return Cell(f"{study}/{name or learner}", config, learner, (*changes, *added))


def _value(key: str) -> Callable[[Played], list[float]]:
    return lambda played: played.extra[key]


def _downlinks() -> Study:
    """200 nodes: what the paper's metric says, and what the air does, with feedback that is free and that is not."""
    few = tuple(TEN.split())
    names = ("min-sf", "tolio", "load-br", "load-sorted", "adr-server", "adr-sigma8", "norel", "norel-frugal", "dylora")
    paid = {name: _cell("norel-downlinks", name, changes=few) for name in names}
    free = _cell("norel-downlinks", "norel", changes=(*few, "scenario.feedback=free"), name="norel-free")
    bands = {
        ("min-sf", "model"): (94.26, 0.25, 94.2, ""),
        ("min-sf", "delivery"): (94.3, 0.4, None, AGAIN),
        ("tolio", "model"): (94.98, 0.4, 95.1, AGAIN),
        ("load-br", "model"): (96.43, 0.5, None, AGAIN),
        ("load-sorted", "model"): (98.05, 0.4, None, AGAIN),
        ("adr-server", "model"): (94.1, 0.5, None, "15 dB, as the paper states"),
        ("adr-sigma8", "model"): (92.50, 0.5, 92.4, "sigma + 8 dB, as its table has"),
        ("adr-sigma8", "delivery"): (92.1, 0.5, None, AGAIN),
        ("dylora", "model"): (87.5, 2.0, 87.6, f"DyLoRa-like; {AGAIN}"),
    }
    claims = [
        Claim(
            f"norel-downlinks/{name}/{key}", (paid[name].name,), _value(key), value - slack, value + slack, paper, note
        )
        for (name, key), (value, slack, paper, note) in bands.items()
    ]
    claims += [
        Claim("norel-downlinks/norel-free/model", (free.name,), _value("model"), 95.16, 96.16, 95.6, AGAIN),
        Claim("norel-downlinks/norel-free/delivery", (free.name,), _value("delivery"), 95.3, 96.3, None, AGAIN),
    ]
    return Study(
        "norel-downlinks", "NoReL, 200 nodes: free feedback and downlinks", (*paid.values(), free), tuple(claims)
    )


def _frugal() -> Study:
    """The last 5 of 15 days with learning on, 1 % duty cycle on RX1 and 10 % on RX2, ten paired seeds."""
    cells: dict[tuple[int, str], Cell] = {}
    claims = []
    for nodes in NODES:
        few = (*TEN.split(), f"scenario.topology.nodes={nodes}")
        for learner in ("min-sf", "adr-server", "adr-sigma8", "norel", "norel-frugal"):
            cells[nodes, learner] = _cell(f"norel-frugal/{nodes}", learner, changes=few)
        for against in ("min-sf", "adr-server", "adr-sigma8"):
            pair = (cells[nodes, "norel-frugal"].name, cells[nodes, against].name)
            name = f"norel-frugal/{nodes}/over-{against}/lower_end"
            claims.append(Claim(name, pair, _lower_end, -0.2, 100.0, None, OURS))
    draw = partial(draw_by_nodes, nodes=NODES)
    title = "beyond the paper: NoReL that spends downlinks sparingly, against MinSF and both ADRs"
    return Study("norel-frugal", title, tuple(cells.values()), tuple(claims), draw)


def _lower_end(ours: Played, theirs: Played) -> list[float]:
    """Lower end of the 95 % interval of the paired difference in delivery, in points."""
    pairs = zip(ours.extra["delivery"], theirs.extra["delivery"], strict=True)
    return [estimate([mine - other for mine, other in pairs]).ci_low]


def _dynamic(kind: str) -> Study:
    learners = ("norel", "norel-frugal", "adr-server", "adr-sigma8")
    study = f"norel-{kind}"
    cells = tuple(_cell(study, learner, f"norel_{kind}.yaml") for learner in learners)
    titles = {
        "nodes": "NoReL, Fig. 4(a), 5: 100 nodes join 500",
        "traffic": "NoReL, Fig. 4(b): five times the traffic for five days",
        "channel": "NoReL, Fig. 4(c): the channel changes every twelve hours",
    }
    claims = (
        Claim(f"{study}/norel/right_state", (cells[0].name,), _right_states(kind), 95.0, 100.0, None, OURS),
    )  # fmt: skip
    return Study(study, titles[kind], cells, claims, partial(draw_assignments, title=titles[kind]))


def _right_states(kind: str) -> Callable[[Played], list[float]]:
    """Share of intervals at whose end the estimated random state is the true one, in percent."""

    def truth(hour: float) -> float:
        if kind == "traffic":
            return 1.0 if 5 * DAY_H < hour <= 10 * DAY_H else 0.0
        if kind == "channel":
            return 2.0 if round(hour / 12.0 + 0.499) % 2 == 0 else 0.0
        return 0.0

    def read(played: Played) -> list[float]:
        return [
            100 * sum(row["state"] == truth(row["time_h"]) for row in curve) / len(curve) for curve in played.curves
        ]

    return read


def _tracking() -> Study:
    cell = _cell("norel-tracking", "norel", "norel_tracking.yaml")
    claims = tuple(
        Claim(f"norel-tracking/{what}_error_percent", (cell.name,), partial(_error, what=what), 0.0, 10.0, 5.0,
              "printed as less than 5 %; here from packets received alone")
        for what in ("sigma",)
    )  # fmt: skip
    return Study("norel-tracking", "NoReL, Fig. 1: tracking the channel", (cell,), claims, draw_estimates)


SIGMAS_DB = ((5.0, 3.54), (10.0, 6.0), (15.0, 4.5), (20.0, 7.5), (24.0, 3.0))
"""When the channel of `norel_tracking.yaml` changes next, in h, and its sigma until then."""


def true_sigma_db(hour: float) -> float:
    """Sigma in `norel_tracking.yaml` just before an hour."""
    return next(sigma for until, sigma in SIGMAS_DB if hour <= until + 1e-9)


def _error(played: Played, *, what: str) -> list[float]:
    """Mean absolute error of the estimate in the last two hours before each change, in percent."""
    ends = [until for until, _ in SIGMAS_DB]
    found = []
    for curve in played.curves:
        rows = [row for row in curve if any(end - 2.0 < row["time_h"] <= end + 1e-9 for end in ends)]
        errors = [abs(row[f"estimated_{what}_db"] / true_sigma_db(row["time_h"]) - 1) for row in rows]
        found.append(100 * sum(errors) / len(errors) if errors else math.nan)
    return found


Draw = Callable[[Path, Numbers], None]
