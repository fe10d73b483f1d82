from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.reception import Fate
from lora_marl.core.scenario import Scenario
from lora_marl.envs import uplink_v0


def test_turns_are_the_decisions_of_the_air(busy: Scenario) -> None:
    env = uplink_v0.raw_env(scenario=busy, max_cycles=5, window_s=10.0)
    env.reset(seed=0)
    air, rng = Air(busy, env.game.air.seeds), np.random.default_rng(0)
    points = env.game.points.copy()
    column = {name: number for number, name in enumerate(env.feature_names)}
    while len(decisions := air.next_decisions(points, 50.0)):
        for node, fate, point in zip(decisions.node, decisions.fate, decisions.point, strict=True):
            observation, reward, _, truncated, _ = env.last()
            assert env.agent_selection == f"node_{node}"
            assert not truncated
            assert reward == float(fate == Fate.DELIVERED)
            assert observation[column[f"fate_{Fate(fate).name.lower()}"]] == 1.0
            assert observation[column["sent"]] == float(fate != Fate.NONE)
            if fate != Fate.NONE:
                assert observation[column["sf"]] == pytest.approx(point[0] / 5)
            action = rng.integers(0, env.action_space(env.agent_selection).nvec)
            points[0, node] = action
            env.step(action)
    assert all(env.truncations.values())
    assert not any(env.terminations.values())


def test_every_packet_is_rewarded_once(busy: Scenario) -> None:
    env = uplink_v0.env(scenario=busy, max_cycles=5, window_s=10.0)
    env.reset(seed=1)
    total = 0.0
    for _ in env.agent_iter():
        *_, reward, _, truncated, _ = env.last()
        total += reward
        env.step(None if truncated else np.zeros(4, np.int64))
    air = Air(busy, env.unwrapped.game.air.seeds)
    points = np.tile(env.unwrapped.game.codec.fixed_point, (1, 5, 1))
    # The first choice of every node comes before its first packet, so all are sent with the point of zeros.
    outcome = air.advance(np.zeros_like(points), 50.0)
    assert total == outcome.delivered.sum()
    assert env.agents == []


def test_observe_hands_out_copies(busy: Scenario) -> None:
    env = uplink_v0.raw_env(scenario=busy, obs_format="dict", action_format="discrete")
    env.reset(seed=0)
    first = env.observe("node_0")
    for array in first.values():
        array[...] = 9
    assert env.observe("node_0") in env.observation_space("node_0")


def test_nobody_sends(journal: Any) -> None:
    silent = replace(journal(3), active=np.zeros(3, np.bool_))
    env = uplink_v0.env(scenario=silent, max_cycles=2)
    env.reset(seed=0)
    turns = 0
    for agent in env.agent_iter():
        *_, truncated, _ = env.last()
        env.step(None if truncated else env.action_space(agent).sample())
        turns += not truncated
    assert turns == 3


def test_batches_have_no_turns(journal: Any) -> None:
    with pytest.raises(ValueError, match="replicas: 2; dicts show 1"):
        uplink_v0.raw_env(scenario=journal(), replicas=2).reset(seed=0)
    with pytest.raises(AssertionError, match="not in action space"):
        env = uplink_v0.env(scenario=journal(), action_format="discrete")
        env.reset(seed=0)
        env.step(336)
    raw = uplink_v0.raw_env(scenario=journal())
    raw.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions: 6 at \[0\] is outside 0 to 5"):
        raw.step(np.array([6, 0, 0]))
