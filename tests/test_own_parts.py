"""A scenario, a learner and a reward term of a user's, who has a folder of their own and edits nothing here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import lora_marl
from lora_marl.config import ConfigError, load
from lora_marl.core.coexistence import Deployment
from lora_marl.core.presets import conference_network, mmalora_network
from lora_marl.core.presets.ccs import ccs_study
from scripts import compare, train, train_sb3
from scripts.runs.coexistence.networks import build_environment

ROOT = Path(__file__).parents[1]

MODULE = '''
from typing import ClassVar

import numpy as np

from agents.learner import Learner


class Lazy(Learner):
    """Everybody keeps spreading factor number `index`."""

    name: ClassVar[str] = "lazy"

    def __init__(self, scenario, seeds, *, index=0):
        super().__init__(scenario, seeds)
        self.index = index

    def initial_points(self):
        points = super().initial_points()
        points[..., 0] = self.index
        return points

    def select(self, decisions):
        return self.initial_points()[decisions.replica, decisions.node]


def quiet(outcome, scales):
    """Less airtime is better."""
    return -outcome.airtime_s


def flat(*arguments):
    return 0.0


def listed(outcome, scales):
    return outcome.airtime_s.tolist()


def wrong(outcome, scales):
    return np.where(outcome.airtime_s > 0, np.nan, 0.0)


def crowd(expected, channel_nodes):
    """The more nodes the better, wherever that may lead."""
    return np.ones_like(expected.ee) * channel_nodes


def lost(interval):
    """Frames given up, and what no attempt leads to."""
    return -1.0 - interval.totals.frames_lost


def boom(interval):
    return interval.nothing_of_the_kind
'''

CONFIG = """
name: mine
seeds: [0, 1]
duration_h: 0.5
interval_h: 0.25
scenario:
  topology: {kind: csv, nodes_csv: nodes.csv, gateways_csv: gateways.csv}
  traffic: {interval_s: 30}
learners:
  mine: {name: "my_parts:Lazy", parameters: {index: 2}}
environment: {name: uplink_v0, parameters: {reward: {delivery: 1, "my_parts:quiet": 0.5}, window_s: 30, max_cycles: 10}}
"""


SMALL: dict[str, dict[str, Any]] = {
    "uplink_v0": {"scenario": conference_network(5, 2000.0)},
    "energy_v0": {"scenario": mmalora_network(40, 2)},
    "coexistence_v0": {"coexistence": ccs_study([Deployment(nodes=8), Deployment(nodes=12)])},
}

COEXISTENCE = """
name: ours
seeds: [0]
coexistence:
  preset: ccs_study
  intervals: 2
  networks: [{learner: pg, nodes: 8, reward: {"my_parts:lost": 0.5}}, {learner: uniform, nodes: 8}, {nodes: 8}]
  reward: {delivery: 2}
