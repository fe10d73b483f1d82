"""The recipe of PPO on arrays: ends, masks, seeds that do not meet, and a policy that has learnt."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import lora_marl  # noqa: E402
from scripts.recipes import ppo_arrays  # noqa: E402
from scripts.runs.baselines import rewards_of_policy, rewards_of_random  # noqa: E402


def test_a_truncated_episode_is_bootstrapped_and_a_terminated_one_is_not():
    rewards, values = torch.tensor([1.0, 2.0, 3.0])[:, None, None], torch.zeros(3, 1, 1)
    next_values = torch.tensor([10.0, 20.0, 30.0])[:, None, None]
    ends = torch.tensor([0.0, 1.0, 0.0])[:, None, None]
    decay = ppo_arrays.GAMMA * ppo_arrays.LAMBDA
    truncated = ppo_arrays.advantages_of(rewards, values, next_values, torch.zeros(3, 1, 1), ends)[:, 0, 0].tolist()
    assert truncated == pytest.approx([6.0 + decay * 12.0, 12.0, 18.0])
    terminated = ppo_arrays.advantages_of(rewards, values, next_values, ends, ends)[:, 0, 0].tolist()
    assert terminated == pytest.approx([6.0 + decay * 2.0, 2.0, 18.0])


def test_masked_values_are_never_drawn():
    sizes, masks = [3, 2], torch.tensor([False, True, True, True, False]).expand(1, 5000, 5)
    log_probs = ppo_arrays.log_probs_of(torch.zeros(1, 5000, 5), masks, sizes)
    drawn = ppo_arrays.draw(log_probs, sizes)
    assert set(drawn[..., 0].unique().tolist()) == {1, 2} and set(drawn[..., 1].unique().tolist()) == {0}
    assert (drawn[..., 0] == 1).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_training_seeds_in_one_batch_do_not_meet():
    learner = ppo_arrays.Learner(2, 4, [3])
    rng = torch.Generator().manual_seed(0)
    columns = {
        "observations": torch.randn(2, 32, 4, generator=rng), "actions": torch.zeros(2, 32, 1, dtype=torch.int64),
        "masks": torch.ones(2, 32, 3, dtype=torch.bool), "log_probs": torch.full((2, 32), -1.1),
        "advantages": torch.randn(2, 32, generator=rng), "returns": torch.randn(2, 32, generator=rng),
    }  # fmt: skip

    def gradients(**changed):
        learner.optimizer.zero_grad()
        learner.loss(ppo_arrays.Round(**(columns | changed))).backward()
        learner.clip_gradients()
        return [parameter.grad.clone() for parameter in learner.parameters]

    returns = columns["returns"].clone()
    returns[1] += 100.0
    for before, after in zip(gradients(), gradients(returns=returns), strict=True):
        torch.testing.assert_close(before[0], after[0])
    norms = torch.stack([gradient.square().sum((1, 2)) for gradient in gradients(returns=returns)]).sum(0).sqrt()
    assert norms[1].item() == pytest.approx(ppo_arrays.LARGEST_NORM, rel=1e-3)


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_policy_comes_of_it_that_is_better_than_chance(seeds):
    settings = {"max_cycles": 50}
    policy = ppo_arrays.train("uplink_v0", 400 * seeds, seed=0, seeds=seeds, **settings)
    assert all(np.isfinite(array).all() for layer in policy.layers for array in layer)
    env = lora_marl.make("uplink_v0", replicas=2, info_level="none", **settings)
    assert (rewards_of_policy(env, [1, 2], policy) > rewards_of_random(env, [1, 2]) + 0.05).all()
