"""What a policy for all agents of an environment is worth on seeds that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lora_marl.adapters.policy import Policy
from lora_marl.envs.codec import sizes_of

FIRST_SEED = 1_000_000
"""The first seed that no training uses."""


def mean_rewards(env: Any, seeds: Sequence[int], policy: Policy | None) -> NDArray[np.float64]:
    """Mean reward of an agent and step over an episode, by replica `[B]`; None: random actions."""
    space = env.single_action_space
    sizes, total, rng = sizes_of(space), np.zeros(len(seeds)), np.random.default_rng(0)
    observations = env.reset_array(seeds)
    for _ in range(env.max_cycles):
        shape = observations.shape[:2]
        draws = rng.random((*shape, len(sizes)))
        if policy is None:
            actions = (draws * sizes).astype(np.int64)
        else:
            rows = observations.reshape(-1, observations.shape[-1])
            masks = env.mask_array().reshape(len(rows), -1) if policy.spaces.masked else None
            actions = policy.choose(rows, draws.reshape(len(rows), -1), masks).reshape(draws.shape)
        observations, rewards, *_ = env.step_array(actions.reshape(*shape, *space.shape))
        total += rewards.mean(axis=1)
    return total / env.max_cycles
