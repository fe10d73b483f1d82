"""Pictures of a run, drawn without a display: curves over time, what is used, the map of nodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lora_marl.core.scenario import Scenario
from scripts.runs.figures import (
    COLOURS,
    MOST_LINES,
    PAGE_INCH,
    Band,
    draw_line,
    groups_of_lines,
    paper_style,
    save,
)
from scripts.runs.metrics import Row


@dataclass(frozen=True)
class CurveAxis:
    """A column of rows as a vertical axis: its name with unit, factor, and the largest value where it is a share."""

    column: str
    name: str
    factor: float = 1.0
    highest: float | None = None


_PACKETS = (
    CurveAxis("pdr", "PDR [%]", 100.0, 100.0),
    CurveAxis("ee_bits_per_mj", "energy efficiency [bits/mJ]"),
)
_ENERGY = (
    CurveAxis("ee_bits_per_mj", "energy efficiency [bits/mJ]"),
    CurveAxis("pdr", "mean delivery", 1.0, 1.0),
    CurveAxis("violations", "nodes below the least delivery"),
    CurveAxis("attention_entropy", "entropy of attention [nats]"),
)
_USAGE = {"sf": "spreading factor", "bw": "bandwidth [kHz]", "channel": "channel", "tp": "transmit power [dBm]"}
_PANEL_INCH = 2.1
"""Height of a row of panels."""


@paper_style()
def draw_curves(
    path: Path,
    title: str,
    curves: Mapping[str, Sequence[Sequence[Row]]],
    *,
    band: Band = Band.interval,
    changes_h: Sequence[float] = (),
    dashed: Collection[str] = (),
) -> None:
    """PDR and energy efficiency over training: mean over seeds, and a band.

    More learners than lines can be told apart are dealt out to several rows of panels, all with the same axes.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        curves: Rows of metrics by learner and seed.
        band: What the band shows.
        changes_h: Times at which the scenario changes, as vertical lines. h
        dashed: Learners whose lines are dashed.
    """
    trained = {
        label: [[row for row in rows if not row["evaluation"]] for rows in seeds] for label, seeds in curves.items()
    }
    panels = _curve_panels(path, title, trained, _PACKETS, ("time_h", "simulated time [h]"), band, dashed)
    for axes in panels.ravel():
        for change_h in changes_h:
            axes.axvline(change_h, color="black", lw=0.8, ls=":")
    save(panels[0, 0].get_figure(root=True), path)


@paper_style()
def draw_energy_curves(
    path: Path, title: str, curves: Mapping[str, Sequence[Sequence[Row]]], *, band: Band = Band.interval
) -> None:
    """Numbers over episodes: mean and band over seeds; planners, which have one row, as dotted lines."""
    panels = _curve_panels(path, title, curves, _ENERGY, ("episode", "episode"), band, ())
    save(panels[0, 0].get_figure(root=True), path)


def _curve_panels(
    path: Path,
    title: str,
    curves: Mapping[str, Sequence[Sequence[Row]]],
    columns: Sequence[CurveAxis],
    across: tuple[str, str],
    band: Band,
    dashed: Collection[str],
) -> NDArray[Any]:
    """Panels of a row for every group of labels and two axes, drawn and labelled."""
    groups, seeds = groups_of_lines(list(curves)), len(next(iter(curves.values())))
    pairs = [columns[first : first + 2] for first in range(0, len(columns), 2)]
    lines = len(groups) * len(pairs)
    figure = Figure(figsize=(PAGE_INCH, _PANEL_INCH * lines + 0.3), layout="constrained")
    figure.suptitle(f"{title} ({band.legend(seeds)})")
    panels = figure.subplots(lines, 2, squeeze=False, sharex=True)
    for line in range(lines):
        group, pair = groups[line // len(pairs)], pairs[line % len(pairs)]
        for axes, column in zip(panels[line], pair, strict=True):
            for number, label in enumerate(group):
                style = {"label": label, "ls": "--" if label in dashed else "-"}
                _draw_curve(axes, number, curves[label], column, across[0], band, style)
            axes.set_ylabel(column.name)
            axes.grid(alpha=0.3)
        handles = panels[line, 0].get_legend_handles_labels()
        panels[line, 1].legend(*handles, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    for axes in panels[-1]:
        axes.set_xlabel(across[1])
    _share_heights(panels, len(pairs))
    return panels


def _draw_curve(
    axes: Axes,
    number: int,
    seeds: Sequence[Sequence[Row]],
    column: CurveAxis,
    across: str,
    band: Band,
    style: dict[str, Any],
) -> None:
    """A learner's line, where its rows have the column; one row alone is a dotted level."""
    if not seeds[0] or column.column not in seeds[0][0]:
        axes.plot([], [], color=COLOURS[number], **style)
        return
    values = column.factor * np.array([[row[column.column] for row in rows] for rows in seeds])
    at = [row[across] for row in seeds[0]]
    if len(at) == 1:
        axes.axhline(float(values.mean()), color=COLOURS[number], **{**style, "ls": ":"})
    else:
        draw_line(axes, number, at, values, band, column.highest, **style)


