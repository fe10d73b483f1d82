"""The table of a comparison, once for all its readers: Markdown, the terminal, and the page."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from scripts.comparison.measures import Measure
from scripts.comparison.result import Comparison
from scripts.report import markdown, with_interval

_TERMINAL = ("pdr", "ee_bits_per_mj", "fairness", "share_pdr", "share_ee", "converged_pdr_h", "recovery_h")


@dataclass(frozen=True)
class Column:
    """A measure, or its difference to the baseline."""

    measure: Measure
    against: bool = False

    @property
    def name(self) -> str:
        """Without unit."""
        return f"Δ {self.measure.name}" if self.against else self.measure.name

    @property
    def unit(self) -> str:
        """Of the numbers."""
        return self.measure.difference if self.against else self.measure.unit


@dataclass(frozen=True)
class Cell:
    """Text for readers, and the number to sort by (nan: none)."""

    text: str
    value: float = math.nan


def columns(comparison: Comparison, only: Collection[str] | None = None) -> list[Column]:
    """What there is to show; the difference to the baseline follows PDR and EE."""
    found: list[Column] = []
    for measure in comparison.shown():
        if only is None or measure.key in only:
            found.append(Column(measure))
            if measure.difference and comparison.baseline is not None and len(comparison.values) > 1:
                found.append(Column(measure, against=True))
    return found


def cell(comparison: Comparison, label: str, column: Column) -> Cell:
    """A learner's number: mean and half width of the 95 % interval, and of how many seeds where some have none."""
    if column.against:
        against = comparison.difference(label, column.measure)
        return Cell("baseline", 0.0) if against is None else Cell(with_interval(against, sign=True), against.mean)
    found = comparison.estimate(label, column.measure)
    seeds = len(comparison.config.seeds)
    of_some = math.isfinite(found.mean) and found.seeds < seeds
    return Cell(with_interval(found) + (f" ({found.seeds} of {seeds})" if of_some else ""), found.mean)


def as_markdown(comparison: Comparison) -> str:
    """All columns."""
    shown = columns(comparison)
    header = ["learner", *(f"{column.name} [{column.unit}]" for column in shown)]
    return markdown(
        header,
        [[label, *(cell(comparison, label, column).text for column in shown)] for label in comparison.values],
    )


def for_terminal(comparison: Comparison, title: str, width: int) -> Table:
    """The columns that matter most, as many of them as fit beside each other.

    Args:
        comparison: Of one scenario.
        title: Of the table.
        width: Of the terminal, in characters.
    """
    table = Table(title=escape(title), title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    lines = [[label] for label in comparison.values]
    table.add_column("learner", no_wrap=True)
    left = width - max(map(len, ["learner", *comparison.values]))
    for column in columns(comparison, _TERMINAL):
        texts = [cell(comparison, label, column).text for label in comparison.values]
        left -= 2 + max(map(len, [column.name, f"[{column.unit}]", *texts]))
        if left < 0:
            break
        table.add_column(f"{escape(column.name)}\n{escape(f'[{column.unit}]')}", justify="right", no_wrap=True)
        lines = [[*line, text] for line, text in zip(lines, texts, strict=True)]
    for line in lines:
        table.add_row(*map(escape, line))
    return table
