"""AgileRL's IPPO on the parallel environments, as they are; masks would have to be in infos, and crash it."""

from __future__ import annotations

from functools import partial

import pytest

pytest.importorskip("agilerl", reason="needs agilerl and peft in an environment of its own")

import torch
from agilerl.algorithms import IPPO
from agilerl.training.train_multi_agent_on_policy import train_multi_agent_on_policy
from agilerl.vector import AsyncPettingZooVecEnv

import lora_marl
from tests.envs.small import SETTINGS

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", sorted(lora_marl.ENVS))
def test_ippo_learns(name: str) -> None:
    settings = {**SETTINGS[name], "max_cycles": 8, "action_format": "discrete", "info_level": "none"}
    env = AsyncPettingZooVecEnv([partial(lora_marl.make, name, **settings)] * 2)
    try:
        agents = list(env.possible_agents)
        learner = IPPO(
            [env.single_observation_space(agent) for agent in agents],
            [env.single_action_space(agent) for agent in agents],
            agents,
            batch_size=8,
            learn_step=16,
            net_config={"encoder_config": {"hidden_size": [16]}, "head_config": {"hidden_size": [16]}},
        )
        before = [parameter.clone() for actor in learner.actors.values() for parameter in actor.parameters()]
        population, _ = train_multi_agent_on_policy(
            env, name, "IPPO", [learner], max_steps=64, evo_steps=32, eval_steps=8, eval_loop=1, verbose=False
        )
        after = [parameter for actor in population[0].actors.values() for parameter in actor.parameters()]
        assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    finally:
        env.close()
