"""Stable-Baselines3: train one policy for all agents, and export it (`lora_marl.adapters.policy`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.vec_env import VecMonitor, unwrap_vec_normalize

import lora_marl
from lora_marl.adapters.perceptron import layers_of
from lora_marl.adapters.policy import Policy, spaces_of
from lora_marl.adapters.sb3 import ControllerVecEnv
from lora_marl.core.checks import check_choice
from lora_marl.views import Shared

ALGORITHMS: Mapping[str, type[BaseAlgorithm]] = {"ppo": PPO, "maskable-ppo": MaskablePPO, "dqn": DQN}


def train(
    rows: ControllerVecEnv,
    algorithm: str,
    steps: int,
    *,
    seed: int = 0,
    hyperparameters: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    on_step: Callable[[int], Any] = lambda steps: None,
) -> BaseAlgorithm:
    """Train a model.

    Args:
        rows: All agents of all replicas.
        algorithm: A name of `ALGORITHMS`.
        steps: Least number of agent steps; training ends with a whole round.
        seed: Seed of weights, draws and environments.
        hyperparameters: Arguments of the algorithm's constructor, in place of `defaults`.
        folder: Folder of the learning curves for TensorBoard; None: there are none. With the setting `episode_log`
            they include `EpisodeMetrics`.
        on_step: Called with the number of agent steps so far.

    Returns:
        The trained model.

    Raises:
        ValueError: an unknown algorithm, or hyperparameters that it does not accept.
    """
    check_choice("algorithm", algorithm, ALGORITHMS)
    torch.set_num_threads(1)
    chosen = {**defaults(algorithm, rows), **(hyperparameters or {})}
    try:
        model = ALGORITHMS[algorithm]("MlpPolicy", VecMonitor(rows), seed=seed, **chosen)  # type: ignore[arg-type]
    except (TypeError, AssertionError) as error:
        raise ValueError(f"{algorithm}: {error}") from None
    formats = [] if folder is None else [TensorBoardOutputFormat(str(folder))]
    model.set_logger(Logger(None if folder is None else str(folder), formats))  # type: ignore[arg-type]

    model.learn(steps, callback=EpisodeMetrics(on_step))
    return model


class EpisodeMetrics(BaseCallback):
    """Logs the values of finished episodes (`lora_marl.envs.episode_log`) as `episode/<name>`, over all replicas.

    Stable-Baselines3's own `rollout/ep_rew_mean` is over its last 100 episodes, which are 100 rows of one replica.

    Args:
        on_step: Called with the number of agent steps so far.
    """

    def __init__(self, on_step: Callable[[int], Any] = lambda steps: None) -> None:
        super().__init__()
        self._report = on_step

    def _on_step(self) -> bool:
        self._report(self.num_timesteps)
        rows = self.training_env.unwrapped
        if self.locals["dones"][0] and isinstance(rows, ControllerVecEnv):
            for name, value in rows.controller.env.episode_means.items():
                self.logger.record_mean(f"episode/{name}", value)
        return True


def defaults(algorithm: str, rows: ControllerVecEnv) -> dict[str, Any]:
    """Hyperparameters for many rows with rewards of single steps: short rounds and a small discount factor."""
    if algorithm == "dqn":
        return {"learning_starts": 10 * rows.num_envs, "train_freq": (1, "step"), "gradient_steps": 8, "gamma": 0.5,
                "buffer_size": 100_000, "batch_size": 256, "target_update_interval": 1_000}  # fmt: skip
    steps = 16
    return {"n_steps": steps, "batch_size": max(2, steps * rows.num_envs // 4), "gamma": 0.5, "learning_rate": 1e-3}


def exported(model: BaseAlgorithm, name: str) -> Policy:
    """The policy of a model that was trained on `shared_env`.

    Args:
        model: PPO, MaskablePPO or DQN with a perceptron.
        name: The environment's name in `lora_marl.ENVS`.

    Raises:
        ValueError: a model that cannot be exported.
    """
    if model.get_env() is None:
        raise ValueError("exported: the model has no environment; load it with env=shared_env(...) of its training")
    rows = model.get_env().unwrapped  # type: ignore[union-attr]
    if not (isinstance(rows, ControllerVecEnv) and isinstance(rows.controller, Shared)):
        raise ValueError("exported: the model was not trained on lora_marl.adapters.sb3.shared_env")
    normalised = unwrap_vec_normalize(model.get_env())  # type: ignore[arg-type]
    if model.observation_space != rows.observation_space or (normalised is not None and normalised.norm_obs):
        raise ValueError("exported: a wrapper changes observations, which a policy's files cannot hold")
    module = type(rows.controller.env).__module__
    if lora_marl.ENVS.get(name) != module:
        raise ValueError(f"exported: name = {name!r}, but the model was trained on {module}")
    layers, activation = _perceptron(model)
    training = {"algorithm": type(model).__name__, "activation": activation, "greedy": isinstance(model, DQN)}
    spaces = spaces_of(rows.controller.env, name, masked=isinstance(model, MaskablePPO), **training)
    return Policy(spaces, layers)


def _perceptron(model: BaseAlgorithm) -> tuple[tuple[Any, ...], str]:
    """Weights and biases of the network that chooses actions, and the activation between its layers."""
    policy: Any = model.policy
    if isinstance(model, DQN):
        extractor, modules = policy.q_net.features_extractor, [*policy.q_net.q_net]
    elif isinstance(model, (PPO, MaskablePPO)):
        extractor, modules = policy.pi_features_extractor, [*policy.mlp_extractor.policy_net, policy.action_net]
    else:
        raise ValueError(f"exported: {type(model).__name__} is not PPO, MaskablePPO or DQN")
    if not isinstance(extractor, FlattenExtractor):
        raise ValueError("exported: the network has a features extractor other than FlattenExtractor")
    return layers_of(modules)
