"""When nodes send, read off recorded packets."""

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.random import exponential, stream_key
from lora_marl.core.scenario import Change
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import network, random_points


def recorded(traffic, until_s, nodes=20, seed=0):
    scenario = network(nodes, traffic=traffic)
    air = Air(scenario, [seed], record=True)
    outcome = air.advance(random_points(scenario), until_s)
    packets, _ = air.recording()
    times_s = [(packets.start_s[packets.source == n], packets.end_s[packets.source == n]) for n in range(nodes)]
    return times_s, outcome


def test_poisson_gaps_after_the_end_are_exponential():
    times_s, _ = recorded(Traffic(interval_s=3.0), 5000.0)
    gaps_s = np.concatenate([starts_s[1:] - ends_s[:-1] for starts_s, ends_s in times_s])
    assert len(gaps_s) > 20_000
    assert gaps_s.mean() == pytest.approx(3.0, rel=0.03)
    assert gaps_s.std() == pytest.approx(3.0, rel=0.03)
    assert gaps_s.min() > 0


def test_plain_poisson_keeps_its_rate_and_drops_or_queues_what_meets_a_busy_node():
    generated = 20 * 20_000 / 3.0
    times_s, dropping = recorded(Traffic(interval_s=3.0, after_end=False), 20_000.0)
    assert dropping.dropped.sum() > 1000
    assert sum(len(starts_s) for starts_s, _ in times_s) + dropping.dropped.sum() == pytest.approx(generated, rel=0.02)
    times_s, queueing = recorded(Traffic(interval_s=3.0, after_end=False, queued=True), 20_000.0)
    assert queueing.dropped.sum() == 0
    assert sum(len(starts_s) for starts_s, _ in times_s) == pytest.approx(generated, rel=0.02)
    assert all((starts_s[1:] >= ends_s[:-1]).all() for starts_s, ends_s in times_s)


@pytest.mark.parametrize("queued", [False, True])
@pytest.mark.parametrize("after_end", [False, True])
def test_duty_cycle_keeps_nodes_off_after_what_they_sent(queued, after_end):
    duty = 0.05
    times_s, outcome = recorded(Traffic(interval_s=2.0, duty_cycle=duty, queued=queued, after_end=after_end), 5000.0)
    for starts_s, ends_s in times_s:
        off_s = (ends_s - starts_s)[:-1] * (1 / duty - 1)
        assert (starts_s[1:] - ends_s[:-1] >= off_s - 1e-6).all()
    assert (outcome.airtime_s / 5000.0).max() <= duty * 1.02
    assert (outcome.dropped.sum() > 0) == (not queued)


@pytest.mark.parametrize(
    "traffic",
    [
        Traffic(interval_s=0.1, after_end=False, duty_cycle=0.01),
        Traffic(kind="periodic", interval_s=0.1, jitter_s=0.25, duty_cycle=0.01),
        Traffic(kind="burst", interval_s=2.0, burst_packets=5, burst_gap_s=0.1, duty_cycle=0.01),
    ],
    ids=["poisson", "periodic", "burst"],
)
def test_drops_are_counted_when_they_are_generated(traffic):
    """Off times last 10 s; no outcome holds packets that are generated after its end."""
    scenario = network(20, traffic=traffic)
    points = np.zeros((1, 20, 4), np.int16)
    whole = Air(scenario, [3]).advance(points, 60.0).dropped
    air, dropped, sent = Air(scenario, [3]), np.zeros_like(whole), np.zeros_like(whole)
    for until_s in (0.5, 2.0, 2.1, 30.0, 60.0):
        outcome = air.advance(points, until_s)
        assert np.all(outcome.dropped >= 0)
        dropped += outcome.dropped
        sent += outcome.sent
        if traffic.kind == "poisson":
            key = stream_key(3, "traffic")
            gaps_s = [[traffic.interval_s * exponential(key, n, k) for k in range(1, 1500)] for n in range(20)]
            open_packets = (np.cumsum(gaps_s, axis=1) < until_s).sum(axis=1) - sent[0] - dropped[0]
            assert open_packets.min() >= 0 and (open_packets == 0).sum() >= 15  # others are on the air
    assert dropped.tolist() == whole.tolist() and dropped.sum() > 1000


def test_drops_of_nodes_that_leave_are_those_generated_before():
    traffic = Traffic(interval_s=0.1, after_end=False, duty_cycle=0.001)
    leave = Change(at_s=2.0, values={"active": np.zeros(20, np.bool_)})
    fewer = Change(at_s=2.0, values={"traffic.interval_s": 10.0})
    stays, leaves, slows = (network(20, traffic=traffic, changes=changes) for changes in ((), (leave,), (fewer,)))
    points = np.zeros((1, 20, 4), np.int16)
    until_then = Air(stays, [1]).advance(points, 2.0).dropped.sum()
    assert 300 < until_then < 450
    assert Air(leaves, [1]).advance(points, 60.0).dropped.sum() == until_then
    later = Air(slows, [1]).advance(points, 22.0).dropped.sum() - until_then
    assert 20 < later < 60
    air = Air(stays, [1])
    air.advance(points, 2.0)
    air.begin_episode()
    assert air.take_outcome().dropped.sum() == 0


