"""Confirmed traffic: queue, attempts and retries, against a reference over times of generation and fates."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_marl.core import phy
from lora_marl.core.air import Air
from lora_marl.core.downlink import Feedback
from lora_marl.core.outcome import Outcome
from lora_marl.core.random import exponential, stream_key, uniform
from lora_marl.core.reception import Fate, Reception
from lora_marl.core.scenario import Change
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, downlink, network, random_points, region, timed

BUSY = Traffic(interval_s=6.0, after_end=False, confirmed=True, payload_bytes=20)
FRAMES = ("frames_delivered", "frames_lost", "delay_s", "queued", "dropped")


def reference_frames(traffic, generations_s, attempts_made, until_s):
    """One node's frames: when they are generated, and of each attempt its airtime, whether received, acknowledged, how
    long after its end that is settled and the node free, and the draw of the wait.

    Returns the attempts' starts, and what `FRAMES` names.
    """
    queue, starts_s, attempts, free_s, was_received = [], [], 0, 0.0, False
    delivered = lost = dropped = 0
    delay_s, generations_s = 0.0, list(generations_s)

    def admit(now_s):
        nonlocal dropped
        while generations_s[0] < now_s:
            generated_s = generations_s.pop(0)
            if len(queue) < traffic.queue_frames:
                queue.append(generated_s)
            else:
                dropped += 1

    for airtime_s, received, acknowledged, (settled_s, deaf_s), wait in attempts_made:
        start_s = max(queue[0] if queue else generations_s[0], free_s)
        starts_s.append(start_s)
        end_s = start_s + airtime_s
        if end_s >= until_s:
            break
        admit(end_s)
        if received and not was_received:
            was_received, delivered, delay_s = True, delivered + 1, delay_s + end_s - queue[0]
        if end_s + settled_s >= until_s:
            break
        admit(end_s + settled_s)
        attempts += 1
        least_s, most_s = traffic.retry_s
        if acknowledged or attempts == traffic.max_attempts:
            queue.pop(0)
            lost += not was_received
            attempts, was_received, (least_s, most_s) = 0, False, traffic.next_s
        off_s = airtime_s / (traffic.duty_cycle or 1.0)
        free_s = max(start_s + off_s, end_s + least_s + (most_s - least_s) * wait, end_s + deaf_s)
    admit(until_s)
    return starts_s, (delivered, lost, delay_s, len(queue), dropped)


def poisson_generations_s(seed, n, interval_s, until_s):
    key, times_s = stream_key(seed, "traffic"), [0.0]
    while times_s[-1] <= 2 * until_s:
        times_s.append(times_s[-1] + interval_s * exponential(key, n, len(times_s)))
    return times_s[1:]


def attempts_of(scenario, packets, seed, n):
    """A node's recorded attempts as `reference_frames` takes them."""
    mine, key = packets.source == n, stream_key(seed, "retry")
    for i in np.flatnonzero(mine & (packets.kind == 0)):
        received = acknowledged = packets.fate[i] == Fate.DELIVERED
        settled_s = deaf_s = 0.0
        if scenario.feedback == "downlink":
            answer = np.flatnonzero(mine & (packets.kind == 1) & (packets.index == packets.index[i]))
            deaf_s = packets.end_s[answer[0]] - packets.end_s[i] if len(answer) else 2.0
            acknowledged = len(answer) > 0 and packets.fate[answer[0]] == Fate.DELIVERED
            settled_s = deaf_s if len(answer) else received * {"rx1": 1.0, "both": 2.0}[scenario.downlink.windows]
        airtime_s, wait = packets.end_s[i] - packets.start_s[i], uniform(key, n, packets.index[i] + 1)
        yield airtime_s, received, acknowledged, (settled_s, deaf_s), wait


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 1000),
    answers=st.sampled_from(
        [
            {},
            {"feedback": "downlink"},
            {"feedback": "downlink", "downlink": downlink(windows="rx1", rx1_duty_cycle=0.1, tp_dbm=5.0)},
        ]
    ),
    interval_s=st.sampled_from([1.5, 6.0, 40.0]),
    limits=st.sampled_from([(4, 4), (1, 1), (2, 7)]),
    duty_cycle=st.sampled_from([None, 0.02]),
    next_s=st.sampled_from([(2.0, 3.0), (0.0, 0.0)]),
)
def test_frames_are_what_the_reference_makes_of_generations_and_fates(
    seed, answers, interval_s, limits, duty_cycle, next_s
):
    attempts, frames = limits
    traffic = replace(
        BUSY, interval_s=interval_s, max_attempts=attempts, queue_frames=frames, duty_cycle=duty_cycle, next_s=next_s
    )
    scenario = network(25, gateways=2, traffic=traffic, **answers)
    air = Air(scenario, [seed], record=True)
    outcome = air.advance(random_points(scenario, seed=seed), 150.0)
    packets, _ = air.recording()
    for n in range(25):
        generations_s = poisson_generations_s(seed, n, interval_s, 150.0)
        attempts = attempts_of(scenario, packets, seed, n)
        starts_s, expected = reference_frames(traffic, generations_s, attempts, 150.0)
        sent_s = packets.start_s[(packets.source == n) & (packets.kind == 0)]
        np.testing.assert_allclose(sent_s, starts_s, rtol=1e-12)
        np.testing.assert_allclose([getattr(outcome, name)[0, n] for name in FRAMES], expected, rtol=1e-9)


