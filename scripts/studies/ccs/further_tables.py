"""Tables of `docs/coexistence.md` beyond the regimes of Table 1, from played cells; see `scripts/ccs_page.py`."""

from __future__ import annotations

import numpy as np

from agents.ccs.attacks import ATTACKS
from scripts.runs.report import markdown
from scripts.studies.ccs import attacks as ccs_attacks
from scripts.studies.ccs import eu868 as ccs_eu868
from scripts.studies.ccs import regimes as ccs
from scripts.studies.ccs import sweeps
from scripts.studies.ccs.cells import LEARNERS, UNSEEN, WITHOUT_VENDOR, name_of
from scripts.studies.ccs.figures import MIXED
from scripts.studies.ccs.readings import KPIS, gain, least_network, pair, paired, settling, worst_network
from scripts.studies.ccs.regimes import STRETCH, UNEQUAL
from scripts.studies.ccs.tables import Table, read, rounded, short, title, with_half
from scripts.studies.claim import Results, Study

DEMANDS = {
    "loads-4111": "4 : 1 : 1 : 1 loads",
    "nodes-3111": "300 : 100 : 100 : 100 nodes",
    "silent": "one silent for an hour",
}
RIGID = ("ranked-partition", "hopping", "optimum")
KIND = {"dqn": "DQN", "pg": "policy gradient"}
UNEQUAL_WAYS = {
    "independent": "independent",
    "ccs": "with the service",
    "ccs without floor": "the same without the floor",
    "independent-all": "independent, indicator that sees other networks, too",
    "random-residual": "random residual of the same norm",
    "averaging": "parameter averaging",
    **{way: f"`{way}`" for way in WITHOUT_VENDOR},
}


def _unequal_cell(demand: str, way: str) -> str:
    return f"ccs-unequal/{demand}/{way}" + ("" if way in WITHOUT_VENDOR else f"-{UNSEEN[0]}")


def unequal_prr(numbers: Results) -> str:
    """PRR of all, and of each network, where the first one differs."""
    lines = []
    for way, says in UNEQUAL_WAYS.items():
        played = [numbers[_unequal_cell(demand, way)].extra for demand in UNEQUAL]
        each = [", ".join(short(float(np.mean(of[f"prr_{s}"]))) for s in range(4)) for of in played]
        all_of = [short(float(np.mean(of["prr"]))) for of in played]
        lines.append([says, *(f"{prr} ({own})" for prr, own in zip(all_of, each, strict=True))])
    return markdown(["PRR of all (of each network)", *(DEMANDS[demand] for demand in UNEQUAL)], lines)


def unequal_gains(numbers: Results) -> str:
    """Of each network, with the floor and without."""
    lines = []
    for way, says in (("ccs", "with the floor"), ("ccs without floor", "without the floor")):
        pairs = [[numbers[_unequal_cell(demand, each)] for each in (way, "independent")] for demand in UNEQUAL]
        lines += [[says, str(s), *(with_half(paired(f"prr_{s}", 1.0, two)[0]) for two in pairs)] for s in range(4)]
    return markdown(["gain in PRR [%]", "network", *(DEMANDS[demand] for demand in UNEQUAL)], lines)


def unequal_settled(numbers: Results) -> str:
    """How soon all settle."""
    settles, lines = settling(STRETCH), []
    for way in ("independent", "ccs", "ccs without floor"):
        found = [settles(numbers[_unequal_cell(demand, way)])[0] for demand in UNEQUAL]
        says = UNEQUAL_WAYS[way].removeprefix("the same ")
        lines.append([says, *map(rounded, found)])
    return markdown(["intervals until settled", *(DEMANDS[demand] for demand in UNEQUAL)], lines)


def eu868(numbers: Results) -> str:
    """Under the law, pooled over vendors."""
    header = ["networks", "load", "independent, PRR", "with the service", "gain [%]", "EPN [%]", "least network [%]",
              "worst network and seed [%]", "`ranked-partition`", "`hopping`"]  # fmt: skip
    lines = []
    for regime in ccs_eu868.REGIMES:
        for at in (f"{load:g}" for load in ccs_eu868.LOADS):
            played = [numbers[name] for name in pair("ccs-eu868", regime, at)]
            first, second = (read(numbers, "ccs-eu868", regime, way, at) for way in ("independent", "ccs"))
            extremes = [of(*played, networks=len(regime))[0] for of in (least_network, worst_network)]
            both = [with_half(gain(name, KPIS[name])(*played)) for name in ("prr", "epn_mj")]
            rules = [short(read(numbers, "ccs-eu868", regime, way, at)) for way in ("ranked-partition", "hopping")]
            lines.append([regime, at, short(first), short(second), *both, *(f"{e:.1f}" for e in extremes), *rules])
    return markdown(header, lines)


def eu868_ways(numbers: Results) -> str:
    """All ways under the law, of one vendor."""
    shown = {"independent": "independent", "ccs": "with the service", "independent-all": "indicator that sees others",
             "random-residual": "random residual", "averaging": "averaging", "static-partition": "`static-partition`",
             "hopping-partition": "`hopping-partition`", "optimum": "`optimum` (fitted)"}  # fmt: skip

    def first(regime: str, way: str, at: str) -> str:
        return short(read(numbers, "ccs-eu868", regime, way, at, vendors=UNSEEN[:1]))

    lines = []
    for regime in ccs_eu868.REGIMES:
        for at in (f"{load:g}" for load in ccs_eu868.LOADS):
            # The model knows no networks under adaptive data rate.
            line = [
                regime,
                at,
                *("-" if (way, regime) == ("optimum", "DAP") else first(regime, way, at) for way in shown),
            ]
            lines.append(line)
    return markdown(["PRR, vendor 5", "load", *shown.values()], lines)


