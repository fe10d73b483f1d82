"""What the service stands and what it costs: attacks, privacy, compression, stale reports.

All at load 1 under moving interference, with policies of a vendor that the service has never seen. Gains are in PRR
over independent learners on the same seeds. In an attack the first network attacks and the others are the honest ones;
undefended are: trust scores, the cap of an operator's weight and the fairness floor off. The ranges of reports, the
clipping of residuals and the conflict gate are part of the service and stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from agents.ccs.attacks import ATTACKS
from agents.ccs.protocol import Report
from agents.lns.network import Schema
from scripts.studies.ccs.cells import UNSEEN, cell_of, name_of
from scripts.studies.ccs.plots import draw_attacks, draw_privacy
from scripts.studies.ccs.readings import columns, mean, paired
from scripts.studies.claim import Cell, CellResult, Claim, Column, Results, Study

VENDOR = UNSEEN[0]
UNDEFENDED = "jump: null, operator_cap: .inf, floor: false"
MEDIAN = ("none", "random_100", "copy", "optimised")
"""Played once more with the median over others in place of their mean."""

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
    """`ccs-attacks`, `-privacy`, `-compression` and `-stale`."""
    return [_attacks(), _privacy(), _compression(), _stale()]


def _attacks() -> Study:
    """Every attack with and without defences; `none`: nobody attacks."""
    study, claims = "ccs-attacks", list[Claim]()
    options = {"none": "", "none undefended": UNDEFENDED}
    for attack in (*ATTACKS, "optimised"):
        options[attack] = f"attack: {attack}"
        options[f"{attack} undefended"] = f"attack: {attack}, {UNDEFENDED}"
    options |= {f"{name}-median": f"{options[name]}, pooling: median".removeprefix(", ") for name in MEDIAN}
    regimes = ("PP", "PPPP", "DDDD")
    cells = _cells(study, regimes, options)
    for regime in regimes:
        for name in options:
            pair = _pair(study, regime, name)
            least = partial(least_honest, networks=len(regime))
            low, note = (-5.0, "our target") if name in ("none", *ATTACKS, "optimised") else (-math.inf, "")
            claims.append(Claim(f"{pair[0]}/least_honest_network", pair, least, low, math.inf, None, note))
            claims.append(_reported(pair, "gain_of_honest", honest_gain(len(regime))))
    title = "Coexisting networks: an attacker among the participants; gains of the honest ones"
    return Study(study, title, cells, tuple(claims), partial(draw_attacks, study=study), columns(study))


def _privacy() -> Study:
    """How much noise the service stands, and what that promises: delta 1e-5, over the reports of a whole run."""
    options = {"none": ""} | {f"noise {noise}": f"noise: {noise}" for noise in NOISES}
    options |= {
        f"epsilon {epsilon.removeprefix('.')}, clip {clip}": f"privacy: {{epsilon: {epsilon}, clip: {clip}}}"
        for clip in CLIPS
        for epsilon in EPSILONS
    }
    title = "Coexisting networks: privacy of snapshots by the Gaussian mechanism, and noise relative to weights"
    return _reporting("ccs-privacy", title, ("PPPP", "DDDD"), options, partial(draw_privacy, study="ccs-privacy"))


def _compression() -> Study:
    """What smaller snapshots cost."""
    options = {name: f"encoding: {encoding}, share: {share}" for name, (encoding, share) in ENCODINGS.items()}
    found = _reporting("ccs-compression", "Coexisting networks: smaller snapshots", ("PPPP", "DDDD"), options)
    return replace(found, columns=(*found.columns, Column("bytes of a report", report_bytes)))


def _stale() -> Study:
    """What late reports cost, with residuals weighed by age and without."""
    options = {f"{rounds} rounds": f"delay_rounds: {rounds}" for rounds in (0, 1, 3)}
    options |= {f"{rounds} rounds unweighed": f"delay_rounds: {rounds}, staleness_s: .inf" for rounds in (1, 3)}
    return _reporting("ccs-stale", "Coexisting networks: reports that come late", ("PP", "PPPP", "DDDD", "DP"), options)


def _reporting(
    study: str,
    title: str,
    regimes: Sequence[str],
    options: Mapping[str, str],
    draw: Callable | None = None,
) -> Study:
    """The service under parameters, by name; the gains are reported."""
    pairs = [_pair(study, regime, name) for regime in regimes for name in options]
    claims = tuple(_reported(pair, "gain_prr", gain_by_seed) for pair in pairs)
    return Study(study, title, _cells(study, regimes, options), claims, draw, columns(study))


def _cells(study: str, regimes: Sequence[str], options: Mapping[str, str]) -> tuple[Cell, ...]:
    cells = []
    for regime in regimes:
        cells.append(cell_of(study, regime, "independent", VENDOR))
        for name, parameters in options.items():
            made = cell_of(study, regime, "ccs", VENDOR, (f"learners.ccs.parameters={{{parameters}}}",))
            cells.append(replace(made, name=f"{study}/{regime}/{name}"))
    return tuple(cells)


def _pair(study: str, regime: str, name: str) -> tuple[str, str]:
    return f"{study}/{regime}/{name}", name_of(study, regime, "independent", VENDOR)


def _reported(cells: tuple[str, ...], what: str, read: Callable[..., list[float]]) -> Claim:
    return Claim(f"{cells[0]}/{what}", cells, read, -math.inf, math.inf)


def gain_by_seed(*played: CellResult) -> list[float]:
    """In PRR of all networks, of every seed. percent"""
    return paired("prr", 1.0, played)[0]


def honest_gain(networks: int) -> Callable[..., list[float]]:
    """In PRR, the mean over all networks but the first, of every seed. percent"""

    def read(*played: CellResult) -> list[float]:
        each = [paired(f"prr_{s}", 1.0, played)[0] for s in range(1, networks)]
        return [mean(gains) for gains in zip(*each, strict=True)]

    return read


def least_honest(*played: CellResult, networks: int) -> list[float]:
    """The least of the mean gains over seeds of all networks but the first. percent"""
    return [min(mean(paired(f"prr_{s}", 1.0, played)[0]) for s in range(1, networks))]


def report_bytes(cell: str, numbers: Results) -> list[float]:
    """Size of a report of the default schema in the encoding that a cell is named by."""
    name = cell.split("/")[2]
    if name not in ENCODINGS:
        return []
    parameters = np.random.default_rng(0).standard_normal(Schema().size, np.float32)
    report = Report("0", 1, 300.0, Schema(), parameters, np.ones(4, np.float32))
    return [float(len(report.to_bytes(*ENCODINGS[name])))]
