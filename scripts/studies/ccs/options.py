"""The service under options: its clock, clipping and safeguards; attacks, privacy, compression and late reports.

All at load 1 under moving interference, with policies of a vendor that the service has not seen. Gains are in PRR over
independent learners on the same seeds. In an attack the first network attacks, and the others are honest. Undefended
means: trust scores, the cap of an operator's weight and the fairness floor are off. The ranges of reports, the clipping
of residuals and the conflict gate are part of the service and stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from agents.ccs.attacks import ATTACKS
from agents.ccs.protocol import Report
from agents.lns.network import Schema
from scripts.runs.report import markdown
from scripts.studies.ccs.cells import UNSEEN, cell_of, name_of
from scripts.studies.ccs.plots import draw_attacks, draw_privacy
from scripts.studies.ccs.readings import columns, gain, mean, paired, reported
from scripts.studies.ccs.tables import Table, title_of, with_half
from scripts.studies.claim import OUR_TARGET, Cell, CellResult, Claim, Column, Results, Study

VENDOR = UNSEEN[0]
UNDEFENDED = "jump: null, operator_cap: .inf, floor: false"
ATTACKED = ("PP", "PPPP", "DDDD")
"""Regimes that are attacked."""

MEDIAN = ("none", "random_100", "copy", "optimised")
"""Attacks that are played once more with the median over others in place of their mean."""

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
"""Parameters of the service by name, none of which needs another training."""

EPSILONS = ("1", "10", "100", "1000", "10000", "100000", ".inf")
CLIPS = ("1.0", "0.001")
NOISES = ("0.1", "0.3", "1.0")
ENCODINGS: Mapping[str, tuple[str, float]] = {
    "float32": ("float32", 1.0),
    "float16": ("float16", 1.0),
    "int8": ("int8", 1.0),
    "top-half": ("top", 0.5),
    "top-quarter": ("top", 0.25),
    "top-tenth": ("top", 0.1),
}


def studies() -> list[Study]:
    """Returns `ccs-variants`, `-attacks`, `-privacy`, `-compression` and `-stale`."""
    return [_variants(), _attacks(), _privacy(), _compression(), _stale()]


def _variants() -> Study:
    """Returns the study of the service's settings, without training anew."""
    title = "Coexisting networks: the service's clock, clipping and safeguards, load 1, moving interference"
    return _under_options("ccs-variants", title, ("PP", "PPPP", "DDDD", "DP"), VARIANTS, read=gain("prr", 1.0))


def _attacks() -> Study:
    """Every attack with and without defences; `none`: nobody attacks."""
    study, claims = "ccs-attacks", list[Claim]()
    options = {"none": "", "none undefended": UNDEFENDED}
    for attack in (*ATTACKS, "optimised"):
        options[attack] = f"attack: {attack}"
        options[f"{attack} undefended"] = f"attack: {attack}, {UNDEFENDED}"
    options |= {f"{name}-median": f"{options[name]}, pooling: median".removeprefix(", ") for name in MEDIAN}
    cells = _cells(study, ATTACKED, options)
    for regime in ATTACKED:
        for name in options:
            pair = _pair(study, regime, name)
            least = partial(least_honest, networks=len(regime))
            low, note = (-5.0, OUR_TARGET) if name in ("none", *ATTACKS, "optimised") else (-math.inf, "")
            claims.append(Claim(f"{pair[0]}/least_honest_network", pair, least, low, math.inf, None, note))
            claims.append(reported(f"{pair[0]}/gain_of_honest", pair, honest_gain(len(regime))))
    title = "Coexisting networks: an attacker among the participants; gains of the honest ones"
    return Study(study, title, cells, tuple(claims), partial(draw_attacks, study=study), columns(study))


def _privacy() -> Study:
    """How much noise the service tolerates, and which privacy that noise gives: delta 1e-5, all reports of a run."""
    options = {"none": ""} | {f"noise {noise}": f"noise: {noise}" for noise in NOISES}
    options |= {
        f"epsilon {epsilon.removeprefix('.')}, clip {clip}": f"privacy: {{epsilon: {epsilon}, clip: {clip}}}"
        for clip in CLIPS
        for epsilon in EPSILONS
    }
    title = "Coexisting networks: privacy of snapshots by the Gaussian mechanism, and noise relative to weights"
    return _under_options("ccs-privacy", title, ("PPPP", "DDDD"), options, partial(draw_privacy, study="ccs-privacy"))


def _compression() -> Study:
    """Returns the study of what smaller snapshots cost."""
    options = {name: f"encoding: {encoding}, share: {share}" for name, (encoding, share) in ENCODINGS.items()}
    study = _under_options("ccs-compression", "Coexisting networks: smaller snapshots", ("PPPP", "DDDD"), options)
    return replace(study, columns=(*study.columns, Column("bytes of a report", report_bytes)))


def _stale() -> Study:
    """Returns the study of what late reports cost, with residuals weighed by age and without."""
    options = {f"{rounds} rounds": f"delay_rounds: {rounds}" for rounds in (0, 1, 3)}
    options |= {f"{rounds} rounds unweighed": f"delay_rounds: {rounds}, staleness_s: .inf" for rounds in (1, 3)}
    return _under_options(
        "ccs-stale", "Coexisting networks: reports that come late", ("PP", "PPPP", "DDDD", "DP"), options
    )


