"""Planners as learners of the packet air: operating points planned before the run, which never change.

`agents.planners` lists them; the functions of `agents.planners.baselines` say what each does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from agents.planners import plan
from agents.rules.fixed import FixedRule
from lora_marl.core.checks import check_choice
from lora_marl.core.expect import Rate, Rayleigh
from lora_marl.core.region import CHANNEL, SF, TP

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

CHANNELS = ("balanced", "matching")


class Planned(FixedRule):
    """The allocation of a planner for each placement and seed; changes on schedule are not foreseen.

    Args:
        scenario: A network with a Rayleigh closed form.
        seeds: One per replica.
        least_delivery: Delivery that every node should reach, for planners that look at it. 0 to 1
        rate: How often nodes send, for the closed form: a name of `lora_marl.core.expect.Rate`.
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
        check_choice("channels", channels, CHANNELS)
        closed_forms = [Rayleigh(scenario, rate=rate, replica=number) for number in range(scenario.placements)]
        points = np.zeros((len(seeds), scenario.nodes, 4), np.int16)
        for b, seed in enumerate(seeds):
            closed_form = closed_forms[b % len(closed_forms)]
            channel = plan("matching", closed_form, seed)[:, CHANNEL] if channels == "matching" else None
            points[b] = plan(self.name, closed_form, seed, least_delivery=least_delivery, channel=channel)
        super().__init__(
            scenario, seeds, sf_index=points[..., SF], channel_order=points[..., CHANNEL], tp_index=points[..., TP]
        )


class Rcst(Planned):
    """Channel, spreading factor and power at random."""

    name: ClassVar[str] = "rcst"


class DistanceSF(Planned):
    """Spreading factor by distance to the nearest gateway, highest power."""

    name: ClassVar[str] = "distance-sf"


class Matching(Planned):
    """`DistanceSF` in the channels that swap matching gives (`agents.planners.matching`)."""

    name: ClassVar[str] = "matching"


class AdrMean(Planned):
    """The network server's ADR by mean received powers."""

    name: ClassVar[str] = "adr-mean"


class AdrMax(Planned):
    """The network server's ADR by the strongest of 20 uplinks."""

    name: ClassVar[str] = "adr-max"


class EFLoRa(Planned):
    """The largest least energy efficiency, bottleneck first."""

    name: ClassVar[str] = "ef-lora"


class Independent(Planned):
    """Each node's best point as if it were alone."""

    name: ClassVar[str] = "energy-independent"


class TableBandit(Planned):
    """A table of rewards per node, learned on the closed form before the run."""

    name: ClassVar[str] = "table-bandit"


class EnergyAscent(Planned):
    """Coordinate ascent over all nodes, the reference of MMALoRa's tables."""

    name: ClassVar[str] = "energy-ascent"
