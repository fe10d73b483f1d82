"""Exported policies as the servers of coexisting networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.coexistence.ledger import Ledger
from lora_marl.adapters.policy import Policy, spaces_of
from lora_marl.config import CoexistenceRun, ConfigError, load
from lora_marl.envs import coexistence_v0, uplink_v0
from scripts import evaluate, record, train_sb3
from scripts.runs.coexistence.exported import ExportedServers
from scripts.runs.coexistence.strategies import build_strategy, new_rollout
from tests.scripts.conftest import ROOT

NAME = "coexistence_v0"
SHIPPED = ROOT / "configs" / "policies" / NAME


def made(env: Any, name: str = NAME, bias: float = 0.0) -> Policy:
    """Random weights; `bias` is added to the first action's number."""
    spaces = spaces_of(env, name, algorithm="none", activation="tanh", greedy=False, masked=False)
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(sum(spaces.sizes), len(spaces.feature_names))).astype(np.float32)
    return Policy(spaces, ((weight, np.eye(1, len(weight), dtype=np.float32)[0] * bias),))


def groups(**settings: Any) -> coexistence_v0.Coexisting:
    return coexistence_v0.parallel_env(coexistence="ccs_study", **{"decider": "group", **settings})


def run(path: Path, *, seeds: tuple[int, ...] = (3, 4), nodes: int = 8, **others: Any) -> CoexistenceRun:
    learners = {
        "policy": {"parameters": {"path": str(path)}},
        "random": {"name": "coexistence-random"},
        "independent": {"name": "coexistence-independent"},
    }
    networks = [{"nodes": nodes}, {"learner": "uniform", "nodes": 5}, {"learner": "dqn", "nodes": nodes}]
    section = {"networks": networks, "intervals": 12} | others
    return CoexistenceRun.model_validate({"seeds": list(seeds), "learners": learners, "coexistence": section})


def played(config: CoexistenceRun, label: str) -> list[Ledger]:
    return new_rollout(config, label).run()


def seen(replicas: int, servers: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(replicas, servers, 4, 40))


@pytest.mark.parametrize("action_format", ["discrete", "multidiscrete"])
def test_servers_choose_what_the_policy_does(action_format: str) -> None:
    policy = made(groups(action_format=action_format))
    likeliest = ExportedServers(policy, [0, 1], 3, 4).select(seen(2, 3), explore=False)
    rows = seen(2, 3).reshape(-1, 40).astype(np.float32)
    chosen = policy.choose(rows, np.empty((24, len(policy.spaces.sizes))), greedy=True)
    by_hand = chosen[:, 0] if action_format == "discrete" else (chosen[:, 0] * 3 + chosen[:, 1]) * 2 + chosen[:, 2]
    assert np.array_equal(likeliest.ravel(), by_hand)
    assert len(set(by_hand)) > 3


def test_draws_are_of_the_seed_the_server_and_the_interval() -> None:
    policy = made(groups())
    both, one = ExportedServers(policy, [5, 9], 2, 4), ExportedServers(policy, [9], 2, 4)
    alike = np.broadcast_to(seen(1, 1), (2, 2, 4, 40))
    first, second = (both.select(alike) for _ in range(2))
    assert np.array_equal(first[1:], one.select(alike[1:])) and np.array_equal(second[1:], one.select(alike[1:]))
    different = [first[0, 0], first[0, 1], first[1, 0], second[0, 0]]
    assert len({tuple(each) for each in different}) == 4
    again = ExportedServers(policy, [5, 9], 2, 4)
    again.load_state_dict(both.state_dict())
    assert np.array_equal(again.select(alike), both.select(alike))


def test_a_policy_decides_for_all_networks_that_learn(tmp_path: Path) -> None:
    made(groups(), bias=1e4).write(tmp_path)
    (ledger,) = played(run(tmp_path, seeds=(3,)), "policy")
    airtime_s = ledger.airtime_s[2:].sum(0)  # frames of the first interval may end in the next
    assert airtime_s[[0, 2], 0] == pytest.approx(airtime_s[[0, 2]].sum(-1))
    assert airtime_s[1, 1:].sum() > 0


@pytest.mark.parametrize("label", ["policy", "random"])
def test_seeds_are_played_the_same_alone_and_in_company(label: str) -> None:
    both, one = (played(run(SHIPPED, seeds=seeds), label) for seeds in ((3, 4), (4,)))
    assert np.array_equal(both[1].sums, one[0].sums, equal_nan=True)
    assert not np.array_equal(both[0].sums, one[0].sums, equal_nan=True)


