"""Tables for readers: at the terminal and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rich.markup import escape
from rich.table import Table

from scripts.records import Result

NAMES = {
    "pdr": ("PDR [%]", 100.0),
    "ee_bits_per_mj": ("EE [bits/mJ]", 1.0),
    "bits_per_airtime_s": ("TH [bits/s of airtime]", 1.0),
    "goodput_bps": ("goodput [bits/s]", 1.0),
    "fairness": ("fairness of PDR (Jain)", 1.0),
}
"""How a metric is shown: name with unit, factor."""


def results_table(title: str, results: Sequence[Result], paper: Callable[[str, str], str] | None = None) -> Table:
    """Learners x metrics: mean and standard deviation over seeds, and what the paper has.

    Args:
        title: Of the table.
        results: One per learner.
        paper: The published text for a learner's label and a metric; None: no such column.
    """
    table = Table("learner", "metric", title=title, title_justify="left")
    for name in ("ours", "spread (sd)", *(("paper",) if paper else ())):
        table.add_column(name, justify="right")
    for result in results:
        for metric, (name, factor) in NAMES.items():
            found = result.estimate(metric)
            cells = [number(factor * found.mean), number(factor * found.spread)]
            cells += [paper(result.learner, metric)] if paper else []
            table.add_row(result.learner if metric == "pdr" else "", escape(name), *cells)
        table.add_section()
    return table


def number(value: float) -> str:
    """About four significant digits; a dash for what is not known."""
    if not math.isfinite(value):
        return "-"
    decimals = 3 if abs(value) < 1 else 2 if abs(value) < 100 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{decimals}f}"


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    ruled = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in ruled) + "\n"
