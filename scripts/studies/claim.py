"""The parts of a study: cells, which are simulated, and claims, which are numbers read off their results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.runs.metrics import METRICS, Row, reported
from scripts.runs.report import number
from scripts.runs.statistics import Estimate, estimate

RESIMULATED = "band from an independent simulation of the same rules"
FROM_TEXT = "band from the paper's words"
OUR_TARGET = "our target"
"""Notes of claims: where the band comes from if the paper prints no number."""


@dataclass(frozen=True)
class Cell:
    """One learner on one network, with all seeds of the configuration.

    Attributes:
        name: `study/cell`.
        config: A file of `configs/`.
        learner: The learner's label there.
        changes: Overrides of the configuration, `key=value`.
    """

    name: str
    config: str
    learner: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellResult:
    """The results of a cell, by seed.

    Attributes:
        curves: Rows of metrics of each seed, in order of time.
        last_h: Length of the part of the run that is reported. h
        extra: Other results by name and seed, in percent: `delivery` in the reported part, mean over nodes;
            `joint` and `model`, the delivery that the closed forms expect of the last assignment.
        points: The last assignment of each seed. `[N, 4]`
        airtime_s: Airtime of coexisting networks by interval, network and channel, on the first seed; None where there
            is only one network. `[T, S, C]` s
    """

    curves: Sequence[Sequence[Row]]
    last_h: float
    extra: Mapping[str, list[float]] = field(default_factory=dict)
    points: Sequence[NDArray[np.int16]] = ()
    airtime_s: NDArray[np.float64] | None = None

    def values(self, metric: str, until_h: float | None = None, last_h: float | None = None) -> list[float]:
        """A metric of every seed, over a part of the run.

        Args:
            metric: One of `METRICS`; `pdr_percent`; or a column of usage, such as `sent_sf7`, as a percentage.
            until_h: Where the part ends; None: at the end of the run. h
            last_h: Length of the part; None: that of the reported part. h
        """
        cut = [[row for row in curve if until_h is None or row["time_h"] <= until_h + 1e-9] for curve in self.curves]
        rows = [reported(curve, self.last_h if last_h is None else last_h) for curve in cut]
        return [_value(row, metric) for row in rows]


Results = Mapping[str, CellResult]
"""The results of the cells of a study, by name."""


@dataclass(frozen=True)
class Claim:
    """A number to be reproduced.

    Attributes:
        name: `study/.../what`.
        cells: Names of the cells that it is read off.
        read: From the results of these cells, in that order, to one value per seed, or one per vendor and seed.
        low, high: The band in which the mean over seeds should lie; both infinite: the number is only reported.
        paper: The number that the paper prints; None: none.
        note: Shown beside the number.
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
    """A column of the table of a study's cells: a number of every cell that is no claim.

    Attributes:
        name: Heading, with the unit.
        read: From a cell's name and the results of all cells to one value per seed.
    """

    name: str
    read: Callable[[str, Results], list[float]]


@dataclass(frozen=True)
class Study:
    """An experiment of a paper, or one of ours.

    Attributes:
        name: Name on the command line.
        title: Description, with the paper's numbering.
        cells: What is simulated.
        claims: The numbers that are checked.
        draw: Draws the picture of the study to a path, also where some cells have no results.
        columns: Columns of a table of all cells; none: no such table.
    """

    name: str
    title: str
    cells: tuple[Cell, ...]
    claims: tuple[Claim, ...]
    draw: Callable[[Path, Results], None] | None = None
    columns: tuple[Column, ...] = ()


HEADER = ("name", "ours", "spread (sd)", "95 % (±)", "paper", "difference", "low", "high", "inside", "note")
"""Columns of the table of claims."""


@dataclass(frozen=True)
class ClaimResult:
    """A claim and the number that was reproduced.

    Attributes:
        claim: What is claimed.
        ours: The number over seeds.
    """

    claim: Claim
    ours: Estimate

    @property
    def inside(self) -> bool | None:
        """Whether the mean over seeds lies in the band; None: there is none."""
        if math.isinf(self.claim.low) and math.isinf(self.claim.high):
            return None
        return self.claim.low <= self.ours.mean <= self.claim.high

    @property
    def difference(self) -> float | None:
        """Our number less the paper's; None: the paper has no number."""
        return None if self.claim.paper is None else self.ours.mean - self.claim.paper

    def record(self) -> dict[str, Any]:
        """A flat record for JSON."""
        return {
            "name": self.claim.name,
            "ours": self.ours.mean,
            "spread": self.ours.spread,
            "ci_low": self.ours.ci_low,
            "ci_high": self.ours.ci_high,
            "paper": self.claim.paper,
            "difference": self.difference,
            "low": self.claim.low if math.isfinite(self.claim.low) else None,
            "high": self.claim.high if math.isfinite(self.claim.high) else None,
            "inside": self.inside,
        }

    def texts(self) -> list[str]:
        """A row of the table, see `HEADER`."""
        ours, claim = self.ours, self.claim
        half = (ours.ci_high - ours.ci_low) / 2.0
        numbers = (ours.mean, ours.spread, half, claim.paper, self.difference, claim.low, claim.high)
        shown = ["-" if value is None else number(value) for value in numbers]
        return [self.claim.name, *shown, {True: "yes", False: "no", None: "-"}[self.inside], self.claim.note]


def metric_claim(
    cell: Cell,
    metric: str,
    band: tuple[float, float],
    paper: float | None = None,
    note: str = "",
    *,
    until_h: float | None = None,
    last_h: float | None = None,
) -> Claim:
    """The claim that a metric of a cell lies in a band.

    Args:
        cell: Whose results.
        metric, until_h, last_h: As in `CellResult.values`.
        band: Its middle and half its width.
        paper, note: As in `Claim`.
    """
    value, slack = band
    when = "" if until_h is None else f"@{until_h:g}h"

    def read(result: CellResult) -> list[float]:
        return result.values(metric, until_h, last_h)

    return Claim(f"{cell.name}/{metric}{when}", (cell.name,), read, value - slack, value + slack, paper, note)


def claim_results(study: Study, numbers: Results) -> list[ClaimResult]:
    """The claims of a study, with the numbers read off the results of its cells."""
    return [
        ClaimResult(claim, estimate(claim.read(*(numbers[name] for name in claim.cells)))) for claim in study.claims
    ]


def _value(row: Row, metric: str) -> float:
    """A metric of a row, see `CellResult.values`."""
    if metric == "pdr_percent":
        return 100 * row["pdr"]
    if metric in METRICS:
        return row[metric]
    factor = metric.rstrip("0123456789dbmkhz").removesuffix("_")
    total = sum(count for name, count in row.items() if name.startswith(factor))
    return 100 * row[metric] / total
