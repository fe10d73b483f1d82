"""The service online: who is answered, how, and what it does not fall for."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

import agents.ccs
from agents.ccs.model import Coordinator, Design
from agents.ccs.protocol import Report
from agents.ccs.round import round_residuals
from agents.ccs.safeguards import Safeguards
from agents.ccs.service import Service
from agents.ccs.training import Hyperparameters
from agents.lns.network import Schema, initial

BAD = np.array([0.5, 1.0, 1.0, 0.4], np.float32)
PLAIN = Safeguards(congestion=None)


def report(name: str, seed: int, number: int = 0, **fields) -> Report:
    schema = fields.pop("schema", Schema(kind="pg"))
    parameters = initial(schema, [np.random.default_rng(seed)])[0].numpy()
    return Report(
        name, number, fields.pop("time_s", 300.0 * number), schema, parameters, fields.pop("kpis", BAD), **fields
    )


def by_name(service: Service, reports: list[Report], now_s: float) -> dict[str, np.ndarray]:
    return {residual.network: residual.delta for residual in service.round(reports, now_s).residuals}


def test_answers_are_those_of_a_round_of_arrays(coordinator) -> None:
    service, reports = Service(coordinator, 0, PLAIN), [report(name, seed) for seed, name in enumerate("abc")]
    actual = service.round(reports, 0.0)
    assert [residual.network for residual in actual.residuals] == ["a", "b", "c"]
    assert not actual.refused
    codes = service.members.codes
    assert len(codes.flatten(0, 1).unique(dim=0)) == 3
    expected = round_residuals(
        coordinator,
        torch.from_numpy(np.stack([sent.parameters for sent in reports]))[None],
        torch.ones(1, 3, dtype=torch.int64),
        torch.from_numpy(BAD).expand(1, 3, 4),
        codes.expand(-1, 4, -1)[None],
    )
    for residual, delta in zip(actual.residuals, expected[0]):
        np.testing.assert_allclose(residual.delta, delta.numpy(), rtol=1e-4, atol=1e-6)


def test_same_seed_same_answers(coordinator) -> None:
    reports = [report(name, seed) for seed, name in enumerate("abc")]
    first, again = (by_name(Service(coordinator, 4), reports, 0.0) for _ in range(2))
    assert all((first[name] == again[name]).all() for name in first)


def test_networks_of_other_architectures_take_part(coordinator) -> None:
    small = Schema((40, 32, 48), "dqn")
    actual = by_name(Service(coordinator, 0, PLAIN), [report("a", 0), report("b", 1, schema=small)], 0.0)
    assert actual["a"].shape == (129, 48) and actual["b"].shape == (33, 48)
    assert actual["a"].any() and actual["b"].any()


def test_stale_and_foreign_reports_are_refused_and_the_others_answered(coordinator) -> None:
    service = Service(coordinator, 0)
    service.round([report("a", 0, 5, time_s=0.0)], 0.0)
    actual = service.round(
        [
            report("a", 1, 5, time_s=300.0),
            report("old", 2, time_s=-1600.0),
            report("future", 2, time_s=900.0),
            report("wide", 2, schema=Schema((41, 8, 48))),
            report("good", 3, time_s=300.0),
        ],
        300.0,
    )
    assert [residual.network for residual in actual.residuals] == ["good"]
    assert actual.refused["a"] == "report of a: round 5 is not after 5, the last one"
    assert "its age is 1900 s; expected from -60 to 1800 s" in actual.refused["old"]
    assert "its age is -600 s" in actual.refused["future"]
    assert "sizes (41, 8, 48) do not have 40 features and 48 actions" in actual.refused["wide"]
    with pytest.raises(ValueError, match="760 parameters; at most 100"):
        small = report("b", 0, schema=Schema((40, 8, 48)))
        Service(coordinator, 0, Safeguards(max_parameters=100)).receive(small, 0.0)


def test_who_does_not_report_still_counts_and_is_forgotten_at_last(coordinator) -> None:
    service = Service(coordinator, 0, PLAIN)
    service.round([report("a", 0), report("b", 0)], 0.0)
    before = service.members["a"].numbers, service.members["a"].slots
    assert by_name(service, [report("a", 1, 1)], 300.0)["a"].any()
    assert (service.members["a"].numbers, service.members["a"].slots) == before
    assert not by_name(service, [report("a", 2, 8)], 2400.0)["a"].any()
    assert list(service.members) == ["a"]


def test_older_snapshots_move_less(coordinator) -> None:
    loose = replace(PLAIN, clip=1e9)
    now = by_name(Service(coordinator, 0, loose), [report("a", 0), report("b", 1)], 0.0)
    late = by_name(Service(coordinator, 0, loose), [report("a", 0), report("b", 1)], 600.0)
    np.testing.assert_allclose(late["a"], np.exp(-1.0) * now["a"], rtol=1e-3, atol=1e-6)


def test_calm_air_is_left_alone_and_one_liar_does_not_decide(coordinator) -> None:
    good, lie = np.array([0.95, 0.3, 0.55, 0.9], np.float32), np.array([1000.0, 0, 0, 0], np.float32)
    calm = by_name(Service(coordinator, 0), [report("a", 0, kpis=good), report("b", 1, kpis=good)], 0.0)
    assert not calm["a"].any()
    lied = by_name(Service(coordinator, 0), [report("a", 0), report("b", 1, kpis=lie)], 0.0)
    honest = by_name(Service(coordinator, 0), [report("a", 0), report("b", 1)], 0.0)
    assert (lied["a"] == honest["a"]).all()
    assert np.abs(lied["b"]).sum() < 0.9 * np.abs(honest["b"]).sum()


def test_who_has_little_weight_does_not_decide_whether_coordination_is_needed(coordinator) -> None:
    lie = np.array([1.0, 0, 0.5, 1.0], np.float32)
    names = [f"s{number}" for number in range(8)]
    fair = np.array([0.7, 0.8, 0.8, 0.6], np.float32)
    honest = [report("a", 0, kpis=fair), report("b", 1, kpis=fair)]
    alone = by_name(Service(coordinator, 0), honest, 0.0)["a"]
    declared = [report(name, 9, kpis=lie, operator="mallory") for name in names]
    hidden = [report(name, 9, kpis=lie) for name in names]
    assert np.abs(alone).sum() > 0.0
    assert np.abs(by_name(Service(coordinator, 0), [*honest, *declared], 0.0)["a"]).sum() > 0.0
    assert not by_name(Service(coordinator, 0), [*honest, *hidden], 0.0)["a"].any()  # who is nobody's counts


def test_a_snapshot_that_overflows_is_refused_and_the_others_are_answered(coordinator) -> None:
    service, honest = Service(coordinator, 0, PLAIN), [report("a", 0), report("b", 1)]
    expected = by_name(Service(coordinator, 0, PLAIN), honest, 0.0)
    for scale in (1e10, 1e30):
        huge = report("evil", 2)
        huge = replace(huge, parameters=huge.parameters * np.float32(scale))
        actual = service.round([*(replace(copied, round=copied.round) for copied in honest), huge], 0.0)
        assert re.search("parameters of up to .* allow outputs of up to .*; at most 1e.17", actual.refused["evil"])
        assert "evil" not in service.members
        if scale == 1e10:
            for residual in actual.residuals:
                assert (residual.delta == expected[residual.network]).all()


def test_a_network_that_reports_twice_is_answered_once_for_its_newest(coordinator) -> None:
    for numbers in ((0, 1), (1, 0)):
        actual = Service(coordinator, 0, PLAIN).round(
            [*(report("a", 0, n, time_s=0.0) for n in numbers), report("b", 1)], 0.0
        )
        assert [(residual.network, residual.report_round) for residual in actual.residuals] == [("a", 1), ("b", 0)]
        assert not actual.refused


def test_raw_weights_are_of_one_architecture(coordinator) -> None:
    raw = Service(Coordinator(coordinator.probes, Design(mapping="raw"), 0), 0, PLAIN)
    actual = raw.round([report("a", 0), report("b", 1, schema=Schema((40, 32, 48), "dqn"))], 0.0)
    assert [residual.network for residual in actual.residuals] == ["a"]
    assert "raw weights are of (40, 128, 128, 48) alone" in actual.refused["b"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Safeguards(congestion=(0.8,)), "congestion: "),
        (lambda: Safeguards(congestion=(float("nan"), 0.1)), "congestion: "),
        (lambda: Safeguards(jump=-1.0), "jump: -1.0 is not a number of at least 0"),
        (lambda: Safeguards(clock_s=-5.0), "clock_s: -5.0 is not a number of at least 0"),
        (lambda: Design(gate=(0.1,)), "gate: "),
        (lambda: Design(ridge=float("nan")), "ridge = nan: must be finite and above 0"),
        (lambda: Design(spread=-1.0), "spread = -1.0: must be from 0 to 2"),
        (lambda: Design(spread=2.5), "spread = 2.5: must be from 0 to 2"),
        (lambda: Design(width=0), "width = 0: must be at least 1"),
        (lambda: Hyperparameters(rounds=0), "rounds: 0 is not a whole number of at least 1"),
        (lambda: Hyperparameters(beta=float("nan")), "beta: nan is not a number of at least 0"),
        (lambda: Hyperparameters(rounds=True), "rounds: True is not a whole number of at least 1"),
        (lambda: Hyperparameters(clip=-1.0), "clip: -1.0 is not a number of at least 0"),
    ],
)
def test_settings_outside_their_range_are_named(make, text) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        make()


def test_reports_between_rounds_are_answered_by_the_next_and_judged(coordinator) -> None:
    service, reports = Service(coordinator, 0, Safeguards(congestion=None, jump=0.01)), [report("a", 0), report("b", 1)]
    together = by_name(Service(coordinator, 0, PLAIN), reports, 0.0)
    for early in reports:
        service.receive(early, 0.0)
    actual = service.round([], 0.0)
    assert {residual.network: residual.report_round for residual in actual.residuals} == {"a": 0, "b": 0}
    for residual in actual.residuals:
        np.testing.assert_allclose(residual.delta, together[residual.network], rtol=1e-5, atol=1e-7)
    assert not service.round([], 60.0).residuals
    loud = 30.0 * report("b", 9).parameters
    service.receive(replace(report("b", 1, 1), parameters=loud), 300.0)
    again = Service(coordinator, 0, service.safeguards)
    again.load_state_dict(service.state_dict())
    for copy in (service, again):
        assert [residual.network for residual in copy.round([report("a", 0, 1)], 300.0).residuals] == ["a", "b"]
        assert copy.members["b"].trust < 0.2


def test_residuals_are_clipped_as_the_safeguards_say(coordinator) -> None:
    for clip in (0.01, 0.002):
        reports = [report("a", 0), report("b", 1)]
        actual = by_name(Service(coordinator, 0, replace(PLAIN, clip=clip)), reports, 0.0)
        for sent in reports:
            last = sent.parameters[-129 * 48 :]
            assert np.linalg.norm(actual[sent.network]) == pytest.approx(clip * np.linalg.norm(last), rel=1e-3)


def test_replayed_old_and_boundless_reports_weigh_as_they_should(coordinator) -> None:
    def view_of(service: Service, now_s: float):
        fresh = torch.exp(-(now_s - service.members.time_s) / service.safeguards.staleness_s).float()
        return service._view(service._logits(), service.members.kinds, fresh)

    service = Service(coordinator, 0, replace(PLAIN, jump=None))
    boundless = np.array([1000.0, -5.0, 7.0, 9.0], np.float32)
    service.round([report("a", 0), report("b", 1), report("c", 2, kpis=boundless)], 0.0)
    service.round([report("a", 3, 1), report("b", 0, 1)], 300.0)  # what a sent before; c is silent
    view = view_of(service, 300.0)
    np.testing.assert_allclose(view.weights[0], [1.0, 0.0, np.exp(-0.5)], rtol=1e-6)
    assert view.kpis[0, 2].tolist() == [1.0, 0.0, 2.0, 1.0]


def test_what_is_told_of_others_moves_a_residual_by_its_weight(coordinator) -> None:
    """A replayed snapshot and an old one leave others' answers as if they were not there, or less so."""

    def answer(*later: Report, silent_s: float = 0.0) -> np.ndarray:
        service = Service(coordinator, 0, replace(PLAIN, jump=None, staleness_s=60.0, clip=1e9))
        service.round([report("a", 0), report("b", 1)], 0.0)
        return by_name(service, [report("a", 2, 1, time_s=silent_s), *later], silent_s)["a"]

    heard, replayed = answer(report("b", 3, 1, time_s=0.0)), answer(report("b", 0, 1, time_s=0.0))
    assert heard.any() and not replayed.any()  # nobody counts beside a: no overlap
    old = [answer(silent_s=silent_s) for silent_s in (0.0, 1700.0)]
    assert old[0].any() and np.abs(old[1] - old[0]).max() > 0.0


