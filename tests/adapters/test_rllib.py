from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("ray.rllib", reason="needs the extra rllib")

from ray.tune.registry import ENV_CREATOR, _global_registry

import lora_marl
from lora_marl.adapters.rllib import AgentsEnv, register, shared
from tests.envs.small import SETTINGS, random_actions

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(params=sorted(lora_marl.ENVS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("masked", [False, True])
def test_it_is_the_parallel_environment(name: str, masked: bool) -> None:
    settings: dict[str, Any] = {**SETTINGS[name], "max_cycles": 4, "action_format": "discrete"}
    env, parallel = AgentsEnv(name, masked=masked, **settings), lora_marl.make(name, **settings)
    (seen, infos), (expected, expected_infos) = env.reset(seed=3, options={}), parallel.reset(seed=3)
    assert env.agents == env.possible_agents == parallel.possible_agents
    rng = np.random.default_rng(0)
    for step in range(4):
        for row, agent in enumerate(env.possible_agents):
            assert seen[agent] in env.get_observation_space(agent)
            plain = seen[agent]["observations"] if masked else seen[agent]
            assert np.array_equal(plain, expected[agent])
            if masked:
                assert np.array_equal(seen[agent]["action_mask"], parallel.action_masks()[row])
        assert infos == expected_infos
        actions = dict(zip(env.possible_agents, random_actions(parallel, rng)[0].tolist(), strict=True))
        seen, rewards, terminations, truncations, infos = env.step(actions)
        expected, *others, expected_infos = parallel.step(actions)
        assert rewards == others[0]
        assert terminations == {**others[1], "__all__": False}
        assert truncations == {**others[2], "__all__": step == 3}
    assert env.agents == []


def test_what_is_registered_can_be_made(name: str) -> None:
    creator = _global_registry.get(ENV_CREATOR, register(name))
    env = creator({**SETTINGS[name], "max_cycles": 9, "masked": True})
    assert env.env.max_cycles == 9
    first, second = env.possible_agents[:2]
    assert set(env.get_observation_space(first).keys()) == {"observations", "action_mask"}
    assert env.get_action_space(first) is not env.get_action_space(second)


def test_one_policy_for_all() -> None:
    arguments = shared("all")
    assert arguments["policies"] == {"all"}
    assert arguments["policy_mapping_fn"]("node_7", None, worker=1) == "all"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"obs_format": "dict"}, "obs_format: 'dict'; RLlib needs 'box'"),
        ({"remove_dead": True}, "remove_dead: True; RLlib needs False"),
        ({"masked": True, "action_format": "multidiscrete"}, "action_format: masks are of discrete actions"),
    ],
)
def test_settings_that_rllib_would_not_understand_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AgentsEnv("uplink_v0", **settings)
