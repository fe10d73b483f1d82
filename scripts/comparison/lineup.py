"""The learners of each scenario: those of its configuration, those that were asked for, and the references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import agents
from lora_marl.adapters.policy import digest
from lora_marl.config import LearnerConfig, PacketRun
from lora_marl.core.checks import suggest
from scripts.comparison.result import REFERENCE_EE, REFERENCE_PDR
from scripts.runs.cli import UsageError, read_packet_config
from scripts.runs.jobs import Job, by_replica, with_seeds
from scripts.runs.packets.experiment import PacketExperiment

TRIVIAL = ("random", "static-sf7", "distance-quantile")
REFERENCES = (REFERENCE_PDR, REFERENCE_EE)


@dataclass(frozen=True)
class Lineup:
    """A scenario and its learners.

    Attributes:
        config: The run, all learners included, in the order of tables.
        optional: Learners that were added; where they refuse the scenario, they are left out.
    """

    config: PacketRun
    optional: tuple[str, ...]

    def jobs(self) -> list[Job[PacketRun]]:
        """One for each learner, with all seeds."""
        return [Job(self.config, label, label in self.optional) for label in self.config.learners]

    def check(self) -> None:
        """Builds every learner that was asked for, with one seed, so that errors are raised before anything runs.

        Raises:
            UsageError: a learner does not fit the scenario.
        """
        for job in self.jobs():
            if not job.optional:
                alone = job if by_replica(job.config) else with_seeds(job, job.seeds[:1])
                try:
                    PacketExperiment(alone.config, job.label)
                except ValueError as error:
                    raise UsageError(f"{self.config.name}: {error}") from None


def lineups(
    configs: Sequence[Path], overrides: Sequence[str], asked: Sequence[str], *, references: bool
) -> list[Lineup]:
    """Every scenario with its learners.

    Args:
        configs: Files.
        overrides: `key=value`, for all of them.
        asked: Labels of learners beyond those of each file: of the file, of `agents.LEARNERS`, of another of the
            files, an import path, or the folder of an exported policy.
        references: Whether the references of a PDR and an EE that can be had are added too.

    Raises:
        ConfigError: a file that cannot be read.
        UsageError: an unknown learner, or two scenarios of one name.
    """
    # rows of an hour, unless asked otherwise: times to converge and to recover are read off them
    runs = [read_packet_config(path, ["interval_h=1", *overrides]) for path in configs]
    names = [run.name for run in runs]
    for path, name in zip(configs, names, strict=True):
        if names.count(name) > 1:
            raise UsageError(f"{path}: the name {name!r} occurs twice; each configuration needs a name of its own")
    elsewhere = {label: spec for run in reversed(runs) for label, spec in run.learners.items()}
    return [_lineup(run, [_learner_of(label, run, elsewhere) for label in asked], references) for run in runs]


def label_list(text: str | None, option: str) -> list[str]:
    """Labels between commas.

    Raises:
        UsageError: one of them is empty.
    """
    labels = [] if text is None else [label.strip() for label in text.split(",")]
    if "" in labels:
        raise UsageError(f"{option}: {text!r} has an empty name")
    return list(dict.fromkeys(labels))


def _lineup(run: PacketRun, asked: Iterable[tuple[str, LearnerConfig]], references: bool) -> Lineup:
    learners = dict(run.learners)
    for label, spec in asked:
        if learners.setdefault(label, spec) != spec:
            raise UsageError(f"--learners: {label!r} is the name of two; rename the folder of the policy")
    present = {agents.learner_name(spec.name) for spec in learners.values() if not spec.parameters} | set(learners)
    always = [*TRIVIAL, *(REFERENCES if references else ())]
    added = [name for name in always if name not in present and name in agents.LEARNERS]
    order = [label for label in learners if label not in always] + [label for label in learners if label in always]
    learners = {label: learners[label] for label in order} | {name: LearnerConfig(name=name) for name in added}
    optional = [label for label in always if label in learners and label not in run.learners]
    return Lineup(run.model_copy(update={"learners": learners}), tuple(optional))


def policy_at(folder: Path) -> LearnerConfig:
    """An exported policy as a learner; its digest is part of the name of its results."""
    try:
        parameters = {"path": str(folder), "digest": digest(folder)}
    except ValueError as error:
        raise UsageError(f"--learners: {error}") from None
    return LearnerConfig(name="scripts.runs.policy:ExportedPolicy", parameters=parameters)


def _learner_of(label: str, run: PacketRun, elsewhere: Mapping[str, LearnerConfig]) -> tuple[str, LearnerConfig]:
    if label in run.learners:
        return label, run.learners[label]
    name = agents.learner_name(label)
    if name in run.learners:
        return label, run.learners[name]
    if name in agents.LEARNERS or ":" in label:
        return label, LearnerConfig(name=label)
    if label in elsewhere:
        return label, elsewhere[label]
    if Path(label).is_dir() or Path(label).name != label:
        return Path(label).name, policy_at(Path(label))
    hint = suggest(label, {*agents.LEARNERS, *agents.PAPER_NAMES, *elsewhere}, same_start=True)
    raise UsageError(f"--learners: {label!r} is no learner{hint}")
