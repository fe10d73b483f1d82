"""The arguments of the coexistence environments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lora_marl.core.checks import check_above_0, check_choice, check_count
from lora_marl.core.coexistence import Coexistence
from lora_marl.core.presets.ccs import COEXISTENCES, ccs_eu868
from lora_marl.envs.codec import ActionFormat
from lora_marl.envs.coexistence.reward import DEFAULT
from lora_marl.envs.game import EnvSettings
from lora_marl.envs.rewards import Weights

Decider = Literal["server", "group"]
Indicator = Literal["external", "all", "none"]
OperatingPoints = Literal["per_interval", "per_packet"]
Success = Literal["received", "acknowledged"]


@dataclass(frozen=True, kw_only=True)
class CoexistenceSettings(EnvSettings):
    """The arguments of the coexistence environments; described on the page of `lora_marl.envs.coexistence_v0`."""

    max_cycles: int = 240
    coexistence: Coexistence | str | None = None
    decider: Decider | None = None
    action_format: ActionFormat | None = None
    operating_points: OperatingPoints = "per_interval"
    interval_s: float = 60.0
    groups: int = 4
    tp_dbm: Sequence[float] = (8.0, 14.0)
    interference_indicator: Indicator = "external"
    reward: Weights | Sequence[Weights] = field(default_factory=lambda: dict(DEFAULT))
    success: Success = "received"
    threads: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("threads", "groups"):
            check_count(name, getattr(self, name))
        if self.decider is None:
            object.__setattr__(self, "decider", "group" if self.action_format == "discrete" else "server")
        if self.action_format is None:
            object.__setattr__(self, "action_format", "discrete" if self.decider == "group" else "multidiscrete")
        choices: dict[str, Any] = {
            "decider": Decider,
            "action_format": ActionFormat,
            "interference_indicator": Indicator,
            "operating_points": OperatingPoints,
            "success": Success,
        }
        for name, literal in choices.items():
            check_choice(name, getattr(self, name), get_args(literal))
        if (self.decider, self.action_format) == ("server", "discrete"):
            raise ValueError("action_format: 'discrete' needs decider 'group'; a server has a number for each group")
        if self.operating_points == "per_packet" and self.decider == "server":
            raise ValueError("operating_points: 'per_packet' needs decider 'group', whose action is a distribution")
        check_above_0("interval_s", self.interval_s)
        if self.coexistence not in (None, *COEXISTENCES) and not isinstance(self.coexistence, Coexistence):
            allowed = f"a lora_marl.core.coexistence.Coexistence, or one of {', '.join(COEXISTENCES)}"
            raise ValueError(f"coexistence: {self.coexistence!r} is not {allowed}")
        for number, deployment in enumerate(self.networks.deployments):
            if deployment.nodes < self.groups:
                raise ValueError(f"groups: {self.groups}; network {number} has {deployment.nodes} nodes")

    @property
    def networks(self) -> Coexistence:
        """The networks: as given, of a preset's name, or the default."""
        if isinstance(self.coexistence, str):
            return COEXISTENCES[self.coexistence]()
        return self.coexistence or ccs_eu868()
