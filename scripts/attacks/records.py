"""Damaged records: traffic of network servers, imported logs, cells of the benchmark and files of episodes.

A damaged file is refused on one line, or what is left of it is read and used within bounds.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lora_marl.logs.reading import NothingToRead, import_log
from lora_marl.logs.tables import TrafficLog
from scripts.attacks.mutation import damaged_bytes, damaged_text
from scripts.attacks.tally import counting
from scripts.runs.cli import UsageError
from scripts.runs.episodes import read_episodes

_EVENTS = 6
_UPLINK = "QAEAC6AAAQABBQUFBQUFBQUAAAAA"
"""PHY payload of an unconfirmed uplink."""


Reader = tuple[str, Callable[[Path], object]]
"""The text of an undamaged file, and what reads such a file."""


def attack_records(count: int, seed: int, path: Path, more: Mapping[str, Reader]) -> None:
    """Damages a file of each kind in turn, and writes a tally.

    Args:
        count: Number of tries.
        seed: Of the damage.
        path: File of the tally.
        more: Further kinds by the name of their file, those of the benchmark: only commands know of it.
    """
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name, counting("records", path) as (tally, numbers):
        folder = Path(name)
        kinds = _readers(folder, more)
        names = list(kinds)
        for number in numbers(count):
            kind = names[number % len(names)]
            file, read = kinds[kind]
            data = file.read_bytes()
            binary = file.suffix == ".parquet" or rng.random() < 0.3
            text = data if binary else data.decode("utf-8")
            file.write_bytes(
                damaged_bytes(text, rng) if isinstance(text, bytes) else _damaged(text, rng).encode("utf-8", "replace")
            )
            tally.attempt(read, (ValueError, UsageError), f"try {number}, {kind}")
            file.write_bytes(data)


def _damaged(text: str, rng: np.random.Generator) -> str:
    """JSON in which one value is another, or a text that is damaged as any text."""
    if rng.random() < 0.5 or not text.startswith("{"):
        return damaged_text(text, rng)
    lines = text.splitlines() if text.count("\n{") else [text]
    place = int(rng.integers(len(lines)))
    value = json.loads(lines[place])
    _replace_value(value, rng)
    lines[place] = json.dumps(value)
    return "\n".join(lines)


_STRANGE: tuple[Any, ...] = (
    None, True, "", "x", -1, 0, 1, 2**31, 2**63, 10**30, 1e308, -1e308, float("nan"), float("inf"), [], {}, [[]],
    "A" * 60_000, "9" * 400, "0001-01-01T00:00:00+14:00", "../x", "\ud800",
)  # fmt: skip
"""Values of another type or range than a record has."""


def _replace_value(value: Any, rng: np.random.Generator) -> None:
    """Replaces a random value within nested lists and mappings, in place."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = keys[int(rng.integers(len(keys)))]
        if not isinstance(value[key], (dict, list)) or rng.random() < 0.1:
            value[key] = _STRANGE[int(rng.integers(len(_STRANGE)))]
            return
        value = value[key]


def _readers(folder: Path, more: Mapping[str, Reader]) -> Mapping[str, tuple[Path, Callable[[], object]]]:
    """By kind: an undamaged file, and what reads it."""
    kinds: dict[str, tuple[Path, Callable[[], object]]] = {}
    out = folder / "out"
    for kind, text in _traffic().items():
        file = folder / f"{kind}.{'csv' if kind == 'table' else 'ndjson'}"
        file.write_text(text, encoding="utf-8")
        kinds[f"traffic, {kind}"] = (file, lambda file=file: _import(file, out))  # type: ignore[misc]
    log = folder / "log"
    import_log([folder / "chirpstack-v4.ndjson"], log)
    for part in ("frames.parquet", "receptions.parquet", "gateways.parquet", "devices.parquet", "report.json"):
        kinds[f"log, {part}"] = (log / part, lambda: _use(TrafficLog.load(log)))
    for name, (text, read) in more.items():
        (folder / name).write_text(text, encoding="utf-8")
        kinds[name] = (folder / name, lambda read=read, name=name: read(folder / name))  # type: ignore[misc]
    episodes = folder / "episodes.csv"
    episodes.write_text("process,steps,length,return,pdr\n1,10,10,0.5,0.9\n1,20,10,0.6,0.8\n", encoding="utf-8")
    kinds["episodes"] = (episodes, lambda: read_episodes(episodes))
    return kinds


