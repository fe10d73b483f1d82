"""The section of a run of coexisting networks: their deployments, and the learner of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from lora_marl.config.section import Section
from lora_marl.core.coexistence import Coexistence, Deployment, Rule
from lora_marl.core.presets import ccs

NON_LEARNING: Final[tuple[Literal["uniform"], Literal["adr"]]] = ("uniform", "adr")
"""Rules of networks that do not learn; a network states one in place of a learner."""


class NetworkConfig(Section):
    """One of the networks that share the air.

    Attributes:
        learner: Its server learns by `dqn` or `pg`; or it does not learn and follows a rule, `uniform` or `adr`.
        vendor: Number of the vendor whose policy the server starts from; None: the run's.
        nodes: How many; None: as many as in the preset.
        load: Factor on the run's load.
        gateways: How many gateways it has.
        silent_s: Periods, from and until, in which its nodes send nothing. s
        reward: Weights by term, if it learns; None: the run's.
    """

    learner: Literal["dqn", "pg", "uniform", "adr"] = "pg"
    vendor: int | None = Field(default=None, ge=0)
    nodes: PositiveInt | None = None
    load: PositiveFloat = 1.0
    gateways: PositiveInt = 1
    silent_s: tuple[tuple[float, float], ...] = ()
    reward: dict[str, float] | None = None

    @model_validator(mode="after")
    def _rewards_learning(self) -> Self:
        if self.reward is not None and self.learner in NON_LEARNING:
            raise ValueError(
                f"reward: {self.reward}; a network with learner {self.learner!r} has none, it does not learn"
            )
        return self

    def build(self, nodes: int) -> Deployment:
        """Return the deployment, of `nodes` nodes where the section does not state how many."""
        rule: Rule = self.learner if self.learner in NON_LEARNING else "learns"
        return Deployment(nodes=self.nodes or nodes, load=self.load, rule=rule, gateways=self.gateways,
                          silent_s=self.silent_s)  # fmt: skip


class CoexistenceConfig(Section):
    """A run of coexisting networks; its learners are strategies that decide for all of them.

    Attributes:
        preset: `ccs_eu868`, or `ccs_study`: a tenth of the nodes, which send ten times as often, beyond what is lawful.
        networks: The networks, in the order of their numbers.
        load: Factor on the load of all networks.
        interference: `dynamic`, `static` or `none`.
        traffic: Frames come at random (`poisson`) or in a fixed rhythm (`periodic`).
        acknowledgements: `free`, or `downlink` (`ccs_eu868` alone); None: as the preset has them.
        intervals: Control intervals of the episode, of a minute each.
        indicator: What servers measure of others: `external`, `all` or `none`.
        alarm_probability: Chance that an alarm begins in a network in an interval.
        reward: Weights by term, which may be your own; None: those of `lora_marl.envs.coexistence_v0`.
        vendors: Folder of trained policies; a relative one counts from the project's root.
        vendor: Number of the vendor whose policies servers start from.
        online: Whether servers keep learning.
    """

    preset: Literal["ccs_study", "ccs_eu868"] = "ccs_eu868"
    networks: tuple[NetworkConfig, ...] = Field(default=(NetworkConfig(), NetworkConfig()), min_length=1)
    load: PositiveFloat = 1.0
    interference: Literal["dynamic", "static", "none"] = "dynamic"
    traffic: ccs.TrafficKind = "poisson"
    acknowledgements: Literal["free", "downlink"] | None = None
    intervals: PositiveInt = 240
    indicator: Literal["external", "all", "none"] = "external"
    alarm_probability: float = Field(default=0.0, ge=0.0, le=1.0)
    reward: dict[str, float] | None = None
    vendors: Path = Path("configs/ccs")
    vendor: int = Field(default=0, ge=0)
    online: bool = True

    @model_validator(mode="after")
    def _somebody_learns(self) -> Self:
        if all(network.learner in NON_LEARNING for network in self.networks):
            learners = ", ".join(network.learner for network in self.networks)
            raise ValueError(f"networks: of learners {learners} none learns; needs one with dqn or pg")
        return self

    @property
    def rewards(self) -> list[dict[str, float] | None]:
        """Weights by term of each network that learns; None: the environment's own."""
        learning = (network for network in self.networks if network.learner not in NON_LEARNING)
        return [self.reward if network.reward is None else network.reward for network in learning]

    def build(self) -> Coexistence:
        """Return the networks. ValueError: what cannot be built, naming it."""
        shared: dict[str, Any] = {
            "interference": self.interference,
            "traffic": self.traffic,
            "alarm_probability": self.alarm_probability,
            "load": self.load,
        }
        if self.preset == "ccs_study":
            if self.acknowledgements == "downlink":
                raise ValueError("acknowledgements: 'downlink' needs the preset ccs_eu868, whose duty cycle is lawful")
            return ccs.ccs_study([network.build(100) for network in self.networks], **shared)
        if self.acknowledgements is not None:
            shared["acknowledgements"] = self.acknowledgements
        return ccs.ccs_eu868([network.build(1000) for network in self.networks], **shared)
