"""Ways of coordinating networks, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lora_marl.config import TrainConfig
from scripts.coexistence import ways
from scripts.coexistence.ledger import SUMS, Ledger
from scripts.coexistence.play import Play
from scripts.coexistence.run import extras, new_play

NETWORK = {"learner": "pg", "nodes": 8}


def play_of(way: str, networks: list[dict[str, Any]], intervals: int = 12, **parameters: Any) -> Play:
    section = {"preset": "ccs_study", "networks": networks, "intervals": intervals, "vendor": 5}
    learners = {way: {"parameters": parameters}}
    config = TrainConfig.model_validate({"seeds": [3, 4], "learners": learners, "coexistence": section})
    return new_play(config, way)


def test_averaging_is_over_the_networks_of_a_world_and_not_over_worlds() -> None:
    play = play_of("averaging", 3 * [NETWORK])
    ((servers, _),) = play.way.team.learners()  # type: ignore[attr-defined]
    while play.done < 4:
        play.play_next()
    before = servers.parameters()
    assert np.abs(before[:, 0] - before[:, 1]).max() > 1e-4
    learn, learnt = play.way.team.update, []  # type: ignore[attr-defined]
    play.way.team.update = lambda *told: (learn(*told), learnt.append(servers.parameters()))  # type: ignore[attr-defined]
    play.play_next()
    now, mean = servers.parameters(), learnt[-1].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(now, np.broadcast_to(mean, now.shape), rtol=1e-5, atol=1e-7)
    assert np.abs(now[0] - now[1]).max() > 1e-4


def test_the_optimum_is_searched_anew_when_a_network_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    searched, found = [], ways.best_actions
    play = play_of("optimum", [NETWORK, NETWORK | {"silent_s": [[120, 240]]}], intervals=6)

    def noted(facts: Any, *more: Any) -> Any:
        searched.append((play.done, facts["rate_hz"].sum(axis=-1)[0].tolist()))
        return found(facts, *more)

    monkeypatch.setattr(ways, "best_actions", noted)
    while not play.finished:
        play.play_next()
    assert [done for done, _ in searched] == [0, 2, 4]
    assert searched[1][1][1] == 0.0 and searched[0][1] == searched[2][1]


def test_a_trial_is_of_what_a_server_has_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    play = play_of("ccs", 2 * [NETWORK], accept=True, congestion=None, floor=False)
    way, tried = play.way, []
    while play.done < 4:
        play.play_next()
    take, apply = way.held.take, way._acceptance.apply  # type: ignore[attr-defined]
    taken: list[np.ndarray] = []

    def half(delta: np.ndarray, clip: float) -> np.ndarray:
        taken.append(take(np.float32(0.5) * delta, clip))
        return taken[-1]

    monkeypatch.setattr(way.held, "take", half)  # type: ignore[attr-defined]
    monkeypatch.setattr(way._acceptance, "apply", lambda delta: (tried.append(delta), apply(delta)))  # type: ignore[attr-defined]
    play.play_next()
    assert taken[0].any() and np.array_equal(tried[0], taken[0])


def test_what_spills_over_is_read_off_those_that_do_not_learn() -> None:
    sums = np.zeros((2, 3, len(SUMS)))
    sums[..., SUMS.index("attempts")] = 100.0
    sums[..., SUMS.index("received")] = [50.0, 80.0, 20.0]
    sums[:, 1, SUMS.index("reward")] = np.nan
    found = extras(Ledger(sums, np.ones((2, 3, 8))))
    assert found["legacy_prr"] == pytest.approx(0.8) and found["learning_prr"] == pytest.approx(0.35)
    assert [found[f"prr_{s}"] for s in range(3)] == pytest.approx([0.5, 0.8, 0.2])
