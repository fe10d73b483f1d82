"""The base classes of all environments: a game of arrays, shown through PettingZoo's interface.

A game (`lora_marl.envs.game.Game`) computes arrays over `B` replicas. `PettingZooBase` adds what every PettingZoo
environment has: agents, spaces, seeds, masks, state and rendering. `ArrayParallelEnv` adds episodes and two interfaces:
`reset_array` and `step_array` for batches of replicas, and PettingZoo's dicts for one replica.

Shape letters: `B` replicas, `N` agents, `F` factors of an action, `D` features, `K` entries of a mask.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.utils import seeding
from numpy.typing import ArrayLike, NDArray
from pettingzoo import ParallelEnv

from lora_marl import render
from lora_marl.envs.episode_log import EpisodeLog
from lora_marl.envs.game import EnvSettings, Game, Seeds, seeds_of


class PettingZooBase:
    """The common base of the parallel and the turn-based environment of a game.

    Attributes:
        max_cycles: Steps of an episode; may be set.
        possible_agents: All agents, in the order of the arrays.
        agents: The agents that take part now.
        single_observation_space, single_action_space: One agent's spaces, without the dict of `obs_format`.
        feature_names: Name of each number of an observation. `[D]`
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
        """Action space by agent; the spaces are equal, but each samples from its own random stream."""
        return {agent: self.game.action_space() for agent in self.possible_agents}

    @cached_property
    def observation_spaces(self) -> dict[str, Any]:
        """Observation space by agent; all agents share one object."""
        space: Any = self.single_observation_space
        if self.settings.obs_format == "dict":
            size = self.game.masks().shape[-1]
            space = Dict({"observation": space, self._mask_key: Box(0, 1, (size,), np.int8)})
        return dict.fromkeys(self.possible_agents, space)

    @cached_property
    def state_space(self) -> Box:
        """The space of `state()`. `[N * D]`"""
        box, agents = self.single_observation_space, len(self.possible_agents)
        return Box(np.tile(box.low, agents), np.tile(box.high, agents))

    def observation_space(self, agent: str) -> Any:
        """One agent's observation space; the same object at each call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """One agent's action space; the same object at each call."""
        return self.action_spaces[agent]

    def action_masks(self) -> NDArray[np.bool_]:
        """Mask of the actions that each agent may take, in the order of `possible_agents`. `[N, K]`"""
        return self.game.masks()[0]

    def state(self) -> NDArray[np.float32]:
        """The observations of all agents one after another. `[N * D]`"""
        self._check_started()
        return self.game.observations()[0].ravel()

    def render(self) -> str | NDArray[np.uint8] | None:
        """The first replica as text or as a picture `[H, W, 3]`; None where a window shows it instead."""
        self._check_started()
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
        """Give each replica a new random stream from its seed; without seeds the streams go on."""
        if seeds is not None:
            self._rngs = [seeding.np_random(seed)[0] for seed in seeds_of(seeds, self.settings.replicas)]
        elif not self._rngs:
            self._rngs = [seeding.np_random(None)[0] for _ in range(self.settings.replicas)]

    def _begin_single(self, seed: int | None, options: Mapping[str, Any] | None) -> None:
        """Start an episode of the one replica that dicts can show."""
        if self.settings.replicas != 1:
            raise ValueError(f"replicas: {self.settings.replicas}; dicts show 1, batches go through reset_array")
        warn_of_options(options)
        self._seed(seed)
        self.game.begin(self._rngs)

    def _check_started(self) -> None:
        """Raise RuntimeError before the first episode."""
        if not self._rngs:
            raise RuntimeError("the first episode has not begun: call reset first")

    def _observations(self) -> list[Any]:
        """Observation of each possible agent in the format of the settings. `N` of them"""
        observations = list(self.game.observations()[0])
        if self.settings.obs_format == "box":
            return observations
        masks = self.game.masks()[0].astype(np.int8)
        return [{"observation": row, self._mask_key: mask} for row, mask in zip(observations, masks, strict=True)]

    def _infos(self) -> list[dict[str, Any]]:
        """Info of each possible agent, with the same keys and types at every step. `N` of them"""
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
    """Warn that `reset` ignores options: no environment has any, but some libraries pass them."""
    if options:
        warnings.warn(f"reset: no options are known; {', '.join(map(str, options))} ignored", stacklevel=4)


