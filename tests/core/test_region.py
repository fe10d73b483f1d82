import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_marl.core.factors import checked_points
from lora_marl.core.phy import airtime_s
from lora_marl.core.region import FACTORS, HOP, REGIONS, Region, region

ALL = list(REGIONS.values())
small = Region(name="small", channels_hz=(868.1e6, 867.9e6), bandwidths_hz=(125e3, 500e3), spreading_factors=(8, 10))


@pytest.mark.parametrize(
    ("name", "payloads"),
    [
        ("EU868", {7: 255, 8: 255, 9: 128, 10: 64, 11: 64, 12: 64}),
        ("CN470", {7: 255, 8: 255, 9: 197, 10: 99, 11: 36}),
        ("US915", {7: 255, 8: 138, 9: 66, 10: 24}),
        ("AS923", {7: 255, 8: 255, 9: 128, 10: 128, 11: 64, 12: 64}),
    ],
)
def test_largest_payloads(name, payloads):
    assert {sf: region(name).max_payload(sf, 125e3) for sf in region(name).spreading_factors} == payloads


@pytest.mark.parametrize(("name", "limit_s"), [("CN470", 1.0), ("US915", 0.4)])
def test_largest_payloads_just_fit_the_time_limit(name, limit_s):
    """Where a frame's duration is limited, the largest payload fits and one of the next block does not."""
    for sf in region(name).spreading_factors:
        largest = region(name).max_payload(sf, 125e3)
        assert airtime_s(sf, largest, bw_hz=125e3) <= limit_s
        if largest < 255:
            assert airtime_s(sf, largest + sf, bw_hz=125e3) > limit_s


def test_what_has_no_limit_may_fill_a_frame():
    assert small.max_payload(12, 500e3) == 255


def test_channels():
    assert [hz / 1e6 for hz in region("EU868").channels_hz] == pytest.approx(
        [868.1, 868.3, 868.5, 867.1, 867.3, 867.5, 867.7, 867.9]
    )
    assert len(region("US915").channels_hz) == 64
    assert region("US915").channels_hz[-1] == pytest.approx(914.9e6)
    assert region("CN470").channels_hz[31:33] == pytest.approx((476.5e6, 503.5e6))
    assert region("AS923").channels_hz == pytest.approx((923.2e6, 923.4e6))


@pytest.mark.parametrize("name", REGIONS)
def test_channels_of_a_region_do_not_overlap(name):
    """Those of 500 kHz lie over those of 125 kHz; they are more than one bandwidth apart from each other."""
    plan = region(name)
    rates = plan.channel_data_rates or (((7, plan.bandwidths_hz[0]),),) * len(plan.channels_hz)
    for bw_hz in plan.bandwidths_hz:
        alike_hz = [hz for hz, taken in zip(plan.channels_hz, rates, strict=True) if taken[0][1] == bw_hz]
        assert (np.diff(np.sort(alike_hz)) >= bw_hz).all()


def test_legal_limits():
    assert {name: plan.duty_cycle for name, plan in REGIONS.items()}.items() >= {
        "EU868": 0.01, "CN470": None, "US915": None, "AS923": 0.01, "EU433": 0.1, "AU915": None, "RU864": 0.01,
        "KR920": None, "IN865": None,
    }.items()  # fmt: skip
    assert {name: max(plan.tp_dbm) for name, plan in REGIONS.items()}.items() >= {
        "EU868": 14.0, "CN470": 17.0, "US915": 20.0, "AS923": 14.0, "EU433": 10.0, "KR920": 10.0, "IN865": 20.0,
    }.items()  # fmt: skip
    assert {name: plan.dwell_time_s for name, plan in REGIONS.items() if plan.dwell_time_s}.items() >= {
        "US915": 0.4, "AU915": 0.4, "CN470": 1.0, "CN470-26B": 1.0,
    }.items()  # fmt: skip
    assert [name for name, plan in REGIONS.items() if plan.listen_before_talk] == ["AS923", "AS923-1", "KR920"]


@pytest.mark.parametrize(
    ("mhz", "duty_cycle", "tp_dbm"),
    [
        (863.5, 0.001, 14.0), (866.0, 0.01, 14.0), (868.3, 0.01, 14.0), (868.9, 0.001, 14.0),
        (869.525, 0.1, 27.0), (869.85, 0.01, 14.0),
    ],
)  # fmt: skip
def test_eu868_has_the_sub_bands_of_en_300_220(mhz, duty_cycle, tp_dbm):
    eu868 = region("EU868")
    assert (eu868.duty_cycle_at(mhz * 1e6), eu868.gateway_tp_at_dbm(mhz * 1e6)) == (duty_cycle, tp_dbm)


@pytest.mark.parametrize("mhz", [862.9, 868.65, 869.3, 869.675, 870.1])
def test_between_the_sub_bands_of_eu868_nobody_may_send(mhz):
    with pytest.raises(ValueError, match=f"{mhz} MHz lies in no sub-band of EU868"):
        region("EU868").duty_cycle_at(mhz * 1e6)


