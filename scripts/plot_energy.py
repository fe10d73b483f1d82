"""Learning curves of runs on the closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from scripts.measures import Row

_AXES = {
    "ee_bits_per_mj": "EE [bits/mJ]",
    "pdr": "mean delivery",
    "violations": "nodes below the least delivery",
    "attention_entropy": "entropy of attention [nats]",
}


def draw_curves(path: Path, title: str, curves: Mapping[str, Sequence[Sequence[Row]]]) -> None:
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