def _share_heights(panels: NDArray[Any], every: int) -> None:
    """Gives panels of the same numbers, which stand `every` rows apart, the same vertical limits."""
    for first in range(every):
        for column in range(panels.shape[1]):
            alike = panels[first::every, column]
            limits = np.array([axes.get_ylim() for axes in alike])
            for axes in alike:
                axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())


@paper_style()
def draw_usage(path: Path, title: str, usage: Mapping[str, Sequence[Row]], *, band: Band = Band.interval) -> None:
    """Share of packets by value of each factor that has several: bars per learner, whiskers over seeds.

    Where there are more learners than can be told apart, the shares are numbers in a table (`draw_shares`).

    Args:
        path: Of the PNG file.
        title: Of the picture.
        usage: Reported rows by learner and seed, with their `sent_` columns.
        band: What the whiskers show.
    """
    if len(usage) > MOST_LINES:
        draw_shares(path, f"{title}: packets [%]", usage)
        return
    shares = {label: [_shares(row) for row in rows] for label, rows in usage.items()}
    first = next(iter(shares.values()))[0]
    factors = {prefix: name for prefix, name in _USAGE.items() if len(first[prefix]) > 1}
    widths = [1.0 + len(first[prefix]) for prefix in factors] or [1.0]
    figure = Figure(figsize=(PAGE_INCH, _PANEL_INCH + 0.3), layout="constrained")
    seeds = len(next(iter(usage.values())))
    figure.suptitle(f"{title} ({band.legend(seeds).replace('band', 'whiskers')})")
    panels = figure.subplots(1, len(factors), squeeze=False, width_ratios=widths)[0] if factors else []
    for axes, (prefix, name) in zip(panels, factors.items(), strict=bool(factors)):
        _draw_bars(axes, {label: [row[prefix] for row in rows] for label, rows in shares.items()}, band)
        axes.set(xlabel=name, ylabel="share of packets [%]")
    if factors:
        panels[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    save(figure, path)


@paper_style()
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
    figure = Figure(figsize=(PAGE_INCH, 0.9 + 0.2 * len(shares)), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    for number, (axes, (prefix, name)) in enumerate(zip(panels, factors.items(), strict=bool(factors))):
        mean = np.array([np.mean([list(row[prefix].values()) for row in rows], axis=0) for rows in shares.values()])
        axes.imshow(mean, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for (line, column), share in np.ndenumerate(mean):
            colour = "white" if share > 60 else "black"
            axes.text(column, line, f"{share:.0f}", ha="center", va="center", fontsize=6, color=colour)
        axes.set_xticks(range(mean.shape[1]), list(first[prefix]))
        axes.set_yticks(range(len(shares)), list(shares) if number == 0 else [""] * len(shares))
        axes.tick_params(length=0)
        axes.set_xlabel(name)
    save(figure, path)


@paper_style()
def draw_map(
    path: Path,
    title: str,
    scenario: Scenario,
    points: Mapping[str, NDArray[np.int16]],
    replica: int,
    *,
    at_most: int = 4,
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
    colours = factor_colours(scenario)
    lines = -(-len(points) // at_most)
    columns = -(-len(points) // lines)
    size = min((PAGE_INCH - 0.8) / columns, 3.2)
    figure = Figure(figsize=(0.8 + size * columns, 0.4 + size * lines), layout="constrained")
    figure.suptitle(f"{title} (spreading factor chosen last)")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, (label, chosen) in zip(panels, points.items(), strict=False):
        for index, (sf, colour) in enumerate(zip(factors, colours, strict=True)):
            axes.scatter(*node_xy_m[chosen[:, 0] == index].T, color=colour, s=7, label=f"SF{sf}")
        axes.scatter(*scenario.gateway_xy_m.T, marker="^", color=COLOURS[1], edgecolor="black", s=30, label="gateway")
        axes.set(title=label, xlabel="x [m]", ylabel="y [m]", aspect="equal")
        axes.label_outer()
    for axes_left in panels[len(points) :]:
        axes_left.remove()
    for axes in panels[max(len(points) - columns, 0) : len(points)]:  # the last panel of each column has its labels
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("x [m]")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    save(figure, path)


def factor_colours(scenario: Scenario) -> list[str]:
    """Colours of a region's spreading factors on maps, in their order, as `#rrggbb`."""
    shades = np.linspace(0, 1, len(scenario.region.spreading_factors))
    return [to_hex(colour) for colour in colormaps["viridis"](shades)]


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


def _draw_bars(axes: Axes, shares: Mapping[str, Sequence[Mapping[str, float]]], band: Band) -> None:
    width = 0.8 / len(shares)
    for number, (label, rows) in enumerate(shares.items()):
        values = np.array([list(row.values()) for row in rows])
        mean, ends = values.mean(axis=0), band.ends(values, 100.0)
        reach = None if ends is None else np.maximum(np.stack([mean - ends[0], ends[1] - mean]), 0.0)
        places = np.arange(values.shape[1]) + (number - (len(shares) - 1) / 2) * width
        axes.bar(places, mean, width, yerr=reach, label=label, color=COLOURS[number], error_kw={"lw": 0.6})
    names = list(next(iter(shares.values()))[0])
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 16 else 0)
