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


def play_of(label: str = "ccs", learners: str = "PP", seeds: tuple[int, ...] = SEEDS, **parameters: Any) -> Rollout:
    return new_rollout(config_of(label, learners, seeds, **parameters), label)


def config_of(label: str, learners: str, seeds: tuple[int, ...] = SEEDS, **parameters: Any) -> CoexistenceRun:
    kinds = {"P": "pg", "D": "dqn", "L": "uniform"}
    networks = [{"learner": kinds[letter], "nodes": 8} for letter in learners]
    given = {"congestion": None, "floor": False} | parameters if label == "ccs" else parameters
    section = {"networks": networks, "intervals": 20, "vendor": 5}
    return CoexistenceRun.model_validate(
        {"seeds": list(seeds), "learners": {label: {"parameters": given}}, "coexistence": section}
    )


class Listener:
    """Plays a few rounds and keeps what services were told, what was true and what was answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, play: Rollout, rounds: int) -> None:
        self.told: list[list[list[Report]]] = []
        self.true: list[np.ndarray] = []
        self.given: list[np.ndarray] = []
        answer = Service.round

        def listening(service: Service, reports: Any, now_s: float) -> Any:
            self.told[-1].append(list(reports))
            return answer(service, self.told[-1][-1], now_s)

        monkeypatch.setattr(Service, "round", listening)
        strategy: Any = play.strategy
        strategy._fade = 0.0  # so that what is true before a round is so when servers report
        self.services: list[Service] = strategy._services
        report = strategy._round

        def noted(book: Any) -> None:
            self.told.append([])
            ((servers, _),) = play.strategy.team.learners()  # type: ignore[attr-defined]
            self.true.append(servers.parameters())
            self.given.append(strategy.residuals.total.copy())
            report(book)

        strategy._round = noted
        while play.done < 5 * rounds:
            play.step()


def told_and_true(monkeypatch: pytest.MonkeyPatch, rounds: int = 2, **given: Any) -> Listener:
    return Listener(monkeypatch, play_of(**given), rounds)


def test_the_truth_is_told_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = told_and_true(monkeypatch, learners="PPP")
    for number, replicas in enumerate(heard.told):
        for replica, reports in enumerate(replicas):
            assert [each.network for each in reports] == ["0", "1", "2"]
            assert [each.time_s for each in reports] == [300.0 * (number + 1)] * 3
            for place, each in enumerate(reports):
                assert np.array_equal(each.parameters, heard.true[number][replica, place])


@pytest.mark.parametrize(("encoding", "share"), [("float16", 0.5), ("int8", 0.5), ("top", 0.25)])
def test_the_service_sees_what_an_encoding_leaves(monkeypatch: pytest.MonkeyPatch, encoding: str, share: float) -> None:
    heard = told_and_true(monkeypatch, 1, encoding=encoding, share=share)
    true = heard.true[0][0, 1]
    assert np.array_equal(heard.told[0][0][1].parameters, unpacked(packed(true, encoding, share), len(true)))
    assert not np.array_equal(heard.told[0][0][1].parameters, true)


def test_late_reports_are_those_of_so_many_rounds_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = told_and_true(monkeypatch, 4, delay_rounds=2)
    assert [len(reports) for (reports, _) in heard.told] == [0, 0, 2, 2]
    for number in (2, 3):
        each = heard.told[number][1][0]
        assert (each.time_s, each.round) == (300.0 * (number - 1), number - 1)
        assert np.array_equal(each.parameters, heard.true[number - 2][1, 0])
    assert not heard.given[2].any() and heard.given[3].any()


def test_noise_has_the_deviation_that_was_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = told_and_true(monkeypatch, learners="DD", privacy={"epsilon": 1000.0, "clip": 0.01})
    deviation = GaussianMechanism(1000.0, 1e-5, 0.01, reports=4).deviation
    for told, true in zip(heard.told, heard.true, strict=True):
        noise = told[0][1].parameters - true[0, 1]
        assert noise.std() == pytest.approx(deviation, rel=0.05)
    ours, others = (heard.told[1][replica][1].parameters - heard.true[1][replica, 1] for replica in (0, 1))
    assert abs(np.corrcoef(ours, others)[0, 1]) < 0.05


def test_what_was_learnt_is_clipped_and_residuals_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = told_and_true(monkeypatch, 3, privacy={"epsilon": np.inf, "clip": 1e-6})
    told = np.stack([each.parameters for each in heard.told[2][0]])
    change = told - np.stack([each.parameters for each in heard.told[0][0]])
    last = heard.given[2][0].reshape(2, -1)
    assert np.linalg.norm(last, axis=1).min() > 0.1
    np.testing.assert_allclose(change[:, -last.shape[1] :], last, atol=1e-5)
    assert np.linalg.norm(heard.true[2][0] - told, axis=1).min() > 1e-3


def test_noise_is_relative_to_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = told_and_true(monkeypatch, 1, noise=0.3)
    true = heard.true[0][1, 0]
    noise = heard.told[0][1][0].parameters - true
    assert noise.std() == pytest.approx(0.3 * np.sqrt(np.square(true).mean()), rel=0.03)


@pytest.mark.parametrize("name", [*ATTACKS, "optimised"])
def test_attacks_leave_honest_reports_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    heard = told_and_true(monkeypatch, attack=name)
    lies = 0
    for number, replicas in enumerate(heard.told):
        for replica, reports in enumerate(replicas):
            assert np.array_equal(reports[1].parameters, heard.true[number][replica, 1])
            changed = not np.array_equal(reports[0].parameters, heard.true[number][replica, 0])
            lies += changed or len(reports) > 2 or name.startswith("kpi")
    assert lies == {"free_rider": 0, "optimised": 2}.get(name, 4)  # the optimised one begins when it knows the codes


def test_sybils_are_members_of_one_operator_and_get_nothing_to_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = told_and_true(monkeypatch, attack="sybils", seeds=(3,))
    (service,) = heard.services
    assert list(service.members) == ["0", "1", *(f"sybil {number}" for number in range(8))]
    view = service._view(service._logits(), service.members.kinds, service.members.trusts)
    assert view.weights[0, 1] > 8.5 * view.weights[0, 0] > 0.0
    assert heard.given[1].shape[1] == 2


def test_hidden_sybils_count_as_many_and_liars_among_them_say_that_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = told_and_true(monkeypatch, attack="sybils_lying", seeds=(3,))
    (service,) = heard.services
    view = service._view(service._logits(), service.members.kinds, service.members.trusts)
    assert view.weights[0, 2:].sum() == pytest.approx(8.0, rel=0.01)
    assert (service.members.kpis[2:, 0] == 1.0).all() and service.members.kpis[1, 0] < 1.0


def test_a_free_rider_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = told_and_true(monkeypatch, 3, attack="free_rider")
    assert not heard.given[2][:, 0].any() and heard.given[2][:, 1].any()


def test_a_seed_is_told_the_same_alone_and_in_company(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ({"attack": "random", "noise": 0.1}, {"attack": "optimised"}):
        with monkeypatch.context() as patch:
            both = told_and_true(patch, **given)  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            alone = told_and_true(patch, seeds=(4,), **given)  # type: ignore[arg-type]
        for one, other in zip(both.told[1][1], alone.told[1][0], strict=True):
            assert np.array_equal(one.parameters, other.parameters)


@pytest.mark.parametrize(
    ("given", "message"),
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
def test_what_cannot_be_is_said(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match="learners.ccs: ") as caught:
        play_of(**given)
    assert message in str(caught.value)


def test_direct_optimisation_is_of_the_networks_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategies, "INTERVALS", 6)
    monkeypatch.setattr(strategies, "SNAPSHOTS_AT", (5, 6))
    monkeypatch.setattr(strategies, "ROLLOUTS", 2)
    strategies.stored_worlds.cache_clear()
    ledgers = {}
    for seeds in ((3, 4), (4,)):
        play = play_of("direct", "PD", seeds=seeds)
        before = [play.strategy.team.members[at].servers.parameters() for at in (0, 1)]  # type: ignore[attr-defined]
        while play.done < 7:
            play.step()
        ledgers[seeds] = play.ledgers.by_replica()[-1].sums
        for was, member in zip(before, play.strategy.team.members, strict=True):  # type: ignore[attr-defined]
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
    for given in ({}, {"proxy": "configs/ccs/proxy-ccs_eu868.json"}):
        config = config_of("optimum", "PP", seeds=(3,), **given)
        section = config.coexistence.model_validate(busy)  # type: ignore[union-attr]
        play = new_rollout(config.model_copy(update={"coexistence": section}), "optimum")
        play.step()
        chosen[len(given)] = play.strategy._chosen  # type: ignore[attr-defined]
    assert [actions.shape for actions in chosen.values()] == [(1, 2, 4)] * 2
    assert not np.array_equal(*chosen.values())
    with pytest.raises(ConfigError, match=r"learners.optimum: .*proxy-none.json"):
        build_strategy(config_of("optimum", "PP", proxy="configs/ccs/proxy-none.json"), "optimum")
