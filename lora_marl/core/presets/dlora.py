"""D-LoRa's networks."""

from __future__ import annotations

from dataclasses import replace

from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.duty_cycle import warn_about_duty_cycle
from lora_marl.core.region import REGIONS
from lora_marl.core.scenario import Scenario
from lora_marl.core.topology import published_disc
from lora_marl.core.traffic import Traffic

CHANNELS = 8
CHANNEL_STEP_HZ = 200_000.0


def journal_network(
    nodes: int = 100, radius_m: float = 1000.0, *, traffic: Traffic | None = None, seed: int = 42
) -> Scenario:
    """The network of D-LoRa's journal paper: one bandwidth, eight channels of EU868.

    Args:
        nodes: N.
        radius_m: Of the disc around the gateway, a whole number. m
        traffic: None: 50 bytes, with exponential gaps of 20 s between packets; a duty cycle only if it is a number.
        seed: Of the placement; the papers' topology is 42.

    Source: D-LoRa journal, Tables I to III; `configs/default.yaml` says the same.
    """
    region = replace(REGIONS["EU868"], channels_hz=_channels_hz(868.1e6))
    scenario = Scenario(
        name="journal",
        node_xy_m=published_disc(nodes, radius_m, seed),
        region=region,
        traffic=_unlimited(traffic or Traffic(interval_s=20.0, payload_bytes=50)),
        downlink=PAPERS_DOWNLINK,
    )
    warn_about_duty_cycle(scenario, stacklevel=3)
    return scenario


def conference_network(
    nodes: int = 50, radius_m: float = 1000.0, *, traffic: Traffic | None = None, seed: int = 42
) -> Scenario:
    """The network of D-LoRa's conference paper: three bandwidths, eight channels from 470.1 MHz.

    Channels are 200 kHz apart, as printed, so adjacent ones overlap at 250 and 500 kHz.

    Args:
        nodes: N.
        radius_m: Of the disc around the gateway, a whole number. m
        traffic: None: 20 bytes, with exponential gaps of 4 s between packets; a duty cycle only if it is a number.
        seed: Of the placement; the papers' topology is 42.

    Source: D-LoRa conference, Tables I and II and section V (the code's channels are 100 kHz apart).
    """
    region = replace(
        REGIONS["CN470"],
        channels_hz=_channels_hz(470.1e6),
        bandwidths_hz=(125e3, 250e3, 500e3),
        spreading_factors=(7, 8, 9, 10, 11, 12),
        tp_dbm=(2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0),
        dwell_time_s=None,
        rx1_channels_hz=(),
    )
    scenario = Scenario(
        name="conference",
        node_xy_m=published_disc(nodes, radius_m, seed),
        region=region,
        traffic=_unlimited(traffic or Traffic(interval_s=4.0, payload_bytes=20)),
        downlink=PAPERS_DOWNLINK,
    )
    warn_about_duty_cycle(scenario, stacklevel=3)
    return scenario


def _unlimited(traffic: Traffic) -> Traffic:
    """The traffic without the region's duty cycles, which the papers' nodes do not keep; a number stays."""
    return replace(traffic, duty_cycle=None) if traffic.duty_cycle == "region" else traffic


def _channels_hz(first_hz: float) -> tuple[float, ...]:
    return tuple(first_hz + CHANNEL_STEP_HZ * channel for channel in range(CHANNELS))
