"""A run: which learners meet which network, for how long, and what is reported.

The section that a configuration states tells which kind of run it is:

- `PacketRun` (no such section): learners decide for the nodes of a scenario, packet by packet;
- `EnergyRun` (`energy`): learners meet the closed form of a scenario;
- `CoexistenceRun` (`coexistence`): networks share the air, and strategies decide for their servers.

Unknown keys are refused by the base of all sections, `lora_marl.config.section`.
"""

from __future__ import annotations

import re
import reprlib
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self, TypeAlias

from pydantic import ConfigDict, Field, PositiveFloat, ValidationError, field_validator, model_validator

from lora_marl import ENVS
from lora_marl.config.coexistence import CoexistenceConfig
from lora_marl.config.energy import EnergyConfig
from lora_marl.config.quantities import with_units
from lora_marl.config.scenario import ScenarioConfig
from lora_marl.config.section import Section
from lora_marl.core.checks import suggest, warn_renamed
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.duty_cycle import DutyCycleWarning

SCHEMA_VERSION: Final = 3
"""Version 1 had one kind of run, so that a resolved file stated the fields of all kinds; version 2 had one region's
downlinks as the default of all regions."""

_FORMER_SCENARIO: Final[Mapping[str, Mapping[str, Any]]] = {
    "region": {"max_tp_dbm": None, "dwell_time_s": None, "rx1_channels_hz": (), "channel_data_rates": ()},
    "traffic": {"duty_cycle": None},
    "downlink": {
        name: getattr(PAPERS_DOWNLINK, name)
        for name in ("rx2_hz", "rx2_sf", "rx1_duty_cycle", "rx2_duty_cycle", "tp_dbm", "low_data_rate")
    },
}
"""What versions 1 and 2 did where a scenario does not state it."""


FORMER_PATHS: Final[Mapping[str, str]] = {"scripts.policy:ExportedPolicy": "scripts.runs.policy:ExportedPolicy"}
"""Import paths of learners that documents named before, and today's; accepted until 0.2.0."""

FORMER_STRATEGIES: Final[Mapping[str, str]] = {
    "independent": "coexistence-independent",
    "random": "coexistence-random",
}
"""Names of strategies until 0.1, and today's; accepted until 0.2.0."""


MOST_SEEDS: Final = 10_000
"""Most seeds of a run: each is a replica with an air, a folder and files of its own."""

NAME_PATTERN: Final = r"^\w[\w.-]{0,99}$"
"""Of the name of a run, which is that of its folder."""

_LABEL = re.compile(r"\w(?:[\w.:+=,()-]| (?! )){0,98}[\w)]|\w")
_FILES = frozenset({"config.yaml", "versions.json", "map.png"})


def check_label(label: object) -> None:
    """Raise ValueError unless a label of a learner, which names a folder and columns, is safe to."""
    if not isinstance(label, str) or not _LABEL.fullmatch(label) or label.casefold() in _FILES:
        raise ValueError(
            f"{reprlib.repr(label)} is no label: it names a folder, and has at most 100 letters, digits, spaces and "
            "'_ . : + = , ( ) -', the first and the last a letter or digit"
        )


def _warn_former(former: str, name: str) -> None:
    """Warn in the name of the code that gave the configuration, outside of this package and of pydantic."""
    frame, level = sys._getframe(), 2  # the level of this function, as `warn_renamed` counts
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(("lora_marl.config.", "pydantic.")):
        frame, level = frame.f_back, level + 1
    warn_renamed(former, name, stacklevel=level)


class LearnerConfig(Section):
    """A learner of one run.

    Attributes:
        name: A name that `agents` knows, or an import path `package.module:Class`.
        parameters: Passed to its constructor by keyword.
        episodes: Training episodes, in place of the run's: of packets, `episode_s` each in place of `duration_h`.
    """

    name: str = Field(min_length=1)
    parameters: dict[str, Any] = {}
    episodes: int | None = Field(default=None, ge=1)

    @field_validator("parameters", mode="before")
    @classmethod
    def _parameters_with_units(cls, parameters: Any) -> Any:
        return with_units(parameters) if isinstance(parameters, dict) else parameters

    @field_validator("name")
    @classmethod
    def _former_path(cls, name: str) -> str:
        if name in FORMER_PATHS:
            _warn_former(name, FORMER_PATHS[name])
        return FORMER_PATHS.get(name, name)


