"""A comparison's work: jobs that any process can run, and one file per finished scenario, learner and seed.

A seed's result depends on its own number alone, so how seeds are dealt out to jobs changes no number, and what an
earlier call has finished is reused seed by seed. A file's name is a digest of all that its content depends on: resolved
scenario, learner, seed, times, and the source code of the package and its learners.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from lora_marl import __version__
from lora_marl.config import CoexistenceRun, ConfigError, TrainConfig
from scripts.runs import checkpoints
from scripts.runs.checkpoints import State
from scripts.runs.cli import UsageError, errors
from scripts.runs.job_progress import noting
from scripts.runs.packets.experiment import build_scenario
from scripts.runs.packets.results import delivery_ratio
from scripts.runs.registry import run_type_of

_FORMAT = 2

C = TypeVar("C", bound=TrainConfig)


@dataclass(frozen=True)
class Job(Generic[C]):
    """One learner on some seeds of one scenario.

    Attributes:
        config: The run, with these seeds alone.
        label: The learner's, in `config.learners`.
        optional: Whether the comparison continues without it where the learner refuses the scenario.
    """

    config: C
    label: str
    optional: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        """Which replicas."""
        return self.config.seeds


def run_job(number: int, job: Job[Any], progress: Path | None = None) -> tuple[int, list[State] | str]:
    """Runs a job: its number and what `RunType.results` keeps of each seed, or why a learner refuses the scenario.

    Args:
        number: To know the answer by.
        job: The job.
        progress: File in which it notes how far it is (`scripts.runs.job_progress`); None: it does not.
    """
    with noting(progress):
        try:
            return number, run_type_of(job.config).results(job.label)
        except ConfigError as error:
            return number, str(error)


class Store:
    """Finished seeds on disk, never pickled.

    Args:
        folder: Made when it is needed.
        fresh: Read nothing that an earlier call has stored.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.folder, self._fresh = folder, fresh

    def path(self, job: Job[Any], seed: int) -> Path:
        """Returns the path of the results of a seed."""
        return self.folder / f"{digest(job, seed)}.npz"

    def write(self, job: Job[Any], states: Sequence[State]) -> None:
        """Stores the results of a job."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for seed, state in zip(job.seeds, states, strict=True):
            checkpoints.write(self.path(job, seed), state)

    def read(self, job: Job[Any]) -> dict[int, State]:
        """The stored states of a job, by seed; damaged files are named and run again."""
        states: dict[int, State] = {}
        for seed in () if self._fresh else job.seeds:
            path = self.path(job, seed)
            try:
                states |= {seed: checkpoints.read(path)} if path.exists() else {}
            except UsageError:
                errors.print(f"note: {path}: is damaged; {job.label}, seed {seed} is played again", style="yellow")
        return states


def chunks(job: Job[C], count: int) -> list[Job[C]]:
    """A job as `count` jobs of about as many seeds each; one where the scenario itself differs by replica."""
    seeds = job.seeds
    count = 1 if by_replica(job.config) else max(1, min(count, len(seeds)))
    cuts = [len(seeds) * number // count for number in range(count + 1)]
    return [with_seeds(job, seeds[low:high]) for low, high in zip(cuts, cuts[1:], strict=False)]


def plan(jobs: Iterable[Job[C]], workers: int) -> list[Job[C]]:
    """Jobs cut up as far as it takes to have one for every worker, and no further: replicas together are faster."""
    jobs = list(jobs)
    return [part for job in jobs for part in chunks(job, math.ceil(workers / len(jobs)))]


def with_seeds(job: Job[C], seeds: Sequence[int]) -> Job[C]:
    """The job for other seeds."""
    config: C = job.config.model_copy(update={"seeds": tuple(seeds)})  # type: ignore[assignment]
    return replace(job, config=config)


def by_replica(config: TrainConfig) -> bool:
    """Whether positions or traffic are listed by replica, so that a seed has its place."""
    if isinstance(config, CoexistenceRun):
        return False
    scenario = replace(build_scenario(config.scenario), changes=())
    try:
        scenario.check_replicas(1)
        for change in config.scenario.changes:
            scenario = scenario.with_values(change.values)
            scenario.check_replicas(1)
    except ValueError:
        return True
    return False


def digest(job: Job[Any], seed: int) -> str:
    """A digest of everything that a seed's result depends on, as 32 hexadecimal digits."""
    config, run = job.config, run_type_of(job.config)
    settings = config.model_dump(mode="json", exclude={"schema_version", "name", "seeds", "learners", "environment"})
    learner = config.learners[job.label].model_dump(mode="json")
    place = config.seeds.index(seed) if by_replica(config) else None
    code = _digest_of_code(tuple(run.code(job.label)))
    text = json.dumps([_FORMAT, __version__, code, settings, learner, seed, place], sort_keys=True)
    inputs = [path.read_bytes() for path in run.inputs(job.label)]
    return hashlib.sha256(b"\0".join([text.encode(), *inputs])).hexdigest()[:32]


@cache
def _digest_of_code(paths: tuple[Path, ...]) -> str:
    """Digest of the source code in folders and files."""
    files = {file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))}
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in sorted(files))).hexdigest()


def extra_of(state: State) -> dict[str, float]:
    """The results of a seed beside its rows; delivery in percent, scores on the closed form as they are."""
    scores = {name.removeprefix("extra/"): float(value) for name, value in state.items() if name.startswith("extra/")}
    if scores:
        return scores
    joint, model = (100 * float(value) for value in state["expected"])
    return {"delivery": 100 * delivery_ratio(state), "joint": joint, "model": model}
