"""A controller as a Gymnasium vector environment: its rows are the sub-environments, played as arrays.

Shape letters: `B` replicas, `D` features, `K` entries of a mask, `R` rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from lora_marl.envs.base import warn_of_options
from lora_marl.envs.game import RENDER_MODES, Seeds, seeds_of
from lora_marl.views.controllers import Controller

Step = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class ControllerVectorEnv(VectorEnv[NDArray[np.float32], Any, NDArray]):
    """The rows of a controller; all end by truncation, together.

    Args:
        controller: Who decides.
        autoreset_mode: Gymnasium's: `NextStep`, `SameStep` (the last observations and infos are then in `final_obs` and
            `final_info`), or `Disabled`.
    """

    def __init__(self, controller: Controller, autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP) -> None:
        self.controller = controller
        modes = [mode.value for mode in AutoresetMode]
        if not isinstance(autoreset_mode, AutoresetMode) and autoreset_mode not in modes:
            raise ValueError(f"autoreset_mode: {autoreset_mode!r} is not one of {', '.join(modes)}")
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
            seed: Of the first replica, from which those of the others follow (`lora_marl.envs.game`: not the next
                numbers, as in Gymnasium's own vectors); or one per replica; None: streams go on.
            options: `reset_mask` `[R]` may be given; it must have all rows, since they end together.

        Raises:
            ValueError: some rows alone, or seeds that are none.
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
        """Play a step in all rows; where `NextStep` asks for it, begin new episodes instead."""
        none = np.zeros(self.num_envs, np.bool_)
        if self._ended and self._autoreset is AutoresetMode.NEXT_STEP:
            self._ended = False
            return self.controller.reset(), np.zeros(self.num_envs), none, none.copy(), self._infos()
        observations, rewards, self._ended = self.controller.step(actions)
        truncations, infos = np.full(self.num_envs, self._ended), self._infos()
        if self._ended and self._autoreset is AutoresetMode.SAME_STEP:
            final = np.full(self.num_envs, None, object)
            final[:] = list(observations)
            last, observations = infos, self.controller.reset()
            infos = self._infos() | _marked({"final_obs": final, "final_info": last}, self.num_envs)
            self._ended = False
        return observations, rewards, none, truncations, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Allowed actions. `[R, K]`"""
        return self.controller.masks()

    def render(self) -> tuple[Any, ...] | None:
        """The first replica; see `lora_marl.envs.base.PettingZooBase.render`."""
        frame = self.controller.env.render()
        return None if frame is None else (frame,)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window, if there is one."""
        self.controller.env.close()

    def _infos(self) -> dict[str, Any]:
        return _marked(self.controller.infos(), self.num_envs)


def _marked(infos: dict[str, Any], rows: int) -> dict[str, Any]:
    """Infos with Gymnasium's marks of the rows that have them: all."""
    return infos | {f"_{name}": np.ones(rows, np.bool_) for name in infos}