def hand_worked(loss_db, until_s, **changed):
    """One node with a frame every 10 s from 0 s on, SF7: its outcome and its packets."""
    traffic = Traffic(
        kind="periodic", interval_s=10.0, random_phase=False, payload_bytes=20, confirmed=True,
        retry_s=(4.0, 4.0), next_s=(2.0, 2.0), **changed,
    )  # fmt: skip
    scenario = timed([0.0], loss_db, traffic=traffic)
    air = Air(scenario, [0], record=True)
    outcome = air.advance(scenario.region.points(sf=[[7]], bw_hz=125e3, channel=0, tp_dbm=14.0), until_s)
    return outcome, air.recording()[0]


AIRTIME_S = float(phy.airtime_s(7, 20, bw_hz=125e3))


def test_a_frame_received_at_once_is_sent_once():
    outcome, packets = hand_worked([100.0], 25.0)
    assert packets.start_s.tolist() == [0.0, 10.0, 20.0]
    assert outcome.frames_delivered.tolist() == [[3]] and outcome.queued.tolist() == [[0]]
    assert outcome.delay_s[0, 0] == pytest.approx(3 * AIRTIME_S)


def test_a_frame_that_nobody_hears_is_sent_four_times_and_lost_while_others_wait():
    # Births at 0, 10, ..., attempts 4 s after each other's end: each frame takes 4 airtimes and 12 s, the next one
    # starts 2 s later.
    outcome, packets = hand_worked([180.0], 45.0, queue_frames=2)
    cycle_s = 4 * AIRTIME_S + 14.0
    expected = [frame * cycle_s + attempt * (4.0 + AIRTIME_S) for frame in range(4) for attempt in range(4)]
    np.testing.assert_allclose(packets.start_s, [start_s for start_s in expected if start_s < 45.0])
    # Frames end at 12.2, 26.5 and 40.7 s; the one generated at 40 s meets those of 20 and 30 s, and is dropped.
    assert outcome.frames_lost.tolist() == [[3]] and outcome.queued.tolist() == [[1]]
    assert outcome.dropped.tolist() == [[1]] and outcome.frames_delivered.tolist() == [[0]]
    assert hand_worked([180.0], 45.0, queue_frames=1)[0].dropped.tolist() == [[2]]  # of 10 and of 30 s


def test_off_time_counts_from_the_start_of_each_attempt():
    _, packets = hand_worked([180.0], 60.0, duty_cycle=AIRTIME_S / 6.0)
    np.testing.assert_allclose(np.diff(packets.start_s), 6.0)


def test_a_frame_whose_answers_are_lost_is_delivered_once_and_sent_again():
    """Answers at -50 dBm reach nobody; retries wait for the receive windows though they may start at once."""
    traffic = replace(BUSY, kind="periodic", interval_s=100.0, random_phase=False, retry_s=(0.0, 0.0))
    scenario = timed(
        [0.0], [110.0], traffic=traffic, feedback="downlink", downlink=downlink(tp_dbm=-50.0, rx1_duty_cycle=None)
    )
    air = Air(scenario, [0], record=True, feedback=Feedback(answers=False))
    outcome = air.advance(scenario.region.points(sf=[[7]], bw_hz=125e3, channel=0, tp_dbm=14.0), 50.0)
    packets, _ = air.recording()
    up, down = packets.kind == 0, packets.kind == 1
    assert up.sum() == outcome.sent[0, 0] == outcome.delivered[0, 0] == outcome.downlinks[0, 0] == 4
    assert (packets.start_s[up][1:] == packets.end_s[down][:-1]).all()
    assert outcome.frames_delivered[0, 0] == 1 and outcome.frames_lost[0, 0] == outcome.downlinks_received[0, 0] == 0
    assert outcome.delay_s[0, 0] == pytest.approx(AIRTIME_S) and outcome.queued[0, 0] == 0


