"""An environment that `speed_faces` times: what all of its faces are made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lora_marl
from lora_marl.core.coexistence import Deployment
from lora_marl.core.presets.ccs import ccs_study
from scripts.cli import UsageError
from scripts.speed import uplink

NODES = 100


@dataclass(frozen=True)
class Game:
    """An environment, and what all of its faces are made with.

    Attributes:
        name: In `lora_marl.ENVS`.
        settings: Its own.
    """

    name: str
    settings: Mapping[str, Any]

    def env(self, replicas: int = 1, **more: Any) -> Any:
        """Its arrays; `more` are further settings."""
        return lora_marl.make(self.name, replicas=replicas, **self.settings, **more)


def game(name: str, steps: int) -> Game:
    """An environment whose episodes have so many steps. UsageError: one that is not measured."""
    shared = {"max_cycles": steps, "info_level": "none"}
    if name == "uplink_v0":
        made = uplink(NODES, steps).settings
        return Game(name, {"scenario": made.scenario, "window_s": made.window_s, **shared})
    if name == "coexistence_v0":
        return Game(name, {"coexistence": ccs_study([Deployment(nodes=NODES)] * 2), "decider": "group", **shared})
    raise UsageError(f"ENV: {name!r} is not one of uplink_v0, coexistence_v0")
