"""The replay buffer: the oldest step goes, rewards are standardised by agent."""

from __future__ import annotations

import numpy as np
import torch

from agents.maac.replay import Replay


def step(values) -> dict[str, torch.Tensor]:
    """One group of two agents, a step for each value; the second agent's reward is constant."""
    value = torch.tensor(values, dtype=torch.float64)[None, :, None]
    reward = torch.cat([value, torch.full_like(value, 0.1)], -1)
    return {"observation": reward[..., None], "action": reward.long(), "reward": reward}


def buffer(capacity: int) -> Replay:
    return Replay((1, 2), 1, capacity, False, torch.float64, "cpu")


def test_the_oldest_steps_are_overwritten() -> None:
    replay = buffer(5)
    for first in (0.0, 3.0, 6.0):
        replay.add(step([first, first + 1, first + 2]))
    assert replay.filled == 5
    rewards = replay.arrays["reward"][0, :, 0]
    assert sorted(rewards.tolist()) == [4.0, 5.0, 6.0, 7.0, 8.0]
    replay.add(step([9.0]))
    assert sorted(rewards.tolist()) == [5.0, 6.0, 7.0, 8.0, 9.0]


def test_rewards_are_standardised_over_the_buffer_not_the_batch() -> None:
    replay = buffer(50)
    values = [1.0, 2.0, 4.0, 9.0]
    replay.add(step(values))
    reward = replay.sample(np.array([[3, 0]])).reward
    np.testing.assert_allclose(reward[0, 0], (np.array([9.0, 1.0]) - 4.0) / np.std(values))
    np.testing.assert_allclose(reward[0, 1], 0.0, atol=1e-12)


def test_a_batch_keeps_the_fields_of_a_step_together() -> None:
    replay = buffer(50)
    replay.add(step([float(value) for value in range(20)]))
    batch = replay.sample(np.array([[5, 17, 2]]))
    assert batch.observation[0, 0, :, 0].tolist() == batch.action[0, 0].tolist() == [5, 17, 2]
    assert batch.next_observation is None
