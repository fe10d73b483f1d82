"""The files of a comparison: Markdown, JSON, pictures, and one HTML page that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lora_marl.config import PacketRun
from lora_marl.core.files import write_atomically
from scripts.comparison.lineup import REFERENCES, TRIVIAL
from scripts.comparison.page import write_page
from scripts.comparison.result import MEASURES, Comparison, changes_h, definition_of, usage_of
from scripts.comparison.table import PROTOCOL, as_markdown
from scripts.runs import plots
from scripts.runs.assumptions import assumptions_markdown, assumptions_of
from scripts.runs.cli import UsageError, write_json
from scripts.runs.figures import Band
from scripts.runs.folder import versions
from scripts.runs.metrics import Row, curve_of, thinned
from scripts.runs.packets.experiment import build_scenario, schedule
from scripts.runs.packets.results import reported_part
from scripts.runs.report import counted

_POINTS = 50
"""About as many points has a curve in a picture."""


def write_files(
    folder: Path, name: str, comparisons: Sequence[Comparison], command: str, band: Band = Band.interval
) -> None:
    """Writes everything but the played jobs; `band` is what bands around curves show.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for comparison in comparisons:
            draw(folder, comparison, band)
        write_atomically(folder / "comparison.md", _markdown(name, comparisons, command))
        write_page(
            folder / "report.html",
            comparisons,
            title=name,
            about={comparison.config.name: about(comparison.config) for comparison in comparisons},
            curves={comparison.config.name: thinned_curves(comparison) for comparison in comparisons},
            band=band,
            references=(*TRIVIAL, *REFERENCES),
            command=command,
            versions=versions(),
        )
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    write_json(folder / "comparison.json", [record for comparison in comparisons for record in comparison.records()])


def thinned_curves(comparison: Comparison) -> dict[str, list[list[Row]]]:
    """Rows for pictures by learner and seed, about `_POINTS` of each."""
    config = comparison.config
    last_h = max(schedule(config, label)[-1].end_h for label in comparison.played)
    every_h = max(config.interval_h, round(last_h / _POINTS))
    return {
        label: [thinned(curve_of(state), every_h) for state in states] for label, states in comparison.played.items()
    }


def draw(folder: Path, comparison: Comparison, band: Band = Band.interval) -> None:
    """The three pictures of a scenario; `band` is what bands around curves show."""
    config, name = comparison.config, comparison.config.name
    title = f"{name}, {counted(len(config.seeds), 'seed')}"
    curves = thinned_curves(comparison)
    last_h = max(schedule(config, label)[-1].end_h for label in comparison.played)
    changes = [at_h for at_h in changes_h(config) if at_h < last_h]
    references = {label for label in curves if label in TRIVIAL + REFERENCES}
    path = folder / f"curves-{name}.png"
    plots.draw_curves(path, title, curves, band=band, changes_h=changes, dashed=references)
    usage = {label: [usage_of(state, config) for state in states] for label, states in comparison.played.items()}
    plots.draw_shares(folder / f"usage-{name}.png", f"{title}: packets [%] by what they were sent with", usage)
    points = {label: states[0]["points"] for label, states in comparison.played.items()}
    scenario = build_scenario(config.scenario)
    plots.draw_map(folder / f"map-{name}.png", f"{name}, seed {config.seeds[0]}", scenario, points, 0)


def about(config: PacketRun) -> str:
    """A scenario in one line: its size, seeds, times and changes."""
    scenario = build_scenario(config.scenario)
    parts = [
        f"{counted(scenario.nodes, 'node')}, {counted(scenario.gateways, 'gateway')}",
        f"seed{'s' * (len(config.seeds) > 1)} {', '.join(map(str, config.seeds))}",
        f"{config.duration_h:g} h" if config.episode_s is None else f"episodes of {config.episode_s:g} s",
        f"reported: {reported_part(config)}",
    ]
    last_h = max(schedule(config, label)[-1].end_h for label in config.learners)
    changes = [f"{at_h:g} h" + (" (after the end)" if at_h >= last_h else "") for at_h in changes_h(config)]
    parts += [f"changes at {', '.join(changes)}"] if changes else []
    return "; ".join(parts)


def _markdown(name: str, comparisons: Sequence[Comparison], command: str) -> str:
    configs = [comparison.config for comparison in comparisons]
    keys = {measure.key for comparison in comparisons for measure in comparison.shown()}
    parts = [f"# {name}", f"```\n{command}\n```", *PROTOCOL]
    for comparison in comparisons:
        parts += [f"## {comparison.config.name}", about(comparison.config), *comparison.notes]
        parts.append(assumptions_markdown(assumptions_of(comparison.config)))
        parts += [f"Δ: against {comparison.baseline}, paired by seed."] if comparison.baseline else []
        parts.append(as_markdown(comparison).rstrip())
    parts.append("## Definitions")
    parts.append("\n".join(f"- {m.name} [{m.unit}]: {definition_of(m, configs)}" for m in MEASURES if m.key in keys))
    parts += ["## Versions", ", ".join(f"{package} {version}" for package, version in versions().items())]
    return "\n\n".join(parts) + "\n"
