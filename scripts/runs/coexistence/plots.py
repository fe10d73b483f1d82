"""Pictures of runs of coexisting networks: curves over intervals, and channel by time of every network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from scripts.runs.metrics import Row

_AXES = {"prr": "PRR", "epn_mj": "energy per delivered frame [mJ]", "overlap": "overlap of channel use"}
_WAYS = 4
"""Of a row of a picture."""

_SMOOTH = 10
"""Intervals that a point of a curve is the mean of."""


def draw_curves(path: Path, title: str, curves: Mapping[str, Sequence[Sequence[Row]]]) -> None:
    """Numbers over intervals, means over ten: mean and band over seeds."""
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
    """Means of `size` intervals over time: mean over seeds, band from the smallest to the largest. `[seeds, T]`"""
    size = min(size, values.shape[1])
    points = values.shape[1] // size
    means = values[:, : points * size].reshape(len(values), points, size).mean(axis=-1)
    at = size * (np.arange(points) + 0.5)
    axes.plot(at, means.mean(axis=0), color=color, label=label)
    axes.fill_between(at, means.min(axis=0), means.max(axis=0), color=color, alpha=0.15, lw=0)


def draw_channels(path: Path, title: str, airtimes_s: Mapping[str, NDArray[np.float64]], rules: Sequence[str]) -> None:
    """Channel by time of every network and way, some ways to a row; see `channel_panels`."""
    left = iter(airtimes_s.items())
    rows = list(iter(lambda: dict(islice(left, _WAYS)), {}))
    size = 4.6 * min(len(airtimes_s), _WAYS) + 1, (1.7 * len(rules) + 0.6) * len(rows) + 0.6
    figure = Figure(figsize=size, layout="constrained")
    highest = max(float(airtime_s.max()) for airtime_s in airtimes_s.values())
    for part, ways in zip(figure.subfigures(len(rows), squeeze=False).ravel(), rows, strict=True):
        channel_panels(part, ways, rules, highest)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def channel_panels(
    figure: Figure | SubFigure,
    airtimes_s: Mapping[str, NDArray[np.float64]],
    rules: Sequence[str],
    highest: float | None = None,
) -> None:
    """Airtime by channel and interval: a row of panels for each network, a column for each way.

    Args:
        figure: To draw on.
        airtimes_s: By way. `[T, S, C]` s
        rules: What decides in each network. `[S]`
        highest: Of the scale; None: that of these ways. s
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
