import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_marl.core import metrics
from lora_marl.core.units import HOUR_S

RATIOS = [
    lambda top, bottom: metrics.pdr(bottom, top),
    metrics.ee_bits_per_mj,
    metrics.goodput_bps,
    metrics.bits_per_airtime_s,
    metrics.energy_per_delivered_mj,
]


def test_metrics_of_the_published_result_files(dlora_vectors):
    """50 nodes, 20 bytes: the authors' own PDR and energy efficiency from their own counters."""
    for row in dlora_vectors["authors_result_files_50_nodes"]:
        assert 100 * metrics.pdr(row["sent"], row["received"]) == pytest.approx(row["PDR"], abs=0.006)
        delivered_bits = 8 * 20 * row["received"]
        assert metrics.ee_bits_per_mj(delivered_bits, row["energy_mJ"]) == pytest.approx(row["EE_bits_per_mJ"])


def test_the_two_throughputs_by_hand():
    """1,000 bits delivered over 10 s, in which 0.5 s were spent on air."""
    assert metrics.goodput_bps(1000.0, 10.0) == 100.0
    assert metrics.bits_per_airtime_s(1000.0, 0.5) == 2000.0


def test_energy_per_delivered_packet_by_hand():
    assert metrics.energy_per_delivered_mj([6.0, 8.0], [3, 4]).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("ratio", RATIOS)
def test_zero_denominators_are_nan_without_a_warning(ratio):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = ratio(np.array([0, 3]), np.array([0, 4]))
    assert math.isnan(got[0])
    assert got[1] == 0.75


def test_ratios_broadcast():
    assert metrics.goodput_bps(np.ones((2, 5)), np.full((2, 1), 4.0)).tolist() == np.full((2, 5), 0.25).tolist()


def test_swapped_arguments_of_pdr_are_noticed():
    with pytest.raises(ValueError, match=r"pdr\(sent, delivered\)"):
        metrics.pdr(3, 4)


def test_jain_by_hand():
    assert metrics.jain_fairness([1.0, 1.0, 1.0, 1.0]) == 1.0
    assert metrics.jain_fairness([5.0, 0.0, 0.0, 0.0]) == 0.25
    assert metrics.jain_fairness([1.0, 3.0]) == pytest.approx(16 / 20)
    assert math.isnan(metrics.jain_fairness([0.0, 0.0]))


def test_jain_along_an_axis():
    shares = np.array([[1.0, 1.0], [1.0, 3.0]])
    assert metrics.jain_fairness(shares, axis=0).tolist() == pytest.approx([1.0, 0.8])
    assert metrics.jain_fairness(shares).tolist() == pytest.approx([1.0, 0.8])


@given(st.lists(st.floats(0.01, 1e3), min_size=1, max_size=30), st.floats(0.01, 1e3))
def test_jain_lies_between_one_nth_and_one_and_ignores_scale(shares, scale):
    fairness = metrics.jain_fairness(shares)
    assert 1 / len(shares) - 1e-12 <= fairness <= 1 + 1e-12
    assert metrics.jain_fairness(np.array(shares) * scale) == pytest.approx(fairness)


def hourly(curve):
    return HOUR_S * np.arange(1, len(curve) + 1), np.array(curve)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_convergence_of_a_ramp(sign):
    """From 0 in hour 1 to 1 in hour 101, then constant for 200 h: 0.9 is reached in hour 91."""
    times_s, values = hourly(np.minimum(np.arange(301) / 100.0, 1.0))
    assert metrics.convergence_time_s(times_s, sign * values) == 91 * HOUR_S


def test_convergence_counts_from_the_mean_of_the_first_hour():
    """Samples every half hour: 0 and 2 in the first hour, so the way is from 1 to 11 and its 90 % at 10."""
    values = [0.0, 2.0, 9.9, 10.0] + [11.0] * 400
    assert metrics.convergence_time_s(HOUR_S / 2 * np.arange(1, 405), values) == 4 * HOUR_S / 2


def test_convergence_leaves_out_undefined_samples():
    times_s, values = hourly([math.nan, 0.0, math.nan, 1.0] + [1.0] * 200)
    assert metrics.convergence_time_s(times_s, values) == 4 * HOUR_S
    assert math.isnan(metrics.convergence_time_s(times_s, np.full(204, math.nan)))


def test_convergence_of_a_curve_that_does_not_move():
    assert metrics.convergence_time_s(*hourly([3.0] * 200)) == HOUR_S


@pytest.mark.parametrize(
    ("times_s", "values", "message"),
    [([1.0, 2.0], [1.0], "shapes"), ([2.0, 1.0], [0.0, 1.0], "ascend"), ([[1.0]], [[1.0]], "shapes")],
)
def test_bad_curves_are_named(times_s, values, message):
    with pytest.raises(ValueError, match=message):
        metrics.convergence_time_s(times_s, values)


def test_utility_by_hand():
    """0.5 * 0.9 + 0.3 * 70 + 0.2 * 600 as printed; relative to 0.9, 140 and 1,200 it is 0.5 + 0.15 + 0.1."""
    weights = (0.5, 0.3, 0.2)
    assert metrics.utility(0.9, 70.0, 600.0, weights=weights) == pytest.approx(0.45 + 21 + 120)
    scaled = metrics.utility(0.9, 70.0, 600.0, weights=weights, scales=(0.9, 140.0, 1200.0))
    assert scaled == pytest.approx(0.75)


def test_utility_of_the_journal_has_no_throughput():
    got = metrics.utility([0.8, 1.0], [40.0, 20.0], math.nan, weights=(0.25, 0.75, 0.0), scales=(1.0, 40.0, 1.0))
    assert got.tolist() == pytest.approx([0.2 + 0.75, 0.25 + 0.375])
    assert math.isnan(metrics.utility(math.nan, 1.0, 1.0, weights=(0.5, 0.5, 0.0)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": (0.5, 0.6, 0.0)}, "weights = .*sum 1"),
        ({"weights": (1.5, -0.5, 0.0)}, "weights = .*at least 0"),
        ({"weights": (0.5, 0.5)}, "weights = .*three numbers"),
        ({"weights": ()}, "weights = .*three numbers"),
        ({"weights": (math.nan, 0.5, 0.5)}, "weights = "),
        ({"weights": (0.5, 0.5, 0.0), "scales": (1.0, 0.0, 1.0)}, "scales = .*above 0"),
        ({"weights": (0.5, 0.5, 0.0), "scales": (1.0, math.inf, 1.0)}, "scales = "),
    ],
)
def test_bad_weights_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        metrics.utility(0.5, 1.0, 1.0, **given)


def test_the_sum_of_the_nodes_energy_efficiencies_is_not_the_ratio_of_sums():
    ee = metrics.ee_bits_per_mj([100.0, 100.0, 0.0], [1.0, 100.0, 0.0])
    assert metrics.ee_sum_bits_per_mj(ee) == 101.0
    np.testing.assert_array_equal(metrics.ee_sum_bits_per_mj([[1.0, 2.0], [3.0, np.nan]]), [3.0, 3.0])


def test_a_ratio_of_nothing_is_nan_or_what_is_stated():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(metrics.ratio([1.0, 0.0], [[2.0], [0.0]]), [[0.5, 0.0], [np.nan, np.nan]])
        np.testing.assert_array_equal(metrics.ratio([3, 1], [2, 0], empty=0.0), [1.5, 0.0])
        assert math.isnan(metrics.ratio(1, 0))
