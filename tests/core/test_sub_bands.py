"""Duty cycles of nodes by sub-band, and channels that take some data rates only."""

from dataclasses import fields, replace

import numpy as np
import pytest

from lora_marl.core import reference
from lora_marl.core.air import Air
from lora_marl.core.downlink import Downlink
from lora_marl.core.expect.one_gateway import OneGateway
from lora_marl.core.outcome import Outcome
from lora_marl.core.presets import journal_network
from lora_marl.core.region import CHANNEL, HOP, REGIONS
from lora_marl.core.scenario import Change
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, random_points

MIXED = replace(REGIONS["EU868"], channels_hz=(868.1e6, 868.3e6, 867.1e6, 868.8e6, 869.525e6))
"""Four sub-bands: 1 % (two channels), 1 %, .1 % and 10 %."""

OFF = np.array([99.0, 99.0, 99.0, 999.0, 9.0])
"""Off time of each channel's sub-band, in airtimes."""

DUTY_CYCLE = "traffic.duty_cycle"

BUSY = Traffic(interval_s=3.0, after_end=False, payload_bytes=20)


def hopping(scenario, seed=0):
    points = random_points(scenario, seed=seed)
    points[..., CHANNEL] = HOP
    return points


def played(scenario, points, until_s=400.0, seed=0):
    air = Air(scenario, [seed], record=True)
    outcome = air.advance(points, until_s)
    packets, receptions = air.recording()
    return air, outcome, packets, receptions


def fields_of(packets, chosen):
    """Some of the packets."""
    return type(packets)(**{field.name: getattr(packets, field.name)[chosen] for field in fields(packets)})


def off_times_kept(scenario, packets):
    """Whether every packet starts after the off times of all earlier ones of its node in its sub-band."""
    band = np.array(scenario.region.sub_bands)[packets.point[:, CHANNEL]]
    for n in range(scenario.nodes):
        for number in set(band):
            mine = np.flatnonzero((packets.source == n) & (band == number) & (packets.kind == 0))
            airtime_s = packets.end_s[mine] - packets.start_s[mine]
            free_s = packets.end_s[mine] + OFF[packets.point[mine, CHANNEL]] * airtime_s
            if np.any(packets.start_s[mine][1:] < free_s[:-1] - 1e-9):
                return False
    return True


@pytest.mark.parametrize(
    "traffic",
    [
        BUSY,
        Traffic(interval_s=3.0, payload_bytes=20),
        replace(BUSY, queued=True),
        replace(BUSY, interval_s=30.0, confirmed=True),
        Traffic(kind="periodic", interval_s=4.0, jitter_s=2.0, payload_bytes=20),
    ],
    ids=["drops", "after the end", "queues", "confirmed", "periodic"],
)
def test_hops_are_uniform_over_channels_whose_sub_band_is_free(traffic):
    scenario = network(12, region=MIXED, traffic=traffic)
    points = hopping(scenario)
    _, outcome, packets, _ = played(scenario, points, seed=3)
    np.testing.assert_array_equal(packets.point[:, CHANNEL], reference.channels(scenario, packets, points[0], 3))
    assert off_times_kept(scenario, packets) and set(packets.point[:, CHANNEL]) == set(range(5))
    assert (outcome.dropped.sum() > 0) == (not (traffic.queued or traffic.confirmed))


def test_a_named_channel_waits_for_its_own_sub_band():
    scenario = network(10, region=MIXED, traffic=replace(BUSY, queued=True))
    points = np.zeros((1, 10, 4), np.int16)
    points[..., CHANNEL] = np.arange(10) % 5
    _, outcome, packets, _ = played(scenario, points, 4000.0)
    assert off_times_kept(scenario, packets)
    share = outcome.airtime_s[0] / 4000.0
    airtime_s = float((packets.end_s - packets.start_s)[0])
    limits = np.minimum(1.0 / (OFF + 1.0), airtime_s / 3.0)  # those of the last channel send all that they generate
    np.testing.assert_allclose(share, np.tile(limits, 2), rtol=0.1)


def test_a_number_is_one_off_time_for_all_channels_and_none_is_none():
    one, free = (
        network(10, region=MIXED, traffic=replace(BUSY, queued=True, duty_cycle=duty)) for duty in (0.01, None)
    )
    _, _, packets, _ = played(one, hopping(one), 2000.0)
    for n in range(10):
        mine = packets.source == n
        gap_s = packets.start_s[mine][1:] - packets.end_s[mine][:-1]
        assert np.all(gap_s >= 99.0 * (packets.end_s - packets.start_s)[mine][:-1] - 1e-9)
    _, outcome, _, _ = played(free, hopping(free), 400.0)
    assert outcome.airtime_s.sum() / 10 / 400.0 > 0.03


def test_a_change_to_the_regions_limits_keeps_them_from_then_on_and_one_back_ends_them():
    """The off times of sub-bands had no array to be kept in, and were written beyond one without elements."""
    at_s = 200.0
    change = Change(at_s=at_s, values={DUTY_CYCLE: "region"})
    scenario = network(10, region=MIXED, traffic=replace(BUSY, queued=True, duty_cycle=None), changes=(change,))
    points = hopping(scenario)
    air, _, packets, _ = played(scenario, points, 1000.0)
    assert air.state_dict()["sub_band_free_s"].shape == (1, 10, 4)
    later, before = (fields_of(packets, chosen) for chosen in (packets.start_s >= at_s, packets.start_s < at_s))
    assert off_times_kept(scenario, later) and not off_times_kept(scenario, before)
    back = replace(scenario, traffic=replace(BUSY, queued=True), changes=(replace(change, values={DUTY_CYCLE: None}),))
    _, _, packets, _ = played(back, points, 1000.0)
    later, before = (fields_of(packets, chosen) for chosen in (packets.start_s >= at_s, packets.start_s < at_s))
    assert off_times_kept(scenario, before) and not off_times_kept(scenario, later)


