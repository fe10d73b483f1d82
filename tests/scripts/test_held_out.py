"""What a policy is compared with: random actions among the allowed ones."""

from __future__ import annotations

import numpy as np

import lora_marl
from scripts.held_out import mean_rewards


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
