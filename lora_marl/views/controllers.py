"""Who decides in a game: one for all, or every agent by the same policy; one among others is in `one_agent`.

A controller is a game as its deciders meet it: rows of arrays, one row for each decider of each replica, which is what
single-agent libraries take. The views and adapters of this package put a library's face on it, nothing else.

Shape letters: `B` replicas, `N` agents, `F` factors of an action, `D` features, `K` entries of a mask, `R` rows.

One agent of a game decides; what the others do is part of its environment.

Shape letters: `B` replicas, `N` agents, `F` factors of an action, `D` features, `K` entries of a mask.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from numpy.typing import ArrayLike, NDArray

from lora_marl.envs.base import ArrayParallelEnv
from lora_marl.envs.codec import pick_allowed, sizes_of
from lora_marl.envs.game import Seeds, seeds_of


class Controller(ABC):
    """The deciders of a game, row by row: those of the first replica first.

    Args:
        env: The game; its replicas are played together.
        observation_space, action_space: Of one row.
        deciders: Rows of one replica.

    Attributes:
        replicas: `B`
        rows: `R`

    Raises:
        ValueError: the environment has settings that arrays do not show.
    """

    def __init__(
        self,
        env: ArrayParallelEnv,
        observation_space: Box,
        action_space: Discrete | MultiDiscrete,
        deciders: int = 1,
    ) -> None:
        for name, needed in (("obs_format", "box"), ("mask_in_info", False), ("remove_dead", False)):
            if (value := getattr(env.settings, name)) != needed:
                raise ValueError(f"{name}: {value!r}; rows of arrays need {needed!r} (masks: action_masks())")
        sizes_of(env.single_action_space)  # refuses what is no index
        self.env, self._begun = env, False
        self.observation_space, self.action_space = observation_space, action_space
        self.replicas, self.deciders = env.settings.replicas, deciders
        self.rows = self.replicas * deciders

    def reset(self, seed: Seeds | None = None) -> NDArray[np.float32]:
        """Start an episode in every replica: see `ArrayParallelEnv.reset_array`. `[R, D]`"""
        seeds = None if seed is None else seeds_of(seed, self.replicas)
        observations = self.env.reset_array(seeds)
        self._begin(seeds, observations)
        self._begun = True
        return self._observed(observations)

    def step(self, actions: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float64], bool]:
        """Play a step.

        Args:
            actions: `[R, ...]`, integers.

        Returns:
            Observations `[R, D]`, rewards `[R]`, and whether all episodes have now been truncated.

        Raises:
            ValueError: actions of another type or shape, or outside the space.
        """
        if not self._begun:
            raise RuntimeError("no episode is running: call reset first")
        given, shape = np.asarray(actions), (self.rows, *(self.action_space.shape or ()))
        if given.dtype.kind not in "iu" or given.shape != shape:
            raise ValueError(f"actions: {given.dtype} {given.shape}; expected are integers {shape}")
        observations, rewards, _, truncations, self._infos = self.env.step_array(self._joint(given))
        ended = bool(truncations.all())
        self._see(observations, rewards, ended)
        return self._observed(observations), self._rewarded(rewards), ended

    def masks(self) -> NDArray[np.bool_]:
        """Allowed actions. `[R, K]`"""
        return self.env.mask_array().reshape(self.rows, -1)

    def infos(self) -> dict[str, NDArray]:
        """Of the last step, by name. `[R, ...]` each"""
        return {name: self._told(column) for name, column in self._infos.items()}

    def _begin(self, seeds: Sequence[int] | None, observations: NDArray[np.float32]) -> None:
        self._infos = {} if self.env.settings.info_level == "none" else self.env.game.infos()

    def _see(  # noqa: B027 (optional)
        self, observations: NDArray[np.float32], rewards: NDArray[np.float64] | None, ended: bool
    ) -> None:
        """Take down what all agents have seen; rewards are None where an episode begins."""

    def _joint(self, actions: NDArray) -> NDArray:
        """The actions of all agents. `[B, N, ...]`"""
        return actions.reshape(self.replicas, -1, *(self.env.single_action_space.shape or ()))

    def _observed(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        return observations.reshape(self.rows, -1)

    def _told(self, column: NDArray) -> NDArray:
        return column.reshape(self.rows, -1)

    @abstractmethod
    def _rewarded(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]: ...


class Shared(Controller):
    """Every agent decides for itself by one policy (parameter sharing): a row for each agent, R = B N."""

    def __init__(self, env: ArrayParallelEnv) -> None:
        super().__init__(env, env.single_observation_space, env.single_action_space, len(env.possible_agents))

    def _rewarded(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        return rewards.ravel()

    def _told(self, column: NDArray) -> NDArray:
        return column.ravel()


class Central(Controller):
    """One decider for all agents: it observes the global state and is rewarded by the mean reward."""

    def __init__(self, env: ArrayParallelEnv) -> None:
        sizes = np.tile(sizes_of(env.single_action_space), len(env.possible_agents))
        super().__init__(env, env.state_space, MultiDiscrete(sizes))

    def _rewarded(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        return rewards.mean(axis=1)


Others = Callable[[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64] | None], ArrayLike]
"""Actions of all agents `[B, N, F]` (flat indices: `[B, N]`) from what they observe now `[B, N, D]`, their masks
`[B, N, K]`, and the rewards of their last step `[B, N]`, None where an episode begins. Called once a step, and once
more when the last one has been played, so that it may learn from that, too: those actions are not played."""


class OneAgent(Controller):
    """One agent among others, which are part of its environment.

    Args:
        env: The game.
        agent: Which; None: the first.
        others: What the others do: actions of all agents that they keep, `[N, F]` (flat indices: `[N]`); or a policy,
            which may learn (see `Others`); None: each draws an allowed action at the start of an episode, and keeps it.

    Raises:
        ValueError: an unknown agent; actions of others (then or at a step) of another type or shape, or outside the
            space.
    """

    def __init__(
        self, env: ArrayParallelEnv, agent: str | None = None, others: ArrayLike | Others | None = None
    ) -> None:
        super().__init__(env, env.single_observation_space, env.single_action_space)
        if agent not in (None, *env.possible_agents):
            raise ValueError(f"agent: {agent!r} is not one of {env.possible_agents[0]} to {env.possible_agents[-1]}")
        self._agent = 0 if agent is None else env.possible_agents.index(agent)
        self._others = others if others is None or callable(others) else self._checked(others)
        self._rngs: list[np.random.Generator] = []

    def masks(self) -> NDArray[np.bool_]:
        return self.env.mask_array()[:, self._agent]

    def _begin(self, seeds: Sequence[int] | None, observations: NDArray[np.float32]) -> None:
        super()._begin(seeds, observations)
        self._see(observations, None, ended=False)
        first = self.env.game.first_actions()
        if self._others is None:
            if seeds is not None or not self._rngs:
                # A stream of its own: the air's numbers stay those of every other view of the seed.
                entropy = [None] * self.replicas if seeds is None else seeds
                self._rngs = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,))) for seed in entropy]
            sizes, masks = sizes_of(self.env.single_action_space), self.env.mask_array()
            draws = np.stack([rng.random((first.shape[1], len(sizes))) for rng in self._rngs])
            self._kept = pick_allowed(draws, masks, sizes).reshape(first.shape)
        elif not callable(self._others):
            self._kept = np.broadcast_to(self._others, first.shape)

    def _see(self, observations: NDArray[np.float32], rewards: NDArray[np.float64] | None, ended: bool) -> None:
        self._seen = observations, rewards
        if ended and callable(self._others):
            self._asked(self._others)

    def _asked(self, others: Others) -> ArrayLike:
        observations, rewards = self._seen
        told = None if rewards is None else rewards.copy()
        return others(observations.copy(), self.env.mask_array(), told)

    def _checked(self, others: ArrayLike, *lead: int) -> NDArray[np.int64]:
        """Actions of all agents `[*lead, N, ...]` as an array of its own; the decider's place may hold anything."""
        space = self.env.single_action_space
        shape = (*lead, len(self.env.possible_agents), *(space.shape or ()))
        try:
            given = np.asarray(others)
        except ValueError as error:
            raise ValueError(f"others: {error}; expected are integers {shape}") from None
        if given.dtype.kind not in "iu" or given.shape != shape:
            raise ValueError(f"others: {given.dtype} {given.shape}; expected are integers {shape}")
        played, sizes = np.delete(given, self._agent, axis=len(lead)), sizes_of(space)
        outside = (played < 0) | (played >= sizes)
        if outside.any():
            raise ValueError(f"others: {played[outside][0]} is outside the space {space}")
        return given.astype(np.int64)

    def _joint(self, actions: NDArray) -> NDArray:
        if callable(self._others):
            joint = self._checked(self._asked(self._others), self.replicas)
        else:
            joint = self._kept.copy()
        joint[:, self._agent] = actions
        return joint

    def _observed(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        return observations[:, self._agent].copy()

    def _rewarded(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        return rewards[:, self._agent].copy()

    def _told(self, column: NDArray) -> NDArray:
        return column[:, self._agent].copy()
