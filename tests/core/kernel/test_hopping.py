"""Nodes whose operating point names no channel draw one for every transmission."""

from dataclasses import fields

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.downlink import Feedback
from lora_marl.core.outcome import Outcome
from lora_marl.core.reception import Reception
from lora_marl.core.region import CHANNEL, HOP
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, random_points, region, timed

CHANNELS = 8
SCENARIO = network(20, region=region(channels=CHANNELS), traffic=Traffic(interval_s=3.0))


def hopping(scenario=SCENARIO, replicas=1):
    points = np.repeat(random_points(scenario), replicas, axis=0)
    points[..., CHANNEL] = HOP
    return points


def chi_square_excess(values, kinds):
    """Pearson's statistic against equal shares, in standard deviations above its mean."""
    counts, expected = np.bincount(values, minlength=kinds), len(values) / kinds
    return (((counts - expected) ** 2 / expected).sum() - (kinds - 1)) / np.sqrt(2 * (kinds - 1))


def assert_equal(one, other):
    for field in fields(Outcome):
        np.testing.assert_allclose(getattr(one, field.name), getattr(other, field.name), rtol=1e-12, err_msg=field.name)


def test_every_channel_is_as_likely_whatever_came_before():
    air, points = Air(SCENARIO, [5], record=True), hopping()
    air.advance(points, 1500.0)
    packets, _ = air.recording()
    channel = packets.point[:, CHANNEL]
    assert len(channel) > 5000
    assert chi_square_excess(channel, CHANNELS) < 2.5
    by_node = [channel[packets.source == n] for n in range(SCENARIO.nodes)]
    pairs = np.concatenate([CHANNELS * used[:-1] + used[1:] for used in by_node])
    assert chi_square_excess(pairs, CHANNELS**2) < 2.5
    assert (points[..., CHANNEL] == HOP).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_channels_depend_on_seed_node_and_packet_alone(threads):
    seeds = [4, 0, 9]
    together = Air(SCENARIO, seeds, threads=threads)
    outcome = together.advance(hopping(replicas=3), 40.0)
    outcome += together.advance(hopping(replicas=3), 100.0)
    for b, seed in enumerate(seeds):
        alone = Air(SCENARIO, [seed]).advance(hopping(), 100.0)
        assert_equal(Outcome(**{f.name: getattr(outcome, f.name)[b : b + 1] for f in fields(Outcome)}), alone)


def test_a_snapshot_goes_on_with_the_same_channels():
    air, points = Air(SCENARIO, [1], record=True), hopping()
    air.advance(points, 50.0)
    other = Air(SCENARIO, [1], record=True)
    other.load_state_dict(air.state_dict())
    assert_equal(air.advance(points, 100.0), other.advance(points, 100.0))
    np.testing.assert_array_equal(air.recording()[0].point, other.recording()[0].point)


def test_what_is_reported_of_a_packet_names_its_channel():
    air, points = Air(SCENARIO, [2], count_arms=True, record=True), hopping()
    seen = []
    while len(decisions := air.next_decisions(points, 60.0)):
        seen += decisions.point[decisions.fate >= 0, CHANNEL].tolist()
    assert set(seen) == set(range(CHANNELS))
    packets, _ = air.recording()
    ended = packets.fate >= 0
    first = sum(SCENARIO.region.factor_sizes[:CHANNEL])
    counted = air.take_outcome().arm_sent[0, :, first : first + CHANNELS].sum(axis=0)
    assert counted.tolist() == np.bincount(packets.point[ended, CHANNEL], minlength=CHANNELS).tolist()
    by_end = sorted(zip(packets.end_s[ended], packets.source[ended], packets.point[ended, CHANNEL], strict=True))
    last = {int(n): int(c) for _, n, c in by_end}
    assert air.last_point[0, :, CHANNEL].tolist() == [last[n] for n in range(SCENARIO.nodes)]


def test_every_attempt_of_a_confirmed_frame_hops_anew():
    traffic = Traffic(
        interval_s=1e6, kind="periodic", random_phase=False, confirmed=True, payload_bytes=20, max_attempts=8
    )
    scenario = timed([0.0] * 20, [200.0] * 20, region=region(channels=CHANNELS), traffic=traffic)
    air = Air(scenario, [0], record=True)
    air.advance(hopping(scenario), 1000.0)
    packets, _ = air.recording()
    used = np.array([packets.point[packets.source == n, CHANNEL] for n in range(20)])
    assert used.shape == (20, 8)
    assert (used[:, 1:] != used[:, :-1]).mean() > 0.7 and len({*map(tuple, used.tolist())}) == 20


def test_a_command_to_hop_is_one_command():
    """A node that was told to hop is sent no further downlink, whichever channel it drew."""
    scenario = network(1, spread_m=10.0, propagation=STILL, feedback="downlink", traffic=Traffic(interval_s=30.0))
    air = Air(scenario, [0], record=True, feedback=Feedback(decides="server"))
    points = scenario.region.points(sf=[[7]], bw_hz=125e3, channel=1, tp_dbm=14.0)
    air.advance(points, 300.0)
    assert air.take_outcome().downlinks.sum() == 0
    points[..., CHANNEL] = HOP
    assert air.advance(points, 3000.0).downlinks_received.sum() == 1
    packets, _ = air.recording()
    channel, answered_s = packets.point[packets.kind == 0, CHANNEL], packets.end_s[packets.kind == 1][0]
    before = packets.start_s[packets.kind == 0] < answered_s
    assert set(channel[before]) == {1} and set(channel[~before]) == {0, 1, 2}


@pytest.mark.parametrize("feedback", ["free", "downlink"])
def test_a_node_that_backs_off_goes_on_hopping(feedback):
    weak = Reception(inter_sf="none", capture_db=-np.inf)
    traffic = Traffic(interval_s=5.0, payload_bytes=20)
    scenario = timed([0.0], [170.0], reception=weak, traffic=traffic, region=region(channels=8), feedback=feedback)
    air = Air(scenario, [0], record=True, feedback=Feedback(decides="server", backoff=True))
    points = scenario.region.points(sf=[[7]], bw_hz=125e3, channel=HOP, tp_dbm=2.0)
    air.advance(points, 2000.0)
    packets, _ = air.recording()
    assert packets.point[-1, 0] > 0 and points[0, 0, CHANNEL] == HOP
    assert set(packets.point[packets.point[:, 0] > 0, CHANNEL]) == set(range(8))


def test_points_in_force_outside_the_region_are_refused():
    in_force = hopping()
    in_force[0, 3, CHANNEL] = CHANNELS
    with pytest.raises(ValueError, match="channel index is 8"):
        Air(SCENARIO, [0], in_force=in_force)
