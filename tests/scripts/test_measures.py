from __future__ import annotations

import math

import numpy as np
import pytest

from lora_marl.core.outcome import Outcome
from lora_marl.core.region import REGIONS
from scripts.measures import estimate, reported, rows, t_quantile


def outcome(sent, delivered):
    sent, delivered = np.array(sent), np.array(delivered)
    zero = np.zeros_like(sent)
    return Outcome(
        duration_s=np.full(len(sent), 10.0),
        delivered=delivered,
        below_sensitivity=sent - delivered,
        interfered=zero,
        collided=zero,
        no_demodulator=zero,
        dropped=zero,
        airtime_s=sent * 0.5,
        energy_mj=sent * 2.0,
        delivered_bits=delivered * 400.0,
        arm_sent=np.zeros((*sent.shape, 0), np.int64),
        arm_delivered=np.zeros((*sent.shape, 0), np.int64),
    )


def test_rows_are_ratios_of_sums_over_nodes():
    (first, second) = rows(outcome([[4, 0, 4], [10, 10, 0]], [[4, 0, 0], [5, 5, 0]]), REGIONS["EU868"])
    assert first["pdr"] == 0.5 and first["ee_bits_per_mj"] == 100 and first["bits_per_airtime_s"] == 400
    assert first["goodput_bps"] == 160
    assert first["fairness"] == 0.5 and second["fairness"] == 1.0


def test_silence_is_not_a_number():
    (row,) = rows(outcome([[0, 0]], [[0, 0]]), REGIONS["EU868"])
    assert math.isnan(row["pdr"]) and row["sent"] == 0


def curve(*pdrs, evaluation=0):
    found = []
    for number, (sent, delivered) in enumerate(pdrs, 1):
        (row,) = rows(outcome([[sent]], [[delivered]]), REGIONS["EU868"])
        found.append({"time_h": float(number), "evaluation": 0} | row)
    if evaluation:
        found[-1]["evaluation"] = 1
    return found


def test_reported_is_the_last_part_by_sums():
    assert reported(curve((10, 0), (10, 10), (30, 0)), last_h=2)["pdr"] == 0.25
    assert reported(curve((10, 0), (10, 10)), last_h=100)["pdr"] == 0.5


def test_an_evaluation_is_reported_instead():
    assert reported(curve((10, 0), (10, 7), evaluation=1), last_h=100)["pdr"] == 0.7


def test_estimate():
    found = estimate([1.0, 2.0, 3.0])
    assert (found.mean, found.spread, found.seeds) == (2.0, 1.0, 3)
    assert found.ci_high - found.mean == pytest.approx(4.303 / math.sqrt(3))
    assert math.isnan(estimate([1.0]).ci_low)


@pytest.mark.parametrize(
    ("degrees", "expected"), [(1, 12.706), (4, 2.776), (30, 2.042), (31, 2.0395), (100, 1.984), (10**6, 1.96)]
)
def test_t_quantile(degrees, expected):
    assert t_quantile(degrees) == pytest.approx(expected, abs=2e-3)
