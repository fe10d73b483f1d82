"""The picture of what parts of the coordination service are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from scripts.claims.claim import Numbers


def draw_ablations(
    path: Path,
    numbers: Numbers,
    *,
    variants: Sequence[str],
    regimes: Sequence[str],
    read: Callable[[Numbers, str, str], list[float]],
) -> None:
    """Gain in PRR over independent learners, a panel for each regime: mean over seeds, dots are seeds.

    Args:
        path: Of the PNG file.
        numbers: Cells that were played.
        variants: From top to bottom; a line is drawn at the first one.
        regimes: From left to right.
        read: Gains of a regime and variant, by seed.
    """
    figure = Figure(figsize=(2.6 * len(regimes) + 3, 0.28 * len(variants) + 1.4), layout="constrained")
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
    figure.savefig(path, dpi=110)
