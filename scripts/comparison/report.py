"""The files of a comparison: Markdown, JSON, pictures, and one HTML page that opens offline.

Markdown, the terminal and the page show the same table (`columns`, `cell`).
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.markup import escape
from rich.table import Table

from lora_marl.config import PacketRun, dump
from lora_marl.core.files import write_atomically
from scripts.comparison.lineup import REFERENCES, TRIVIAL
from scripts.comparison.result import MEASURES, Comparison, Measure, changes_h, usage_of
from scripts.runs import plots
from scripts.runs.cli import UsageError, write_json
from scripts.runs.folder import versions
from scripts.runs.metrics import curve_of, thinned
from scripts.runs.packets.experiment import build_scenario, schedule
from scripts.runs.report import markdown, with_interval

_TERMINAL = ("pdr", "ee_bits_per_mj", "fairness", "share_pdr", "share_ee", "converged_pdr_h", "recovery_h")


@dataclass(frozen=True)
class Column:
    """A measure, or its difference to the baseline."""

    measure: Measure
    against: bool = False

    @property
    def name(self) -> str:
        """The name of the column, without unit."""
        return f"Δ {self.measure.name}" if self.against else self.measure.name

    @property
    def unit(self) -> str:
        """The unit of the numbers."""
        return self.measure.difference if self.against else self.measure.unit


@dataclass(frozen=True)
class Cell:
    """Text for readers, and the number to sort by (nan: none)."""

    text: str
    value: float = math.nan


def columns(comparison: Comparison, only: Collection[str] | None = None) -> list[Column]:
    """The columns of the table; the difference to the baseline follows PDR and EE."""
    shown: list[Column] = []
    for measure in comparison.shown():
        if only is None or measure.key in only:
            shown.append(Column(measure))
            if measure.difference and comparison.baseline is not None and len(comparison.values) > 1:
                shown.append(Column(measure, against=True))
    return shown


def cell(comparison: Comparison, label: str, column: Column) -> Cell:
    """A learner's number: mean and half width of the 95 % interval, and of how many seeds where some have none."""
    if column.against:
        against = comparison.difference(label, column.measure)
        return Cell("baseline", 0.0) if against is None else Cell(with_interval(against, sign=True), against.mean)
    value = comparison.estimate(label, column.measure)
    seeds = len(comparison.config.seeds)
    of_some = math.isfinite(value.mean) and value.seeds < seeds
    return Cell(with_interval(value) + (f" ({value.seeds} of {seeds})" if of_some else ""), value.mean)


def as_markdown(comparison: Comparison) -> str:
    """The table of a scenario with all columns, as Markdown."""
    shown = columns(comparison)
    header = ["learner", *(f"{column.name} [{column.unit}]" for column in shown)]
    return markdown(
        header,
        [[label, *(cell(comparison, label, column).text for column in shown)] for label in comparison.values],
    )


def for_terminal(comparison: Comparison, title: str, width: int) -> Table:
    """The columns that matter most, as many of them as fit beside each other.

    Args:
        comparison: Of one scenario.
        title: Of the table.
        width: Of the terminal, in characters.
    """
    table = Table(title=escape(title), title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    lines = [[label] for label in comparison.values]
    table.add_column("learner", no_wrap=True)
    left = width - max(map(len, ["learner", *comparison.values]))
    for column in columns(comparison, _TERMINAL):
        texts = [cell(comparison, label, column).text for label in comparison.values]
        left -= 2 + max(map(len, [column.name, f"[{column.unit}]", *texts]))
        if left < 0:
            break
        table.add_column(f"{escape(column.name)}\n{escape(f'[{column.unit}]')}", justify="right", no_wrap=True)
        lines = [[*line, text] for line, text in zip(lines, texts, strict=True)]
    for line in lines:
        table.add_row(*map(escape, line))
    return table


_POINTS = 50
"""About as many points has a curve in a picture."""


def write_files(folder: Path, name: str, comparisons: Sequence[Comparison], command: str) -> None:
    """Writes everything but the played jobs.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for comparison in comparisons:
            draw(folder, comparison)
        write_atomically(folder / "comparison.md", _markdown(name, comparisons, command))
        write_page(
            folder / "report.html",
            comparisons,
            title=name,
            about={comparison.config.name: about(comparison.config) for comparison in comparisons},
            references=(*TRIVIAL, *REFERENCES),
            command=command,
            versions=versions(),
        )
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    write_json(folder / "comparison.json", [record for comparison in comparisons for record in comparison.records()])


def draw(folder: Path, comparison: Comparison) -> None:
    """The three pictures of a scenario."""
    config, name = comparison.config, comparison.config.name
    title = f"{name}, {len(config.seeds)} seeds"
    last_h = max(schedule(config, label)[-1].end_h for label in comparison.played)
    every_h = max(config.interval_h, round(last_h / _POINTS))
    curves = {
        label: [thinned(curve_of(state), every_h) for state in states] for label, states in comparison.played.items()
    }
    changes = [at_h for at_h in changes_h(config) if at_h < last_h]
    references = {label for label in curves if label in TRIVIAL + REFERENCES}
    plots.draw_curves(folder / f"curves-{name}.png", title, curves, changes_h=changes, dashed=references)
    usage = {label: [usage_of(state, config) for state in states] for label, states in comparison.played.items()}
    plots.draw_shares(folder / f"usage-{name}.png", f"{title}: packets [%] by what they were sent with", usage)
    points = {label: states[0]["points"] for label, states in comparison.played.items()}
    scenario = build_scenario(config.scenario)
    plots.draw_map(folder / f"map-{name}.png", f"{name}, seed {config.seeds[0]}", scenario, points, 0)


def about(config: PacketRun) -> str:
    """A scenario in one line: its size, seeds, times and changes."""
    scenario = build_scenario(config.scenario)
    parts = [
        f"{scenario.nodes} nodes, {scenario.gateways} gateway{'s' * (scenario.gateways > 1)}",
        f"seeds {', '.join(map(str, config.seeds))}",
        f"{config.duration_h:g} h" if config.episode_s is None else f"episodes of {config.episode_s:g} s",
        f"an evaluation of {config.evaluation_s:g} s is reported"
        if config.evaluation_s is not None
        else f"the last {min(config.report_last_h, config.duration_h):g} h are reported",
    ]
    last_h = max(schedule(config, label)[-1].end_h for label in config.learners)
    changes = [f"{at_h:g} h" + (" (after the end)" if at_h >= last_h else "") for at_h in changes_h(config)]
    parts += [f"changes at {', '.join(changes)}"] if changes else []
    return "; ".join(parts)


def _markdown(name: str, comparisons: Sequence[Comparison], command: str) -> str:
    keys = {measure.key for comparison in comparisons for measure in comparison.shown()}
    parts = [f"# {name}", f"```\n{command}\n```", *PROTOCOL]
    for comparison in comparisons:
        parts += [f"## {comparison.config.name}", about(comparison.config), *comparison.notes]
        parts += [f"Δ: against {comparison.baseline}, paired by seed."] if comparison.baseline else []
        parts.append(as_markdown(comparison).rstrip())
    parts.append("## Definitions")
    parts.append("\n".join(f"- {m.name} [{m.unit}]: {m.definition}" for m in MEASURES if m.key in keys))
    parts += ["## Versions", ", ".join(f"{package} {version}" for package, version in versions().items())]
    return "\n\n".join(parts) + "\n"


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
"""How learners were compared, for readers of the table."""


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
    write_atomically(path, text)


def _part(comparison: Comparison, folder: Path, about: str, references: Collection[str]) -> dict[str, Any]:
    """The part of the page on one scenario."""
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
