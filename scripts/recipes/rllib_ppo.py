"""PPO with RLlib's new API stack: one policy for all agents, with action masks.

- `python scripts/recipes/rllib_ppo.py energy_v0 --steps 3000`
- `RAY_ADDRESS=auto python scripts/recipes/rllib_ppo.py uplink_v0 --workers 16` on a cluster

Needs ray[rllib] 2.60 and pillow. Workers are further processes, each with an environment of its own; one that dies is
replaced, and training goes on.
"""

from __future__ import annotations

from typing import Annotated, Any

import ray
import torch
import typer
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule

import lora_marl
from lora_marl.adapters.perceptron import layers_of
from lora_marl.adapters.policy import Policy, spaces_of
from lora_marl.adapters.rllib import register, shared
from scripts.recipes.recipe import recipe

ROUND = 256


def train(
    name: str,
    steps: int,
    *,
    seed: int = 0,
    workers: Annotated[int, typer.Option(min=0, help="Further processes that run environments; 0: this one does.")] = 0,
    **settings: Any,
) -> Policy:
    """Train one policy for all agents of an environment of `lora_marl.ENVS`, for so many environment steps."""
    torch.set_num_threads(1)
    settings = {"action_format": "discrete", "info_level": "none", **settings}
    module = RLModuleSpec(
        module_class=ActionMaskingTorchRLModule,
        model_config=DefaultModelConfig(
            fcnet_hiddens=[64, 64], fcnet_activation="tanh", head_fcnet_hiddens=[], vf_share_layers=False
        ),
    )
    agents = len(lora_marl.make(name, **settings).possible_agents)
    config = (
        PPOConfig()
        .environment(register(name), env_config={"masked": True, **settings})
        .multi_agent(**shared(), count_steps_by="agent_steps")
        .rl_module(rl_module_spec=MultiRLModuleSpec(rl_module_specs={"shared": module}))
        .env_runners(num_env_runners=workers, rollout_fragment_length="auto")
        .fault_tolerance(restart_failed_env_runners=True)
        .training(
            train_batch_size_per_learner=ROUND * agents, minibatch_size=ROUND * agents // 8, num_epochs=5,
            lr=1e-3, gamma=0.5, entropy_coeff=0.0,
        )
        .debugging(seed=seed, log_level="ERROR")
    )  # fmt: skip
    algorithm = config.build_algo()
    try:
        for _ in range(-(-steps // ROUND)):
            algorithm.train()
        network = algorithm.get_module("shared")
        layers, activation = layers_of([*network.encoder.actor_encoder.net.mlp, *network.pi.net.mlp])
    finally:
        algorithm.stop()
        ray.shutdown()
    env = lora_marl.make(name, **settings)
    return Policy(spaces_of(env, name, algorithm="RLlib PPO", activation=activation, greedy=False, masked=True), layers)


if __name__ == "__main__":
    recipe("ray", train, __doc__)
