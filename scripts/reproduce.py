"""Reproduces the experiments of the papers and compares their numbers with what the papers print.

- `python scripts/reproduce.py --list`
- `python scripts/reproduce.py fig2 inversion`
- `python scripts/reproduce.py --all --jobs 2 --json results/reproduce.json`

A study is a table or figure of a paper, or an experiment of ours beside it. `--list` shows all studies, and what is not
reproducible. A study has five seeds on D-LoRa's placement; NoReL's have four or more, each with its own placement.
Nothing is tuned to match: a number outside its band stays in the table. Each study leaves a picture beside the table,
NoReL's also a table of all learners. Results are stored in `cells/`, so an interrupted call goes on where it stopped.
`--quick` simulates one fiftieth of the time, to see what comes out; its numbers are not comparable. `--list` says how
much CPU time each study takes. `norel-compat` and `mmalora-model` have no cells: they are simulated in every call.
"""

from __future__ import annotations

import json as json_module
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from lora_marl.config import TrainConfig
from lora_marl.core.checks import suggest
from scripts.runs.assumptions import assumptions_of_all, assumptions_table
from scripts.runs.cli import JsonPath, UsageError, console, errors, how_to_install, new_app, one_line_errors, write_json
from scripts.runs.figures import paper_style
from scripts.runs.jobs import Store
from scripts.runs.report import counted, markdown
from scripts.studies import NOT_REPRODUCIBLE, durations, has_torch, needs_torch, studies
from scripts.studies.claim import HEADER, ClaimResult, Results, Study, claim_results
from scripts.studies.results import cell_table, config_of, simulated

app = new_app()

_WORTH_A_WORD_S = 60.0


@app.command(help=__doc__)
def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="[STUDY]...", help="Which studies.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the studies, and stop.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="All studies.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="One fiftieth of the time.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore stored results.")] = False,
    measure_: Annotated[bool, typer.Option("--measure", help="Measure how long studies take, for --list.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Cells simulated at the same time.")] = 2,
    results: Annotated[Path, typer.Option(metavar="DIR", help="Folder for tables and pictures.")] = Path("results"),
    json: JsonPath = None,
) -> None:
    """Simulates and reports."""
    with one_line_errors():
        if list_:
            show_list()
            return
        if measure_:
            durations.STORED.write_text(json_text(measured_durations()), encoding="utf-8")
            return
        wanted = chosen(names or (), everything=all_, quick=quick)
        tell_duration(wanted, quick=quick)
        folder = results / ("reproduce-quick" if quick else "reproduce")
        numbers = simulated(wanted, Store(folder / "cells", fresh=fresh), quick=quick, jobs=jobs)
        claims = [result for study in wanted for result in read_claims(study, numbers)]
        banded = [result.inside for result in claims if result.inside is not None]
        title = f"{sum(banded)} of {len(banded)} inside their bands"
        title += "; quick runs, not comparable" if quick else ""
        console.print(assumptions_table(assumptions_of_all(configurations(wanted))), soft_wrap=False)
        show(title, claims)
        text = markdown(HEADER, [result.texts() for result in claims])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.md").write_text(f"{title}\n\n{text}", encoding="utf-8")
        for study in wanted:
            of_study = {cell.name: numbers[cell.name] for cell in study.cells}
            if study.draw is not None:
                with paper_style():
                    study.draw(folder / f"{study.name}.png", of_study)
            if study.columns:
                (folder / f"{study.name}.md").write_text(cell_table(study, of_study), encoding="utf-8")
        console.print(f"table and pictures: {folder}/")
        write_json(json, [result.record() for result in claims])


def chosen(names: Sequence[str], *, everything: bool, quick: bool) -> list[Study]:
    """The studies of some names, each once.

    Raises:
        UsageError: an unknown name, none at all, or studies that need torch where it is missing.
    """
    by_name = studies(quick=quick)
    for name in names:
        if name not in by_name:
            more = "" if has_torch() else f"; each study of coexisting networks {how_to_install('torch')}"
            raise UsageError(f"{name!r} is no study{suggest(name, by_name)} (all: --list){more}")
    if not (names or everything):
        raise UsageError(f"name a study ({', '.join(by_name)}), or give --all or --list")
    wanted = [by_name[name] for name in (by_name if everything else dict.fromkeys(names))]
    without = [study.name for study in wanted if needs_torch(study) and not has_torch()]
    if without:
        raise UsageError(f"{', '.join(without)}: {how_to_install('torch')}")
    return wanted


def configurations(wanted: Sequence[Study]) -> list[TrainConfig]:
    """The configurations of the cells of some studies, each once."""
    distinct = {(cell.config, cell.changes): cell for study in wanted for cell in study.cells}
    return [config_of(cell) for cell in distinct.values()]


def tell_duration(wanted: Sequence[Study], *, quick: bool) -> None:
    """Says how long studies of more than a minute take, before they begin."""
    seconds = {study.name: durations.cpu_s(study.name, quick=quick) for study in wanted}
    total_s = math.fsum(value for value in seconds.values() if math.isfinite(value))
    if total_s > _WORTH_A_WORD_S:
        faster = "" if quick else "; --quick takes a fiftieth of it, to see what comes out"
        text = f"{durations.in_words(total_s)} of CPU time, less what an earlier call has finished{faster}"
        errors.print(text)


def read_claims(study: Study, numbers: Results) -> list[ClaimResult]:
    """The claims of a study; those without cells are simulated here, and a terminal shows that."""
    if study.cells:
        return claim_results(study, numbers)
    with errors.status(f"{study.name}: simulated in every call"):
        return claim_results(study, numbers)


def measured_durations() -> dict[str, float]:
    """The CPU time of every study, to two digits. s"""
    measured = durations.measure(studies(), studies(quick=True))
    return {name: float(f"{seconds:.2g}") for name, seconds in measured.items()}


def json_text(durations_s: dict[str, float]) -> str:
    """Durations as a file, a study per line."""
    return json_module.dumps(durations_s, indent=1) + "\n"


def show_list() -> None:
    """Prints the studies with the CPU time of each, and the published results that cannot be reproduced."""
    console.print("CPU time on one core, estimated from shortened runs:")
    for study in studies().values():
        console.print(
            f"{study.name}: {study.title}; {counted(len(study.cells), 'cell')}, "
            f"{counted(len(study.claims), 'number')}, {durations.in_words(durations.cpu_s(study.name))}",
        )  # fmt: skip
    if not has_torch():
        console.print(f"studies of coexisting networks: each {how_to_install('torch')}")
    console.print("not reproducible:")
    for published, reason in NOT_REPRODUCIBLE.items():
        console.print(f"  {published}: {reason}")


def show(title: str, results: Sequence[ClaimResult]) -> None:
    """Prints the table of claims, without empty columns, and the notes below it."""
    table = Table(title=title, title_justify="left")
    rows = [result.texts()[:-1] for result in results]
    columns = [column for column in range(len(HEADER) - 1) if any(row[column] != "-" for row in rows)]
    for column in columns:
        table.add_column(HEADER[column], overflow="fold", justify="right" if column else "left")
    for result, row in zip(results, rows, strict=True):
        table.add_row(*(row[column] for column in columns), style="yellow" if result.inside is False else None)
    console.print(table, soft_wrap=False)
    for note in dict.fromkeys(result.claim.note for result in results if result.claim.note):
        names = [result.claim.name for result in results if result.claim.note == note]
        console.print(f"{note}: {', '.join(names)}")


if __name__ == "__main__":
    app()