class ArrayParallelEnv(PettingZooBase, ParallelEnv):
    """A game as PettingZoo's parallel environment and as arrays over its replicas.

    Episodes end by truncation, in all replicas together, after `max_cycles` steps.
    """

    def __init__(self, game: Game, settings: EnvSettings) -> None:
        super().__init__(game, settings)
        self._cycle = 0
        self._running = False
        self._log = None if settings.episode_log is None else EpisodeLog(settings.episode_log, settings.replicas)

    @property
    def episode_means(self) -> Mapping[str, float]:
        """Values of the last finished episode by column of `episode_log`, means over replicas; empty without one."""
        return {} if self._log is None else self._log.means

    def reset_array(self, seeds: Seeds | None = None) -> NDArray[np.float32]:
        """Start an episode in every replica.

        Args:
            seeds: One seed of at least 0 per replica `[B]`: everything after depends on them alone, replica b on
                `seeds[b]` whatever `B` is. One number is the first replica's seed, from which the others follow
                (`seeds_of` in `lora_marl.envs.game`). None: the random streams go on.

        Returns:
            Observations. `[B, N, D]`
        """
        self._seed(seeds)
        self.game.begin(self._rngs)
        self._start_episode()
        self._show()
        return self.game.observations()

    def step_array(
        self, actions: ArrayLike
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, NDArray]]:
        """Run a step in every replica. All returned arrays are new.

        Args:
            actions: Integers `[B, N, F]`, or `[B, N]` of flat indices where actions are discrete.

        Returns:
            Observations `[B, N, D]`, rewards, terminations and truncations `[B, N]`, infos (`[B, N]` by name).

        Raises:
            RuntimeError: no episode is running.
            ValueError: actions of another type or shape, or outside the space.
        """
        terminations, truncations = self._advance(actions)
        self._show()
        infos = {} if self.settings.info_level == "none" else self.game.infos()
        return self.game.observations(), self.game.rewards(), terminations, truncations, infos

    def mask_array(self) -> NDArray[np.bool_]:
        """Mask of the actions that each agent may take. `[B, N, K]`"""
        return self.game.masks()

    def state_array(self) -> NDArray[np.float32]:
        """The global state of each replica. `[B, N * D]`"""
        observations = self.game.observations()
        return observations.reshape(len(observations), -1)

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode; `seed` makes everything after it reproducible, and there are no `options`."""
        self._begin_single(seed, options)
        self._start_episode()
        active = self.game.active()[0].tolist()
        self._left: set[str] = set()
        self.agents = [
            agent for agent, joined in zip(self.possible_agents, active, strict=True) if joined or not self._removes
        ]
        self._show()
        return self._by_agent(self._observations()), self._by_agent(self._infos())

    def step(self, actions: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        """Run a step of all agents that take part. After the episode there are none, and the dicts are empty."""
        if not self.agents and not self._running:
            self._check_started()
            return {}, {}, {}, {}, {}
        joint = self._joint_actions(actions)
        try:
            terminations, truncations = self._advance(joint[None])
        except ValueError as error:
            raise self._named(error, actions) from None
        self._actions = joint
        if self._removes:
            self._add_joined()
        results = (
            self._by_agent(self._observations()),
            self._by_agent(self.game.rewards()[0].tolist()),
            self._by_agent(terminations[0].tolist()),
            self._by_agent(truncations[0].tolist()),
            self._by_agent(self._infos()),
        )
        self._remove_done(results[2])
        self._show()
        return results

    def _show(self) -> None:
        """Draw the window after every reset and step, as Gymnasium and PettingZoo do under `human`."""
        if self.render_mode == "human":
            self.render()

    @property
    def _removes(self) -> bool:
        """Whether agents are dropped when they leave the network."""
        return self.settings.remove_dead

    def _start_episode(self) -> None:
        """Forget the episode before."""
        self._cycle, self._running = 0, True
        self._actions = self.game.first_actions()[0]
        self._was_active = self.game.active()
        if self._log is not None:
            self._log.begin()

    def _joint_actions(self, actions: Mapping[str, Any]) -> NDArray:
        """The actions of all possible agents `[N, ...]`; agents that take no part keep their last one."""
        missing = [agent for agent in self.agents if agent not in actions]
        if missing:
            raise ValueError(f"actions: {missing[0]} has none; every agent in agents needs one")
        unknown = [agent for agent in actions if agent not in self._number]
        if unknown:
            raise ValueError(f"actions: {unknown[0]!r} is no agent; see possible_agents")
        try:
            present = np.array([actions[agent] for agent in self.agents])
        except ValueError:
            raise ValueError(f"actions: of unlike shapes; expected are those of {self.single_action_space}") from None
        if len(self.agents) == len(self.possible_agents):
            return present
        joint = self._actions.copy()
        if self.agents:
            if present.dtype.kind not in "iu" or present.shape[1:] != joint.shape[1:]:
                raise ValueError(
                    f"actions: {present.dtype} {present.shape[1:]}; expected are integers {joint.shape[1:]}"
                )
            joint[[self._number[agent] for agent in self.agents]] = present
        return joint

    def _named(self, error: ValueError, actions: Mapping[str, Any]) -> ValueError:
        """The error of a step, which names the first agent whose action is outside its space."""
        for agent in self.agents:
            if not self.action_space(agent).contains(np.asarray(actions[agent])):
                return ValueError(f"actions: {agent}: {actions[agent]} is not in {self.action_space(agent)}")
        return error

    def _advance(self, actions: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Run a step. Returns terminations (agents that left in it) and truncations. `[B, N]` each"""
        if not self._running:
            raise RuntimeError("no episode is running: call reset_array or reset first")
        self.game.advance(actions)
        self._cycle += 1
        self._running = self._cycle < self.max_cycles
        if self._log is not None:
            self._log.add(self.game.rewards(), self.game.infos())
            if not self._running:
                self._log.end()
        active = self.game.active()
        terminations = self._was_active & ~active if self._removes else np.zeros_like(active)
        self._was_active = active
        return terminations, np.full(active.shape, not self._running)

    def _add_joined(self) -> None:
        """Add the agents that have become part of the network, unless they left it before."""
        active = {agent for agent, joined in zip(self.possible_agents, self._was_active[0], strict=True) if joined}
        present = (active | set(self.agents)) - self._left
        self.agents = sorted(present, key=self._number.__getitem__)

    def _remove_done(self, terminations: Mapping[str, bool]) -> None:
        """Remove all agents at the end of the episode, and before it those that have left."""
        if not self._running:
            self.agents = []
        elif self._removes:
            self._left.update(agent for agent, done in terminations.items() if done)
            self.agents = [agent for agent in self.agents if agent not in self._left]

    def _by_agent(self, values: Sequence[Any]) -> dict[str, Any]:
        """The values of the agents that take part, by name; `values` has one for each possible agent."""
        if len(self.agents) == len(values):
            return dict(zip(self.agents, values, strict=True))
        return {agent: values[self._number[agent]] for agent in self.agents}
