"""The Pareto front of a sweep: the points that no other point dominates, and the utility of every point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core import metrics
from scripts.runs.figures import paper_figure, paper_style, save
from scripts.runs.metrics import Row
from scripts.runs.report import NAMES, number
from scripts.runs.statistics import Estimate, estimate

OBJECTIVES = ("pdr", "ee_bits_per_mj", "bits_per_airtime_s")
"""PDR, EE and TH of the D-LoRa papers, which trade off; more is better."""


@dataclass(frozen=True)
class GridPoint:
    """A point of a sweep's grid and its results.

    Attributes:
        settings: The values that are varied, as given on the command line.
        by_seed: The reported metrics, one row per seed.
    """

    settings: Mapping[str, str]
    by_seed: Sequence[Row]

    @property
    def name(self) -> str:
        """The settings in one line."""
        return ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in self.settings.items()) or "as it is"

    def estimate(self, metric: str) -> Estimate:
        """Mean and spread of a metric over seeds."""
        return estimate([row[metric] for row in self.by_seed])


@dataclass(frozen=True)
class ParetoFront:
    """All points of a grid, and which of them are on the front.

    Attributes:
        points: In the order of the grid, P of them.
        values: Means over seeds of the objectives. `[P, 3]`
        on_front: Whether no other point dominates a point. `[P]`
        scales, weights: Of the utility, by objective. `[3]`
    """

    points: Sequence[GridPoint]
    values: NDArray[np.float64]
    on_front: NDArray[np.bool_]
    scales: Sequence[float]
    weights: Sequence[float]

    @classmethod
    def of(cls, points: Sequence[GridPoint], weights: Sequence[float], scales: Sequence[float] | None) -> ParetoFront:
        """The front of some points.

        Args:
            points: Of the grid.
            weights: Of the utility, by objective. `[3]`
            scales: Values of the objectives that count as 1; None: the largest mean in the grid, or 1 where none is
                above 0. `[3]`

        Raises:
            ValueError: weights or scales that `metrics.utility` refuses.
        """
        values = np.array([[point.estimate(metric).mean for metric in OBJECTIVES] for point in points])
        if scales is None:
            largest = np.nan_to_num(values).max(axis=0)
            scales = np.where(largest > 0, largest, 1.0).tolist()
        metrics.utility(1.0, 1.0, 1.0, weights=weights, scales=scales)
        return cls(points, values, non_dominated(values), scales, weights)

    def utilities(self) -> list[Estimate]:
        """Mean and spread over seeds of the utility of every point."""
        utilities = []
        for point in self.points:
            columns = [np.array([row[metric] for row in point.by_seed]) for metric in OBJECTIVES]
            by_seed = metrics.utility(*columns, weights=self.weights, scales=self.scales)
            utilities.append(estimate(by_seed.tolist()))
        return utilities

    def header(self) -> list[str]:
        """Columns of the table."""
        keys = [key.rpartition(".")[2] for key in self.points[0].settings]
        return [*keys, *(NAMES[metric][0] for metric in OBJECTIVES), "utility", "front"]

    def lines(self) -> list[list[str]]:
        """Rows of the table, a row per point: mean ± standard deviation over seeds."""
        lines = []
        for point, utility, on_front in zip(self.points, self.utilities(), self.on_front, strict=True):
            scaled = [(NAMES[metric][1], point.estimate(metric)) for metric in OBJECTIVES] + [(1.0, utility)]
            numbers = [f"{number(factor * part.mean)} ± {number(factor * part.spread)}" for factor, part in scaled]
            lines.append([*point.settings.values(), *numbers, "yes" if on_front else ""])
        return lines

    def records(self) -> list[dict[str, Any]]:
        """Flat records for JSON, one per point."""
        records = []
        for point, utility, on_front in zip(self.points, self.utilities(), self.on_front, strict=True):
            parts = {metric: point.estimate(metric) for metric in OBJECTIVES} | {"utility": utility}
            means = {name: part.mean for name, part in parts.items()}
            spreads = {f"{name}_sd": part.spread for name, part in parts.items()}
            settings = {key: _value(text) for key, text in point.settings.items()}
            seeds = {"seeds": len(point.by_seed), "on_front": bool(on_front)}
            records.append({**settings, **means, **spreads, **seeds})
        return records


def non_dominated(values: ArrayLike) -> NDArray[np.bool_]:
    """Whether no other point dominates a point, by being at least as good in everything and better in something.

    Args:
        values: M objectives, more is better; a point with a nan is never on the front and dominates nothing. `[P, M]`

    Returns:
        Equal points are on the front together. `[P]`
    """
    array = np.asarray(values, np.float64)
    # nan compares false, so a point with a nan is at least as good as no other.
    at_least = (array[:, None] >= array[None]).all(axis=-1)
    better = (array[:, None] > array[None]).any(axis=-1)
    dominated = np.any(at_least & better, axis=0)
    return np.asarray(~dominated & ~np.isnan(array).any(axis=1), np.bool_)


def _value(text: str) -> float | str:
    """The number that a text is, or the text."""
    try:
        return float(text)
    except ValueError:
        return text


@paper_style()
def draw_front(
    path: Path,
    title: str,
    values: NDArray[np.float64],
    spread: NDArray[np.float64],
    front: NDArray[np.bool_],
    names: Sequence[str],
) -> None:
    """Draw PDR against energy efficiency, throughput as colour, with points of the front ringed and named.

    Args:
        path: Where the PNG file goes.
        title: Title of the picture.
        values: PDR in %, EE in bits/mJ, TH in bits per second of airtime. `[P, 3]`
        spread: Their standard deviations over seeds; nan: none is drawn. `[P, 3]`
        front: Whether a point is on the front. `[P]`
        names: Names of the points.
    """
    figure = paper_figure(8, 5.5)
    axes = figure.subplots()
    figure.suptitle(title)
    bars = np.nan_to_num(spread)
    axes.errorbar(
        values[:, 1], values[:, 0], xerr=bars[:, 1], yerr=bars[:, 0], fmt="none", ecolor="grey", lw=0.7, zorder=1
    )
    shown = axes.scatter(values[:, 1], values[:, 0], c=values[:, 2], s=45, zorder=2)
    axes.scatter(
        values[front, 1], values[front, 0], s=130, facecolors="none", edgecolors="red", label="on the front", zorder=3
    )
    middle = np.nanmean([np.nanmin(values[:, 1]), np.nanmax(values[:, 1])])
    for index in np.flatnonzero(front).tolist():
        pdr, ee = values[index, :2].tolist()
        side, dx = ("right", -7) if ee > middle else ("left", 7)  # names stay within the picture
        axes.annotate(names[index], (ee, pdr), (dx, 5), textcoords="offset points", fontsize="x-small", ha=side)
    axes.set(xlabel="energy efficiency [bits/mJ]", ylabel="PDR [%]")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.colorbar(shown, label="throughput [bits/s of airtime]")
    save(figure, path)
