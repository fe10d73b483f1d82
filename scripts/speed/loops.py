"""Where the time of reinforcement-learning loops goes: the environment, acting, updating.

Each loop trains one policy for all agents of `uplink_v0`, 100 nodes in each of four networks, on one thread. The
environment's time is that of its steps, resets and masks, with what a library's wrapper adds; updating is that of
gradients; acting is all else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import lora_marl
from lora_marl.adapters import sb3, sb3_training
from lora_marl.adapters.policy import Policy
from lora_marl.envs.base import ArrayParallelEnv
from scripts.recipes import ppo_arrays
from scripts.runs.baselines import rewards_of_policy
from scripts.runs.environments import FIRST_SEED

ENVIRONMENT = "uplink_v0"
REPLICAS, HELD_OUT = 4, range(FIRST_SEED, FIRST_SEED + 5)

Methods = Sequence[tuple[type, str]]


@dataclass(frozen=True)
class LoopTimes:
    """What a loop of training took.

    Attributes:
        agent_steps_per_s: Per CPU second of all.
        environment, acting, updating: Shares of the CPU time.
        reward: Mean reward of an agent and step of the policy on held-out seeds.
    """

    agent_steps_per_s: float
    environment: float
    acting: float
    updating: float
    reward: float


@contextmanager
def watched(methods: Mapping[str, Methods]) -> Iterator[dict[str, float]]:
    """Count the CPU time that methods of classes take, by part, as long as the context lasts. s"""
    taken_s = dict.fromkeys(methods, 0.0)
    originals = [(part, owner, name, getattr(owner, name)) for part, pairs in methods.items() for owner, name in pairs]

    def timed(part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*arguments: Any, **keywords: Any) -> Any:
            start_s = time.process_time()
            try:
                return method(*arguments, **keywords)
            finally:
                taken_s[part] += time.process_time() - start_s

        return call

    for part, owner, name, method in originals:
        setattr(owner, name, timed(part, method))
    try:
        yield taken_s
    finally:
        for _, owner, name, method in originals:
            setattr(owner, name, method)


def _arrays(steps: int, seed: int, settings: Mapping[str, Any]) -> Policy:
    return ppo_arrays.train(ENVIRONMENT, steps, seed=seed, replicas=REPLICAS, **settings)


def _sb3(algorithm: str) -> Callable[[int, int, Mapping[str, Any]], Policy]:
    def train(steps: int, seed: int, settings: Mapping[str, Any]) -> Policy:
        rows = sb3.shared_env(ENVIRONMENT, REPLICAS, **settings)
        agents = rows.num_envs // REPLICAS
        return sb3_training.exported(sb3_training.train(rows, algorithm, steps * agents, seed=seed), ENVIRONMENT)

    return train


_ARRAY_METHODS = tuple((ArrayParallelEnv, name) for name in ("step_array", "reset_array", "mask_array"))
_ROW_METHODS = tuple((sb3.ControllerVecEnv, name) for name in ("step_wait", "reset", "action_masks"))

LOOPS: Mapping[str, tuple[Callable[[int, int, Mapping[str, Any]], Policy], Mapping[str, Methods]]] = {
    "ppo_arrays": (
        _arrays,
        {"environment": _ARRAY_METHODS, "updating": ((ppo_arrays.Learner, "update"),)},
    ),
    **{
        f"sb3 {name}": (
            _sb3(name),
            {"environment": _ROW_METHODS, "updating": ((sb3_training.ALGORITHMS[name], "train"),)},
        )
        for name in ("ppo", "maskable-ppo")
    },
}
"""Loops by name: how each trains for so many environment steps over all replicas, and its methods by part."""


def loop_times(name: str, steps: int, *, seed: int = 0, **settings: Any) -> LoopTimes:
    """The times of a loop of `LOOPS`.

    Args:
        name: Its name.
        steps: Environment steps of training, over all replicas.
        seed: Of the training.
        **settings: Of the environment.
    """
    train, methods = LOOPS[name]
    train(16 * REPLICAS, seed, settings)  # compiles, and loads what is loaded once
    with watched(methods) as taken_s:
        start_s = time.process_time()
        policy = train(steps, seed, settings)
        total_s = time.process_time() - start_s
    settings["action_format"] = policy.spaces.settings["action_format"]
    env = lora_marl.make(ENVIRONMENT, replicas=len(HELD_OUT), info_level="none", **settings)
    shares = {part: part_s / total_s for part, part_s in taken_s.items()}
    reward = float(rewards_of_policy(env, HELD_OUT, policy).mean())
    agents = env.reset_array(HELD_OUT).shape[1]
    return LoopTimes(steps * agents / total_s, acting=1.0 - sum(shares.values()), reward=reward, **shares)
