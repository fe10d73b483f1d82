"""Controllers: a multi-agent environment as the rows of arrays that single-agent libraries take.

A controller says who decides. `Shared`: every agent, by one policy. `Central`: one decider for all agents. `OneAgent`:
one agent among others. There is one row for each decider of each replica. The Gymnasium views and the adapter of
Stable-Baselines3 wrap controllers in those libraries' interfaces and add nothing else.

Shape letters: `B` replicas, `N` agents, `F` factors of an action, `D` features, `K` entries of a mask, `R` rows.
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
    """The deciders of an environment as rows, replica by replica.

    Args:
        env: The environment; its replicas step together.
        observation_space, action_space: The spaces of one row.
        deciders: Rows of one replica.

    Attributes:
        replicas: B.
        rows: R, the number of deciders of all replicas.

    Raises:
        ValueError: the environment has settings that rows of arrays cannot show.
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
        sizes_of(env.single_action_space)  # raises ValueError for actions that are no indices
        self.env, self._started = env, False
        self.observation_space, self.action_space = observation_space, action_space
        self.replicas, self.deciders = env.settings.replicas, deciders
        self.rows = self.replicas * deciders

    def reset(self, seed: Seeds | None = None) -> NDArray[np.float32]:
        """Start an episode in every replica, as `ArrayParallelEnv.reset_array` does. Observations `[R, D]`"""
        seeds = None if seed is None else seeds_of(seed, self.replicas)
        observations = self.env.reset_array(seeds)
        self._begin(seeds, observations)
        self._started = True
        return self._row_observations(observations)

    def step(self, actions: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float64], bool]:
        """Run a step in every replica.

        Args:
            actions: Integers. `[R, ...]`

        Returns:
            Observations `[R, D]`, rewards `[R]`, and whether all episodes were truncated by this step.

        Raises:
            RuntimeError: no episode is running.
            ValueError: actions of another type or shape, or outside the space.
        """
        if not self._started:
            raise RuntimeError("no episode is running: call reset first")
        array, shape = np.asarray(actions), (self.rows, *(self.action_space.shape or ()))
        if array.dtype.kind not in "iu" or array.shape != shape:
            raise ValueError(f"actions: {array.dtype} {array.shape}; expected are integers {shape}")
        observations, rewards, _, truncations, self._infos = self.env.step_array(self._joint_actions(array))
        ended = bool(truncations.all())
        self._after(observations, rewards, ended)
        return self._row_observations(observations), self._row_rewards(rewards), ended

    def masks(self) -> NDArray[np.bool_]:
        """Mask of the actions that each row may take. `[R, K]`"""
        return self.env.mask_array().reshape(self.rows, -1)

    def infos(self) -> dict[str, NDArray]:
        """The environment's infos of the last step, by name. `[R, ...]` each"""
        return {name: self._row_info(column) for name, column in self._infos.items()}

    def _begin(self, seeds: Sequence[int] | None, observations: NDArray[np.float32]) -> None:
        """Prepare for an episode whose first observations `[B, N, D]` are these."""
        self._infos = {} if self.env.settings.info_level == "none" else self.env.game.infos()

    def _after(  # noqa: B027 (optional)
        self, observations: NDArray[np.float32], rewards: NDArray[np.float64] | None, ended: bool
    ) -> None:
        """Take the arrays of all agents after a reset (rewards are None) or a step; a subclass may override it."""

    def _joint_actions(self, actions: NDArray) -> NDArray:
        """From actions of rows `[R, ...]` to those of all agents `[B, N, ...]`."""
        return actions.reshape(self.replicas, -1, *(self.env.single_action_space.shape or ()))

    def _row_observations(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """From observations of all agents `[B, N, D]` to those of rows."""
        return observations.reshape(self.rows, -1)

    def _row_info(self, column: NDArray) -> NDArray:
        """From an info of all agents `[B, N]` to that of rows `[R, ...]`."""
        return column.reshape(self.rows, -1)

    @abstractmethod
    def _row_rewards(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        """From rewards of all agents `[B, N]` to those of rows `[R]`."""


class Shared(Controller):
    """Every agent decides for itself, by one policy (parameter sharing): a row for each agent, R = B N."""

    def __init__(self, env: ArrayParallelEnv) -> None:
        super().__init__(env, env.single_observation_space, env.single_action_space, len(env.possible_agents))

    def _row_rewards(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        return rewards.ravel()

    def _row_info(self, column: NDArray) -> NDArray:
        return column.ravel()


class Central(Controller):
    """One decider for all agents, which observes the global state; its reward is the agents' mean reward."""

    def __init__(self, env: ArrayParallelEnv) -> None:
        sizes = np.tile(sizes_of(env.single_action_space), len(env.possible_agents))
        super().__init__(env, env.state_space, MultiDiscrete(sizes))

    def _row_rewards(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        return rewards.mean(axis=1)


Others = Callable[[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64] | None], ArrayLike]
"""A policy of all agents: actions `[B, N, F]` (flat indices: `[B, N]`) from their observations `[B, N, D]`, masks
`[B, N, K]`, and the rewards of their last step `[B, N]`, which are None when an episode begins. It is called once per
step, and once more after the last one, so that it can learn from that, too; those actions are not used."""


class OneAgent(Controller):
    """One agent among others, which are part of its environment.

    Args:
        env: The environment.
        agent: Name of the agent that decides; None: the first.
        others: What the others do. An array: actions of all agents that they keep, `[N, F]` (flat indices: `[N]`). A
            policy, which may learn: see `Others`. None: each draws an allowed action when an episode begins, and keeps
            it.

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
        self._others = others if others is None or callable(others) else self._checked_actions(others)
        self._rngs: list[np.random.Generator] = []

    def masks(self) -> NDArray[np.bool_]:
        return self.env.mask_array()[:, self._agent]

    def _begin(self, seeds: Sequence[int] | None, observations: NDArray[np.float32]) -> None:
        super()._begin(seeds, observations)
        self._after(observations, None, ended=False)
        first = self.env.game.first_actions()
        if self._others is None:
            if seeds is not None or not self._rngs:
                # A separate random stream, so that the air is the same in every view of a seed.
                entropy = [None] * self.replicas if seeds is None else seeds
                self._rngs = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,))) for seed in entropy]
            sizes, masks = sizes_of(self.env.single_action_space), self.env.mask_array()
            draws = np.stack([rng.random((first.shape[1], len(sizes))) for rng in self._rngs])
            self._constant = pick_allowed(draws, masks, sizes).reshape(first.shape)
        elif not callable(self._others):
            self._constant = np.broadcast_to(self._others, first.shape)

    def _after(self, observations: NDArray[np.float32], rewards: NDArray[np.float64] | None, ended: bool) -> None:
        self._latest = observations, rewards
        if ended and callable(self._others):
            self._call(self._others)

    def _call(self, others: Others) -> ArrayLike:
        """The actions of a policy, which gets copies of the latest arrays."""
        observations, rewards = self._latest
        return others(observations.copy(), self.env.mask_array(), None if rewards is None else rewards.copy())

    def _checked_actions(self, others: ArrayLike, *lead: int) -> NDArray[np.int64]:
        """A copy of the actions of all agents `[*lead, N, ...]`; what the deciding agent would do is not checked."""
        space = self.env.single_action_space
        shape = (*lead, len(self.env.possible_agents), *(space.shape or ()))
        try:
            actions = np.asarray(others)
        except ValueError as error:
            raise ValueError(f"others: {error}; expected are integers {shape}") from None
        if actions.dtype.kind not in "iu" or actions.shape != shape:
            raise ValueError(f"others: {actions.dtype} {actions.shape}; expected are integers {shape}")
        used, sizes = np.delete(actions, self._agent, axis=len(lead)), sizes_of(space)
        outside = (used < 0) | (used >= sizes)
        if outside.any():
            raise ValueError(f"others: {used[outside][0]} is outside the space {space}")
        return actions.astype(np.int64)

    def _joint_actions(self, actions: NDArray) -> NDArray:
        if callable(self._others):
            joint = self._checked_actions(self._call(self._others), self.replicas)
        else:
            joint = self._constant.copy()
        joint[:, self._agent] = actions
        return joint

    def _row_observations(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        return observations[:, self._agent].copy()

    def _row_rewards(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        return rewards[:, self._agent].copy()

    def _row_info(self, column: NDArray) -> NDArray:
        return column[:, self._agent].copy()
