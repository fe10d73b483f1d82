"""Pictures of sweeps of coexisting networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from scripts.claims.claim import Numbers

Panels = Mapping[str, Mapping[str, Mapping[float, Sequence[str]]]]
"""Cells by panel, way and place on the axis, of all vendors."""


def draw_sweep(path: Path, numbers: Numbers, *, axis: str, panels: Panels) -> None:
    """PRR over a number, a line for each way: mean over vendors and seeds, band from the smallest to the largest seed.

    Args:
        path: Of the PNG file.
        numbers: Cells; those that were not played are left out.
        axis: What the number is.
        panels: Which cells belong where.
    """
    figure = Figure(figsize=(4.4 * len(panels) + 2.2, 4.2), layout="constrained")
    figure.suptitle("mean over seeds and vendors; band: smallest to largest seed")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, ways) in zip(grid, panels.items(), strict=True):
        for number, (way, by_place) in enumerate(ways.items()):
            played = {at: [numbers[name].extra["prr"] for name in names if name in numbers]
                      for at, names in by_place.items()}  # fmt: skip
            seeds = {at: np.mean(values, axis=0) for at, values in played.items() if values}
            means, low, high = ([reach(values) for values in seeds.values()] for reach in (np.mean, np.min, np.max))
            axes.plot(list(seeds), means, "o-", ms=3, color=f"C{number}", label=way)
            axes.fill_between(list(seeds), low, high, color=f"C{number}", alpha=0.15, lw=0)
        axes.set(title=title, xlabel=axis)
        axes.grid(alpha=0.3)
    grid[0].set(ylabel="PRR", ylim=(0.0, 1.0))
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.savefig(path, dpi=110)
