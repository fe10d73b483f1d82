"""A network whose truth is known, played on our own air, as the frames that its gateways would have recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.air import Air
from lora_marl.core.links import Links
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.region import HOP, Region
from lora_marl.core.scenario import Scenario
from lora_marl.core.tables import SENSITIVITY_DBM
from lora_marl.core.traffic import Traffic
from tests.logs.writers import Frame

START_S = 1_700_000_000.0
FLOOR_DB = -9.0


@dataclass(frozen=True)
class Network:
    """A scenario and what its gateways recorded.

    Attributes:
        scenario: The truth.
        frames: That somebody heard, in order of time.
        sent: Frames of each device. `[N]`
    """

    scenario: Scenario
    frames: list[Frame]
    sent: NDArray[np.int64]


def network(
    devices: int = 8, gateways: int = 3, channels: int = 3, days: float = 6.0, seed: int = 3, **links
) -> Network:
    """Devices with unequal rates that hop over all channels with SF7 at 14 dBm, some links strong and some weak."""
    rng = np.random.default_rng(seed)
    channels_hz = tuple(868.1e6 + 200e3 * channel for channel in range(channels))
    region = Region(name="test", channels_hz=channels_hz, spreading_factors=(7,), tp_dbm=(14.0,))
    link_db = rng.uniform(130.0, 139.0, (devices, gateways, 1))
    values = {
        "path_loss_db": link_db + rng.normal(0.0, 2.0, (devices, gateways, channels)),
        "spread_db": rng.uniform(1.5, 3.0, (devices, gateways)),
        "noise_db": rng.normal(0.0, 1.0, (gateways, channels)),
    }
    intervals_s = rng.uniform(300.0, 900.0, devices)
    scenario = Scenario(
        node_xy_m=rng.normal(size=(devices, 2)) * 500.0,
        gateway_xy_m=rng.normal(size=(gateways, 2)) * 500.0,
        region=region,
        propagation=Propagation(shadowing_db=0.0),
        reception=Reception(sensitivity_dbm=SENSITIVITY_DBM["dlora_table_i"], inter_sf="none"),
        traffic=Traffic(kind="periodic", interval_s=intervals_s, jitter_s=2.0, duty_cycle=None, payload_bytes=25),
        links=Links(**(values | links)),
    )
    return Network(scenario, *recorded(scenario, days, seed))


def recorded(scenario: Scenario, days: float, seed: int = 0) -> tuple[list[Frame], NDArray[np.int64]]:
    """The frames that gateways hear: RSSI in whole dB, SNR in quarters."""
    air = Air(scenario, [seed], record=True)
    points = scenario.region.points(
        sf=np.full(scenario.nodes, 7), bw_hz=125e3, channel=np.full(scenario.nodes, HOP), tp_dbm=14.0
    )
    air.advance(points[None], days * 86400.0)
    packets, receptions = air.recording()
    noise_db = np.broadcast_to(scenario.links.noise_db, (scenario.gateways, len(scenario.region.channels_hz)))
    sensitivity_db = np.broadcast_to(scenario.links.sensitivity_db, (scenario.nodes, scenario.gateways))
    frames = []
    for p, device in enumerate(packets.source):
        channel = int(packets.point[p, 2])
        heard = []
        for g in np.flatnonzero(receptions.fate[p] == 0):
            power_dbm = receptions.rssi_dbm[p, g]
            noise_dbm = (
                SENSITIVITY_DBM["dlora_table_i"][0, 0] - FLOOR_DB + sensitivity_db[device, g] + noise_db[g, channel]
            )
            snr_db = power_dbm - noise_dbm
            rssi_dbm = 10 * np.log10(10 ** (power_dbm / 10) + 10 ** (noise_dbm / 10))
            heard.append((int(g), float(round(rssi_dbm)), float(round(4 * snr_db) / 4)))
        if heard and packets.fate[p] >= 0:
            frames.append(
                Frame(int(device), int(packets.index[p]), START_S + float(packets.start_s[p]), tuple(heard),
                      int(scenario.region.channels_hz[channel]), 7, 25)
            )  # fmt: skip
    sent = np.bincount(packets.source[packets.fate >= 0], minlength=scenario.nodes)
    return frames, sent
