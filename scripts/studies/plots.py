"""Pictures of studies: how regret grows, and the front of a sweep.

Pictures of reproduced studies, with the papers' numbers as crosses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scripts.runs.metrics import thinned

if TYPE_CHECKING:
    from scripts.studies.claim import CellResult, Results


NAMES = {
    "pdr_percent": "PDR [%]",
    "ee_bits_per_mj": "EE [bits/mJ]",
    "bits_per_airtime_s": "TH [bits/s of airtime]",
}
_AXES = {"sent_sf": "spreading factor", "sent_channel": "channel", "sent_tp": "transmit power [dBm]"}

Paper = Mapping[str, Mapping[int, Mapping[str, float]]]
"""What a paper prints, by learner, place on the axis and metric."""


def draw_sweep(path: Path, title: str, axis: str, metrics: Sequence[str], numbers: Results, paper: Paper) -> None:
    """Metrics over the number at the end of the cells' names, one line per learner; whiskers from seed to seed.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        axis: What that number is.
        metrics: One panel each.
        numbers: Cells named `study/learner-number`.
        paper: Drawn as crosses in the learner's colour.
    """
    lines: dict[str, dict[int, CellResult]] = {}
    for name, played in numbers.items():
        learner, _, place = name.partition("/")[2].rpartition("-")
        lines.setdefault(learner, {})[int(place)] = played
    figure = Figure(figsize=(5.2 * len(metrics), 4.4), layout="constrained")
    figure.suptitle(f"{title} (whiskers: smallest to largest seed; crosses: paper)")
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for learner, by_place in lines.items():
            places = sorted(by_place)
            values = np.array([by_place[place].values(metric) for place in places])
            mean = values.mean(axis=1)
            reach = [mean - values.min(axis=1), values.max(axis=1) - mean]
            drawn = axes.errorbar(places, mean, yerr=reach, label=learner, capsize=2, marker="o", ms=3)
            printed = {at: row[metric] for at, row in paper.get(learner, {}).items() if metric in row}
            axes.plot(list(printed), list(printed.values()), "x", color=drawn.lines[0].get_color(), ms=9)
        axes.set(xlabel=axis, ylabel=NAMES[metric])
        axes.grid(alpha=0.3)
    panels[-1].legend(fontsize="small")
    figure.savefig(path, dpi=120)


def draw_convergence(path: Path, numbers: Results, *, title: str) -> None:
    """PDR and EE over time."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    figure.suptitle(f"{title} (band: smallest to largest seed)")
    _curves(figure.subplots(1, 2), numbers, every_h=20.0)
    figure.savefig(path, dpi=120)


def draw_shares(path: Path, numbers: Results, *, title: str, prefix: str) -> None:
    """Which values of a factor the packets are sent with, in the part that is reported."""
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots()
    _bars(axes, {name.partition("/")[2]: (played, None) for name, played in numbers.items()}, prefix)
    figure.savefig(path, dpi=120)


