from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.outcome import Outcome
from lora_marl.core.region import REGIONS
from scripts.runs.metrics import COUNTS, SUMS, converged_h, finite, recovery_time_h, reported, rows, thinned
from scripts.runs.statistics import estimate, t_quantile


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
        gateway_sending=zero,
        dropped=zero,
        downlinks=zero,
        downlinks_received=zero,
        downlinks_refused=zero,
        downlink_airtime_s=np.zeros((len(sent), 1)),
        frames_delivered=zero,
        frames_lost=zero,
        delay_s=sent * 0.0,
        queued=zero,
        foreign_busy_s=np.zeros((len(sent), 1, 3)),
        external_busy_s=np.zeros((len(sent), 3)),
        airtime_s=sent * 0.5,
        energy_mj=sent * 2.0,
        delivered_bits=delivered * 400.0,
        arm_sent=np.zeros((*sent.shape, 0), np.int64),
        arm_delivered=np.zeros((*sent.shape, 0), np.int64),
    )


def test_frames_are_told_apart_from_packets_where_nodes_repeat_them():
    repeated = replace(outcome([[6, 6]], [[3, 1]]), frames_delivered=np.array([[2, 1]]), frames_lost=np.array([[0, 1]]))
    (row,) = rows(repeated, REGIONS["EU868"], frames=True)
    assert (row["frames_delivered"], row["frames_lost"], row["frame_pdr"], row["pdr"]) == (3, 1, 0.75, 4 / 12)
    curve = [row | {"time_h": 1.0, "evaluation": 0}, row | {"time_h": 2.0, "evaluation": 0, "frames_lost": 4}]
    assert reported(curve, 2.0)["frame_pdr"] == 6 / 11
    (row,) = rows(repeated, REGIONS["EU868"])
    assert "frame_pdr" not in row


def test_rows_are_ratios_of_sums_over_nodes():
    (first, second) = rows(outcome([[4, 0, 4], [10, 10, 0]], [[4, 0, 0], [5, 5, 0]]), REGIONS["EU868"])
    assert first["pdr"] == 0.5 and first["ee_bits_per_mj"] == 100 and first["bits_per_airtime_s"] == 400
    assert first["goodput_bps"] == 160
    assert first["fairness"] == 0.5 and second["fairness"] == 1.0


def test_silence_is_not_a_number():
    (row,) = rows(outcome([[0, 0]], [[0, 0]]), REGIONS["EU868"])
    assert math.isnan(row["pdr"]) and row["sent"] == 0


def curve(*pdrs, evaluation=0):
    table = []
    for number, (sent, delivered) in enumerate(pdrs, 1):
        (row,) = rows(outcome([[sent]], [[delivered]]), REGIONS["EU868"])
        table.append({"time_h": float(number), "evaluation": 0} | row)
    if evaluation:
        table[-1]["evaluation"] = 1
    return table


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


