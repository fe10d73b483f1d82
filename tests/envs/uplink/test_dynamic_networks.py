"""NoReL's changing networks through PettingZoo, commands by downlinks included."""

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test

from lora_marl.core.presets import norel_dynamic
from lora_marl.envs import uplink_v0


@pytest.mark.parametrize("kind", ["nodes", "traffic", "channel"])
def test_changing_networks_are_environments(kind):
    arguments = {"scenario": norel_dynamic(kind, 10), "window_s": 6 * 3600.0}
    parallel_api_test(uplink_v0.parallel_env(**arguments), num_cycles=20)
    env = uplink_v0.parallel_env(**arguments, max_cycles=80)
    observations, _ = env.reset(seed=0)
    active = env.feature_names.index("active")
    assert sum(values[active] for values in observations.values()) == 10
    for _ in range(60):
        observations, *_ = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    assert sum(values[active] for values in observations.values()) == len(observations)
    assert len(observations) == (12 if kind == "nodes" else 10)


def test_commands_arrive_only_by_downlink():
    env = uplink_v0.parallel_env(scenario=norel_dynamic("traffic", 30), window_s=600.0, max_cycles=200)
    env.reset(seed=1)
    loud = {agent: np.array([5, 4]) for agent in env.agents}
    sent = np.zeros(6)
    for _ in range(20):
        env.step(loud)
        sent += env.game.outcome.arm_sent[0, :, :6].sum(axis=0)
    # Everybody begins with the fixed point (SF7), and changes once a command has come.
    assert sent[5] > 0 and sent[0] > 0
