"""A comparison's work: jobs that any process can play, and one file per finished scenario, learner and seed.

A seed's result depends on its own number alone, so how seeds are dealt out to jobs changes no number, and what an
earlier call has finished is taken over seed by seed. A file's name is a digest of all that its content depends on:
resolved scenario, learner, seed, times, and the source code of the package and its learners.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from inspect import getsourcefile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import agents
from lora_marl import __version__
from lora_marl.config import LearnerConfig, TrainConfig
from lora_marl.core.expect import LogNormal
from lora_marl.core.expect.lognormal import Variant
from lora_marl.core.outcome import Outcome
from lora_marl.core.scenario import Scenario
from scripts.runs import checkpoints
from scripts.runs.cli import ROOT, UsageError, errors
from scripts.runs.packets import Experiment, Stretch, built
from scripts.runs.registry import kind_of
from scripts.runs.metrics import Row
from scripts.runs.checkpoints import State

_FORMAT = 2
_ROW = "row/"
_MOST_PAIRS = 4000
"""Nodes beyond which all pairs at once would take too much memory."""


@dataclass(frozen=True)
class Job:
    """One learner on some seeds of one scenario.

    Attributes:
        config: The run, with these seeds alone.
        label: The learner's, in `config.learners`.
        optional: Whether the comparison goes on without it where the learner refuses the scenario.
    """

    config: TrainConfig
    label: str
    optional: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        """Which replicas."""
        return self.config.seeds


def play(number: int, job: Job) -> tuple[int, list[State] | str]:
    """Plays a job: its number and one state per seed, or why the learner refuses the scenario.

    What `_state` keeps of each seed is all that tables and pictures need.
    """
    kind = kind_of(job.config)
    if kind is not None:
        return number, kind.states_of(job.config, job.label)
    try:
        experiment = Experiment(job.config, job.label)
    except ValueError as error:
        return number, str(error)
    curves: list[list[Row]] = [[] for _ in job.seeds]
    reported: Outcome | None = None
    first = first_reported(experiment.schedule, job.config.report_last_h)
    for place, stretch in enumerate(experiment.schedule):
        outcome = experiment.play_next()
        begun = {"time_h": stretch.end_h, "evaluation": float(stretch.evaluation)}
        for curve, row in zip(curves, experiment.rows(outcome), strict=True):
            curve.append(begun | row)
        reported = outcome if reported is None or place <= first else reported + outcome
    assert reported is not None  # a schedule has at least one stretch
    return number, [_state(experiment, curve, reported, replica) for replica, curve in enumerate(curves)]


def curve_of(state: State) -> list[Row]:
    """The rows of a played seed."""
    columns = {name.removeprefix(_ROW): array.tolist() for name, array in state.items() if name.startswith(_ROW)}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def first_reported(schedule: Sequence[Stretch], last_h: float) -> int:
    """From which stretch on numbers count: the evaluation where there is one, else the last part."""
    if schedule[-1].evaluation:
        return len(schedule) - 1
    return next(place for place, stretch in enumerate(schedule) if stretch.end_h > schedule[-1].end_h - last_h + 1e-9)


class Store:
    """Finished seeds on disk, never pickled.

    Args:
        folder: Made when it is needed.
        fresh: Take nothing over.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.folder, self._fresh = folder, fresh

    def path(self, job: Job, seed: int) -> Path:
        """Of a seed's file."""
        return self.folder / f"{digest(job, seed)}.npz"

    def write(self, job: Job, states: Sequence[State]) -> None:
        """Keeps what a job has played."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for seed, state in zip(job.seeds, states, strict=True):
            checkpoints.write(self.path(job, seed), state)

    def read(self, job: Job) -> dict[int, State]:
        """What is there of a job, by seed; damaged files are named and played again."""
        found: dict[int, State] = {}
        for seed in () if self._fresh else job.seeds:
            path = self.path(job, seed)
            try:
                found |= {seed: checkpoints.read(path)} if path.exists() else {}
            except UsageError:
                errors.print(f"note: {path}: is damaged; {job.label}, seed {seed} is played again", style="yellow")
        return found


def chunks(job: Job, count: int) -> list[Job]:
    """A job as `count` jobs of about as many seeds each; one where the scenario itself differs by replica."""
    seeds = job.seeds
    count = 1 if by_replica(job.config) else max(1, min(count, len(seeds)))
    cuts = [len(seeds) * number // count for number in range(count + 1)]
    return [with_seeds(job, seeds[low:high]) for low, high in zip(cuts, cuts[1:], strict=False)]


def plan(jobs: Iterable[Job], workers: int) -> list[Job]:
    """Jobs cut up as far as it takes to have one for every worker, and no further: replicas together are faster."""
    wanted = list(jobs)
    return [part for job in wanted for part in chunks(job, math.ceil(workers / len(wanted)))]


def with_seeds(job: Job, seeds: Sequence[int]) -> Job:
    """The same for other seeds."""
    return replace(job, config=job.config.model_copy(update={"seeds": tuple(seeds)}))


def by_replica(config: TrainConfig) -> bool:
    """Whether positions or traffic are listed by replica, so that a seed has its place."""
    scenario = replace(built(config.scenario), changes=())
    try:
        scenario.check_replicas(1)
        for change in config.scenario.changes:
            scenario = scenario.with_values(change.values)
            scenario.check_replicas(1)
    except ValueError:
        return True
    return False


def digest(job: Job, seed: int) -> str:
    """What a seed's result depends on, as 32 hexadecimal digits."""
    config = job.config
    learner: LearnerConfig = config.learners[job.label]
    times = {"duration_h", "interval_h", "report_last_h", "episode_s", "evaluation_s"}
    whole = config.model_dump(mode="json", include={"scenario", "energy", "coexistence", *times})
    topology = config.scenario.topology
    files = [path.read_bytes() for path in (topology.nodes_csv, topology.gateways_csv) if path is not None]
    if config.coexistence is not None:
        service = learner.parameters.get("service")
        files.append(_weights(ROOT / config.coexistence.vendors, None if service is None else ROOT / str(service)))
    place = config.seeds.index(seed) if by_replica(config) else None
    kind = kind_of(config)
    source = _source(learner.name) if kind is None else _source_of(tuple(kind.SOURCES))
    text = json.dumps(
        [_FORMAT, __version__, source, whole, learner.model_dump(mode="json"), seed, place],
        sort_keys=True,
    )
    return hashlib.sha256(b"\0".join([text.encode(), *files])).hexdigest()[:32]


