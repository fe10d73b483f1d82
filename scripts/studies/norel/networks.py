"""NoReL on our air: with downlinks that take airtime, in changing networks, and with fewer downlinks.

`delivery` is the share delivered over the reported part of the run, mean over nodes, with all downlinks on the air.
`model` and `joint` are the delivery that the authors' closed form and the exact one expect of the last assignment; they
know nothing of downlinks. Every seed has its own placement, the same for all learners. `norel-free` is NoReL with
answers that take no airtime and always arrive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from scripts.studies.claim import OUR_TARGET, RESIMULATED, Cell, CellResult, Claim, Column, Study
from scripts.studies.norel.plots import draw_assignments, draw_by_nodes, draw_estimates, draw_maps
from scripts.studies.norel.readings import (
    columns,
    differences,
    epsilons,
    lower_end,
    right_states,
    settled,
    tracking_errors,
)

TEN = "seeds=[0,1,2,3,4,5,6,7,8,9] scenario.topology.placements=10"
RULES = ("min-sf", "tolio", "load-br", "load-sorted")
SERVERS = ("adr-server", "adr-sigma8", "dylora")
NODES = (200, 600, 1000, 2000)
REFERENCES = ("reference-pdr", "reference-tp14")
SEEDS_OF_REFERENCES = {200: 10, 1000: 3, 2000: 1}
"""Seeds by number of nodes; the time of coordinate ascent grows faster than with its square."""
COMPARED = (200, 1000, 2000)
DAY_H = 24.0

_LEARNERS = {
    "adr-sigma8": "{name: adr-server, parameters: {margin_db: null}}",
    "norel": "{parameters: {epsilon: true}}",
    "norel-free": "{name: norel, parameters: {epsilon: true}}",
    "norel-frugal": "{parameters: {epsilon: true}}",
    "reference-tp14": "{name: reference-pdr, parameters: {powers: highest}}",
}
"""The configuration of labels that are not a learner's name with its default parameters."""


def studies() -> list[Study]:
    """The studies `norel-density`, `-parts`, `-gateways`, `-nodes`, `-traffic`, `-channel` and `-tracking`."""
    return [_density(), _parts(), _gateways(), *map(_dynamic, ("nodes", "traffic", "channel")), _tracking()]


def _cell(name: str, config: str = "norel.yaml", changes: tuple[str, ...] = ()) -> Cell:
    """The cell of a learner, whose label is the last part of the name."""
    learner = name.rpartition("/")[2]
    free = ("scenario.feedback=free",) if learner == "norel-free" else ()
    return Cell(name, config, learner, (*changes, *free, f"learners.{learner}={_LEARNERS.get(learner, '{}')}"))


def _reference(name: str, seeds: int, config: str = "norel.yaml", changes: tuple[str, ...] = ()) -> Cell:
    """The cell of a reference, on the placements of the first seeds."""
    return _cell(name, config, (*changes, f"seeds={list(range(seeds))}"))


def _extra(key: str) -> Callable[[CellResult], list[float]]:
    """A reading: a number of `CellResult.extra`, by seed."""
    return lambda result: result.extra[key]


def _claims(study: str, bands: Mapping[tuple[str, str], tuple[float, float, float | None, str]]) -> list[Claim]:
    """Claims on `extra` of cells: from (cell, key) to the band's middle and half width, the paper's number, a note."""
    return [
        Claim(f"{study}/{cell}/{key}", (f"{study}/{cell}",), _extra(key), value - slack, value + slack, paper, note)
        for (cell, key), (value, slack, paper, note) in bands.items()
    ]


