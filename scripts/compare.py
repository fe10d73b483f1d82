"""Compares any set of learners on any set of scenarios, on identical air.

- `python scripts/compare.py configs/journal_fit.yaml --learners cucb,ucb1 --hours 50`
- `python scripts/compare.py configs/journal_fit.yaml configs/inversion.yaml --seeds 0,1,2,3,4 --jobs 2 --name family`
- `python scripts/compare.py configs/journal_fit.yaml --backend ray --ray-address auto --jobs 64`

A policy that `train_sb3.py` or an adapter exported is a learner, too, by its folder: `--learners cucb,runs/sb3/first`.
Each scenario runs its own learners, those of `--learners`, the trivial references `random`, `static-sf7` and
`distance-quantile`, and the references `reference-pdr` and `reference-ee`. `<out>/<name>/` then has `report.html` (one
file that opens offline), `comparison.md`, `comparison.json`, pictures, and `jobs/`: the results by learner and seed. A
call that was interrupted, or that has more learners, seeds or scenarios, reuses the results that are there.
Runs with a section `energy` or `coexistence` have measures of their own: `train.py --config` compares their learners.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from scripts.comparison.lineup import Lineup, label_list, lineups
from scripts.comparison.report import write_files
from scripts.comparison.result import Comparison
from scripts.comparison.table import for_terminal, left_out
from scripts.comparison.tournament import Results, run_all
from scripts.runs.assumptions import assumptions_of, assumptions_table
from scripts.runs.cli import ROOT, JsonPath, UsageError, checked_name, console, new_app, one_line_errors, write_json
from scripts.runs.figures import Band, BandOption
from scripts.runs.jobs import Store
from scripts.runs.packets.results import reported_part
from scripts.runs.parallel import Backend, BackendOption, RayAddress, Workers, checked_workers
from scripts.runs.report import counted

app = new_app()


@app.command(help=__doc__)
def main(
    configs: Annotated[
        list[str], typer.Argument(metavar="CONFIG...", help="Scenarios: files; KEY=VALUE changes a value of all.")
    ],
    learners: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Learners beside those of each configuration.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(metavar="I,J,...", help="Seeds; default: each configuration's.")] = None,
    hours: Annotated[
        float | None, typer.Option(help="Length of the training; default: each configuration's. h")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Jobs that run at the same time.")] = 2,
    name: Annotated[str, typer.Option(help="Name of the comparison, and of its folder.")] = "comparison",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for comparisons.")] = Path("results/compare"),
    baseline: Annotated[
        str | None, typer.Option(help="The learner that differences refer to; default: each scenario's first.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of all configurations.")
    ] = None,
    no_reference: Annotated[bool, typer.Option("--no-reference", help="Leave out the two references.")] = False,
    band: BandOption = Band.interval,
    backend: BackendOption = Backend.loky,
    ray_address: RayAddress = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Reuse nothing of an earlier call.")] = False,
    json: JsonPath = None,
) -> None:
    """Runs, compares and reports."""
    with one_line_errors():
        folder = out / checked_name(name)
        paths = [Path(text) for text in configs if "=" not in text]
        changes = [*(set_ or ()), *(text for text in configs if "=" in text)]
        if not paths:
            raise UsageError("name at least one configuration, such as configs/journal_fit.yaml")
        workers = checked_workers(jobs, backend, ray_address)
        asked = label_list(learners, "--learners")
        scenarios = lineups(paths, [*changes, *_replaced(seeds, hours)], asked, references=not no_reference)
        comparisons = compare(scenarios, baseline, Store(folder / "jobs", fresh=fresh), workers)
        options = {"--learners": learners, "--seeds": seeds, "--hours": hours, "--baseline": baseline, "--name": name}
        command = _command(paths, changes, options, no_reference=no_reference)
        write_files(folder, name, comparisons, command, band)
        show(folder, comparisons)
        write_json(json, [record for comparison in comparisons for record in comparison.records()])


def compare(scenarios: Sequence[Lineup], baseline: str | None, store: Store, workers: Workers) -> list[Comparison]:
    """Runs what is missing and compares, scenario by scenario; errors are raised before anything runs."""
    _check_baseline(baseline, scenarios)
    for lineup in scenarios:
        lineup.check()
    results, notes = run_all(scenarios, store, workers)
    return [
        comparison_of(lineup, states, baseline, lines)
        for lineup, states, lines in zip(scenarios, results, notes, strict=True)
    ]


def comparison_of(lineup: Lineup, results: Results, baseline: str | None, notes: Sequence[str]) -> Comparison:
    """The comparison of a scenario, of the learners that have results of all seeds."""
    seeds = lineup.config.seeds
    complete = {
        label: [states[seed] for seed in seeds] for label, states in results.items() if set(seeds) <= set(states)
    }
    config = lineup.config.model_copy(update={"learners": {label: lineup.config.learners[label] for label in complete}})
    against = next(iter(complete)) if baseline is None else baseline
    return Comparison.of(config, complete, against if against in complete else None, notes)


def show(folder: Path, comparisons: Sequence[Comparison]) -> None:
    """Prints the tables and where the rest is."""
    for comparison in comparisons:
        config = comparison.config
        title = f"{config.name}: {reported_part(config)}, {counted(len(config.seeds), 'seed')}"
        title += "; ±: half width of the 95 % interval" if len(config.seeds) > 1 else ""
        title += f"; Δ: against {comparison.baseline}" if comparison.baseline else ""
        console.print(assumptions_table(assumptions_of(config)), soft_wrap=False)
        console.print(title)
        table = for_terminal(comparison, console.width)
        console.print(table, soft_wrap=False)
        if more := left_out(comparison, table):
            console.print(f"further columns in comparison.md: {', '.join(more)}")
    console.print(f"page:     {folder}/report.html")
    console.print(f"tables:   {folder}/comparison.md, comparison.json")
    console.print(f"pictures: {folder}/curves-, usage-, map-<scenario>.png (.pdf, .svg)")


def _replaced(seeds: str | None, hours: float | None) -> list[str]:
    """Changes to every configuration.

    Raises:
        UsageError: hours that are none.
    """
    if hours is not None and not 0 < hours < math.inf:
        raise UsageError(f"--hours: {hours:g} is not a number of hours above 0")
    return ([] if seeds is None else [f"seeds=[{seeds}]"]) + ([] if hours is None else [f"duration_h={hours!r}"])


def _check_baseline(baseline: str | None, scenarios: Sequence[Lineup]) -> None:
    labels = dict.fromkeys(label for lineup in scenarios for label in lineup.config.learners)
    if baseline is not None and baseline not in labels:
        raise UsageError(f"--baseline: {baseline!r} is not among the learners: {', '.join(labels)}")


def _command(
    paths: Sequence[Path], changes: Sequence[str], options: Mapping[str, object], *, no_reference: bool
) -> str:
    """The command that makes the same numbers again, with its folder: modules of one's own are searched there."""
    here = Path.cwd().resolve()
    script = os.path.relpath(ROOT / "scripts/compare.py", here)
    words = [str(path) for path in paths]
    words += [word for option, value in options.items() if value is not None for word in (option, str(value))]
    words += [word for change in changes for word in ("--set", change)]
    line = shlex.join(["python", script, *words, *(["--no-reference"] if no_reference else [])])
    folder = here.relative_to(ROOT) if here.is_relative_to(ROOT) else here
    return line if here == ROOT else f"cd {shlex.quote(str(folder))} && {line}"


if __name__ == "__main__":
    app()
