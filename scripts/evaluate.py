"""Plays the learners of finished or interrupted runs on, and compares them with the trivial references.

- `python scripts/evaluate.py runs/dlora`
- `python scripts/evaluate.py runs/dlora runs/other --hours 50 --seeds 100,101,102,103,104 --json eval.json`

Each learner goes on from its snapshot, learning included: none of them has a mode without learning, and a node that
explores pays for it here as it did in training. By default it goes on in the air of the snapshot. With `--seeds` it
meets air that it has not seen (the same network, other packets, shadowing and noise). Held-out seed i is played by the
replica of training seed i modulo their number.

The references `random`, `static-sf7` and `distance-quantile` take over the air of the run's first learner at the same
moment (or the same held-out seeds): identical air, random numbers per node and packet included.

A policy that was exported (`configs/policies/uplink_v0` is one) meets the environment that it was trained on, on seeds
that were not used (`--seeds`: these), beside what needs no learning: random actions, the best constant choice, and the
best rule. Actions are drawn from the policy where it was trained so (PPO), and the best one is taken where that is what
was trained (DQN).

A run on the closed form (`energy` in its configuration) leaves allocations, which are judged by the closed form, by its
exact refinement, and by 2,000 packets a node.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lora_marl.adapters.policy import SPACES, Policy
from lora_marl.config import TrainConfig
from lora_marl.core.duty_cycle import DutyCycleWarning
from scripts.runs import baselines
from scripts.runs.assumptions import assumptions_of_all, assumptions_table
from scripts.runs.cli import JsonPath, UsageError, console, new_app, one_line_errors, write_json
from scripts.runs.environments import FIRST_SEED, assumptions_of_environment, environment_of
from scripts.runs.folder import read_run
from scripts.runs.loop import RunType
from scripts.runs.registry import run_type_of

app = new_app()


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
        held_out = _seeds(seeds)
        if any((path / SPACES).is_file() for path in runs):
            write_json(json, evaluate_policies(runs, held_out))
        else:
            write_json(json, evaluate_runs(runs, held_out, hours))


def evaluate_policies(folders: Sequence[Path], held_out: Sequence[int]) -> list[dict[str, Any]]:
    """Prints what exported policies are worth on held-out seeds, and returns records."""
    seeds, records = held_out or range(FIRST_SEED, FIRST_SEED + 5), []
    for folder in folders:
        try:
            policy = Policy.read(folder)
        except ValueError as error:
            raise UsageError(str(error)) from None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DutyCycleWarning)
            env = environment_of(policy, len(seeds))
            table, rows = baselines.compare(env, policy, seeds)
        console.print(assumptions_table(assumptions_of_environment(env)), soft_wrap=False)
        console.print(table, soft_wrap=False)
        records += rows
    return records


def evaluate_runs(paths: Sequence[Path], held_out: Sequence[int], hours: float | None) -> list[dict[str, Any]]:
    """Prints what runs have learned, kind by kind, and returns records."""
    by_type: dict[type[RunType[Any, Any]], list[Any]] = {}
    configs: list[TrainConfig] = []
    for path in paths:
        folder, config = read_run(path)
        configs.append(config)
        run = run_type_of(config)
        by_type.setdefault(type(run), []).append((run, folder))
    console.print(assumptions_table(assumptions_of_all(configs)), soft_wrap=False)
    return [record for run_type, runs in by_type.items() for record in run_type.evaluate(runs, held_out, hours)]


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