def _density() -> Study:
    """Fig. 2, and the last 5 of 15 days with learning on: ten paired seeds, 1 % duty cycle on RX1 and 10 % on RX2."""
    study = "norel-density"
    cells = []
    for nodes in NODES:
        changes = (*TEN.split(), f"scenario.topology.nodes={nodes}")
        labels = [*RULES, *SERVERS, "norel", "norel-free", "norel-frugal"]
        cells += [_cell(f"{study}/{nodes}/{label}", changes=changes) for label in labels]
        seeds = SEEDS_OF_REFERENCES.get(nodes, 0)
        cells += [_reference(f"{study}/{nodes}/{label}", seeds, changes=changes) for label in REFERENCES if seeds]
    bands = {
        ("200/min-sf", "model"): (94.26, 0.25, 94.2, ""),
        ("200/min-sf", "delivery"): (94.3, 0.4, None, RESIMULATED),
        ("200/tolio", "model"): (94.98, 0.4, 95.1, RESIMULATED),
        ("200/load-br", "model"): (96.43, 0.5, None, RESIMULATED),
        ("200/load-sorted", "model"): (98.05, 0.4, None, RESIMULATED),
        ("200/adr-server", "model"): (94.1, 0.5, None, "15 dB, as the paper states"),
        ("200/adr-sigma8", "model"): (92.50, 0.5, 92.4, "sigma + 8 dB, as its table has"),
        ("200/adr-sigma8", "delivery"): (92.1, 0.5, None, RESIMULATED),
        ("200/dylora", "model"): (87.5, 2.0, 87.6, f"DyLoRa-like; {RESIMULATED}"),
        ("200/norel-free", "model"): (95.66, 0.5, 95.6, RESIMULATED),
        ("200/norel-free", "delivery"): (95.8, 0.5, None, RESIMULATED),
        ("2000/min-sf", "model"): (84.57, 0.3, 84.7, ""),
        ("2000/load-sorted", "model"): (90.25, 0.5, None, RESIMULATED),
    }
    claims = _claims(study, bands)
    for nodes in COMPARED:
        for against in ("min-sf", "adr-server", "adr-sigma8"):
            pair = (f"{study}/{nodes}/norel-frugal", f"{study}/{nodes}/{against}")
            name = f"{study}/{nodes}/norel-frugal-over-{against}/lower_end"
            claims.append(Claim(name, pair, lower_end, -0.2, math.inf, None, OUR_TARGET))
    title = "NoReL, Fig. 2, and beyond: NoReL that spends downlinks sparingly, against MinSF and both ADRs"
    epsilon = Column("epsilon, mean [points]", epsilons)
    return Study(study, title, tuple(cells), tuple(claims), partial(draw_by_nodes, nodes=NODES), columns(epsilon))


def _parts() -> Study:
    """The effect of each part of frugal NoReL: NoReL with one part alone, frugal NoReL without it; 1,000 nodes."""
    study = "norel-parts"
    common = (*TEN.split(), "scenario.topology.nodes=1000")
    variants: dict[str, tuple[str, ...]] = {
        "norel": (),
        "norel, short downlinks (12 bytes)": ("scenario.downlink.payload_bytes=12",),
        "norel, RX1 alone": ("scenario.downlink.windows=rx1",),
        "norel, server commands changes alone": ("learners.norel.parameters={decides: server}",),
        "norel, rounds of 40 packets": ("learners.norel.parameters={round_packets: 40}",),
        "norel-frugal": (),
        "norel-frugal, rounds of equal length": ("learners.norel-frugal.parameters={growth: 1}",),
        "norel-frugal, draws from the strategy itself": ("learners.norel-frugal.parameters={sharpness: 1}",),
        "norel-frugal, all powers": ("learners.norel-frugal.parameters={powers: all}",),
        "norel-frugal, short downlinks (12 bytes)": ("scenario.downlink.payload_bytes=12",),
    }
    cells = {
        name: Cell(f"{study}/{name}", "norel.yaml", name.partition(",")[0], (*common, *changes))
        for name, changes in variants.items()
    }
    frugal = cells["norel-frugal"]
    claims = tuple(
        Claim(f"{study}/{name}/over_norel-frugal", (cell.name, frugal.name), differences, -math.inf, math.inf)
        for name, cell in cells.items()
        if cell is not frugal
    )
    title = "what each part of a frugal NoReL is worth, 1,000 nodes"
    return Study(study, title, tuple(cells.values()), claims, columns=columns())


