"""What a policy is compared with: random actions among the allowed ones."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import lora_marl
from lora_marl.adapters.offline import policy_choice, record
from lora_marl.adapters.policy import Policy, spaces_of
from scripts.runs.cli import UsageError
from scripts.runs.environments import assumptions_of_environment, environment_of, mean_rewards
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
    mean_rewards(env, [0, 1], None)
    masks = env.mask_array()
    assert not masks.all() and drawn[masks].mean() > 0.8


def test_evaluations_and_recordings_choose_alike() -> None:
    folder = ROOT / "configs" / "policies" / "energy_v0"
    settings = {"only_channel": 0, "replicas": 2, "max_cycles": 4, "info_level": "none"}
    env, policy = lora_marl.make("energy_v0", **settings), Policy.read(folder)
    for choose, chosen_by in ((None, None), (policy_choice(policy, env, np.random.default_rng(0)), policy)):
        recording = record(env, "energy_v0", [0, 1], choose)
        rewards = mean_rewards(env, [0, 1], chosen_by)
        np.testing.assert_allclose(rewards, recording.rewards.mean(axis=(1, 2)))


def test_an_environment_that_files_cannot_say_is_not_made_up() -> None:
    more = {"algorithm": "none", "activation": "tanh", "greedy": True, "masked": True}
    for redraw in (None, partial(np.random.Generator.uniform, size=(40, 2))):
        env = lora_marl.make("energy_v0", only_channel=0, redraw=redraw)
        spaces = spaces_of(env, "energy_v0", **more)
        layer = np.zeros((sum(spaces.sizes), len(spaces.low)), np.float32), np.zeros(sum(spaces.sizes), np.float32)
        policy = Policy(spaces, (layer,))
        if redraw is None:
            assert environment_of(policy, 2).settings.only_channel == 0
        else:
            with pytest.raises(UsageError, match="trained with redraw, which its files cannot store"):
                environment_of(policy, 2)


@pytest.mark.parametrize("name", list(lora_marl.ENVS))
def test_assumptions_of_an_environment_are_those_of_its_radio(name: str) -> None:
    env = lora_marl.make(name, **SETTINGS[name])
    rows = {row.topic: row.text for row in assumptions_of_environment(env)}
    assert {"propagation", "shadowing", "reception", "feedback", "duty cycle", "traffic", "region"} <= rows.keys()
    assert ("Rayleigh fading" in rows["shadowing"]) == (name != "uplink_v0")
