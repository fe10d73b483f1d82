"""What the service is told in place of the truth, and direct optimisation in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.ccs.attacks import ATTACKS
from agents.ccs.privacy import GaussianMechanism
from agents.ccs.protocol import Report, packed, unpacked
from agents.ccs.service import Service
from agents.coexistence.rollout import Rollout
from lora_marl.config import CoexistenceRun, ConfigError
from scripts.runs.coexistence import strategies
from scripts.runs.coexistence.strategies import build_strategy, new_rollout

SEEDS = (3, 4)


def rollout_of(label: str = "ccs", learners: str = "PP", seeds: tuple[int, ...] = SEEDS, **parameters: Any) -> Rollout:
    return new_rollout(config_of(label, learners, seeds, **parameters), label)


def config_of(label: str, learners: str, seeds: tuple[int, ...] = SEEDS, **parameters: Any) -> CoexistenceRun:
    kinds = {"P": "pg", "D": "dqn", "L": "uniform"}
    networks = [{"learner": kinds[letter], "nodes": 8} for letter in learners]
    options = {"congestion": None, "floor": False} | parameters if label == "ccs" else parameters
    section = {"networks": networks, "intervals": 20, "vendor": 5}
    return CoexistenceRun.model_validate(
        {"seeds": list(seeds), "learners": {label: {"parameters": options}}, "coexistence": section}
    )


class Listener:
    """Plays a few rounds and keeps what services were told, what was true and what was answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rollout: Rollout, rounds: int) -> None:
        self.reports: list[list[list[Report]]] = []
        self.true: list[np.ndarray] = []
        self.residuals: list[np.ndarray] = []
        answer = Service.round

        def listening(service: Service, reports: Any, now_s: float) -> Any:
            self.reports[-1].append(list(reports))
            return answer(service, self.reports[-1][-1], now_s)

        monkeypatch.setattr(Service, "round", listening)
        strategy: Any = rollout.strategy
        strategy._fade = 0.0  # so that what is true before a round is so when servers report
        self.services: list[Service] = strategy._services
        report = strategy._round

        def noted(number: int, now_s: float) -> None:
            self.reports.append([])
            ((servers, _),) = rollout.strategy.team.learners  # type: ignore[attr-defined]
            self.true.append(servers.parameters())
            self.residuals.append(strategy.residuals.total.copy())
            report(number, now_s)

        strategy._round = noted
        while rollout.done < 5 * rounds:
            rollout.step()


def listen(monkeypatch: pytest.MonkeyPatch, rounds: int = 2, **options: Any) -> Listener:
    return Listener(monkeypatch, rollout_of(**options), rounds)


def test_the_truth_is_told_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen(monkeypatch, learners="PPP")
    for number, replicas in enumerate(listener.reports):
        for replica, reports in enumerate(replicas):
            assert [report.network for report in reports] == ["0", "1", "2"]
            assert [report.time_s for report in reports] == [300.0 * (number + 1)] * 3
            for place, report in enumerate(reports):
                assert np.array_equal(report.parameters, listener.true[number][replica, place])


@pytest.mark.parametrize(("encoding", "share"), [("float16", 0.5), ("int8", 0.5), ("top", 0.25)])
def test_the_service_sees_what_an_encoding_leaves(monkeypatch: pytest.MonkeyPatch, encoding: str, share: float) -> None:
    listener = listen(monkeypatch, 1, encoding=encoding, share=share)
    true = listener.true[0][0, 1]
    assert np.array_equal(listener.reports[0][0][1].parameters, unpacked(packed(true, encoding, share), len(true)))
    assert not np.array_equal(listener.reports[0][0][1].parameters, true)


def test_late_reports_are_those_of_so_many_rounds_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen(monkeypatch, 4, delay_rounds=2)
    assert [len(reports) for (reports, _) in listener.reports] == [0, 0, 2, 2]
    for number in (2, 3):
        report = listener.reports[number][1][0]
        assert (report.time_s, report.round) == (300.0 * (number - 1), number - 1)
        assert np.array_equal(report.parameters, listener.true[number - 2][1, 0])
    assert not listener.residuals[2].any() and listener.residuals[3].any()


def test_noise_has_the_deviation_that_was_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen(monkeypatch, learners="DD", privacy={"epsilon": 1000.0, "clip": 0.01})
    deviation = GaussianMechanism(1000.0, 1e-5, 0.01, reports=4).deviation
    for reported, true in zip(listener.reports, listener.true, strict=True):
        noise = reported[0][1].parameters - true[0, 1]
        assert noise.std() == pytest.approx(deviation, rel=0.05)
    ours, others = (listener.reports[1][replica][1].parameters - listener.true[1][replica, 1] for replica in (0, 1))
    assert abs(np.corrcoef(ours, others)[0, 1]) < 0.05


def test_what_was_learnt_is_clipped_and_residuals_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen(monkeypatch, 3, privacy={"epsilon": np.inf, "clip": 1e-6})
    reported = np.stack([report.parameters for report in listener.reports[2][0]])
    change = reported - np.stack([report.parameters for report in listener.reports[0][0]])
    last = listener.residuals[2][0].reshape(2, -1)
    assert np.linalg.norm(last, axis=1).min() > 0.1
    np.testing.assert_allclose(change[:, -last.shape[1] :], last, atol=1e-5)
    assert np.linalg.norm(listener.true[2][0] - reported, axis=1).min() > 1e-3


def test_noise_is_relative_to_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen(monkeypatch, 1, noise=0.3)
    true = listener.true[0][1, 0]
    noise = listener.reports[0][1][0].parameters - true
    assert noise.std() == pytest.approx(0.3 * np.sqrt(np.square(true).mean()), rel=0.03)