def _under_options(
    study: str,
    title: str,
    regimes: Sequence[str],
    options: Mapping[str, str],
    draw: Callable | None = None,
    read: Callable[..., ArrayLike] | None = None,
) -> Study:
    """The service under parameters, by name; the gains are reported."""
    pairs = [_pair(study, regime, name) for regime in regimes for name in options]
    claims = tuple(reported(f"{pair[0]}/gain_prr", pair, read or gain("prr", 1.0)) for pair in pairs)
    return Study(study, title, _cells(study, regimes, options), claims, draw, columns(study))


def _cells(study: str, regimes: Sequence[str], options: Mapping[str, str]) -> tuple[Cell, ...]:
    cells = []
    for regime in regimes:
        cells.append(cell_of(study, regime, "independent", VENDOR))
        for name, parameters in options.items():
            cell = cell_of(study, regime, "ccs", VENDOR, (f"learners.ccs.parameters={{{parameters}}}",))
            cells.append(replace(cell, name=f"{study}/{regime}/{name}"))
    return tuple(cells)


def _pair(study: str, regime: str, name: str) -> tuple[str, str]:
    return f"{study}/{regime}/{name}", name_of(study, regime, "independent", VENDOR)


def honest_gain(networks: int) -> Callable[..., list[float]]:
    """Returns a reading: the gain in PRR, mean over all networks but the first, of every seed. percent"""

    def read(*played: CellResult) -> list[float]:
        by_network = [paired(f"prr_{s}", 1.0, played)[0] for s in range(1, networks)]
        return [mean(gains) for gains in zip(*by_network, strict=True)]

    return read


def least_honest(*played: CellResult, networks: int) -> list[float]:
    """Returns the least gain of all networks but the first, each the mean over seeds. percent"""
    return [min(mean(paired(f"prr_{s}", 1.0, played)[0]) for s in range(1, networks))]


def report_bytes(cell: str, numbers: Results) -> list[float]:
    """Returns the size of a report of the default schema, in the encoding that the cell is named by. bytes"""
    name = cell.split("/")[2]
    if name not in ENCODINGS:
        return []
    parameters = np.random.default_rng(0).standard_normal(Schema().size, np.float32)
    report = Report("0", 1, 300.0, Schema(), parameters, np.ones(4, np.float32))
    return [float(len(report.to_bytes(*ENCODINGS[name])))]


def options_table(study: str) -> Table:
    """Returns the table of a study that compares options: gains of the service under each, by regime."""

    def table(numbers: Results) -> str:
        regimes, lines = _option_gains(study, numbers)
        return markdown(["", *(f"{title_of(regime)}, gain [%]" for regime in regimes)], lines)

    return table


def _option_gains(name: str, numbers: Results) -> tuple[list[str], list[list[str]]]:
    """The regimes of a study, and lines of an option's name and its gain in each."""
    (study,) = (study for study in studies() if study.name == name)
    cells = [cell.name.split("/")[1:] for cell in study.cells if cell.learner == "ccs"]
    regimes, options = ([*dict.fromkeys(column)] for column in zip(*cells, strict=True))
    lines = []
    for option in options:
        pairs = [_pair(name, regime, option) for regime in regimes]
        gains = [paired("prr", 1.0, [numbers[cell] for cell in pair])[0] for pair in pairs]
        lines.append([option, *map(with_half, gains)])
    return regimes, lines


def compression_table(numbers: Results) -> str:
    """Returns the table of gains by encoding, and how many bytes a report has."""
    regimes, lines = _option_gains("ccs-compression", numbers)
    for line in lines:
        line.append(f"{report_bytes(f'ccs-compression/PPPP/{line[0]}', numbers)[0]:,.0f}")
    return markdown(["encoding", *(f"{title_of(regime)}, gain [%]" for regime in regimes), "bytes of a report"], lines)


def attacks_table(numbers: Results) -> str:
    """Returns the table of gains of the honest by attack, with defences and without."""
    header = ["attack", *(column for regime in ("2 P", "4 P", "4 D") for column in (regime, "undefended"))]
    lines = []
    for attack in ("none", *ATTACKS, "optimised"):
        line = [f"`{attack}`"]
        for regime in ATTACKED:
            line += [_honest(numbers, regime, option) for option in (attack, f"{attack} undefended")]
        lines.append(line)
    return markdown(header, lines)


def medians_table(numbers: Results) -> str:
    """Returns the table of gains of the honest where others are pooled by their median."""
    header = ["attack", *(column for regime in ("2 P", "4 P", "4 D") for column in (f"{regime}, mean", "median"))]
    lines = []
    for attack in MEDIAN:
        line = [f"`{attack}`"]
        for regime in ATTACKED:
            line += [_honest(numbers, regime, option, least=False) for option in (attack, f"{attack}-median")]
        lines.append(line)
    return markdown(header, lines)


def _honest(numbers: Results, regime: str, option: str, *, least: bool = True) -> str:
    """Mean gain of the honest, and of the least of them where there are several."""
    played = [numbers[cell] for cell in _pair("ccs-attacks", regime, option)]
    gain_of_all = np.mean(honest_gain(len(regime))(*played))
    worst = least_honest(*played, networks=len(regime))[0]
    return f"{gain_of_all:.1f} ({worst:.1f})" if least and len(regime) > 2 else f"{gain_of_all:.1f}"
