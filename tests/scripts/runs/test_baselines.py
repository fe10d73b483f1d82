"""What a policy is compared with: random actions among the allowed ones, the best constant, the best rule."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import agents
import lora_marl
from lora_marl.adapters.offline import policy_choice, record
from lora_marl.adapters.policy import Policy
from lora_marl.core.topology import uniform_disc
from scripts.runs.baselines import (
    best_without_learning,
    compare,
    constants,
    held,
    mean_rewards,
    rewards_of_policy,
    rewards_of_random,
    rules,
)
from tests.envs.small import SETTINGS
from tests.scripts.conftest import ROOT


def test_random_actions_are_allowed_ones_and_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    env = lora_marl.make("energy_v0", only_channel=0, replicas=2, max_cycles=60, info_level="none")
    step, drawn = env.step_array, np.zeros((2, *env.mask_array().shape[1:]), bool)

    def noted(actions: np.ndarray) -> tuple:
        assert np.take_along_axis(env.mask_array(), actions[..., None], axis=-1).all()
        np.put_along_axis(drawn, actions[..., None], True, axis=-1)
        return step(actions)

    monkeypatch.setattr(env, "step_array", noted)
    rewards_of_random(env, [0, 1])
    masks = env.mask_array()
    assert not masks.all() and drawn[masks].mean() > 0.8


def test_evaluations_and_recordings_choose_alike() -> None:
    folder = ROOT / "configs" / "policies" / "energy_v0"
    settings = {"only_channel": 0, "replicas": 2, "max_cycles": 4, "info_level": "none"}
    env, policy = lora_marl.make("energy_v0", **settings), Policy.read(folder)
    choose = policy_choice(policy, env, np.random.default_rng(0))
    for rewards, recording in (
        (rewards_of_random(env, [0, 1]), record(env, "energy_v0", [0, 1], None)),
        (rewards_of_policy(env, [0, 1], policy), record(env, "energy_v0", [0, 1], choose)),
    ):
        np.testing.assert_allclose(rewards, recording.rewards.mean(axis=(1, 2)))


def test_a_held_action_that_is_masked_is_the_first_allowed_one() -> None:
    env = lora_marl.make("energy_v0", only_channel=0, replicas=2, max_cycles=2, info_level="none")
    env.reset_array([0, 1])
    masks = env.mask_array()
    last = masks.shape[2] - 1
    chosen = held(env, np.full(len(env.possible_agents), 0))(np.empty(0, np.float32), masks)
    np.testing.assert_array_equal(chosen, masks.argmax(axis=2))
    everything = np.ones_like(masks)
    np.testing.assert_array_equal(held(env, np.full(masks.shape[1], last))(np.empty(0, np.float32), everything), last)


def test_constants_deal_channels_out_and_rules_are_played_as_they_are(journal_env) -> None:
    env = journal_env
    region = env.game.scenario.region
    by_title = dict(constants(env))
    assert len(by_title) == len(region.spreading_factors) * len(region.tp_dbm)
    actions = by_title["constant: SF8, channels dealt, 14 dBm"]
    np.testing.assert_array_equal(actions[:, 0], 1)
    np.testing.assert_array_equal(actions[:, 1], np.arange(len(actions)) % len(region.channels_hz))
    np.testing.assert_array_equal(actions[:, 2], len(region.tp_dbm) - 1)
    points = agents.make("explora-at", env.game.scenario, [0]).initial_points()[0]
    np.testing.assert_array_equal(dict(rules(env, "uplink_v0"))["rule: explora-at"], points[:, [0, 2, 3]])


@pytest.fixture(scope="module")
def journal_env():
    return lora_marl.make("uplink_v0", replicas=2, max_cycles=30, info_level="none")


def test_the_best_of_each_kind_is_chosen_by_what_it_earns(journal_env) -> None:
    best = best_without_learning(journal_env, "uplink_v0")
    for label, candidates in (("constant", constants(journal_env)), ("rule", rules(journal_env, "uplink_v0"))):
        title, actions = best[label]
        reward = mean_rewards(journal_env, [5, 6], held(journal_env, actions)).mean()
        for other, its_actions in candidates:
            assert reward > mean_rewards(journal_env, [5, 6], held(journal_env, its_actions)).mean() - 0.02, other
        assert title.startswith(f"{label}: ")


def test_networks_that_move_have_no_rule() -> None:
    env = lora_marl.make("uplink_v0", redraw=partial(uniform_disc, nodes=100, radius_m=1000.0))
    assert not list(rules(env, "uplink_v0"))


@pytest.mark.parametrize("name", list(lora_marl.ENVS))
def test_every_environment_has_constants_of_its_space(name: str) -> None:
    env = lora_marl.make(name, **SETTINGS[name])
    for _, actions in constants(env):
        assert all(env.single_action_space.contains(action) for action in actions)


def test_the_table_says_how_actions_were_chosen_and_by_how_much_they_are_better() -> None:
    folder = ROOT / "configs" / "policies" / "energy_v0"
    env = lora_marl.make("energy_v0", only_channel=0, replicas=2, max_cycles=4, info_level="none")
    table, records = compare(env, Policy.read(folder), [11, 12])
    assert [record["seed"] for record in records] == [11, 12]
    assert set(records[0]) == {"environment", "algorithm", "seed", "reward", "random", "constant", "rule"}
    first = list(table.columns[0].cells)
    assert "drawn from its policy" in first[0] or "the best action of its policy" in first[0]
    assert [text.split(":")[0] for text in first[1:]] == ["random allowed actions", "constant", "rule"]
