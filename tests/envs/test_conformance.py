"""What every environment keeps, whatever its game."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np
import pytest

import lora_marl
from lora_marl.envs.features import markdown
from tests.envs.small import SETTINGS, random_actions


@pytest.fixture(params=sorted(lora_marl.ENVS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def make(name: str) -> Callable[..., Any]:
    return partial(lora_marl.make, name, **SETTINGS[name])


def test_the_page_shows_the_feature_table_and_every_argument(name: str) -> None:
    env = lora_marl.make(name)
    page = importlib.import_module(lora_marl.ENVS[name]).__doc__ or ""
    assert markdown(env.game.table) in page
    for field in fields(env.settings):
        assert f"`{field.name}`" in page
    for section in ("Actions", "Observations", "Rewards", "Starting state", "Episode end", "Arguments", "Versions"):
        assert f"## {section}\n" in page
    env.reset(seed=0)
    for info in env.game.infos():
        assert info.startswith("reward_") or f"`{info}`" in page


def test_the_spaces(name: str) -> None:
    env = lora_marl.make(name)
    agents = len(env.possible_agents)
    assert env.observation_space(env.possible_agents[0]).shape == (len(env.feature_names),)
    assert env.state_space.shape == (agents * len(env.feature_names),)
    assert len(set(env.feature_names)) == len(env.feature_names)


def test_dicts_are_a_view_of_the_arrays(make: Callable[..., Any]) -> None:
    dicts, arrays = make(max_cycles=25), make(max_cycles=25)
    rng = np.random.default_rng(0)
    for seed in (0, None):
        observations, infos = dicts.reset(seed=seed)
        stacked = arrays.reset_array(None if seed is None else [seed])
        assert np.array_equal(np.stack(list(observations.values())), stacked[0])
        for key, column in arrays.game.infos().items():
            assert [info[key] for info in infos.values()] == column[0].tolist()
        while dicts.agents:
            agents, actions = list(dicts.agents), random_actions(arrays, rng)
            seen = dicts.step(dict(zip(agents, actions[0], strict=True)))
            observations, rewards, terminations, truncations, infos = arrays.step_array(actions)
            for as_dict, as_array in zip(seen[:4], (observations, rewards, terminations, truncations), strict=True):
                assert list(as_dict) == agents
                assert np.array_equal(np.stack(list(as_dict.values())), as_array[0])
            for key, column in infos.items():
                assert [info[key] for info in seen[4].values()] == column[0].tolist()
            assert np.array_equal(dicts.state(), arrays.state_array()[0])
            assert np.array_equal(dicts.state(), observations[0].ravel())
            assert all(type(reward) is float for reward in seen[1].values())
            assert all(type(done) is bool for part in seen[2:4] for done in part.values())
        assert dicts.step({}) == ({}, {}, {}, {}, {})


def test_a_replica_depends_on_its_seed_alone(make: Callable[..., Any]) -> None:
    many, one = make(replicas=3), make()
    first, second = many.reset_array([4, 0, 9]), one.reset_array([0])
    rng = np.random.default_rng(1)
    for _ in range(8):
        assert np.array_equal(first[1], second[0])
        actions = random_actions(many, rng)
        first, *others = many.step_array(actions)
        second, *alone = one.step_array(actions[1:2])
        assert np.array_equal(others[0][1], alone[0][0])
    assert not np.array_equal(first[0], first[1])


def test_observations_are_within_their_space_at_every_step(make: Callable[..., Any]) -> None:
    env = make(replicas=4, max_cycles=60)
    space, rng = env.single_observation_space, np.random.default_rng(0)
    assert np.isfinite(space.low).all()
    assert np.isfinite(space.high).all()
    observations = env.reset_array([0, 1, 2, 3])
    for _ in range(env.max_cycles):
        assert observations.dtype == np.float32
        assert (observations >= space.low).all()
        assert (observations <= space.high).all()
        observations = env.step_array(random_actions(env, rng))[0]


def test_nothing_that_is_handed_out_is_used_again(make: Callable[..., Any]) -> None:
    settings = {"obs_format": "dict", "mask_in_info": True}
    spoilt, clean, arrays = make(**settings), make(**settings), make()
    rng = np.random.default_rng(0)
    spoil(spoilt.reset(seed=0))
    clean.reset(seed=0)
    for _ in range(6):
        actions = dict(zip(clean.agents, random_actions(clean, rng)[0], strict=True))
        results, expected = spoilt.step({a: v.copy() for a, v in actions.items()}), clean.step(actions)
        np.testing.assert_equal(results, expected)
        spoil(results)
        spoil([spoilt.state(), spoilt.state_array(), spoilt.mask_array(), spoilt.action_masks(), spoilt.game.infos()])
        assert np.array_equal(spoilt.state(), clean.state())
        np.testing.assert_equal(spoilt.game.infos(), clean.game.infos())
    arrays.reset_array([0])
    earlier = arrays.step_array(random_actions(arrays, rng))
    later = arrays.step_array(random_actions(arrays, rng))
    for old, new in zip([*earlier[:4], *earlier[4].values()], [*later[:4], *later[4].values()], strict=True):
        assert not np.shares_memory(old, new)


def spoil(value: Any) -> None:
    if isinstance(value, np.ndarray):
        value[...] = 1
    elif isinstance(value, dict | tuple | list):
        for item in value.values() if isinstance(value, dict) else value:
            spoil(item)
        if isinstance(value, dict):
            value["__all__"] = True


def test_infos_have_the_same_keys_and_types_throughout(make: Callable[..., Any]) -> None:
    env = make()
    _, infos = env.reset(seed=0)
    kinds = {key: type(value) for key, value in infos[env.possible_agents[0]].items()}
    assert set(kinds.values()) == {int, float}
    assert any(key.startswith("reward_") for key in kinds)
    for _ in range(5):
        *_, infos = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        for info in infos.values():
            assert {key: type(value) for key, value in info.items()} == kinds
    silent = make(info_level="none")
    assert silent.reset(seed=0)[1][silent.possible_agents[0]] == {}
    assert silent.step_array(silent.game.first_actions())[4] == {}


def test_the_reward_is_the_sum_of_its_terms(make: Callable[..., Any]) -> None:
    env = make(replicas=2)
    env.reset_array([0, 1])
    rng = np.random.default_rng(0)
    for _ in range(5):
        _, rewards, *_, infos = env.step_array(random_actions(env, rng))
        terms = [term for key, term in infos.items() if key.startswith("reward_")]
        assert len(terms) > 1
        np.testing.assert_allclose(rewards, np.sum(terms, axis=0), rtol=1e-12)


def test_max_cycles_may_be_set(make: Callable[..., Any]) -> None:
    env = make()
    env.max_cycles = 3
    env.reset_array([0])
    ends = [env.step_array(env.game.first_actions())[3].all() for _ in range(3)]
    assert ends == [False, False, True]
    with pytest.raises(RuntimeError, match="no episode is running: call reset_array"):
        env.step_array(env.game.first_actions())


@pytest.mark.parametrize("name", sorted(lora_marl.ENVS))
def test_unknown_settings_are_named_with_the_nearest(name: str) -> None:
    with pytest.raises(ValueError, match="max_cycle: is no setting of this environment; did you mean 'max_cycles'"):
        lora_marl.make(name, max_cycle=3)
    with pytest.raises(ValueError, match="wobble: is no setting of this environment; known: action_format, .*replicas"):
        lora_marl.make(name, wobble=3)
    for elsewhere, here in (("n_envs", "replicas"), ("max_episode_steps", "max_cycles"), ("num_agents", "scenario")):
        with pytest.raises(ValueError, match=f"{elsewhere}: is no setting of this environment; here it is '{here}'"):
            lora_marl.make(name, **{elsewhere: 3})


@pytest.mark.parametrize("name", sorted(lora_marl.ENVS))
def test_an_action_out_of_range_is_named_by_agent_and_value(name: str) -> None:
    env = lora_marl.make(name, **SETTINGS[name])
    env.reset(seed=0)
    last = env.agents[-1]
    actions: dict[str, Any] = {agent: env.action_space(agent).sample() for agent in env.agents}
    actions[last] = np.full_like(np.asarray(actions[last]), 999)
    with pytest.raises(ValueError, match=rf"actions: {last}: .*999.* is not in (Multi)?Discrete\("):
        env.step(actions)
