"""What every preset does last."""

from __future__ import annotations

from typing import Any

from lora_marl.core.scenario import Scenario


def checked(**fields: Any) -> Scenario:
    """The scenario; warns where its traffic breaks the region's duty cycle."""
    scenario = Scenario(**fields)
    scenario.warn_if_unlawful(stacklevel=4)
    return scenario


def mean_gap_s(packets_per_s: float) -> float:
    """Of Poisson births at a rate. s

    Raises:
        ValueError: a rate that is not above 0.
    """
    if not packets_per_s > 0:
        raise ValueError(f"packets_per_s: {packets_per_s} is not above 0")
    return 1.0 / packets_per_s