@pytest.mark.parametrize("decides", ["node", "server"])
def test_every_attempt_that_is_received_is_answered_whoever_decides(decides):
    scenario = network(
        10, spread_m=200.0, propagation=STILL, feedback="downlink", downlink=downlink(rx1_duty_cycle=None),
        traffic=replace(BUSY, interval_s=30.0),
    )  # fmt: skip
    air, points = Air(scenario, [2], feedback=Feedback(decides=decides, packets=5)), random_points(scenario)
    while len(decisions := air.next_decisions(points, 900.0)):
        assert (decisions.sent[decisions.fate >= 0] >= 5).all()
        points[0, decisions.node, 0] = 5 - points[0, decisions.node, 0]
    outcome = air.take_outcome()
    answers = outcome.downlinks + outcome.downlinks_refused
    assert (np.abs(answers - outcome.delivered) <= 1).all() and outcome.downlinks_received.sum() > 200
    assert outcome.frames_lost.sum() < 0.1 * outcome.frames_delivered.sum()
    assert outcome.frames_delivered.sum() <= outcome.delivered.sum()


def test_every_attempt_uses_the_point_in_force_when_it_starts():
    scenario = timed([0.0], [180.0], traffic=replace(BUSY, interval_s=1e6, kind="periodic", random_phase=False))
    air = Air(scenario, [0], record=True)
    points = scenario.region.points(sf=[[7]], bw_hz=125e3, channel=0, tp_dbm=14.0)
    air.advance(points, 3.0)
    points[..., 0] = 3
    air.advance(points, 30.0)
    packets, _ = air.recording()
    assert packets.point[:, 0].tolist() == [0, 3, 3, 3] and packets.index.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["poisson", "periodic", "burst"])
def test_every_frame_that_is_born_is_delivered_lost_dropped_or_waits(kind):
    """Conserved at any time, also for nodes that leave and come back; their rate does not depend on what nodes do."""
    traffic = replace(BUSY, kind=kind, interval_s=5.0, jitter_s=2.0, burst_packets=3, burst_gap_s=0.5)
    off = np.arange(200) % 2 == 0
    there_and_back = (Change(at_s=120.3, values={"active": ~off}), Change(at_s=140.0, values={"active": off | ~off}))
    scenario = network(200, traffic=traffic, changes=there_and_back)
    air, points = Air(scenario, [1]), random_points(scenario)
    whole = air.advance(points, 100.0)
    per_s = (3 if kind == "burst" else 1) / (6.0 if kind == "burst" else 5.0)
    generated = {}
    for until_s in (100.0, 119.0, 130.0, 200.0):
        whole = whole + air.advance(points, until_s)
        generated[until_s] = (whole.frames_delivered + whole.frames_lost + whole.dropped + whole.queued)[0]
    assert generated[100.0].mean() == pytest.approx(100.0 * per_s, rel=0.05)
    assert generated[130.0][~off].sum() > generated[119.0][~off].sum()
    assert (generated[200.0][off] - generated[130.0][off]).mean() == pytest.approx(60.0 * per_s, rel=0.1)
    assert (whole.queued <= 4).all() and whole.dropped.sum() > 100


def test_nodes_that_are_off_keep_no_frames():
    scenario = network(50, traffic=replace(BUSY, interval_s=2.0))
    scenario = replace(scenario, changes=(Change(at_s=50.0, values={"active": np.zeros(50, bool)}),))
    air, points = Air(scenario, [0]), random_points(scenario)
    assert air.advance(points, 50.0).queued.sum() > 100
    outcome = air.advance(points, 60.0)
    assert outcome.queued.sum() == 0 and outcome.dropped.sum() > 100
    assert air.advance(points, 100.0).sent.sum() == 0


