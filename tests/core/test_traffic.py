"""When nodes send, read off recorded packets."""

import numpy as np
import pytest

from lora_marl.core.air import Air
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
        ({"interval_s": -3.0}, "traffic.interval_s: -3.0 is not above 0"),
        ({"interval_s": np.array([1.0, np.nan])}, "traffic.interval_s: nan is not above 0"),
        ({"payload_bytes": 0}, "traffic.payload_bytes: 0.0 is not a whole number from 1 to 255"),
        ({"payload_bytes": 300}, "traffic.payload_bytes: 300.0 is not a whole number from 1 to 255"),
        ({"duty_cycle": 0.0}, "traffic.duty_cycle: 0.0 is not above 0"),
        ({"jitter_s": -1.0}, "traffic.jitter_s: -1.0 is not at least 0"),
        ({"burst_packets": 0}, "traffic.burst_packets: 0 is not at least 1"),
    ],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Traffic(**values)
