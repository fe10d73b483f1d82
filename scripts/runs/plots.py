"""Pictures of a run, drawn without a display: curves over time, what is used, the map of nodes.

Learning curves of runs on the closed form.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lora_marl.core.scenario import Scenario
from scripts.runs.metrics import Row

_CURVES = {"pdr": ("PDR [%]", 100.0), "ee_bits_per_mj": ("energy efficiency [bits/mJ]", 1.0)}
_USAGE = {"sf": "spreading factor", "bw": "bandwidth [kHz]", "channel": "channel", "tp": "transmit power [dBm]"}
_LEGEND_INSIDE = 4


def draw_curves(
    path: Path,
    title: str,
    curves: Mapping[str, Sequence[Sequence[Row]]],
    *,
    changes_h: Sequence[float] = (),
    dashed: Collection[str] = (),
) -> None:
    """PDR and energy efficiency over training: mean over seeds, and a band from the lowest to the highest seed.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        curves: Rows of metrics by learner and seed.
        changes_h: Times at which the scenario changes, as vertical lines. h
        dashed: Learners whose lines are dashed.
    """
    many = len(curves) > _LEGEND_INSIDE
    figure = Figure(figsize=(13 if many else 11, 4), layout="constrained")
    figure.suptitle(f"{title} (mean; band: smallest to largest seed)")
    for axes, (metric, (name, factor)) in zip(figure.subplots(1, 2), _CURVES.items(), strict=True):
        for (label, seeds), colour in zip(curves.items(), _colours(len(curves)), strict=True):
            trained = [[row for row in rows if not row["evaluation"]] for rows in seeds]
            time_h = [row["time_h"] for row in trained[0]]
            values = factor * np.array([[row[metric] for row in rows] for rows in trained])
            axes.plot(time_h, values.mean(axis=0), label=label, color=colour, ls="--" if label in dashed else "-")
            axes.fill_between(time_h, values.min(axis=0), values.max(axis=0), alpha=0.25, color=colour, lw=0)
        for change_h in changes_h:
            axes.axvline(change_h, color="black", lw=1, ls=":")
        axes.set(xlabel="simulated time [h]", ylabel=name)
        axes.grid(alpha=0.3)
    if many:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right center")
    else:
        axes.legend()
    figure.savefig(path, dpi=120)


def draw_usage(path: Path, title: str, usage: Mapping[str, Sequence[Row]]) -> None:
    """Share of packets by value of each factor that has several: bars per learner, whiskers over seeds.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        usage: Reported rows by learner and seed, with their `sent_` columns.
    """
    shares = {label: [_shares(row) for row in rows] for label, rows in usage.items()}
    first = next(iter(shares.values()))[0]
    factors = {prefix: name for prefix, name in _USAGE.items() if len(first[prefix]) > 1}
    figure = Figure(figsize=(1.5 + 4 * len(factors), 3.8), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(factors), squeeze=False)[0] if factors else []
    for axes, (prefix, name) in zip(panels, factors.items(), strict=True):
        _draw_bars(axes, {label: [row[prefix] for row in rows] for label, rows in shares.items()})
        axes.set(xlabel=name, ylabel="share of packets [%]")
    if factors:
        panels[-1].legend()
    figure.savefig(path, dpi=120)


def draw_shares(path: Path, title: str, usage: Mapping[str, Sequence[Row]]) -> None:
    """Share of packets by value of each factor that has several: a line per learner, means over seeds as percentages.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        usage: Reported rows by learner and seed, with their `sent_` columns.
    """
    shares = {label: [_shares(row) for row in rows] for label, rows in usage.items()}
    first = next(iter(shares.values()))[0]
    factors = {prefix: name for prefix, name in _USAGE.items() if len(first[prefix]) > 1}
    widths = [0.5 + len(first[prefix]) for prefix in factors] or [1.0]
    figure = Figure(figsize=(2.2 + 0.55 * sum(widths), 1.5 + 0.36 * len(shares)), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    for number, (axes, (prefix, name)) in enumerate(zip(panels, factors.items(), strict=bool(factors))):
        mean = np.array([np.mean([list(row[prefix].values()) for row in rows], axis=0) for rows in shares.values()])
        axes.imshow(mean, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for (line, column), share in np.ndenumerate(mean):
            axes.text(column, line, f"{share:.0f}", ha="center", va="center", color="white" if share > 60 else "black")
        axes.set_xticks(range(mean.shape[1]), list(first[prefix]))
        axes.set_yticks(range(len(shares)), list(shares) if number == 0 else [""] * len(shares))
        axes.tick_params(length=0)
        axes.set_xlabel(name)
    figure.savefig(path, dpi=120)


def draw_map(
    path: Path,
    title: str,
    scenario: Scenario,
    points: Mapping[str, NDArray[np.int16]],
    replica: int,
    *,
    at_most: int = 6,
) -> None:
    """Draws the nodes of a network, coloured by spreading factor, in one panel per learner.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        scenario: The network.
        points: Operating points `[N, 4]` by learner.
        replica: Whose positions to draw, where replicas differ.
        at_most: Panels in a row.
    """
    node_xy_m = scenario.node_xy_m if scenario.node_xy_m.ndim == 2 else scenario.node_xy_m[replica]
    factors = scenario.region.spreading_factors
    colours = colormaps["viridis"](np.linspace(0, 1, len(factors)))
    lines = -(-len(points) // at_most)
    columns = -(-len(points) // lines)
    size = 4.4 if len(points) <= 4 else 3.2
    figure = Figure(figsize=(1.2 + size * columns, 0.2 + size * lines), layout="constrained")
    figure.suptitle(f"{title} (spreading factor chosen last)")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, (label, chosen) in zip(panels, points.items(), strict=False):
        for index, (sf, colour) in enumerate(zip(factors, colours, strict=True)):
            axes.scatter(*node_xy_m[chosen[:, 0] == index].T, color=colour, s=18, label=f"SF{sf}")
        axes.scatter(*scenario.gateway_xy_m.T, marker="^", color="red", s=60, label="gateway")
        axes.set(title=label, xlabel="x [m]", ylabel="y [m]", aspect="equal")
    for axes_left in panels[len(points) :]:
        axes_left.remove()
    figure.legend(*axes.get_legend_handles_labels(), fontsize="small", loc="outside right center")
    figure.savefig(path, dpi=120)


def _colours(count: int) -> list[Any]:
    """As many as there are lines; the default cycle while it lasts."""
    return [colormaps["tab10" if count <= 10 else "tab20"](number % 20) for number in range(count)]


def _shares(row: Row) -> dict[str, dict[str, float]]:
    """Percentages by factor and value."""
    shares: dict[str, dict[str, float]] = {}
    for prefix in _USAGE:
        start = f"sent_{prefix}"
        counts = {
            name.removeprefix(start).rstrip("dbmkhz"): count for name, count in row.items() if name.startswith(start)
        }
        total = sum(counts.values()) or 1.0
        shares[prefix] = {value: 100 * count / total for value, count in counts.items()}
    return shares


def _draw_bars(axes: Any, shares: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    width = 0.8 / len(shares)
    for number, (label, rows) in enumerate(shares.items()):
        values = np.array([list(row.values()) for row in rows])
        mean = values.mean(axis=0)
        reach = np.stack([mean - values.min(axis=0), values.max(axis=0) - mean])
        places = np.arange(values.shape[1]) + (number - (len(shares) - 1) / 2) * width
        axes.bar(places, mean, width, yerr=reach, label=label, error_kw={"lw": 0.8})
    names = list(next(iter(shares.values()))[0])
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 16 else 0, fontsize="small")


_AXES = {
    "ee_bits_per_mj": "EE [bits/mJ]",
    "pdr": "mean delivery",
    "violations": "nodes below the least delivery",
    "attention_entropy": "entropy of attention [nats]",
}


def draw_energy_curves(path: Path, title: str, curves: Mapping[str, Sequence[Sequence[Row]]]) -> None:
    """Numbers over episodes: mean and band over seeds; planners, which have one row, as dotted lines."""
    figure = Figure(figsize=(13, 7.5), layout="constrained")
    figure.suptitle(f"{title} (mean; band: smallest to largest seed)")
    for axes, (column, name) in zip(figure.subplots(2, 2).ravel(), _AXES.items(), strict=True):
        for place, (label, by_seed) in enumerate(curves.items()):
            if column not in by_seed[0][0]:
                continue
            values = np.array([[row[column] for row in curve] for curve in by_seed])
            episodes, color = [row["episode"] for row in by_seed[0]], f"C{place % 10}"
            if len(episodes) == 1:
                axes.axhline(values.mean(), ls=":", color=color, label=label)
            else:
                axes.plot(episodes, values.mean(axis=0), color=color, label=label)
                axes.fill_between(episodes, values.min(axis=0), values.max(axis=0), color=color, alpha=0.2, lw=0)
        axes.set(xlabel="episode", ylabel=name)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=110)
