from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sb3_contrib", reason="needs the extra sb3")

import torch
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecFrameStack, VecNormalize
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

import lora_marl
from lora_marl.adapters.perceptron import layers_of
from lora_marl.adapters.policy import Policy
from lora_marl.adapters.sb3 import shared_env
from lora_marl.adapters.sb3_training import ALGORITHMS, exported, train
from tests.envs.small import SETTINGS

TINY: dict[str, dict[str, Any]] = {
    "ppo": {"n_steps": 4, "n_epochs": 1, "batch_size": 8},
    "maskable-ppo": {"n_steps": 4, "n_epochs": 1, "batch_size": 8},
    "dqn": {"learning_starts": 8, "buffer_size": 100, "batch_size": 8},
}


def trained(name: str, algorithm: str, **more: Any) -> BaseAlgorithm:
    settings = {**SETTINGS[name], "max_cycles": 5}
    settings |= {"action_format": "discrete"} if algorithm == "dqn" else {}
    settings |= {"min_margin_db": 12.0} if name == "uplink_v0" else {}
    return train(shared_env(name, 2, **settings), algorithm, 60, hyperparameters=TINY[algorithm], **more)


@pytest.mark.parametrize("name", sorted(lora_marl.ENVS))
@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_the_exported_policy_is_the_trained_one(name: str, algorithm: str, tmp_path: Path) -> None:
    model = trained(name, algorithm)
    exported(model, name).write(tmp_path)
    policy = Policy.read(tmp_path)
    rows = model.get_env()
    seen, masks = rows.reset(), np.stack(rows.env_method("action_masks"))
    draws = np.empty((len(seen), len(policy.spaces.sizes)))
    chosen = policy.choose(seen, draws, masks if policy.spaces.masked else None, greedy=True)
    more = {"action_masks": masks} if algorithm == "maskable-ppo" else {}
    expected, _ = model.predict(seen, deterministic=True, **more)
    assert np.array_equal(chosen, expected.reshape(chosen.shape))
    assert policy.spaces.environment == name
    assert policy.spaces.greedy == (algorithm == "dqn")
    if algorithm == "ppo":
        distribution = model.policy.get_distribution(torch.as_tensor(seen)).distribution
        parts = distribution if isinstance(distribution, list) else [distribution]
        logits = np.concatenate([part.logits.detach().numpy() for part in parts], axis=1)
        own, ends = policy.scores(seen), np.cumsum(policy.spaces.sizes)[:-1]
        for ours, theirs in zip(np.split(own, ends, axis=1), np.split(logits, ends, axis=1), strict=True):
            shift = ours - theirs  # logits are known up to a number per factor
            np.testing.assert_allclose(shift - shift[:, :1], 0.0, atol=1e-5)


def test_a_loaded_model_is_exported_once_it_has_its_environment(tmp_path: Path) -> None:
    model = trained("uplink_v0", "ppo")
    model.save(tmp_path / "model.zip")
    with pytest.raises(ValueError, match=r"the model has no environment; load it with env=shared_env"):
        exported(PPO.load(tmp_path / "model.zip"), "uplink_v0")
    loaded = PPO.load(tmp_path / "model.zip", env=model.get_env())
    assert exported(loaded, "uplink_v0").spaces == exported(model, "uplink_v0").spaces


def test_training_tells_and_logs(tmp_path: Path) -> None:
    steps: list[int] = []
    trained("uplink_v0", "ppo", folder=tmp_path, on_step=steps.append)
    assert steps == sorted(steps) and steps[-1] >= 60
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_bad_arguments_are_named() -> None:
    rows = shared_env("uplink_v0", max_cycles=5, **SETTINGS["uplink_v0"])
    with pytest.raises(ValueError, match="algorithm: 'sac' is not one of ppo, maskable-ppo, dqn"):
        train(rows, "sac", 10)
    with pytest.raises(ValueError, match="ppo: .*learning_rat"):
        train(rows, "ppo", 10, hyperparameters={"learning_rat": 1.0})
    with pytest.raises(ValueError, match="dqn: .*MultiDiscrete"):
        train(rows, "dqn", 10)
    with pytest.raises(ValueError, match="A2C is not PPO, MaskablePPO or DQN"):
        exported(A2C("MlpPolicy", rows), "uplink_v0")
    small = train(rows, "ppo", 1, hyperparameters={**TINY["ppo"], "policy_kwargs": {"activation_fn": torch.nn.ELU}})
    with pytest.raises(ValueError, match="not a perceptron with tanh or ReLU"):
        exported(small, "uplink_v0")


def test_what_a_policys_files_cannot_say_is_refused() -> None:
    rows = shared_env("uplink_v0", max_cycles=5, **SETTINGS["uplink_v0"])
    for wrapped in (VecNormalize(rows, norm_obs=True), VecFrameStack(rows, 3)):
        with pytest.raises(ValueError, match="exported: a wrapper changes observations"):
            exported(PPO("MlpPolicy", wrapped, **TINY["ppo"]), "uplink_v0")
    scaled = PPO("MlpPolicy", VecNormalize(rows, norm_obs=False), **TINY["ppo"])
    assert exported(scaled, "uplink_v0").spaces.environment == "uplink_v0"
    with pytest.raises(ValueError, match="exported: name = 'energy_v0', but the model was trained on .*uplink_v0"):
        exported(scaled, "energy_v0")


@pytest.mark.parametrize(
    "modules",
    [
        [nn.Linear(2, 2), nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)],
        [nn.Linear(2, 2), nn.Tanh()],
        [nn.Linear(2, 2, bias=False)],
        [],
    ],
)
def test_what_is_no_perceptron_is_no_policy(modules: list[nn.Module]) -> None:
    with pytest.raises(ValueError, match="not a perceptron with tanh or ReLU between layers with biases"):
        layers_of(modules)


@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_tensorboard_has_the_metrics_of_episodes_over_all_replicas(algorithm: str, tmp_path: Path) -> None:
    settings = {**SETTINGS["uplink_v0"], "max_cycles": 4, "episode_log": tmp_path / "episodes.csv"}
    settings |= {"action_format": "discrete"} if algorithm == "dqn" else {}
    rows = shared_env("uplink_v0", 3, **settings)
    train(rows, algorithm, 16 * rows.num_envs, hyperparameters=TINY[algorithm], folder=tmp_path)
    events = EventAccumulator(str(tmp_path)).Reload()
    with (tmp_path / "episodes.csv").open() as file:
        episodes = list(csv.DictReader(file))
    assert len(episodes) == 3 * 4
    for name in ("pdr", "reward", "delivered"):
        last = events.Scalars(f"episode/{name}")[-1].value
        of_last_episode = [float(row[name]) for row in episodes[-3:]]
        assert last == pytest.approx(np.mean(of_last_episode), rel=1e-5)
