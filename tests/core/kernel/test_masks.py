"""Channel masks: where nodes that hop may, for whom, and how a server's reach them."""

from dataclasses import fields, replace

import numpy as np
import pytest

from lora_marl.core import reference
from lora_marl.core.air import Air
from lora_marl.core.downlink import Feedback
from lora_marl.core.expect import OneGateway
from lora_marl.core.outcome import Outcome
from lora_marl.core.reception import Reception
from lora_marl.core.region import CHANNEL, HOP
from lora_marl.core.scenario import Change
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, random_points, region, timed

CHANNELS, NODES = 8, 12
SCENARIO = network(NODES, region=region(channels=CHANNELS), traffic=Traffic(interval_s=3.0))


def hopping(scenario=SCENARIO):
    points = random_points(scenario)
    points[..., CHANNEL] = HOP
    return points


def masks(seed=0, scenario=SCENARIO):
    drawn = np.random.default_rng(seed).random((1, scenario.nodes, len(scenario.region.channels_hz))) < 0.4
    drawn[..., 0] |= ~drawn.any(axis=-1)
    return drawn


def channels_used(scenario, points, until_s=300.0, **arrays):
    air = Air(scenario, [3], record=True)
    outcome = air.advance(points, until_s, **arrays)
    packets, _ = air.recording()
    return packets, outcome


def test_nodes_hop_over_their_masks_alone_each_channel_as_likely():
    packets, _ = channels_used(SCENARIO, hopping(), 1500.0, channel_masks=masks())
    np.testing.assert_array_equal(
        packets.point[:, CHANNEL], reference.channels(SCENARIO, packets, hopping()[0], 3, masks()[0])
    )
    for n in range(NODES):
        used = np.bincount(packets.point[packets.source == n, CHANNEL], minlength=CHANNELS)
        expected = masks()[0, n] / masks()[0, n].sum()
        assert ((used > 0) == masks()[0, n]).all()
        assert np.abs(used / used.sum() - expected).max() < 0.1


def test_a_mask_of_all_channels_is_none_and_the_scenarios_is_played():
    every = np.ones((1, NODES, CHANNELS), np.bool_)
    _, without = channels_used(SCENARIO, hopping())
    _, with_all = channels_used(SCENARIO, hopping(), channel_masks=every)
    _, given = channels_used(SCENARIO, hopping(), channel_masks=masks())
    _, own = channels_used(replace(SCENARIO, channel_mask=masks()[0]), hopping())
    for field in fields(Outcome):
        one, other = getattr(without, field.name), getattr(with_all, field.name)
        np.testing.assert_array_equal(one, other, err_msg=field.name)
        np.testing.assert_array_equal(getattr(given, field.name), getattr(own, field.name), err_msg=field.name)
    assert (given.collided != without.collided).any()


def test_points_that_name_a_channel_are_played_as_given():
    points = random_points(SCENARIO)
    packets, _ = channels_used(SCENARIO, points, channel_masks=masks())
    np.testing.assert_array_equal(packets.point[:, CHANNEL], points[0, packets.source, CHANNEL])


def test_retries_and_repeats_stay_in_the_mask():
    mask = np.arange(CHANNELS) < 2
    confirmed = Traffic(interval_s=30.0, confirmed=True, after_end=False, payload_bytes=20)
    for traffic, repeats in ((confirmed, None), (Traffic(interval_s=30.0), np.full((1, NODES), 3, np.int8))):
        scenario = replace(SCENARIO, traffic=traffic, channel_mask=mask)
        packets, _ = channels_used(scenario, hopping(), nb_trans=repeats)
        assert set(packets.point[:, CHANNEL]) == {0, 1}


def test_a_mask_changes_on_schedule_and_episodes_begin_with_the_first():
    first, later = np.arange(CHANNELS) < 3, np.arange(CHANNELS) >= 3
    scenario = replace(SCENARIO, channel_mask=first, changes=(Change(at_s=100.0, values={"channel_mask": later}),))
    air = Air(scenario, [3], record=True)
    air.advance(hopping(), 200.0)
    packets, _ = air.recording()
    before = packets.start_s < 100.0
    assert set(packets.point[before, CHANNEL]) == {0, 1, 2}
    assert set(packets.point[~before, CHANNEL]) == {3, 4, 5, 6, 7}
    resumed = Air(scenario, [3], record=True)
    resumed.load_state_dict(air.state_dict())
    for one in (air, resumed):
        one.advance(hopping(), 300.0)
        one.begin_episode()
        one.advance(hopping(), 50.0)
    np.testing.assert_array_equal(air.recording()[0].point, resumed.recording()[0].point)
    assert set(air.recording()[0].point[:, CHANNEL]) == {0, 1, 2}


