"""The frozen tasks: a network, its seeds, what counts, and the rules between which a score is counted.

A task's digest covers everything that its numbers depend on but the source code: the resolved configuration without
learners, and the held-out seeds. A catalogue states the digests; where one differs, the task has changed, and is an
error until it gets a new version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lora_marl.config import CoexistenceRun, LearnerConfig, PacketRun, TrainConfig
from lora_marl.core.checks import suggest
from scripts.runs.cli import ROOT, UsageError, read_config

CATALOGUE = ROOT / "configs/bench/v1.yaml"

Group = Literal["node", "server", "everything"]
"""Who decides with what knowledge: a node with its own packets, a server with what its gateways receive, or all."""


LATER_KEYS: Mapping[str, Any] = {
    "scenario.channel_mask": None,
    "scenario.reception.negligible_db": None,
    "scenario.traffic.nb_trans": 1,
    "scenario.traffic.trace_csv": None,
    "scenario.traffic.trace_repeat_s": None,
}
"""Keys that configurations have got since the first version was frozen, with their defaults: a digest leaves them out
where they are at these, so that a task of before is the same task."""


class Entry(BaseModel):
    """A learner of the catalogue.

    Attributes:
        name: As in `agents.LEARNERS`, or an import path.
        group: What it knows.
        parameters: Of its constructor.
        tolerance: Largest difference of a metric when a cell is played again; 0: equal to the digit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    group: Group
    parameters: dict[str, Any] = {}
    tolerance: float = Field(default=0.0, ge=0.0)


class Task(BaseModel):
    """A task as the catalogue states it.

    Attributes:
        config: File of `configs/`.
        changes: Overrides, `key=value`.
        metric: The measure that is scored, of which more is better.
        unit: Of the measure as it is shown.
        trivial, reference: Labels of the rules of score 0 and 100.
        learners: Labels of the catalogue's learners that take part; the two rules do anyway.
        digest: Of everything that the numbers depend on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: str
    changes: tuple[str, ...] = ()
    metric: str
    unit: str
    trivial: str
    reference: str
    learners: tuple[str, ...]
    digest: str

    def labels(self) -> tuple[str, ...]:
        """All learners of the task, the trivial rule and the reference last."""
        return tuple(dict.fromkeys((*self.learners, self.trivial, self.reference)))


class Catalogue(BaseModel):
    """A version of the benchmark.

    Attributes:
        version: Such as `v1`.
        status: What others may rely on.
        training_seeds: For choices; never played for the table.
        held_out_seeds: Of the table; each has a placement of its own.
        fresh_seeds: Of `verify --fresh`.
        learners: By label.
        tasks: By name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    status: str
    training_seeds: tuple[int, ...]
    held_out_seeds: tuple[int, ...]
    fresh_seeds: tuple[int, ...]
    learners: Mapping[str, Entry]
    tasks: Mapping[str, Task]

    def task(self, name: str) -> Task:
        """A task by name.

        Raises:
            UsageError: there is none, naming the nearest.
        """
        if name not in self.tasks:
            raise UsageError(f"{name!r} is no task of {self.version}{suggest(name, self.tasks)}")
        return self.tasks[name]

    def entry(self, label: str) -> Entry:
        """A learner by label.

        Raises:
            UsageError: there is none, naming the nearest.
        """
        if label not in self.learners:
            raise UsageError(f"{label!r} is no learner of {self.version}{suggest(label, self.learners)}")
        return self.learners[label]

    def run(self, name: str, labels: Mapping[str, Entry], seeds: tuple[int, ...]) -> TrainConfig:
        """The configuration of a task with some learners and seeds, each with a placement of its own."""
        task = self.task(name)
        path = ROOT / "configs" / task.config
        changes = [*task.changes, f"seeds=[{', '.join(map(str, seeds))}]"]
        if isinstance(read_config(path, notes=False), PacketRun):
            changes += [f"scenario.topology.seed={seeds[0]}", f"scenario.topology.placements={len(seeds)}"]
        config = read_config(path, changes, notes=False)
        learners = {label: LearnerConfig(name=e.name, parameters=e.parameters) for label, e in labels.items()}
        return config.model_copy(update={"learners": learners, "name": name})

    def digest(self, name: str) -> str:
        """The digest of a task as its files are now, 16 hexadecimal digits."""
        config = self.run(name, {}, self.held_out_seeds)
        settings = config.model_dump(mode="json", exclude={"schema_version", "name", "learners", "environment"})
        _drop_later_keys(settings)
        files = [] if isinstance(config, CoexistenceRun) else [path.read_bytes() for path in config.scenario.files]
        text = json.dumps([self.task(name).metric, settings], sort_keys=True)
        return hashlib.sha256(b"\0".join([text.encode(), *files])).hexdigest()[:16]

    def check(self, name: str) -> None:
        """Checks that a task is what the catalogue froze.

        Raises:
            UsageError: it has changed.
        """
        stated, now = self.task(name).digest, self.digest(name)
        if stated != now:
            raise UsageError(
                f"task {name}: its configuration has digest {now}, {self.version} froze {stated}; restore "
                f"configs/{self.task(name).config}, or make a new version of the task"
            )


def read_catalogue(path: Path = CATALOGUE) -> Catalogue:
    """The catalogue of a file.

    Raises:
        UsageError: it cannot be read, one line for the first problem.
    """
    try:
        return Catalogue.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (ValidationError, yaml.YAMLError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "is no YAML"}
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _drop_later_keys(settings: dict[str, Any]) -> None:
    """Remove the keys of `LATER_KEYS` that are at their defaults from resolved settings, in place."""
    for path, default in LATER_KEYS.items():
        *sections, key = path.split(".")
        section: Any = settings
        for name in sections:
            section = section.get(name) if isinstance(section, dict) else None
        if isinstance(section, dict) and section.get(key, default) == default:
            section.pop(key, None)
