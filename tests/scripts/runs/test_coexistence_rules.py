"""Strategies of coexisting networks, step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from agents.ccs.residuals import FairnessFloor
from agents.ccs.service import Service
from agents.coexistence import rules
from agents.coexistence.ledger import SUMS, Ledger
from agents.coexistence.rollout import Rollout
from lora_marl.config import CoexistenceRun, ConfigError
from scripts.runs.coexistence.run import measures_of
from scripts.runs.coexistence.strategies import new_rollout

NETWORK = {"learner": "pg", "nodes": 8}


def rollout_of(name: str, networks: list[dict[str, Any]], intervals: int = 12, **parameters: Any) -> Rollout:
    section = {"preset": "ccs_study", "networks": networks, "intervals": intervals, "vendor": 5}
    learners = {name: {"parameters": parameters}}
    config = CoexistenceRun.model_validate({"seeds": [3, 4], "learners": learners, "coexistence": section})
    return new_rollout(config, name)


def test_averaging_is_over_the_networks_of_a_world_and_not_over_worlds() -> None:
    rollout = rollout_of("averaging", 3 * [NETWORK])
    ((servers, _),) = rollout.strategy.team.learners  # type: ignore[attr-defined]
    while rollout.done < 4:
        rollout.step()
    before = servers.parameters()
    assert np.abs(before[:, 0] - before[:, 1]).max() > 1e-4
    learn, learnt = rollout.strategy.team.update, []  # type: ignore[attr-defined]
    rollout.strategy.team.update = lambda *update: (learn(*update), learnt.append(servers.parameters()))  # type: ignore[attr-defined]
    rollout.step()
    now, mean = servers.parameters(), learnt[-1].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(now, np.broadcast_to(mean, now.shape), rtol=1e-5, atol=1e-7)
    assert np.abs(now[0] - now[1]).max() > 1e-4


def test_the_optimum_is_searched_anew_when_a_network_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    searched, search = [], rules.best_actions
    rollout = rollout_of("optimum", [NETWORK, NETWORK | {"silent_s": [[120, 240]]}], intervals=6)

    def noted(facts: Any, *more: Any) -> Any:
        searched.append((rollout.done, facts["rate_hz"].sum(axis=-1)[0].tolist()))
        return search(facts, *more)

    monkeypatch.setattr(rules, "best_actions", noted)
    while not rollout.finished:
        rollout.step()
    assert [done for done, _ in searched] == [0, 2, 4]
    assert searched[1][1][1] == 0.0 and searched[0][1] == searched[2][1]


def test_a_trial_is_of_what_a_server_has_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    rollout = rollout_of("ccs", 2 * [NETWORK], accept=True, congestion=None, floor=False)
    strategy, tried = rollout.strategy, []
    while rollout.done < 4:
        rollout.step()
    take, apply = strategy.residuals.take, strategy._acceptance.apply  # type: ignore[attr-defined]
    taken: list[np.ndarray] = []

    def half(delta: np.ndarray, clip: float) -> np.ndarray:
        taken.append(take(np.float32(0.5) * delta, clip))
        return taken[-1]

    monkeypatch.setattr(strategy.residuals, "take", half)  # type: ignore[attr-defined]
    monkeypatch.setattr(strategy._acceptance, "apply", lambda delta: (tried.append(delta), apply(delta)))  # type: ignore[attr-defined]
    rollout.step()
    assert taken[0].any() and np.array_equal(tried[0], taken[0])


def test_what_spills_over_is_read_off_those_that_do_not_learn() -> None:
    sums = np.zeros((2, 3, len(SUMS)))
    sums[..., SUMS.index("attempts")] = 100.0
    sums[..., SUMS.index("received")] = [50.0, 80.0, 20.0]
    sums[:, 1, SUMS.index("reward")] = np.nan
    found = measures_of(Ledger(sums, np.ones((2, 3, 8))))
    assert found["legacy_prr"] == pytest.approx(0.8) and found["learning_prr"] == pytest.approx(0.35)
    assert [found[f"prr_{s}"] for s in range(3)] == pytest.approx([0.5, 0.8, 0.2])


def test_ranked_partitions_follow_interference_and_static_ones_stay() -> None:
    for name, follows in (("ranked-partition", True), ("static-partition", False)):
        rollout = rollout_of(name, 2 * [NETWORK], intervals=32)
        chosen = []
        while not rollout.finished:
            occupancy = rollout.env.game.facts()["occupancy"]
            rollout.step()
            channel = rollout.strategy._chosen // 6  # type: ignore[attr-defined]
            chosen.append((occupancy, channel))
        used = [np.take_along_axis(busy, channel.reshape(2, -1), -1).max() for busy, channel in chosen]
        assert used[29] < 0.5, "four good channels"
        assert (used[31] < 0.5) == follows
        moved = [number for number in range(1, 32) if not np.array_equal(chosen[number][1], chosen[number - 1][1])]
        assert moved == ([30] if follows else [])


def test_random_residuals_have_the_norms_of_the_service_and_other_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    rollout, residuals = rollout_of("random-residual", 2 * [NETWORK], congestion=None, floor=False), []
    changed = rollout.strategy.applied  # type: ignore[attr-defined]

    def noted(replica: int, delta: np.ndarray) -> np.ndarray:
        residuals.append((delta, changed(replica, delta)))
        return residuals[-1][1]

    monkeypatch.setattr(rollout.strategy, "applied", noted)
    while rollout.done < 5:
        rollout.step()
    assert len(residuals) == 4
    for asked, taken in residuals:
        assert np.linalg.norm(taken) == pytest.approx(np.linalg.norm(asked), rel=1e-5) and asked.any()
        assert abs(np.vdot(asked, taken)) < 0.2 * np.vdot(asked, asked)


def test_servers_learn_from_rows_weighed_by_their_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    rollout, steps = rollout_of("coexistence-independent", [NETWORK, NETWORK | {"silent_s": [[60, 600]]}]), []
    monkeypatch.setattr(rollout.strategy, "learn", lambda *step: steps.append(step))
    rollout.step()
    rollout.step()
    attempts = rollout.env.game.totals.attempts
    observations, actions, rewards, weights, following = steps[1]
    assert np.array_equal(weights, attempts) and attempts[:, 0].all() and attempts.max() > 1
    assert np.array_equal(observations, steps[0][4]) and not np.array_equal(observations, following)
    assert actions.shape == rewards.shape == weights.shape


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("ccs", {"clips": 1}, r"learners.ccs.parameters.clips: unknown key; did you mean 'clip'"),
        ("ccs", {"clip": "big"}, "clip: 'big' is not a number above 0"),
        ("ccs", {"congestion": 0.8}, "congestion: 0.8; expected where it begins and its width"),
        ("ccs", {"participation": "all"}, "participation: 'all' is not above 0"),
        ("ccs", {"privacy": {"epsilon": 1.0}, "floor": True}, "privacy: needs floor: false and accept: false"),
        ("averaging", {"indicators": "all"}, "parameters.indicators: unknown key"),
        ("policy", {}, "learners.policy.parameters.path: is required"),
        ("policy", {"paths": "x"}, "parameters.paths: unknown key; did you mean 'path'"),
    ],
)
def test_parameters_of_a_strategy_are_refused_by_name(name: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        rollout_of(name, [NETWORK, NETWORK], **parameters)


def test_who_attacks_goes_on_reporting_when_its_own_floor_would_silence_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for attack, silent in (("kpi_worst", False), (None, True)):
        rollout = rollout_of("ccs", 2 * [NETWORK], attack=attack, congestion=None)
        while rollout.done < 4:
            rollout.step()
        strategy = rollout.strategy
        monkeypatch.setattr(FairnessFloor, "allowed", np.zeros((2, 2), np.bool_))
        assert [bool(strategy._participating(0)[place]) for place in (0, 1)] == [not silent, False]  # type: ignore[attr-defined]


def test_private_servers_take_what_the_service_answers_and_no_floor_frees_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is subtracted from snapshots follows from answers alone."""
    rollout = rollout_of("ccs", 2 * [NETWORK], privacy={"epsilon": 1.0, "clip": 0.001}, congestion=None)
    strategy, fade = rollout.strategy, rollout.strategy._fade  # type: ignore[attr-defined]
    answered, rounds = np.zeros_like(strategy.residuals.total), 0  # type: ignore[attr-defined]
    original = Service.round

    def noted(service: Service, reports: Any, now_s: float) -> Any:
        nonlocal rounds
        found, replica = original(service, reports, now_s), strategy._services.index(service)  # type: ignore[attr-defined]
        answered[replica] *= 1.0 - fade
        for residual in found.residuals:
            answered[replica, int(residual.network)] += residual.delta
        rounds += 1
        return found

    monkeypatch.setattr(Service, "round", noted)
    while not rollout.finished:
        rollout.step()
    assert rounds == 4 and np.abs(answered).max() > 0.01
    np.testing.assert_allclose(strategy.residuals.total, answered, rtol=1e-4, atol=1e-5)  # type: ignore[attr-defined]


