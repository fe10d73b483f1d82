"""Sweeps parameters of a learner over a grid and shows what they trade off: PDR, energy efficiency, throughput.

- `python scripts/sweep.py --config configs/journal_fit.yaml --learner cucb --vary eta=0,0.9,1.8,3.5 --vary xi=0,1,5
  --vary c=1,2 --hours 100 --seeds 0,1`
- `python scripts/sweep.py --config configs/journal_fit.yaml --vary eta=0,1.8 --vary scenario.topology.nodes=50,100`

A key without a dot is a parameter of the learner, one with dots any key of the configuration. D-LoRa's `zeta` rewards
wide bandwidths, so it matters only where there are several. Points on the front are those that no other point of the
grid beats in all three metrics, by means over seeds. The utility is the papers' weighted sum (`--weights`), for which
they print neither weights nor units: unless `--scales` says otherwise, each metric counts relative to the largest mean
in the grid. Results go to `results/sweep/<name>/`; finished seeds stay there in `seeds/` and are reused when the
same grid, or a larger one, is asked for again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from lora_marl.config import PacketRun
from scripts.runs.assumptions import assumptions_of_all, assumptions_table
from scripts.runs.cli import (
    JsonPath,
    UsageError,
    console,
    new_app,
    one_line_errors,
    read_packet_config,
    write_json,
)
from scripts.runs.job_progress import JobProgress, with_notes
from scripts.runs.jobs import Job, Store, by_replica, run_job, with_seeds
from scripts.runs.metrics import curve_of, reported
from scripts.runs.packets.experiment import PacketExperiment
from scripts.runs.packets.results import reported_part
from scripts.runs.parallel import Backend, BackendOption, RayAddress, Workers, checked_workers, in_parallel
from scripts.runs.report import NAMES, counted, markdown
from scripts.studies.pareto_front import OBJECTIVES, GridPoint, ParetoFront, draw_front

app = new_app()

_GRAIN_H = 0.01

Settings = dict[str, str]
"""One point of the grid: values by key, as on the command line."""


@app.command(help=__doc__)
def main(
    config: Annotated[Path, typer.Option(metavar="FILE", help="The run, a YAML file.")],
    vary: Annotated[list[str], typer.Option(metavar="KEY=V1,V2,...", help="What to vary; more may follow.")],
    learner: Annotated[str, typer.Option(metavar="LABEL", help="A learner of the run, or a known name.")] = "cucb",
    hours: Annotated[float | None, typer.Option(help="Length of the training; default: the run's. h")] = None,
    last_h: Annotated[
        float | None, typer.Option(help="Length of the reported part; default: the run's, or half of --hours. h")
    ] = None,
    seeds: Annotated[str | None, typer.Option(metavar="S1,S2,...", help="Seeds; default: the run's.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value at all points.")
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Further changes.")] = None,
    weights: Annotated[str, typer.Option(metavar="PDR,EE,TH", help="Weights of the utility.")] = "0.5,0.5,0",
    scales: Annotated[
        str | None, typer.Option(metavar="PDR,EE,TH", help="What a utility of 1 means for each (PDR 0 to 1).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the folder; default: configuration and learner.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Reuse nothing of earlier calls.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Points that run at the same time.")] = 2,
    backend: BackendOption = Backend.loky,
    ray_address: RayAddress = None,
    results: Annotated[Path, typer.Option(metavar="DIR", help="Folder for results.")] = Path("results"),
    json: JsonPath = None,
) -> None:
    """Runs the grid and reports."""
    with one_line_errors():
        workers = checked_workers(jobs, backend, ray_address)
        changes = [*(set_ or ()), *(more or ())]
        common = [*changes, *_overrides(config, changes, hours, last_h, seeds)]
        grid = list(grid_of(vary))
        wanted = [job_of(config, learner, common, settings, first=not place) for place, settings in enumerate(grid)]
        folder = results / "sweep" / (name or f"{config.stem}-{learner}".replace(":", "-"))
        by_point = results_of(wanted, folder, workers, fresh=fresh)
        points = [GridPoint(settings, rows) for settings, rows in zip(grid, by_point, strict=True)]
        front = front_of(points, weights, scales)
        run = wanted[0].config
        title = f"{learner} on {config.name}, {reported_part(run)}, {counted(len(run.seeds), 'seed')}"
        console.print(assumptions_table(assumptions_of_all([job.config for job in wanted])), soft_wrap=False)
        report(title, front, folder)
        write_json(folder / "sweep.json", front.records())
        write_json(json, front.records())


def grid_of(vary: Sequence[str]) -> Iterator[Settings]:
    """All combinations of `key=value,value,...`, the last key counting fastest.

    Raises:
        UsageError: no such form, or a key given twice.
    """
    values: dict[str, list[str]] = {}
    for option in vary:
        key, _, text = option.partition("=")
        if not key or not all(text.split(",")):
            raise UsageError(f"--vary {option}: reads KEY=VALUE,VALUE,...")
        if key in values:
            raise UsageError(f"--vary {option}: {key} is varied already; give all its values at once")
        values[key] = list(dict.fromkeys(text.split(",")))
    for chosen in product(*values.values()):
        yield dict(zip(values, chosen, strict=True))


def front_of(tried: Sequence[GridPoint], weights: str, scales: str | None) -> ParetoFront:
    """The front by a utility as on the command line. UsageError: one that cannot be."""
    try:
        return ParetoFront.of(tried, _numbers("--weights", weights), _numbers("--scales", scales) if scales else None)
    except ValueError as error:
        raise UsageError(f"--weights, --scales: {error}") from None


def job_of(config: Path, learner: str, common: Sequence[str], settings: Settings, *, first: bool) -> Job[PacketRun]:
    """A point of the grid as a job; its learner is built once, so that errors are raised before anything runs.

    Raises:
        ConfigError: of the configuration or the learner's parameters.
    """
    label = f"learners.{learner}"
    if "." in learner:
        raise UsageError(f"--learner {learner}: give a label without dots, and its import path in the configuration")
    changes = [f"{key if '.' in key else f'{label}.parameters.{key}'}={value}" for key, value in settings.items()]
    present = learner in read_packet_config(config, notes=False).learners
    run = read_packet_config(config, [*(() if present else (f"{label}={{}}",)), *common, *changes], notes=first)
    job = Job(run.model_copy(update={"learners": {learner: run.learners[learner]}}), learner)
    PacketExperiment(with_seeds(job, run.seeds if by_replica(run) else run.seeds[:1]).config, learner, count_arms=False)
    return job


def results_of(
    wanted: Sequence[Job[PacketRun]], folder: Path, workers: Workers, *, fresh: bool
) -> list[list[dict[str, float]]]:
    """The reported metrics of every job, a row per seed; from disk where an earlier call has finished it."""
    store = Store(folder / "seeds", fresh=fresh)
    states = [store.read(job) for job in wanted]
    missing = {}
    for place, (job, stored) in enumerate(zip(wanted, states, strict=True)):
        seeds = [seed for seed in job.seeds if seed not in stored]
        if seeds:
            missing[place] = job if by_replica(job.config) else with_seeds(job, seeds)
    with JobProgress(len(missing), "points") as bar:
        for place, answer in in_parallel(run_job, list(with_notes(list(missing.items()), bar)), workers):
            if isinstance(answer, str):
                raise UsageError(answer)
            store.write(missing[place], answer)
            states[place] |= dict(zip(missing[place].seeds, answer, strict=True))
            bar.done()
    return [
        [reported(curve_of(by_seed[seed]), job.config.report_last_h) for seed in job.seeds]
        for job, by_seed in zip(wanted, states, strict=True)
    ]


def report(title: str, front: ParetoFront, folder: Path) -> None:
    """Prints the table, writes it as Markdown and draws the front."""
    table = Table(title=title, title_justify="left")
    for column in front.header():
        table.add_column(column, overflow="fold")
    for line, best in zip(front.lines(), front.on_front, strict=True):
        table.add_row(*line, style="bold" if best else None)
    console.print(table, soft_wrap=False)
    shown = ", ".join(
        f"{weight:g} {NAMES[metric][0].split(' ')[0]} / {scale:.4g}"
        for metric, weight, scale in zip(OBJECTIVES, front.weights, front.scales, strict=True)
    )
    note = f"mean ± standard deviation over seeds; utility: the sum of {shown} (PDR from 0 to 1)"
    console.print(note)
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(front.header(), front.lines())
    (folder / "sweep.md").write_text(f"{title}\n\n{text}\n{note}\n", encoding="utf-8")
    factors = np.array([NAMES[metric][1] for metric in OBJECTIVES])
    spread = np.array([[point.estimate(metric).spread for metric in OBJECTIVES] for point in front.points])
    names = [point.name for point in front.points]
    draw_front(folder / "front.png", title, front.values * factors, spread * factors, front.on_front, names)
    console.print(f"as Markdown, JSON and picture: {folder}/sweep.md, sweep.json, front.png (.pdf, .svg)")


def _overrides(
    config: Path, changes: Sequence[str], hours: float | None, last_h: float | None, seeds: str | None
) -> Iterator[str]:
    """The overrides of the options; rows of metrics are cut so that the reported part begins with one."""
    if seeds is not None:
        yield f"seeds=[{seeds}]"
    if hours is None and last_h is None:
        return
    duration_h = read_packet_config(config, changes, notes=False).duration_h if hours is None else hours
    reported_h = min(duration_h, duration_h / 2 if last_h is None else last_h)
    interval_h = math.gcd(round(duration_h / _GRAIN_H), round(reported_h / _GRAIN_H)) * _GRAIN_H
    yield from (f"duration_h={duration_h}", f"report_last_h={reported_h}", f"interval_h={max(interval_h, _GRAIN_H)}")


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"{option} {text}: needs three numbers, for PDR, EE and TH") from None


if __name__ == "__main__":
    app()
