"""The training loop of all runs, and what it asks of them: an experiment per label, run segment by segment.

A segment is what one row of `metrics.csv` covers: an interval of packets, an episode on the closed form, an interval of
coexisting networks. A run may be stopped between two segments; a later call continues to the same numbers, byte for
byte, from the newest snapshot.
"""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from numpy.typing import NDArray

from lora_marl.config import TrainConfig
from lora_marl.envs.rewards import TermError
from scripts.runs.checkpoints import State
from scripts.runs.cli import UsageError
from scripts.runs.events import EventFile
from scripts.runs.figures import Band
from scripts.runs.folder import RunFolder
from scripts.runs.job_progress import note_share
from scripts.runs.metrics import Row
from scripts.runs.progress import Progress, StopRequest


class Experiment(Protocol):
    """A label of a run on all seeds at once."""

    @property
    def done(self) -> int:
        """Segments run so far."""

    @property
    def total(self) -> int:
        """Segments of the whole run."""

    @property
    def finished(self) -> bool:
        """Whether all segments have been run."""

    def step(self) -> list[Row]:
        """Runs the next segment and returns its row of `metrics.csv` for every seed, in the order of the seeds."""

    def state_dict(self) -> State:
        """Everything that later segments depend on, as plain arrays by name; random generators included."""

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned, also in another process.

        Raises:
            ValueError: an array is missing, or belongs to another run; the message names it.
        """


C = TypeVar("C", bound=TrainConfig)
E = TypeVar("E", bound=Experiment)


class RunType(ABC, Generic[C, E]):
    """A kind of run: its experiments, where their state is kept, and how results are shown.

    Args:
        config: The run.
    """

    title: ClassVar[str]
    """The kind of run in words, for error messages."""
    section: ClassVar[str] = ""
    """The section of the configuration that has its rewards, if they may be a user's own."""
    axis: ClassVar[str]
    """The column of `metrics.csv` that counts time."""
    unit: ClassVar[str]
    """The unit of that column."""
    snapshots: ClassVar[int]
    """About how many snapshots are taken of a label."""

    def __init__(self, config: C) -> None:
        self.config = config

    @abstractmethod
    def check(self) -> None:
        """Builds what every label needs, so that errors are raised before the first one trains.

        Raises:
            ConfigError: a learner or a network that cannot be built, naming it.
        """

    @abstractmethod
    def experiment(self, label: str) -> E:
        """The experiment of a label at its beginning."""

    @abstractmethod
    def length(self, label: str) -> float:
        """The value of `axis` at the end of a label."""

    @abstractmethod
    def event(self, row: Row) -> tuple[int, dict[str, float]]:
        """A row for TensorBoard: the step, and numbers by tag."""

    def is_complete(self, folder: RunFolder, label: str) -> bool:
        """Whether an earlier call has left everything of a label, so that its experiment need not be built."""
        return False

    @abstractmethod
    def save(self, folder: RunFolder, label: str, experiment: E) -> None:
        """Writes a snapshot, and only then removes the older ones."""

    @abstractmethod
    def restore(self, folder: RunFolder, label: str, experiment: E) -> None:
        """Sets a new experiment to the newest snapshot, if there is one.

        Raises:
            UsageError: the snapshot is damaged, or of another run.
        """

    @abstractmethod
    def report(self, folder: RunFolder, band: Band = Band.interval) -> list[dict[str, Any]]:
        """Prints the table of a finished run and draws its pictures; returns a record per label and number.

        Args:
            folder: Of the run.
            band: What bands around curves show.
        """

    def next_commands(self, folder: RunFolder, config: Path, changes: Sequence[str]) -> list[tuple[str, str]]:
        """Commands that go on from a finished run, and what each is for.

        Args:
            folder: Of the run.
            config: The file that it came from.
            changes: Changes of that file, `key.path=value`.
        """
        run, first = shlex.quote(str(folder.path)), max(self.config.seeds) + 1
        repeated = "".join(f" --set {shlex.quote(change)}" for change in changes)
        again = f"--set name={self.config.name}-more --set 'seeds=[{first},{first + 1}]'"
        return [
            ("judges what is left of it", f"python scripts/evaluate.py {run}"),
            ("the same on two further seeds", f"python scripts/train.py --config {config}{repeated} {again}"),
            ("its curves in a browser", f"tensorboard --logdir {run}"),
        ]

    @classmethod
    def evaluate(
        cls, runs: Sequence[tuple[Self, RunFolder]], seeds: Sequence[int], hours: float | None
    ) -> list[dict[str, Any]]:
        """Judges what runs of this kind have left: prints tables, and returns records.

        Args:
            runs: With their folders.
            seeds: Held-out seeds; empty: none were asked for.
            hours: Simulated time; None: the run's own. h

        Raises:
            UsageError: seeds or hours that this kind of run cannot use, or a file that is damaged.
        """
        records: list[dict[str, Any]] = []
        for run, folder in runs:
            if seeds or hours is not None:
                raise UsageError(f"{folder.path}: is {cls.title}; --seeds and --hours are for runs of packets")
            records += [{"run": run.config.name} | record for record in run.judge(folder)]
        return records

    def judge(self, folder: RunFolder) -> list[dict[str, Any]]:
        """Judges what a run has left, without seeds or hours: prints a table, and returns records."""
        raise NotImplementedError

    @abstractmethod
    def results(self, label: str) -> list[State]:
        """Runs a label in memory for a comparison or a study and returns what is kept of every seed."""

    @abstractmethod
    def code(self, label: str) -> list[Path]:
        """Folders and files of source code that the numbers of a label depend on."""

    @abstractmethod
    def inputs(self, label: str) -> list[Path]:
        """Files beside the configuration that the numbers of a label depend on."""