def commanded(first, **values):
    fields_of = {"propagation": STILL, "feedback": "downlink", "traffic": Traffic(interval_s=60.0), **values}
    scenario = network(1, spread_m=10.0, region=region(channels=CHANNELS), **fields_of)
    points = np.array([[[0, 0, HOP, 6]]], np.int16)
    return scenario, points, np.array(np.broadcast_to(first, (1, 1, CHANNELS)))


def test_a_servers_mask_is_in_force_once_its_downlink_has_arrived():
    scenario, points, mask = commanded(np.arange(CHANNELS) < 4)
    air = Air(scenario, [0], record=True, feedback=Feedback(decides="server", packets=10**6))
    assert air.advance(points, 3000.0, channel_masks=mask).downlinks.sum() == 0
    mask[...] = np.arange(CHANNELS) >= 4
    resumed = Air(scenario, [0], record=True, feedback=air.feedback)
    resumed.load_state_dict(air.state_dict())
    for one in (air, resumed):
        assert one.advance(points, 9000.0, channel_masks=mask).downlinks_received.sum() == 1
    packets, _ = air.recording()
    up, down = packets.kind == 0, packets.start_s[packets.kind == 1]
    assert set(packets.point[up & (packets.start_s < down), CHANNEL]) == {0, 1, 2, 3}
    assert set(packets.point[up & (packets.start_s > down), CHANNEL]) == {4, 5, 6, 7}
    np.testing.assert_array_equal(resumed.recording()[0].point, packets.point)


@pytest.mark.parametrize(
    ("name", "default", "afterwards"),
    [
        ("ours", None, set(range(CHANNELS))),
        ("ours", 3, {0, 1, 2, 5, 6}),
        ("EU868", 3, {0, 1, 2, 5, 6}),
        ("EU433", 3, set(range(CHANNELS))),  # the first channels are not its default ones
    ],
)
def test_a_node_that_has_backed_off_to_the_slowest_rate_enables_the_default_channels(name, default, afterwards):
    weak = Reception(inter_sf="none", capture_db=-np.inf)
    traffic = Traffic(kind="periodic", interval_s=30.0, random_phase=False, payload_bytes=20)
    law = replace(region(channels=CHANNELS), name=name, default_channels=default)
    scenario = timed([0.0], [200.0], reception=weak, traffic=traffic, feedback="downlink", region=law)
    mask = np.array(np.broadcast_to(np.isin(np.arange(CHANNELS), [5, 6]), (1, 1, CHANNELS)))
    air = Air(scenario, [0], record=True, feedback=Feedback(decides="server", packets=10**6, backoff=True))
    air.advance(np.array([[[5, 0, HOP, 2]]], np.int16), 300 * 30.0, channel_masks=mask)
    channel = air.recording()[0].point[:, CHANNEL]
    assert set(channel[:128]) == {5, 6} and set(channel[128:]) == afterwards
    assert set(np.flatnonzero(mask)) == afterwards


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((1, NODES, 3), np.bool_), r"channel_masks: bool \(1, 12, 3\); the air takes bool \(1, 12, 8\)"),
        (np.ones((1, NODES, CHANNELS), np.int8), "channel_masks: int8"),
        (np.broadcast_to(np.True_, (1, NODES, CHANNELS)), "contiguous and writable"),
        (np.arange(NODES)[None, :, None] + np.zeros(CHANNELS) != 3, r"channel_masks\[0, 3\]: enables no channel"),
    ],
)
def test_masks_that_do_not_fit_are_errors(mask, message):
    with pytest.raises(ValueError, match=message):
        Air(SCENARIO, [0]).advance(hopping(), 1.0, channel_masks=mask)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(3, np.bool_), r"scenario.channel_mask: shape \(3,\); allowed is \(8,\)"),
        (np.ones((4, CHANNELS), np.bool_), r"scenario.channel_mask: bool \[4, 8\]; allowed is bool \[8\] or \[12, 8\]"),
        (np.arange(CHANNELS), r"scenario.channel_mask: int64 \[8\]; allowed is bool"),
        (np.zeros(CHANNELS, np.bool_), "scenario.channel_mask: a node has no channel"),
    ],
)
def test_a_scenarios_mask_must_fit(mask, message):
    with pytest.raises(ValueError, match=message):
        replace(SCENARIO, channel_mask=mask)


def test_closed_forms_have_no_masks():
    with pytest.raises(ValueError, match="scenario.channel_mask: 'given' has no one-gateway closed form"):
        OneGateway(replace(SCENARIO, channel_mask=np.arange(CHANNELS) < 2))
