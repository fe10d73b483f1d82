"""A run is the same for every number of replicas, every cut into calls, any threads, and after a snapshot."""

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lora_marl.core.air import Air
from lora_marl.core.outcome import Outcome
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.scenario import Change
from lora_marl.core.tables import SIR_DB
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import network, random_points

SCENARIO = network(
    15,
    gateways=2,
    reception=Reception(demodulators=2),
    propagation=Propagation(fading="rayleigh", shadowing_common_share=0.5),
    changes=(
        Change(at_s=33.0, values={"traffic.interval_s": 2.0}),
        Change(at_s=70.0, values={"propagation.exponent": 3.0}),
    ),
)


def same(one, other):
    for field in fields(Outcome):
        np.testing.assert_allclose(getattr(one, field.name), getattr(other, field.name), rtol=1e-12, err_msg=field.name)


def row(outcome, b):
    return Outcome(**{field.name: getattr(outcome, field.name)[b : b + 1] for field in fields(Outcome)})


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_replica_depends_on_its_seed_alone(threads):
    points = random_points(SCENARIO)
    together = Air(SCENARIO, [4, 0, 9, 2, 7], threads=threads).advance(np.repeat(points, 5, axis=0), 100.0)
    for b, seed in enumerate([4, 0, 9, 2, 7]):
        same(row(together, b), Air(SCENARIO, [seed]).advance(points, 100.0))
    assert len({int(n) for n in together.sent.sum(axis=1)}) > 1


@pytest.mark.parametrize("threads", [1, 2])
def test_positions_payloads_and_intervals_of_a_replica_are_its_own(threads):
    rng = np.random.default_rng(0)
    xy_m = rng.normal(size=(4, 15, 2)) * 800
    interval_s, payload_bytes = rng.uniform(2, 9, (4, 15)), rng.integers(10, 60, (4, 15))
    traffic = Traffic(interval_s=interval_s, payload_bytes=payload_bytes)
    points = random_points(SCENARIO)
    scenario = replace(SCENARIO, node_xy_m=xy_m, traffic=traffic, changes=())
    together = Air(scenario, [1, 2, 3, 4], threads=threads).advance(np.repeat(points, 4, axis=0), 100.0)
    for b in range(4):
        traffic = Traffic(interval_s=interval_s[b], payload_bytes=payload_bytes[b])
        alone = Air(replace(scenario, node_xy_m=xy_m[b], traffic=traffic), [b + 1]).advance(points, 100.0)
        same(row(together, b), alone)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.floats(0.0, 100.0), max_size=6), rule=st.sampled_from(["sinr", "db_ratio", "sir_energy"]))
def test_any_cut_of_a_run_gives_the_same(cuts, rule):
    scenario = replace(SCENARIO, reception=Reception(inter_sf=rule, sir_db=SIR_DB["goursaud"]))
    points = random_points(scenario)
    whole = Air(scenario, [3]).advance(points, 100.0)
    air = Air(scenario, [3])
    parts = None
    for until_s in [*sorted(cuts), 100.0]:
        part = air.advance(points, until_s)
        parts = part if parts is None else parts + part
    same(parts, whole)


def answered(air, points, until_s, log):
    """Answer every decision by a rule that depends on it alone."""
    while len(decisions := air.next_decisions(points, until_s)):
        for b, n, fate, point in zip(
            decisions.replica, decisions.node, decisions.fate, decisions.point.copy(), strict=True
        ):
            points[b, n, 0] = (point[0] + (fate != 0)) % 6
            points[b, n, 2] = (point[2] + 1) % 3
            log.append((int(b), int(n), int(fate), point.tolist()))


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.floats(0.0, 100.0), max_size=6), threads=st.sampled_from([1, 2]))
def test_any_cut_of_a_run_with_decisions_gives_the_same(cuts, threads):
    runs = []
    for stops, used in (([], 1), (sorted(cuts), threads)):
        air, points, log = Air(SCENARIO, [3, 8], threads=used), random_points(SCENARIO, 2), []
        for until_s in [*stops, 100.0]:
            answered(air, points, until_s, log)
        per_node = sorted(range(len(log)), key=lambda i: (log[i][:2], i))
        runs.append(([log[i] for i in per_node], air.take_outcome()))
    assert runs[0][0] == runs[1][0]
    same(runs[0][1], runs[1][1])


