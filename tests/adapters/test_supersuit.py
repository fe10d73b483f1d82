"""SuperSuit's wrappers work on the parallel environments; `lora_marl.adapters.sb3` is right, and faster."""

from __future__ import annotations

import pytest

pytest.importorskip("supersuit", reason="needs supersuit")

import supersuit
from stable_baselines3 import PPO

import lora_marl
from tests.envs.small import SETTINGS

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", sorted(lora_marl.ENVS))
def test_ppo_runs_on_it(name: str) -> None:
    env = lora_marl.make(name, **SETTINGS[name], max_cycles=8)
    rows = supersuit.pettingzoo_env_to_vec_env_v1(env)
    rows = supersuit.concat_vec_envs_v1(rows, 2, num_cpus=0, base_class="stable_baselines3")
    model = PPO("MlpPolicy", rows, n_steps=8, batch_size=8, n_epochs=1)
    model.learn(8 * rows.num_envs)
    assert model.num_timesteps == 8 * rows.num_envs
