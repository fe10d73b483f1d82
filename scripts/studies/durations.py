"""How long studies take: the work of their cells times what a unit of work costs.

A unit is a packet on the air, a node and interval of coexisting networks, or a node and episode on a closed form. What
one costs is measured in shortened runs of some learners (`MEASURED`); other learners cost as much as the first one of
their family. `durations.json` keeps the result, which `python scripts/reproduce.py --measure` makes anew. It is CPU
time on one shared machine: on another one studies may take half or twice as long.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np

from lora_marl.config import CoexistenceRun, EnergyRun, TrainConfig
from scripts.runs.jobs import Job, run_job
from scripts.runs.packets.experiment import build_scenario, schedule
from scripts.studies.claim import Cell, Study, claim_results
from scripts.studies.results import config_of, shortened

STORED = Path(__file__).with_name("durations.json")

FAMILIES = ("norel", "mmalora", "ccs")
"""Beginnings of the names of configurations whose learners cost alike; all others are D-LoRa's."""

MEASURED = {
    "dlora": ("fig2", ("cucb", "random", "mix-mab")),
    "norel": ("norel-density", ("min-sf", "norel", "adr-server")),
    "mmalora": ("mmalora-methods", ("rcst", "maac")),
    "ccs": ("ccs-dynamic", ("independent", "ccs")),
}
"""By family: the study whose cells are measured, and the learners, the first of which stands for all others."""

_QUICK = 50
"""A quick run takes this fraction of the time."""

_SEEDS, _REPEATS = 2, 3
"""Seeds of a measured cell, and how often it runs once everything is compiled."""


def cpu_s(study: str, *, quick: bool = False) -> float:
    """CPU time of a study, as it was measured; nan: it was not. s"""
    return _stored().get(study, math.nan) / (_QUICK if quick else 1)


def in_words(seconds: float) -> str:
    """A duration as rough as it is known: `under a minute`, `about 12 min`, `about 3.5 h`."""
    if math.isnan(seconds):
        return "not measured"
    if seconds < 60:
        return "under a minute"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.2g} h"


def measure(studies: Mapping[str, Study], shortened_studies: Mapping[str, Study]) -> dict[str, float]:
    """Measures units of work, and returns the CPU time of every study. s

    Args:
        studies: By name.
        shortened_studies: The same, of which those without cells are shortened.
    """
    costs_s: dict[tuple[str, str], float] = {}
    for family, (name, learners) in MEASURED.items():
        for learner in learners:
            cell = next(cell for cell in studies[name].cells if cell.learner == learner)
            costs_s[family, learner] = _unit_cost_s(cell)
    return {
        name: _cells_s(study.cells, costs_s) if study.cells else _QUICK * _claims_s(shortened_studies[name])
        for name, study in studies.items()
    }


def units(config: TrainConfig, label: str) -> float:
    """The work of a label of a run, in units."""
    seeds = len(config.seeds)
    if isinstance(config, CoexistenceRun):
        return float(config.coexistence.build().nodes * config.coexistence.intervals * seeds)
    scenario = build_scenario(config.scenario, seeds)
    if isinstance(config, EnergyRun):
        from scripts.runs.energy.experiment import episodes

        return float(scenario.nodes * episodes(config, label) * seeds)
    rates_per_s = np.broadcast_to(1.0 / np.asarray(scenario.traffic.interval_s, np.float64), (scenario.nodes,))
    return 3600.0 * schedule(config, label)[-1].end_h * float(rates_per_s.sum()) * seeds


def _cells_s(cells: Sequence[Cell], costs_s: Mapping[tuple[str, str], float]) -> float:
    total = 0.0
    for cell in cells:
        family = _family(cell)
        cost_s = costs_s.get((family, cell.learner), costs_s[family, MEASURED[family][1][0]])
        total += cost_s * units(config_of(cell), cell.learner)
    return total


def _family(cell: Cell) -> str:
    return next((family for family in FAMILIES if cell.config.startswith(family)), "dlora")


def _unit_cost_s(cell: Cell) -> float:
    """CPU time of a unit in a shortened cell, without compilation. s"""
    config = shortened(cell)
    job = Job(config.model_copy(update={"seeds": config.seeds[:_SEEDS]}), cell.learner)
    times_s = []
    for _ in range(_REPEATS + 1):
        began_s = time.process_time()
        run_job(0, job)
        times_s.append(time.process_time() - began_s)
    return median(times_s[1:]) / units(job.config, cell.learner)


def _claims_s(study: Study) -> float:
    """CPU time of the claims of a study without cells, which simulate. s"""
    began_s = time.process_time()
    claim_results(study, {})
    return time.process_time() - began_s


@cache
def _stored() -> dict[str, float]:
    durations: dict[str, float] = json.loads(STORED.read_text(encoding="utf-8"))
    return durations
