"""NbTrans: unconfirmed frames that are sent several times, against a plain statement and a closed form."""

from dataclasses import fields, replace

import numpy as np
import pytest

from lora_marl.core import frame_reference as reference
from lora_marl.core.air import Air
from lora_marl.core.downlink import PAPERS_DOWNLINK, Feedback
from lora_marl.core.expect import OneGateway
from lora_marl.core.metrics import frame_pdr, pdr
from lora_marl.core.outcome import Outcome
from lora_marl.core.propagation import Propagation
from lora_marl.core.random import stream_key, uniform
from lora_marl.core.reception import Fate, Reception
from lora_marl.core.region import CHANNEL, HOP
from lora_marl.core.scenario import Change
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, random_points, region, timed

BUSY = network(15, spread_m=1500.0, traffic=Traffic(interval_s=30.0, duty_cycle=0.1))
DOWN = replace(BUSY, feedback="downlink", downlink=replace(PAPERS_DOWNLINK, rx1_duty_cycle=0.1))
FRAMES = ("frames_delivered", "frames_lost")


def repeats(scenario, number=None, replicas=1):
    """NbTrans of all nodes: a number, or 1, 2, 3, 1, ..."""
    nb_trans = np.resize([1, 2, 3], (replicas, scenario.nodes)) if number is None else number
    return np.array(np.broadcast_to(nb_trans, (replicas, scenario.nodes)), np.int8)


def hopping(scenario, replicas=1):
    points = np.repeat(random_points(scenario), replicas, axis=0)
    points[..., CHANNEL] = HOP
    return points


def assert_equal(one, other, but=()):
    for field in fields(Outcome):
        if field.name not in but:
            mine, its = getattr(one, field.name), getattr(other, field.name)
            np.testing.assert_allclose(mine, its, rtol=1e-12, err_msg=field.name)


@pytest.mark.parametrize("scenario", [BUSY, DOWN], ids=["free", "downlink"])
def test_a_networks_nb_trans_is_played_unless_the_caller_has_one(scenario):
    number = repeats(scenario)[0]
    own = replace(scenario, traffic=replace(scenario.traffic, nb_trans=number))
    points = hopping(scenario)
    given = Air(scenario, [3]).advance(points, 2000.0, nb_trans=repeats(scenario))
    assert_equal(Air(own, [3]).advance(points, 2000.0), given)
    over = Air(own, [3]).advance(points, 2000.0, nb_trans=repeats(scenario, 1))
    assert_equal(over, Air(scenario, [3]).advance(points, 2000.0), but=FRAMES)


@pytest.mark.parametrize("scenario", [BUSY, DOWN], ids=["free", "downlink"])
def test_one_transmission_is_no_nb_trans_but_for_the_count_of_frames(scenario):
    airs, points = [Air(scenario, [3], record=True) for _ in range(2)], hopping(scenario)
    with_one = airs[0].advance(points, 2000.0, nb_trans=repeats(scenario, 1))
    without = airs[1].advance(points, 2000.0)
    assert_equal(with_one, without, but=FRAMES)
    for name in ("start_s", "point", "fate"):
        np.testing.assert_array_equal(getattr(airs[0].recording()[0], name), getattr(airs[1].recording()[0], name))
    assert without.frames_delivered.sum() == without.frames_lost.sum() == 0
    assert with_one.frames_delivered.tolist() == without.delivered.tolist()
    assert with_one.frames_lost.sum() <= (without.sent - without.delivered).sum() <= with_one.frames_lost.sum() + 15


