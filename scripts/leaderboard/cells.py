"""A cell: a learner on a task, played on all held-out seeds, and the file that is kept of it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lora_marl.config import PacketRun, TrainConfig
from lora_marl.core.files import require_regular, write_atomically
from scripts.comparison.result import measured
from scripts.leaderboard.tasks import Catalogue, Entry, Group
from scripts.runs.checkpoints import State
from scripts.runs.cli import UsageError
from scripts.runs.folder import versions
from scripts.runs.jobs import Job, run_job
from scripts.runs.parallel import Workers, in_parallel


class Cell(BaseModel):
    """What is kept of a cell.

    Attributes:
        schema_version: Of this form.
        benchmark, task, digest: Version of the benchmark, task, and what the task was.
        learner, name, parameters, group: The learner's label, its name, its parameters, and what it knows.
        commit: Of the source code; empty where it is not a clone.
        seeds: Held-out seeds.
        metrics: Every measure by seed; None where a seed has none. `[S]` each
        cpu_s: CPU time of the whole cell, compilation included. s
        command: That plays it again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    benchmark: str
    task: str
    digest: str
    learner: str
    name: str
    parameters: dict[str, Any]
    group: Group
    commit: str
    seeds: tuple[int, ...] = Field(min_length=1)
    metrics: dict[str, tuple[float | None, ...]]
    cpu_s: float = Field(ge=0.0)
    command: str

    @model_validator(mode="after")
    def _one_value_per_seed(self) -> Cell:
        for metric, values in self.metrics.items():
            if len(values) != len(self.seeds):
                raise ValueError(f"metrics.{metric}: {len(values)} values for {len(self.seeds)} seeds")
        return self

    def values(self, metric: str) -> list[float]:
        """A measure by seed. `[S]`

        Raises:
            UsageError: a seed has none.
        """
        values = self.metrics.get(metric, ())
        if not values or any(value is None for value in values):
            raise UsageError(f"{self.task}, {self.learner}: {metric} is missing on a seed")
        return [float(value) for value in values if value is not None]


def play_cells(
    catalogue: Catalogue, wanted: Sequence[tuple[str, str]], seeds: tuple[int, ...], workers: Workers
) -> Iterable[Cell]:
    """Plays cells and yields them as they finish.

    Args:
        catalogue: With tasks and learners.
        wanted: Task and label of each.
        seeds: Of all of them.
        workers: The processes that play them.

    Raises:
        UsageError: a task has changed, or a learner refuses it.
    """
    for task in dict.fromkeys(task for task, _ in wanted):
        catalogue.check(task)
    jobs = [
        (number, Job(catalogue.run(task, {label: catalogue.entry(label)}, seeds), label))
        for number, (task, label) in enumerate(wanted)
    ]
    for number, answer, cpu_s in in_parallel(_timed, jobs, workers):
        task, label = wanted[number]
        if isinstance(answer, str):
            raise UsageError(f"{task}: {answer}")
        yield cell_of(catalogue, task, label, catalogue.entry(label), seeds, answer, cpu_s)


def cell_of(
    catalogue: Catalogue,
    task: str,
    label: str,
    entry: Entry,
    seeds: tuple[int, ...],
    states: Sequence[State],
    cpu_s: float,
) -> Cell:
    """What is kept of a cell that was played; `states` has one entry per seed."""
    config = catalogue.run(task, {label: entry}, seeds)
    by_seed = [measures(config, state) for state in states]
    return Cell(
        benchmark=catalogue.version,
        task=task,
        digest=catalogue.task(task).digest,
        learner=label,
        name=entry.name,
        parameters=entry.parameters,
        group=entry.group,
        commit=str(versions().get("commit", "")),
        seeds=seeds,
        metrics={name: tuple(_finite(row[name]) for row in by_seed) for name in by_seed[0]},
        cpu_s=round(cpu_s, 1),
        command=f"python scripts/bench.py run --tasks {task} --learners {label} --fresh",
    )


def measures(config: TrainConfig, state: State) -> dict[str, float]:
    """Every measure of a seed, by name."""
    if isinstance(config, PacketRun):
        return measured(state, config)
    return {
        name.removeprefix("extra/"): float(value)
        for name, value in state.items()
        if name.startswith("extra/") and value.ndim == 0 and name != "extra/cpu_s"
    }


def path_of(folder: Path, task: str, label: str) -> Path:
    """The file of a cell."""
    return folder / task / f"{label}.json"


def write(folder: Path, cell: Cell) -> None:
    """Writes a cell, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    path = path_of(folder, cell.task, cell.learner)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(cell.model_dump(mode="json"), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def read(path: Path) -> Cell:
    """The cell of a file.

    Raises:
        UsageError: it is none, in one line.
    """
    try:
        require_regular(path)
        return Cell.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from None


def read_all(folder: Path, catalogue: Catalogue) -> dict[str, dict[str, Cell]]:
    """The stored cells of a version by task and label, in the order of the catalogue; those of others are left out."""
    return {
        name: {
            label: cell
            for label in task.labels()
            if (path := path_of(folder, name, label)).exists() and (cell := read(path)).digest == task.digest
        }
        for name, task in catalogue.tasks.items()
    }


def as_marl_eval(cells: Mapping[str, Mapping[str, Cell]]) -> dict[str, Any]:
    """All cells in the form that `marl-eval` reads: environment, task, algorithm, seed, then metrics.

    Each seed has one evaluation, at the end of the run, as `step_0` and as its absolute metrics.
    """
    return {
        "lora_marl": {
            task: {
                label: {f"seed_{seed}": _seed_of(cell, number) for number, seed in enumerate(cell.seeds)}
                for label, cell in by_label.items()
            }
            for task, by_label in cells.items()
        }
    }


def _seed_of(cell: Cell, number: int) -> dict[str, Any]:
    metrics = {name: [value] for name, values in cell.metrics.items() if (value := values[number]) is not None}
    return {"step_0": {"step_count": 0, **metrics}, "absolute_metrics": metrics}


def _timed(number: int, job: Job[Any]) -> tuple[int, list[State] | str, float]:
    begin_s = time.process_time()
    number, answer = run_job(number, job)
    return number, answer, time.process_time() - begin_s


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
