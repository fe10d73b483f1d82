"""Plays the experiments of the papers again and says which of their numbers come out.

- `python scripts/reproduce.py --list`
- `python scripts/reproduce.py fig2 inversion`
- `python scripts/reproduce.py --all --jobs 2 --json results/reproduce.json`

A study is a table or figure of a paper, or an experiment of ours beside it; `--list` has them all, and what is not
reproducible. Five seeds each, on D-LoRa's placement; NoReL's have four or more, each with a placement of its own.
Nothing is tuned to match: a number outside its band stays in the table. Each study leaves a picture beside the table,
NoReL's a table of all learners too. What was played is kept in `cells/`, so that a call that was interrupted goes on
where it stopped. `--quick` plays one fiftieth of the time, to see that everything runs; its numbers are not comparable.
`norel-compat` and `mmalora-model` have no cells: they are played whenever they are read (some minutes).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import track
from rich.table import Table

from lora_marl.config import CoexistenceRun, EnergyRun, PacketRun, TrainConfig
from lora_marl.core.checks import suggest
from scripts.runs.cli import (
    ROOT,
    JsonPath,
    UsageError,
    console,
    errors,
    new_app,
    one_line_errors,
    read_config,
    read_packet_config,
    write_json,
)
from scripts.runs.jobs import Job, Store, chunks, extra_of, run_job
from scripts.runs.metrics import curve_of
from scripts.runs.parallel import Backend, Workers, in_parallel
from scripts.runs.report import counted, markdown, number, with_interval
from scripts.runs.statistics import Estimate, estimate
from scripts.studies import NOT_REPRODUCIBLE, studies
from scripts.studies.claim import Cell, CellResult, Claim, Results, Study

app = new_app()

_QUICK = 50
_QUICK_INTERVALS = 12
"""Of coexisting networks: two rounds of the service, and some."""
_HEADER = ("name", "ours", "spread (sd)", "95 % (±)", "paper", "difference", "low", "high", "inside", "note")


@dataclass(frozen=True)
class ClaimResult:
    """A claim and what came out of it."""

    claim: Claim
    ours: Estimate

    @property
    def inside(self) -> bool | None:
        """Whether the mean over seeds lies in the band; None: there is none."""
        if math.isinf(self.claim.low) and math.isinf(self.claim.high):
            return None
        return self.claim.low <= self.ours.mean <= self.claim.high

    @property
    def difference(self) -> float | None:
        """Ours less the paper's; None: the paper has no number."""
        return None if self.claim.paper is None else self.ours.mean - self.claim.paper

    def record(self) -> dict[str, Any]:
        """For machines."""
        return {
            "name": self.claim.name,
            "ours": self.ours.mean,
            "spread": self.ours.spread,
            "ci_low": self.ours.ci_low,
            "ci_high": self.ours.ci_high,
            "paper": self.claim.paper,
            "difference": self.difference,
            "low": _finite(self.claim.low),
            "high": _finite(self.claim.high),
            "inside": self.inside,
        }

    def texts(self) -> list[str]:
        """For readers."""
        ours, claim = self.ours, self.claim
        half = (ours.ci_high - ours.ci_low) / 2.0
        numbers = (ours.mean, ours.spread, half, claim.paper, self.difference, claim.low, claim.high)
        shown = ["-" if value is None else number(value) for value in numbers]
        return [self.claim.name, *shown, {True: "yes", False: "no", None: "-"}[self.inside], self.claim.note]


@app.command(help=__doc__)
def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="[STUDY]...", help="Which studies.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say what there is, and stop.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="All studies.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="One fiftieth of the time.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Play everything again.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Cells played at the same time.")] = 2,
    results: Annotated[Path, typer.Option(metavar="DIR", help="Where tables and pictures go.")] = Path("results"),
    json: JsonPath = None,
) -> None:
    """Plays and reports."""
    with one_line_errors():
        if list_:
            show_list()
            return
        wanted = chosen(names or (), everything=all_, quick=quick)
        folder = results / ("reproduce-quick" if quick else "reproduce")
        numbers = play_all(wanted, Store(folder / "cells", fresh=fresh), quick=quick, jobs=jobs)
        found = [finding for study in wanted for finding in claim_results(study, numbers)]
        banded = [finding.inside for finding in found if finding.inside is not None]
        title = f"{sum(banded)} of {len(banded)} inside their bands"
        title += "; quick runs, not comparable" if quick else ""
        show(title, found)
        text = markdown(_HEADER, [finding.texts() for finding in found])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.md").write_text(f"{title}\n\n{text}", encoding="utf-8")
        for study in wanted:
            own = {cell.name: numbers[cell.name] for cell in study.cells}
            if study.draw is not None:
                study.draw(folder / f"{study.name}.png", own)
            if study.columns:
                (folder / f"{study.name}.md").write_text(cell_table(study, own), encoding="utf-8")
        console.print(f"table and pictures: {folder}/", markup=False)
        write_json(json, [finding.record() for finding in found])