def _gateways() -> Study:
    """Fig. 3: two gateways, four placements."""
    study = "norel-gateways"
    labels = (*RULES, *SERVERS, "norel", "norel-free", "norel-frugal")
    cells = tuple(_cell(f"{study}/{label}", "norel_gateways.yaml") for label in labels)
    cells += tuple(_reference(f"{study}/{label}", 2, "norel_gateways.yaml") for label in REFERENCES)
    inferred = "layout inferred"
    bands = {
        ("min-sf", "model"): (94.55, 0.5, 94.6, inferred),
        ("tolio", "model"): (95.2, 0.7, 95.2, inferred),
        ("adr-sigma8", "model"): (93.20, 0.6, 93.1, inferred),
        ("norel-free", "model"): (95.32, 0.6, 95.2, inferred),
    }
    shown = ("norel-free", "min-sf")
    draw = partial(draw_maps, config="norel_gateways.yaml", shown=[f"{study}/{label}" for label in shown])
    title = "NoReL, Fig. 3: two gateways, 1,000 nodes"
    return Study(study, title, cells, tuple(_claims(study, bands)), draw, columns())


def _dynamic(kind: str) -> Study:
    """Fig. 4 to 7: a network in which nodes, traffic or the channel change."""
    study, config = f"norel-{kind}", f"norel_{kind}.yaml"
    labels = (*RULES, *SERVERS, "norel", "norel-free", "norel-frugal")
    cells = tuple(_cell(f"{study}/{label}", config) for label in labels)
    cells += tuple(_reference(f"{study}/{label}", 2, config) for label in REFERENCES)
    titles = {
        "nodes": "NoReL, Fig. 4(a), 5: 100 nodes join 500",
        "traffic": "NoReL, Fig. 4(b), 6: five times the traffic for five days",
        "channel": "NoReL, Fig. 4(c), 7: the channel changes every twelve hours",
    }
    claims = tuple(
        Claim(f"{study}/{label}/right_state", (f"{study}/{label}",), right_states, 95.0, 100.0, None, OUR_TARGET)
        for label in ("norel", "norel-free")
    )
    draw = partial(draw_assignments, title=titles[kind])
    return Study(study, titles[kind], cells, claims, draw, columns(*_settled(kind)))


def _settled(kind: str) -> tuple[Column, ...]:
    """Columns of Definition 2 (convergence), for each channel state in which a scenario stays for days."""
    phases = {
        "nodes": (("before", 10 * DAY_H, 0.0), ("at the end", 15 * DAY_H, 0.0)),
        "traffic": (("normal traffic", 5 * DAY_H, 0.0), ("high traffic", 10 * DAY_H, 5 * DAY_H)),
        "channel": (("good channel", 14.5 * DAY_H, 0.0), ("bad channel", 15 * DAY_H, 0.0)),
    }
    return tuple(
        Column(f"settled, {part} of nodes, {when} [thousand packets]", settled(column, until_h, since_h))
        for when, until_h, since_h in phases[kind]
        for part, column in (("all", "restless_h"), ("95 %", "restless95_h"))
    )


def _tracking() -> Study:
    """Fig. 1: estimates of a channel that changes."""
    cell = _cell("norel-tracking/norel", "norel_tracking.yaml")
    note = "printed as less than 5 %; here from packets received alone"
    claims = tuple(
        Claim(
            f"norel-tracking/{quantity}_error_percent",
            (cell.name,),
            tracking_errors(quantity, cell.config),
            0.0,
            high,
            5.0,
            note,
        )
        for quantity, high in (("path_loss", 5.0), ("gamma", 10.0), ("sigma", 10.0))
    )
    draw = partial(draw_estimates, config=cell.config)
    return Study("norel-tracking", "NoReL, Fig. 1: tracking the channel", (cell,), claims, draw)
