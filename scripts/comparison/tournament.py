"""Every learner on every scenario and seed: what is there is taken over, the rest is played and kept at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer
from rich import progress

from lora_marl.config import PacketRun
from scripts.comparison.lineup import Lineup
from scripts.runs.checkpoints import State
from scripts.runs.cli import INTERRUPTED, UsageError, errors
from scripts.runs.jobs import Job, Store, by_replica, plan, run_job, with_seeds
from scripts.runs.parallel import Workers, in_parallel

Played = dict[str, dict[int, State]]
"""By learner and seed, of one scenario."""


def play_all(found: Sequence[Lineup], store: Store, workers: Workers) -> tuple[list[Played], list[list[str]]]:
    """What every learner did with every seed, by scenario, and what is to be said of each.

    Raises:
        Exit: interrupted; what was finished is kept.
        UsageError: a learner that was asked for refuses a scenario, or the workers cannot be had.
    """
    played: list[Played] = [{job.label: store.read(job) for job in lineup.jobs()} for lineup in found]
    notes: list[list[str]] = [[] for _ in found]
    place = {lineup.config.name: number for number, lineup in enumerate(found)}
    parts = plan(_missing(found, played), workers.count)
    with _progress(len(parts), store) as bar:
        for number, answer in in_parallel(run_job, list(enumerate(parts)), workers):
            job, own = parts[number], place[parts[number].config.name]
            if isinstance(answer, str):
                _refused(job, answer, notes[own])
            else:
                store.write(job, answer)
                played[own][job.label] |= dict(zip(job.seeds, answer, strict=True))
            bar.advance(bar.task_ids[0])
    return played, notes


def _missing(found: Sequence[Lineup], played: Sequence[Played]) -> list[Job[PacketRun]]:
    """Jobs for what is not there yet."""
    jobs = []
    for own, lineup in zip(played, found, strict=True):
        whole = by_replica(lineup.config)
        for job in lineup.jobs():
            seeds = [seed for seed in job.seeds if seed not in own[job.label]]
            if seeds:
                jobs.append(job if whole else with_seeds(job, seeds))
    return jobs


@contextmanager
def _progress(total: int, store: Store) -> Iterator[progress.Progress]:
    """A bar over jobs; Ctrl-C ends the call with a line that says what is kept."""
    bar = progress.Progress(
        progress.TextColumn("jobs"), progress.BarColumn(), progress.MofNCompleteColumn(), progress.TimeElapsedColumn(),
        console=errors,
    )  # fmt: skip
    task = bar.add_task("jobs", total=total)
    try:
        with bar:
            yield bar
    except KeyboardInterrupt:
        done = int(bar.tasks[task].completed)
        errors.print(
            f"interrupted; {done} of {total} jobs are kept in {store.folder}; the same command goes on",
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED) from None


def _refused(job: Job[PacketRun], why: str, notes: list[str]) -> None:
    """Notes it once; a learner that was asked for has been built before, with one seed.

    Raises:
        UsageError: that was asked for.
    """
    name = job.config.name
    if not job.optional:
        raise UsageError(f"{name}: {why}")
    note = f"{job.label} is not here: {why.removeprefix(f'learners.{job.label}: ')}"
    if note not in notes:
        notes.append(note)
        errors.print(f"note: {name}: {note}", markup=False, style="yellow", soft_wrap=True)
