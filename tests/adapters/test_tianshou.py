"""Tianshou's DQN, one for each agent, on the environments by turns; it takes discrete actions and their masks."""

from __future__ import annotations

import pytest

pytest.importorskip("tianshou", reason="needs tianshou in an environment of its own")

import numpy as np
import torch
from pettingzoo.utils import parallel_to_aec
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.multiagent.marl import MultiAgentOffPolicyAlgorithm
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv, PettingZooEnv
from tianshou.utils.net.common import Net

import lora_marl
from tests.envs.small import SETTINGS

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", sorted(lora_marl.ENVS))
def test_dqn_learns(name: str) -> None:
    def make() -> PettingZooEnv:
        settings = {**SETTINGS[name], "max_cycles": 8, "action_format": "discrete", "obs_format": "dict"}
        return PettingZooEnv(parallel_to_aec(lora_marl.make(name, **settings)))

    env, envs = make(), DummyVectorEnv([make, make])
    features, actions = env.observation_space["observation"].shape, int(env.action_space.n)

    def learner() -> DQN:
        net = Net(state_shape=features, action_shape=actions, hidden_sizes=[16])
        policy = DiscreteQLearningPolicy(model=net, action_space=env.action_space, eps_training=0.1)
        return DQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), gamma=0.5, target_update_freq=10)

    algorithm = MultiAgentOffPolicyAlgorithm(algorithms=[learner() for _ in env.agents], env=env)
    collector = Collector(algorithm, envs, VectorReplayBuffer(500, 2), exploration_noise=True)
    collector.reset()
    collected = collector.collect(n_step=2 * 8 * len(env.agents))
    assert collected.n_collected_steps >= 2 * 8 * len(env.agents)
    before = [parameter.clone() for parameter in algorithm.parameters()]
    with torch.enable_grad():
        algorithm.policy.is_within_training_step = True
        algorithm.update(buffer=collector.buffer, sample_size=16)
    assert any(not torch.equal(old, new) for old, new in zip(before, algorithm.parameters(), strict=True))
    played = collector.buffer[collector.buffer.sample_indices(0)]
    assert np.isfinite(played.rew).all()
    assert np.take_along_axis(played.obs.mask, played.act[:, None].astype(int), axis=1).all()
