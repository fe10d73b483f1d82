"""RLlib (new API stack): an environment as its multi-agent environment, with masks where its masking module looks.

    from ray.rllib.algorithms.ppo import PPOConfig

    from lora_marl.adapters.rllib import register, shared

    config = PPOConfig().environment(register("uplink_v0"), env_config={"max_cycles": 100}).multi_agent(**shared())

With `masked=True` an observation is a dict of `observations` and `action_mask` (float32), as RLlib's
`ActionMaskingTorchRLModule` wants it; actions are then discrete. RLlib's own `ParallelPettingZooEnv` works, too, but
begins an episode when it is made, and forgets the order of agents.
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
    """A parallel environment of ours.

    Args:
        name: Of `lora_marl.ENVS`.
        masked: Whether observations have masks.
        **settings: The environment's.

    Raises:
        ValueError: settings whose observations or episodes RLlib would not understand.
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
        """Start an episode."""
        observations, infos = self.env.reset(seed)  # RLlib gives options that mean nothing
        self.agents = list(self.env.agents)
        return self._seen(observations), infos

    def step(self, action_dict: AnyDict) -> tuple[AnyDict, AnyDict, AnyDict, AnyDict, AnyDict]:
        """Play a step."""
        observations, rewards, terminations, truncations, infos = self.env.step(action_dict)
        self.agents = list(self.env.agents)
        return (
            self._seen(observations),
            rewards,
            {**terminations, "__all__": False},
            {**truncations, "__all__": all(truncations.values())},
            infos,
        )

    def render(self) -> Any:
        """See `lora_marl.envs.base.PettingZooBase.render`."""
        return self.env.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self.env.close()

    def _seen(self, observations: AnyDict) -> AnyDict:
        if not self._masked:
            return observations
        masks = dict(zip(self.possible_agents, self.env.action_masks().astype(np.float32), strict=True))
        return {
            agent: {"observations": observation, "action_mask": masks[agent]}
            for agent, observation in observations.items()
        }


def register(name: str) -> str:
    """Make an environment of `lora_marl.ENVS` known to RLlib, in workers too.

    Returns:
        The name under which RLlib knows it; `env_config` takes `masked` and the environment's settings.
    """
    known = f"lora_marl/{name}"
    register_env(known, lambda config: AgentsEnv(name, **config))
    return known


def shared(policy: str = "shared") -> AnyDict:
    """Arguments of `AlgorithmConfig.multi_agent` for one policy of all agents."""
    return {"policies": {policy}, "policy_mapping_fn": lambda agent, *_, **__: policy}
