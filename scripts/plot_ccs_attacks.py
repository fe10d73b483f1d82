"""Pictures of attacks on the coordination service, and of what privacy costs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from scripts.claims.claim import Numbers, Played

SHOWN = {"": "defended", " undefended": "undefended", "-median": "defended, median of others"}


def draw_attacks(path: Path, numbers: Numbers, *, study: str) -> None:
    """By attack and regime, what the honest networks gain in the mean, with and without defences."""
    by_regime = _by_regime(numbers)
    figure = Figure(figsize=(11, 3.2 * len(by_regime)), layout="constrained")
    for place, (regime, cells) in enumerate(by_regime.items()):
        axes = figure.add_subplot(len(by_regime), 1, place + 1)
        attacks = [name for name in cells if not name.endswith((*list(SHOWN)[1:], "-5"))]
        for number, (suffix, label) in enumerate(SHOWN.items()):
            heights = [_gain(cells, name + suffix, range(1, len(regime))) for name in attacks]
            axes.bar(np.arange(len(attacks)) + 0.27 * (number - 1), heights, 0.27, label=label)
        axes.axhline(-5.0, color="black", lw=0.8, ls="--")
        axes.set_xticks(range(len(attacks)), attacks, rotation=25, ha="right", fontsize="small")
        axes.set(ylabel="gain in PRR [%]", title=f"{study}: {regime}, honest networks over independent learning")
        axes.grid(axis="y", alpha=0.3)
        if not place:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)


def draw_privacy(path: Path, numbers: Numbers, *, study: str) -> None:
    """Gain in PRR by epsilon, a line for each regime and clipping norm; dotted: without privacy."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for regime, cells in _by_regime(numbers).items():
        curves: dict[str, list[tuple[float, float]]] = {}
        for name in cells:
            if name.startswith("epsilon "):
                epsilon, clip = name.removeprefix("epsilon ").split(", clip ")
                if math.isfinite(float(epsilon)):
                    point = float(epsilon), _gain(cells, name, range(len(regime)))
                    curves.setdefault(clip, []).append(point)
        for clip, points in curves.items():
            (line,) = axes.plot(*zip(*sorted(points), strict=True), marker="o", label=f"{regime}, clip {clip}")
            without = _gain(cells, "none", range(len(regime)))
            axes.axhline(without, color=line.get_color(), lw=0.8, ls=":")
    axes.set(xscale="log", xlabel="epsilon of a run (delta 1e-5)", ylabel="gain in PRR [%]", title=study)
    axes.legend(fontsize="small", frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def _by_regime(numbers: Numbers) -> dict[str, dict[str, Played]]:
    found: dict[str, dict[str, Played]] = {}
    for name, played in numbers.items():
        _, regime, cell = name.split("/")
        found.setdefault(regime, {})[cell] = played
    return found


def _gain(cells: dict[str, Played], name: str, networks: range) -> float:
    """Mean over seeds and networks of the gain in PRR over independent learners; nan where there are none. percent"""
    alone = next((played for cell, played in cells.items() if cell.startswith("independent-")), None)
    if alone is None or name not in cells:
        return math.nan
    both = [(cells[name].extra[f"prr_{s}"], alone.extra[f"prr_{s}"]) for s in networks]
    return 100.0 * float(np.mean([np.divide(*map(np.asarray, pair)) - 1.0 for pair in both]))
