"""Coexisting networks under EU868's duty cycles, whose acknowledgements are downlinks of their gateways.

What may be acknowledged: a network of 1,000 nodes offers 5 frames a second at load 1. Its nodes use SF7 to SF12 with
shares of about .63 .17 .12 .06 .01 .00, so that an acknowledgement of 13 bytes in RX1, sent as the uplink was, lasts
.63 * 46 + .17 * 82 + .12 * 165 + .06 * 289 + .01 * 578 = 86 ms; those for all frames would take 43 % of a gateway's
time. EU868 allows 1 % of it in each of the two sub-bands of the eight channels, 2 * .01 / .086 s = .23 a second, and
10 % in RX2 at SF9, .1 / .165 s = .61 a second: together .84 a second, those of a load of .17. That is a bound: a frame
that was received and not acknowledged is sent again, so that its own repeats ask for answers, too, and nodes do not
hear every answer. (A gateway that is to answer stops receiving: else one that hears several networks would never find
the air silent enough to answer.)

At a load of .05 some 70 % of what is received is acknowledged, at .15 a third; beside a network under ADR, whose nodes
begin at SF12, likewise. At a load of 1 it is an eighth at most, nodes send nearly every frame four times, and the air
is fuller than with free acknowledgements, which stand beside it.
"""

from __future__ import annotations

from functools import partial

from scripts.runs.report import markdown
from scripts.studies.ccs.cells import UNSEEN, cells_of, has_non_learning, unique
from scripts.studies.ccs.plots import draw_regimes
from scripts.studies.ccs.readings import (
    ANSWERS,
    KPIS,
    columns,
    gain,
    harmless,
    least_network,
    pair,
    reported,
    spill_over,
    worst_network,
)
from scripts.studies.ccs.tables import read, short, with_half
from scripts.studies.claim import Results, Study

LABELS = ("independent", "ccs", "ranked-partition", "hopping")
OTHERS = ("independent-all", "random-residual", "averaging", "static-partition", "hopping-partition", "optimum")
"""Labels that are played for one vendor only, because networks are ten times those of the study."""

REGIMES = ("PP", "DD", "PPPP", "DDDD", "DAP")
LOADS = (0.05, 0.15)
EU868_PRESET = "coexistence.preset=ccs_eu868"
FITTED = "learners.optimum.parameters={proxy: configs/ccs/proxy-ccs_eu868.json}"
"""The search needs the fitted model: the one by hand is of free acknowledgements."""


def studies() -> list[Study]:
    """Returns `ccs-eu868`."""
    study, cells, claims = "ccs-eu868", [], []
    for regime in REGIMES:
        for load in LOADS:
            at, changes = f"{load:g}", (EU868_PRESET, f"coexistence.load={load}")
            others = (
                OTHERS[:-1] if "A" in regime else OTHERS
            )  # the model of the air does not cover networks with rule adr
            cells += cells_of(study, regime, LABELS, changes, at)
            for label in others:
                fitted = (FITTED,) if label == "optimum" else ()
                cells += cells_of(study, regime, (label,), (*changes, *fitted), at, UNSEEN[:1])
            place = f"{study}/{regime}@{at}/ccs"
            claims += [
                reported(f"{place}/gain_{name}", pair(study, regime, at), gain(name, sign))
                for name, sign in KPIS.items()
            ]
            claims += harmless(study, regime, at=at)
            claims += spill_over(study, regime, at) if has_non_learning(regime) else []
    for at, more in (("1", ()), ("1 free", ("coexistence.acknowledgements=free",))):
        cells += cells_of(study, "PPPP", LABELS, (EU868_PRESET, "coexistence.load=1", *more), at, UNSEEN[:1])
    title = "Coexisting networks under EU868: 1,000 nodes each, acknowledgements as downlinks, duty cycles of 1 %"
    draw = partial(draw_regimes, study=study)
    return [Study(study, title, unique(cells), tuple(claims), draw, columns(study, ANSWERS))]


def gains_table(numbers: Results) -> str:
    """Returns the table of gains under EU868's duty cycles, pooled over vendors."""
    header = ["networks", "load", "independent, PRR", "with the service", "gain [%]", "EPN [%]", "least network [%]",
              "worst network and seed [%]", "`ranked-partition`", "`hopping`"]  # fmt: skip
    lines = []
    for regime in REGIMES:
        for at in (f"{load:g}" for load in LOADS):
            played = [numbers[cell] for cell in pair("ccs-eu868", regime, at)]
            first, second = (read(numbers, "ccs-eu868", regime, label, at) for label in ("independent", "ccs"))
            extremes = [extreme(*played, networks=len(regime))[0] for extreme in (least_network, worst_network)]
            both = [with_half(gain(name, KPIS[name])(*played)) for name in ("prr", "epn_mj")]
            rules = [short(read(numbers, "ccs-eu868", regime, label, at)) for label in ("ranked-partition", "hopping")]
            shown = [*both, *(f"{value:.1f}" for value in extremes), *rules]
            lines.append([regime, at, short(first), short(second), *shown])
    return markdown(header, lines)


def strategies_table(numbers: Results) -> str:
    """Returns the table of the PRR of all strategies under EU868's duty cycles, for one vendor."""
    shown = {"independent": "independent", "ccs": "with the service", "independent-all": "indicator that sees others",
             "random-residual": "random residual", "averaging": "averaging", "static-partition": "`static-partition`",
             "hopping-partition": "`hopping-partition`", "optimum": "`optimum` (fitted)"}  # fmt: skip

    def prr(regime: str, label: str, at: str) -> str:
        if label == "optimum" and regime == "DAP":  # the model knows no networks under adaptive data rate
            return "-"
        return short(read(numbers, "ccs-eu868", regime, label, at, vendors=UNSEEN[:1]))

    lines = [
        [regime, f"{load:g}", *(prr(regime, label, f"{load:g}") for label in shown)]
        for regime in REGIMES
        for load in LOADS
    ]
    return markdown(["PRR, vendor 5", "load", *shown.values()], lines)