@pytest.mark.parametrize("scenario", [BUSY, DOWN], ids=["free", "downlink"])
def test_frames_equal_the_plain_statement(scenario):
    air, nb_trans = Air(scenario, [1], record=True), repeats(scenario)
    outcome = air.advance(hopping(scenario), 6000.0, nb_trans=nb_trans)
    packets, _ = air.recording()
    retry_key, (least_s, most_s) = stream_key(1, "retry"), scenario.traffic.retry_s
    seen = 0
    for n in range(scenario.nodes):
        mine = np.flatnonzero((packets.kind == 0) & (packets.source == n) & (packets.fate >= 0))
        down = (packets.kind == 1) & (packets.source == n) & (packets.fate == Fate.DELIVERED)
        answered = np.isin(packets.index[mine], packets.index[down])
        counters = reference.frame_counters(answered, int(nb_trans[0, n]))
        delivered = packets.fate[mine] == Fate.DELIVERED
        frames = [delivered[counters == frame].any() for frame in np.unique(counters)]
        assert outcome.frames_delivered[0, n] == sum(frames)
        assert outcome.frames_lost[0, n] in (len(frames) - sum(frames), len(frames) - sum(frames) - 1)
        again = np.flatnonzero(np.diff(counters) == 0) + 1
        for place in again:
            before, airtime_s = (
                mine[place - 1],
                np.diff([packets.start_s[mine[place - 1]], packets.end_s[mine[place - 1]]])[0],
            )
            wait_s = least_s + (most_s - least_s) * uniform(retry_key, n, packets.index[mine[place]])
            off_s = airtime_s * (1 / scenario.traffic.duty_cycle - 1)
            after_s = packets.start_s[mine[place]] - packets.end_s[before]
            assert after_s == pytest.approx(max(wait_s, off_s, scenario.downlink.rx2_delay_s))
        seen += len(again)
    assert seen > 300 and frame_pdr(outcome.frames_delivered.sum(), outcome.frames_lost.sum()) > pdr(
        outcome.sent.sum(), outcome.delivered.sum()
    )


@pytest.mark.parametrize("number", [1, 2, 3])
def test_frames_are_delivered_as_often_as_independent_repeats_at_low_load(number):
    air_loss = Propagation(shadowing_db=7.8)
    traffic = Traffic(interval_s=4000.0, after_end=False)
    scenario = network(40, spread_m=1800.0, traffic=traffic, propagation=air_loss, region=region(channels=1))
    points = scenario.region.points(sf=np.full(40, 9), bw_hz=125e3, channel=0, tp_dbm=2.0)
    denser = replace(scenario, traffic=replace(traffic, interval_s=4000.0 / number))
    expected = 1.0 - (1.0 - OneGateway(denser).expect(points).delivery) ** number
    outcome = Air(scenario, range(4)).advance(
        np.repeat(points[None], 4, axis=0), 4e6, nb_trans=repeats(scenario, number, replicas=4)
    )
    frames = (outcome.frames_delivered + outcome.frames_lost).sum(axis=0)
    variance = (expected * (1 - expected) / frames).sum() / 40**2
    delivered = (outcome.frames_delivered.sum(axis=0) / frames).mean()
    assert 0.2 < expected.mean() < 0.97
    assert abs(delivered - expected.mean()) < 3 * np.sqrt(variance)
    assert outcome.sent.sum() == pytest.approx(number * frames.sum(), abs=3 * 160)


@pytest.mark.parametrize("threads", [1, 2])
def test_repeats_depend_on_neither_replicas_cuts_threads_nor_snapshots(threads):
    seeds = [4, 0, 9]
    together = Air(DOWN, seeds, threads=threads)
    points, nb_trans = hopping(DOWN, 3), repeats(DOWN, replicas=3)
    outcome = together.advance(points, 313.0, nb_trans=nb_trans)
    resumed = Air(DOWN, seeds, threads=threads)
    resumed.load_state_dict(together.state_dict())
    outcome += resumed.advance(points, 900.0, nb_trans=nb_trans)
    for b, seed in enumerate(seeds):
        alone = Air(DOWN, [seed]).advance(hopping(DOWN), 900.0, nb_trans=repeats(DOWN))
        assert_equal(Outcome(**{f.name: getattr(outcome, f.name)[b : b + 1] for f in fields(Outcome)}), alone)


def test_a_snapshot_without_nb_trans_is_read_by_air_with_it():
    air, other = Air(BUSY, [0]), Air(BUSY, [0])
    nb_trans = repeats(BUSY)
    air.advance(hopping(BUSY), 100.0)
    other.advance(hopping(BUSY), 50.0, nb_trans=nb_trans)
    assert "frames" not in air.state_dict() and "frames" in other.state_dict()
    other.load_state_dict(air.state_dict())
    later = [one.advance(hopping(BUSY), 200.0, nb_trans=nb_trans) for one in (air, other)]
    assert later[1].frames_delivered.sum() > 0
    assert_equal(*later)


