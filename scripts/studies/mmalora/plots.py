"""Pictures of MMALoRa's studies; every function draws to a PNG file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lora_marl.config import EnergyRun
from scripts.runs.cli import ROOT, read_config
from scripts.runs.figures import paper_figure, save
from scripts.studies.claim import Results

Panel = tuple[Sequence[str], Mapping[str, Sequence[Sequence[float]]]]
"""Names on the axis, and values by line, name and seed."""


def draw_errors(path: Path, panels: Mapping[str, Panel]) -> None:
    """Draw mean absolute errors, one panel per quantity that varies: mean and range over seeds."""
    figure = paper_figure(4.6 * len(panels), 4.2)
    figure.suptitle("closed form against packets (mean; whiskers: smallest to largest seed; floor: a perfect model)")
    for axes, (name, (names, lines)) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for label, by_name in lines.items():
            values = np.array(by_name)
            mean = values.mean(axis=1)
            reach = [mean - values.min(axis=1), values.max(axis=1) - mean]
            style = {"color": "grey", "ls": "--"} if label == "floor" else {"marker": "o", "ms": 4}
            axes.errorbar(range(len(names)), mean, yerr=reach, label=label, capsize=2, **style)
        axes.set_xticks(range(len(names)), names)
        axes.set(xlabel=name, ylabel="mean absolute error [%]", ylim=(0, None))
        axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)


def draw_networks(path: Path, numbers: Results, *, study: str, shown: Sequence[str], config: str) -> None:
    """Draw maps of the spreading factors on the first seed's network, and EE and delivery of all labels as bars."""
    run = read_config(ROOT / "configs" / config, [], notes=False)
    assert isinstance(run, EnergyRun)
    scenario = run.scenario.build()
    figure = paper_figure(7 * len(shown), 10)
    maps, bars = figure.subplots(2, len(shown))
    for axes, label in zip(maps, shown, strict=True):
        sf = np.array(scenario.region.spreading_factors)[numbers[f"{study}/0.7/{label}"].points[0][:, 0]]
        dots = axes.scatter(*scenario.node_xy_m.T / 1e3, c=sf, s=14, cmap="viridis", vmin=6.5, vmax=12.5)
        axes.scatter(*scenario.gateway_xy_m.T / 1e3, marker="^", c="black", s=70)
        axes.set(title=f"{label}, delivery of at least 0.7", xlabel="km", ylabel="km", aspect="equal")
        figure.colorbar(dots, ax=axes, label="spreading factor", shrink=0.8)
    deliveries = list(dict.fromkeys(name.split("/")[1] for name in numbers))
    labels = list(dict.fromkeys(name.rpartition("/")[2] for name in numbers))
    for axes, (key, title, factor) in zip(bars, _MEASURES, strict=False):
        for shift, least in enumerate(deliveries):
            values = [factor * np.array(numbers[f"{study}/{least}/{label}"].extra[key]) for label in labels]
            positions = np.arange(len(labels)) + 0.27 * shift
            axes.bar(
                positions, [v.mean() for v in values], 0.27, yerr=[v.std() for v in values], label=f"at least {least}"
            )
        axes.set_xticks(np.arange(len(labels)) + 0.27, labels, rotation=60, ha="right")
        axes.set(ylabel=title)
        axes.grid(alpha=0.3, axis="y")
    bars[0].margins(y=0.3)
    bars[0].legend(ncols=3, loc="upper center")
    save(figure, path)


def draw_convergence(path: Path, numbers: Results, *, study: str) -> None:
    """Draw EE and delivery over episodes, a column per group of cells: mean and range over seeds; planners dotted."""
    groups = list(dict.fromkeys(name.rpartition("/")[0] for name in numbers))
    figure = paper_figure(max(6.5, 4.2 * len(groups)), 7.5)
    for group, column_axes in zip(groups, figure.subplots(2, len(groups), squeeze=False).T, strict=True):
        results = {name: result for name, result in numbers.items() if name.rpartition("/")[0] == group}
        for axes, (column, title) in zip(
            column_axes, {"ee_bits_per_mj": "EE [bits/mJ]", "pdr": "mean PDR"}.items(), strict=True
        ):
            for index, (name, result) in enumerate(results.items()):
                values = np.array([[row[column] for row in curve] for curve in result.curves])
                label, color = name.rpartition("/")[2], f"C{index}"
                if values.shape[1] == 1:
                    axes.axhline(values.mean(), ls=":", color=color, label=label)
                    continue
                episodes = [row["episode"] for row in result.curves[0]]
                axes.plot(episodes, values.mean(axis=0), color=color, label=label)
                axes.fill_between(episodes, values.min(axis=0), values.max(axis=0), color=color, alpha=0.12, lw=0)
            axes.set(xlabel="episode", ylabel=title)
            axes.grid(alpha=0.3)
        column_axes[0].set_title(group.removeprefix(study).strip("/").replace("/", ", ") or study)
        column_axes[1].legend()
    save(figure, path)


def draw_lines(path: Path, numbers: Results, *, study: str, over: Sequence[int], axis: str) -> None:
    """Draw EE and delivery of every label over a number, where there are results."""
    figure = paper_figure(14, 5)
    labels = list(dict.fromkeys(name.rpartition("/")[2] for name in numbers))
    for axes, (key, title, factor) in zip(figure.subplots(1, 2), _MEASURES, strict=False):
        for index, label in enumerate(labels):
            present = [value for value in over if f"{study}/{value}/{label}" in numbers]
            means = [factor * np.mean(numbers[f"{study}/{value}/{label}"].extra[key]) for value in present]
            axes.plot(present, means, marker="os^v<>DPX*"[index % 10], label=label, zorder=2 + len(labels) - index)
        axes.set_xticks(over)
        axes.set(xlabel=axis, ylabel=title)
        axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)


def draw_bars(path: Path, numbers: Results, *, study: str) -> None:
    """Draw EE, and the number of nodes below the least delivery by three judges."""
    figure = paper_figure(13, 5)
    names = [name.removeprefix(f"{study}/") for name in numbers]
    left, right = figure.subplots(1, 2)
    ee = [np.array(result.extra["ee_expect"]) for result in numbers.values()]
    left.bar(names, [v.mean() for v in ee], yerr=[v.std() for v in ee])
    left.set(ylabel="EE [bits/mJ]")
    for shift, judge in enumerate(("expect", "joint", "packets")):
        values = [np.mean(result.extra[f"violations_{judge}"]) for result in numbers.values()]
        right.bar(np.arange(len(names)) + 0.27 * shift, values, 0.27, label=judge)
    right.set_xticks(np.arange(len(names)) + 0.27, names)
    right.set_yscale("symlog", linthresh=10)
    right.set(ylabel="nodes below the least delivery", ylim=(0, None))
    right.legend()
    for axes in (left, right):
        axes.tick_params(axis="x", rotation=60)
        axes.grid(alpha=0.3, axis="y")
    save(figure, path)


_MEASURES = (("ee_expect", "EE [bits/mJ]", 1.0), ("pdr_expect", "mean PDR [%]", 100.0))