def test_a_vendor_that_is_not_there_is_said_beside_those_that_are() -> None:
    section = {"preset": "ccs_study", "networks": [NETWORK], "vendor": 99}
    config = CoexistenceRun.model_validate(
        {"seeds": [3], "learners": {"independent": {"name": "coexistence-independent"}}, "coexistence": section}
    )
    with pytest.raises(ConfigError, match=r"coexistence.vendor: .*pg-99.safetensors is not there; .* 0, 1, 2, "):
        new_rollout(config, "independent")


def test_without_a_clip_an_empty_layer_takes_what_it_is_given() -> None:
    rollout = rollout_of("ccs", 2 * [NETWORK])
    ((servers, _),) = rollout.strategy.team.learners  # type: ignore[attr-defined]
    servers.replace_parameters(np.zeros_like(servers.parameters()))
    held = rollout.strategy.residuals  # type: ignore[attr-defined]
    delta = np.full_like(held.total, 0.25)
    assert np.array_equal(held.take(delta, math.inf), delta)
    assert np.array_equal(held.total, delta)


def test_former_names_of_strategies_work_with_a_warning() -> None:
    section = {"preset": "ccs_study", "networks": [NETWORK], "intervals": 12}
    for former, strategy in (("independent", "IndependentServers"), ("random", "RandomActions")):
        with pytest.warns(DeprecationWarning, match=f"learners.mine: '{former}' is now 'coexistence-{former}'"):
            config = CoexistenceRun.model_validate(
                {"seeds": [3], "learners": {"mine": {"name": former}}, "coexistence": section}
            )
        assert config.learners["mine"].name == f"coexistence-{former}"
        assert type(new_rollout(config, "mine").strategy).__name__ == strategy
    with pytest.raises(ConfigError, match="'hoping' is no strategy of coexisting networks; did you mean 'hopping'"):
        rollout_of("hoping", [NETWORK])