def curves_of(experiment: Experiment, seeds: int) -> list[list[Row]]:
    """Runs an experiment to its end in memory and returns its rows, a list for each of so many seeds."""
    curves: list[list[Row]] = [[] for _ in range(seeds)]
    while not experiment.finished:
        for curve, row in zip(curves, experiment.step(), strict=True):
            curve.append(row)
        note_share(experiment.done / experiment.total)
    return curves


def train(run: RunType[Any, Any], folder: RunFolder, stop: StopRequest) -> bool:
    """Trains all labels from their newest snapshots on; False: a stop was requested.

    Raises:
        UsageError: a snapshot or a file of an earlier call that is damaged, or a user's reward term that fails.
    """
    labels = list(run.config.learners)
    with Progress(dict(zip(labels, map(run.length, labels), strict=True)), run.unit) as progress:
        for label in labels:
            try:
                if not _train_label(run, folder, label, stop, progress):
                    return False
            except TermError as error:
                raise UsageError(f"{run.section}.{error}") from error
    return True


def _train_label(run: RunType[Any, Any], folder: RunFolder, label: str, stop: StopRequest, progress: Progress) -> bool:
    """One label, in the order that makes a crash harmless: rows first, then the snapshot that has seen them."""
    if run.is_complete(folder, label):
        progress.begin(label, run.length(label))
        return True
    experiment, position = run.experiment(label), 0.0
    run.restore(folder, label, experiment)
    every = max(1, experiment.total // run.snapshots)
    with ExitStack() as files:
        events: list[EventFile] = []
        for seed in folder.seeds:
            earlier = folder.cut(label, seed, experiment.done)
            events.append(files.enter_context(EventFile(folder.folder(label, seed))))
            for row in earlier:
                events[-1].add(*run.event(row))
                position = row[run.axis]
        progress.begin(label, position)
        while not experiment.finished and not stop.requested:
            rows = experiment.step()
            for seed, event_file, row in zip(folder.seeds, events, rows, strict=True):
                folder.append(label, seed, row)
                event_file.add(*run.event(row))
            progress.advance(rows[0][run.axis], sum(row.get("sent", 0) for row in rows))
            if experiment.done % every == 0 or experiment.finished or stop.requested:
                run.save(folder, label, experiment)
    return bool(experiment.finished)
