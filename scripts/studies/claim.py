"""Cells, claims and studies: what is played, what is read off it, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.runs.metrics import METRICS, Row, reported

RESIMULATED = "band from an independent simulation of the same rules"
FROM_TEXT = "band from the paper's words"


@dataclass(frozen=True)
class Cell:
    """One learner on one network, five seeds.

    Attributes:
        name: `study/cell`.
        config: A file of `configs/`.
        learner: Its label there.
        changes: Overrides.
    """

    name: str
    config: str
    learner: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellResult:
    """What came of a cell, by seed.

    Attributes:
        curves: Rows in order of time.
        last_h: Length of the part that is reported. h
        extra: What is no row, by name and seed, in percent: `delivery` of the part that is reported, mean over nodes;
            `joint` and `model`, what the closed forms expect of the last assignment.
        points: The last assignment, by seed. `[N, 4]`
        airtime_s: Of coexisting networks, by channel and interval, of the first seed; None: of others. `[T, S, C]` s
    """

    curves: Sequence[Sequence[Row]]
    last_h: float
    extra: Mapping[str, list[float]] = field(default_factory=dict)
    points: Sequence[NDArray[np.int16]] = ()
    airtime_s: NDArray[np.float64] | None = None

    def values(self, metric: str, until_h: float | None = None, last_h: float | None = None) -> list[float]:
        """A metric of every seed, over the part that is reported or another one.

        Args:
            metric: One of `METRICS`; `pdr_percent`; or a column of usage, such as `sent_sf7`, as a percentage.
            until_h: Where that part ends; None: the end. h
            last_h: Its length. h
        """
        cut = [[row for row in curve if until_h is None or row["time_h"] <= until_h + 1e-9] for curve in self.curves]
        rows = [reported(curve, self.last_h if last_h is None else last_h) for curve in cut]
        return [_value(row, metric) for row in rows]


Results = Mapping[str, CellResult]
"""What came of the cells of a study, by name."""


@dataclass(frozen=True)
class Claim:
    """A number to be reproduced.

    Attributes:
        name: `study/.../what`.
        cells: The cells that it is read off.
        read: From the played cells, in that order, to one value per seed, or one by vendor and seed.
        low, high: The band for the mean over seeds; both infinite: there is none, the number is reported.
        paper: What the paper prints; None: nothing.
        note: For readers.
    """

    name: str
    cells: tuple[str, ...]
    read: Callable[..., ArrayLike]
    low: float
    high: float
    paper: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Column:
    """A number of every cell of a study, for the table that is no claim.

    Attributes:
        name: With its unit.
        read: From a cell's name and all played cells to one value per seed.
    """

    name: str
    read: Callable[[str, Results], list[float]]


@dataclass(frozen=True)
class Study:
    """An experiment of a paper, or one of ours.

    Attributes:
        name: For the command line.
        title: What it is, in the paper's numbering.
        cells: What is played.
        claims: What is checked.
        draw: Draws the picture of the study to a path; it must cope with cells that were not played.
        columns: Of a table of all cells.
    """

    name: str
    title: str
    cells: tuple[Cell, ...]
    claims: tuple[Claim, ...]
    draw: Callable[[Path, Results], None] | None = None
    columns: tuple[Column, ...] = ()


def claim(
    cell: Cell,
    metric: str,
    band: tuple[float, float],
    paper: float | None = None,
    note: str = "",
    *,
    until_h: float | None = None,
    last_h: float | None = None,
) -> Claim:
    """The claim that a metric of a cell, over the part that is reported or another one, lies in `value +- slack`."""
    value, slack = band
    when = "" if until_h is None else f"@{until_h:g}h"

    def read(played: CellResult) -> list[float]:
        return played.values(metric, until_h, last_h)

    return Claim(f"{cell.name}/{metric}{when}", (cell.name,), read, value - slack, value + slack, paper, note)


def _value(row: Row, metric: str) -> float:
    if metric == "pdr_percent":
        return 100 * row["pdr"]
    if metric in METRICS:
        return row[metric]
    factor = metric.rstrip("0123456789dbmkhz").removesuffix("_")
    total = sum(count for name, count in row.items() if name.startswith(factor))
    return 100 * row[metric] / total
