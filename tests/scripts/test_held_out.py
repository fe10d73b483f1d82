"""What a policy is compared with: random actions among the allowed ones."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import lora_marl
from lora_marl.adapters.policy import Policy, spaces_of
from scripts.cli import UsageError
from scripts.held_out import environment_of, mean_rewards


def test_where_masks_matter_allowed_actions_are_worth_more() -> None:
    env = lora_marl.make("energy_v0", only_channel=0, replicas=2, max_cycles=3, info_level="none")
    allowed = mean_rewards(env, [0, 1], None)
    rng = np.random.default_rng(0)
    env.reset_array([0, 1])
    total = np.zeros(2)
    for _ in range(3):
        _, rewards, *_ = env.step_array(rng.integers(env.single_action_space.n, size=env.mask_array().shape[:2]))
        total += rewards.mean(axis=1)
    assert (allowed > total / 3).all()


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
            with pytest.raises(UsageError, match="trained with redraw that its files cannot say"):
                environment_of(policy, 2)