def _import(file: Path, folder: Path) -> None:
    try:
        _use(import_log([file], folder, region="EU868"))
    except NothingToRead as error:  # quotes the file's first problem
        raise ValueError(str(error)) from None


def _use(log: TrafficLog) -> None:
    """Follows every index of a log."""
    assert log.heard.sum() <= len(log.receptions)
    assert all(log.devices[device] for device in log.frames["device"])
    assert all(log.gateways[gateway] for gateway in log.receptions["gateway"])
    assert len(log.between(0.0, np.inf).frames) <= len(log.frames)


def _traffic() -> Mapping[str, str]:
    """A few uplinks in the formats of servers and gateways."""
    events: dict[str, list[dict[str, Any]]] = {
        "chirpstack-v3": [], "chirpstack-v4": [], "the-things-stack": [], "semtech-udp": [], "helium": []
    }  # fmt: skip
    rows = ["device,counter,time,gateway,rssi,snr,sf,frequency,payload_bytes"]
    for counter in range(_EVENTS):
        moment = f"2024-05-01T10:{counter:02d}:00Z"
        place = {"latitude": 45.0, "longitude": 5.0}
        events["chirpstack-v3"].append(
            {"devEUI": "70b3d50000000001", "fCnt": counter, "data": "BQUF", "publishedAt": moment,
             "rxInfo": [{"gatewayID": "g1", "rssi": -100, "loRaSNR": 3.0, "location": place}],
             "txInfo": {"frequency": 868_100_000, "dr": 5}}
        )  # fmt: skip
        events["chirpstack-v4"].append(
            {"deviceInfo": {"devEui": "70b3d50000000001"}, "fCnt": counter, "data": "BQUF", "time": moment,
             "rxInfo": [{"gatewayId": f"g{g}", "rssi": -100, "snr": 3.0, "location": place} for g in (1, 2)],
             "txInfo": {"frequency": 868_100_000,
                        "modulation": {"lora": {"bandwidth": 125_000, "spreadingFactor": 7}}}}
        )  # fmt: skip
        events["the-things-stack"].append(
            {"end_device_ids": {"dev_eui": "70b3d50000000001", "device_id": "d1"}, "received_at": moment,
             "uplink_message": {
                 "f_cnt": counter, "frm_payload": "BQUF",
                 "rx_metadata": [{"gateway_ids": {"eui": "g1"}, "rssi": -90, "snr": 1.0, "location": place}],
                 "settings": {"frequency": "868100000",
                              "data_rate": {"lora": {"bandwidth": 125_000, "spreading_factor": 7}}}}}
        )  # fmt: skip
        events["semtech-udp"].append(
            {"gateway": "g1", "time": moment,
             "rxpk": [{"datr": "SF7BW125", "freq": 868.1, "rssi": -80, "lsnr": 5.0, "data": _UPLINK}]}
        )  # fmt: skip
        hotspot = {"id": "h1", "lat": 45.0, "long": 5.0, "rssi": -99, "snr": 2.0, "spreading": "SF7BW125",
                   "frequency": 868.1}  # fmt: skip
        events["helium"].append(
            {"dev_eui": "70b3d50000000001", "fcnt": counter, "reported_at": 1.7e12 + 6e4 * counter, "payload_size": 20,
             "hotspots": [hotspot]}
        )  # fmt: skip
        rows.append(f"d1,{counter},{moment},g1,-90,3.5,7,868100000,20")
    lines = {name: "\n".join(map(json.dumps, listed)) + "\n" for name, listed in events.items()}
    return lines | {"table": "\n".join(rows) + "\n"}
