"""Pictures of studies of coexisting networks: regimes, attacks, privacy, moving interference, sweeps, ablations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import SubFigure

from scripts.runs.coexistence.plots import channel_panels, smoothed
from scripts.runs.figures import Band, draw_line, paper_figure, save
from scripts.studies.ccs.readings import KPIS, mean, paired

if TYPE_CHECKING:
    from scripts.studies.claim import CellResult, Results


def draw_regimes(path: Path, numbers: Results, *, study: str) -> None:
    """Draws PRR by regime and label: mean over seeds and vendors; whiskers from the smallest to the largest."""
    prr: dict[str, dict[str, list[float]]] = {}
    for name, played in numbers.items():
        _, regime, cell = name.split("/")
        head, _, tail = cell.rpartition("-")
        label = head if tail.isdigit() else cell
        prr.setdefault(label, {}).setdefault(regime, []).extend(played.extra["prr"])
    regimes = list(dict.fromkeys(name.split("/")[1] for name in numbers))
    figure = paper_figure(2.2 * len(regimes) + 2, 5)
    axes, width = figure.add_subplot(), 0.8 / max(len(prr), 1)
    for place, (label, by_regime) in enumerate(prr.items()):
        at = [regimes.index(regime) + (place + 0.5) * width - 0.4 for regime in by_regime]
        means = np.array([np.mean(values) for values in by_regime.values()])
        reach = [means - [min(v) for v in by_regime.values()], [max(v) for v in by_regime.values()] - means]
        axes.bar(at, means, width, label=label, yerr=reach, error_kw={"lw": 0.7})
    axes.set_xticks(range(len(regimes)), regimes)
    axes.set(ylabel="PRR", title=f"{study}: seeds and vendors (whiskers: smallest to largest)")
    figure.legend(loc="outside right center", fontsize="small", frameon=False)
    axes.grid(axis="y", alpha=0.3)
    save(figure, path)


SUFFIXES = {"": "defended", " undefended": "undefended", "-median": "defended, median of others"}


def draw_attacks(path: Path, numbers: Results, *, study: str) -> None:
    """Draws what the honest networks gain in the mean, by attack and regime, with and without defences."""
    by_regime = _by_regime(numbers)
    figure = paper_figure(11, 3.2 * len(by_regime))
    for place, (regime, cells) in enumerate(by_regime.items()):
        axes = figure.add_subplot(len(by_regime), 1, place + 1)
        attacks = [name for name in cells if not name.endswith((*list(SUFFIXES)[1:], "-5"))]
        for number, (suffix, label) in enumerate(SUFFIXES.items()):
            heights = [_gain(cells, name + suffix, range(1, len(regime))) for name in attacks]
            axes.bar(np.arange(len(attacks)) + 0.27 * (number - 1), heights, 0.27, label=label)
        axes.axhline(-5.0, color="black", lw=0.8, ls="--")
        axes.set_xticks(range(len(attacks)), attacks, rotation=25, ha="right", fontsize="small")
        axes.set(ylabel="gain in PRR [%]", title=f"{study}: {regime}, honest networks over independent learning")
        axes.grid(axis="y", alpha=0.3)
        if not place:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False)
    save(figure, path)


def draw_privacy(path: Path, numbers: Results, *, study: str) -> None:
    """Draws the gain in PRR by epsilon, a line for each regime and clipping norm; dotted: without privacy."""
    figure = paper_figure(8, 4.5)
    axes = figure.add_subplot()
    for regime, cells in _by_regime(numbers).items():
        curves: dict[str, list[tuple[float, float]]] = {}
        for name in cells:
            if name.startswith("epsilon "):
                epsilon, clip = name.removeprefix("epsilon ").split(", clip ")
                if math.isfinite(float(epsilon)):
                    point = float(epsilon), _gain(cells, name, range(len(regime)))
                    curves.setdefault(clip, []).append(point)
        for clip, points in curves.items():
            (line,) = axes.plot(*zip(*sorted(points), strict=True), marker="o", label=f"{regime}, clip {clip}")
            without = _gain(cells, "none", range(len(regime)))
            axes.axhline(without, color=line.get_color(), lw=0.8, ls=":")
    axes.set(xscale="log", xlabel="epsilon of a run (delta 1e-5)", ylabel="gain in PRR [%]", title=study)
    axes.legend(fontsize="small", frameon=False)
    axes.grid(alpha=0.3)
    save(figure, path)


def _by_regime(numbers: Results) -> dict[str, dict[str, CellResult]]:
    cells: dict[str, dict[str, CellResult]] = {}
    for name, played in numbers.items():
        _, regime, cell = name.split("/")
        cells.setdefault(regime, {})[cell] = played
    return cells


def _gain(cells: dict[str, CellResult], name: str, networks: range) -> float:
    """Mean over seeds and networks of the gain in PRR over independent learners; nan where there are none. percent"""
    alone = next((played for cell, played in cells.items() if cell.startswith("independent-")), None)
    if alone is None or name not in cells:
        return math.nan
    both = [(cells[name].extra[f"prr_{s}"], alone.extra[f"prr_{s}"]) for s in networks]
    return 100.0 * float(np.mean([np.divide(*map(np.asarray, pair)) - 1.0 for pair in both]))


_SMOOTH = 5
"""Intervals over which each point of a curve is the mean."""


def draw_moving(path: Path, numbers: Results, *, panels: Mapping[str, Mapping[str, str]], move_every: int) -> None:
    """Draws PRR over time, dotted where interference moves, and below it who used which channel on the first seed.

    Args:
        path: Of the PNG file.
        numbers: Cells; those that were not played are left out.
        panels: Cells by regime and label.
        move_every: Intervals between two moves of interference.
    """
    most = max(len(regime) for regime in panels)
    figure = paper_figure(9.5 * len(panels), 3.6 + 1.7 * most)
    parts = figure.subfigures(1, len(panels), squeeze=False)[0]
    for part, (regime, names) in zip(parts, panels.items(), strict=True):
        played = {label: name for label, name in names.items() if name in numbers}
        above, below = part.subfigures(2, 1, height_ratios=(3.0, 1.7 * most))
        _curves(above, regime, numbers, played, move_every)
        airtimes_s = {label: numbers[name].airtime_s for label, name in played.items()}
        stored = {label: airtime_s for label, airtime_s in airtimes_s.items() if airtime_s is not None}
        if stored:
            channel_panels(below, stored, list(regime))
    save(figure, path)


def _curves(part: SubFigure, regime: str, numbers: Results, played: Mapping[str, str], move_every: int) -> None:
    axes, intervals = part.subplots(), 0
    for number, (label, name) in enumerate(played.items()):
        prr = np.array([[row["prr"] for row in curve] for curve in numbers[name].curves])
        overlap, switches = (mean(numbers[name].extra[measure]) for measure in ("overlap", "switches"))
        text = f"{label}: overlap {overlap:.2f}, busiest channel changes in {100.0 * switches:.0f} % of intervals"
        draw_line(axes, number, *smoothed(prr, _SMOOTH), Band.interval, 1.0, label=text)
        intervals = prr.shape[1]
    for move in range(move_every, intervals, move_every):
        axes.axvline(move, color="black", lw=0.8, ls=":")
    axes.set(xlabel="interval", ylabel="PRR", xlim=(0, intervals), title=f"{regime}: mean and 95 % interval")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def draw_gains(path: Path, numbers: Results, *, panels: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> None:
    """Draws the gains of every network and of all together: mean over seeds and vendors, whiskers over vendors.

    Args:
        path: Of the PNG file.
        numbers: Cells; a panel of which one was not played stays empty.
        panels: By title: cells of the service by vendor, then of independent learners; and what each network is.
    """
    figure = paper_figure(5.5 * len(panels) + 1, 4)
    figure.suptitle("gain by the service (mean over seeds and vendors; whiskers: smallest to largest vendor)")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, (names, rules)) in zip(grid, panels.items(), strict=True):
        axes.set(title=title, ylabel="gain [%]")
        axes.set_xticks(range(len(rules) + 1), [f"network {s}\n({rule})" for s, rule in enumerate(rules)] + ["all"])
        axes.axhline(0.0, color="black", lw=0.8)
        axes.grid(axis="y", alpha=0.3)
        if not all(name in numbers for name in names):
            continue
        played = [numbers[name] for name in names]
        for number, (kpi, sign) in enumerate(KPIS.items()):
            measures = [*(f"{kpi}_{s}" for s in range(len(rules))), kpi]
            vendors = np.array([[mean(gains) for gains in paired(measure, sign, played)] for measure in measures])
            means = vendors.mean(axis=1)
            whiskers = (means - vendors.min(axis=1), vendors.max(axis=1) - means)
            at = np.arange(len(measures)) + 0.25 * (number - 1)
            axes.bar(at, means, 0.25, yerr=whiskers, label=kpi.split("_")[0].upper(), error_kw={"lw": 0.8})
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    save(figure, path)


Panels = Mapping[str, Mapping[str, Mapping[float, Sequence[str]]]]
"""Cells by panel, label and place on the axis, of all vendors."""


def draw_sweep(path: Path, numbers: Results, *, axis: str, panels: Panels) -> None:
    """Draws PRR over a number, a line for each label: mean over vendors and seeds, band over seeds.

    Args:
        path: Of the PNG file.
        numbers: Cells; those that were not played are left out.
        axis: What the number is.
        panels: Which cells belong where.
    """
    figure = paper_figure(4.4 * len(panels) + 2.2, 4.2)
    figure.suptitle("mean over seeds and vendors; band: smallest to largest seed")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, labels) in zip(grid, panels.items(), strict=True):
        for number, (label, by_place) in enumerate(labels.items()):
            played = {at: [numbers[name].extra["prr"] for name in names if name in numbers]
                      for at, names in by_place.items()}  # fmt: skip
            seeds = {at: np.mean(values, axis=0) for at, values in played.items() if values}
            means, low, high = ([reduce(values) for values in seeds.values()] for reduce in (np.mean, np.min, np.max))
            axes.plot(list(seeds), means, "o-", ms=3, color=f"C{number}", label=label)
            axes.fill_between(list(seeds), low, high, color=f"C{number}", alpha=0.15, lw=0)
        axes.set(title=title, xlabel=axis)
        axes.grid(alpha=0.3)
    grid[0].set(ylabel="PRR", ylim=(0.0, 1.0))
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    save(figure, path)


def draw_ablations(
    path: Path,
    numbers: Results,
    *,
    variants: Sequence[str],
    regimes: Sequence[str],
    read: Callable[[Results, str, str], list[float]],
) -> None:
    """Draws the gain in PRR over independent learners, a panel for each regime: mean over seeds, dots are seeds.

    Args:
        path: Of the PNG file.
        numbers: Cells that were played.
        variants: From top to bottom; a line is drawn at the first one.
        regimes: From left to right.
        read: Gains of a regime and variant, by seed.
    """
    figure = paper_figure(2.6 * len(regimes) + 3, 0.28 * len(variants) + 1.4)
    figure.suptitle("gain in PRR [%]: mean over seeds; dots: seeds; line: the first one")
    for axes, regime in zip(figure.subplots(1, len(regimes), sharey=True, squeeze=False)[0], regimes, strict=True):
        for row, variant in enumerate(variants):
            values = read(numbers, regime, variant)
            if values:
                axes.barh(row, np.mean(values), height=0.7, color=f"C{int(row > 0)}", alpha=0.6)
                axes.plot(values, [row] * len(values), ".", color="0.25", ms=3)
            if values and row == 0:
                axes.axvline(float(np.mean(values)), color="C0", lw=0.8)
        axes.set(title=regime)
        axes.grid(axis="x", alpha=0.3)
    figure.axes[0].set_yticks(range(len(variants)), variants)
    figure.axes[0].invert_yaxis()
    save(figure, path)
