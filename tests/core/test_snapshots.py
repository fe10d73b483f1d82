"""States of the air that come from outside: compiled code never follows what no air can be in."""

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.kernel import state as kernel_state
from lora_marl.core.kernel.queue import EVENT
from lora_marl.core.kernel.state import QUEUE, REPLICA, SENDING, STORED_NODE
from lora_marl.core.snapshots.fields import undeclared
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import network, random_points
from tests.core.test_air_invariance import SCENARIO

CONFIRMED = network(
    12, gateways=2, feedback="downlink", traffic=Traffic(interval_s=6.0, after_end=False, confirmed=True)
)


def stopped(scenario, until_s=40.0, seeds=(1, 2), **arguments):
    """An air that was stopped with packets on it, its points, and its state."""
    air, points = Air(scenario, seeds, **arguments), random_points(scenario, len(seeds))
    air.advance(points, until_s)
    while not (air._state.nodes["phase"] == SENDING).sum() > 1:
        until_s += 0.1
        air.advance(points, until_s)
    return air, points, air.state_dict()


def changed(saved, name, dtype, change):
    """The state in which a function has changed a structured array."""
    array = np.ascontiguousarray(saved[name]).view(dtype).copy()
    change(array)
    return saved | {name: array.view(np.uint8)}


def refused(scenario, saved, message, seeds=(1, 2), **arguments):
    air = Air(scenario, seeds, **arguments)
    before = air.state_dict()
    with pytest.raises(ValueError, match=message):
        air.load_state_dict(saved)
    assert all((array == before[name]).all() for name, array in air.state_dict().items())


def test_every_field_of_the_state_is_declared():
    assert undeclared() == []


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("gateway", 2, r"nodes.gateway\[0\]\[3\] is 2; allowed are -1 to 1"),
        ("newer", 10**6, r"nodes.newer\[0\]\[3\] is 1000000; allowed are -1 to 14"),
        ("older", -7, r"nodes.older"),
        ("point", [6, 0, 0, 0], r"nodes.point\[0\]\[3\] is \[6, 0, 0, 0\]; allowed are 0 to 5"),
        ("last_point", [0, 0, -1, 0], "nodes.last_point"),
        ("in_force", [-1, 0, 0, 0], "nodes.in_force"),
        ("phase", 9, r"nodes.phase\[0\]\[3\] is 9; allowed are 0 to 4"),
        ("last_fate", 6, "nodes.last_fate"),
        ("record", 1, "nodes.record"),
        ("due_sent", 2**31 - 1, "nodes.due_sent"),
        ("packet", -1, "nodes.packet"),
        ("free_s", np.inf, "nodes.free_s"),
        ("free_s", 1e9, "nodes.free_s lies too far ahead"),
        ("generated_s", -1e9, "nodes.generated_s lies too far behind the clock"),
        ("generated_s", 1e9, "nodes.generated_s lies too far ahead"),
        ("end_s", np.nan, "nodes.end_s"),
    ],
)
def test_false_numbers_of_a_node_are_refused(field, value, message):
    def change(nodes):
        nodes[field][0, 3] = value

    _, _, saved = stopped(SCENARIO)
    refused(SCENARIO, changed(saved, "nodes", STORED_NODE, change), f"air state: {message}")


def test_a_byte_that_is_no_truth_value_is_refused():
    def change(nodes):
        nodes["undecided"].view(np.uint8)[1, 2] = 2

    _, _, saved = stopped(SCENARIO)
    refused(
        SCENARIO, changed(saved, "nodes", STORED_NODE, change), r"nodes.undecided\[1\]\[2\] is .*; allowed are 0 to 1"
    )


