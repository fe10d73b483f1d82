"""A controller of one replica as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.envs.base import warn_of_options
from lora_marl.envs.game import RENDER_MODES, seeds_of
from lora_marl.views.controllers import Controller


class ControllerEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """One decider's environment; its episodes are truncated after the game's `max_cycles` steps.

    Args:
        controller: With one row.

    Raises:
        ValueError: it has more.
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
        """Start an episode; `seed` makes everything after it reproducible, no `options` are known."""
        seeds = None if seed is None else seeds_of(seed, 1)
        observations = self.controller.reset(seeds)
        super().reset(seed=None if seeds is None else seeds[0])
        warn_of_options(options)
        return observations[0], self._info()

    def step(self, action: ArrayLike) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Play a step."""
        observations, rewards, truncated = self.controller.step(np.asarray(action)[None])
        return observations[0], float(rewards[0]), False, truncated, self._info()

    def action_masks(self) -> NDArray[np.bool_]:
        """Allowed actions. `[K]`"""
        return self.controller.masks()[0]

    def render(self) -> Any:
        """See `lora_marl.envs.base.PettingZooBase.render`."""
        return self.controller.env.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self.controller.env.close()

    def _info(self) -> dict[str, Any]:
        return {name: row[0].item() if row.ndim == 1 else row[0] for name, row in self.controller.infos().items()}