def test_a_networks_nb_trans_changes_on_schedule_and_resumes():
    changes = (Change(at_s=500.0, values={"traffic.nb_trans": 3}),)
    scenario = replace(BUSY, changes=changes)
    air = Air(scenario, [0])
    before = air.advance(hopping(BUSY), 500.0)
    assert before.frames_delivered.sum() == before.delivered.sum()
    resumed = Air(scenario, [0])
    later = air.advance(hopping(BUSY), 2000.0)
    with pytest.raises(ValueError, match="another network"):
        Air(BUSY, [0]).load_state_dict(air.state_dict())
    resumed.load_state_dict(air.state_dict())
    assert_equal(*(one.advance(hopping(BUSY), 3000.0) for one in (air, resumed)))
    assert later.sent.sum() > 2 * (later.frames_delivered + later.frames_lost).sum()
    air.begin_episode()
    assert air.advance(hopping(BUSY), 400.0).frames_delivered.sum() > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nb_trans": 0}, "traffic.nb_trans: 0 is not a whole number from 1 to 15"),
        ({"nb_trans": np.array([1, 16])}, "traffic.nb_trans: 16 is not a whole number"),
        ({"nb_trans": 2, "confirmed": True, "after_end": False}, "traffic.nb_trans: 2; confirmed frames are sent"),
    ],
)
def test_a_networks_nb_trans_outside_its_range_is_an_error(values, message):
    with pytest.raises(ValueError, match=message):
        Traffic(**values)


def test_closed_forms_have_no_repeats():
    with pytest.raises(ValueError, match="scenario.traffic.nb_trans: 3 has no one-gateway closed form; it takes 1"):
        OneGateway(network(3, traffic=Traffic(nb_trans=np.array([1, 3, 1]))))
    with pytest.raises(ValueError, match=r"scenario.traffic.nb_trans: shape \(2,\); allowed is \(3,\)"):
        network(3, traffic=Traffic(nb_trans=np.array([1, 3])))


def alone(**values):
    """A node that nobody receives, sends every 100 s, and four times each."""
    traffic = Traffic(kind="periodic", interval_s=100.0, random_phase=False, payload_bytes=20)
    return timed([0.0], [200.0], traffic=traffic, **values), np.full((1, 1), 4, np.int8)


def test_repeats_keep_their_times_when_the_load_changes():
    changes = (Change(at_s=2.0, values={"traffic.interval_s": 1000.0}),)
    starts_s = []
    for scenario, nb_trans in (alone(), alone(changes=changes)):
        air = Air(scenario, [0], record=True)
        air.advance(np.zeros((1, 1, 4), np.int16), 90.0, nb_trans=nb_trans)
        starts_s.append(air.recording()[0].start_s.tolist())
    assert starts_s[0] == starts_s[1] and len(starts_s[0]) == 4


def test_a_node_that_leaves_between_two_transmissions_loses_its_frame_and_begins_anew():
    changes = tuple(Change(at_s=at_s, values={"active": np.array([on])}) for at_s, on in ((2.0, False), (150.0, True)))
    scenario, nb_trans = alone(changes=changes)
    air = Air(scenario, [0], record=True)
    outcome = air.advance(np.zeros((1, 1, 4), np.int16), 140.0, nb_trans=nb_trans)
    assert (outcome.sent.sum(), outcome.frames_lost.sum()) == (1, 1)
    later = air.advance(np.zeros((1, 1, 4), np.int16), 240.0, nb_trans=nb_trans)
    assert (later.sent.sum(), later.frames_lost.sum()) == (4, 1)


def test_an_episode_that_begins_anew_has_no_frames_left_over():
    scenario, nb_trans = alone()
    air = Air(scenario, [0])
    assert air.advance(np.zeros((1, 1, 4), np.int16), 2.0, nb_trans=nb_trans).sent.sum() == 1
    air.begin_episode()
    outcome = air.advance(np.zeros((1, 1, 4), np.int16), 90.0, nb_trans=nb_trans)
    assert (outcome.sent.sum(), outcome.frames_lost.sum()) == (4, 1)


def test_a_servers_nb_trans_is_in_force_once_its_downlink_has_arrived():
    scenario = network(1, spread_m=10.0, propagation=STILL, feedback="downlink", traffic=Traffic(interval_s=300.0))
    air = Air(scenario, [0], record=True, feedback=Feedback(decides="server", packets=10**6))
    points, nb_trans = (
        scenario.region.points(sf=[[7]], bw_hz=125e3, channel=0, tp_dbm=14.0),
        np.full((1, 1), 1, np.int8),
    )
    first = air.advance(points, 3000.0, nb_trans=nb_trans)
    assert first.downlinks.sum() == 0 and first.frames_delivered.sum() == first.sent.sum()
    nb_trans[:] = 3
    second = air.advance(points, 30_000.0, nb_trans=nb_trans)
    assert second.downlinks_received.sum() == 1
    # The frame whose downlink brings the command is sent once: a downlink ends it.
    assert second.sent.sum() == pytest.approx(3 * second.frames_delivered.sum() - 2, abs=2)


