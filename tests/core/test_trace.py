"""Traffic of a trace: against the plain statement, what its records refuse, and what others read of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_marl.core import frame_reference, phy
from lora_marl.core.air import Air
from lora_marl.core.downlink import Feedback
from lora_marl.core.expect import OneGateway
from lora_marl.core.reception import Fate
from lora_marl.core.scenario import Change
from lora_marl.core.trace import Trace
from lora_marl.core.traffic import Traffic
from lora_marl.core.traffic_reference import trace_packets
from tests.core.scenarios import network, random_points

NODES = 5
SIZES = (20, 50, 200)


def drawn(seed, *, repeat_s=None, counters=False):
    """A trace of 40 rows of five nodes, the last of which has none, with counters that repeat and leave gaps."""
    rng = np.random.default_rng(seed)
    node = rng.integers(0, NODES - 1, 40)
    steps = rng.choice([0, 1, 1, 1, 4], 40)
    return Trace(
        nodes=NODES, node=node, time_s=np.sort(rng.uniform(0.0, 60.0, 40)), payload_bytes=rng.choice(SIZES, 40),
        counter=np.array([steps[: k + 1][node[: k + 1] == node[k]].sum() for k in range(40)]) if counters else None,
        repeat_s=repeat_s,
    )  # fmt: skip


def traced(trace, **fields):
    duty_cycle = fields.pop("duty_cycle", None)
    traffic = Traffic(kind="trace", trace=trace, queued=fields.pop("queued", False), duty_cycle=duty_cycle)
    return network(NODES, traffic=traffic, **fields)


def played(scenario, until_s, seed=0, **settings_of_air):
    air = Air(scenario, [0], record=True, **settings_of_air)
    points = random_points(scenario, seed=seed)
    outcome = air.advance(points, until_s)
    return air, outcome, points


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**31),
    repeat_s=st.sampled_from([None, 60.0, 75.5]),
    queued=st.booleans(),
    duty_cycle=st.sampled_from([None, 0.1]),
    until_s=st.sampled_from([30.0, 59.0, 200.0]),
)
def test_packets_are_those_of_the_plain_statement(seed, repeat_s, queued, duty_cycle, until_s):
    trace = drawn(seed, repeat_s=repeat_s)
    scenario = traced(trace, queued=queued, duty_cycle=duty_cycle)
    air, outcome, points = played(scenario, until_s, seed)
    packets, _ = air.recording()
    off = 0.0 if duty_cycle is None else 1.0 / duty_cycle - 1.0
    for n in range(NODES):
        airtime_s = {size: float(phy.airtime_s(7 + points[0, n, 0], size, bw_hz=125e3)) for size in SIZES}
        starts_s, payloads, _, dropped = trace_packets(
            trace, n, airtime_s, until_s=until_s, off_per_airtime=off, queued=queued
        )
        mine = packets.source == n
        np.testing.assert_allclose(packets.start_s[mine], starts_s, rtol=0, atol=1e-9)
        expected_s = [airtime_s[int(payload)] for payload in payloads]
        np.testing.assert_allclose((packets.end_s - packets.start_s)[mine], expected_s, rtol=0, atol=1e-9)
        assert outcome.dropped[0, n] == dropped
        delivered = packets.fate[mine] == Fate.DELIVERED
        assert outcome.delivered_bits[0, n] == 8 * payloads[delivered].sum()


@pytest.mark.parametrize("repeat_s", [None, 60.0])
def test_cuts_snapshots_and_episodes_do_not_matter(repeat_s):
    scenario = traced(drawn(1, repeat_s=repeat_s, counters=True), duty_cycle=0.1)
    points = random_points(scenario)
    whole, cut = Air(scenario, [0]), Air(scenario, [0])
    expected = whole.advance(points, 150.0)
    cut.advance(points, 10.0)
    cut.begin_episode()
    cut.take_outcome()
    first = cut.advance(points, 33.3)
    resumed = Air(scenario, [0])
    resumed.load_state_dict(cut.state_dict())
    total = first + resumed.advance(points, 150.0)
    for name in ("sent", "dropped", "airtime_s"):  # packets of a new episode meet other shadowing
        np.testing.assert_allclose(getattr(total, name), getattr(expected, name))
    other = traced(drawn(2, repeat_s=repeat_s, counters=True), duty_cycle=0.1)
    with pytest.raises(ValueError, match="air state: it is of another network"):
        Air(other, [0]).load_state_dict(cut.state_dict())


def test_a_node_that_joins_or_comes_back_goes_on_with_the_trace():
    trace = Trace.of_nodes([np.arange(1.0, 60.0, 2.0)], [20])
    off, on = ({"active": np.array([state])} for state in (False, True))
    changes = (Change(at_s=10.0, values=off), Change(at_s=30.2, values=on), Change(at_s=40.0, values=off))
    scenario = network(1, traffic=Traffic(kind="trace", trace=trace), changes=changes)
    air = Air(scenario, [0], record=True)
    air.advance(np.zeros((1, 1, 4), np.int16), 1000.0)
    assert air.recording()[0].start_s.tolist() == [1, 3, 5, 7, 9, 31, 33, 35, 37, 39]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**31))
def test_a_server_misses_what_the_counters_say(seed):
    trace = drawn(seed, repeat_s=60.0, counters=True)
    scenario = traced(trace, spread_m=1500.0)
    air, _, points = played(scenario, 300.0, seed, feedback=Feedback(decides="server", packets=10**6, listens=True))
    packets, heard = air.recording()[0], air.take_heard()
    for n in range(NODES):
        airtime_s = {size: float(phy.airtime_s(7 + points[0, n, 0], size, bw_hz=125e3)) for size in SIZES}
        _, _, counters, _ = trace_packets(trace, n, airtime_s, until_s=300.0)
        mine = (packets.source == n) & (packets.fate >= 0)
        received = packets.fate[mine] == Fate.DELIVERED
        missed = frame_reference.missed_frames(counters[: len(received)], received)
        assert heard.missed[heard.node == n].tolist() == missed.tolist()


def test_counters_that_begin_anew_say_nothing_of_losses():
    assert frame_reference.missed_frames(np.array([7, 9, 0, 0, 2]), np.ones(5, np.bool_)).tolist() == [-1, 1, -1, -2, 1]
    trace = Trace.of_nodes([[0.0, 10.0, 20.0, 30.0, 40.0]], [20], [[7, 9, 0, 0, 2]])
    scenario = network(1, spread_m=10.0, traffic=Traffic(kind="trace", trace=trace))
    air = Air(scenario, [0], feedback=Feedback(decides="server", packets=10**6, listens=True))
    air.advance(np.full((1, 1, 4), 0, np.int16) + np.array([0, 0, 0, 6], np.int16), 100.0)
    assert air.take_heard().missed.tolist() == [-1, 1, -1, -2, 1]


def test_frames_of_a_trace_are_repeated_by_nb_trans_unless_it_says_what_is():
    trace = Trace.of_nodes([[0.0, 100.0]], [20], [[4, 7]])
    scenario = network(1, spread_m=10.0, traffic=Traffic(kind="trace", trace=trace, nb_trans=3))
    air = Air(scenario, [0], feedback=Feedback(decides="server", packets=10**6, listens=True))
    outcome = air.advance(random_points(scenario), 200.0)
    assert (outcome.sent.sum(), outcome.frames_delivered.sum()) == (6, 2)
    assert air.take_heard().missed.tolist() == [-1, -2, -2, 2, -2, -2]
    repeating = Trace.of_nodes([[0.0, 100.0]], [20], [[4, 4]])
    with pytest.raises(ValueError, match="traffic.nb_trans: 3; the trace has frame counters that occur twice"):
        Traffic(kind="trace", trace=repeating, nb_trans=3)
    scenario = replace(scenario, traffic=Traffic(kind="trace", trace=repeating))
    with pytest.raises(ValueError, match="nb_trans: the trace has frame counters that occur twice"):
        Air(scenario, [0]).advance(random_points(scenario), 1.0, nb_trans=np.ones((1, 1), np.int8))


def test_what_others_read_of_traffic_follows_from_the_trace():
    trace = Trace.of_nodes([[1.0, 5.0, 9.0], [50.0], []], [[20, 51, 30], 12, 20], repeat_s=60.0)
    traffic = Traffic(kind="trace", trace=trace)
    assert np.asarray(traffic.interval_s).tolist() == [20.0, 60.0, np.inf]
    assert np.asarray(traffic.payload_bytes).tolist() == [51, 12, 1]
    assert np.asarray(Traffic(kind="trace", trace=replace(trace, repeat_s=None)).interval_s)[0] == 50.0 / 3
    assert replace(traffic, queued=True).payload_bytes is not traffic.payload_bytes
    with pytest.raises(ValueError, match="scenario.traffic.trace: 'recorded' has no one-gateway closed form"):
        OneGateway(network(3, traffic=traffic))


ROWS = {"nodes": 2, "node": [0, 1, 0], "time_s": [1.0, 0.5, 2.0], "payload_bytes": [20, 20, 20]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"time_s": [2.0, 0.5, 1.0]}, r"trace.time_s\[2\]: 1 s of node 0 lies before the node's last row, at 2 s"),
        ({"time_s": [-1.0, 0.5, 1.0]}, r"trace.time_s\[0\]: -1 is not within 0 to"),
        ({"time_s": []}, r"trace.time_s: shape \[0\]; allowed is \[at least 1\]"),
        ({"node": [0, 2, 0]}, r"trace.node\[1\]: 2 is not a whole number from 0 to 1"),
        ({"payload_bytes": [20, 20, 0]}, r"trace.payload_bytes\[2\]: 0 is not a whole number from 1 to 255"),
        ({"payload_bytes": [20, 20]}, r"trace.payload_bytes: shape \[2\]; time_s has \[3\]"),
        ({"counter": [1, 2, 2.5]}, r"trace.counter\[2\]: 2.5 is not a whole number from 0"),
        ({"repeat_s": 2.0}, "trace.repeat_s: 2.0 is not after the last row, at 2 s"),
    ],
)
def test_bad_rows_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Trace(**(ROWS | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "poisson"}, "traffic.trace: is given under kind 'poisson'"),
        ({"trace": None}, "traffic.trace: None under kind 'trace'; trace needs one"),
        ({"interval_s": 5.0}, "traffic.interval_s: follows from the trace; leave it out"),
        ({"payload_bytes": 12}, "traffic.payload_bytes: follows from the trace; leave it out"),
        ({"confirmed": True, "after_end": False}, "traffic.confirmed: True; the rows of a trace are packets"),
    ],
)
def test_traffic_says_what_a_trace_leaves_no_room_for(values, message):
    with pytest.raises(ValueError, match=message):
        Traffic(**({"kind": "trace", "trace": Trace(**ROWS)} | values))


def test_a_trace_must_fit_its_network_and_stays():
    traffic = Traffic(kind="trace", trace=Trace(**ROWS))
    with pytest.raises(ValueError, match="traffic.trace: of 2 nodes; the network has 3"):
        network(3, traffic=traffic)
    with pytest.raises(ValueError, match="scenario.changes: 'traffic.interval_s' at 5.0 s cannot change"):
        network(2, traffic=traffic, changes=(Change(at_s=5.0, values={"traffic.interval_s": 4.0}),))
    with pytest.raises(ValueError, match="trace.payload_bytes: of 1 nodes; times_s has 2"):
        Trace.of_nodes([[1.0], [2.0]], [20])
    with pytest.raises(ValueError, match="trace: a node has"):
        Trace.of_nodes([[1.0, 2.0]], [[20, 20, 20]])
