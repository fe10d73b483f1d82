"""The section of a run on the closed form of MMALoRa: settings of `energy_v0` and the length of training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from lora_marl.config.section import Section
from lora_marl.core.expect.physics import Rate


class EnergyConfig(Section):
    """A run whose learners meet the scenario as `energy_v0`, one network for every seed.

    Attributes:
        least_delivery: D_th, the delivery that every node should reach. 0 to 1
        reward: A name, or weights by term (a term may be your own); see `lora_marl.envs.energy_v0`.
        masks: Whether nodes leave out actions that cannot reach `least_delivery`.
        rate: How the closed form counts the packets of a node under a duty cycle.
        matching: Swaps by which nodes get their channels, `literal` or `utilitarian` (`agents.planners.matching`);
            `none`: channels are balanced at random.
        episodes: Number of training episodes.
        steps: Length of an episode.
        replicas: Copies of each network, whose experience is pooled.
    """

    least_delivery: float = Field(default=0.7, ge=0.0, le=1.0)
    reward: Literal["marginal", "printed", "team"] | dict[str, float] = "marginal"
    masks: bool = True
    rate: Rate = "linear_clipped"
    matching: Literal["literal", "utilitarian", "none"] = "literal"
    episodes: PositiveInt = 10
    steps: PositiveInt = 30
    replicas: PositiveInt = 1
