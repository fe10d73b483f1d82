"""Plays the learners of finished or interrupted runs on from their snapshots, beside trivial references."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import agents
from agents.learner import Learner
from agents.run import run_until
from lora_marl.config import PacketRun
from lora_marl.core.air import Air
from lora_marl.core.units import HOUR_S
from scripts.runs import checkpoints
from scripts.runs.cli import UsageError, console, errors
from scripts.runs.folder import RunFolder
from scripts.runs.metrics import rows
from scripts.runs.packets.experiment import arrays_under, build_scenario, make_learner, scenario_name
from scripts.runs.report import Result, records, results_table

REFERENCES = ("random", "static-sf7", "distance-quantile")


def evaluate(
    runs: Sequence[tuple[PacketRun, RunFolder]], seeds: tuple[int, ...], hours: float | None
) -> list[dict[str, Any]]:
    """Prints one table of all runs, and returns its records; see `RunType.evaluate`."""
    results = []
    for config, folder in runs:
        prefix = f"{config.name}/" if len(runs) > 1 else ""
        report = evaluate_run(folder, config, seeds, default_h(config) if hours is None else hours)
        results += [Result(prefix + result.learner, result.scenario, result.by_seed) for result in report]
    lengths_h = sorted({default_h(config) if hours is None else hours for config, _ in runs})
    played = " or ".join(f"{length_h:.6g}" for length_h in lengths_h)
    console.print(
        results_table(f"evaluation: {played} h from the snapshots on, learning included", results), soft_wrap=False
    )
    return list(records(results))


def evaluate_run(folder: RunFolder, config: PacketRun, held_out: tuple[int, ...], hours: float) -> list[Result]:
    """Every learner of a run and every reference.

    Args:
        folder: Of the run.
        config: The run.
        held_out: Seeds of fresh air; empty: the air of the snapshots.
        hours: Simulated time. h

    Raises:
        UsageError: a snapshot that is damaged or does not fit, or none at all.
    """
    scenario, seeds = build_scenario(config.scenario), held_out or config.seeds
    states = _snapshots(folder, config)
    if not held_out and len({int(state["done"]) for state in states.values()}) > 1:
        errors.print(f"note: {folder.path}: its learners stopped at different times; references start with the first")

    def result(label: str, learner: Learner, air_from: checkpoints.State, points: NDArray[np.int16]) -> Result:
        air = Air(scenario, seeds, count_arms=True, feedback=learner.feedback)
        if not held_out:
            _load(air, arrays_under("air", air_from), folder.path)
        until_s = float(air.now_s.max()) + HOUR_S * hours
        outcome = run_until(air, learner, points.copy(), until_s)
        return Result(
            label, scenario_name(config), rows(outcome, scenario.region, scenario, frames=learner.nb_trans is not None)
        )

    results = []
    for label, state in states.items():
        dealt = checkpoints.join(_dealt(state, len(config.seeds), len(seeds)))
        learner = make_learner(config, label, scenario, seeds)
        _load(learner, arrays_under("learner", dealt), folder.path)
        results.append(result(label, learner, state, dealt["points"]))
    first = next(iter(states.values()))
    for name in REFERENCES:
        if all(agents.learner_name(spec.name) != name for spec in config.learners.values()):
            learner = agents.make(name, scenario, seeds)
            results.append(result(name, learner, first, learner.initial_points()))
    return results


def default_h(config: PacketRun) -> float:
    """Returns the length of the part that the run itself reports. h"""
    return config.report_last_h if config.evaluation_s is None else config.evaluation_s / HOUR_S


def _snapshots(folder: RunFolder, config: PacketRun) -> dict[str, checkpoints.State]:
    """The newest states of a run by label; labels without one are named and left out."""
    restored = {label: folder.restore(label) for label in config.learners}
    states = {label: state for label, state in restored.items() if state is not None}
    if not states:
        raise UsageError(f"{folder.path}: has no snapshot yet; train it first")
    for label in config.learners:
        if label not in states:
            errors.print(f"note: {folder.path}: {label} has no snapshot yet and is left out", style="yellow")
    return states


def _load(receiver: Air | Learner, state: checkpoints.State, run: Path) -> None:
    try:
        receiver.load_state_dict(state)
    except ValueError as error:
        raise UsageError(f"{run}: a snapshot does not fit: {error}") from None


def _dealt(state: checkpoints.State, replicas: int, count: int) -> list[checkpoints.State]:
    """The states of the replicas in turn, until there are as many as held-out seeds."""
    parts = checkpoints.split(state, replicas)
    return [parts[number % replicas] for number in range(count)]
