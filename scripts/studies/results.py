"""Results of studies' cells: they are simulated once, stored seed by seed, and read again by later calls."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lora_marl.config import CoexistenceRun, EnergyRun, PacketRun, TrainConfig
from scripts.runs.cli import ROOT, UsageError, read_config, read_packet_config
from scripts.runs.job_progress import JobProgress, with_notes
from scripts.runs.jobs import Job, Store, chunks, extra_of, run_job
from scripts.runs.metrics import curve_of
from scripts.runs.parallel import Backend, Workers, in_parallel
from scripts.runs.report import markdown, with_interval
from scripts.runs.statistics import estimate
from scripts.studies.claim import Cell, CellResult, Results, Study

_QUICK = 50
"""A quick run takes this fraction of the time."""

_QUICK_INTERVALS = 12
"""Intervals of a quick run of coexisting networks at least: two rounds of the service, and some."""


def simulated(wanted: Sequence[Study], store: Store, *, quick: bool, jobs: int) -> dict[str, CellResult]:
    """The results of all cells of some studies.

    Cells of different studies that are the same run are simulated once.

    Args:
        wanted: The studies.
        store: Where results are kept; what it has is not simulated again.
        quick: Whether runs are shortened, see `shortened`.
        jobs: How many processes simulate.

    Returns:
        By name of the cell.

    Raises:
        UsageError: a cell that cannot be simulated, and why.
    """
    cells = [cell for study in wanted for cell in study.cells]
    by_cell = {cell.name: Job(shortened(cell) if quick else config_of(cell), cell.learner) for cell in cells}
    distinct = {store.path(job, job.seeds[0]): job for job in by_cell.values()}
    missing = [part for job in distinct.values() for part in _parts(job) if len(store.read(part)) < len(part.seeds)]
    with JobProgress(len(missing), "cells") as bar:
        calls = list(with_notes(list(enumerate(missing)), bar))
        for index, states in in_parallel(run_job, calls, Workers(jobs, Backend.loky, None)):
            if isinstance(states, str):
                raise UsageError(f"{missing[index].label}: {states}")
            store.write(missing[index], states)
            bar.done()
    return {name: _result(store, job) for name, job in by_cell.items()}


def config_of(cell: Cell, changes: Sequence[str] = ()) -> TrainConfig:
    """The configuration of a cell, with further changes `key=value`."""
    return read_config(ROOT / "configs" / cell.config, [*cell.changes, *changes], notes=False)


def shortened(cell: Cell) -> TrainConfig:
    """The configuration of a cell with a fraction of the time; scheduled changes come earlier by the same factor."""
    run = config_of(cell)
    if isinstance(run, EnergyRun):
        return config_of(cell, ("energy.episodes=1",))
    if isinstance(run, CoexistenceRun):
        intervals = max(_QUICK_INTERVALS, run.coexistence.intervals // _QUICK)
        return config_of(cell, (f"coexistence.intervals={intervals}",))
    assert isinstance(run, PacketRun)
    episodes = run.learners[cell.learner].episodes
    fewer = () if episodes is None else (f"learners.{cell.learner}.episodes={max(1, episodes // _QUICK)}",)
    short = read_packet_config(
        ROOT / "configs" / cell.config,
        [*cell.changes, f"duration_h={run.duration_h / _QUICK}", "interval_h=1", *fewer],
        notes=False,
    )
    sooner = tuple(change.model_copy(update={"at_s": change.at_s / _QUICK}) for change in run.scenario.changes)
    return short.model_copy(update={"scenario": short.scenario.model_copy(update={"changes": sooner})})


def cell_table(study: Study, numbers: Results) -> str:
    """The cells of a study by its columns, as Markdown: mean and half width of the 95 % interval over seeds."""
    header = ["cell", *(column.name for column in study.columns)]
    lines = []
    for name in numbers:
        values = [[value for value in column.read(name, numbers) if math.isfinite(value)] for column in study.columns]
        texts = [with_interval(estimate(by_seed)) if by_seed else "-" for by_seed in values]
        lines.append([name.removeprefix(f"{study.name}/"), *texts])
    return markdown(header, lines)


def _parts(job: Job[TrainConfig]) -> list[Job[TrainConfig]]:
    """The parts of a job that one process simulates: all replicas of an air, or one network of a closed form."""
    return chunks(job, len(job.seeds) if isinstance(job.config, EnergyRun) else 1)


def _result(store: Store, job: Job[TrainConfig]) -> CellResult:
    """The stored result of a job."""
    stored = Store(store.folder).read(job)
    states = [stored[seed] for seed in job.seeds]
    extras = [extra_of(state) for state in states]
    extra = {name: [by_name[name] for by_name in extras] for name in extras[0]}
    curves = [curve_of(state) for state in states]
    points = [state["points"] for state in states]
    last_h = job.config.report_last_h if isinstance(job.config, PacketRun) else math.inf
    return CellResult(curves, last_h, extra, points, states[0].get("airtime_s"))
