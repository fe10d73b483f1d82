"""The door between a game's arrays and PettingZoo's dicts: spaces, seeds, masks, state and pictures.

Shape letters: `B` replicas, `N` agents, `D` features, `K` entries of a mask.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.utils import seeding
from numpy.typing import NDArray

from lora_marl import render
from lora_marl.envs.game import EnvSettings, Game
from lora_marl.envs.seeds import Seeds, seeds_of


class Door:
    """Spaces, masks, state and pictures: what the parallel and the turn-based face of a game share.

    Attributes:
        max_cycles: Steps of an episode; may be set.
        possible_agents: All of them, in the order of the arrays.
        agents: Those that take part now.
        single_observation_space, single_action_space: One agent's, without the dict of `obs_format`.
        feature_names: What each number of an observation is. `[D]`
        state_space: Of `state()`.
    """

    def __init__(self, game: Game, settings: EnvSettings) -> None:
        self.game, self.settings = game, settings
        self.max_cycles, self.render_mode = settings.max_cycles, settings.render_mode
        self.possible_agents = list(game.agents)
        self.agents: list[str] = []
        self.single_observation_space, self.single_action_space = game.observation_box(), game.action_space()
        self.feature_names = game.feature_names
        self._number = {agent: number for number, agent in enumerate(game.agents)}
        self._mask_key = "action_mask" if isinstance(self.single_action_space, Discrete) else "action_mask_flat"
        self._rngs: list[np.random.Generator] = []
        self._window = render.Window()

    @cached_property
    def action_spaces(self) -> dict[str, Any]:
        """By agent; equal, but each with a random stream of its own."""
        return {agent: self.game.action_space() for agent in self.possible_agents}

    @cached_property
    def observation_spaces(self) -> dict[str, Any]:
        """By agent; one space."""
        space: Any = self.single_observation_space
        if self.settings.obs_format == "dict":
            size = self.game.masks().shape[-1]
            space = Dict({"observation": space, self._mask_key: Box(0, 1, (size,), np.int8)})
        return dict.fromkeys(self.possible_agents, space)

    @cached_property
    def state_space(self) -> Box:
        box, agents = self.single_observation_space, len(self.possible_agents)
        return Box(np.tile(box.low, agents), np.tile(box.high, agents))

    def observation_space(self, agent: str) -> Any:
        """One agent's; the same object at each call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """One agent's; the same object at each call."""
        return self.action_spaces[agent]

    def action_masks(self) -> NDArray[np.bool_]:
        """Allowed actions of every agent, in the order of `possible_agents`. `[N, K]`"""
        return self.game.masks()[0]

    def state(self) -> NDArray[np.float32]:
        """The observations of all agents one after another. `[N * D]`"""
        self._check_begun()
        return self.game.observations()[0].ravel()

    def render(self) -> str | NDArray[np.uint8] | None:
        """The first replica: text, a picture `[H, W, 3]`, or None after drawing it in a window."""
        self._check_begun()
        if self.render_mode is None:
            warnings.warn("render: nothing to do; give render_mode to the constructor", stacklevel=2)
            return None
        frame = self.game.frame()
        if self.render_mode == "ansi":
            return frame.text()
        if self.render_mode == "rgb_array":
            return render.rgb_array(frame)
        self._window.show(frame)
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self.render_mode == "human":
            self._window.close()

    def _seed(self, seeds: Seeds | None) -> None:
        """Give each replica a random stream: from its seed, or else it goes on with the one that it has."""
        if seeds is not None:
            self._rngs = [seeding.np_random(seed)[0] for seed in seeds_of(seeds, self.settings.replicas)]
        elif not self._rngs:
            self._rngs = [seeding.np_random(None)[0] for _ in range(self.settings.replicas)]

    def _begin(self, seed: int | None, options: Mapping[str, Any] | None) -> None:
        """Start an episode of the one replica that dicts can show."""
        if self.settings.replicas != 1:
            raise ValueError(f"replicas: {self.settings.replicas}; dicts show 1, batches go through reset_array")
        warn_of_options(options)
        self._seed(seed)
        self.game.begin(self._rngs)

    def _check_begun(self) -> None:
        if not self._rngs:
            raise RuntimeError("the first episode has not begun: call reset first")

    def _observations(self) -> list[Any]:
        """One per agent."""
        observations = list(self.game.observations()[0])
        if self.settings.obs_format == "box":
            return observations
        masks = self.game.masks()[0].astype(np.int8)
        return [{"observation": row, self._mask_key: mask} for row, mask in zip(observations, masks, strict=True)]

    def _infos(self) -> list[dict[str, Any]]:
        """One per agent; the same keys and types at every step."""
        infos: list[dict[str, Any]]
        if self.settings.info_level == "none":
            infos = [{} for _ in self.possible_agents]
        else:
            columns = self.game.infos()
            rows = zip(*(column[0].tolist() for column in columns.values()), strict=True)
            infos = [dict(zip(columns, row, strict=True)) for row in rows]
        if self.settings.mask_in_info:
            for info, mask in zip(infos, self.game.masks()[0].astype(np.int8), strict=True):
                info["action_mask"] = mask
        return infos


def warn_of_options(options: Mapping[str, Any] | None) -> None:
    """Warn where an episode is begun with options: there are none, but libraries and tests give some."""
    if options:
        warnings.warn(f"reset: no options are known; {', '.join(map(str, options))} ignored", stacklevel=4)
