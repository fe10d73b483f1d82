"""What a participant can and cannot do to the service: sizes, types, arrays that change, and damaged states."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from agents.ccs.members import _checksum
from agents.ccs.protocol import Report
from agents.ccs.safeguards import Safeguards
from agents.ccs.service import Service
from agents.lns.network import Schema

KPIS = np.array([0.5, 1.0, 1.0, 0.4], np.float32)
SMALL = Schema((40, 4, 48))


def report(name: str, number: int = 0, schema: Schema = SMALL, **fields) -> Report:
    parameters = np.random.default_rng(number).normal(0.0, 0.1, schema.size).astype(np.float32)
    return Report(name, number, 300.0 * number, schema, parameters, KPIS.copy(), **fields)


@pytest.fixture
def service(coordinator) -> Service:
    return Service(coordinator, 0, Safeguards(max_members=3, max_members_per_operator=2, max_total_parameters=9_000))


def test_a_network_of_many_narrow_layers_is_refused_before_it_costs_a_round(service) -> None:
    deep = Schema((40, *[1] * 300, 48))
    answer = service.round([report("mallory", schema=deep), report("a")], 0.0)
    assert [residual.network for residual in answer.residuals] == ["a"]
    assert answer.refused == {"mallory": "report of mallory: 301 layers; at most 8"}


def test_networks_are_limited_by_number_and_by_operator(service) -> None:
    one_operator = [report(name, operator="mallory") for name in "abc"]
    assert service.round(one_operator, 0.0).refused == {"c": "report of c: mallory has 2 networks; at most 2"}
    refused = service.round([report("d"), report("e")], 0.0).refused
    assert refused == {"e": "report of e: 3 networks are there; at most 3"}
    assert not service.round([report("d", 1)], 300.0).refused  # one that is known takes its own place


def test_parameters_of_all_networks_together_are_limited_also_where_a_network_grows(service) -> None:
    service.round([report("a"), report("b")], 0.0)
    larger = Schema((40, 100, 48))
    refused = service.round([report("a", 1, larger)], 300.0).refused
    assert refused == {"a": "report of a: 9352 parameters of all networks; at most 9000"}


def test_what_is_no_report_is_refused_and_the_others_are_answered(service) -> None:
    answer = service.round([report("a"), "b", None], 0.0)  # type: ignore[list-item]
    assert [residual.network for residual in answer.residuals] == ["a"]
    assert answer.refused == {"str": "a str is no report", "NoneType": "a NoneType is no report"}
    with pytest.raises(ValueError, match="a dict is no report"):
        service.receive({}, 0.0)  # type: ignore[arg-type]


def test_an_array_that_changes_after_the_report_changes_nothing(service) -> None:
    sent = report("a")
    service.receive(sent, 0.0)
    before = sent.parameters.copy()
    sent.parameters[:], sent.kpis[:] = np.nan, np.nan
    kept = service.members["a"].report
    np.testing.assert_array_equal(kept.parameters, before)
    assert np.isfinite(service.round([], 0.0).residuals[0].delta).all()


def test_an_array_that_was_changed_before_it_arrives_is_checked_again(service) -> None:
    sent = report("a")
    sent.parameters[3] = np.inf
    with pytest.raises(ValueError, match="parameters: 1 numbers are not finite"):
        service.receive(sent, 0.0)


@pytest.mark.parametrize("encoding", ["float32", "float16", "int8", "top"])
def test_arrays_of_another_type_than_declared_are_refused(encoding, monkeypatch) -> None:
    from agents.ccs import protocol

    sent, packed = report("a"), protocol.packed
    for name in packed(sent.parameters, encoding):

        def wider(*arguments, name=name):
            arrays = packed(*arguments)
            return arrays | {name: arrays[name].astype(np.float64)}

        monkeypatch.setattr(protocol, "packed", wider)
        with pytest.raises(ValueError, match=f"{name} is stored as float64; expected "):
            Report.from_bytes(sent.to_bytes(encoding))


def test_names_have_a_length() -> None:
    with pytest.raises(ValueError, match="report: operator has 201 letters; at most 200"):
        report("a", operator="x" * 201)


def test_reports_that_are_replaced_within_a_round_leave_nothing_behind(service) -> None:
    for number in range(20):
        service.receive(report("a", number), 300.0 * number)
    assert len(service.members._seen) == 1


def state_after_rounds(coordinator) -> dict[str, np.ndarray]:
    service = Service(coordinator, 3, Safeguards(jump=0.01, congestion=None))
    for number in range(2):
        service.round([report("a", number), report("b", number + 5 - 5 * number)], 300.0 * number)
    return service.state_dict()


def test_every_damage_to_a_saved_state_is_refused(coordinator) -> None:
    state, rng = state_after_rounds(coordinator), np.random.default_rng(0)
    names = sorted(set(state) - {"rounds"})
    for _ in range(100):
        name = names[rng.integers(len(names))]
        plain = np.frombuffer(state[name].tobytes(), np.uint8).copy()
        plain[rng.integers(len(plain))] ^= 1 << rng.integers(8)
        damaged = state | {name: np.frombuffer(plain.tobytes(), state[name].dtype).reshape(state[name].shape)}
        with pytest.raises(ValueError, match="state of a service: "):
            Service(coordinator, 3).load_state_dict(damaged)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trust", 1e9), ("trust", float("nan")), ("trust", "1"), ("jumps", [float("inf")]), ("jumps", [0.1] * 9),
        ("answered", 10**9), ("answered", -2), ("numbers", [-1]), ("numbers", [0, 0]), ("numbers", "0"),
        ("slots", [1]), ("replayed", 3),
    ],
)  # fmt: skip
def test_values_that_no_member_has_are_refused_whoever_signed_them(coordinator, field, value) -> None:
    state = state_after_rounds(coordinator)
    about = json.loads(state["about"].tobytes())
    about["members"][0][field] = value
    state |= {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    service = Service(coordinator, 3)
    service.round([report("z")], 0.0)
    with pytest.raises(ValueError, match=f"state of a service: malformed or of another one .*{field}"):
        service.load_state_dict(state | {"checksum": _checksum(state)})
    assert list(service.members) == ["z"]


@pytest.mark.parametrize("rounds", [-1, 1.5, [1]])
def test_rounds_that_nobody_counted_are_refused(coordinator, rounds) -> None:
    with pytest.raises(ValueError, match="state of a service: rounds is"):
        Service(coordinator, 3).load_state_dict(state_after_rounds(coordinator) | {"rounds": np.array(rounds)})


def test_a_state_from_before_checksums_is_taken_over(coordinator) -> None:
    state = state_after_rounds(coordinator)
    del state["checksum"]
    again = Service(coordinator, 3)
    again.load_state_dict(state)
    assert list(again.members) == ["a", "b"]


def test_limits_are_whole_numbers(coordinator) -> None:
    with pytest.raises(ValueError, match="max_layers"):
        replace(Safeguards(), max_layers=0)
