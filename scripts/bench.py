"""The frozen benchmark: tasks that do not change, on seeds that nobody trains on, with results that can be checked.

- `python scripts/bench.py list`
- `python scripts/bench.py run --tasks norel-200 --learners adr-server,load-sorted --jobs 2`
- `python scripts/bench.py run --quick`
- `python scripts/bench.py report`
- `python scripts/bench.py verify --tasks norel-200 --learners adr-server`
- `python scripts/bench.py submit-check my_cell.json`

A cell is a learner on a task; it is played on all held-out seeds at once and kept in a file of its own when it is done,
so a call that was stopped goes on where it was. `verify` plays stored cells again: on their own seeds, where they must
be equal, or with `--fresh` on seeds that were never played, where the 99 % interval of the difference must contain 0.
A learner outside the repository takes part by its import path or by the folder of an exported policy:
`--learners my_package.mine:MyLearner --group node`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lora_marl.core.files import write_atomically
from scripts.comparison.lineup import label_list, policy_at
from scripts.leaderboard import cells as cell_files
from scripts.leaderboard.page import page
from scripts.leaderboard.tasks import CATALOGUE, Catalogue, Entry, Group, read_catalogue
from scripts.leaderboard.verify import agrees, check_submission, same
from scripts.runs.cli import UsageError, console, errors, new_app, one_line_errors
from scripts.runs.parallel import Backend, BackendOption, RayAddress, checked_workers

app = new_app()

QUICK_TASKS = ("norel-200", "eu868-100")
QUICK_LEARNERS = ("adr-chirpstack", "adr-lite", "load-sorted", "explora-at", "min-sf", "static-sf7")

Tasks = Annotated[str | None, typer.Option("--tasks", metavar="A,B,...", help="Tasks; default: all.")]
Learners = Annotated[str | None, typer.Option("--learners", metavar="A,B,...", help="Learners; default: each task's.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of stored cells.")]
CatalogueFile = Annotated[Path, typer.Option("--catalogue", metavar="FILE", help="Another catalogue.")]


@app.callback(help=__doc__)
def main() -> None:
    """Holds the commands together."""


@app.command("list")
def list_(catalogue: CatalogueFile = CATALOGUE) -> None:
    """Tasks, what is scored, and who takes part."""
    with one_line_errors():
        version = read_catalogue(catalogue)
        console.print(f"{version.version}: {version.status}")
        console.print(f"learners: {', '.join(version.learners)}")
        width = max(map(len, version.tasks))
        for name, task in version.tasks.items():
            scored = f"{task.metric}, 0: {task.trivial}, 100: {task.reference}"
            console.print(f"{name:{width}}  {task.config}; {scored}")


@app.command()
def run(
    tasks: Tasks = None,
    learners: Learners = None,
    group: Annotated[
        str | None, typer.Option(help="What learners that are not of the catalogue know: node, server or everything.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few cells of two tasks.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Cells that are played at the same time.")] = 2,
    out: Out = Path("results/bench/v1"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Play cells again that are stored.")] = False,
    backend: BackendOption = Backend.loky,
    ray_address: RayAddress = None,
    catalogue: CatalogueFile = CATALOGUE,
) -> None:
    """Plays cells that are not stored yet."""
    with one_line_errors():
        workers = checked_workers(jobs, backend, ray_address)
        version, labels = with_guests(read_catalogue(catalogue), label_list(learners, "--learners"), group)
        if quick and (tasks or learners):
            raise UsageError("--quick: names its own tasks and learners; give one or the other")
        names = list(QUICK_TASKS) if quick else label_list(tasks, "--tasks")
        wanted = chosen(version, names, list(QUICK_LEARNERS) if quick else labels)
        missing = [pair for pair in wanted if fresh or not is_stored(version, out, *pair)]
        errors.print(f"{len(wanted)} cells, {len(wanted) - len(missing)} of them stored in {out}")
        for cell in cell_files.play_cells(version, missing, version.held_out_seeds, workers):
            cell_files.write(out, cell)
            value = cell.values(version.task(cell.task).metric)
            errors.print(f"{cell.task}, {cell.learner}: {sum(value) / len(value):.4g}, {cell.cpu_s:.0f} CPU s")


@app.command()
def report(
    out: Out = Path("results/bench/v1"),
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of the page; default: page.md of the folder.")
    ] = None,
    catalogue: CatalogueFile = CATALOGUE,
) -> None:
    """Writes the page of all stored cells, and `marl_eval.json` beside them."""
    with one_line_errors():
        version = read_catalogue(catalogue)
        stored = cell_files.read_all(out, version)
        if not any(stored.values()):
            raise UsageError(f"{out}: has no cell of {version.version}; python scripts/bench.py run plays them")
        path = to or out / "page.md"
        write_atomically(path, page(version, stored))
        write_atomically(out / "marl_eval.json", json.dumps(cell_files.as_marl_eval(stored), indent=1) + "\n")
        console.print(f"page: {path}")


@app.command()
def verify(
    tasks: Tasks = None,
    learners: Learners = None,
    jobs: Annotated[int, typer.Option(min=1, help="Cells that are played at the same time.")] = 2,
    out: Out = Path("results/bench/v1"),
    fresh: Annotated[bool, typer.Option("--fresh", help="On the fresh seeds.")] = False,
    catalogue: CatalogueFile = CATALOGUE,
) -> None:
    """Plays stored cells again and compares; exit status 1 where one does not hold."""
    with one_line_errors():
        version = read_catalogue(catalogue)
        asked = chosen(version, label_list(tasks, "--tasks"), label_list(learners, "--learners"))
        wanted = [pair for pair in asked if is_stored(version, out, *pair)]
        if not wanted:
            raise UsageError(f"{out}: none of the cells that were named is stored")
        seeds = version.fresh_seeds if fresh else version.held_out_seeds
        failures = 0
        for played in cell_files.play_cells(version, wanted, seeds, checked_workers(jobs, Backend.loky, None)):
            stored = cell_files.read(cell_files.path_of(out, played.task, played.learner))
            metric = version.task(played.task).metric
            finding = (
                agrees(stored.values(metric), played.values(metric))
                if fresh
                else same(stored, played, version.entry(played.learner).tolerance)
            )
            failures += not finding.holds
            mark = "holds" if finding.holds else "DIFFERS"
            console.print(f"{played.task}, {played.learner}: {mark}: {finding.words}")
        if failures:
            raise typer.Exit(1)


@app.command("submit-check")
def submit_check(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A cell.")], catalogue: CatalogueFile = CATALOGUE
) -> None:
    """Checks that a file can join the table."""
    with one_line_errors():
        cell = cell_files.read(path)
        check_submission(read_catalogue(catalogue), cell)
        console.print(f"{path}: a cell of {cell.task} by {cell.learner}, {len(cell.seeds)} seeds")


def with_guests(version: Catalogue, labels: list[str], group: str | None) -> tuple[Catalogue, list[str]]:
    """The catalogue with learners that are import paths or policies, and all labels as they are stored.

    Raises:
        UsageError: a learner that is none of the catalogue's, without its group.
    """
    guests: dict[str, Entry] = {}
    named: list[str] = []
    for label in labels:
        if label in version.learners:
            named.append(label)
            continue
        if not (":" in label or Path(label).is_dir()):
            version.entry(label)  # raises, naming the nearest
        known: dict[str, Group] = {"node": "node", "server": "server", "everything": "everything"}
        if group not in known:
            raise UsageError(f"--group: {label!r} is not of the catalogue; say what it knows: {', '.join(known)}")
        config = policy_at(Path(label)) if Path(label).is_dir() else None
        name = Path(label).name if config else label.rpartition(":")[2]
        guests[name] = Entry(
            name=config.name if config else label, group=known[group], parameters=config.parameters if config else {}
        )
        named.append(name)
    return version.model_copy(update={"learners": {**version.learners, **guests}}), named


def chosen(version: Catalogue, tasks: list[str], labels: list[str]) -> list[tuple[str, str]]:
    """Task and label of all cells that were named; without labels, each task's own.

    Raises:
        UsageError: an unknown task or learner.
    """
    for label in labels:
        version.entry(label)
    return [
        (name, label)
        for name in tasks or version.tasks
        for label in (version.task(name).labels() if not labels else labels)
    ]


def is_stored(version: Catalogue, folder: Path, task: str, label: str) -> bool:
    """Whether a cell of the task as it is now is there."""
    path = cell_files.path_of(folder, task, label)
    return path.exists() and cell_files.read(path).digest == version.task(task).digest


if __name__ == "__main__":
    app()
