"""Names that README or docs had work until 0.2.0, with a warning that says the new one."""

from __future__ import annotations

import sys
from importlib import import_module

import numpy as np
import pytest

import lora_marl
from lora_marl.core.presets import mmalora_network
from lora_marl.envs.coexistence.reward import Interval


@pytest.mark.parametrize("game", ["coexistence", "energy"])
def test_modules_of_reward_terms(game: str) -> None:
    former = f"lora_marl.envs.{game}_rewards"
    sys.modules.pop(former, None)
    with pytest.warns(DeprecationWarning, match=f"{former} is now lora_marl.envs.{game}.reward"):
        module = import_module(former)
    place = import_module(f"lora_marl.envs.{game}.reward")
    assert module.TERMS is place.TERMS
    assert all(getattr(module, name) is getattr(place, name) for name in module.__all__)


def test_terms_of_the_uplink_environment() -> None:
    with pytest.warns(DeprecationWarning, match="is now lora_marl.envs.uplink.reward.delivery"):
        env = lora_marl.make("uplink_v0", reward={"lora_marl.envs.rewards:delivery": 1.0})
    assert "reward_delivery" in env.reset(seed=0)[1]["node_0"]
    with pytest.raises(ValueError, match="cannot be imported"):
        lora_marl.make("uplink_v0", reward={"lora_marl.envs.rewards:nothing": 1.0})


def test_a_term_by_its_former_import_path() -> None:
    sys.modules.pop("lora_marl.envs.energy_rewards", None)
    with pytest.warns(DeprecationWarning, match="energy_rewards is now lora_marl.envs.energy.reward"):
        env = lora_marl.make(
            "energy_v0", scenario=mmalora_network(8, 2), reward={"lora_marl.envs.energy_rewards:own": 1.0}
        )
    assert "reward_own" in env.reset()[1]["node_0"]


def test_the_totals_of_an_interval() -> None:
    env = lora_marl.make("coexistence_v0", coexistence="ccs_study")
    env.reset_array([0])
    interval = Interval(env.game.totals, env.game.totals.received, env.game.reference_mj, 60.0)
    with pytest.warns(DeprecationWarning, match="Interval.totals"):
        assert np.array_equal(interval.books.attempts, env.game.totals.attempts)
