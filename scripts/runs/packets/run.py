"""Runs of packets: their snapshots, the table beside the paper's numbers, and the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from inspect import getsourcefile
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import agents
from lora_marl.config import PacketRun
from lora_marl.core.files import write_atomically
from scripts.runs import plots
from scripts.runs.checkpoints import State
from scripts.runs.cli import ROOT, UsageError, console
from scripts.runs.events import packet_event
from scripts.runs.figures import Band
from scripts.runs.folder import RunFolder
from scripts.runs.loop import RunType
from scripts.runs.metrics import METRICS, Row, reported
from scripts.runs.packets import nodes
from scripts.runs.packets.evaluate import evaluate
from scripts.runs.packets.experiment import PacketExperiment, build_scenario, node_ids, scenario_name, schedule
from scripts.runs.packets.published_numbers import RESIMULATED_MARK, published
from scripts.runs.packets.reading import next_commands, reading
from scripts.runs.packets.results import reported_part, run_to_the_end
from scripts.runs.report import Result, counted, records, results_table


class PacketRunType(RunType[PacketRun, PacketExperiment]):
    """A run of packets; see `RunType`."""

    title, axis, unit, snapshots = "a run of packets", "time_h", "h", 10

    @cached_property
    def node_ids(self) -> tuple[str, ...]:
        """Names of the nodes in the file that they were read from; empty: they have none."""
        return node_ids(self.config)

    def check(self) -> None:
        for label in self.config.learners:
            self.experiment(label)

    def experiment(self, label: str) -> PacketExperiment:
        return PacketExperiment(self.config, label)

    def length(self, label: str) -> float:
        return schedule(self.config, label)[-1].end_h

    def event(self, row: Row) -> tuple[int, dict[str, float]]:
        return packet_event(row)

    def save(self, folder: RunFolder, label: str, experiment: PacketExperiment) -> None:
        if experiment.outcome is not None:
            for replica, seed in enumerate(self.config.seeds):
                path = folder.folder(label, seed) / nodes.FILE_NAME
                region, ids = experiment.scenario.region, self.node_ids
                write_atomically(path, nodes.node_table(region, experiment.outcome, experiment.points, replica, ids))
        folder.save(label, experiment.state_dict())

    def restore(self, folder: RunFolder, label: str, experiment: PacketExperiment) -> None:
        state = folder.restore(label)
        if state is not None:
            try:
                experiment.load_state_dict(state)
            except ValueError as error:
                raise UsageError(f"{folder.path}: the snapshot of {label} does not fit: {error}") from None

    def report(self, folder: RunFolder, band: Band = Band.interval) -> list[dict[str, Any]]:
        results = results_of(folder, self.config)
        draw(folder, self.config, results, band)
        show(folder, self.config, results)
        return list(records(results))

    def next_commands(self, folder: RunFolder, config: Path, changes: Sequence[str]) -> list[tuple[str, str]]:
        return next_commands(self.config, folder.path, config, changes)

    @classmethod
    def evaluate(
        cls, runs: Sequence[tuple[Self, RunFolder]], seeds: Sequence[int], hours: float | None
    ) -> list[dict[str, Any]]:
        return evaluate([(run.config, folder) for run, folder in runs], tuple(seeds), hours)

    def results(self, label: str) -> list[State]:
        return run_to_the_end(self.config, label)

    def code(self, label: str) -> list[Path]:
        learner = getsourcefile(agents.learner_class(self.config.learners[label].name)) or ""
        return [ROOT / "lora_marl", ROOT / "agents", Path(learner).resolve()]

    def inputs(self, label: str) -> list[Path]:
        return self.config.scenario.files


def results_of(folder: RunFolder, config: PacketRun) -> list[Result]:
    """The reported metrics of the learners of a finished run, from its metrics.csv files."""
    name = scenario_name(config)
    return [
        Result(label, name, [reported(folder.curve(label, seed), config.report_last_h) for seed in config.seeds])
        for label in config.learners
    ]


def draw(folder: RunFolder, config: PacketRun, results: Sequence[Result], band: Band = Band.interval) -> None:
    """Draws all pictures of a finished run; `band` is what bands around curves and whiskers show."""
    title = f"{config.name}: {scenario_name(config)}, {counted(len(config.seeds), 'seed')}"
    curves = {label: [folder.curve(label, seed) for seed in config.seeds] for label in config.learners}
    plots.draw_curves(folder.path / "curves.png", title, curves, band=band)
    usage = {result.learner: result.by_seed for result in results}
    plots.draw_usage(folder.path / "usage.png", title, usage, band=band)
    scenario = build_scenario(config.scenario)
    points = {label: _last_points(folder, label) for label in config.learners}
    for replica, seed in enumerate(config.seeds):
        chosen = {label: all_points[replica] for label, all_points in points.items()}
        plots.draw_map(folder.path / str(seed) / "map.png", f"{config.name}: seed {seed}", scenario, chosen, replica)


def _last_points(folder: RunFolder, label: str) -> NDArray[np.int16]:
    """The operating points with which a label ended. `[B, N, 4]`"""
    state = folder.restore(label)
    if state is None or "points" not in state:
        raise UsageError(f"{folder.path}: {label} has no snapshot with operating points; train again with --overwrite")
    return state["points"]


def show(folder: RunFolder, config: PacketRun, results: Sequence[Result]) -> None:
    """Prints the table and where the rest is."""
    nodes_there = counted(build_scenario(config.scenario).nodes, "node")
    title = f"{config.name}: {reported_part(config)}, {counted(len(config.seeds), 'seed')}, {nodes_there}"
    console.print(
        results_table(title, results, lambda label, metric: published(config, label, metric)), soft_wrap=False
    )
    if any(
        published(config, label, metric).endswith(RESIMULATED_MARK) for label in config.learners for metric in METRICS
    ):
        console.print(f"{RESIMULATED_MARK} not printed in the paper; from an independent simulation of its rules")
    for sentence in reading(config, results):
        console.print(sentence)
    console.print(f"metrics, snapshots: {folder.path}/<seed>/<learner>/ (nodes.csv: a row per node)")
    console.print(f"pictures:           {folder.path}/curves.png, usage.png, <seed>/map.png (.pdf, .svg)")
    console.print(f"learning curves:    tensorboard --logdir {folder.path}")
