"""The page of a comparison: one HTML file that opens offline, with tables, curves and maps to explore.

The curves and maps are drawn in the browser by plotly.js, which the page contains (from the package `plotly`). Without
that package the page has the pictures alone, and says so.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from lora_marl.config import dump
from lora_marl.core.files import write_atomically
from lora_marl.core.scenario import Scenario
from scripts.comparison.result import MEASURES, Comparison, changes_h, definition_of
from scripts.comparison.table import PROTOCOL, cell, columns
from scripts.runs.assumptions import HEADING, assumptions_of
from scripts.runs.figures import Band
from scripts.runs.metrics import Row
from scripts.runs.packets.experiment import build_scenario, node_ids
from scripts.runs.plots import factor_colours

_PICTURES = {
    "curves": "PDR and energy efficiency over simulated time",
    "usage": "Share of packets by spreading factor, channel and power",
    "map": "Nodes coloured by spreading factor",
}
_CURVES = {
    "pdr": ("PDR [%]", 100.0, 100.0),
    "ee_bits_per_mj": ("EE [bits/mJ]", 1.0, None),
    "bits_per_airtime_s": ("TH [bits/s of airtime]", 1.0, None),
    "goodput_bps": ("goodput [bits/s]", 1.0, None),
}
"""Curves that the page can show: name with unit, factor, and the largest value of shares."""

_MOST_POINTS = 150_000
"""Nodes times learners times seeds that a page holds; beyond that the maps of the first seeds."""

_DIGITS = 6
"""Significant digits of the numbers in the page."""


def write_page(
    path: Path,
    comparisons: Sequence[Comparison],
    *,
    title: str,
    about: Mapping[str, str],
    curves: Mapping[str, Mapping[str, Sequence[Sequence[Row]]]],
    band: Band,
    references: Collection[str],
    command: str,
    versions: Mapping[str, str],
) -> None:
    """Writes the page; the pictures are read from its folder.

    Args:
        path: Of the page; beside it are `curves-<scenario>.png` and the other pictures.
        comparisons: One per scenario.
        title: Of the page.
        about: A line on each scenario, by name.
        curves: Rows by scenario, learner and seed.
        band: What bands around curves show.
        references: Learners to set apart.
        command: That makes it again.
        versions: Of what played.
    """
    # the template's name does not end in .html, so escaping is switched on and not left to the name
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    templates.policies["json.dumps_kwargs"] = {"sort_keys": False}  # metrics in the order of tables
    keys = {measure.key for comparison in comparisons for measure in comparison.shown()}
    configs = [comparison.config for comparison in comparisons]
    library = _plotly()
    text = templates.get_template("report.html.j2").render(
        title=title,
        summary=_summary(comparisons),
        parts=[_part(comparison, path.parent, about[comparison.config.name], references) for comparison in comparisons],
        assumptions_heading=HEADING.capitalize(),
        protocol=PROTOCOL,
        definitions=[(measure, definition_of(measure, configs)) for measure in MEASURES if measure.key in keys],
        plotly=library,
        data=[figure_data(comparison, curves[comparison.config.name], band) for comparison in comparisons]
        if library
        else [],
        command=command,
        versions=versions,
    )
    write_atomically(path, text)


def figure_data(comparison: Comparison, curves: Mapping[str, Sequence[Sequence[Row]]], band: Band) -> dict[str, Any]:
    """What the figures of a scenario show, for JSON: curves by metric and learner, and maps by seed and learner.

    Args:
        comparison: Of the scenario.
        curves: Rows by learner and seed.
        band: What bands around curves show.
    """
    config = comparison.config
    last_h = max(rows[-1]["time_h"] for seeds in curves.values() for rows in seeds)
    return {
        "learners": list(comparison.values),
        "band": band.legend(len(config.seeds)),
        "changes": [at_h for at_h in changes_h(config) if at_h < last_h],
        "curves": {
            name: {label: _curve(seeds, metric, factor, highest, band) for label, seeds in curves.items()}
            for metric, (name, factor, highest) in _CURVES.items()
        },
        "map": _maps(comparison),
    }


def _curve(
    seeds: Sequence[Sequence[Row]], metric: str, factor: float, highest: float | None, band: Band
) -> dict[str, Any]:
    trained = [[row for row in rows if not row["evaluation"]] for rows in seeds]
    values = factor * np.array([[row[metric] for row in rows] for rows in trained])
    ends = band.ends(values, highest)
    curve = {"x": _short([row["time_h"] for row in trained[0]]), "y": _short(values.mean(axis=0))}
    return curve if ends is None else curve | {"low": _short(ends[0]), "high": _short(ends[1])}


def _maps(comparison: Comparison) -> dict[str, Any]:
    """Positions, and what every learner chose last for every node, by seed; `sent` and `delivered` where reported."""
    config, region = comparison.config, comparison.config.scenario
    scenario = build_scenario(region, len(config.seeds))
    at_most = max(1, _MOST_POINTS // max(1, scenario.nodes * len(comparison.played)))
    seeds = list(enumerate(config.seeds))[:at_most]
    return {
        "gateways": _short_rows(scenario.gateway_xy_m),
        "ids": list(node_ids(config)),
        "sf": list(scenario.region.spreading_factors),
        "sf_colours": factor_colours(scenario),
        "tp": list(scenario.region.tp_dbm),
        "left_out": len(config.seeds) - len(seeds),
        "seeds": {
            str(seed): {
                "nodes": _short_rows(_positions(scenario, replica)),
                "learners": {
                    label: {
                        "points": states[replica]["points"].tolist(),
                        "sent": states[replica]["sent"].tolist(),
                        "delivered": states[replica]["delivered"].tolist(),
                    }
                    for label, states in comparison.played.items()
                },
            }
            for replica, seed in seeds
        },
    }


def _positions(scenario: Scenario, replica: int) -> NDArray[np.float64]:
    node_xy_m = scenario.node_xy_m
    return node_xy_m if node_xy_m.ndim == 2 else node_xy_m[replica % len(node_xy_m)]


def _short(values: Any) -> list[float | None]:
    """Numbers with few digits; None where they are not finite, which JSON does not have."""
    return [float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None for value in np.asarray(values).tolist()]


def _short_rows(rows: NDArray[np.float64]) -> list[list[float | None]]:
    return [_short(row) for row in rows]


def _plotly() -> str:
    """The library's source text; empty: it is not installed."""
    if find_spec("plotly") is None:
        return ""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _part(comparison: Comparison, folder: Path, about: str, references: Collection[str]) -> dict[str, Any]:
    """The part of the page on one scenario."""
    shown, name = columns(comparison), comparison.config.name
    return {
        "name": name,
        "about": about,
        "assumptions": assumptions_of(comparison.config),
        "notes": comparison.notes,
        "baseline": comparison.baseline or "none",
        "columns": shown,
        "rows": [
            {
                "label": label,
                "reference": label in references,
                "cells": [cell(comparison, label, column) for column in shown],
            }
            for label in comparison.values
        ],
        "pictures": [
            # a dark page inverts lines and shares; a map would lose the nodes of its last colours
            {"data": _inlined(folder / f"{kind}-{name}.png"), "text": f"{text}: {name}", "lines": kind != "map"}
            for kind, text in _PICTURES.items()
        ],
        "config": dump(comparison.config),
    }


def _inlined(path: Path) -> str:
    return f"data:image/png;base64,{b64encode(path.read_bytes()).decode('ascii')}"


def _summary(comparisons: Sequence[Comparison]) -> str:
    learners = dict.fromkeys(label for comparison in comparisons for label in comparison.values)
    scenarios = "1 scenario" if len(comparisons) == 1 else f"{len(comparisons)} scenarios"
    return f"{len(learners)} learners on {scenarios}: {', '.join(learners)}"
