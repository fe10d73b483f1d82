"""Minari: a recording as a data set with an episode for every agent, for training a policy that all agents share.

    import minari

    import lora_marl
    from lora_marl.adapters import offline
    from lora_marl.adapters.minari import create

    env = lora_marl.make("uplink_v0", replicas=8, max_cycles=100)
    create(offline.record(env, "uplink_v0", seeds=range(8)), "lora/uplink-random-v0")
    minari.load_dataset("lora/uplink-random-v0")

Needs the extra `offline`. Minari keeps data sets where its `MINARI_DATASETS_PATH` says.
"""

from __future__ import annotations

from typing import Any

import minari
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from minari.data_collector import EpisodeBuffer

from lora_marl import __version__
from lora_marl.adapters.offline import Recording


def create(recording: Recording, dataset_id: str, *, description: str | None = None) -> Any:
    """Create a data set with `E N` episodes of `T` steps from `E` episodes of `N` agents.

    Args:
        recording: The recorded episodes.
        dataset_id: Name of the new data set, such as `lora/uplink-random-v0`.
        description: Its description; None: environment and settings.

    Returns:
        Minari's data set.
    """
    spaces = recording.spaces
    flat = recording.actions.ndim == recording.rewards.ndim
    text = description or f"{spaces.environment}, played by {spaces.algorithm}, {dict(spaces.settings)}"
    return minari.create_dataset_from_buffers(
        dataset_id,
        _episodes(recording),
        observation_space=Box(np.array(spaces.low, np.float32), np.array(spaces.high, np.float32)),
        action_space=Discrete(spaces.sizes[0]) if flat else MultiDiscrete(list(spaces.sizes)),
        algorithm_name=spaces.algorithm,
        description=text,
        requirements=[f"lora_marl=={__version__}"],
    )


def _episodes(recording: Recording) -> list[EpisodeBuffer]:
    """One buffer for each agent of each episode."""
    episodes, steps, agents = recording.rewards.shape
    truncations = np.zeros(steps, np.bool_)
    truncations[-1] = True
    return [
        EpisodeBuffer(
            seed=int(recording.seeds[episode]),
            observations=recording.observations[episode, :, agent],
            actions=recording.actions[episode, :, agent],
            rewards=list(recording.rewards[episode, :, agent]),
            terminations=[False] * steps,
            truncations=list(truncations),
        )
        for episode in range(episodes)
        for agent in range(agents)
    ]
