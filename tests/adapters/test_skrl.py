"""skrl's IPPO on the parallel environments, as they are: it knows multi-discrete actions, and no masks."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("skrl", reason="needs skrl in an environment of its own")

import torch
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import DeterministicMixin, Model, MultiCategoricalMixin
from skrl.multi_agents.torch.ippo import IPPO, IPPO_CFG
from skrl.trainers.torch import SequentialTrainer

import lora_marl
from tests.envs.small import SETTINGS

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]


class Actor(MultiCategoricalMixin, Model):
    def __init__(self, observation_space: Any, action_space: Any, device: Any) -> None:
        Model.__init__(self, observation_space=observation_space, action_space=action_space, device=device)
        MultiCategoricalMixin.__init__(self)
        self.net = torch.nn.Linear(self.num_observations, int(action_space.nvec.sum()))

    def compute(self, inputs: Any, role: str = "") -> Any:
        return self.net(inputs["observations"]), {}


class Critic(DeterministicMixin, Model):
    def __init__(self, observation_space: Any, action_space: Any, device: Any) -> None:
        Model.__init__(self, observation_space=observation_space, action_space=action_space, device=device)
        DeterministicMixin.__init__(self)
        self.net = torch.nn.Linear(self.num_observations, 1)

    def compute(self, inputs: Any, role: str = "") -> Any:
        return self.net(inputs["observations"]), {}


@pytest.mark.parametrize("name", sorted(lora_marl.ENVS))
def test_ippo_learns(name: str, tmp_path) -> None:
    raw = lora_marl.make(name, **SETTINGS[name], max_cycles=8, action_format="multidiscrete")
    env = wrap_env(raw, wrapper="pettingzoo")
    agents = env.possible_agents
    models = {
        agent: {
            "policy": Actor(env.observation_space(agent), env.action_space(agent), env.device),
            "value": Critic(env.observation_space(agent), env.action_space(agent), env.device),
        }
        for agent in agents
    }
    config = IPPO_CFG(rollouts=8, learning_epochs=1, mini_batches=1)
    config.experiment.directory, config.experiment.write_interval = str(tmp_path), 0
    config.experiment.checkpoint_interval = 0
    # Empty dicts as defaults of fields by agent are refused by skrl 2.1.
    for field, value in vars(config).items():
        if value == {}:
            setattr(config, field, {agent: {} for agent in agents})
    before = [parameter.clone() for parameter in models[agents[0]]["policy"].parameters()]
    learner = IPPO(
        possible_agents=agents,
        models=models,
        memories={agent: RandomMemory(memory_size=8, num_envs=1, device=env.device) for agent in agents},
        observation_spaces=env.observation_spaces,
        state_spaces=env.state_spaces,
        action_spaces=env.action_spaces,
        device=env.device,
        cfg=config,
    )
    SequentialTrainer(
        env=env,
        agents=learner,
        cfg={"timesteps": 24, "headless": True, "disable_progressbar": True, "close_environment_at_exit": False},
    ).train()
    after = list(models[agents[0]]["policy"].parameters())
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
