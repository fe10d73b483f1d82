from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("orjson")
pytest.importorskip("pyarrow")

from lora_marl.logs.counting import sent, silences
from lora_marl.logs.esp import esp_dbm, noise_dbm
from lora_marl.logs.merging import FRAME, RECEPTION
from lora_marl.logs.tables import TrafficLog


def log_of(rows: list[tuple[int, int, int, int, float, tuple[int, ...]]], gateways: int = 2) -> TrafficLog:
    """A log of device, session, counter, repeat, time and the gateways that heard."""
    frames = np.zeros(len(rows), FRAME)
    receptions = []
    for number, (device, session, counter, repeat, time_s, heard) in enumerate(rows):
        frames[number] = (device, session, counter, repeat, time_s, 868_100_000, 7, 125_000, 20)
        receptions += [(number, gateway, -110.0, 0.0) for gateway in heard]
    devices = tuple(f"d{number}" for number in range(1 + max(row[0] for row in rows)))
    names = tuple(f"g{number}" for number in range(gateways))
    return TrafficLog(
        devices, names, np.full((gateways, 2), np.nan), frames, np.array(receptions, RECEPTION), {"skipped": {}}
    )


def test_losses_are_known_from_counters_within_sessions():
    counts = sent(
        log_of([(0, 0, 10, 0, 0.0, (0,)), (0, 0, 11, 0, 600.0, (0, 1)), (0, 0, 15, 0, 3000.0, (1,)),
                (0, 1, 2, 0, 9000.0, (0,)), (1, 0, 5, 0, 0.0, (0,)), (1, 0, 5, 1, 6.0, (0, 1)),
                (1, 0, 6, 0, 60.0, (0,))])
    )  # fmt: skip
    assert counts.frames.tolist() == [7, 2]
    assert counts.heard.tolist() == [4, 2]
    assert counts.heard_by.tolist() == [[3, 2], [2, 1]]
    assert counts.pdr == pytest.approx([4 / 7, 1.0])
    assert counts.prr[1] == pytest.approx([1.0, 0.5])
    assert counts.period_s == pytest.approx([600.0, 60.0])


def test_a_gateway_that_was_off_is_seen_and_chance_is_not():
    rng = np.random.default_rng(1)
    rows = []
    for number in range(2000):
        heard = [0] if rng.random() < 0.9 else []
        if rng.random() < 0.3 and not 700 <= number < 1000:
            heard.append(1)
        if heard:
            rows.append((0, 0, number, 0, 600.0 * number, tuple(heard)))
    (gap,) = silences(log_of(rows))
    assert gap.gateway == 1
    assert 600.0 * 680 < gap.from_s < 600.0 * 700 and 600.0 * 1000 <= gap.until_s < 600.0 * 1020


def test_power_of_a_frame_is_the_rssi_without_noise():
    assert esp_dbm(-120, -6.2) == pytest.approx(-127.13, abs=0.01)
    assert esp_dbm(-109, 4.0) == pytest.approx(-110.46, abs=0.01)
    assert noise_dbm(-100.0, 0.0) == pytest.approx(-103.01, abs=0.01)