def test_replayed_snapshots_count_for_nobody(coordinator) -> None:
    service = Service(coordinator, 0, replace(PLAIN, jump=None))
    service.round([report("a", 0), report("b", 1)], 0.0)
    service.round([report("a", 2, 1), report("b", 1, 1)], 300.0)  # b learnt nothing: no replay
    assert not service.members["b"].replayed
    service.round([report("a", 3, 2), report("b", 0, 2)], 600.0)  # what a sent first
    assert service.members["b"].replayed
    assert service.members.trusts.tolist() == [1.0, 0.0]
    service.round([report("a", 4, 3), report("b", 0, 3)], 900.0)
    assert service.members["b"].replayed
    service.round([report("a", 5, 4), report("b", 6, 4)], 1200.0)
    assert not service.members["b"].replayed


def test_a_sudden_change_costs_trust(coordinator) -> None:
    service = Service(coordinator, 0, Safeguards(jump=0.01))
    same = report("a", 0)
    service.round([same], 0.0)
    service.round([replace(same, round=1, time_s=300.0, parameters=1.001 * same.parameters)], 300.0)
    assert service.members["a"].trust == 1.0
    loud = 30.0 * report("a", 9).parameters
    service.round([replace(same, round=2, time_s=600.0, parameters=loud)], 600.0)
    assert service.members["a"].trust < 0.2


