"""Plays the learners of finished or interrupted runs on, and compares them with the trivial references.

- `python scripts/evaluate.py runs/dlora`
- `python scripts/evaluate.py runs/dlora runs/other --hours 50 --seeds 100,101,102,103,104 --json eval.json`

Each learner goes on from its snapshot, learning included: none of them has a mode without learning, and a node that
explores pays for it here as it did in training. By default it goes on in the air of the snapshot. With `--seeds` it
meets air that it has not seen (the same network, other packets, shadowing and noise); held-out seed number i is met by
the replica that was trained with seed number i, counted round.

The references `random`, `static-sf7` and `distance-quantile` take over the air of the run's first learner at the same
moment (or the same held-out seeds): identical air, random numbers per node and packet included.

A policy that was exported (`configs/policies/uplink_v0` is one) meets the environment that it was trained on, on seeds
that were not used (`--seeds`: these), beside random actions.

A run on the closed form (`energy` in its configuration) leaves allocations, which are judged by the closed form, by its
exact refinement, and by 2,000 packets a node.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import agents
from agents.learner import Learner
from agents.run import run_until
from lora_marl.adapters.policy import SPACES, Policy
from lora_marl.config import TrainConfig
from lora_marl.core.air import Air
from lora_marl.core.scenario import DutyCycleWarning
from scripts.runs import checkpoints
from scripts.runs.cli import JsonPath, UsageError, console, errors, new_app, one_line_errors, write_json
from scripts.runs.environments import FIRST_SEED, environment_of, worth
from scripts.runs.folder import RunFolder
from scripts.runs.metrics import rows
from scripts.runs.packets import HOUR_S, built, make_learner, part_of, scenario_name
from scripts.runs.registry import kind_of
from scripts.runs.report import Result, records, results_table

app = new_app()

REFERENCES = ("random", "static-sf7", "distance-quantile")


@app.command(help=__doc__)
def main(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders such as runs/dlora, or of policies.")],
    seeds: Annotated[str | None, typer.Option(metavar="I,J,...", help="Held-out seeds of the air.")] = None,
    hours: Annotated[
        float | None, typer.Option(help="Simulated time; without it, the part that the run reports. h")
    ] = None,
    json: JsonPath = None,
) -> None:
    """Evaluates and reports."""
    with one_line_errors():
        if hours is not None and not 0 < hours < math.inf:
            raise UsageError(f"--hours: {hours:g} is not a number of hours above 0")
        held_out, results = _seeds(seeds), []
        if any((path / SPACES).is_file() for path in runs):
            evaluate_policies(runs, held_out, json)
            return
        folders = [RunFolder.read(path) for path in runs]
        if any(kind_of(folder.config) is not None for folder in folders):
            evaluate_kinds(folders, held_out, hours, json)
            return
        for folder in folders:
            named = f"{folder.config.name}/" if len(runs) > 1 else ""
            found = evaluate(folder, held_out, default_h(folder.config) if hours is None else hours)
            results += [Result(named + result.learner, result.scenario, result.by_seed) for result in found]
        console.print(results_table("evaluation: from the snapshots on, learning included", results))
        write_json(json, list(records(results)))


def evaluate_policies(folders: Sequence[Path], held_out: Sequence[int], json: Path | None) -> None:
    """The same for exported policies."""
    seeds, everything = held_out or range(FIRST_SEED, FIRST_SEED + 5), []
    for folder in folders:
        try:
            policy = Policy.read(folder)
        except ValueError as error:
            raise UsageError(str(error)) from None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DutyCycleWarning)
            table, found = worth(environment_of(policy, len(seeds)), policy, seeds)
        console.print(table)
        everything += found
    write_json(json, everything)


def evaluate_kinds(
    folders: Sequence[RunFolder], held_out: Sequence[int], hours: float | None, json: Path | None
) -> None:
    """The same for runs that are not of packets alone, which are judged as they are."""
    records = []
    for folder in folders:
        kind = kind_of(folder.config)
        if kind is None:
            raise UsageError(f"{folder.path}: is a run of packets, others are not; evaluate them apart")
        if held_out or hours is not None:
            raise UsageError(f"{folder.path}: is {kind.TITLE}; --seeds and --hours are for runs of packets")
        records += [{"run": folder.config.name} | record for record in kind.evaluate(folder)]
    write_json(json, records)


def evaluate(folder: RunFolder, held_out: tuple[int, ...], hours: float) -> list[Result]:
    """Every learner of a run and every reference.

    Args:
        folder: Of the run.
        held_out: Seeds of fresh air; empty: the air of the snapshots.
        hours: Simulated time. h

    Raises:
        UsageError: a snapshot that is damaged or does not fit, or none at all.
    """
    config = folder.config
    scenario = built(config.scenario)
    seeds = held_out or config.seeds
    restored = {label: folder.restore(label) for label in config.learners}
    trained = {label: state for label, state in restored.items() if state is not None}
    if not trained:
        raise UsageError(f"{folder.path}: has no snapshot yet; train it first")
    for label in config.learners:
        if label not in trained:
            errors.print(f"note: {folder.path}: {label} has no snapshot yet and is left out", style="yellow")
    if not held_out and len({int(state["done"]) for state in trained.values()}) > 1:
        errors.print(f"note: {folder.path}: its learners stopped at different times; references start with the first")
    first = next(iter(trained.values()))

    def result(label: str, learner: Learner, air_from: checkpoints.State, points: np.ndarray) -> Result:
        air = Air(scenario, seeds, count_arms=True, feedback=learner.feedback)
        if not held_out:
            _load(air, part_of(air_from, "air"), folder.path)
        until_s = float(air.now_s.max()) + HOUR_S * hours
        outcome = run_until(air, learner, points.copy(), until_s)
        return Result(label, scenario_name(config), rows(outcome, scenario.region))

    results = []
    for label, state in trained.items():
        taken = checkpoints.join(_rotated(state, len(config.seeds), len(seeds)))
        learner = make_learner(config, label, scenario, seeds)
        _load(learner, part_of(taken, "learner"), folder.path)
        results.append(result(label, learner, state, taken["points"]))
    for name in REFERENCES:
        if all(agents.learner_name(spec.name) != name for spec in config.learners.values()):
            learner = agents.make(name, scenario, seeds)
            results.append(result(name, learner, first, learner.initial_points()))
    return results


def _load(player: Air | Learner, state: checkpoints.State, run: Path) -> None:
    try:
        player.load_state_dict(state)
    except ValueError as error:
        raise UsageError(f"{run}: a snapshot does not fit: {error}") from None


def default_h(config: TrainConfig) -> float:
    """How long the run itself reports. h"""
    return config.report_last_h if config.evaluation_s is None else config.evaluation_s / HOUR_S


def _rotated(state: checkpoints.State, replicas: int, wanted: int) -> list[checkpoints.State]:
    parts = checkpoints.split(state, replicas)
    return [parts[number % replicas] for number in range(wanted)]


def _seeds(text: str | None) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"--seeds: {text!r} is not a list of numbers such as 100,101,102") from None
    if min(seeds, default=0) < 0 or len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds: {text!r}: seeds are at least 0, each once")
    return seeds


if __name__ == "__main__":
    app()
