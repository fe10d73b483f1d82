"""What the allocations of a run are worth, by three judges (`scripts.energy.scoring`)."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from scripts.cli import console, errors
from scripts.energy import allocations
from scripts.energy.networks import energy_of, networks_of
from scripts.energy.scoring import JUDGES, scores
from scripts.estimates import estimate
from scripts.report import number
from scripts.runfolder import RunFolder

_NUMBERS = {"ee": "EE [bits/mJ]", "share": "share of the bound", "pdr": "mean delivery", "violations": "violations"}


def evaluate(folder: RunFolder) -> list[dict[str, Any]]:
    """Prints a table of all labels; for machines: a record per label, number and judge.

    Raises:
        UsageError: an allocation is missing or damaged.
    """
    run, least = folder.config, energy_of(folder.config).least_delivery
    table = Table("learner", "judge", *map(escape, _NUMBERS.values()), title=f"{run.name}: {len(run.seeds)} networks")
    records: list[dict[str, Any]] = []
    networks = networks_of(run)
    for label in run.learners:
        paths = [folder.folder(label, seed) / allocations.NAME for seed in run.seeds]
        if not all(path.exists() for path in paths):
            errors.print(f"note: {folder.path}: {label} has not finished and is left out", style="yellow")
            continue
        rows = [
            scores(network, allocations.read(path, network), least)
            for network, path in zip(networks, paths, strict=True)
        ]
        for judge in JUDGES:
            found = {name: estimate([row[f"{name}_{judge}"] for row in rows]) for name in _NUMBERS}
            cells = [f"{number(each.mean)} ({number(each.spread)})" for each in found.values()]
            table.add_row(label if judge == JUDGES[0] else "", judge, *cells)
            records += [
                {
                    "learner": label,
                    "metric": name,
                    "judge": judge,
                    "mean": each.mean,
                    "sd": each.spread,
                    "seeds": each.seeds,
                }
                for name, each in found.items()
            ]
    console.print(table)
    console.print(
        "mean over networks (sd); violations by packets: below by more than two standard errors of 2,000 packets"
    )
    return records
