"""The planners as rules for the packet air: operating points planned before the run, which never change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from agents.planners import plan
from agents.rules.fixed import FixedRule
from lora_marl.core.expect.physics import Rate
from lora_marl.core.expect.rayleigh import Rayleigh

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

CHANNELS = ("balanced", "matching")


class Planned(FixedRule):
    """What a planner of `agents.planners` finds for each placement and seed; changes on schedule are not foreseen.

    Args:
        scenario: A network with a Rayleigh closed form.
        seeds: One per replica.
        least_delivery: What every node should reach, for planners that look at it. 0 to 1
        rate: See `rates`.
        channels: For planners that do not choose them: `balanced` at random, or by swap `matching`.

    Raises:
        ValueError: a parameter outside its range, or a network that the closed form does not have, saying why.
    """

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        least_delivery: float = 0.7,
        rate: Rate = "linear_clipped",
        channels: str = "balanced",
    ) -> None:
        if channels not in CHANNELS:
            raise ValueError(f"channels = {channels!r} is not one of {', '.join(CHANNELS)}")
        forms = [Rayleigh(scenario, rate=rate, replica=number) for number in range(scenario.placements)]
        found = np.zeros((len(seeds), scenario.nodes, 4), np.int16)
        for b, seed in enumerate(seeds):
            form = forms[b % len(forms)]
            channel = plan("matching", form, seed)[:, 2] if channels == "matching" else None
            found[b] = plan(self.name, form, seed, least_delivery=least_delivery, channel=channel)
        super().__init__(scenario, seeds, sf_index=found[..., 0], channel_order=found[..., 2], tp_index=found[..., 3])


class Rcst(Planned):
    """Everything at random; see `planners.rules`."""

    name: ClassVar[str] = "rcst"


class DistanceSF(Planned):
    """Spreading factors by distance; see `planners.rules`."""

    name: ClassVar[str] = "distance-sf"


class Matching(Planned):
    """The same in channels that swap matching finds; see `agents.planners.matching`."""

    name: ClassVar[str] = "matching"


class AdrMean(Planned):
    """ADR by mean received powers; see `planners.adr`."""

    name: ClassVar[str] = "adr-mean"


class AdrMax(Planned):
    """ADR by the strongest of 20 uplinks; see `planners.adr`."""

    name: ClassVar[str] = "adr-max"


class EFLoRa(Planned):
    """Max-min fairness; see `planners.fair`."""

    name: ClassVar[str] = "ef-lora"


class Independent(Planned):
    """Each node as if it were alone; see `planners.alone`."""

    name: ClassVar[str] = "energy-independent"


class TableBandit(Planned):
    """A table per node, learned on the closed form before the run; see `planners.bandit`."""

    name: ClassVar[str] = "table-bandit"


class EnergyAscent(Planned):
    """Coordinate ascent, the reference; see `planners.search`."""

    name: ClassVar[str] = "energy-ascent"
