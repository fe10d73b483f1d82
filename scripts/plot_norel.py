"""Pictures of NoReL's studies: what nodes use over time, delivery by number of nodes, and the channel's estimates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from scripts.claims.claim import Numbers, Played
from scripts.measures import Row, reported

_FACTORS = {"sent_sf": "spreading factor", "sent_tp": "transmit power"}


def draw_assignments(path: Path, numbers: Numbers, *, title: str) -> None:
    """Delivery over time, and shares of packets by spreading factor and power as stacked areas, a row per learner."""
    figure = Figure(figsize=(14, 2.6 * len(numbers)), layout="constrained")
    figure.suptitle(f"{title} (mean over seeds)")
    grid = figure.subplots(len(numbers), 3, squeeze=False)
    for axes, (name, played) in zip(grid, numbers.items(), strict=True):
        time_h = [row["time_h"] for row in played.curves[0]]
        delivered = 100 * np.array([[row["pdr"] for row in curve] for curve in played.curves])
        axes[0].plot(time_h, delivered.mean(axis=0))
        axes[0].fill_between(time_h, delivered.min(axis=0), delivered.max(axis=0), alpha=0.25, lw=0)
        axes[0].set(ylabel=f"{name.partition('/')[2]}\nPDR [%]", xlabel="simulated time [h]")
        axes[0].grid(alpha=0.3)
        for place, (prefix, what) in enumerate(_FACTORS.items(), 1):
            columns = [column for column in played.curves[0][0] if column.startswith(prefix)]
            counts = np.array([_totals(played.curves, column) for column in columns])
            shares = 100 * counts / np.maximum(counts.sum(axis=0), 1)
            axes[place].stackplot(time_h, shares, labels=[column.removeprefix("sent_") for column in columns])
            axes[place].set(ylabel=f"{what} [%]", xlabel="simulated time [h]", ylim=(0, 100))
            axes[place].legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=110)


def _totals(curves: Sequence[Sequence[Row]], column: str) -> list[float]:
    return [sum(rows[column] for rows in at_once) for at_once in zip(*curves, strict=True)]


def draw_by_nodes(path: Path, numbers: Numbers, *, nodes: Sequence[int]) -> None:
    """Delivery and energy per packet delivered over the number of nodes; cells are `study/nodes/learner`."""
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    figure.suptitle("last 5 of 15 days, downlinks included (mean over ten seeds and sd)")
    learners = dict.fromkeys(name.rpartition("/")[2] for name in numbers)
    for axes, metric in zip(figure.subplots(1, 2), ("delivery [%]", "energy per packet delivered [mJ]"), strict=True):
        for learner in learners:
            by_nodes = [numbers[f"norel-frugal/{count}/{learner}"] for count in nodes]
            values = [
                played.extra["delivery"] if metric.startswith("delivery") else _energies(played) for played in by_nodes
            ]
            means, spreads = [np.mean(each) for each in values], [np.std(each, ddof=1) for each in values]
            axes.errorbar(nodes, means, yerr=spreads, marker="o", capsize=3, label=learner)
        axes.set(xlabel="nodes", ylabel=metric)
        axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def draw_estimates(path: Path, numbers: Numbers) -> None:
    """Estimated standard deviation of the shadowing and path loss over a day: mean and band over seeds."""
    (played,) = numbers.values()
    figure = Figure(figsize=(12, 4), layout="constrained")
    figure.suptitle("the channel as a network server hears it (mean; band: smallest to largest seed)")
    time_h = [row["time_h"] for row in played.curves[0]]
    names = {"estimated_sigma_db": "sigma [dB]", "estimated_offset_db": "a [dB]", "estimated_slope": "b"}
    for axes, (column, name) in zip(figure.subplots(1, 3), names.items(), strict=True):
        values = np.array([[row[column] for row in curve] for curve in played.curves])
        axes.plot(time_h, values.mean(axis=0))
        axes.fill_between(time_h, values.min(axis=0), values.max(axis=0), alpha=0.25, lw=0)
        axes.set(xlabel="simulated time [h]", ylabel=name)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def _energies(played: Played) -> list[float]:
    return [reported(curve, played.last_h)["energy_per_delivered_mj"] for curve in played.curves]
