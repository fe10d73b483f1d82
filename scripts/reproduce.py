"""Plays the experiments of the papers again and says which of their numbers come out.

- `python scripts/reproduce.py --list`
- `python scripts/reproduce.py journal physics`
- `python scripts/reproduce.py --all --jobs 2 --json results/reproduce.json`

Experiments: `table3` (conference paper, Table III and its random baseline, as run), `journal` (journal paper,
stationary network, and the trivial references), `physics` (the same network under default physics and with the printed
rewards: what each rule is worth). Five seeds each; the placement is the papers'. Nothing is tuned to match: a number
outside its band stays in the table. `--quick` plays one fiftieth of the training, to see that everything runs; its
numbers are not comparable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from joblib import Parallel, delayed
from rich.progress import track
from rich.table import Table

from lora_marl.config import TrainConfig
from scripts.claims import Cell, Claim, experiments
from scripts.cli import ROOT, JsonPath, UsageError, console, errors, new_app, one_line_errors, read_config, write_json
from scripts.experiment import Experiment
from scripts.measures import METRICS, Estimate, Row, estimate, reported, rows
from scripts.report import markdown, number

app = new_app()

_QUICK = 50
_HEADER = ("name", "ours", "spread (sd)", "paper", "low", "high", "inside", "note")


@dataclass(frozen=True)
class Finding:
    """A claim and what came out of it."""

    name: str
    claim: Claim
    ours: Estimate

    @property
    def inside(self) -> bool:
        """Whether the mean over seeds lies in the band."""
        return self.claim.low <= self.ours.mean <= self.claim.high

    def record(self) -> dict[str, Any]:
        """For machines."""
        return {
            "name": self.name,
            "ours": self.ours.mean,
            "spread": self.ours.spread,
            "paper": self.claim.paper,
            "low": self.claim.low,
            "high": self.claim.high,
            "inside": self.inside,
        }

    def cells(self) -> list[str]:
        """For readers."""
        numbers = (self.ours.mean, self.ours.spread, self.claim.paper, self.claim.low, self.claim.high)
        shown = ["-" if value is None else number(value) for value in numbers]
        return [self.name, *shown, "yes" if self.inside else "no", self.claim.note]


@app.command(help=__doc__)
def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Experiments, or single cells.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say what there is, and stop.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="All experiments.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="One fiftieth of the training.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Cells played at the same time.")] = 2,
    results: Annotated[Path, typer.Option(metavar="DIR", help="Where the Markdown table goes.")] = Path("results"),
    json: JsonPath = None,
) -> None:
    """Plays and reports."""
    with one_line_errors():
        if list_:
            show_list()
            return
        cells = chosen(names or (), everything=all_)
        findings = play_all(cells, quick=quick, jobs=jobs)
        title = f"{sum(finding.inside for finding in findings)} of {len(findings)} inside their bands"
        title += "; quick runs, not comparable" if quick else ""
        show(title, findings)
        path = results / ("reproduce-quick.md" if quick else "reproduce.md")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = markdown(_HEADER, [finding.cells() for finding in findings])
        path.write_text(f"{title}\n\n{text}", encoding="utf-8")
        console.print(f"as Markdown: {path}", markup=False)
        write_json(json, [finding.record() for finding in findings])


def chosen(names: Sequence[str], *, everything: bool) -> list[Cell]:
    """The cells of some names.

    Raises:
        UsageError: an unknown name, or none at all.
    """
    known = experiments()
    by_name = {cell.name: [cell] for cells in known.values() for cell in cells} | known
    for name in names:
        if name not in by_name:
            raise UsageError(f"{name!r} is no experiment; known: {', '.join(known)}; cells: see --list")
    if not (names or everything):
        raise UsageError(f"name an experiment ({', '.join(known)}), or give --all or --list")
    cells = [cell for name in (known if everything else names) for cell in by_name[name]]
    return list({cell.name: cell for cell in cells}.values())


def play_all(cells: Sequence[Cell], *, quick: bool, jobs: int) -> list[Finding]:
    """All findings, in the order of the cells, from `jobs` processes."""
    played = Parallel(n_jobs=jobs, return_as="generator")(delayed(play)(cell, quick) for cell in cells)
    shown: Iterable[list[Finding]] = track(played, "cells", total=len(cells), console=errors)
    return [finding for findings in shown for finding in findings]


def play(cell: Cell, quick: bool) -> list[Finding]:
    """Plays a cell; its claims beside what came out."""
    run = shortened(cell) if quick else _config(cell)
    experiment = Experiment(run, cell.learner, count_arms=False)
    curves: list[list[Row]] = [[] for _ in run.seeds]
    while not experiment.finished:
        stretch = experiment.schedule[experiment.done]
        begun = {"time_h": stretch.end_h, "evaluation": float(stretch.evaluation)}
        for curve, row in zip(curves, rows(experiment.play_next(), experiment.scenario.region), strict=True):
            curve.append(begun | row)
    by_seed = [reported(curve, run.report_last_h) for curve in curves]
    values = {metric: [row[metric] for row in by_seed] for metric in METRICS}
    values["pdr_percent"] = [100 * pdr for pdr in values["pdr"]]
    return [Finding(f"{cell.name}/{claim.metric}", claim, estimate(values[claim.metric])) for claim in cell.claims]


def shortened(cell: Cell) -> TrainConfig:
    """A cell's configuration with a fraction of the training."""
    run = _config(cell)
    episodes = run.learners[cell.learner].episodes
    fewer = () if episodes is None else (f"learners.{cell.learner}.episodes={max(1, episodes // _QUICK)}",)
    return _config(cell, (f"duration_h={run.duration_h / _QUICK}", "interval_h=1", *fewer))


def show_list() -> None:
    """Prints the experiments and their cells."""
    for name, cells in experiments().items():
        console.print(f"{name}: {len(cells)} cells, {sum(len(cell.claims) for cell in cells)} numbers")
        for cell in cells:
            console.print(
                f"  {cell.name}: {cell.learner} of configs/{cell.config} {' '.join(cell.changes)}",
                markup=False,
                soft_wrap=True,
            )


def show(title: str, findings: Sequence[Finding]) -> None:
    """Prints the table."""
    table = Table(title=title, title_justify="left")
    table.add_column(_HEADER[0], overflow="fold")
    for name in _HEADER[1:-1]:
        table.add_column(name, justify="right")
    for finding in findings:
        table.add_row(*finding.cells()[:-1], style=None if finding.inside else "yellow")
    console.print(table)
    for note in dict.fromkeys(finding.claim.note for finding in findings if finding.claim.note):
        names = [finding.name for finding in findings if finding.claim.note == note]
        console.print(f"{note}: {', '.join(names)}", markup=False)


def _config(cell: Cell, more: Sequence[str] = ()) -> TrainConfig:
    return read_config(ROOT / "configs" / cell.config, [*cell.changes, *more], notes=False)


if __name__ == "__main__":
    app()
