"""Retrains the coordination service without some of its parts or with other weights, and plays the results.

- `python scripts/ablate_ccs.py --rollouts runs/ccs_service/work`
- `python scripts/ablate_ccs.py whole "without codes" --rollouts runs/ccs_service/work --jobs 2`

Every variant is trained for one pass on the same rollouts, those of independent learners in the work folder of
`train_ccs.py`, and plays two and four networks of a held-out vendor, on the same seeds as independent learners. What
has been trained and played is not done again: the same command continues where it was stopped. Leaves a table,
`cells.md` with all measures, a picture, and CPU seconds of training in each variant's folder. `--quick` needs the
rollouts of a training that was quick, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.runs.cli import JsonPath, UsageError, console, needed, new_app, one_line_errors, write_json
from scripts.runs.jobs import Store
from scripts.runs.progress import counting
from scripts.runs.report import markdown, with_interval
from scripts.runs.statistics import estimate
from scripts.studies.claim import Results
from scripts.studies.results import cell_table, simulated

with needed("torch"):
    from scripts.service_training.overrides import with_overrides
    from scripts.service_training.pipeline import PASSES, ServiceTraining, shortened
    from scripts.studies.ccs import ablations
    from scripts.studies.ccs.ablations import REGIMES, VARIANTS

app = new_app()


@app.command(help=__doc__)
def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="[VARIANT]...", help="By default all.")] = None,
    rollouts: Annotated[Path, typer.Option(metavar="DIR", help="Work folder of a finished training.")] = Path(
        "runs/ccs_service/work"
    ),
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for everything.")] = Path("runs/ccs_ablations"),
    jobs: Annotated[int, typer.Option(min=1, help="Cells played at the same time.")] = 1,
    list_: Annotated[bool, typer.Option("--list", help="Say which variants there are, and stop.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A twentieth, to see that everything runs.")] = False,
    json: JsonPath = None,
) -> None:
    """Trains, plays and reports."""
    with one_line_errors():
        if list_:
            for name, changes in VARIANTS.items():
                console.print(f"{name}: {', '.join(changes) or 'as it is'}")
            return
        for name in names or ():
            if name not in VARIANTS:
                raise UsageError(f"{name!r} is no variant; known: {', '.join(VARIANTS)}")
        chosen = {name: VARIANTS[name] for name in names or VARIANTS}
        services = {name: train(name, chosen[name], rollouts, out, quick=quick) for name in chosen}
        study = ablations.study(services)
        numbers = simulated([study], Store(out / "cells"), quick=quick, jobs=jobs)
        text = table(numbers, chosen)
        (out / "table.md").write_text(text, encoding="utf-8")
        (out / "cells.md").write_text(cell_table(study, numbers), encoding="utf-8")
        assert study.draw is not None
        study.draw(out / "ablations.png", numbers)
        console.print(text)
        console.print(f"tables and picture: {out}/")
        write_json(json, records(numbers, chosen))


def train(name: str, changes: tuple[str, ...], rollouts: Path, out: Path, *, quick: bool) -> Path:
    """Returns the weights of a variant, trained if they do not exist."""
    folder = (out / name.replace(" ", "-").replace(",", "")).resolve()
    training = ServiceTraining(folder, folder / "work", passes=PASSES[:1], rollouts_from=rollouts)
    training = with_overrides(shortened(training) if quick else training, changes)
    console.print(f"{name}: {', '.join(changes) or 'as it is'}")
    try:
        training.run(counting)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
    return folder / "service.safetensors"


def table(numbers: Results, chosen: Mapping[str, tuple[str, ...]]) -> str:
    """Gains in PRR by variant and regime: mean and half width of the 95 % interval over seeds. percent"""
    lines = []
    for name, changes in chosen.items():
        gains = [with_interval(estimate(ablations.gains(numbers, regime, name))) for regime in REGIMES]
        lines.append([name, ", ".join(changes), *gains])
    return markdown(["variant", "changed", *REGIMES], lines)


def records(numbers: Results, chosen: Mapping[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    """Returns the gains as records for a JSON file."""
    rows = []
    for name, changes in chosen.items():
        for regime in REGIMES:
            gain = estimate(ablations.gains(numbers, regime, name))
            row = {"variant": name, "changes": list(changes), "regime": regime}
            rows.append(row | {"gain_percent": gain.mean, "sd": gain.spread})
    return rows


if __name__ == "__main__":
    app()
