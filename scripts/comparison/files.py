"""The files of a comparison: Markdown, JSON, pictures and the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lora_marl.config import TrainConfig
from scripts import plots
from scripts.cli import UsageError, write_json
from scripts.comparison.lineup import REFERENCES, TRIVIAL
from scripts.comparison.measures import MEASURES
from scripts.comparison.page import PROTOCOL, write_page
from scripts.comparison.result import Comparison, changes_h, usage_of
from scripts.comparison.table import as_markdown
from scripts.experiment import built, schedule
from scripts.jobs import curve_of
from scripts.measures import thinned
from scripts.runfolder import versions

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
        (folder / "comparison.md").write_text(_markdown(name, comparisons, command), encoding="utf-8")
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
    write_json(folder / "comparison.json", [record for each in comparisons for record in each.records()])


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
    scenario = built(config.scenario)
    plots.draw_map(folder / f"map-{name}.png", f"{name}, seed {config.seeds[0]}", scenario, points, 0)


def about(config: TrainConfig) -> str:
    """A scenario in a line."""
    scenario = built(config.scenario)
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