def test_a_server_hears_the_nb_trans_that_its_node_uses():
    scenario = network(1, spread_m=10.0, propagation=STILL, feedback="downlink", traffic=Traffic(interval_s=300.0))
    feedback = Feedback(decides="server", packets=10**6, listens=True)
    air, resumed = (Air(scenario, [0], record=True, feedback=feedback) for _ in range(2))
    points = scenario.region.points(sf=[[7]], bw_hz=125e3, channel=0, tp_dbm=14.0)
    nb_trans = np.full((1, 1), 1, np.int8)
    air.advance(points, 3000.0, nb_trans=nb_trans)
    nb_trans[:] = 3
    air.advance(points, 9000.0, nb_trans=nb_trans)
    resumed.load_state_dict(air.state_dict())
    packets, heard = air.recording()[0], air.take_heard()
    (commanded_s,) = packets.end_s[packets.kind == 1]
    assert (
        heard.nb_trans.tolist() == np.where(heard.time_s < commanded_s, 1, 3).tolist() and len(set(heard.nb_trans)) == 2
    )
    assert resumed.take_heard().nb_trans.tolist() == heard.nb_trans.tolist()
    assert len(heard.frames().nb_trans) == len(heard.frames()) < len(heard)


def test_a_server_tells_repeats_by_their_frame_counter():
    air = Air(BUSY, [2], record=True, feedback=Feedback(decides="server", packets=10**6, listens=True))
    nb_trans = repeats(BUSY, 3)
    air.advance(hopping(BUSY), 3000.0, nb_trans=nb_trans)
    packets, heard = air.recording()[0], air.take_heard()
    assert heard.repeated.sum() > 50
    for n in range(BUSY.nodes):
        mine = np.flatnonzero((packets.source == n) & (packets.fate >= 0))
        counters = reference.frame_counters(np.zeros(len(mine), np.bool_), 3)
        missed = reference.missed_frames(counters, packets.fate[mine] == Fate.DELIVERED)
        assert heard.missed[heard.node == n].tolist() == missed.tolist()


def test_a_node_that_has_backed_off_to_the_slowest_rate_sends_every_frame_once():
    weak = Reception(inter_sf="none", capture_db=-np.inf)
    traffic = Traffic(kind="periodic", interval_s=30.0, random_phase=False, payload_bytes=20)
    scenario = timed([0.0], [200.0], reception=weak, traffic=traffic, feedback="downlink")
    air = Air(scenario, [0], record=True, feedback=Feedback(decides="server", packets=10**6, backoff=True))
    points, nb_trans = (
        scenario.region.points(sf=[[11]], bw_hz=125e3, channel=0, tp_dbm=14.0),
        np.full((1, 1), 2, np.int8),
    )
    outcome = air.advance(points, 250 * 30.0, nb_trans=nb_trans)
    assert nb_trans[0, 0] == 1
    assert outcome.frames_lost.sum() == pytest.approx(250, abs=1)
    assert outcome.sent.sum() == pytest.approx(2 * 160 + 90, abs=3)


@pytest.mark.parametrize(
    ("nb_trans", "message"),
    [
        (np.ones((1, 15)), r"nb_trans: float64 \(1, 15\); the air takes int8 \(1, 15\), contiguous"),
        (np.ones((1, 14), np.int8), r"nb_trans: int8 \(1, 14\)"),
        (np.broadcast_to(np.int8(1), (1, 15)), r"nb_trans: int8 \(1, 15\); .* contiguous and writable"),
        (np.zeros((1, 15), np.int8), "nb_trans: 0 to 0; allowed is 1 to 15"),
        (np.full((1, 15), 16, np.int8), "nb_trans: 16 to 16; allowed is 1 to 15"),
    ],
)
def test_nb_trans_outside_its_range_is_an_error(nb_trans, message):
    with pytest.raises(ValueError, match=message):
        Air(BUSY, [0]).advance(hopping(BUSY), 1.0, nb_trans=nb_trans)


def test_confirmed_frames_have_no_nb_trans():
    scenario = replace(BUSY, traffic=Traffic(interval_s=30.0, confirmed=True, after_end=False))
    with pytest.raises(ValueError, match="nb_trans: confirmed frames are sent up to traffic.max_attempts times"):
        Air(scenario, [0]).next_decisions(hopping(scenario), 1.0, repeats(scenario))