def test_many_networks_of_one_operator_count_as_one(coordinator) -> None:
    service = Service(coordinator, 0)
    sybils = [report(f"s{i}", i, operator="mallory") for i in range(4)]
    service.round([report("a", 10), *sybils], 0.0)
    view = service._view(service._logits(), service.members.kinds, torch.ones(5))
    assert view.weights[0].tolist() == [1.0, 0.25, 0.25, 0.25, 0.25]


def reports_at(number: int, *names: str) -> list[Report]:
    return [report(name, 10 * number + place, number) for place, name in enumerate(names)]


def test_a_service_that_was_stopped_goes_on_to_the_same_answers(coordinator) -> None:
    whole = Service(coordinator, 3, replace(PLAIN, jump=0.01))
    whole.round([*reports_at(0, "a", "b"), report("s", 9, operator="mallory")], 0.0)
    whole.round(reports_at(1, "a", "b"), 300.0)
    resumed = Service(coordinator, 8, whole.safeguards)
    resumed.load_state_dict(load(save(whole.state_dict())))
    for number in (2, 3, 8):
        reports = [*reports_at(number, "b", f"new {number}"), report("a", 10, number)]
        one, other = (service.round(reports, 300.0 * number) for service in (whole, resumed))
        assert [r.network for r in one.residuals] == [r.network for r in other.residuals]
        for mine, its in zip(one.residuals, other.residuals):
            assert (mine.round, mine.report_round) == (its.round, its.report_round)
            assert mine.delta.any() and (mine.delta == its.delta).all()
    assert list(whole.members) == list(resumed.members)
    assert torch.equal(whole.members.trusts, resumed.members.trusts)