@pytest.mark.parametrize(
    ("name", "uplink", "by_offset"),
    [
        ("EU868", (8, 125e3), ["8/125", "9/125", "10/125", "11/125", "12/125", "12/125"]),
        ("US915", (10, 125e3), ["10/500", "11/500", "12/500", "12/500"]),
        ("US915", (7, 125e3), ["7/500", "8/500", "9/500", "10/500"]),
        ("US915", (8, 500e3), ["7/500", "7/500", "8/500", "9/500"]),
        ("AU915", (7, 125e3), ["7/500", "8/500", "9/500", "10/500", "11/500", "12/500"]),
        ("AU915", (8, 500e3), ["7/500", "7/500", "8/500", "9/500", "10/500", "11/500"]),
        ("AS923-1", (10, 125e3), ["10/125", "11/125", "12/125", "12/125", "12/125", "12/125", "9/125", "8/125"]),
        ("CN470", (10, 125e3), ["10/125", "11/125", "11/125", "11/125", "11/125", "11/125"]),
    ],
)  # fmt: skip
def test_data_rates_of_rx1_by_offset(name, uplink, by_offset):
    rates = dict(region(name).rx1_data_rates)[uplink]
    assert [f"{sf}/{bw_hz / 1000:g}" for sf, bw_hz in rates] == by_offset


def test_channels_of_rx1():
    us915, cn470 = region("US915"), region("CN470-26A")
    assert us915.rx1_channels_hz[9] == pytest.approx(923.9e6) and us915.rx1_channels_hz[63] == pytest.approx(927.5e6)
    assert cn470.rx1_channels_hz[25] == pytest.approx(490.3e6)
    assert region("CN470").rx1_channels_hz[33] == pytest.approx(490.5e6) and region("EU868").rx1_channels_hz == ()


def test_a_channel_mask_keeps_what_goes_with_each_channel():
    part = region("US915").with_channels(range(8, 16))
    assert part.channels_hz[0] == pytest.approx(903.9e6) and len(part.channels_hz) == 8
    assert part.rx1_channels_hz == region("US915").rx1_channels_hz[:8]
    with pytest.raises(ValueError, match="channels: 64 is among 0 to 63 of region US915"):
        region("US915").with_channels([64])
    with pytest.raises(ValueError, match="rx1_channels_hz of region US915 has 64 values: there are 8 channels"):
        replace(region("US915"), channels_hz=region("US915").channels_hz[:8])


def test_powers_above_the_limit_of_a_region_are_refused():
    with pytest.raises(ValueError, match="tp_dbm of region EU868 has 20: it allows 14 dBm"):
        replace(region("EU868"), tp_dbm=(14.0, 20.0))
    assert replace(region("EU868"), tp_dbm=(14.0, 20.0), max_tp_dbm=None).tp_dbm == (14.0, 20.0)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("EU886", r"did you mean 'EU868'\?$"),
        ("us915", r"did you mean 'US915'\?$"),
        ("cn-470", r"did you mean 'CN470'\?$"),
        ("moon", "known: .*AS923, AS923-1, .*CN470, .*EU868, .*US915"),
    ],
)
def test_an_unknown_region_is_answered_with_the_most_similar_one_and_all(wrong, hint):
    with pytest.raises(ValueError, match=f"region '{wrong}' is unknown; {hint}"):
        region(wrong)


def test_points_by_hand():
    points = small.points(sf=[8, 10], bw_hz=500e3, channel=[1, 0], tp_dbm=14)
    assert points.dtype == np.int16
    assert points.tolist() == [[0, 1, 1, 6], [1, 1, 0, 6]]


def test_physical_by_hand():
    allocation = small.physical(np.array([[[0, 1, 1, 6]], [[1, 0, 0, 0]]], dtype=np.int16))
    assert allocation.sf.tolist() == [[8], [10]]
    assert allocation.bw_hz.tolist() == [[500e3], [125e3]]
    assert allocation.channel.tolist() == [[1], [0]]
    assert allocation.tp_dbm.tolist() == [[14.0], [2.0]]


