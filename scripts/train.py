"""Trains the learners of a configuration on its network, and says how they did.

- `python scripts/train.py --config configs/dlora.yaml`
- `python scripts/train.py --config configs/dlora.yaml --set name=short duration_h=50 seeds=[0,1]`

Every learner meets the same air: all seeds are replicas of one call, and replica b depends on its seed alone. What a
run leaves on disk is listed in `scripts/runs/folder.py`. Ctrl-C stops it after the interval that is being played, with
exit status 130; `--resume` goes on from there to the same numbers, byte for byte, as a run that was never stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from scripts.runs import plots
from scripts.runs.cli import (
    INTERRUPTED,
    JsonPath,
    UsageError,
    console,
    errors,
    new_app,
    one_line_errors,
    read_config,
    write_json,
)
from scripts.runs.events import EventFile, packet_event
from scripts.runs.folder import RunFolder
from scripts.runs.metrics import METRICS, reported
from scripts.runs.packets import Experiment, built, scenario_name, schedule
from scripts.runs.progress import Progress, StopRequest
from scripts.runs.registry import Kind, kind_of
from scripts.runs.report import Result, counted, records, results_table
from scripts.studies.published import MEASURED_AGAIN_MARK, published

app = new_app()

_SNAPSHOTS = 10


@app.command(help=__doc__)
def main(
    config: Annotated[Path, typer.Option(metavar="FILE", help="The run, a YAML file such as configs/dlora.yaml.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value; more may follow.")
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Further changes.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped, or begin.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run of this name.")] = False,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Where runs are kept.")] = Path("runs"),
    json: JsonPath = None,
) -> None:
    """Trains, reports, draws."""
    with one_line_errors():
        if resume and overwrite:
            raise UsageError("--resume and --overwrite: one keeps the earlier run, the other removes it; give one")
        run = read_config(config, [*(set_ or ()), *(more or ())])
        folder = RunFolder(runs / run.name, run)
        kind = kind_of(run)
        if kind is not None:
            train_kind(kind, folder, resume=resume, overwrite=overwrite, json=json)
            return
        for label in run.learners:
            Experiment(run, label)  # whatever is wrong with a learner is said before the first one trains
        folder.prepare(resume=resume, overwrite=overwrite)
        with StopRequest() as stop, Progress(sum(schedule(run, label)[-1].end_h for label in run.learners)) as bar:
            finished = all(train(folder, label, stop, bar) for label in run.learners)
        if not finished:
            raise interrupted(folder)
        results = results_of(folder)
        draw(folder, results)
        show(folder, results)
        write_json(json, list(records(results)))


def train_kind(kind: Kind, folder: RunFolder, *, resume: bool, overwrite: bool, json: Path | None) -> None:
    """The same for a run that is not one of packets alone."""
    run = kind.Run(folder)
    folder.prepare(resume=resume, overwrite=overwrite)
    with StopRequest() as stop:
        finished = run.play(stop)
    if not finished:
        raise interrupted(folder)
    write_json(json, run.report())


def interrupted(folder: RunFolder) -> typer.Exit:
    """Says what is kept."""
    errors.print(f"interrupted; what was played is in {folder.path}; the same command with --resume goes on")
    return typer.Exit(INTERRUPTED)


def train(folder: RunFolder, label: str, stop: StopRequest, progress: Progress) -> bool:
    """Trains one learner from its newest snapshot on; False: a stop was requested."""
    seeds = folder.config.seeds
    experiment = restored(folder, label)
    progress.begin(label, experiment)
    with ExitStack() as files:
        events = {seed: files.enter_context(EventFile(folder.folder(label, seed))) for seed in seeds}
        for seed in seeds:
            for row in folder.cut(label, seed, experiment.done):
                events[seed].add(*packet_event(row))
        every = max(1, len(experiment.schedule) // _SNAPSHOTS)
        while not experiment.finished and not stop.requested:
            stretch = experiment.schedule[experiment.done]
            outcome = experiment.play_next()
            begun = {"time_h": stretch.end_h, "evaluation": int(stretch.evaluation)}
            for seed, row in zip(seeds, experiment.rows(outcome), strict=True):
                folder.append(label, seed, begun | row)
                events[seed].add(*packet_event(begun | row))
            progress.advance(stretch.end_h, int(outcome.sent.sum()))
            if experiment.done % every == 0 or experiment.finished or stop.requested:
                folder.save(label, experiment.state_dict())
    return experiment.finished


def restored(folder: RunFolder, label: str) -> Experiment:
    """The experiment of a learner where its newest snapshot left it, or at its beginning.

    Raises:
        UsageError: a snapshot that is damaged, or of another network.
    """
    experiment = Experiment(folder.config, label)
    state = folder.restore(label)
    if state is not None:
        try:
            experiment.load_state_dict(state)
        except ValueError as error:
            raise UsageError(f"{folder.path}: the snapshot of {label} does not fit: {error}") from None
    return experiment


def results_of(folder: RunFolder) -> list[Result]:
    """What the learners of a finished run achieved, from its metrics.csv files."""
    run = folder.config
    return [
        Result(
            label, scenario_name(run), [reported(folder.curve(label, seed), run.report_last_h) for seed in run.seeds]
        )
        for label in run.learners
    ]


def draw(folder: RunFolder, results: Sequence[Result]) -> None:
    """Draws all pictures of a finished run."""
    run = folder.config
    title = f"{run.name}: {scenario_name(run)}, {counted(len(run.seeds), 'seed')}"
    curves = {label: [folder.curve(label, seed) for seed in run.seeds] for label in run.learners}
    plots.draw_curves(folder.path / "curves.png", title, curves)
    plots.draw_usage(folder.path / "usage.png", title, {result.learner: result.by_seed for result in results})
    scenario = built(run.scenario)
    points = {label: (folder.restore(label) or {})["points"] for label in run.learners}
    for replica, seed in enumerate(run.seeds):
        chosen = {label: all_points[replica] for label, all_points in points.items()}
        plots.draw_map(folder.path / str(seed) / "map.png", f"{run.name}: seed {seed}", scenario, chosen, replica)


def show(folder: RunFolder, results: Sequence[Result]) -> None:
    """Prints the table and where the rest is."""
    run = folder.config
    part = (
        "evaluation"
        if run.evaluation_s is not None
        else f"mean of the last {min(run.report_last_h, run.duration_h):g} h"
    )
    title = f"{run.name}: {part}, {len(run.seeds)} seeds, {built(run.scenario).nodes} nodes"
    table = results_table(title, results, lambda label, metric: published(run, label, metric))
    console.print(table)
    if any(published(run, label, metric).endswith(MEASURED_AGAIN_MARK) for label in run.learners for metric in METRICS):
        console.print(f"{MEASURED_AGAIN_MARK} not printed in the paper; from an independent simulation of its rules")
    console.print(f"metrics, snapshots: {folder.path}/<seed>/<learner>/", markup=False)
    console.print(f"pictures:           {folder.path}/curves.png, usage.png, <seed>/map.png", markup=False)
    console.print(f"learning curves:    tensorboard --logdir {folder.path}", markup=False)


if __name__ == "__main__":
    app()
