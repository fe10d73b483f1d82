"""One agent of a game decides; what the others do is part of its environment.

Shape letters: `B` replicas, `N` agents, `F` factors of an action, `D` features, `K` entries of a mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.envs.base import ArrayParallelEnv
from lora_marl.envs.codec import among_allowed, sizes_of
from lora_marl.views.controllers import Controller

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
            self._kept = among_allowed(draws, masks, sizes).reshape(first.shape)
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