def sweep(study: str) -> Table:
    """By regime and load, of a study of `scripts.studies.ccs.sweeps`."""
    header = ["networks", "load", "independent, PRR", "with the service", "gain [%]", *(f"`{way}`" for way in RIGID)]

    def table(numbers: Results) -> str:
        lines = []
        for regime, at in _places(study):
            played = [numbers[name] for name in pair(study, regime, at)]
            first, second, *rules = (read(numbers, study, regime, way, at) for way in ("independent", "ccs", *RIGID))
            gained = with_half(gain("prr", 1.0)(*played))
            lines.append([regime, at, short(first), short(second), gained, *map(short, rules)])
        return markdown(header, lines)

    return table


def _places(study: str) -> list[tuple[str, str]]:
    """Regimes and loads."""
    (found,) = (each for each in sweeps.studies() if each.name == study)
    places = dict.fromkeys(cell.name.split("/")[1] for cell in found.cells if cell.learner == "ccs")
    return [(regime, at) for regime, _, at in (place.partition("@") for place in places)]


def options(study: str) -> Table:
    """Gains of the service under parameters, by name, of a study that compares them."""

    def table(numbers: Results) -> str:
        regimes, lines = _options(study, numbers)
        return markdown(["", *(f"{title(regime)}, gain [%]" for regime in regimes)], lines)

    return table


def _options(study: str, numbers: Results) -> tuple[list[str], list[list[str]]]:
    """The regimes of a study, and lines of an option's name and gains."""
    cells = [cell.name.split("/")[1:] for cell in studies_of_options()[study].cells if cell.learner == "ccs"]
    regimes, names = ([*dict.fromkeys(each)] for each in zip(*cells, strict=True))
    lines = []
    for name in names:
        pairs = [(f"{study}/{r}/{name}", name_of(study, r, "independent", UNSEEN[0])) for r in regimes]
        gained = [paired("prr", 1.0, [numbers[cell] for cell in pair_])[0] for pair_ in pairs]
        lines.append([name, *map(with_half, gained)])
    return regimes, lines


def studies_of_options() -> dict[str, Study]:
    """Those that play the service under parameters, by name."""
    return {study.name: study for study in (*ccs.studies(), *ccs_attacks.studies())}


def compression(numbers: Results) -> str:
    """Gains by encoding, and how many bytes a report has."""
    regimes, lines = _options("ccs-compression", numbers)
    for line in lines:
        line.append(f"{ccs_attacks.report_bytes(f'ccs-compression/PPPP/{line[0]}', numbers)[0]:,.0f}")
    return markdown(["encoding", *(f"{title(regime)}, gain [%]" for regime in regimes), "bytes of a report"], lines)


def _honest(numbers: Results, regime: str, option: str, *, least: bool = True) -> str:
    """Mean gain of the honest, and of the least of them where there are several."""
    played = [
        numbers[f"ccs-attacks/{regime}/{option}"],
        numbers[name_of("ccs-attacks", regime, "independent", UNSEEN[0])],
    ]
    mean = np.mean(ccs_attacks.honest_gain(len(regime))(*played))
    worst = ccs_attacks.least_honest(*played, networks=len(regime))[0]
    return f"{mean:.1f} ({worst:.1f})" if least and len(regime) > 2 else f"{mean:.1f}"


def attacks(numbers: Results) -> str:
    """Gains of the honest by attack, with defences and without."""
    header = ["attack", *(each for regime in ("2 P", "4 P", "4 D") for each in (regime, "undefended"))]
    lines = []
    for attack in ("none", *ATTACKS, "optimised"):
        line = [f"`{attack}`"]
        for regime in ("PP", "PPPP", "DDDD"):
            line += [_honest(numbers, regime, option) for option in (attack, f"{attack} undefended")]
        lines.append(line)
    return markdown(header, lines)


def medians(numbers: Results) -> str:
    """Gains of the honest where others are pooled by their median."""
    header = ["attack", *(each for regime in ("2 P", "4 P", "4 D") for each in (f"{regime}, mean", "median"))]
    lines = []
    for attack in ccs_attacks.MEDIAN:
        line = [f"`{attack}`"]
        for regime in ("PP", "PPPP", "DDDD"):
            line += [_honest(numbers, regime, each, least=False) for each in (attack, f"{attack}-median")]
        lines.append(line)
    return markdown(header, lines)


def mixed(numbers: Results) -> str:
    """Gains by kind of network beside legacy ones."""
    lines = []
    for regime in MIXED:
        played, legacy = [numbers[name] for name in pair("ccs-figure-4", regime)], []
        for s, letter in enumerate(regime):
            own = [with_half(gain(f"{name}_{s}", sign)(*played)) for name, sign in KPIS.items()]
            if letter in "DP":
                lines.append([regime, KIND[LEARNERS[letter]], *own])
            else:
                spilt = [with_half(gain(f"legacy_{name}", sign)(*played)) for name, sign in KPIS.items()]
                legacy.append([regime, "legacy network", *spilt])
        lines += legacy
    return markdown(["networks", "whose", "PRR [%]", "EPN [%]", "ATP [%]"], lines)
