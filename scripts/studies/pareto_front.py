"""The points of a sweep that nothing else beats in everything at once, and what each is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core import metrics
from scripts.runs.metrics import Row
from scripts.runs.report import NAMES, number
from scripts.runs.statistics import Estimate, estimate

OBJECTIVES = ("pdr", "ee_bits_per_mj", "bits_per_airtime_s")
"""What is traded off: PDR, EE and TH of the D-LoRa papers; more is better."""


@dataclass(frozen=True)
class GridPoint:
    """A point of a grid and what came of it.

    Attributes:
        settings: What was varied, in words of the command line.
        by_seed: Metrics that are reported, one row per seed.
    """

    settings: Mapping[str, str]
    by_seed: Sequence[Row]

    @property
    def name(self) -> str:
        """The settings in one line."""
        return ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in self.settings.items()) or "as it is"

    def estimate(self, metric: str) -> Estimate:
        """A metric over seeds."""
        return estimate([row[metric] for row in self.by_seed])


@dataclass(frozen=True)
class ParetoFront:
    """All points of a grid.

    Attributes:
        points: In the order of the grid.
        values: Means over seeds of the objectives `[P, 3]`.
        on_front: Points that nothing dominates `[P]`.
        scales, weights: Of the utility, by objective `[3]`.
    """

    points: Sequence[GridPoint]
    values: NDArray[np.float64]
    on_front: NDArray[np.bool_]
    scales: Sequence[float]
    weights: Sequence[float]

    @classmethod
    def of(cls, points: Sequence[GridPoint], weights: Sequence[float], scales: Sequence[float] | None) -> ParetoFront:
        """Of points; scales None: the largest mean of each objective in the grid (1 where there is none above 0).

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
        """Utility of every point over seeds."""
        found = []
        for point in self.points:
            columns = [np.array([row[metric] for row in point.by_seed]) for metric in OBJECTIVES]
            worth = metrics.utility(*columns, weights=self.weights, scales=self.scales)
            found.append(estimate(worth.tolist()))
        return found

    def header(self) -> list[str]:
        """Of the table."""
        keys = [key.rpartition(".")[2] for key in self.points[0].settings]
        return [*keys, *(NAMES[metric][0] for metric in OBJECTIVES), "utility", "front"]

    def lines(self) -> list[list[str]]:
        """For readers: mean ± standard deviation over seeds."""
        lines = []
        for point, worth, best in zip(self.points, self.utilities(), self.on_front, strict=True):
            found = [(NAMES[metric][1], point.estimate(metric)) for metric in OBJECTIVES] + [(1.0, worth)]
            numbers = [f"{number(factor * part.mean)} ± {number(factor * part.spread)}" for factor, part in found]
            lines.append([*point.settings.values(), *numbers, "yes" if best else ""])
        return lines

    def records(self) -> list[dict[str, Any]]:
        """For machines: one flat record per point."""
        records = []
        for point, worth, best in zip(self.points, self.utilities(), self.on_front, strict=True):
            parts = {metric: point.estimate(metric) for metric in OBJECTIVES} | {"utility": worth}
            means = {name: part.mean for name, part in parts.items()}
            spreads = {f"{name}_sd": part.spread for name, part in parts.items()}
            settings = {key: _value(text) for key, text in point.settings.items()}
            seeds = {"seeds": len(point.by_seed), "on_front": bool(best)}
            records.append({**settings, **means, **spreads, **seeds})
        return records


def non_dominated(values: ArrayLike) -> NDArray[np.bool_]:
    """Points that no other one dominates: is at least as good in everything, and better in something.

    Args:
        values: More is better; a point with a nan is never on the front and dominates nothing. `[P, M]`

    Returns:
        `[P]`; equal points share their place.
    """
    array = np.asarray(values, np.float64)
    # nan compares false, so that such a point is at least as good as nobody.
    at_least = (array[:, None] >= array[None]).all(axis=-1)
    better = (array[:, None] > array[None]).any(axis=-1)
    dominated = np.any(at_least & better, axis=0)
    return np.asarray(~dominated & ~np.isnan(array).any(axis=1), np.bool_)


def _value(text: str) -> float | str:
    """A number where the text is one."""
    try:
        return float(text)
    except ValueError:
        return text