def draw_change(path: Path, numbers: Results, *, title: str, change_h: float) -> None:
    """PDR and EE around a change, and the channels used before it and at the end."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    figure.suptitle(f"{title} (band: smallest to largest seed)")
    above, below = figure.subplots(2, 2)
    _curves(above, numbers, every_h=5.0)
    for axes in above:
        axes.axvline(change_h, color="black", lw=0.8, ls=":")
    labels = {name.partition("/")[2]: played for name, played in numbers.items()}
    for axes, until_h, when in ((below[0], change_h, "before the change"), (below[1], None, "at the end")):
        _bars(axes, {label: (played, until_h) for label, played in labels.items()}, "sent_channel")
        axes.set_title(when)
    figure.savefig(path, dpi=120)


def _curves(panels: Sequence[Any], numbers: Results, every_h: float) -> None:
    for axes, (metric, factor) in zip(panels, (("pdr", 100.0), ("ee_bits_per_mj", 1.0)), strict=True):
        for name, played in numbers.items():
            curves = [thinned(curve, every_h) for curve in played.curves]
            time_h = [row["time_h"] for row in curves[0]]
            values = factor * np.array([[row[metric] for row in curve] for curve in curves])
            (line,) = axes.plot(time_h, values.mean(axis=0), label=name.partition("/")[2], lw=1)
            axes.fill_between(time_h, values.min(axis=0), values.max(axis=0), alpha=0.2, color=line.get_color(), lw=0)
        axes.set(xlabel="simulated time [h]", ylabel=NAMES["pdr_percent" if metric == "pdr" else metric])
        axes.grid(alpha=0.3)
    panels[-1].legend(fontsize="small")


def _bars(axes: Any, played: Mapping[str, tuple[CellResult, float | None]], prefix: str) -> None:
    """Percentages of packets by value of a factor, until a time or the end."""
    columns = [name for name in next(iter(played.values()))[0].curves[0][0] if name.startswith(prefix)]
    width = 0.8 / len(played)
    for number, (label, (cell, until_h)) in enumerate(played.items()):
        shares = [float(np.mean(cell.values(column, until_h))) for column in columns]
        axes.bar(np.arange(len(columns)) + (number - (len(played) - 1) / 2) * width, shares, width, label=label)
    axes.set_xticks(range(len(columns)), [name.removeprefix(prefix).rstrip("dbm") for name in columns])
    axes.set(xlabel=_AXES[prefix], ylabel="share of packets [%]")
    axes.legend(fontsize="small")


Curves = Mapping[str, NDArray[np.float64]]


def draw_regret(
    path: Path, title: str, times: NDArray[np.int64], regret: Mapping[str, Curves], bounds: Mapping[str, Curves]
) -> None:
    """Cumulative regret over packets, both axes logarithmic, one panel per currency.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        times: `[P]`
        regret: By currency and learner `[P, B]`: mean, and a band from the lowest to the highest seed.
        bounds: By currency and learner `[P]`, drawn dashed in the learner's colour.
    """
    figure = Figure(figsize=(5.5 * len(regret), 4.4), layout="constrained")
    figure.suptitle(f"{title} (mean; band: smallest to largest seed; dashed: bound)")
    for axes, (currency, curves) in zip(figure.subplots(1, len(regret), squeeze=False)[0], regret.items(), strict=True):
        for label, values in curves.items():
            (line,) = axes.plot(times, values.mean(axis=1), label=label)
            colour = line.get_color()
            axes.fill_between(times, values.min(axis=1), values.max(axis=1), alpha=0.2, color=colour, lw=0)
            if label in bounds.get(currency, {}):
                axes.plot(times, bounds[currency][label], color=colour, ls="--", lw=0.9)
        axes.set(xscale="log", yscale="log", xlabel="packets", ylabel=f"regret [{currency}]")
        axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def draw_front(
    path: Path,
    title: str,
    values: NDArray[np.float64],
    spread: NDArray[np.float64],
    front: NDArray[np.bool_],
    names: Sequence[str],
) -> None:
    """PDR against energy efficiency, throughput as colour, points of the front ringed and named.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        values: PDR in %, EE in bits/mJ, TH in bits per second of airtime, of every point `[P, 3]`.
        spread: Their standard deviations over seeds; nan: none is drawn `[P, 3]`.
        front: Which points nothing else dominates `[P]`.
        names: Of the points.
    """
    figure = Figure(figsize=(8, 5.5), layout="constrained")
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
    for place in np.flatnonzero(front).tolist():
        pdr, ee = values[place, :2].tolist()
        side, dx = ("right", -7) if ee > middle else ("left", 7)  # names stay within the picture
        axes.annotate(names[place], (ee, pdr), (dx, 5), textcoords="offset points", fontsize="x-small", ha=side)
    axes.set(xlabel="energy efficiency [bits/mJ]", ylabel="PDR [%]")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.colorbar(shown, label="throughput [bits/s of airtime]")
    figure.savefig(path, dpi=120)
