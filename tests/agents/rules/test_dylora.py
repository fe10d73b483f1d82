"""DyLoRa-like: by hand-made packets."""

import numpy as np
import pytest

from agents.rules.dylora import DyLoRa
from lora_marl.core.kernel.state import DECISION, HEARD
from lora_marl.core.outcome import Decisions, Heard
from lora_marl.core.presets import norel_network


def chosen(rssi_dbm, tp=4, history=6):
    learner = DyLoRa(norel_network(2), [0], history=history)
    rows = np.zeros(len(rssi_dbm), HEARD)
    rows["rssi_dbm"], rows["point"] = rssi_dbm, (5, 0, 0, tp)
    learner.hear(Heard(rows))
    due = np.zeros(1, DECISION)
    due["sent"] = len(rssi_dbm)
    sf, _, _, power = learner.select(Decisions(due))[0].tolist()
    return sf + 7, (2, 5, 8, 11, 14)[power]


# Sent with 14 dBm; SF7 needs -124 dBm, SF8 -127, SF12 -137.
@pytest.mark.parametrize(
    ("rssi_dbm", "expected"),
    [
        ([-100.0] * 6, (7, 2)),
        ([-112.0] * 6, (7, 2)),
        ([-112.1] * 6, (8, 2)),  # SF8 at 2 dBm costs less than SF7 at 5 dBm: 1.79 against 2.0 times the airtime
        ([-100.0] * 5 + [-123.9], (9, 8)),
        ([-137.0] * 6, (12, 14)),
        ([-140.0] * 6, (12, 14)),
    ],
)
def test_the_cheapest_point_that_all_would_have_arrived_with(rssi_dbm, expected):
    sf, tp_dbm = chosen(rssi_dbm)
    assert (sf, tp_dbm) == expected
    airtime_s = norel_network(1).airtime_s()[:, 0]
    sensitivity_dbm = dict(zip(range(7, 13), (-124, -127, -130, -133, -135, -137), strict=True))
    fits = {
        (s, p): airtime_s[s - 7] * 10 ** (p / 10)
        for s in range(7, 13) for p in (2, 5, 8, 11, 14) if min(rssi_dbm) - 14 + p >= sensitivity_dbm[s]
    }  # fmt: skip
    assert (sf, tp_dbm) == (min(fits, key=fits.__getitem__) if fits else (12, 14))


def test_only_the_last_packets_count():
    assert chosen([-137.0] * 4 + [-100.0] * 6) == (7, 2)


def test_before_anything_is_heard_it_sends_slow_and_loud():
    learner = DyLoRa(norel_network(2), [0])
    assert learner.select(Decisions(np.zeros(1, DECISION)))[0].tolist() == [5, 0, 0, 4]


def test_a_history_must_have_a_packet():
    with pytest.raises(ValueError, match="history = 0"):
        DyLoRa(norel_network(2), [0], history=0)
