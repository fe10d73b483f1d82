"""RLlib (new API stack): an environment as a `MultiAgentEnv`, with masks where RLlib's masking module expects them.

    from ray.rllib.algorithms.ppo import PPOConfig

    from lora_marl.adapters.rllib import register, shared

    config = PPOConfig().environment(register("uplink_v0"), env_config={"max_cycles": 100}).multi_agent(**shared())

With `masked=True` an observation is a dict of `observations` and `action_mask` (float32), which RLlib's
`ActionMaskingTorchRLModule` takes; actions are then discrete. RLlib's own `ParallelPettingZooEnv` works, too, but it
starts an episode when it is created, and loses the order of agents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.tune.registry import register_env

import lora_marl

AnyDict = dict[str, Any]


class AgentsEnv(MultiAgentEnv):
    """An environment of `lora_marl.ENVS` as RLlib's multi-agent environment.

    Args:
        name: The environment's name.
        masked: Whether observations include action masks.
        **settings: The environment's settings.

    Raises:
        ValueError: settings whose observations or episodes RLlib cannot use.
    """

    def __init__(self, name: str, *, masked: bool = False, **settings: Any) -> None:
        self.env = lora_marl.make(name, **{**({"action_format": "discrete"} if masked else {}), **settings})
        for field, needed in (("obs_format", "box"), ("remove_dead", False)):
            if (value := getattr(self.env.settings, field)) != needed:
                raise ValueError(f"{field}: {value!r}; RLlib needs {needed!r} (masks: masked=True)")
        if masked and not isinstance(self.env.single_action_space, Discrete):
            raise ValueError("action_format: masks are of discrete actions; leave it out, or give 'discrete'")
        space = self.env.single_observation_space
        self._masked = masked
        if masked:
            size = self.env.action_masks().shape[-1]
            space = Dict({"observations": space, "action_mask": Box(0.0, 1.0, (size,), np.float32)})
        self.possible_agents = list(self.env.possible_agents)
        self.observation_spaces = dict.fromkeys(self.possible_agents, space)
        self.action_spaces = self.env.action_spaces
        self.agents: list[str] = []
        self.render_mode = self.env.render_mode
        super().__init__()

    def reset(self, *, seed: int | None = None, options: AnyDict | None = None) -> tuple[AnyDict, AnyDict]:
        """Start an episode; `options` are ignored."""
        observations, infos = self.env.reset(seed)  # RLlib passes options of its own
        self.agents = list(self.env.agents)
        return self._with_masks(observations), infos

    def step(self, action_dict: AnyDict) -> tuple[AnyDict, AnyDict, AnyDict, AnyDict, AnyDict]:
        """Run a step of all agents."""
        observations, rewards, terminations, truncations, infos = self.env.step(action_dict)
        self.agents = list(self.env.agents)
        return (
            self._with_masks(observations),
            rewards,
            {**terminations, "__all__": False},
            {**truncations, "__all__": all(truncations.values())},
            infos,
        )

    def render(self) -> Any:
        """The environment's picture, as `lora_marl.envs.base.PettingZooBase.render` returns it."""
        return self.env.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self.env.close()

    def _with_masks(self, observations: AnyDict) -> AnyDict:
        """The observations by agent, with action masks where they are wanted."""
        if not self._masked:
            return observations
        masks = dict(zip(self.possible_agents, self.env.action_masks().astype(np.float32), strict=True))
        return {
            agent: {"observations": observation, "action_mask": masks[agent]}
            for agent, observation in observations.items()
        }


def register(name: str) -> str:
    """Register an environment of `lora_marl.ENVS` with RLlib, also for its workers.

    Returns:
        The registered name; `env_config` takes `masked` and the environment's settings.
    """
    registered = f"lora_marl/{name}"
    register_env(registered, lambda config: AgentsEnv(name, **config))
    return registered


def shared(policy: str = "shared") -> AnyDict:
    """Arguments of `AlgorithmConfig.multi_agent` for one policy that all agents share."""
    return {"policies": {policy}, "policy_mapping_fn": lambda agent, *_, **__: policy}