def test_chance_takes_every_action_alike() -> None:
    play = new_rollout(run(SHIPPED, seeds=(0,)), "random")
    drawn = np.concatenate([play.strategy.choose(seen(1, 2)).ravel() for _ in range(1_200)])
    counts = np.bincount(drawn, minlength=48)
    assert len(counts) == 48
    assert ((counts - 200) ** 2 / 200).sum() < 90  # chi-squared, 47 degrees of freedom: 1 in 10,000


def test_the_shipped_policy_beats_chance_and_rules_of_hopping() -> None:
    config = load(ROOT / "configs" / "ccs_policies.yaml", ["seeds=[1000000,1000001]", "coexistence.intervals=30"])
    prr = {
        label: [each.measures()["prr"] for each in played(config, label)] for label in ("policy", "random", "hopping")
    }
    assert min(prr["policy"]) > max(prr["random"]) + 0.2
    assert min(prr["policy"]) > max(prr["hopping"]) + 0.05


def test_the_indicator_is_that_of_training(tmp_path: Path) -> None:
    made(groups(interference_indicator="all")).write(tmp_path)
    assert new_rollout(run(tmp_path), "policy").env.settings.interference_indicator == "all"
    assert new_rollout(run(SHIPPED), "policy").env.settings.interference_indicator == "external"


@pytest.mark.parametrize(
    ("env", "name", "message"),
    [
        (lambda: uplink_v0.parallel_env(), "uplink_v0", "on uplink_v0; servers are those of coexistence_v0"),
        (lambda: groups(decider="server"), NAME, "58 features and .* 5308416 actions; allowed are a group's 40 and 48"),
        (lambda: groups(tp_dbm=(2.0, 14.0)), NAME, r"tp_dbm \[2.0, 14.0\]; servers here have \[8.0, 14.0\]"),
        (lambda: groups(interval_s=30.0), NAME, "interval_s 30.0; servers here have 60.0"),
    ],
)
def test_policies_of_others_are_refused(env: Any, name: str, message: str, tmp_path: Path) -> None:
    made(env(), name).write(tmp_path)
    with pytest.raises(ConfigError, match=f"learners.policy: path: .*{message}"):
        build_strategy(run(tmp_path), "policy")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "path: is required"),
        ({"path": "configs/no"}, "holds no policy"),
        ({"path": "a", "greed": 1}, "greed: unknown key"),
    ],
)
def test_what_is_missing_is_named(parameters: dict[str, Any], message: str) -> None:
    config = run(SHIPPED)
    config.learners["policy"].parameters.clear()
    config.learners["policy"].parameters.update(parameters)
    with pytest.raises(ConfigError, match=f"learners.policy.*{message}"):
        build_strategy(config, "policy")


def test_trained_on_the_networks_of_a_run_and_played_there(invoke: Any, tmp_path: Path) -> None:
    pytest.importorskip("sb3_contrib", reason="needs the extra sb3")
    config = ("--config", ROOT / "configs" / "ccs_two.yaml", "--set", "coexistence.intervals=12")
    small = ("--set", "coexistence.networks=[{nodes: 8}, {nodes: 5, learner: uniform}]")
    few = ("--steps", 200, "--replicas", 2, "--held-out", 2, "--hyper", "n_steps=4", "--hyper", "batch_size=8")
    result = invoke(train_sb3.app, NAME, *config, *small, *few, "--out", tmp_path, "--name", "mine",
                    "--json", tmp_path / "a.json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert len(json.loads((tmp_path / "a.json").read_text())) == 2
    assert Policy.read(tmp_path / "mine").spaces.settings["max_cycles"] == 12
    assert all(ledger.measures()["prr"] > 0.2 for ledger in played(run(tmp_path / "mine"), "policy"))
    judged = invoke(evaluate.app, tmp_path / "mine")
    assert judged.exit_code == 2
    assert "trained on its own coexistence; train.py runs it" in judged.output


def test_episodes_of_the_shipped_policy_are_recorded(invoke: Any, tmp_path: Path) -> None:
    result = invoke(record.app, NAME, "--policy", SHIPPED, "--episodes", 1, "--out", tmp_path / "a.npz")
    assert result.exit_code == 0, result.output
    assert "1,920 transitions" in result.output