learners: {independent: {}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """What the user wrote."""
    (tmp_path / "my_parts.py").write_text(MODULE)
    (tmp_path / "mine.yaml").write_text(CONFIG)
    (tmp_path / "ours.yaml").write_text(COEXISTENCE)
    (tmp_path / "nodes.csv").write_text("x_m,y_m\n100,0\n0,400\n-250,-250\n700,10\n")
    (tmp_path / "gateways.csv").write_text("x_m,y_m\n0,0\n500,0\n")
    yield tmp_path
    sys.modules.pop("my_parts", None)


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """The records of a script that is called from the folder; `(script, *arguments)`."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))

    def run(script: ModuleType, *arguments: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(script.app, [*arguments, "--json", "out.json"])
        assert result.exit_code == 0, result.output
        return json.loads(Path("out.json").read_text())

    return run


def test_a_learner_is_trained_on_a_scenario_of_files(folder: Path) -> None:
    config = load(folder / "mine.yaml")
    scenario = config.scenario.build()
    assert scenario.nodes == 4 and scenario.gateways == 2
    # In a process of its own: the script itself finds what lies where it is called.
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), "--config", "mine.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    row = (folder / "runs" / "mine" / "0" / "mine" / "metrics.csv").read_text().splitlines()
    last = dict(zip(row[0].split(","), row[-1].split(","), strict=True))
    used = {name: float(value) for name, value in last.items() if name.startswith("sent_sf")}
    assert used.pop("sent_sf9") == float(last["sent"]) > 0
    assert not any(used.values())


def test_a_learner_is_compared(call: Callable[..., Any]) -> None:
    arguments = ("mine.yaml", "--learners", "my_parts:Lazy", "--no-reference", "--jobs", "1", "--hours", "0.2")
    compared = {record["learner"] for record in call(compare, *arguments)}
    assert {"mine", "my_parts:Lazy", "random"} <= compared


@pytest.mark.skipif(not find_spec("sb3_contrib"), reason="needs the extra sb3")
def test_a_policy_is_trained_on_a_reward_term(call: Callable[..., Any]) -> None:
    tiny = ("--steps", "40", "--held-out", "1", "--replicas", "1", "--hyper", "n_steps=10", "--hyper", "batch_size=10")
    records = call(train_sb3, "uplink_v0", "--config", "mine.yaml", *tiny)
    settings = json.loads(Path("runs/sb3/policy/policy.json").read_text())["settings"]
    assert settings["reward"] == {"delivery": 1, "my_parts:quiet": 0.5}
    assert np.isfinite(records[0]["reward"])


def test_a_reward_term_is_a_part_of_infos(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    network = conference_network(5, 2000.0)
    env = lora_marl.make("uplink_v0", scenario=network, reward={"delivery": 1.0, "my_parts:quiet": 0.5}, replicas=2)
    env.reset_array([0, 1])
    _, rewards, *_, infos = env.step_array(env.game.first_actions())
    assert (infos["reward_quiet"] <= 0).all() and infos["reward_quiet"].any()
    np.testing.assert_allclose(rewards, infos["reward_delivery"] + 0.5 * infos["reward_quiet"])
    for reward, message in (
        ({"my_parts:loud": 1.0}, "'my_parts:loud' cannot be imported"),
        ({"no_parts:loud": 1.0}, "'no_parts:loud' cannot be imported"),
        ({"delivery": 1.0, "lora_marl.envs.uplink.reward:delivery": 1.0}, "is a second term called 'delivery'"),
    ):
        with pytest.raises(ValueError, match=message):
            lora_marl.make("uplink_v0", scenario=network, reward=reward)
    env = lora_marl.make("uplink_v0", scenario=network, reward={"my_parts:listed": 2}, info_level="none", replicas=2)
    env.reset_array([0, 1])
    rewards = env.step_array(env.game.first_actions())[1]
    assert rewards.shape == (2, 5) and rewards.dtype == np.float64
    np.testing.assert_allclose(rewards, 2.0 * env.game.outcome.airtime_s)
    for reward, message in (
        ({"my_parts:wrong": 1.0}, "wrong returned .* values that are not finite"),
        ({1: 1.0}, "1 is not the name of a term"),
    ):
        with pytest.raises(ValueError, match=f"reward: {message}"):
            env = lora_marl.make("uplink_v0", scenario=network, reward=reward, replicas=1)
            env.reset_array([0])
            env.step_array(env.game.first_actions())
    flat_reward: dict[str, Any] = {"my_parts:flat": 1.0}
    for name, settings in SMALL.items():
        with pytest.raises(ValueError, match=r"reward: flat returned shape \(\); expected is \(1, "):
            lora_marl.make(name, **settings, reward=flat_reward).reset()


def quiet(outcome: Any, scales: Any) -> Any:
    return -outcome.airtime_s


def test_a_reward_term_may_be_a_function() -> None:
    network = conference_network(5, 2000.0)
    rewards = {}
    for reward in ({"delivery": 1.0, quiet: 0.5}, {quiet: 0.5}, quiet):
        env = lora_marl.make("uplink_v0", scenario=network, reward=reward, replicas=1)
        env.reset_array([0])
        _, rewards[len(rewards)], *_, infos = env.step_array(env.game.first_actions())
        assert (infos["reward_quiet"] <= 0).all() and infos["reward_quiet"].any()
    np.testing.assert_allclose(rewards[1], 0.5 * rewards[2])
    np.testing.assert_allclose(rewards[2], infos["reward_quiet"])
    for reward, message in (
        ({lambda outcome, scales: outcome.sent: 1.0}, "has no name, under which infos show the term; define it by def"),
        ({quiet: 1.0, "elsewhere:quiet": 1.0}, "is a second term called 'quiet'"),
    ):
        with pytest.raises(ValueError, match=message):
            lora_marl.make("uplink_v0", scenario=network, reward=reward)


def losses(interval: Any) -> Any:
    return -interval.totals.frames_lost


def crowd(counterfactuals: Any, channel_nodes: Any) -> Any:
    return np.broadcast_to(channel_nodes, counterfactuals.delivery.shape)


@pytest.mark.parametrize(
    ("name", "reward"),
    [
        ("coexistence_v0", losses),
        ("coexistence_v0", [{losses: 2.0}, losses]),
        ("energy_v0", crowd),
        ("energy_v0", {crowd: 1.0}),
    ],
)
def test_every_environment_takes_functions_as_terms(name: str, reward: Any) -> None:
    env = lora_marl.make(name, **SMALL[name] | {"reward": reward})
    env.reset_array([0])
    *_, infos = env.step_array(env.game.first_actions())
    assert f"reward_{'crowd' if name == 'energy_v0' else 'losses'}" in infos


def test_a_reward_term_counts_for_nodes_that_are_delivered_often_enough(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(folder))
    env = lora_marl.make("energy_v0", **SMALL["energy_v0"], reward={"own": 2.0, "my_parts:crowd": 0.5}, replicas=2)
    env.reset_array([0, 1])
    _, rewards, *_, infos = env.step_array(np.zeros_like(env.game.first_actions()))
    fine = infos["violation"] == 0
    assert 0 < fine.sum() < fine.size
    assert np.array_equal(infos["reward_crowd"], np.where(fine, env.game.channel_nodes, 0))
    np.testing.assert_allclose(rewards, 2.0 * infos["reward_own"] + 0.5 * infos["reward_crowd"])


def test_a_reward_term_is_weighed_by_each_network(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(folder))
    reward = [{"my_parts:lost": 0.5}, {"delivery": 1.0}]
    env = lora_marl.make("coexistence_v0", **SMALL["coexistence_v0"], reward=reward, decider="group", replicas=2)
    env.reset_array([0, 1])
    _, rewards, *_, infos = env.step_array(env.game.first_actions())
    first, attempts = np.arange(len(env.possible_agents)) < env.settings.groups, infos["attempts"]
    assert 0 < (attempts > 0).sum()
    expected = np.where(first & (attempts > 0), 0.5 * (-1.0 - infos["frames_lost"]), 0.0)
    np.testing.assert_allclose(infos["reward_lost"], expected)
    assert not infos["reward_delivery"][:, first].any() and not infos["reward_energy"].any()
    np.testing.assert_allclose(rewards, infos["reward_lost"] + infos["reward_delivery"])
    with pytest.raises(ValueError, match="is a second term called 'delivery'"):
        lora_marl.make("coexistence_v0", reward=[{"delivery": 1.0}, {"lora_marl.envs.uplink.reward:delivery": 1.0}])


def test_a_reward_term_is_named_in_a_configuration_of_coexisting_networks(call: Callable[..., Any]) -> None:
    config = load(Path("ours.yaml"))
    env = build_environment(config.coexistence, 1)
    env.reset_array([0])
    *_, infos = env.step_array(np.zeros((1, 8), np.int64))
    first = np.arange(8) < 4
    assert (infos["reward_lost"][0, first] < 0.0).any() and not infos["reward_lost"][0, ~first].any()
    assert (infos["reward_delivery"][0, ~first] > 1.0).any() and not infos["reward_delivery"][0, first].any()
    assert call(train, "--config", "ours.yaml")[0]["learner"] == "independent"
    with pytest.raises(ConfigError, match=r"networks\[1\].*reward: .*learner 'uniform' has none"):
        load(Path("ours.yaml"), ["coexistence.networks=[{}, {learner: uniform, reward: {delivery: 1}}]"])


def test_a_reward_term_that_fails_is_named_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    section = "{networks: [{nodes: 4}, {}], intervals: 4, reward: {'my_parts:boom': 1}, preset: ccs_study}"
    (folder / "fails.yaml").write_text(f"coexistence: {section}\nlearners: {{independent: {{}}}}\nname: fails\n")
    result = CliRunner().invoke(train.app, ["--config", "fails.yaml"])
    assert result.exit_code == 2, result.output
    assert "error: coexistence.reward: boom: AttributeError: 'Interval' object has no" in result.output


def test_the_page_on_own_parts_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "own_parts.md").read_text()
    module, config = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "yaml"))
    assert module and config
    (tmp_path / "my_parts.py").write_text(module[1])
    (tmp_path / "mine.yaml").write_text(config[1])
    (tmp_path / "nodes.csv").write_text("x_m,y_m\n100,0\n0,700\n")
    (tmp_path / "gateways.csv").write_text("x_m,y_m\n0,0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("my_parts", None)
    result = CliRunner().invoke(train.app, ["--config", "mine.yaml", "--json", "out.json"])
    assert result.exit_code == 0, result.output
    assert {record["learner"] for record in json.loads(Path("out.json").read_text())} == {"steps", "cucb"}
    config_of_the_page = load(Path("mine.yaml"))
    reward = config_of_the_page.environment.parameters["reward"]  # type: ignore[union-attr]
    env = lora_marl.make("uplink_v0", scenario=config_of_the_page.scenario.build(), reward=reward)
    env.reset(seed=0)
    networks = lora_marl.make("coexistence_v0", **SMALL["coexistence_v0"], reward={"my_parts:patient": 0.1})
    networks.reset(seed=0)
    sys.modules.pop("my_parts", None)
    (by_hand,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "Service(" in block)
    namespace: dict[str, Any] = {}
    exec(by_hand, namespace)
    assert namespace["answer"].refused == {} and len(namespace["answer"].residuals) == 2 and namespace["deltas"].any()
