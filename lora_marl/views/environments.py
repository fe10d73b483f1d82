"""Controllers as Gymnasium environments: one row as an `Env`, many rows as a `VectorEnv`.

Shape letters: `B` replicas, `D` features, `K` entries of a mask, `R` rows.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_choice
from lora_marl.envs.base import warn_of_options
from lora_marl.envs.game import RENDER_MODES, Seeds, seeds_of
from lora_marl.views.controllers import Controller

Step = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]
"""Observations `[R, D]`, rewards, terminations, truncations `[R]`, and infos."""


class ControllerEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """The environment of a single decider; episodes are truncated after the environment's `max_cycles` steps.

    Args:
        controller: A controller with one row.

    Raises:
        ValueError: a controller with several rows.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 4}

    def __init__(self, controller: Controller) -> None:
        if controller.rows != 1:
            raise ValueError(
                f"replicas: the controller has {controller.rows} rows, one environment is one of 1; many are "
                "gymnasium.make_vec(..., num_envs=...) or a ControllerVectorEnv"
            )
        self.controller = controller
        self.observation_space, self.action_space = controller.observation_space, controller.action_space
        self.render_mode = controller.env.render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode; `seed` makes everything after it reproducible, and there are no `options`."""
        seeds = None if seed is None else seeds_of(seed, 1)
        observations = self.controller.reset(seeds)
        super().reset(seed=None if seeds is None else seeds[0])
        warn_of_options(options)
        return observations[0], self._info()

    def step(self, action: ArrayLike) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Run a step; its episode never terminates, it is truncated at the end."""
        observations, rewards, truncated = self.controller.step(np.asarray(action)[None])
        return observations[0], float(rewards[0]), False, truncated, self._info()

    def action_masks(self) -> NDArray[np.bool_]:
        """Mask of the actions that may be taken. `[K]`"""
        return self.controller.masks()[0]

    def render(self) -> Any:
        """The environment's picture, as `lora_marl.envs.base.PettingZooBase.render` returns it."""
        return self.controller.env.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self.controller.env.close()

    def _info(self) -> dict[str, Any]:
        return {name: row[0].item() if row.ndim == 1 else row[0] for name, row in self.controller.infos().items()}


class ControllerVectorEnv(VectorEnv[NDArray[np.float32], Any, NDArray]):
    """The rows of a controller as sub-environments; their episodes are truncated together.

    Args:
        controller: The controller of the rows.
        autoreset_mode: Gymnasium's: `NextStep`, `SameStep` (the last observations and infos are then in `final_obs` and
            `final_info`), or `Disabled`.
    """

    def __init__(self, controller: Controller, autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP) -> None:
        self.controller = controller
        if not isinstance(autoreset_mode, AutoresetMode):
            check_choice("autoreset_mode", autoreset_mode, [mode.value for mode in AutoresetMode])
        self._autoreset = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": list(RENDER_MODES), "render_fps": 4, "autoreset_mode": self._autoreset}
        self.render_mode, self.num_envs = controller.env.render_mode, controller.rows
        self.single_observation_space, self.single_action_space = controller.observation_space, controller.action_space
        self.observation_space = batch_space(controller.observation_space, self.num_envs)
        self.action_space = batch_space(controller.action_space, self.num_envs)
        self._ended = False

    def reset(
        self, *, seed: Seeds | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start all episodes.

        Args:
            seed: Seed of the first replica, from which those of the others follow (not as its successors, as in
                Gymnasium's own vectors: see `seeds_of` in `lora_marl.envs.game`); or one per replica; None: the random
                streams go on.
            options: `reset_mask` `[R]` may be given; it must select all rows, since they end together.

        Raises:
            ValueError: a mask that leaves out rows, or something that is no seed.
        """
        more = dict(options or {})
        if not np.all(more.pop("reset_mask", True)):
            raise ValueError("reset_mask: leaves out rows; all rows end and begin together")
        warn_of_options(more)
        seeds = None if seed is None else seeds_of(seed, self.controller.replicas)
        observations = self.controller.reset(seeds)
        super().reset(seed=None if seeds is None else seeds[0])
        self._ended = False
        return observations, self._infos()

    def step(self, actions: ArrayLike) -> Step:
        """Run a step in all rows. Under `NextStep`, the step after the end of episodes begins new ones instead."""
        none = np.zeros(self.num_envs, np.bool_)
        if self._ended and self._autoreset is AutoresetMode.NEXT_STEP:
            self._ended = False
            return self.controller.reset(), np.zeros(self.num_envs), none, none.copy(), self._infos()
        observations, rewards, self._ended = self.controller.step(actions)
        truncations, infos = np.full(self.num_envs, self._ended), self._infos()
        if self._ended and self._autoreset is AutoresetMode.SAME_STEP:
            final = np.full(self.num_envs, None, object)
            final[:] = list(observations)
            final_infos, observations = infos, self.controller.reset()
            infos = self._infos() | _marked({"final_obs": final, "final_info": final_infos}, self.num_envs)
            self._ended = False
        return observations, rewards, none, truncations, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Mask of the actions that each row may take. `[R, K]`"""
        return self.controller.masks()

    def render(self) -> tuple[Any, ...] | None:
        """A picture of the first replica, as `lora_marl.envs.base.PettingZooBase.render` returns it."""
        frame = self.controller.env.render()
        return None if frame is None else (frame,)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window, if there is one."""
        self.controller.env.close()

    def _infos(self) -> dict[str, Any]:
        return _marked(self.controller.infos(), self.num_envs)


def _marked(infos: dict[str, Any], rows: int) -> dict[str, Any]:
    """Infos with Gymnasium's marks of which rows have them: all do."""
    return infos | {f"_{name}": np.ones(rows, np.bool_) for name in infos}
