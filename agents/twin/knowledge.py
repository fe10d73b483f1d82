"""What the twin's server knows before the first frame: regional parameters, datasheets, and what its devices agreed on.

`public_scenario` builds a scenario of these fields alone, and the twin reads nothing else. Positions, path loss,
shadowing, fading, rates, interference and the schedule of changes keep neutral values in it.
"""

from __future__ import annotations

import numpy as np

from lora_marl.core.reception import channel_overlaps
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import Traffic

FIELDS = (
    "region",
    "reception",
    "low_data_rate",
    "coding_rate",
    "preamble_symbols",
    "energy",
    "supply",
    "receive_mj",
    "device",
    "battery",
    "feedback",
    "downlink",
)
"""Fields of `Scenario` that the server knows."""
TRAFFIC_FIELDS = ("payload_bytes", "duty_cycle", "after_end", "kind", "confirmed")
"""Fields of its traffic that the server knows; of the kind, whether a packet's airtime delays the next one."""
KNOWLEDGE = ("nodes", "gateways", *FIELDS, *(f"traffic.{name}" for name in TRAFFIC_FIELDS))
"""All of it, as dotted names."""

INTER_SF = ("none", "sinr", "sir_pairwise", "db_ratio")
"""Rules of reception between spreading factors that the twin has a model of."""


def public_scenario(scenario: Scenario) -> Scenario:
    """A scenario with the public fields of another, and neutral values elsewhere.

    Raises:
        ValueError: a network that the twin has no model of, naming the field.
    """
    _check(scenario)
    traffic = Traffic(
        payload_bytes=scenario.traffic.payload_bytes,
        duty_cycle=scenario.traffic.duty_cycle,
        after_end=scenario.traffic.after_end and scenario.traffic.kind != "periodic",
    )
    return Scenario(
        name="twin",
        node_xy_m=np.zeros((scenario.nodes, 2)),
        gateway_xy_m=np.zeros((scenario.gateways, 2)),
        traffic=traffic,
        **{name: getattr(scenario, name) for name in FIELDS},
    )


def _check(scenario: Scenario) -> None:
    region, rule = scenario.region, scenario.reception
    if scenario.networks > 1:
        raise ValueError(f"scenario.node_network: {scenario.networks} networks; the twin takes one")
    if rule.inter_sf not in INTER_SF:
        raise ValueError(f"reception.inter_sf: {rule.inter_sf!r} has no model in the twin; use {', '.join(INTER_SF)}")
    if scenario.traffic.confirmed:
        raise ValueError("traffic.confirmed: True; retries hide from the twin what was lost, allowed is False")
    if any(region.channel_data_rates):
        raise ValueError(
            f"region.channel_data_rates: channels of {region.name} take some data rates only; the twin takes regions "
            "whose channels take all"
        )
    meets = channel_overlaps(np.array(region.channels_hz), np.array(region.bandwidths_hz[:1]), rule.channel_overlap)
    if np.any(meets[:, 0, :, 0] & ~np.eye(len(region.channels_hz), dtype=bool)):
        raise ValueError("region.channels_hz: channels overlap at the first bandwidth; the twin takes separate ones")
