"""Pictures of runs of coexisting networks: curves over intervals, and channel by time of every network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from scripts.runs.metrics import Row

_AXES = {"prr": "PRR", "epn_mj": "energy per delivered frame [mJ]", "overlap": "overlap of channel use"}
_PANELS = 4
"""Labels in a row of a picture."""

_SMOOTH = 10
"""Intervals over which each point of a curve is the mean."""


def draw_curves(path: Path, title: str, curves: Mapping[str, Sequence[Sequence[Row]]]) -> None:
    """Draws KPIs over intervals, means over ten intervals: mean and band over seeds."""
    figure = Figure(figsize=(15, 4.5), layout="constrained")
    figure.suptitle(f"{title} (means over {_SMOOTH} intervals; band: smallest to largest seed)")
    for axes, (column, name) in zip(figure.subplots(1, len(_AXES)), _AXES.items(), strict=True):
        for place, (label, by_seed) in enumerate(curves.items()):
            values = np.array([[row[column] for row in curve] for curve in by_seed])
            band(axes, values, _SMOOTH, color=f"C{place % 10}", label=label)
        axes.set(xlabel="interval", ylabel=name)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=110)


def band(axes: Axes, values: NDArray[np.float64], size: int, *, color: str, label: str) -> None:
    """Draws a curve over intervals: mean over seeds, and a band from the smallest to the largest seed.

    Args:
        axes: To draw on.
        values: By seed and interval. `[B, T]`
        size: Intervals over which each point is the mean.
        color, label: The curve's.
    """
    size = min(size, values.shape[1])
    points = values.shape[1] // size
    means = values[:, : points * size].reshape(len(values), points, size).mean(axis=-1)
    at = size * (np.arange(points) + 0.5)
    axes.plot(at, means.mean(axis=0), color=color, label=label)
    axes.fill_between(at, means.min(axis=0), means.max(axis=0), color=color, alpha=0.15, lw=0)


def draw_channels(path: Path, title: str, airtimes_s: Mapping[str, NDArray[np.float64]], rules: Sequence[str]) -> None:
    """Draws channel by time of every network and label, a few labels to a row; see `channel_panels`."""
    labels = list(airtimes_s)
    starts = range(0, len(labels), _PANELS)
    rows = [{label: airtimes_s[label] for label in labels[start : start + _PANELS]} for start in starts]
    size = 4.6 * min(len(airtimes_s), _PANELS) + 1, (1.7 * len(rules) + 0.6) * len(rows) + 0.6
    figure = Figure(figsize=size, layout="constrained")
    highest = max(float(airtime_s.max()) for airtime_s in airtimes_s.values())
    for part, by_label in zip(figure.subfigures(len(rows), squeeze=False).ravel(), rows, strict=True):
        channel_panels(part, by_label, rules, highest)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


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
