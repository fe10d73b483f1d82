"""Pictures of runs of coexisting networks: curves over intervals, and channel by time of every network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from scripts.runs.figures import PAGE_INCH, Band, draw_line, groups_of_lines, paper_style, save
from scripts.runs.metrics import Row

_AXES: dict[str, tuple[str, float | None]] = {
    "prr": ("PRR", 1.0),
    "epn_mj": ("energy per delivered frame [mJ]", None),
    "overlap": ("overlap of channel use", 1.0),
}
"""Columns that are drawn: name with unit, and the largest value where they are shares."""

_PANELS = 4
"""Labels in a row of a picture."""

_SMOOTH = 10
"""Intervals over which each point of a curve is the mean."""


@paper_style()
def draw_curves(
    path: Path, title: str, curves: Mapping[str, Sequence[Sequence[Row]]], *, band: Band = Band.interval
) -> None:
    """Draws KPIs over intervals, means over ten intervals: mean and band over seeds."""
    groups, seeds = groups_of_lines(list(curves)), len(next(iter(curves.values())))
    figure = Figure(figsize=(PAGE_INCH, 2.0 * len(groups) + 0.5), layout="constrained")
    figure.suptitle(f"{title} (means over {_SMOOTH} intervals; {band.legend(seeds)})")
    panels = figure.subplots(len(groups), len(_AXES), squeeze=False, sharex=True, sharey="col")
    for line, group in zip(panels, groups, strict=True):
        for axes, (column, (name, highest)) in zip(line, _AXES.items(), strict=True):
            for number, label in enumerate(group):
                values = np.array([[row[column] for row in curve] for curve in curves[label]])
                at, means = smoothed(values, _SMOOTH)
                draw_line(axes, number, at, means, band, highest, label=label)
            axes.set_ylabel(name)
            axes.grid(alpha=0.3)
        line[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    for axes in panels[-1]:
        axes.set_xlabel("interval")
    save(figure, path)


def smoothed(values: NDArray[np.float64], size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middles `[P]` of groups of so many intervals, and the means over them `[B, P]`.

    Args:
        values: By seed and interval. `[B, T]`
        size: Intervals over which each point is the mean.
    """
    size = min(size, values.shape[1])
    points = values.shape[1] // size
    means = values[:, : points * size].reshape(len(values), points, size).mean(axis=-1)
    return size * (np.arange(points) + 0.5), means


@paper_style()
def draw_channels(path: Path, title: str, airtimes_s: Mapping[str, NDArray[np.float64]], rules: Sequence[str]) -> None:
    """Draws channel by time of every network and label, a few labels to a row; see `channel_panels`."""
    labels = list(airtimes_s)
    starts = range(0, len(labels), _PANELS)
    rows = [{label: airtimes_s[label] for label in labels[start : start + _PANELS]} for start in starts]
    figure = Figure(figsize=(PAGE_INCH, (1.1 * len(rules) + 0.4) * len(rows) + 0.4), layout="constrained")
    highest = max(float(airtime_s.max()) for airtime_s in airtimes_s.values())
    for part, by_label in zip(figure.subfigures(len(rows), squeeze=False).ravel(), rows, strict=True):
        channel_panels(part, by_label, rules, highest)
    figure.suptitle(title)
    save(figure, path)


def channel_panels(
    figure: Figure | SubFigure,
    airtimes_s: Mapping[str, NDArray[np.float64]],
    rules: Sequence[str],
    highest: float | None = None,
) -> None:
    """Draws airtime by channel and interval: a row of panels for each network, a column for each label.

    Args:
        figure: To draw on.
        airtimes_s: By label. `[T, S, C]` s
        rules: What decides in each network. `[S]`
        highest: Top of the color scale; None: the largest airtime. s
    """
    panels = figure.subplots(len(rules), len(airtimes_s), sharex=True, sharey=True, squeeze=False)
    if highest is None:
        highest = max(float(airtime_s.max()) for airtime_s in airtimes_s.values())
    for column, (label, airtime_s) in enumerate(airtimes_s.items()):
        for s, rule in enumerate(rules):
            axes, usage = panels[s, column], airtime_s[:, s].T
            within = (0.5, usage.shape[1] + 0.5, -0.5, len(usage) - 0.5)  # intervals are numbered from 1
            image = axes.imshow(
                usage, aspect="auto", origin="lower", vmin=0.0, vmax=highest, cmap="viridis", extent=within
            )
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if s == 0:
                axes.set_title(label)
            if column == 0:
                axes.set_ylabel(f"network {s} ({rule})\nchannel", fontsize="small")
        panels[-1, column].set_xlabel("interval")
    figure.colorbar(image, ax=panels.ravel().tolist(), label="airtime per interval [s]", shrink=0.8)
