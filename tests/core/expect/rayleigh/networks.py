"""The networks of the golden data of MMALoRa, and networks on which interference matters."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from lora_marl.core import tables
from lora_marl.core.presets import mmalora_network

GOLDEN = json.loads(gzip.decompress((Path(__file__).parents[3] / "golden" / "mmalora.json.gz").read_bytes()))

BUSY = {"channels": 2, "packets_per_s": 0.004}


def golden(case):
    """The scenario and points of a golden case; what it leaves out is the preset's."""
    scenario = mmalora_network(
        channels=case.get("C", 4), packets_per_s=case.get("lambda_per_s", 0.001), power_levels=case.get("J", 7),
        node_xy_m=case["devices_m"], gateway_xy_m=case["gateways_m"],
    )  # fmt: skip
    at_125khz_dbm = tables.SENSITIVITY_DBM["mmalora"][:, :1]
    bw_hz = case.get("bw_hz", 125e3)
    levels = tuple(case.get("tp_levels_dbm", scenario.region.tp_dbm))
    scenario = replace(
        scenario,
        coding_rate=case.get("cr", 5) - 4,
        energy={"lorasim": "supply", "radiated": "radiated"}[case.get("energy_model", "lorasim")],
        region=replace(scenario.region, bandwidths_hz=(bw_hz,), tp_dbm=levels),
        traffic=replace(scenario.traffic, payload_bytes=case.get("payload_bytes", 20)),
        reception=replace(
            scenario.reception,
            spared_preamble_symbols=case.get("n_pr", 8.0) - 5,
            sensitivity_dbm=np.repeat(at_125khz_dbm, 3, axis=1),  # theirs do not depend on the bandwidth
        ),
    )
    if "sf" not in case:
        return scenario, None
    channel = case.get("channel", case.get("initial_channel"))
    return scenario, scenario.region.points(sf=case["sf"], bw_hz=bw_hz, channel=channel, tp_dbm=case["tp_dbm"])


def random_points(scenario, seed=0, *, loud=True):
    """Points drawn uniformly; `loud`: from the upper half of powers."""
    rng = np.random.default_rng(seed)
    sizes = scenario.region.factor_sizes
    points = np.stack([rng.integers(0, size, scenario.nodes) for size in sizes], axis=1).astype(np.int16)
    if loud:
        points[:, 3] = np.maximum(points[:, 3], sizes[3] // 2)
    return points
