"""The game of `uplink_v0` by turns: a node moves when its last packet's fate is known and its next packet is due.

It has packets in place of windows, so that `is_parallelizable` is False. Spaces, observation, reward and arguments are
those of `lora_marl.envs.uplink_v0`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from pettingzoo import AECEnv

from lora_marl.envs.base import PettingZooBase
from lora_marl.envs.game import RENDER_MODES
from lora_marl.envs.uplink.game import UplinkGame, UplinkSettings


class UplinkTurns(PettingZooBase, AECEnv):
    """Turns in the order in which the air asks for decisions, described on the page of `lora_marl.envs.uplink_v0`.

    A node's first turn has no reward, since no packet has ended yet; later the reward is that of its last packet. The
    features `sent` and `packets` cover the time since the last round of decisions. The episode is truncated for all
    nodes after the time of `max_cycles` windows; packets that ended by then are rewarded.
    """

    metadata = {
        "name": "lora_uplink_v0",
        "render_modes": list(RENDER_MODES),
        "is_parallelizable": False,
        "render_fps": 4,
    }

    agent_selection: str

    def __init__(self, **settings: Any) -> None:
        if settings.get("episode_log") is not None:
            raise ValueError(f"episode_log: {settings['episode_log']!r}; by turns there is none, parallel_env has it")
        game = UplinkGame(UplinkSettings.of(settings))
        super().__init__(game, game.settings)
        self.game: UplinkGame = game

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Start an episode; `seed` makes everything after it reproducible, and there are no `options`."""
        self._begin_single(seed, options)
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._skip_agent_selection = None
        # Where no packet is ever sent, the air asks for no decision: then every node has one turn.
        self._due = deque(self.game.run_to_decision(self._horizon_s()) or range(len(self.agents)))
        self._observe_all()

    def step(self, action: Any) -> None:
        """Write the choice of the node whose turn it is; once all that are due have chosen, the air goes on."""
        if self.truncations[self.agent_selection]:
            self._was_dead_step(action)
            return
        self.game.choose(self._number[self.agent_selection], action)
        self._cumulative_rewards[self.agent_selection] = 0.0
        self._clear_rewards()
        self._due.popleft()
        if self._due:
            self.agent_selection = self.possible_agents[self._due[0]]
            return
        self._due.extend(self.game.run_to_decision(self._horizon_s()))
        if not self._due:
            self.truncations = dict.fromkeys(self.agents, True)
            self._due.append(0)
        self.rewards = dict(zip(self.agents, self.game.rewards()[0].tolist(), strict=True))
        self._accumulate_rewards()
        self._observe_all()

    def observe(self, agent: str) -> Any:
        """A node's observation from when decisions were last due."""
        self._check_started()
        observation = self._latest[self._number[agent]]
        if isinstance(observation, dict):
            return {key: value.copy() for key, value in observation.items()}
        return observation.copy()

    def _clear_rewards(self) -> None:
        self.rewards = dict.fromkeys(self.rewards, 0.0)

    def _horizon_s(self) -> float:
        return self.max_cycles * self.game.settings.window_s

    def _observe_all(self) -> None:
        """Keep what every node knows now, and select the node whose turn it is."""
        self._latest = self._observations()
        self.infos = dict(zip(self.possible_agents, self._infos(), strict=True))
        self.agent_selection = self.possible_agents[self._due[0]]
