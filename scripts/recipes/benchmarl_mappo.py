"""MAPPO with BenchMARL: its defaults, except for short rounds and a small discount factor.

- `python scripts/recipes/benchmarl_mappo.py energy_v0`

Needs benchmarl 1.5 in a virtual environment of its own; see `lora_marl.adapters.benchmarl`.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from benchmarl.algorithms import MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from torchrl.modules import MultiAgentMLP

import lora_marl
from lora_marl.adapters.benchmarl import ReplicaTask
from lora_marl.adapters.policy import Policy, spaces_of
from scripts.recipes.recipe import recipe

ROUND, REPLICAS = 16, 4


def train(name: str, steps: int, *, seed: int = 0, **settings: Any) -> Policy:
    """Train one policy for all agents of an environment of `lora_marl.ENVS`, for so many environment steps."""
    torch.set_num_threads(1)
    task = ReplicaTask(name, settings)
    model = MlpConfig.get_from_yaml()
    model.num_cells = [64, 64]
    with TemporaryDirectory() as folder:
        experiment = Experiment(task, MappoConfig.get_from_yaml(), model, seed, experiment_config(steps, Path(folder)))
        experiment.run()
    env = lora_marl.make(name, **task.config)
    spaces = spaces_of(env, name, algorithm="BenchMARL MAPPO", activation="tanh", greedy=False, masked=True)
    return Policy(spaces, layers_of(experiment))


def experiment_config(steps: int, folder: Path) -> ExperimentConfig:
    """BenchMARL's settings of an experiment of so many environment steps, without logs and evaluation."""
    config = ExperimentConfig.get_from_yaml()
    config.loggers, config.create_json, config.save_folder = [], False, str(folder)
    config.evaluation, config.render, config.prefer_continuous_actions = False, False, False
    config.max_n_frames, config.max_n_iters = steps, None
    config.on_policy_collected_frames_per_batch, config.on_policy_n_envs_per_worker = ROUND * REPLICAS, REPLICAS
    config.on_policy_minibatch_size, config.on_policy_n_minibatch_iters = ROUND * REPLICAS // 4, 5
    config.gamma, config.lr = 0.5, 1e-3
    return config


def layers_of(experiment: Experiment) -> tuple[tuple[Any, Any], ...]:
    """Weights and biases of the actor, which all agents share."""
    actor = next(module for module in experiment.policy.modules() if isinstance(module, MultiAgentMLP))
    layers = [actor.params[number] for number in sorted(actor.params.keys(), key=int)]
    return tuple((layer["weight"].detach().numpy().copy(), layer["bias"].detach().numpy().copy()) for layer in layers)


if __name__ == "__main__":
    recipe("benchmarl", train, __doc__)