@pytest.mark.parametrize("name", [*ATTACKS, "optimised"])
def test_attacks_leave_honest_reports_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    listener = listen(monkeypatch, attack=name)
    lies = 0
    for number, replicas in enumerate(listener.reports):
        for replica, reports in enumerate(replicas):
            assert np.array_equal(reports[1].parameters, listener.true[number][replica, 1])
            changed = not np.array_equal(reports[0].parameters, listener.true[number][replica, 0])
            lies += changed or len(reports) > 2 or name.startswith("kpi")
    assert lies == {"free_rider": 0, "optimised": 2}.get(name, 4)  # the optimised one begins when it knows the codes


def test_sybils_are_members_of_one_operator_and_get_nothing_to_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen(monkeypatch, attack="sybils", seeds=(3,))
    (service,) = listener.services
    assert list(service.members) == ["0", "1", *(f"sybil {number}" for number in range(8))]
    view = service._view(service._logits(), service.members.kinds, service.members.trusts)
    assert view.weights[0, 1] > 8.5 * view.weights[0, 0] > 0.0
    assert listener.residuals[1].shape[1] == 2


def test_hidden_sybils_count_as_many_and_liars_among_them_say_that_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen(monkeypatch, attack="sybils_lying", seeds=(3,))
    (service,) = listener.services
    view = service._view(service._logits(), service.members.kinds, service.members.trusts)
    assert view.weights[0, 2:].sum() == pytest.approx(8.0, rel=0.01)
    assert (service.members.kpis[2:, 0] == 1.0).all() and service.members.kpis[1, 0] < 1.0


def test_a_free_rider_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen(monkeypatch, 3, attack="free_rider")
    assert not listener.residuals[2][:, 0].any() and listener.residuals[2][:, 1].any()


def test_a_seed_is_told_the_same_alone_and_in_company(monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({"attack": "random", "noise": 0.1}, {"attack": "optimised"}):
        with monkeypatch.context() as patch:
            both = listen(patch, **options)  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            alone = listen(patch, seeds=(4,), **options)  # type: ignore[arg-type]
        for one, other in zip(both.reports[1][1], alone.reports[1][0], strict=True):
            assert np.array_equal(one.parameters, other.parameters)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "int4"}, "encoding: 'int4' is not 'float32', 'float16', 'int8' or 'top'"),
        ({"share": 0.0}, "share: 0.0 is not greater than 0"),
        ({"privacy": {"epsilon": 0.0}}, "privacy.epsilon: 0.0 is not greater than 0"),
        ({"privacy": {"epsilon": 1.0, "clips": 1}}, "privacy.clips: unknown key"),
        ({"delay_rounds": 7}, "delay_rounds: 7 make reports 2100 s old; older than max_age_s = 1800, refused"),
        ({"attack": "ruse"}, "attack: 'ruse' is not 'random'"),
        ({"attack": "copy", "learners": "PL"}, "attack: 'copy' needs a second network that learns"),
        ({"pooling": "mode"}, "pooling = 'mode': expected one of mean, median"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match="learners.ccs: ") as caught:
        rollout_of(**options)
    assert message in str(caught.value)


def test_direct_optimisation_is_of_the_networks_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategies, "INTERVALS", 6)
    monkeypatch.setattr(strategies, "SNAPSHOTS_AT", (5, 6))
    monkeypatch.setattr(strategies, "ROLLOUTS", 2)
    strategies.stored_worlds.cache_clear()
    ledgers = {}
    for seeds in ((3, 4), (4,)):
        rollout = rollout_of("direct", "PD", seeds=seeds)
        before = [rollout.strategy.team.members[at].servers.parameters() for at in (0, 1)]  # type: ignore[attr-defined]
        while rollout.done < 7:
            rollout.step()
        ledgers[seeds] = rollout.ledgers.by_replica()[-1].sums
        for was, member in zip(before, rollout.strategy.team.members, strict=True):  # type: ignore[attr-defined]
            moved = (member.servers.parameters() - was)[..., -129 * 48 :]
            assert (np.linalg.norm(moved, axis=-1) > 0.01).all()
    assert np.array_equal(ledgers[3, 4], ledgers[(4,)])
    stored = strategies.stored_worlds("PD", Path("configs/ccs"))
    assert stored.mixture == "PD" and len(stored) == 8 * strategies.NUMBERINGS
    busiest = stored.worlds.occupancy.argmax(-1).view(strategies.NUMBERINGS, 8)
    assert (busiest != busiest[0]).any()
    strategies.stored_worlds.cache_clear()


def test_direct_optimisation_knows_no_networks_that_do_not_learn() -> None:
    with pytest.raises(ConfigError, match=r"learners.direct: coexistence.networks\[1\].learner: 'uniform'"):
        build_strategy(config_of("direct", "PL"), "direct")


def test_the_optimum_is_searched_on_the_model_that_is_named() -> None:
    busy = {"networks": [{"nodes": 8, "load": 20.0}] * 2}
    chosen = {}
    for options in ({}, {"proxy": "configs/ccs/proxy-ccs_eu868.json"}):
        config = config_of("optimum", "PP", seeds=(3,), **options)
        section = config.coexistence.model_validate(busy)  # type: ignore[union-attr]
        rollout = new_rollout(config.model_copy(update={"coexistence": section}), "optimum")
        rollout.step()
        chosen[len(options)] = rollout.strategy._chosen  # type: ignore[attr-defined]
    assert [actions.shape for actions in chosen.values()] == [(1, 2, 4)] * 2
    assert not np.array_equal(*chosen.values())
    with pytest.raises(ConfigError, match=r"learners.optimum: .*proxy-none.json"):
        build_strategy(config_of("optimum", "PP", proxy="configs/ccs/proxy-none.json"), "optimum")
