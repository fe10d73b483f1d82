"""Reading recorded traffic: events of ChirpStack v3, packed, with as many gateways per frame as a case needs."""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from lora_marl.logs.reading import import_log

_START_S, _PERIOD_S = 1.7e9, 604.0


def write_events(path: Path, frames: int, gateways: int) -> None:
    """A packed file of events, each heard by all gateways, in the shape and size of the Saint Eynard recordings."""
    rng = np.random.default_rng(0)
    names = [bytes(rng.integers(0, 256, 16, np.uint8)).hex() for _ in range(gateways)]
    place = {"latitude": 45.19500732421875, "longitude": 5.7733154296875, "altitude": 220, "_geohash_precision": 6}
    distance = {"_distanceHaversine": 4622, "_distanceLoS": 4758, "_timeOfEmission": -15871, "_freeSpaceLoss": 104.77,
                "_distanceHorizon": 131217, "_distanceRadarHorizon": 151530, "_fresnelZoneRadius": 20}  # fmt: skip
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        for counter in range(frames):
            rssi, snr = rng.integers(-125, -100, gateways), np.round(rng.uniform(-9, 9, gateways), 1)
            heard = [
                {"gatewayID": name, "time": "2023-06-23T10:01:56.746Z", "location": place, "rssi": int(power),
                 "loRaSNR": float(ratio), "_esp": -121.54, "_distance": distance}
                for name, power, ratio in zip(names, rssi, snr, strict=True)
            ]  # fmt: skip
            event = {
                "deviceName": "STATION", "devEUI": "d1d1e80000000033", "rxInfo": heard, "adr": True, "fCnt": counter,
                "txInfo": {"frequency": 868_100_000 + 200_000 * int(rng.integers(3)), "dr": 5}, "fPort": 3,
                "data": "502b0c04c49a0a000f0400fb3f040601ea0702a90d0302b5090404c8560100f00c000000000000000000a40108",
                "_timestamp": round((_START_S + _PERIOD_S * counter) * 1e3),
            }  # fmt: skip
            file.write(json.dumps(event, separators=(",", ":")) + "\n")


def import_rate(frames: int, gateways: int, *, of_receptions: bool) -> float:
    """Receptions or frames per CPU second of reading a file into a log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.ndjson.gz"
        write_events(path, frames, gateways)
        start_s = time.process_time()
        log = import_log([path], Path(folder) / "log", region="EU868")
        spent_s = time.process_time() - start_s
    return len(log.receptions if of_receptions else log.frames) / spent_s