def test_the_regions_limits_are_the_default_but_not_of_papers_networks():
    assert Traffic().duty_cycle == "region"
    assert network(region=REGIONS["EU868"], traffic=BUSY).duty_cycles_by_sub_band
    assert not network(region=REGIONS["AS923"], traffic=BUSY).duty_cycles_by_sub_band
    assert network(region=REGIONS["AS923"], traffic=BUSY).duty_cycle == 0.01
    assert network(region=REGIONS["US915"], traffic=replace(BUSY, payload_bytes=15)).duty_cycle is None
    assert journal_network().duty_cycle is journal_network(traffic=Traffic(interval_s=60.0)).duty_cycle is None
    with pytest.raises(ValueError, match="869.3 MHz lies in no sub-band of EU868"):
        network(region=journal_network().region, traffic=BUSY)
    with pytest.raises(ValueError, match=r"traffic.duty_cycle: region allows \[0.001, 0.01, 0.1\] by channel"):
        OneGateway(network(region=MIXED, traffic=BUSY))
    assert OneGateway(network(region=REGIONS["EU868"], traffic=BUSY)).tables.airtimes == pytest.approx(100.0)


def test_a_snapshot_keeps_off_times_and_an_episode_begins_without():
    scenario = network(12, region=MIXED, traffic=replace(BUSY, queued=True))
    points = hopping(scenario)
    first, second = Air(scenario, [0]), Air(scenario, [0])
    first.advance(points, 97.3)
    second.load_state_dict(first.state_dict())
    one, other = first.advance(points, 300.0), second.advance(points, 300.0)
    for field in fields(Outcome):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
    first.begin_episode()
    first.take_outcome()
    assert (first.advance(points, 40.0).sent > 0).all()
    assert "sub_band_free_s" not in Air(network(12), [0]).state_dict()


def test_a_channel_of_500_khz_takes_one_data_rate_beside_those_of_125_khz():
    scenario = network(60, region=REGIONS["US915-FSB2"], traffic=replace(BUSY, payload_bytes=15))
    points = random_points(scenario, seed=1)
    _, _, packets, receptions = played(scenario, points, 200.0)
    wide = packets.point[:, CHANNEL] == 8
    assert 0.05 < wide.mean() < 0.25
    assert set(map(tuple, packets.point[wide, :2])) == {(1, 1)}  # SF8 at 500 kHz
    assert set(packets.point[~wide, 1]) == {0} and set(packets.point[~wide, 0]) == {0, 1, 2, 3}
    named = points[0, packets.source]
    kept = ~wide & (named[:, 1] == 0)
    np.testing.assert_array_equal(packets.point[kept], named[kept])
    ended = packets.fate >= 0
    np.testing.assert_array_equal(receptions.fate[ended], reference.fates(scenario, packets, receptions)[ended])


def test_nodes_hop_over_the_channels_that_take_their_data_rate():
    scenario = network(60, region=REGIONS["US915-FSB2"], traffic=replace(BUSY, payload_bytes=15))
    points = hopping(scenario, seed=1)
    _, _, packets, _ = played(scenario, points, 200.0, seed=5)
    np.testing.assert_array_equal(packets.point[:, CHANNEL], reference.channels(scenario, packets, points[0], 5))
    by_rate = {rate: set() for rate in [(0, 0), (1, 0), (1, 1)]}
    for n, channel in zip(packets.source, packets.point[:, CHANNEL], strict=True):
        by_rate.setdefault(tuple(points[0, n, :2].tolist()), set()).add(int(channel))
    assert by_rate[0, 0] == by_rate[1, 0] == set(range(8)) and by_rate[1, 1] == {8}
    assert by_rate[0, 1] == set(range(9))  # SF7 at 500 kHz, which no channel takes


def test_downlinks_answer_both_kinds_of_channels():
    region = REGIONS["US915-FSB2"]
    scenario = network(
        20, spread_m=200.0, region=region, traffic=replace(BUSY, payload_bytes=15, interval_s=20.0), propagation=STILL,
        feedback="downlink", downlink=Downlink(),
    )  # fmt: skip
    _, _, packets, _ = played(scenario, random_points(scenario), 400.0)
    windows = scenario.receive_windows
    for i in np.flatnonzero(packets.kind == 1):
        up = np.flatnonzero(
            (packets.kind == 0) & (packets.source == packets.source[i]) & (packets.index == packets.index[i])
        )[0]
        if packets.start_s[i] > packets.end_s[up] + 1.5:
            continue
        channel, rate = packets.point[up, CHANNEL], packets.point[up, :2]
        assert windows.channels_hz[packets.point[i, 2]] == region.rx1_channels_hz[channel]
        uplink = (region.spreading_factors[rate[0]], region.bandwidths_hz[rate[1]])
        answer = windows.spreading_factors[packets.point[i, 0]], windows.bandwidths_hz[packets.point[i, 1]]
        assert answer == dict(region.rx1_data_rates)[uplink][0]
