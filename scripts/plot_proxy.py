"""The picture of how well the proxy of the air foretells packet runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from agents.ccs.fitting import Quality

MOST = 4_000
"""Points of a panel."""


def draw_quality(path: Path, title: str, found: Mapping[str, Quality]) -> None:
    """Share of attempts received, predicted against played: groups as points, tenths of them as a line.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        found: A panel for each, by name.
    """
    figure = Figure(figsize=(4.4 * len(found), 4.6), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axes, (name, quality) in zip(panels, found.items(), strict=True):
        every = slice(None, None, max(1, len(quality.played) // MOST))
        axes.scatter(quality.predicted[every], quality.played[every], s=2, alpha=0.3, lw=0)
        axes.plot(*zip(*quality.deciles, strict=True), "o-", color="C1", ms=4, label="tenths of the groups")
        axes.plot([0, 1], [0, 1], color="0.4", lw=0.8)
        axes.set(title=f"{name}: mean error {quality.error:.3f}", xlabel="predicted", xlim=(0, 1), ylim=(0, 1))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("played")
    panels[0].legend(loc="upper left")
    figure.savefig(path, dpi=110)
