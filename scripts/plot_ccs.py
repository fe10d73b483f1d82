"""Pictures of studies of coexisting networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from scripts.claims.claim import Numbers


def draw_regimes(path: Path, numbers: Numbers, *, study: str) -> None:
    """PRR by regime and way: mean over seeds and vendors; whiskers from the smallest to the largest."""
    found: dict[str, dict[str, list[float]]] = {}
    for name, played in numbers.items():
        _, regime, cell = name.split("/")
        head, _, tail = cell.rpartition("-")
        way = head if tail.isdigit() else cell
        found.setdefault(way, {}).setdefault(regime, []).extend(played.extra["prr"])
    regimes = list(dict.fromkeys(name.split("/")[1] for name in numbers))
    figure = Figure(figsize=(2.2 * len(regimes) + 2, 5), layout="constrained")
    axes, width = figure.add_subplot(), 0.8 / max(len(found), 1)
    for place, (way, by_regime) in enumerate(found.items()):
        at = [regimes.index(regime) + (place + 0.5) * width - 0.4 for regime in by_regime]
        means = np.array([np.mean(values) for values in by_regime.values()])
        reach = [means - [min(v) for v in by_regime.values()], [max(v) for v in by_regime.values()] - means]
        axes.bar(at, means, width, label=way, yerr=reach, error_kw={"lw": 0.7})
    axes.set_xticks(range(len(regimes)), regimes)
    axes.set(ylabel="PRR", title=f"{study}: seeds and vendors (whiskers: smallest to largest)")
    figure.legend(loc="outside right center", fontsize="small", frameon=False)
    axes.grid(axis="y", alpha=0.3)
    figure.savefig(path, dpi=110)
