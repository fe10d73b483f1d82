"""Arrays inside, dicts at the door: the parallel environment of any game.

A game is arrays over `B` replicas (`Game`); `ArrayParallelEnv` gives it episodes, seeds and both faces: `reset_array`
and `step_array` for those who bring batches, PettingZoo's dicts, a view of one replica, for everybody else.

Shape letters: `B` replicas, `N` agents, `F` factors of an action, `D` features, `K` entries of a mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pettingzoo import ParallelEnv

from lora_marl.envs.door import Door
from lora_marl.envs.game import EnvSettings, Game
from lora_marl.envs.seeds import Seeds


class ArrayParallelEnv(Door, ParallelEnv):
    """A game as PettingZoo's parallel environment, and as arrays over its replicas.

    Episodes end by truncation, in all replicas together, after `max_cycles` steps.
    """

    def __init__(self, game: Game, settings: EnvSettings) -> None:
        super().__init__(game, settings)
        self._cycle = 0
        self._running = False

    def reset_array(self, seeds: Seeds | None = None) -> NDArray[np.float32]:
        """Start an episode in every replica.

        Args:
            seeds: `[B]`, at least 0: everything after depends on them alone, replica b on `seeds[b]`, whatever `B` is.
                One number: the first one's; the others follow from it (`lora_marl.envs.seeds`). None: the random
                streams go on.

        Returns:
            Observations. `[B, N, D]`
        """
        self._seed(seeds)
        self.game.begin(self._rngs)
        self._start()
        self._show()
        return self.game.observations()

    def step_array(
        self, actions: ArrayLike
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, NDArray]]:
        """Play a step in every replica. All arrays are new.

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
        """Allowed actions. `[B, N, K]`"""
        return self.game.masks()

    def state_array(self) -> NDArray[np.float32]:
        """The global state of each replica. `[B, N * D]`"""
        observations = self.game.observations()
        return observations.reshape(len(observations), -1)

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode; `seed` makes everything after it reproducible, no `options` are known."""
        self._begin(seed, options)
        self._start()
        active = self.game.active()[0].tolist()
        self._gone: set[str] = set()
        self.agents = [
            agent for agent, is_in in zip(self.possible_agents, active, strict=True) if is_in or not self._drops
        ]
        self._show()
        return self._by_agent(self._observations()), self._by_agent(self._infos())

    def step(self, actions: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        """Play a step of all agents that take part; without any there is nothing to play, and the dicts are empty."""
        if not self.agents and not self._running:
            self._check_begun()
            return {}, {}, {}, {}, {}
        chosen = self._gathered(actions)
        terminations, truncations = self._advance(chosen[None])
        self._actions = chosen
        if self._drops:
            self._join()
        results = (
            self._by_agent(self._observations()),
            self._by_agent(self.game.rewards()[0].tolist()),
            self._by_agent(terminations[0].tolist()),
            self._by_agent(truncations[0].tolist()),
            self._by_agent(self._infos()),
        )
        self._leave(results[2])
        self._show()
        return results

    def _show(self) -> None:
        """A live view, without being asked for it: what Gymnasium and PettingZoo mean by `human`."""
        if self.render_mode == "human":
            self.render()

    @property
    def _drops(self) -> bool:
        return self.settings.remove_dead

    def _start(self) -> None:
        self._cycle, self._running = 0, True
        self._actions = self.game.first_actions()[0]
        self._was_active = self.game.active()

    def _gathered(self, actions: Mapping[str, Any]) -> NDArray:
        """The actions of all agents as an array `[N, ...]`; those that take no part keep their last one."""
        missing = [agent for agent in self.agents if agent not in actions]
        if missing:
            raise ValueError(f"actions: {missing[0]} has none; every agent in agents needs one")
        unknown = [agent for agent in actions if agent not in self._number]
        if unknown:
            raise ValueError(f"actions: {unknown[0]!r} is no agent; see possible_agents")
        try:
            given = np.array([actions[agent] for agent in self.agents])
        except ValueError:
            raise ValueError(f"actions: of unlike shapes; expected are those of {self.single_action_space}") from None
        if len(self.agents) == len(self.possible_agents):
            return given
        chosen = self._actions.copy()
        if self.agents:
            if given.dtype.kind not in "iu" or given.shape[1:] != chosen.shape[1:]:
                raise ValueError(f"actions: {given.dtype} {given.shape[1:]}; expected are integers {chosen.shape[1:]}")
            chosen[[self._number[agent] for agent in self.agents]] = given
        return chosen

    def _advance(self, actions: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Play a step; who has left by it, and whether that was the last one. `[B, N]` each"""
        if not self._running:
            raise RuntimeError("no episode is running: call reset_array or reset first")
        self.game.advance(actions)
        self._cycle += 1
        self._running = self._cycle < self.max_cycles
        active = self.game.active()
        left = self._was_active & ~active if self._drops else np.zeros_like(active)
        self._was_active = active
        return left, np.full(active.shape, not self._running)

    def _join(self) -> None:
        """Add the agents that have become part of the network."""
        present = {agent for agent, is_in in zip(self.possible_agents, self._was_active[0], strict=True) if is_in}
        present = (present | set(self.agents)) - self._gone
        self.agents = sorted(present, key=self._number.__getitem__)

    def _leave(self, terminations: Mapping[str, bool]) -> None:
        """Drop those that are done."""
        if not self._running:
            self.agents = []
        elif self._drops:
            self._gone.update(agent for agent, done in terminations.items() if done)
            self.agents = [agent for agent in self.agents if agent not in self._gone]

    def _by_agent(self, values: Sequence[Any]) -> dict[str, Any]:
        """The values, one per possible agent, of those that take part."""
        if len(self.agents) == len(values):
            return dict(zip(self.agents, values, strict=True))
        return {agent: values[self._number[agent]] for agent in self.agents}
