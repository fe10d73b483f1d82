"""MMALoRa's network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from lora_marl.core import tables
from lora_marl.core.checks import check_choice
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.duty_cycle import warn_about_duty_cycle
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.region import REGIONS
from lora_marl.core.scenario import Scenario
from lora_marl.core.topology import spread_gateways, uniform_union
from lora_marl.core.traffic import Traffic, mean_interval_s

CARRIER_HZ, CHANNEL_STEP_HZ = 868e6, 200e3
SIDE_M, APART_M = 20_000.0, 12_000.0
POWER_LEVELS = (2, 3, 4, 7, 10, 19)
"""Numbers of powers from 2 to 20 dBm in equal whole steps."""


def mmalora_network(
    nodes: int = 160,
    gateways: int = 3,
    *,
    channels: int = 4,
    packets_per_s: float = 0.001,
    power_levels: int = 7,
    radius_m: float = 12_000.0,
    seed: int = 0,
    node_xy_m: ArrayLike | None = None,
    gateway_xy_m: ArrayLike | None = None,
) -> Scenario:
    """The network of MMALoRa: gateways 12 km apart in a square of 20 km, Rayleigh fading, powers up to 20 dBm.

    Channels lie around 868 MHz, which is the carrier of all. Packets that are generated while a node is off (duty
    cycle 1 %) are dropped. Poisson traffic has no memory, so the next packet starts 100 airtimes plus an exponential
    time after one did.

    Args:
        nodes: N, spread evenly over the union of discs around the gateways.
        gateways: G.
        channels: C, 200 kHz apart.
        packets_per_s: Rate lambda of a node's packets. 1/s
        power_levels: 2, 3, 4, 7, 10 or 19 powers from 2 to 20 dBm.
        radius_m: Of each disc. m
        seed: Of the placement.
        node_xy_m: Positions in place of drawn ones. `[N, 2]` m
        gateway_xy_m: The same for gateways. `[G, 2]` m

    Raises:
        ValueError: another number of powers, or gateways that do not fit.

    Source: MMALoRa, Tables I and II and section VII-A. Not in the paper: the number of powers, the channels, the energy
    (LoRaSim's supply currents, whose range the powers are), the flag for low data rates (LoRaSim's).
    `configs/mmalora_network.yaml` says the same.
    """
    check_choice("power_levels", power_levels, POWER_LEVELS)
    drawn = spread_gateways(seed, gateways, SIDE_M, APART_M) if gateway_xy_m is None else gateway_xy_m
    rng, sites = np.random.default_rng(seed), np.asarray(drawn, np.float64)
    offsets_hz = CHANNEL_STEP_HZ * (np.arange(channels) - (channels - 1) / 2)
    scenario = Scenario(
        name="mmalora",
        node_xy_m=np.asarray(uniform_union(rng, nodes, radius_m, sites) if node_xy_m is None else node_xy_m),
        gateway_xy_m=sites,
        region=replace(
            REGIONS["EU868"],
            channels_hz=tuple((CARRIER_HZ + offsets_hz).tolist()),
            tp_dbm=tuple(np.linspace(2.0, 20.0, power_levels).tolist()),
            max_tp_dbm=None,
        ),
        propagation=Propagation(model="friis", exponent=2.7, shadowing_db=0.0, fading="rayleigh"),
        reception=Reception(
            spared_preamble_symbols=3.0,
            sensitivity_dbm=tables.SENSITIVITY_DBM["mmalora"],
            capture_db=1.0,
            inter_sf="sir_pairwise",
            sir_db=tables.SIR_DB["norel"],
        ),
        traffic=Traffic(interval_s=mean_interval_s(packets_per_s), payload_bytes=20, duty_cycle=0.01),
        low_data_rate="sf11_125khz",
        energy="supply",
        downlink=PAPERS_DOWNLINK,
    )
    warn_about_duty_cycle(scenario, stacklevel=3)
    return scenario
