"""Learning on the closed form of MMALoRa: how `energy_v0` is set up, and for how long."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from lora_marl.config.section import Section
from lora_marl.core.expect.physics import Rate


class EnergyConfig(Section):
    """A run whose learners meet the scenario as `energy_v0`, one network for every seed.

    Attributes:
        least_delivery: D_th, what every node should reach. 0 to 1
        reward: By name, or weights by term, which may be of your own; see `lora_marl.envs.energy_v0`.
        masks: Whether nodes leave out actions that cannot reach `least_delivery`.
        rate: What the closed form takes for the rate of a node under a duty cycle.
        matching: How nodes get their channels: `literal` or `utilitarian` swaps (`agents.planners.matching`), or `none`:
            balanced at random.
        episodes: Of training.
        steps: Of an episode.
        replicas: Of each network, which share what they experience.
    """

    least_delivery: float = Field(default=0.7, ge=0.0, le=1.0)
    reward: Literal["marginal", "printed", "team"] | dict[str, float] = "marginal"
    masks: bool = True
    rate: Rate = "linear_clipped"
    matching: Literal["literal", "utilitarian", "none"] = "literal"
    episodes: PositiveInt = 10
    steps: PositiveInt = 30
    replicas: PositiveInt = 1
