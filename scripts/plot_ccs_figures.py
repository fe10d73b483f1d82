"""Pictures of coexisting networks beside the figures of paper 000."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure, SubFigure

from scripts.claims.ccs_gains import KPIS
from scripts.claims.ccs_reads import mean, paired
from scripts.plot_coexistence import band, channel_panels

if TYPE_CHECKING:
    from scripts.claims.claim import Numbers

_SMOOTH = 5
"""Intervals that a point of a curve is the mean of."""


def draw_moving(path: Path, numbers: Numbers, *, panels: Mapping[str, Mapping[str, str]], stretch: int) -> None:
    """PRR over time, dotted where interference moves, and below it who used which channel on the first seed.

    Args:
        path: Of the PNG file.
        numbers: Cells; those that were not played are left out.
        panels: Cells by regime and way.
        stretch: Intervals between two moves.
    """
    most = max(len(regime) for regime in panels)
    figure = Figure(figsize=(9.5 * len(panels), 3.6 + 1.7 * most), layout="constrained")
    parts = figure.subfigures(1, len(panels), squeeze=False)[0]
    for part, (regime, names) in zip(parts, panels.items(), strict=True):
        played = {way: name for way, name in names.items() if name in numbers}
        above, below = part.subfigures(2, 1, height_ratios=(3.0, 1.7 * most))
        _curves(above, regime, numbers, played, stretch)
        airtimes_s = {way: numbers[name].airtime_s for way, name in played.items()}
        known = {way: airtime_s for way, airtime_s in airtimes_s.items() if airtime_s is not None}
        if known:
            channel_panels(below, known, list(regime))
    figure.savefig(path, dpi=100)


def _curves(part: SubFigure, regime: str, numbers: Numbers, played: Mapping[str, str], stretch: int) -> None:
    axes, intervals = part.subplots(), 0
    for number, (way, name) in enumerate(played.items()):
        prr = np.array([[row["prr"] for row in curve] for curve in numbers[name].curves])
        overlap, switches = (mean(numbers[name].extra[each]) for each in ("overlap", "switches"))
        label = f"{way}: overlap {overlap:.2f}, busiest channel changes in {100.0 * switches:.0f} % of intervals"
        band(axes, prr, _SMOOTH, color=f"C{number}", label=label)
        intervals = prr.shape[1]
    for move in range(stretch, intervals, stretch):
        axes.axvline(move, color="black", lw=0.8, ls=":")
    axes.set(xlabel="interval", ylabel="PRR", xlim=(0, intervals), title=f"{regime}: mean and band over seeds")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def draw_gains(path: Path, numbers: Numbers, *, panels: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> None:
    """Gains of every network and of all together: mean over seeds and vendors, whiskers over vendors.

    Args:
        path: Of the PNG file.
        numbers: Cells; a panel of which one was not played stays empty.
        panels: By title: cells of the service by vendor, then of independent learners; and what each network is.
    """
    figure = Figure(figsize=(5.5 * len(panels) + 1, 4), layout="constrained")
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
    figure.savefig(path, dpi=110)
