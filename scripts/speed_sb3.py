"""How fast Stable-Baselines3 meets the uplink environment: by our rows of arrays, and by SuperSuit around dicts."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from scripts.speed import best_rate, uplink


def rows_steps_per_s(*, nodes: int, replicas: int, steps: int, repeats: int) -> float:
    """Environment steps (of all nodes of a replica) per CPU second of `lora_marl.adapters.sb3`, random actions."""
    from lora_marl.adapters.sb3 import ControllerVecEnv
    from lora_marl.views import Shared

    env = uplink(nodes, steps, replicas, info_level="none")
    return _steps_per_s(ControllerVecEnv(Shared(env)), replicas, steps, repeats)


def supersuit_steps_per_s(*, nodes: int, replicas: int, steps: int, repeats: int) -> float:
    """The same of SuperSuit's way, in one process, which is its fastest here."""
    import supersuit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = supersuit.pettingzoo_env_to_vec_env_v1(uplink(nodes, steps, info_level="none"))
        env = supersuit.concat_vec_envs_v1(rows, replicas, num_cpus=0, base_class="stable_baselines3")
    return _steps_per_s(env, replicas, steps, repeats)


def _steps_per_s(env: Any, replicas: int, steps: int, repeats: int) -> float:
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, env.action_space.nvec, (env.num_envs, len(env.action_space.nvec))) for _ in range(16)]
    env.reset()

    def play() -> None:
        for step in range(steps):
            env.step(drawn[step % len(drawn)])

    return best_rate(play, replicas * steps, repeats)
