"""Pictures of MMALoRa's studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

Panel = tuple[Sequence[str], Mapping[str, Sequence[Sequence[float]]]]
"""Places on the axis, and values by line, place and seed."""


def draw_errors(path: Path, panels: Mapping[str, Panel]) -> None:
    """Mean absolute errors, one panel per quantity that varies: mean over seeds, whiskers from seed to seed."""
    figure = Figure(figsize=(4.6 * len(panels), 4.2), layout="constrained")
    figure.suptitle("closed form against packets (mean; whiskers: smallest to largest seed; floor: a perfect model)")
    for axes, (name, (places, lines)) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for label, by_place in lines.items():
            values = np.array(by_place)
            mean = values.mean(axis=1)
            reach = [mean - values.min(axis=1), values.max(axis=1) - mean]
            style = {"color": "grey", "ls": "--"} if label == "floor" else {"marker": "o", "ms": 4}
            axes.errorbar(range(len(places)), mean, yerr=reach, label=label, capsize=2, **style)
        axes.set_xticks(range(len(places)), places)
        axes.set(xlabel=name, ylabel="mean absolute error [%]", ylim=(0, None))
        axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
