"""What the allocations of a run are worth, by three judges (`scripts.energy.scoring`)."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from scripts.cli import console
from scripts.energy import allocations
from scripts.energy.networks import energy_of, networks_of
from scripts.energy.scoring import JUDGES, scores
from scripts.measures import estimate
from scripts.report import number
from scripts.runfolder import RunFolder

_NUMBERS = {"ee": "EE [bits/mJ]", "share": "share of the bound", "pdr": "mean delivery", "violations": "violations"}


def evaluate(folder: RunFolder) -> list[dict[str, Any]]:
    """Prints a table of all labels; for machines: a record per label, number and judge.

    Raises:
        UsageError: an allocation is missing or damaged.
    """
    run, least = folder.config, energy_of(folder.config).least_delivery
    names = [f"{name} by {judge}" for name in _NUMBERS.values() for judge in JUDGES]
    table = Table("learner", *map(escape, names), title=f"{run.name}: mean over {len(run.seeds)} networks")
    records: list[dict[str, Any]] = []
    networks = networks_of(run)
    for label in run.learners:
        rows = [
            scores(network, allocations.read(folder.folder(label, seed) / allocations.NAME, network), least)
            for network, seed in zip(networks, run.seeds, strict=True)
        ]
        found = {
            (name, judge): estimate([row[f"{name}_{judge}"] for row in rows]) for name in _NUMBERS for judge in JUDGES
        }
        table.add_row(label, *(number(each.mean) for each in found.values()))
        records += [
            {
                "learner": label,
                "metric": name,
                "judge": judge,
                "mean": each.mean,
                "sd": each.spread,
                "seeds": each.seeds,
            }
            for (name, judge), each in found.items()
        ]
    console.print(table)
    console.print("violations by packets: below by more than two standard errors of 2,000 packets")
    return records