def test_only_states_of_such_a_service_are_taken_over(coordinator, probes) -> None:
    state = Service(coordinator, 0).state_dict()
    with pytest.raises(ValueError, match="state of a service: malformed or of another one"):
        Service(coordinator, 0).load_state_dict({name: array for name, array in state.items() if name != "about"})
    with pytest.raises(ValueError, match="state of a service: rounds is missing"):
        Service(coordinator, 0).load_state_dict({name: array for name, array in state.items() if name != "rounds"})
    with pytest.raises(ValueError, match="a network has 1 codes, not 4"):
        Service(Coordinator(probes, Design(code_scope="group")), 0).load_state_dict(state)


def test_a_liar_moves_the_median_of_others_less_than_their_mean(coordinator) -> None:
    def moved(pooling: str) -> float:
        answers = []
        for seed in (3, 9):
            service = Service(coordinator, 0, replace(PLAIN, pooling=pooling, clip=1e9))
            liar = report("liar", seed)
            reported = replace(liar, parameters=20.0 * liar.parameters)
            same = [report(name, 1) for name in "abc"]
            answers.append(by_name(service, [*same, reported], 0.0)["a"])
        return float(np.linalg.norm(answers[0] - answers[1]))

    assert moved("median") < 0.5 * moved("mean")
    with pytest.raises(ValueError, match="pooling = 'mode': expected one of mean, median"):
        Safeguards(pooling="mode")


def test_codes_of_groups_and_of_many_networks_differ(probes) -> None:
    service = Service(Coordinator(probes, Design(code_scope="group")), 0)
    service.round([report(f"n{i}", i, schema=Schema((40, 4, 48))) for i in range(9)], 0.0)
    assert len(service.members.codes.flatten(0, 1).unique(dim=0)) == 36


def test_the_package_says_what_its_defaults_are() -> None:
    page, (begins, width) = agents.ccs.__doc__ or "", Safeguards().congestion or (0.0, 0.0)
    assert f"| {begins:.2f}, {width:.2f} |".replace("0.", ".") in page


@pytest.mark.parametrize("field", ["clip", "congestion", "staleness_s", "max_parameters", "jump"])
def test_safeguards_of_a_wrong_type_are_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field}: 'much'"):
        Safeguards(**{field: "much"})  # type: ignore[arg-type]


def test_a_zero_policy_stops_no_round_whatever_the_clip(coordinator) -> None:
    service = Service(coordinator, 0, Safeguards(congestion=None, clip=math.inf))
    empty = report("z", 0)
    empty = replace(empty, parameters=np.zeros_like(empty.parameters))
    actual = service.round([empty, report("a", 0), report("b", 1)], 0.0)
    assert [residual.network for residual in actual.residuals] == ["z", "a", "b"] and not actual.refused
