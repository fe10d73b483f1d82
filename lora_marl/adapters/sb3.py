"""Stable-Baselines3: a controller as a vector environment.

    from stable_baselines3 import PPO

    from lora_marl.adapters.sb3 import shared_env

    rows = shared_env("uplink_v0", replicas=8, max_cycles=100)
    model = PPO("MlpPolicy", rows, n_steps=32, batch_size=2_560, gamma=0.5, seed=0)
    model.learn(25_600)

Rows are agents (one policy for all, `shared_env`), or the deciders of another controller of `lora_marl.views`. All
episodes end together, by truncation; infos then have `terminal_observation` and `TimeLimit.truncated`, so that the
library bootstraps from the last observation, and `episode` with return `r`, length `l` and time `t` of each row, from
which the library logs `ep_rew_mean` without a monitor. sb3-contrib's MaskablePPO finds `action_masks`.

A policy trained this way takes one agent's observation, so it works for any number of agents.

Shape letters: `B` replicas, `D` features, `K` entries of a mask, `R` rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

import lora_marl
from lora_marl.envs.base import warn_of_options
from lora_marl.envs.game import Seeds, seeds_of
from lora_marl.views import Controller, Shared


class ControllerVecEnv(VecEnv):
    """The rows of a controller as the environments of Stable-Baselines3.

    `get_attr` and `set_attr` access the environment, which all rows share.

    Args:
        controller: The controller of the rows. Infos include the environment's where its `info_level` is `full`.
    """

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._began_s, self._length, self._returns = time.monotonic(), 0, np.zeros(controller.rows)
        super().__init__(controller.rows, controller.observation_space, controller.action_space)

    def seed(self, seed: Seeds | None = None) -> Sequence[int | None]:
        """Set and return the seeds of the next reset, by row.

        Args:
            seed: Seed of the first replica, from which those of the others follow (not as its successors, as in the
                library's own vectors: see `seeds_of` in `lora_marl.envs.game`); or one per replica; None: the random
                streams go on.
        """
        replicas = self.controller.replicas
        seeds = [None] * replicas if seed is None else seeds_of(seed, replicas)
        self._seeds = [seed for seed in seeds for _ in range(self.controller.deciders)]
        return self._seeds

    def reset(self) -> NDArray[np.float32]:
        """Start all episodes. Observations `[R, D]`"""
        warn_of_options(self._options[0])
        seeds = [seed for seed in self._seeds[:: self.controller.deciders] if seed is not None]
        observations = self.controller.reset(seeds or None)
        self._length, self._returns = 0, np.zeros(self.num_envs)
        self.reset_infos = self._infos()
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: NDArray) -> None:
        """Keep the actions of the step that `step_wait` runs. `[R, ...]`"""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Run a step in all rows, and start new episodes after the last one."""
        observations, rewards, ended = self.controller.step(self._actions)
        infos = self._infos()
        self._length, self._returns = self._length + 1, self._returns + rewards
        if ended:
            played = {"l": self._length, "t": round(time.monotonic() - self._began_s, 6)}
            for info, observation, total in zip(infos, observations, self._returns.tolist(), strict=True):
                info["terminal_observation"], info["TimeLimit.truncated"] = observation, True
                info["episode"] = {"r": round(total, 6), **played}
            self._length, self._returns = 0, np.zeros(self.num_envs)
            observations = self.controller.reset()
            self.reset_infos = self._infos()
        return observations, rewards.astype(np.float32), np.full(self.num_envs, ended), infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Mask of the actions that each row may take. `[R, K]`"""
        return self.controller.masks()

    def close(self) -> None:
        """Close the window, if there is one."""
        self.controller.env.close()

    def has_attr(self, attr_name: str) -> bool:
        """Whether rows have an attribute: `action_masks`, or one of the environment."""
        return attr_name == "action_masks" or hasattr(self.controller.env, attr_name)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the environment, repeated for each row."""
        return [getattr(self.controller.env, attr_name) for _ in self._rows(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the environment.

        Raises:
            ValueError: `indices` that leave out rows.
        """
        if len(list(self._rows(indices))) != self.num_envs:
            raise ValueError(f"set_attr: {attr_name} of some rows; all rows share one environment")
        setattr(self.controller.env, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """The result of an environment's method, repeated for each row; of `action_masks`, each row's mask `[K]`."""
        if method_name == "action_masks":
            masks = self.controller.masks()
            return [masks[row] for row in self._rows(indices)]
        result = getattr(self.controller.env, method_name)(*args, **kwargs)
        return [result for _ in self._rows(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: VecEnvIndices = None) -> list[bool]:
        """False for each row: rows have no wrappers."""
        return [False for _ in self._rows(indices)]

    def get_images(self) -> Sequence[Any]:
        """A picture of the first replica, as `lora_marl.envs.base.PettingZooBase.render` returns it."""
        return [self.controller.env.render()]

    def _rows(self, indices: VecEnvIndices) -> Iterable[int]:
        return self._get_indices(indices)

    def _infos(self) -> list[dict[str, Any]]:
        columns = self.controller.infos()
        if not columns:
            return [{} for _ in range(self.num_envs)]
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]


def shared_env(name: str, replicas: int = 1, *, info_level: str = "none", **settings: Any) -> ControllerVecEnv:
    """All agents of all replicas of an environment as rows, to train one policy for all.

    Args:
        name: The environment's name in `lora_marl.ENVS`.
        replicas: B.
        info_level: `full` for the environment's infos, which take as long as the step itself.
        **settings: The environment's settings.
    """
    return ControllerVecEnv(Shared(lora_marl.make(name, replicas=replicas, info_level=info_level, **settings)))
