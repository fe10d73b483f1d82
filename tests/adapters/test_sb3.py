"""The adapter of Stable-Baselines3, and its recipes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra sb3")

import gymnasium
import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

import lora_marl
from lora_marl.adapters.sb3 import ControllerVecEnv, shared_env
from lora_marl.envs.game import seeds_of
from lora_marl.views import Central, OneAgent
from tests.envs.small import SETTINGS, random_actions

LENGTH = 5


@pytest.fixture(params=sorted(lora_marl.ENVS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make(name: str, **settings: Any) -> ControllerVecEnv:
    return shared_env(name, **{"replicas": 2, "max_cycles": LENGTH, **SETTINGS[name], **settings})


def test_its_checker_accepts_the_views(name: str) -> None:
    for view in ("agent", "central"):
        env = gymnasium.make(f"lora/{name.replace('_', f'-{view}-')}", **SETTINGS[name])
        check_env(env.unwrapped)


def test_infos_of_a_reset_are_those_of_the_episode_that_begins(name: str) -> None:
    rows = make(name, info_level="full")
    rows.seed(0)
    rows.reset()
    first, rng = rows.reset_infos, np.random.default_rng(0)
    for _ in range(LENGTH):
        *_, infos = rows.step(random_actions(rows.controller.env, rng).reshape(rows.num_envs, *rows.action_space.shape))
    columns = rows.controller.infos()
    for key, column in columns.items():
        assert [info[key] for info in rows.reset_infos] == column.tolist()
    assert rows.reset_infos is not first


def test_mean_returns_are_logged_without_a_monitor(name: str) -> None:
    monitored, plain = VecMonitor(make(name)), make(name)
    for rows in (monitored, plain):
        rows.seed(0)
        rows.reset()
    rng = np.random.default_rng(0)
    for step in range(2 * LENGTH):
        actions = random_actions(plain.controller.env, rng).reshape(plain.num_envs, *plain.action_space.shape)
        expected, infos = (rows.step(actions)[-1] for rows in (monitored, plain))
        assert all(("episode" in info) == ((step + 1) % LENGTH == 0) for info in infos)
        for info, other in zip(infos, expected, strict=True):
            if "episode" in info:
                assert info["episode"]["l"] == other["episode"]["l"] == LENGTH
                assert info["episode"]["r"] == pytest.approx(other["episode"]["r"], abs=1e-4)
    model = PPO("MlpPolicy", make(name), n_steps=LENGTH, batch_size=10, n_epochs=1, seed=0)
    model.learn(LENGTH * model.n_envs)
    assert len(model.ep_info_buffer) > 0


def test_options_are_not_known(name: str) -> None:
    rows = make(name)
    rows.set_options({"hurry": True})
    with pytest.warns(UserWarning, match="no options are known; hurry ignored"):
        rows.reset()


@pytest.mark.parametrize("action_format", ["multidiscrete", "discrete"])
def test_rows_are_the_agents_of_the_arrays(name: str, action_format: str) -> None:
    settings = {"action_format": action_format, "info_level": "full"}
    rows = make(name, **settings)
    arrays = lora_marl.make(name, replicas=2, max_cycles=LENGTH, **SETTINGS[name], **settings)
    rows.seed(7)
    observations, expected = rows.reset(), arrays.reset_array(seeds_of(7, 2))
    rng = np.random.default_rng(0)
    for step in range(2 * LENGTH):
        assert np.array_equal(observations, expected.reshape(rows.num_envs, -1))
        assert np.array_equal(get_action_masks(rows), arrays.mask_array().reshape(rows.num_envs, -1))
        actions = random_actions(arrays, rng)
        observations, rewards, dones, infos = rows.step(actions.reshape(rows.num_envs, *rows.action_space.shape))
        last, expected_rewards, _, truncations, columns = arrays.step_array(actions)
        np.testing.assert_allclose(rewards, expected_rewards.ravel(), rtol=1e-6)
        assert np.array_equal(dones, truncations.ravel())
        for key, column in columns.items():
            assert [info[key] for info in infos] == column.ravel().tolist()
        assert dones.all() == ((step + 1) % LENGTH == 0)
        expected = arrays.reset_array() if dones.all() else last
        for info, row in zip(infos, last.reshape(rows.num_envs, -1), strict=True):
            assert ("terminal_observation" in info) == ("TimeLimit.truncated" in info) == dones.all()
            if dones.all():
                assert np.array_equal(info["terminal_observation"], row)
                assert info["TimeLimit.truncated"]


def test_other_controllers_have_their_rows(name: str) -> None:
    for controller in (Central, OneAgent):
        rows = ControllerVecEnv(controller(lora_marl.make(name, replicas=3, max_cycles=LENGTH, **SETTINGS[name])))
        rows.seed(0)
        rows.reset()
        assert rows.num_envs == 3
        observations, rewards, *_ = rows.step(np.zeros((3, *rows.action_space.shape), np.int64))
        assert (len(observations), len(rewards)) == (3, 3)


def test_seeds_hold_for_one_reset(name: str) -> None:
    rows = make(name)

    def episode() -> list[Any]:
        observations, actions = [rows.reset()], np.zeros((rows.num_envs, *rows.action_space.shape), np.int64)
        return [*observations, *(rows.step(actions)[0] for _ in range(LENGTH))]

    assert rows.seed(3)[0] == 3
    first, second = episode(), episode()
    rows.seed(3)
    np.testing.assert_equal(episode(), first)
    np.testing.assert_equal(episode(), second)
    assert not np.array_equal(np.stack(first), np.stack(second))
    assert rows.seed(None) == [None] * rows.num_envs


def test_one_seed_per_replica_or_one_for_all() -> None:
    rows = make("uplink_v0", replicas=3)
    agents = rows.num_envs // 3
    assert rows.seed([4, 0, 9]) == [seed for seed in (4, 0, 9) for _ in range(agents)]
    listed = rows.reset()[agents : 2 * agents]
    one = make("uplink_v0", replicas=1)
    one.seed(0)
    assert np.array_equal(one.reset(), listed)
    for seed in (-1, 1.5, True, "0", [], [1, 2], [0, None, 1], [0, 1, -1]):
        with pytest.raises(ValueError, match="seed: .*allowed is a whole number of at least 0, or 3 of them"):
            rows.seed(seed)


def test_attributes_are_those_of_the_environment(name: str) -> None:
    rows = make(name)
    assert rows.get_attr("max_cycles", [0, 1]) == [LENGTH] * 2
    rows.set_attr("max_cycles", 9)
    assert rows.controller.env.max_cycles == 9
    assert not rows.has_attr("nonsense")
    assert is_masking_supported(rows)
    assert not any(rows.env_is_wrapped(gymnasium.Wrapper))
    with pytest.raises(ValueError, match="set_attr: max_cycles of some rows"):
        rows.set_attr("max_cycles", 3, indices=[0])


def test_the_value_of_the_last_observation_counts(name: str) -> None:
    """Where rewards are 0 but the value of every state is 1, returns at a time limit are gamma, not 0."""
    rows = make(name)
    model = PPO("MlpPolicy", rows, n_steps=LENGTH, batch_size=rows.num_envs * LENGTH, n_epochs=1, gamma=0.5, seed=0)
    model.policy.predict_values = lambda observations: torch.ones(len(observations), 1)
    step_wait = rows.step_wait
    rows.step_wait = lambda: (lambda o, r, d, i: (o, np.zeros_like(r), d, i))(*step_wait())
    model._setup_learn(LENGTH * rows.num_envs)
    model.collect_rollouts(model.env, _Silent(), model.rollout_buffer, LENGTH)
    assert model.rollout_buffer.rewards[-1] == pytest.approx(0.5)
    assert model.rollout_buffer.rewards[:-1] == pytest.approx(0.0)


class _Silent:
    """A callback that does nothing."""

    def on_rollout_start(self) -> None: ...
    def on_rollout_end(self) -> None: ...
    def update_locals(self, values: Any) -> None: ...
    def on_step(self) -> bool:
        return True


def test_ppo_learns_and_repeats_itself(name: str) -> None:
    def weights() -> Any:
        model = PPO("MlpPolicy", VecMonitor(make(name)), n_steps=LENGTH, batch_size=10, n_epochs=2, seed=5)
        model.learn(2 * LENGTH * model.n_envs)
        return torch.nn.utils.parameters_to_vector(model.policy.parameters())

    first = weights()
    assert torch.equal(first, weights())
    assert torch.isfinite(first).all()


def test_dqn_takes_flat_actions(name: str) -> None:
    rows = VecNormalize(make(name, action_format="discrete"), norm_obs=False)
    model = DQN("MlpPolicy", rows, learning_starts=10, buffer_size=200, batch_size=8, train_freq=(1, "step"), seed=0)
    model.learn(4 * LENGTH * rows.num_envs)
    assert model._n_updates > 0


@pytest.mark.parametrize("action_format", ["multidiscrete", "discrete"])
def test_maskable_ppo_never_plays_a_masked_action(action_format: str) -> None:
    settings = {"min_margin_db": 12.0, "action_format": action_format}
    rows = make("uplink_v0", **settings)
    assert not rows.action_masks().all()
    model = MaskablePPO("MlpPolicy", rows, n_steps=LENGTH, batch_size=10, n_epochs=1, seed=0)
    played = []
    step_async = rows.step_async
    rows.step_async = lambda actions: (played.append((actions, rows.action_masks())), step_async(actions))[1]
    model.learn(4 * LENGTH * rows.num_envs)
    ends = np.cumsum((0, *SIZES)) if action_format == "multidiscrete" else None
    assert len(played) >= 4 * LENGTH
    for actions, masks in played:
        entries = actions[:, None] if ends is None else actions + ends[:-1]
        assert np.take_along_axis(masks, entries, axis=1).all()


SIZES = lora_marl.make("uplink_v0", **SETTINGS["uplink_v0"]).single_action_space.nvec
