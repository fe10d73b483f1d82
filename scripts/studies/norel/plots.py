"""Pictures of NoReL's studies; every function draws to a PNG file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scripts.runs.cli import ROOT, read_packet_config
from scripts.runs.figures import Band, draw_line, paper_figure, save
from scripts.runs.metrics import Row, reported
from scripts.studies.claim import CellResult, Results
from scripts.studies.norel.readings import estimated, true_values

_FACTORS = {"sent_sf": "spreading factor", "sent_tp": "transmit power"}


def draw_assignments(path: Path, numbers: Results, *, title: str) -> None:
    """Draw delivery over time, and shares of packets by spreading factor and power, a row of panels per learner."""
    figure = paper_figure(14, 2.6 * len(numbers))
    figure.suptitle(f"{title} (mean over seeds; band: 95 % interval)")
    grid = figure.subplots(len(numbers), 3, squeeze=False)
    for axes, (name, result) in zip(grid, numbers.items(), strict=True):
        time_h = [row["time_h"] for row in result.curves[0]]
        delivered = 100 * np.array([[row["pdr"] for row in curve] for curve in result.curves])
        draw_line(axes[0], 0, time_h, delivered, Band.interval, 100.0)
        axes[0].set(ylabel=f"{name.partition('/')[2]}\nPDR [%]", xlabel="simulated time [h]")
        axes[0].grid(alpha=0.3)
        for panel, (prefix, factor) in enumerate(_FACTORS.items(), 1):
            columns = [column for column in result.curves[0][0] if column.startswith(prefix)]
            counts = np.array([_totals(result.curves, column) for column in columns])
            shares = 100 * counts / np.maximum(counts.sum(axis=0), 1)
            axes[panel].stackplot(time_h, shares, labels=[column.removeprefix("sent_") for column in columns])
            axes[panel].set(ylabel=f"{factor} [%]", xlabel="simulated time [h]", ylim=(0, 100))
            axes[panel].legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)


def draw_by_nodes(path: Path, numbers: Results, *, nodes: Sequence[int]) -> None:
    """Draw delivery and energy per packet delivered over the number of nodes; cells are `study/nodes/learner`."""
    figure = paper_figure(16, 5)
    seeds = len(next(iter(numbers.values())).curves)
    figure.suptitle(f"last 5 of 15 days (mean over {seeds} seeds and sd)")
    study = next(iter(numbers)).partition("/")[0]
    everywhere = [
        label
        for label in dict.fromkeys(name.rpartition("/")[2] for name in numbers)
        if all(f"{study}/{count}/{label}" in numbers for count in nodes)
    ]
    titles = ("simulated, downlinks included [%]", "NoReL's model of the last assignment [%]",
              "energy per packet delivered [mJ]")  # fmt: skip
    for axes, title, read in zip(figure.subplots(1, 3), titles, (_simulated, _modelled, _energies), strict=True):
        for index, label in enumerate(everywhere):
            values = [read(numbers[f"{study}/{count}/{label}"]) for count in nodes]
            means, spreads = [np.mean(v) for v in values], [np.std(v, ddof=1) for v in values]
            axes.errorbar(nodes, means, yerr=spreads, marker="os^v<>DPX*"[index % 10], capsize=3, label=label)
        axes.set(xlabel="nodes", ylabel=title)
        axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)


def draw_maps(path: Path, numbers: Results, *, config: str, shown: Sequence[str]) -> None:
    """Draw maps of the spreading factors on the first seed's placement, and delivery of all cells as bars."""
    scenario = read_packet_config(ROOT / "configs" / config, [], notes=False).scenario.build().replica(0)
    figure = paper_figure(6 * (len(shown) + 1), 5)
    *maps, bars = figure.subplots(1, len(shown) + 1)
    for axes, name in zip(maps, shown, strict=True):
        sf = np.array(scenario.region.spreading_factors)[numbers[name].points[0][:, 0]]
        dots = axes.scatter(*scenario.node_xy_m.T / 1e3, c=sf, s=9, cmap="viridis", vmin=6.5, vmax=12.5)
        axes.scatter(*scenario.gateway_xy_m.T / 1e3, marker="^", c="black", s=60)
        axes.set(title=name.partition("/")[2], xlabel="km", ylabel="km", aspect="equal")
        figure.colorbar(dots, ax=axes, label="spreading factor", shrink=0.8)
    labels = [name.partition("/")[2] for name in numbers]
    for shift, (title, read) in enumerate((("simulated", _simulated), ("NoReL's model", _modelled))):
        values = [read(result) for result in numbers.values()]
        positions = np.arange(len(labels)) + 0.4 * shift
        bars.bar(positions, [np.mean(v) for v in values], 0.4, yerr=[np.std(v, ddof=1) for v in values], label=title)
    bars.set_xticks(np.arange(len(labels)) + 0.2, labels, rotation=60, ha="right")
    bars.set(ylabel="delivery [%]", ylim=(40, 102))
    bars.legend(loc="lower left")
    save(figure, path)


def draw_estimates(path: Path, numbers: Results, *, config: str) -> None:
    """Draw the estimates of the channel over time, mean over seeds and its 95 % interval, and the truth."""
    (result,) = numbers.values()
    figure = paper_figure(12, 4)
    figure.suptitle("the channel as a network server hears it (mean; band: 95 % interval; dashed: truth)")
    time_h = [row["time_h"] for row in result.curves[0]]
    truth = true_values(config)
    names = {"path_loss": "path loss at 1 km [dB]", "gamma": "path-loss exponent", "sigma": "sigma [dB]"}
    for axes, (quantity, title) in zip(figure.subplots(1, 3), names.items(), strict=True):
        values = np.array([[estimated(row)[quantity] for row in curve] for curve in result.curves])
        draw_line(axes, 0, time_h, values, Band.interval)
        edges_h = [0.0, *(end_h for end_h, _ in truth)]
        axes.stairs([true[quantity] for _, true in truth], edges_h, baseline=None, ls="--", color="black")
        axes.set(xlabel="simulated time [h]", ylabel=title)
        axes.grid(alpha=0.3)
    save(figure, path)


def _totals(curves: Sequence[Sequence[Row]], column: str) -> list[float]:
    """A column summed over seeds, by time."""
    return [sum(rows[column] for rows in at_once) for at_once in zip(*curves, strict=True)]


def _simulated(result: CellResult) -> list[float]:
    """Delivery in the reported part, by seed, in percent."""
    return result.extra["delivery"]


def _modelled(result: CellResult) -> list[float]:
    """Delivery by NoReL's closed form, by seed, in percent."""
    return result.extra["model"]


def _energies(result: CellResult) -> list[float]:
    """Energy per packet delivered in the reported part, by seed. mJ"""
    return [reported(curve, result.last_h)["energy_per_delivered_mj"] for curve in result.curves]