class EnvironmentConfig(Section):
    """The environment through which an external library meets the scenario; our own learners need none.

    Attributes:
        name: `uplink_v0`, `energy_v0` or `coexistence_v0`.
        parameters: Passed to its constructor by keyword.
    """

    name: str
    parameters: dict[str, Any] = {}

    @field_validator("parameters", mode="before")
    @classmethod
    def _parameters_with_units(cls, parameters: Any) -> Any:
        return with_units(parameters) if isinstance(parameters, dict) else parameters

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ENVS:
            raise ValueError(f"{name!r} is no environment{suggest(name, ENVS)}")
        return name


class BaseRun(Section):
    """The common base of all kinds of runs.

    Attributes:
        schema_version: Of this format; a file from a newer version is refused.
        name: Of the run's folder.
        seeds: One replica each.
        learners: By label; the label is the name unless one is given.
    """

    model_config = ConfigDict(allow_inf_nan=False)
    schema_version: int = Field(default=SCHEMA_VERSION, ge=1)
    name: str = Field(default="run", pattern=NAME_PATTERN)
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] = (0, 1, 2, 3, 4)
    learners: dict[str, LearnerConfig]

    @field_validator("seeds")
    @classmethod
    def _some_and_unique(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds:
            raise ValueError("needs at least one")
        if len(seeds) > MOST_SEEDS:
            raise ValueError(f"{len(seeds)} seeds; at most {MOST_SEEDS} are played in a run")
        twice = next((seed for seed, count in Counter(seeds).items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} occurs twice; seeds must be unique")
        return seeds

    @field_validator("learners", mode="before")
    @classmethod
    def _labelled(cls, learners: Any) -> Any:
        """A label names its learner; a label without value takes an inherited learner away."""
        if not isinstance(learners, dict):
            return learners
        labelled = {
            label: {"name": label, **value} if isinstance(value, dict) else value
            for label, value in learners.items()
            if value is not None
        }
        if not labelled:
            raise ValueError("needs at least one")
        for label in labelled:
            check_label(label)
        return labelled


def _scenario_without_warning(values: Any) -> ScenarioConfig:
    """The scenario of a section; nobody is warned of its traffic."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DutyCycleWarning)
        return ScenarioConfig.model_validate(values)


def _default_scenario() -> ScenarioConfig:
    """The scenario of a run that states none."""
    return _scenario_without_warning({})


class ScenarioRun(BaseRun):
    """The base of runs on a scenario.

    Attributes:
        scenario: The network.
        environment: See `EnvironmentConfig`.
    """

    scenario: ScenarioConfig = Field(default_factory=_default_scenario)
    environment: EnvironmentConfig | None = None

    @model_validator(mode="after")
    def _placements_for_all_seeds(self) -> Self:
        """Every seed has a placement of its own, or all share one."""
        topology, seeds = self.scenario.topology, len(self.seeds)
        if 1 < topology.placements < seeds:
            raise ValueError(
                f"scenario.topology.placements: {topology.placements} for {seeds} seeds; give one for each, or 1"
            )
        return self


class PacketRun(ScenarioRun):
    """A run of packets: every learner decides for the nodes of the scenario.

    Attributes:
        duration_h: Simulated time of training. h
        interval_h: Time between two rows of metrics. h
        report_last_h: Reported numbers are means over this last part of the run, or all of it if it is shorter. h
        episode_s: Length of a training episode; None: one episode without end. s
        evaluation_s: Length of an episode that follows training, with learning on, and is reported instead. s
    """

    duration_h: PositiveFloat = 500.0
    interval_h: PositiveFloat = 10.0
    report_last_h: PositiveFloat = 100.0
    episode_s: PositiveFloat | None = None
    evaluation_s: PositiveFloat | None = None

    def training_s(self, label: str) -> float:
        """Simulated training time of a learner. s"""
        episodes = self.learners[label].episodes
        if episodes is None or self.episode_s is None:
            return 3600.0 * self.duration_h
        return episodes * self.episode_s

    @model_validator(mode="after")
    def _whole_intervals_are_reported(self) -> Self:
        begin_h = self.duration_h - self.report_last_h
        if self.episode_s is None and self.evaluation_s is None and begin_h > 0.0:
            intervals = round(begin_h / self.interval_h, 9)
            if intervals % 1.0:
                played_h = self.report_last_h + (intervals % 1.0) * self.interval_h
                warnings.warn(
                    f"report_last_h: {self.report_last_h:g} h begin within an interval of {self.interval_h:g} h "
                    f"(interval_h); the last {played_h:g} h are reported",
                    stacklevel=2,
                )
        return self

    @model_validator(mode="after")
    def _episodes_have_a_length(self) -> Self:
        for label in self.learners if self.episode_s is None else ():
            episodes = self.learners[label].episodes
            if episodes is not None:
                raise ValueError(f"learners.{label}.episodes: {episodes} needs episode_s, the length of an episode")
        return self


_LENGTHS: Final = ("duration_h", "interval_h", "report_last_h", "episode_s", "evaluation_s")


def _no_effect(section: str, instead: str) -> str:
    """Why a run with a section does not have a field of another kind of run; `instead`: what does the field's job."""
    return f"has no effect in a run with a section {section}; {instead}"


_INTERVALS_INSTEAD: Final = _no_effect("coexistence", "its length is coexistence.intervals")


class EnergyRun(ScenarioRun):
    """A run on the closed form of the scenario, for planners and MAAC.

    Attributes:
        energy: How `energy_v0` is set up, and for how long.
    """

    refused = dict.fromkeys(_LENGTHS, _no_effect("energy", "its length is energy.episodes"))

    energy: EnergyConfig


class CoexistenceRun(BaseRun):
    """A run of networks that share the air; its learners are strategies that decide for their servers.

    Attributes:
        coexistence: The networks, and for how long.
    """

    refused = {
        **dict.fromkeys(_LENGTHS, _INTERVALS_INSTEAD),
        "scenario": _no_effect("coexistence", "its networks are coexistence.networks"),
        "environment": _no_effect("coexistence", "its rewards are coexistence.reward"),
    }

    coexistence: CoexistenceConfig

    @model_validator(mode="after")
    def _former_names(self) -> Self:
        for label, learner in self.learners.items():
            name = FORMER_STRATEGIES.get(learner.name)
            if name is not None:
                _warn_former(f"learners.{label}: {learner.name!r}", f"{name!r} in runs of coexisting networks")
                self.learners[label] = learner.model_copy(update={"name": name})
        return self

    @model_validator(mode="after")
    def _no_episodes(self) -> Self:
        for label, learner in self.learners.items():
            if learner.episodes is not None:
                raise ValueError(f"learners.{label}.episodes: {_INTERVALS_INSTEAD}")
        return self


TrainConfig: TypeAlias = PacketRun | EnergyRun | CoexistenceRun
"""The configuration of any run, as `lora_marl.config.load` returns it."""

SECTIONS: Final[Mapping[str, type[TrainConfig]]] = {"energy": EnergyRun, "coexistence": CoexistenceRun}
"""The kinds of runs that have a section, by its name."""


def upgrade(values: dict[str, Any]) -> type[TrainConfig]:
    """Bring the values of a file, in place, into the newest version of the format.

    A resolved file of version 1 states fields of all kinds of runs; those of other kinds had no effect and are removed.
    Beside `coexistence` version 1 accepted only their defaults, and other values are still refused. What a scenario of
    version 1 or 2 does not state is as it was then: downlinks as in the papers' networks, and no duty cycle. In any
    version, fields of other kinds without a value say nothing and are removed.

    Returns:
        The kind of run that the values describe.

    Raises:
        ValueError: a version that is not known yet, or the sections of two kinds.
    """
    version = values.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ValueError(
            f"schema_version: {version} is newer than {SCHEMA_VERSION}, the newest known; upgrade lora_marl"
        )
    sections = [section for section in SECTIONS if section in values and values[section] is not None]
    if len(sections) > 1:
        raise ValueError(f"{' and '.join(sections)}: a run has one of them")
    run = SECTIONS[sections[0]] if sections else PacketRun
    if version in (1, 2) and isinstance(values.get("scenario", {}), dict):
        values["scenario"] = _with_former_defaults(values.get("scenario", {}))
    for name in {*run.refused, *SECTIONS} - set(run.model_fields):
        if name in values and (values[name] is None or (version == 1 and _had_no_effect(run, name, values[name]))):
            del values[name]
    if version in (1, 2):
        values["schema_version"] = SCHEMA_VERSION
    return run


def _with_former_defaults(scenario: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a scenario of version 1 or 2, with what was their default then."""
    former = {
        section: {**defaults, **scenario.get(section, {})}
        for section, defaults in _FORMER_SCENARIO.items()
        if isinstance(scenario.get(section, {}), Mapping)
    }
    return {**scenario, **former}


def _had_no_effect(run: type[TrainConfig], name: str, value: Any) -> bool:
    """Whether version 1 accepted this value of a field of `PacketRun` in another kind of run, without effect."""
    if run is not CoexistenceRun:
        return True
    if name != "scenario":
        return bool(value == PacketRun.model_fields[name].default)
    try:
        scenario = _scenario_without_warning(value)
    except ValidationError:
        return False
    former = _scenario_without_warning(_FORMER_SCENARIO)
    defaults = (former.model_dump(mode="json"), _default_scenario().model_dump(mode="json"))
    return scenario.model_dump(mode="json") in defaults