@cache
def _weights(vendors: Path, service: Path | None) -> bytes:
    """Digest of the trained policies and the service that a run of coexisting networks begins with."""
    paths = [*sorted(vendors.glob("*.safetensors")), *([service] if service is not None and service.is_file() else [])]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).digest()


@cache
def _source(learner: str) -> str:
    """Digest of the code that plays: the package, the learners, and a learner's own module elsewhere."""
    own = Path(getsourcefile(agents.learner_class(learner)) or "").resolve()
    return _digest_of(("lora_marl", "agents"), own)


@cache
def _source_of(folders: tuple[str, ...]) -> str:
    """The same of another kind of run."""
    return _digest_of(("lora_marl", "agents", *folders))


def _digest_of(folders: Sequence[str], *more: Path) -> str:
    paths = {path for folder in folders for path in (ROOT / folder).rglob("*.py")} | set(more)
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(paths) if path.is_file())).hexdigest()


def _state(experiment: Experiment, curve: Sequence[Row], reported: Outcome, replica: int) -> State:
    """What is kept of a seed.

    `row/<column>` `[T]`, `sent` and `delivered` `[N]` of the part that is reported, `points` `[N, 4]` at the end and
    what the closed forms expect of them, and the learner's `operations`, `state_bytes` and `overhead`.
    """
    learner = experiment.learner
    return {
        **{_ROW + name: np.array([row[name] for row in curve]) for name in curve[0]},
        "sent": reported.sent[replica],
        "delivered": reported.delivered[replica],
        "points": experiment.points[replica],
        "expected": expected_delivery(experiment.air.scenario, experiment.points[replica], replica),
        "operations": np.array(float(learner.operations)),
        "state_bytes": np.array(float(learner.state_bytes)),
        "overhead": _overhead(learner.overhead, replica),
    }


def extra_of(state: State) -> dict[str, float]:
    """What is no row of a played seed, in percent but for scores on the closed form: see `claims.claim.Played`."""
    scores = {name.removeprefix("extra/"): float(value) for name, value in state.items() if name.startswith("extra/")}
    if scores:
        return scores
    joint, model = (100 * float(value) for value in state["expected"])
    return {"delivery": 100 * delivery_ratio(state), "joint": joint, "model": model}


def delivery_ratio(state: State) -> float:
    """Mean over nodes of packets delivered per packet sent, of the part that is reported; nan where none was sent."""
    sent = state["sent"] > 0
    return float(np.mean(state["delivered"][sent] / state["sent"][sent])) if sent.any() else math.nan


def expected_delivery(scenario: Scenario, points: NDArray[np.int16], replica: int) -> NDArray[np.float64]:
    """Mean over active nodes of the delivery that the log-normal closed forms expect: `joint`, `compat` `[2]`; or nan.

    They know nothing of downlinks; see `lora_marl.core.expect.lognormal.closed_form`.
    """
    active = np.ones(len(points), np.bool_) if scenario.active is None else scenario.active
    found = np.full(2, np.nan)
    variants: tuple[Variant, ...] = ("joint", "compat")
    for place, variant in enumerate(variants):
        if variant == "joint" or len(points) <= _MOST_PAIRS:
            try:
                found[place] = LogNormal(scenario, variant=variant, replica=replica).delivery(points)[active].mean()
            except ValueError:
                break
    return found


def _overhead(outcome: Outcome | None, replica: int) -> NDArray[np.float64]:
    """Packets, airtime and energy of a node before its first decision: [3] packets, s, mJ; nan: none are needed."""
    if outcome is None:
        return np.full(3, np.nan)
    return np.array([array[replica].mean() for array in (outcome.sent, outcome.airtime_s, outcome.energy_mj)])
