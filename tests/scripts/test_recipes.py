"""Every recipe, for a moment, where its library is installed (`make recipe-rllib` and so on installs it)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import lora_marl
from lora_marl.adapters.policy import Policy
from scripts.held_out import mean_rewards
from scripts.recipes.recipe import measured
from tests.envs.small import SETTINGS

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]

RECIPES = {"torchrl_mappo": "torchrl", "rllib_ppo": "ray.rllib", "benchmarl_mappo": "benchmarl"}


@pytest.mark.parametrize("name", sorted(lora_marl.ENVS))
@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_a_policy_comes_of_it(recipe: str, name: str, tmp_path) -> None:
    pytest.importorskip(RECIPES[recipe])
    if recipe == "torchrl_mappo":
        pytest.importorskip("torchrl", minversion="0.14")
    module = importlib.import_module(f"scripts.recipes.{recipe}")
    settings: dict[str, Any] = {**SETTINGS[name], "max_cycles": 8}
    module.train(name, 64, seed=0, **settings).write(tmp_path)
    policy = Policy.read(tmp_path)
    settings["action_format"] = policy.spaces.settings["action_format"]
    rewards = mean_rewards(lora_marl.make(name, replicas=2, **settings), [0, 1], policy)
    assert np.isfinite(rewards).all()


@pytest.mark.parametrize("recipe", ["torchrl_mappo", "rllib_ppo"])
def test_servers_learn_to_beat_chance(recipe: str) -> None:
    pytest.importorskip(RECIPES[recipe])
    module = importlib.import_module(f"scripts.recipes.{recipe}")
    library = RECIPES[recipe].partition(".")[0]
    found = measured(library, module.train, "coexistence_v0", 2_048)
    assert found["worst_difference"] > 0.05


def test_rllib_plays_in_further_processes() -> None:
    pytest.importorskip("ray.rllib")
    from scripts.recipes.rllib_ppo import train

    policy = train("energy_v0", 64, workers=2, **SETTINGS["energy_v0"], max_cycles=8)
    assert all(np.isfinite(weight).all() for weight, _ in policy.layers)