@pytest.mark.parametrize("kind", ["poisson", "periodic"])
def test_drops_follow_a_load_that_grows_wherever_outcomes_are_taken(kind):
    """Off times last 90 s; from 20 s on packets are generated ten times as often, also where none was dropped yet."""
    traffic = Traffic(kind=kind, interval_s=10.0, after_end=False, jitter_s=3.0 * (kind == "periodic"), duty_cycle=1e-3)
    scenario = network(20, traffic=traffic, changes=(Change(at_s=20.0, values={"traffic.interval_s": 1.0}),))
    points = np.zeros((1, 20, 4), np.int16)
    whole = Air(scenario, [3]).advance(points, 60.0)
    air, dropped = Air(scenario, [3]), np.zeros_like(whole.dropped)
    for until_s in (0.5, 15.0, 19.9, 20.1, 30.0, 60.0):
        outcome = air.advance(points, until_s)
        assert np.all(outcome.dropped >= 0)
        dropped += outcome.dropped
    assert dropped.tolist() == whole.dropped.tolist()
    generated = (whole.sent + whole.dropped)[0]
    assert generated.mean() == pytest.approx(42.0, rel=0.1) and generated.min() > 20


def test_periodic_packets_keep_their_period_within_the_jitter():
    times_s, _ = recorded(Traffic(kind="periodic", interval_s=10.0, jitter_s=2.0), 2000.0)
    first_s = np.array([starts_s[0] for starts_s, _ in times_s])
    assert first_s.max() < 12.0 and first_s.std() > 1.0
    for starts_s, _ in times_s:
        phase_s = starts_s - 10.0 * np.arange(len(starts_s))
        assert len(starts_s) in (198, 199, 200, 201)
        assert np.ptp(phase_s) < 2.0
        assert np.ptp(phase_s) > 1.5


def test_without_jitter_and_phase_all_start_together():
    times_s, _ = recorded(Traffic(kind="periodic", interval_s=10.0, random_phase=False), 95.0)
    assert all(starts_s.tolist() == [10.0 * k for k in range(10)] for starts_s, _ in times_s)


def test_one_packet_per_node_and_window():
    times_s, outcome = recorded(Traffic.one_per_window(30.0), 3000.0)
    assert outcome.dropped.sum() == 0
    for starts_s, _ in times_s:
        # A packet may wait for the last one's end, a few seconds into the next window.
        generated = np.floor(starts_s / 30.0)
        assert len(starts_s) == 100
        assert (np.abs(generated - np.arange(100)) <= 1).all() and (generated == np.arange(100)).mean() > 0.9
    within_s = np.concatenate([starts_s % 30.0 for starts_s, _ in times_s])
    assert within_s.mean() == pytest.approx(15.0, abs=1.0)


def test_bursts():
    times_s, _ = recorded(Traffic(kind="burst", interval_s=100.0, burst_packets=4, burst_gap_s=0.5), 20_000.0)
    for starts_s, ends_s in times_s:
        gaps_s = starts_s[1:] - ends_s[:-1]
        inside = np.arange(1, len(starts_s)) % 4 != 0
        assert gaps_s[inside] == pytest.approx(0.5)
    between_s = np.concatenate([(starts_s[1:] - ends_s[:-1])[3::4] for starts_s, ends_s in times_s])
    assert between_s.mean() == pytest.approx(100.0, rel=0.05)


def test_intervals_per_node():
    interval_s = np.linspace(1.0, 20.0, 20)
    times_s, _ = recorded(Traffic(interval_s=interval_s), 5000.0)
    for (starts_s, ends_s), mean_s in zip(times_s, interval_s, strict=True):
        assert (starts_s[1:] - ends_s[:-1]).mean() == pytest.approx(mean_s, rel=0.25)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "fractal"}, "traffic.kind: 'fractal' is not one of poisson, periodic, burst"),
        ({"interval_s": -3.0}, "traffic.interval_s: -3 is not within 1e-06 to 1e.10 s"),
        ({"interval_s": np.array([1.0, np.nan])}, r"traffic.interval_s\[1\]: nan is not within"),
        ({"payload_bytes": 0}, "traffic.payload_bytes: 0.0 is not a whole number from 1 to 255"),
        ({"payload_bytes": 300}, "traffic.payload_bytes: 300 is not within 0 to 255 bytes"),
        ({"duty_cycle": 0.0}, "traffic.duty_cycle: 0.0 is not above 0"),
        ({"jitter_s": -1.0}, "traffic.jitter_s: -1 is not within 0 to 1e.10 s"),
        ({"burst_packets": 0}, "traffic.burst_packets: 0 is not at least 1"),
    ],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Traffic(**values)