def chosen(names: Sequence[str], *, everything: bool, quick: bool) -> list[Study]:
    """The studies of some names, each once.

    Raises:
        UsageError: an unknown name, or none at all.
    """
    known = studies(quick=quick)
    for name in names:
        if name not in known:
            raise UsageError(f"{name!r} is no study{suggest(name, known)} (all: --list)")
    if not (names or everything):
        raise UsageError(f"name a study ({', '.join(known)}), or give --all or --list")
    return [known[name] for name in (known if everything else dict.fromkeys(names))]


def play_all(wanted: Sequence[Study], store: Store, *, quick: bool, jobs: int) -> dict[str, CellResult]:
    """All cells of some studies, from `jobs` processes; what the store has is not played again.

    Cells of different studies that are the same run are played once.
    """
    runs = {
        cell.name: Job(shortened(cell) if quick else _config(cell), cell.learner) for s in wanted for cell in s.cells
    }
    first = {store.path(job, job.seeds[0]): job for job in runs.values()}
    missing = [part for job in first.values() for part in _parts(job) if len(store.read(part)) < len(part.seeds)]
    calls = [(number, job) for number, job in enumerate(missing)]
    done: Iterable[tuple[int, Any]] = track(
        in_parallel(run_job, calls, Workers(jobs, Backend.loky, None)), "cells", total=len(calls), console=errors
    )
    for number_, states in done:
        if isinstance(states, str):
            raise UsageError(f"{missing[number_].label}: {states}")
        store.write(missing[number_], states)
    return {name: _played(store, job) for name, job in runs.items()}


def _parts(job: Job[TrainConfig]) -> list[Job[TrainConfig]]:
    """A job as it is played: replicas of the air together, networks of a closed form one by one."""
    return chunks(job, len(job.seeds) if isinstance(job.config, EnergyRun) else 1)


def _played(store: Store, job: Job[TrainConfig]) -> CellResult:
    kept = Store(store.folder).read(job)
    states = [kept[seed] for seed in job.seeds]
    extras = [extra_of(state) for state in states]
    extra = {name: [each[name] for each in extras] for name in extras[0]}
    curves = [curve_of(state) for state in states]
    points = [state["points"] for state in states]
    last_h = job.config.report_last_h if isinstance(job.config, PacketRun) else math.inf
    return CellResult(curves, last_h, extra, points, states[0].get("airtime_s"))


def claim_results(study: Study, numbers: Results) -> list[ClaimResult]:
    """What came out of the claims of a study."""
    return [
        ClaimResult(claim, estimate(claim.read(*(numbers[name] for name in claim.cells)))) for claim in study.claims
    ]


def cell_table(study: Study, numbers: Results) -> str:
    """All cells of a study by its columns, as Markdown: mean and half width of the 95 % interval over seeds."""
    header = ["cell", *(column.name for column in study.columns)]
    lines = []
    for name in numbers:
        values = [[value for value in column.read(name, numbers) if math.isfinite(value)] for column in study.columns]
        texts = [with_interval(estimate(each)) if each else "-" for each in values]
        lines.append([name.removeprefix(f"{study.name}/"), *texts])
    return markdown(header, lines)


def shortened(cell: Cell) -> TrainConfig:
    """A cell's configuration with a fraction of the time; changes come as much earlier."""
    run = _config(cell)
    if isinstance(run, EnergyRun):
        return _config(cell, ("energy.episodes=1",))
    if isinstance(run, CoexistenceRun):
        return _config(cell, (f"coexistence.intervals={max(_QUICK_INTERVALS, run.coexistence.intervals // _QUICK)}",))
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


def show_list() -> None:
    """Prints the studies, and what cannot be reproduced."""
    for study in studies().values():
        console.print(
            f"{study.name}: {study.title}; {counted(len(study.cells), 'cell')}, {counted(len(study.claims), 'number')}",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    console.print("not reproducible:")
    for what, why in NOT_REPRODUCIBLE.items():
        console.print(f"  {what}: {why}", markup=False, soft_wrap=True)


def show(title: str, results: Sequence[ClaimResult]) -> None:
    """Prints the table."""
    table = Table(title=title, title_justify="left")
    rows = [result.texts()[:-1] for result in results]
    shown = [place for place in range(len(_HEADER) - 1) if any(row[place] != "-" for row in rows)]
    for place in shown:
        table.add_column(_HEADER[place], overflow="fold", justify="right" if place else "left")
    for result, row in zip(results, rows, strict=True):
        table.add_row(*(row[place] for place in shown), style="yellow" if result.inside is False else None)
    console.print(table)
    for note in dict.fromkeys(result.claim.note for result in results if result.claim.note):
        names = [result.claim.name for result in results if result.claim.note == note]
        console.print(f"{note}: {', '.join(names)}", markup=False)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _config(cell: Cell, more: Sequence[str] = ()) -> TrainConfig:
    return read_config(ROOT / "configs" / cell.config, [*cell.changes, *more], notes=False)


if __name__ == "__main__":
    app()
