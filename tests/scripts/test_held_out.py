"""What a policy is compared with: random actions among the allowed ones."""

from __future__ import annotations

import numpy as np

import lora_marl
from scripts.held_out import _allowed, mean_rewards


def test_random_actions_are_allowed_ones_all_as_likely() -> None:
    masks = np.array([[True, False, True, False, True, True]])
    draws = (np.arange(6000).reshape(-1, 2) % 997) / 997.0
    found = _allowed(draws, masks.repeat(len(draws), axis=0), np.array([4, 2]))
    assert set(found[:, 0]) == {0, 2} and set(found[:, 1]) == {0, 1}
    assert abs((found[:, 0] == 0).mean() - 0.5) < 0.05


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
