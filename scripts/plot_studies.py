"""Pictures of studies: how regret grows, and the front of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

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
