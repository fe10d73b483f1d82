"""Attacks everything that comes from outside: configurations, binaries, saved states, rounds of the service, the disk.

- `python scripts/attack.py --quick`
- `python scripts/attack.py --page docs/reliability.md`
- `python scripts/attack.py configs binaries --times 0.1`

Whatever is damaged or hostile has to be refused on one line, or to do no harm. Counted are tracebacks, hangs of over
10 CPU s, growth over 1 GiB, files written elsewhere, crashes and wrong acceptances. Exit status 1: there was one.
Every attack runs in a process of its own, so that a crash is one count and not the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from scripts.attacks.tally import Tally
from scripts.runs.cli import ROOT, JsonPath, UsageError, console, new_app, one_line_errors, write_json

FAILED = 1
BEGIN, END = "<!-- attacks: begin -->", "<!-- attacks: end -->"

app = new_app()


class Attack(NamedTuple):
    """An attack.

    Attributes:
        what: What is attacked, as the table says it.
        full, quick: How often it is tried.
        run: Runs it, given a number of tries, a seed and the file for its tally; imports what it needs.
    """

    what: str
    full: int
    quick: int
    run: Callable[[int, int, Path], None]


def _configs(count: int, seed: int, path: Path) -> None:
    from scripts.attacks.configs import attack_configs

    attack_configs(count, seed, path)


def _binaries(count: int, seed: int, path: Path) -> None:
    from scripts.attacks.binaries import attack_binaries

    attack_binaries(count, seed, path)


def _air(count: int, seed: int, path: Path) -> None:
    from scripts.attacks.states import attack_air

    attack_air(count, seed, path)


def _service(count: int, seed: int, path: Path) -> None:
    from scripts.attacks.states import attack_service

    attack_service(count, seed, path)


def _rounds(count: int, seed: int, path: Path) -> None:
    from scripts.attacks.states import attack_rounds

    attack_rounds(count, seed, path)


def _records(count: int, seed: int, path: Path) -> None:
    from scripts.attacks.records import Reader, attack_records
    from scripts.leaderboard import cells
    from scripts.leaderboard.tasks import CATALOGUE, read_catalogue

    catalogue = read_catalogue()
    name, task = next(iter(catalogue.tasks.items()))
    cell = cells.Cell(
        benchmark=catalogue.version, task=name, digest=task.digest, learner="random", name="random", parameters={},
        group="node", commit="", seeds=(1, 2), metrics={"pdr": (0.5, 0.6)}, cpu_s=1.0, command="bench.py run",
    )  # fmt: skip
    benchmark: dict[str, Reader] = {
        "cell.json": (cell.model_dump_json(), cells.read),
        "catalogue.yaml": (CATALOGUE.read_text(encoding="utf-8"), read_catalogue),
    }
    attack_records(count, seed, path, benchmark)


def _disk(count: int, seed: int, path: Path) -> None:
    from scripts.attacks.disk import attack_disk

    attack_disk(count, seed, path)


def _interruptions(count: int, seed: int, path: Path) -> None:
    from scripts.attacks.interruptions import attack_interruptions

    attack_interruptions(count, seed, path)


ATTACKS: Mapping[str, Attack] = {
    "configs": Attack("mutated configurations", 10_000, 60, _configs),
    "binaries": Attack("mutated binaries", 10_000, 400, _binaries),
    "air": Attack("damaged states of the air", 5_000, 150, _air),
    "service": Attack("damaged states of the service", 1_000, 60, _service),
    "rounds": Attack("rounds with hostile reports", 100, 3, _rounds),
    "records": Attack("damaged records: traffic, logs, the benchmark", 3_000, 140, _records),
    "disk": Attack("disks and folders", 9, 0, _disk),
    "interruptions": Attack("interruptions", 200, 0, _interruptions),
}
"""By name, in the order of the table."""


@app.command(help=__doc__)
def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ATTACK]...", help="Which; by default all.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few tries, without starting commands.")] = False,
    times: Annotated[float, typer.Option(help="Multiplies all numbers of tries.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the damage.")] = 0,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the table into a page, between its marks.")
    ] = None,
    json: JsonPath = None,
    tally: Annotated[Path | None, typer.Option(hidden=True, help="Run one attack here and write its tally.")] = None,
) -> None:
    """Runs the attacks and prints the table."""
    with one_line_errors():
        chosen = list(names or ATTACKS)
        for name in chosen:
            if name not in ATTACKS:
                raise UsageError(f"{name}: is no attack; known: {', '.join(ATTACKS)}")
        counts = {name: round(times * (ATTACKS[name].quick if quick else ATTACKS[name].full)) for name in chosen}
        if tally is not None:
            ATTACKS[chosen[0]].run(counts[chosen[0]], seed, tally)
            return
        tallies = {name: run_apart(name, quick, times, seed) for name, count in counts.items() if count}
        console.print(table(tallies))
        for name, result in tallies.items():
            for kind, example in result.examples.items():
                console.print(f"{name}: {kind}: {example}")
        if page is not None:
            write_page(page, table(tallies))
        write_json(json, [vars(result) for result in tallies.values()])
    if any(result.failures for result in tallies.values()):
        raise typer.Exit(FAILED)


def run_apart(name: str, quick: bool, times: float, seed: int) -> Tally:
    """Runs an attack in a process of its own; a crash is one failure of what it had counted by then."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tally.json"
        options = ["--times", str(times), "--seed", str(seed), "--tally", str(path), *(["--quick"] if quick else [])]
        done = subprocess.run(
            [sys.executable, str(Path(__file__)), name, *options],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        result = Tally.read(path) if path.exists() else Tally(name)
    if done.returncode:
        result.fail("crash", f"exit status {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")
    return result


def table(tallies: Mapping[str, Tally]) -> str:
    """The table of the page, in Markdown."""
    lines = [
        "| attack | tries | refused | held | failed | longest try, CPU s | growth, MB |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, result in tallies.items():
        failed = ", ".join(f"{count} {kind}" for kind, count in result.failures.items()) or "0"
        cells = [ATTACKS[name].what, f"{result.tries:,}", f"{result.refused:,}", f"{result.held:,}", failed]
        lines.append(f"| {' | '.join([*cells, f'{result.longest_s:.2f}', f'{result.growth_mb:.0f}'])} |")
    return "\n".join(lines)


def write_page(page: Path, text: str) -> None:
    """Puts a table between the marks of a page. UsageError: it has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UsageError(f"{page}: has no {BEGIN} with {END} behind it")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    app()
