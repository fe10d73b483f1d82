"""SuperSuit's wrappers work on the parallel environments; `lora_marl.adapters.sb3` is right, and faster."""

from __future__ import annotations

import pytest

pytest.importorskip("supersuit", reason="needs supersuit")

import supersuit
from stable_baselines3 import PPO

import lora_marl
from lora_marl.core.scenario import Change
from lora_marl.envs import uplink_v0
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


def test_nodes_that_join_are_agents_from_the_beginning() -> None:
    """With `remove_dead=True`, `black_death_v3` would meet agents that it has not seen at reset."""
    before, after = [True, True, False], [True, False, True]
    scenario = SETTINGS["uplink_v0"]["scenario"]
    active = [before[node % 3] for node in range(scenario.nodes)]
    joined = [after[node % 3] for node in range(scenario.nodes)]
    scenario = scenario.with_values({"active": active, "changes": (Change(at_s=10.0, values={"active": joined}),)})
    env = uplink_v0.parallel_env(scenario=scenario, max_cycles=8)
    for wrapped in (env, supersuit.black_death_v3(env)):
        rows = supersuit.concat_vec_envs_v1(
            supersuit.pettingzoo_env_to_vec_env_v1(wrapped), 1, num_cpus=0, base_class="stable_baselines3"
        )
        assert rows.num_envs == scenario.nodes
        PPO("MlpPolicy", rows, n_steps=8, batch_size=8, n_epochs=1).learn(8 * rows.num_envs)