@pytest.mark.parametrize("factor", [0.2, 3.0])
def test_generations_follow_a_load_that_changes_and_retries_do_not(factor):
    """Births: 4 standard errors. Waits between attempts keep their bounds over the change."""
    scenario = network(500, traffic=replace(BUSY, interval_s=20.0), reception=Reception(capture_db=np.inf))
    scenario = replace(scenario, changes=(Change(at_s=50.0, values={"traffic.interval_s": 20.0 * factor}),))
    air, points = Air(scenario, [3], record=True), random_points(scenario)
    before = air.advance(points, 50.0)
    after = air.advance(points, 90.0)
    generated = (after.frames_delivered + after.frames_lost + after.dropped + after.queued - before.queued).sum()
    expected = 500 * 40.0 / (20.0 * factor)
    assert generated == pytest.approx(expected, abs=4 * expected**0.5)
    packets, _ = air.recording()
    for n in range(500):
        from_node = packets.source == n
        waits_s = (packets.start_s[from_node][1:] - packets.end_s[from_node][:-1])[
            packets.fate[from_node][:-1] != Fate.DELIVERED
        ]
        fourth = waits_s < 3.0
        assert (waits_s[~fourth] >= 3.0 - 1e-9).all() and (waits_s >= 2.0 - 1e-9).all()
        assert fourth.sum() <= after.frames_lost[0, n] + before.frames_lost[0, n]


SCENARIO = network(
    30,
    gateways=2,
    traffic=BUSY,
    changes=(
        Change(at_s=33.0, values={"traffic.interval_s": 2.0}),
        Change(at_s=70.0, values={"traffic.interval_s": 9.0}),
    ),
)


def same(one, other, row=slice(None)):
    for field in fields(Outcome):
        np.testing.assert_allclose(getattr(one, field.name)[row], getattr(other, field.name), rtol=1e-9, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.floats(0.0, 100.0), max_size=6), feedback=st.sampled_from(["free", "downlink"]))
def test_neither_cuts_nor_replicas_matter(cuts, feedback):
    scenario = replace(SCENARIO, feedback=feedback)
    points = random_points(scenario)
    whole = Air(scenario, [3]).advance(points, 100.0)
    air, parts = Air(scenario, [8, 3], threads=2), None
    for until_s in [*sorted(cuts), 100.0]:
        part = air.advance(np.repeat(points, 2, axis=0), until_s)
        parts = part if parts is None else parts + part
    same(parts, whole, slice(1, 2))
    assert whole.frames_lost.sum() > 5 and whole.dropped.sum() > 5


@pytest.mark.parametrize("feedback", ["free", "downlink"])
def test_a_snapshot_goes_on_in_the_middle_of_a_frame(feedback):
    scenario = replace(SCENARIO, feedback=feedback)
    air, points = Air(scenario, [1, 2]), random_points(scenario, 2)
    air.advance(points, 50.0)
    other = Air(scenario, [1, 2])
    other.load_state_dict(air.state_dict())
    same(air.advance(points, 100.0), other.advance(points, 100.0))


def test_an_episode_begins_with_empty_queues():
    scenario = network(50, traffic=replace(BUSY, interval_s=1.0))
    air, points = Air(scenario, [0], record=True), random_points(scenario)
    assert air.advance(points, 60.0).queued.sum() > 100
    air.begin_episode()
    outcome = air.advance(points, 1e-6)
    assert outcome.queued.sum() <= 1
    first = air.advance(points, 0.5)
    assert 0 < first.queued.sum() + first.frames_delivered.sum() < 50


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_attempts": 0}, "traffic.max_attempts: 0 is not a whole number of at least 1"),
        ({"queue_frames": 2.5}, "traffic.queue_frames: 2.5 is not a whole number"),
        ({"retry_s": (5.0, 3.0)}, r"traffic.retry_s: \(5.0, 3.0\) is not a least and a largest time"),
        ({"next_s": (0.0, np.inf)}, "traffic.next_s"),
        ({"after_end": True}, "traffic.after_end: True; frames of confirmed traffic"),
    ],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        replace(BUSY, **values)


@pytest.mark.parametrize("values", [{"traffic.confirmed": True}, {"traffic.queue_frames": 2}])
def test_what_shapes_the_queue_cannot_change(values):
    with pytest.raises(ValueError, match="cannot change"):
        network(4, changes=(Change(at_s=1.0, values=values),), region=region())


def test_unconfirmed_traffic_has_no_frames():
    scenario = network(10, propagation=STILL)
    outcome = Air(scenario, [0]).advance(random_points(scenario), 100.0)
    assert all(getattr(outcome, name).sum() == 0 for name in ("frames_delivered", "frames_lost", "delay_s", "queued"))
    assert outcome.queued.shape == outcome.delivered.shape