@pytest.mark.parametrize("copy", ["state_dict", "pickle"])
@pytest.mark.parametrize("record", [False, True])
def test_a_snapshot_goes_on_to_the_same_numbers(copy, record):
    air, points = Air(SCENARIO, [1, 2], record=record, count_arms=True), random_points(SCENARIO, 2)
    air.advance(points, 50.0)
    if copy == "pickle":
        other = pickle.loads(pickle.dumps(air))
    else:
        other = Air(SCENARIO, [1, 2], record=record, count_arms=True)
        other.load_state_dict(air.state_dict())
    same(air.advance(points, 100.0), other.advance(points, 100.0))
    assert other.scenario.propagation.exponent == 3.0
    if record:
        np.testing.assert_array_equal(air.recording(1)[0].start_s, other.recording(1)[0].start_s)


def test_a_snapshot_that_does_not_fit_is_refused_and_changes_nothing():
    air, points = Air(SCENARIO, [1]), random_points(SCENARIO)
    air.advance(points, 20.0)
    saved = air.state_dict()
    cases = [
        ({k: v for k, v in saved.items() if k != "nodes"}, "nodes is missing"),
        (saved | {"nodes": saved["nodes"][:, :-8]}, r"nodes is uint8 .* this air's is"),
        (saved | {"seeds": np.array([2])}, r"seeds are \[2\]; this air's are \[1\]"),
        (Air(replace(SCENARIO, node_xy_m=2 * SCENARIO.node_xy_m), [1]).state_dict(), "another network or rule"),
    ]
    for wrong, message in cases:
        other = Air(SCENARIO, [1])
        with pytest.raises(ValueError, match=message):
            other.load_state_dict(wrong)
        same(other.advance(points, 20.0), Air(SCENARIO, [1]).advance(points, 20.0))


def test_episodes_repeat_under_the_same_seed_and_differ_from_each_other():
    points = random_points(SCENARIO)
    for seed in (0, 1):
        runs = []
        for _ in range(2):
            air, episodes = Air(SCENARIO, [seed]), []
            for _ in range(3):
                air.begin_episode()
                episodes.append(air.advance(points, 90.0))
            runs.append(episodes)
        for one, other in zip(*runs, strict=True):
            same(one, other)
        assert len({episode.airtime_s.sum() for episode in runs[0]}) == 3


def test_a_new_episode_clears_the_air_and_makes_the_cut_nodes_decide_again():
    busy = network(30, traffic=Traffic(interval_s=0.5))
    air, points = Air(busy, [0]), random_points(busy)
    answered(air, points, 20.0, [])
    air.begin_episode()
    assert air.now_s.tolist() == [0.0]
    air.take_outcome()
    decisions = air.next_decisions(points, 5.0)
    assert (decisions.fate == -1).sum() > 3
    assert len(set(decisions.node.tolist())) == len(decisions)


def test_identical_air_under_other_decisions():
    """Gaps, shadowing and fading per node and packet are the same whatever is chosen."""
    plain = replace(SCENARIO, changes=())
    recordings = []
    for sf in (0, 3):
        points = np.zeros((1, 15, 4), np.int16)
        points[..., 0] = sf
        air = Air(plain, [6], record=True)
        air.advance(points, 300.0)
        packets, receptions = air.recording()
        by_node = {}
        for n in range(15):
            from_node = packets.source == n
            gaps_s = packets.start_s[from_node][1:20] - packets.end_s[from_node][:19]
            by_node[n] = (gaps_s, receptions.rssi_dbm[from_node][:20])
        recordings.append(by_node)
    for n in range(15):
        np.testing.assert_allclose(recordings[0][n][0], recordings[1][n][0], atol=1e-9)
        np.testing.assert_allclose(recordings[0][n][1], recordings[1][n][1], atol=1e-9)