@given(st.sampled_from(ALL), st.integers(0, 2**32 - 1))
def test_points_and_physical_values_are_inverse(plan, seed):
    points = np.random.default_rng(seed).integers(0, plan.factor_sizes, size=(3, 5, len(FACTORS)))
    physical = plan.physical(points)
    again = plan.points(sf=physical.sf, bw_hz=physical.bw_hz, channel=physical.channel, tp_dbm=physical.tp_dbm)
    np.testing.assert_array_equal(again, points)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sf": 13}, "spreading factor is 13: region small has 8, 10"),
        ({"sf": [8, 9]}, "spreading factor is 9"),
        ({"sf": math.nan}, "spreading factor is nan"),
        ({"bw_hz": 250e3}, "bandwidth in Hz is 250000: region small has 125000, 500000"),
        ({"channel": 2}, r"channel is 2: region small has 0 to 1, or -1 \(hop: drawn for every transmission\)"),
        ({"channel": -2}, "channel is -2"),
        ({"tp_dbm": 3.0}, "transmit power in dBm is 3: region small has 2, 4, 6, 8, 10, 12, 14"),
    ],
)
def test_values_that_a_region_lacks_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        small.points(**({"sf": 8, "bw_hz": 125e3, "channel": 0, "tp_dbm": 2} | change))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([0, 0, 0, 7], "tp index is 7: region small has 0 to 6"),
        ([[0, 0, 0, 0], [-1, 0, 0, 0]], "sf index is -1: region small has 0 to 1$"),
        ([0, 0, -2, 0], "channel index is -2: region small has 0 to 1, or -1"),
        ([0, 0, 0], r"\(3,\): they must be integers \[..., 4\]"),
        ([0.0, 0.0, 0.0, 0.0], "float64"),
    ],
)
def test_points_outside_a_region_are_named(points, message):
    with pytest.raises(ValueError, match=message):
        small.physical(np.array(points))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("spreading_factors", (7, 13), "spreading factor is 13"),
        ("spreading_factors", (), "spreading_factors of region R is empty: an empty action set"),
        ("spreading_factors", (8, 7), "must ascend"),
        ("bandwidths_hz", (125.0,), r"bandwidths_hz\[0\]: 125 is not within .* Hz; 125 kHz is 125e3"),
        ("bandwidths_hz", (62.5e3,), "bandwidth in Hz is 62500: .* 125000, 250000, 500000"),
        ("bandwidths_hz", (), "bandwidths_hz .* empty"),
        ("channels_hz", (), "channels_hz .* empty"),
        ("channels_hz", (868.1e6, 868.1e6), "twice"),
        ("channels_hz", (-1.0,), "channels_hz.*: -1 is not within .* Hz"),
        ("tp_dbm", (14.0, 2.0), "must ascend"),
        ("tp_dbm", (math.nan,), "finite"),
        ("tp_dbm", (), "tp_dbm .* empty"),
        ("duty_cycle", 0.0, "duty_cycle of region R is 0.0"),
        ("duty_cycle", 1.5, "duty_cycle of region R is 1.5"),
        (
            "sub_band_duty_cycles",
            (0.1, 0.2),
            "sub_band_duty_cycles of region R has 2 values: there are the 1 sub-bands",
        ),
        ("sub_band_duty_cycles", (1.2,), "sub_band_duty_cycles of region R has 1.2"),
        ("rx1_channels_hz", (868.1e6, 868.3e6), "rx1_channels_hz of region R has 2 values: there are 1 channels"),
        ("channel_data_rates", (((7, 500e3),),), "a channel must take a data rate of the region's"),
        ("dwell_time_s", 0.0, "dwell_time_s of region R is 0.0"),
        ("rx2_sf", 9, "rx2_sf, rx2_bandwidth_hz of region R: only one of them is given"),
        ("max_payload_bytes", (((6, 125e3), 10),), "spreading factor is 6"),
        ("max_payload_bytes", (((7, 125e3), 256),), "has 256: it must be 1 to 255"),
    ],
)
def test_bad_regions_are_named(field, value, message):
    with pytest.raises(ValueError, match=message):
        Region(**({"name": "R", "channels_hz": (868.1e6,)} | {field: value}))


def test_a_duty_cycle_without_effect_is_refused():
    with pytest.raises(ValueError, match=r"duty_cycle of region EU868 is 0.02, but its sub_band_duty_cycles hold"):
        replace(region("EU868"), duty_cycle=0.02)
    assert replace(region("EU868"), duty_cycle=0.02, sub_band_duty_cycles=()).duty_cycle_at(868.1e6) == 0.02


def test_the_channel_of_a_point_may_be_hop():
    points = small.points(sf=8, bw_hz=125e3, channel=[HOP, 1], tp_dbm=14)
    assert points.tolist() == [[0, 0, HOP, 6], [0, 0, 1, 6]]
    assert small.physical(points).channel.tolist() == [HOP, 1]
    assert checked_points(small, [0, 1, "hop", 6], (2,)).tolist() == [[0, 1, HOP, 6]] * 2
    assert checked_points(small, [[0, 1, HOP, 6], [0, 1, 1, 6]], (2,)).tolist() == [[0, 1, HOP, 6], [0, 1, 1, 6]]


def test_without_a_point_nodes_hop_where_there_are_channels_to_hop_between():
    assert checked_points(small, None, ()).tolist() == [0, 0, HOP, 6]
    assert checked_points(replace(small, channels_hz=(868.1e6,)), None, ()).tolist() == [0, 0, 0, 6]


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ([0, 0, "hops", 6], "needs whole numbers, or hop for the channel"),
        (["hop", 0, 0, 6], "fixed_point: sf = -1 is outside 0 to 1$"),
        ([0, 0, 2, 6], r"fixed_point: channel = 2 is outside 0 to 1, or -1 \(hop"),
    ],
)
def test_a_fixed_point_outside_the_region_is_named(point, message):
    with pytest.raises(ValueError, match=message):
        checked_points(small, point, ())
