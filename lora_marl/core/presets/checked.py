"""What every preset does last."""

from __future__ import annotations

from typing import Any

from lora_marl.core.scenario import Scenario


def checked(**fields: Any) -> Scenario:
    """The scenario; warns where its traffic breaks the region's duty cycle."""
    scenario = Scenario(**fields)
    scenario.warn_if_unlawful(stacklevel=4)
    return scenario
