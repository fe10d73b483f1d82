"""Runs every learner on every scenario and seed; results that are on disk are reused, new ones stored at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from lora_marl.config import PacketRun
from scripts.comparison.lineup import Lineup
from scripts.runs.checkpoints import State
from scripts.runs.cli import INTERRUPTED, UsageError, errors
from scripts.runs.job_progress import JobProgress, with_notes
from scripts.runs.jobs import Job, Store, by_replica, plan, run_job, with_seeds
from scripts.runs.parallel import Workers, in_parallel

Results = dict[str, dict[int, State]]
"""The results of one scenario, by learner and seed."""


def run_all(scenarios: Sequence[Lineup], store: Store, workers: Workers) -> tuple[list[Results], list[list[str]]]:
    """The results of every scenario, and notes on each.

    Raises:
        Exit: interrupted; finished results are stored.
        UsageError: a learner that was asked for refuses a scenario, or there are no workers.
    """
    results: list[Results] = [{job.label: store.read(job) for job in lineup.jobs()} for lineup in scenarios]
    notes: list[list[str]] = [[] for _ in scenarios]
    scenario_of = {lineup.config.name: number for number, lineup in enumerate(scenarios)}
    parts = plan(_missing(scenarios, results), workers.count)
    with _progress(len(parts), store) as bar:
        for number, answer in in_parallel(run_job, list(with_notes(list(enumerate(parts)), bar)), workers):
            job = parts[number]
            scenario = scenario_of[job.config.name]
            if isinstance(answer, str):
                _note_refusal(job, answer, notes[scenario])
            else:
                store.write(job, answer)
                results[scenario][job.label] |= dict(zip(job.seeds, answer, strict=True))
            bar.done()
    return results, notes


def _missing(scenarios: Sequence[Lineup], results: Sequence[Results]) -> list[Job[PacketRun]]:
    """Jobs for the results that are not stored yet."""
    jobs = []
    for lineup, stored in zip(scenarios, results, strict=True):
        all_seeds = by_replica(lineup.config)
        for job in lineup.jobs():
            seeds = [seed for seed in job.seeds if seed not in stored[job.label]]
            if seeds:
                jobs.append(job if all_seeds else with_seeds(job, seeds))
    return jobs


@contextmanager
def _progress(total: int, store: Store) -> Iterator[JobProgress]:
    """A bar over jobs; Ctrl-C ends the call with a line that says what is stored."""
    bar = JobProgress(total, "jobs")
    try:
        with bar:
            yield bar
    except KeyboardInterrupt:
        errors.print(
            f"interrupted; {bar.finished} of {total} jobs are kept in {store.folder}; the same command goes on",
        )
        raise typer.Exit(INTERRUPTED) from None


def _note_refusal(job: Job[PacketRun], why: str, notes: list[str]) -> None:
    """Notes once that a learner which was added refuses the scenario.

    Raises:
        UsageError: the learner was asked for.
    """
    name = job.config.name
    if not job.optional:
        raise UsageError(f"{name}: {why}")
    note = f"{job.label} is left out: {why.removeprefix(f'learners.{job.label}: ')}"
    if note not in notes:
        notes.append(note)
        errors.print(f"note: {name}: {note}", style="yellow")