class TestRecovery:
    """Rows of an hour with 100 packets each; the PDR in % after a change, of `window_h` that must be back."""

    @staticmethod
    def recovered(after, *, before=(90,) * 5, change_h=5.0, **parameters):
        delivered = [*before, *after]
        time_h = np.arange(1, len(delivered) + 1)
        return recovery_time_h(time_h, [100] * len(delivered), delivered, change_h, **parameters)

    def test_by_hand(self):
        # Pairs of hours: 60, 75, 85, 89: the fourth is within a point of 90.
        assert self.recovered([50, 70, 80, 90, 88, 90], window_h=2) == 3.0

    def test_within_a_point(self):
        assert self.recovered([89, 0], window_h=1) == 0.0
        assert math.isnan(self.recovered([88, 0], window_h=1))
        assert self.recovered([88, 0], window_h=1, within=0.02) == 0.0

    def test_the_window_must_lie_in_what_was_played(self):
        assert math.isnan(self.recovered([90, 90, 90], window_h=4))
        assert self.recovered([90, 90, 90, 90], window_h=4) == 0.0

    def test_a_dip_later_does_not_count_once_it_is_back(self):
        assert self.recovered([0, 90, 90, 0, 0, 0], window_h=2) == 1.0

    def test_never_is_nan(self):
        assert math.isnan(self.recovered([50] * 30))
        assert math.isnan(recovery_time_h([1, 2], [0, 10], [0, 10], 1.0, window_h=1))

    def test_a_hundred_hours_before_count(self):
        assert self.recovered([80, 80], before=(10,) * 50 + (80,) * 100, change_h=150.0, window_h=1) == 0.0
        assert math.isnan(self.recovered([70, 70], before=(10,) * 50 + (80,) * 100, change_h=150.0, window_h=1))

    def test_a_row_that_the_change_cuts_belongs_to_neither_side(self):
        assert self.recovered([0, 90], change_h=5.5, window_h=1) == 0.5

    def test_ratios_of_sums(self):
        # 10 packets of which none, then 90 of 90: 90 % of 100; a mean of ratios would be 50 %
        assert recovery_time_h([1, 2, 3], [100, 10, 90], [91, 0, 90], 1.0, window_h=2) == 0.0
        assert math.isnan(recovery_time_h([1, 2, 3], [100, 10, 90], [92, 0, 90], 1.0, window_h=2))

    def test_arrays_of_different_lengths_are_an_error(self):
        with pytest.raises(ValueError, match=r"all must be \[T\]"):
            recovery_time_h([1, 2], [1, 2, 3], [1, 2, 3], 1.0)


class TestConverged:
    def test_by_hand(self):
        # 20 to 80: nine tenths of the way is 74
        assert converged_h(curve((100, 20), (100, 73), (100, 74), *[(100, 80)] * 200), "pdr") == 3.0

    def test_noise_goes_nowhere(self):
        level = [(100, 50 + (-1) ** hour) for hour in range(150)]
        assert math.isnan(converged_h(curve((100, 51), *level), "pdr"))
        assert converged_h(curve((100, 53), *level), "pdr") == 3.0

    def test_silence_is_left_out(self):
        assert math.isnan(converged_h(curve((0, 0), (0, 0)), "pdr"))
        assert converged_h(curve((100, 20), (0, 0), *[(100, 80)] * 200), "pdr") == 3.0

    def test_an_evaluation_is_no_training(self):
        trained = [(100, 20), (100, 40), *[(100, 80)] * 200]
        assert converged_h(curve(*trained, (100, 0), evaluation=1), "pdr") == 3.0


class TestThinned:
    def test_ratios_of_sums(self):
        found = thinned(curve((10, 0), (30, 30), (10, 5)), 2)
        assert [(row["time_h"], row["pdr"]) for row in found] == [(2.0, 0.75), (3.0, 0.5)]

    def test_the_evaluation_stays_apart(self):
        found = thinned(curve((10, 0), (10, 10), evaluation=1), 10)
        assert [(row["evaluation"], row["pdr"]) for row in found] == [(0, 0.0), (1, 1.0)]

    def test_longer_rows_stay(self):
        assert len(thinned(curve((10, 0), (10, 10)), 0.1)) == 2


def test_finite():
    assert finite([1.0, math.nan, math.inf]) == [1.0]


def test_packets_that_were_never_sent_are_a_share_of_all_generated():
    hour = dict.fromkeys(("duration_s", *COUNTS, *SUMS), 0.0) | {
        "evaluation": False, "fairness": 1.0, "duration_s": 3600.0, "sent": 60.0, "delivered": 30.0, "dropped": 20.0,
    }  # fmt: skip
    curve = [hour | {"time_h": float(h), "sent": 60.0 * h} for h in (1, 2)]
    assert reported(curve, 2.0)["never_sent"] == pytest.approx(40 / (40 + 180))
    assert reported(curve, 2.0)["downlinks_per_100"] == 0.0  # none is a number of downlinks, too
