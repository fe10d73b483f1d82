"""The table of a comparison: the same columns and cells for Markdown, the terminal and the page."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from rich.table import Table

from scripts.comparison.result import Comparison, Measure
from scripts.runs.report import markdown, with_interval

_TERMINAL = (
    "pdr", "never_sent", "ee_bits_per_mj", "fairness", "share_pdr", "share_ee", "converged_pdr_h", "recovery_h",
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A measure, or its difference to the baseline."""

    measure: Measure
    against: bool = False

    @property
    def name(self) -> str:
        """The name of the column, without unit."""
        return f"Δ {self.measure.name}" if self.against else self.measure.name

    @property
    def unit(self) -> str:
        """The unit of the numbers."""
        return self.measure.difference if self.against else self.measure.unit


@dataclass(frozen=True)
class Cell:
    """Text for readers, and the number to sort by (nan: none)."""

    text: str
    value: float = math.nan


def columns(comparison: Comparison, only: Collection[str] | None = None) -> list[Column]:
    """The columns of the table; the difference to the baseline follows PDR and EE."""
    shown: list[Column] = []
    for measure in comparison.shown():
        if only is None or measure.key in only:
            shown.append(Column(measure))
            if measure.difference and comparison.baseline is not None and len(comparison.values) > 1:
                shown.append(Column(measure, against=True))
    return shown


def cell(comparison: Comparison, label: str, column: Column) -> Cell:
    """A learner's number: mean and half width of the 95 % interval, and of how many seeds where some have none."""
    if column.against:
        against = comparison.difference(label, column.measure)
        return Cell("baseline", 0.0) if against is None else Cell(with_interval(against, sign=True), against.mean)
    value = comparison.estimate(label, column.measure)
    seeds = len(comparison.config.seeds)
    of_some = math.isfinite(value.mean) and value.seeds < seeds
    return Cell(with_interval(value) + (f" ({value.seeds} of {seeds})" if of_some else ""), value.mean)


def as_markdown(comparison: Comparison) -> str:
    """The table of a scenario with all columns, as Markdown."""
    shown = columns(comparison)
    header = ["learner", *(f"{column.name} [{column.unit}]" for column in shown)]
    return markdown(
        header,
        [[label, *(cell(comparison, label, column).text for column in shown)] for label in comparison.values],
    )


def for_terminal(comparison: Comparison, width: int) -> Table:
    """The columns that matter most, as many of them as fit beside each other.

    Args:
        comparison: Of one scenario.
        width: Of the terminal, in characters.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    lines = [[label] for label in comparison.values]
    table.add_column("learner", no_wrap=True)
    left = width - max(map(len, ["learner", *comparison.values]))
    for column in columns(comparison, _TERMINAL):
        texts = [cell(comparison, label, column).text for label in comparison.values]
        left -= 2 + max(map(len, [column.name, f"[{column.unit}]", *texts]))
        if left < 0:
            break
        table.add_column(f"{column.name}\n[{column.unit}]", justify="right", no_wrap=True)
        lines = [[*line, text] for line, text in zip(lines, texts, strict=True)]
    for line in lines:
        table.add_row(*line)
    return table


def left_out(comparison: Comparison, table: Table) -> list[str]:
    """Names of the columns of a comparison that a terminal's table does not have."""
    shown = columns(comparison, _TERMINAL)[: len(table.columns) - 1]
    return [column.name for column in columns(comparison) if column not in shown]


PROTOCOL = (
    "Identical air: all learners of a scenario meet the same seeds, and for a seed the same placement, gaps between "
    "packets, shadowing and fading per node and packet number; only the times at which packets start still shift with "
    "the airtimes that a learner chooses. So learners are compared seed by seed: a difference is taken on each seed, "
    "and its interval is over seeds.",
    "Intervals are Student's t intervals of the mean over seeds, 95 %; those of shares of packets are taken on the "
    "logit scale, so that they stay within 0 and 100 %, and are shown by their ends where they are not symmetric. "
    "Where only some seeds have a value (a curve that goes nowhere, a network that does not recover), the mean is over "
    "those, and their number is given.",
)
"""How learners were compared, for readers of the table."""