def test_a_list_with_a_ring_is_refused():
    _, _, saved = stopped(SCENARIO)

    def change(nodes):
        sending = np.flatnonzero(nodes["phase"][0] == SENDING) if (nodes["phase"][0] == SENDING).sum() > 1 else None
        b = 0 if sending is not None else 1
        one, other = np.flatnonzero(nodes["phase"][b] == SENDING)[:2]
        nodes["point"][b, other] = nodes["point"][b, one]
        for n, neighbour in ((one, other), (other, one)):
            nodes["older"][b, n] = nodes["newer"][b, n] = neighbour

    refused(SCENARIO, changed(saved, "nodes", STORED_NODE, change), "newest|nodes.older|nodes.newer")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda events: events["source"].__setitem__((0, 0), 10**6), "does not name every source once"),
        (lambda events: events["source"].__setitem__((0, 0), events["source"][0, 1]), "every source once"),
        (lambda events: np.bitwise_not(events["source"], out=events["source"]), "contradicts which packets"),
        (lambda events: events["time_s"].__setitem__((1, 0), np.nan), "events.time_s"),
        (lambda events: events["time_s"].__setitem__((1, 0), 1e9), "events is no heap"),
        (lambda events: events["time_s"].__setitem__((1, 0), 0.0), "begin before the clock"),
    ],
)
def test_a_false_queue_of_events_is_refused(change, message):
    _, _, saved = stopped(SCENARIO)
    refused(SCENARIO, changed(saved, "events", EVENT, change), message)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("due", 10**6, "replicas.due"),
        ("due", 3, "replicas.due is not the number of nodes that are undecided"),
        ("on_air", 14, "replicas.on_air is not"),
        ("recorded", 5, "replicas.recorded"),
        ("heard", -1, "replicas.heard"),
        ("now_s", np.inf, "replicas.now_s"),
        ("now_s", -1.0, "changes_made|now_s"),
        ("taken_s", 1e6, "taken_s lies after the clock"),
        ("traffic_key", 5, "replicas.traffic_key is not that of the seeds"),
    ],
)
def test_false_numbers_of_a_replica_are_refused(field, value, message):
    def change(replicas):
        replicas[field][0] = value

    _, _, saved = stopped(SCENARIO)
    refused(SCENARIO, changed(saved, "replicas", REPLICA, change), message)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("due", np.full((2, 15), 14, np.int32), "due names a node twice"),
        ("due", np.full((2, 15), 15, np.int32), r"due\[0\]\[0\] is 15; allowed are 0 to 14"),
        ("newest", np.full((2, 3), 14, np.int32), "newest"),
        ("counts", np.full((2, 15, 10), -1), "counts"),
        ("changes_made", np.array(3), "changes_made is 3; allowed are 0 to 2"),
        ("changes_made", np.array(0), "the clock at .* has seen others"),
        ("changes_made", np.array([1]), "changes_made is"),
        ("changes_made", np.array("x"), "changes_made is"),
        ("network", np.array([1, 2]), "another network or rule"),
    ],
)
def test_false_arrays_are_refused(name, value, message):
    _, _, saved = stopped(SCENARIO)
    refused(SCENARIO, saved | {name: value}, message)


def test_records_of_another_number_of_replicas_or_gateways_are_refused():
    _, _, saved = stopped(SCENARIO, record=True)
    for name in ("packets", "receptions"):
        refused(SCENARIO, saved | {name: saved[name][:1]}, f"{name} is uint8", record=True)
    refused(SCENARIO, saved | {"receptions": saved["receptions"][..., :24].copy()}, "receptions is uint8", record=True)
    refused(SCENARIO, saved | {"receptions": saved["receptions"][:, :9].copy()}, "room for 1024 and .* 9", record=True)


def test_a_false_queue_of_frames_is_refused():
    _, _, saved = stopped(CONFIRMED)
    for field, value in (("first", 4), ("size", 5), ("attempts", 99), ("next_s", -1e9), ("next_s", np.nan)):

        def change(queues, field=field, value=value):
            queues[field][0, 0] = value

        refused(CONFIRMED, changed(saved, "queues", QUEUE, change), f"queues.{field}")


def test_states_at_many_moments_are_taken_over():
    for scenario in (SCENARIO, CONFIRMED):
        air, points = Air(scenario, (3, 4), record=True), random_points(scenario, 2)
        other = Air(scenario, (3, 4), record=True)
        for until_s in np.arange(2.0, 100.0, 7.0):
            air.advance(points, until_s)
            other.load_state_dict(air.state_dict())
        air.begin_episode()
        other.load_state_dict(air.state_dict())
        assert (other.advance(points, 30.0).sent == air.advance(points, 30.0).sent).all()


def test_bytes_between_fields_are_zero_in_snapshots():
    air, _, saved = stopped(SCENARIO)
    dtype = air._state.nodes.dtype
    padding = ~kernel_state._is_field(dtype)
    assert padding.any()
    air._state.nodes.view(np.uint8).reshape(-1, dtype.itemsize)[:, padding] = 0xAB
    again = air.state_dict()
    assert (again["nodes"] == saved["nodes"]).all()


def test_a_network_whose_nodes_were_off_long_ago_goes_on():
    active = np.arange(15) < 7
    scenario = replace(SCENARIO, active=active, changes=())
    air, _, saved = stopped(scenario, 5000.0)
    Air(scenario, (1, 2)).load_state_dict(saved)
    assert air.now_s.min() >= 5000.0
