"""The table of a run of coexisting networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.markup import escape
from rich.table import Table

from scripts.coexistence.ledger import Ledger
from scripts.estimates import estimate
from scripts.report import number

COLUMNS = {"PRR": "prr", "EPN [mJ]": "epn_mj", "ATP": "atp", "delay [s]": "delay_s", "overlap": "overlap",
           "gain [%]": "gain_percent"}  # fmt: skip
"""What is shown; records have all measures."""

LEGEND = """mean over seeds (sd), from sums over networks and intervals
PRR: attempts received over attempts; EPN: energy over frames delivered; ATP: attempts over frames delivered
delay: from a frame's birth to its first reception; overlap: of the networks' shares of channels, 0 to 1
gain: of PRR over {first}, paired by seed"""


def results_table(title: str, ledgers: Mapping[str, Sequence[Ledger]]) -> tuple[Table, list[dict[str, object]]]:
    """The table, and a record per label and number; gains are over the first label."""
    table = Table(title=title, title_justify="left")
    table.add_column("coordination", no_wrap=True)
    for column in COLUMNS:
        table.add_column(escape(column))
    records: list[dict[str, object]] = []
    reference: np.ndarray | None = None
    for label, by_seed in ledgers.items():
        measures = [ledger.measures() for ledger in by_seed]
        found = {name: estimate([each[name] for each in measures]) for name in measures[0]}
        prr = np.array([each["prr"] for each in measures])
        reference = prr if reference is None else reference
        found["gain_percent"] = estimate((100.0 * (prr / reference - 1.0)).tolist())
        shown = (found[name] for name in COLUMNS.values())
        table.add_row(label, *(f"{number(each.mean)} ({number(each.spread)})" for each in shown))
        records += [
            {"learner": label, "metric": name, "mean": each.mean, "sd": each.spread, "seeds": each.seeds}
            for name, each in found.items()
        ]
    return table, records
