"""Pictures of D-LoRa's studies, with the papers' numbers as crosses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.runs.figures import Band, draw_line, paper_figure, save
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
"""The numbers that a paper prints, by learner, position on the axis and metric."""


def draw_sweep(path: Path, title: str, axis: str, metrics: Sequence[str], numbers: Results, paper: Paper) -> None:
    """Draw metrics over the number at the end of the cells' names, one line per learner, with whiskers over seeds.

    Args:
        path: Where the PNG file goes.
        title: Title of the picture.
        axis: What that number is.
        metrics: One panel each.
        numbers: Results of cells named `study/learner-number`.
        paper: Drawn as crosses in the learner's colour.
    """
    lines: dict[str, dict[int, CellResult]] = {}
    for name, result in numbers.items():
        learner, _, position = name.partition("/")[2].rpartition("-")
        lines.setdefault(learner, {})[int(position)] = result
    figure = paper_figure(5.2 * len(metrics), 4.4)
    figure.suptitle(f"{title} (whiskers: 95 % interval; crosses: paper)")
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for learner, results in lines.items():
            positions = sorted(results)
            values = np.array([results[position].values(metric) for position in positions])
            mean = values.mean(axis=1)
            ends = Band.interval.ends(values.T, 100.0 if metric == "pdr_percent" else None)
            reach = None if ends is None else [mean - ends[0], ends[1] - mean]
            drawn = axes.errorbar(positions, mean, yerr=reach, label=learner, capsize=2, marker="o", ms=3)
            printed = {position: row[metric] for position, row in paper.get(learner, {}).items() if metric in row}
            axes.plot(list(printed), list(printed.values()), "x", color=drawn.lines[0].get_color(), ms=9)
        axes.set(xlabel=axis, ylabel=NAMES[metric])
        axes.grid(alpha=0.3)
    panels[-1].legend(fontsize="small")
    save(figure, path)


def draw_convergence(path: Path, numbers: Results, *, title: str) -> None:
    """Draw PDR and EE over time: mean over seeds, and its 95 % interval."""
    figure = paper_figure(11, 4.2)
    figure.suptitle(f"{title} (band: 95 % interval)")
    _curves(figure.subplots(1, 2), numbers, every_h=20.0)
    save(figure, path)


def draw_shares(path: Path, numbers: Results, *, title: str, prefix: str) -> None:
    """Draw the share of packets sent with each value of a factor, in the reported part of the run."""
    figure = paper_figure(6, 4.2)
    figure.suptitle(title)
    axes = figure.subplots()
    _bars(axes, {name.partition("/")[2]: (result, None) for name, result in numbers.items()}, prefix)
    save(figure, path)


def draw_change(path: Path, numbers: Results, *, title: str, change_h: float) -> None:
    """Draw PDR and EE around a change, and the use of channels before it and at the end."""
    figure = paper_figure(11, 8)
    figure.suptitle(f"{title} (band: 95 % interval)")
    above, below = figure.subplots(2, 2)
    _curves(above, numbers, every_h=5.0)
    for axes in above:
        axes.axvline(change_h, color="black", lw=0.8, ls=":")
    results = {name.partition("/")[2]: result for name, result in numbers.items()}
    for axes, until_h, when in ((below[0], change_h, "before the change"), (below[1], None, "at the end")):
        _bars(axes, {label: (result, until_h) for label, result in results.items()}, "sent_channel")
        axes.set_title(when)
    save(figure, path)


def _curves(panels: Sequence[Any], numbers: Results, every_h: float) -> None:
    """PDR and EE over time on two axes, a point for every `every_h` hours."""
    for axes, (metric, factor) in zip(panels, (("pdr", 100.0), ("ee_bits_per_mj", 1.0)), strict=True):
        for number, (name, result) in enumerate(numbers.items()):
            curves = [thinned(curve, every_h) for curve in result.curves]
            time_h = [row["time_h"] for row in curves[0]]
            values = factor * np.array([[row[metric] for row in curve] for curve in curves])
            highest, label = 100.0 if metric == "pdr" else None, name.partition("/")[2]
            draw_line(axes, number, time_h, values, Band.interval, highest, label=label)
        axes.set(xlabel="simulated time [h]", ylabel=NAMES["pdr_percent" if metric == "pdr" else metric])
        axes.grid(alpha=0.3)
    panels[-1].legend(fontsize="small")


def _bars(axes: Any, results: Mapping[str, tuple[CellResult, float | None]], prefix: str) -> None:
    """Percentages of packets by value of a factor, for each label: its result, and the end of the part in h."""
    columns = [name for name in next(iter(results.values()))[0].curves[0][0] if name.startswith(prefix)]
    width = 0.8 / len(results)
    for number, (label, (result, until_h)) in enumerate(results.items()):
        shares = [float(np.mean(result.values(column, until_h))) for column in columns]
        axes.bar(np.arange(len(columns)) + (number - (len(results) - 1) / 2) * width, shares, width, label=label)
    axes.set_xticks(range(len(columns)), [name.removeprefix(prefix).rstrip("dbm") for name in columns])
    axes.set(xlabel=_AXES[prefix], ylabel="share of packets [%]")
    axes.legend(fontsize="small")
