"""A comparison as one HTML file that opens offline: tables, pictures within it, and nothing loaded from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lora_marl.config import dump
from scripts.comparison.measures import MEASURES
from scripts.comparison.result import Comparison
from scripts.comparison.table import cell, columns

_PICTURES = {
    "curves": "PDR and energy efficiency over simulated time",
    "usage": "Share of packets by spreading factor, channel and power",
    "map": "Nodes coloured by spreading factor",
}

PROTOCOL = (
    "Identical air: all learners of a scenario meet the same seeds, and for a seed the same placement, gaps between "
    "packets, shadowing and fading per node and packet number; only the times at which packets start still shift with "
    "the airtimes that a learner chooses. So learners are compared seed by seed: a difference is taken on each seed, "
    "and its interval is over seeds.",
    "Intervals are Student's t intervals of the mean over seeds, 95 %. Where only some seeds have a value (a curve "
    "that goes nowhere, a network that does not recover), the mean is over those, and their number is given.",
)
"""What every reader of a comparison must know."""


def write_page(
    path: Path,
    comparisons: Sequence[Comparison],
    *,
    title: str,
    about: Mapping[str, str],
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
        references: Learners to set apart.
        command: That makes it again.
        versions: Of what played.
    """
    # the template's name does not end in .html, so escaping is switched on and not left to the name
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    keys = {measure.key for comparison in comparisons for measure in comparison.shown()}
    text = templates.get_template("report.html.j2").render(
        title=title,
        summary=_summary(comparisons),
        parts=[_part(comparison, path.parent, about[comparison.config.name], references) for comparison in comparisons],
        protocol=PROTOCOL,
        measures=[measure for measure in MEASURES if measure.key in keys],
        command=command,
        versions=versions,
    )
    path.write_text(text, encoding="utf-8")


def _part(comparison: Comparison, folder: Path, about: str, references: Collection[str]) -> dict[str, Any]:
    """What the page says of one scenario."""
    shown, name = columns(comparison), comparison.config.name
    return {
        "name": name,
        "about": about,
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
