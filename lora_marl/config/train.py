"""A run: which learners meet which network, for how long, and what is reported."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, PositiveFloat, field_validator, model_validator

from lora_marl import ENVS
from lora_marl.config.coexistence import CoexistenceConfig
from lora_marl.config.energy import EnergyConfig
from lora_marl.config.scenario import ScenarioConfig
from lora_marl.config.section import Section
from lora_marl.core.checks import suggest
from lora_marl.core.scenario import DutyCycleWarning

SCHEMA_VERSION = 1


class LearnerConfig(Section):
    """A learner of one run.

    Attributes:
        name: A name that `agents` knows, or an import path `package.module:Class`.
        parameters: Passed to its constructor by keyword.
        episodes: Training episodes of `episode_s` each, in place of the run's `duration_h`.
    """

    name: str = Field(min_length=1)
    parameters: dict[str, Any] = {}
    episodes: int | None = Field(default=None, ge=1)


class EnvironmentConfig(Section):
    """The environment through which an external library meets the scenario; our own learners need none."""

    name: str
    parameters: dict[str, Any] = {}

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ENVS:
            raise ValueError(f"{name!r} is no environment{suggest(name, ENVS)}")
        return name


def _any_scenario() -> ScenarioConfig:
    """The scenario of a run that states none, such as one of coexisting networks; nobody is warned of its traffic."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DutyCycleWarning)
        return ScenarioConfig()


WITHOUT_EFFECT: Mapping[str, str] = {
    **dict.fromkeys(
        ("duration_h", "interval_h", "report_last_h", "episode_s", "evaluation_s"),
        "its length is coexistence.intervals",
    ),
    "scenario": "its networks are coexistence.networks",
    "environment": "its rewards are coexistence.reward",
}
"""Fields that say nothing in a run of coexisting networks, and what does."""


class TrainConfig(Section):
    """A run.

    Attributes:
        schema_version: Of this format; a file from a newer version is refused.
        name: Of the run's folder.
        seeds: One replica each.
        duration_h: Simulated time of training. h
        interval_h: Time between two rows of metrics. h
        report_last_h: Reported numbers are means over this last part of the run, or all of it if it is shorter. h
        episode_s: Length of a training episode; None: one episode without end. s
        evaluation_s: Length of an episode that follows training, with learning on, and is reported instead. s
        scenario: The network.
        learners: By label; the label is the name unless one is given.
        environment: See `EnvironmentConfig`.
        energy: Learning on the closed form in place of packets, for planners and MAAC; see `EnergyConfig`. Hours and
            episodes of packets have no part in it.
        coexistence: Networks that share the air, in place of the scenario; learners are ways of coordinating them. See
            `CoexistenceConfig`.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1)
    name: str = Field(default="run", pattern=r"^\w[\w.-]*$")
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] = (0, 1, 2, 3, 4)
    duration_h: PositiveFloat = 500.0
    interval_h: PositiveFloat = 10.0
    report_last_h: PositiveFloat = 100.0
    episode_s: PositiveFloat | None = None
    evaluation_s: PositiveFloat | None = None
    scenario: ScenarioConfig = Field(default_factory=_any_scenario)
    learners: dict[str, LearnerConfig]
    environment: EnvironmentConfig | None = None
    energy: EnergyConfig | None = None
    coexistence: CoexistenceConfig | None = None

    def training_s(self, label: str) -> float:
        """Simulated training time of a learner. s."""
        episodes = self.learners[label].episodes
        if episodes is None or self.episode_s is None:
            return 3600.0 * self.duration_h
        return episodes * self.episode_s

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.energy is not None and self.coexistence is not None:
            raise ValueError("energy and coexistence: a run has one of them")
        return self

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> Self:
        for name, instead in WITHOUT_EFFECT.items() if self.coexistence is not None else ():
            default = type(self).model_fields[name].get_default(call_default_factory=True)
            if _plain(getattr(self, name)) != _plain(default):
                raise ValueError(f"{name}: has no effect in a run with a section coexistence; {instead}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _not_from_a_newer_version(cls, values: Any) -> Any:
        version = values.get("schema_version") if isinstance(values, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise ValueError(
                f"schema_version: {version} is newer than {SCHEMA_VERSION}, the newest known; upgrade lora_marl"
            )
        return values

    @field_validator("seeds")
    @classmethod
    def _some_and_unique(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds:
            raise ValueError("needs at least one")
        twice = [seed for seed in seeds if seeds.count(seed) > 1]
        if twice:
            raise ValueError(f"{twice[0]} occurs twice; seeds must be unique")
        return seeds

    @model_validator(mode="after")
    def _placements_for_all_seeds(self) -> Self:
        """Every seed has a placement of its own, or all share one."""
        topology, seeds = self.scenario.topology, len(self.seeds)
        if 1 < topology.placements < seeds:
            raise ValueError(
                f"scenario.topology.placements: {topology.placements} for {seeds} seeds; give one for each, or 1"
            )
        return self

    @field_validator("learners", mode="before")
    @classmethod
    def _labelled(cls, learners: Any) -> Any:
        """A label names its learner; a label without value takes an inherited learner away."""
        if not isinstance(learners, dict):
            return learners
        return {
            label: {"name": label, **value} if isinstance(value, dict) else value
            for label, value in learners.items()
            if value is not None
        }

    @field_validator("learners")
    @classmethod
    def _some(cls, learners: dict[str, LearnerConfig]) -> dict[str, LearnerConfig]:
        if not learners:
            raise ValueError("needs at least one")
        return learners

    @model_validator(mode="after")
    def _episodes_have_a_length(self) -> Self:
        for label, learner in self.learners.items():
            if learner.episodes is not None and self.episode_s is None:
                raise ValueError(
                    f"learners.{label}.episodes: {learner.episodes} needs episode_s, the length of an episode"
                )
        return self


def _plain(value: Any) -> Any:
    """As in a file, where lists and tuples are alike."""
    return value.model_dump(mode="json") if isinstance(value, Section) else value
