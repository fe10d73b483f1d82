"""Gymnasium's views, of every environment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import lora_marl
from lora_marl import render
from lora_marl.core.presets import journal_network
from lora_marl.core.traffic import Traffic
from lora_marl.envs import uplink_v0
from lora_marl.envs.game import seeds_of
from lora_marl.views import Central, ControllerEnv, OneAgent, Shared
from tests.envs.small import SETTINGS

NETWORK = journal_network(3, traffic=Traffic.one_per_window(20.0))
VIEWS = ("agent", "central", "shared")
LENGTH = 7


@pytest.fixture(params=sorted(lora_marl.ENVS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=("multidiscrete", "discrete"))
def settings(request: pytest.FixtureRequest, name: str) -> dict[str, Any]:
    return {**SETTINGS[name], "max_cycles": LENGTH, "action_format": request.param}


def view_id(name: str, view: str) -> str:
    return f"lora/{name.replace('_', f'-{view}-')}"


def vector(name: str, view: str, settings: dict[str, Any], replicas: int = 3, **more: Any) -> Any:
    rows = replicas * (len(lora_marl.make(name, **settings).possible_agents) if view == "shared" else 1)
    return gymnasium.make_vec(view_id(name, view), num_envs=rows, **settings, **more)


def play(envs: Any, rng: np.random.Generator, steps: int) -> list[Any]:
    """Everything that a vector environment gives for random actions."""
    envs.action_space.seed(int(rng.integers(2**31)))
    return [envs.step(envs.action_space.sample()) for _ in range(steps)]


@pytest.mark.filterwarnings("error")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("view", ["agent", "central"])
def test_gymnasium_accepts_the_views(
    name: str, view: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render.Window, "show", lambda window, frame: None)  # the check asks for every render mode
    check_env(gymnasium.make(view_id(name, view), **settings).unwrapped)


@pytest.mark.parametrize("view", ["agent", "central"])
def test_a_row_is_the_environment_of_its_seed(name: str, view: str, settings: dict[str, Any]) -> None:
    many = vector(name, view, settings)
    rows, infos = many.reset(seed=[4, 0, 9])
    one = gymnasium.make(view_id(name, view), **settings)
    row, info = one.reset(seed=0)
    rng = np.random.default_rng(0)
    seen, differed = 0, False
    for _ in range(3 * (LENGTH + 1)):
        np.testing.assert_array_equal(rows[1], row)
        for key, value in info.items():
            np.testing.assert_array_equal(infos[key][1], value)
        many.action_space.seed(int(rng.integers(2**31)))
        actions = many.action_space.sample()
        ended = seen == LENGTH
        rows, rewards, terminations, truncations, infos = many.step(actions)
        if ended:  # the vector environment begins anew; the single one has to be reset
            row, info = one.reset()
            seen = 0
            assert (rewards == 0).all()
            continue
        row, reward, terminated, truncated, info = one.step(actions[1])
        seen += 1
        assert (rewards[1], terminations[1], truncations[1]) == (reward, terminated, truncated)
        assert truncated == (seen == LENGTH)
        differed |= not np.array_equal(rows[0], rows[1])
    assert differed


@pytest.mark.parametrize("view", VIEWS)
def test_views_show_what_the_arrays_say(name: str, view: str, settings: dict[str, Any]) -> None:
    arrays = lora_marl.make(name, replicas=3, **settings)
    last = {"agent": arrays.possible_agents[-1]} if view == "agent" else {}
    envs, first = vector(name, view, settings, **last), arrays.reset_array(seeds_of(5, 3))
    observations, _ = envs.reset(seed=5)
    rng = np.random.default_rng(1)
    others_actions = envs.unwrapped.controller._constant if view == "agent" else None
    for _ in range(LENGTH):
        shown = {"agent": first[:, -1], "central": first.reshape(3, -1), "shared": first.reshape(envs.num_envs, -1)}
        assert np.array_equal(observations, shown[view])
        assert observations.dtype == np.float32
        masks = arrays.mask_array()
        masks = {"agent": masks[:, -1], "central": masks.reshape(3, -1), "shared": masks.reshape(envs.num_envs, -1)}
        assert np.array_equal(envs.unwrapped.action_masks(), masks[view])
        envs.action_space.seed(int(rng.integers(2**31)))
        actions = envs.action_space.sample()
        joint = actions.reshape(3, -1, *arrays.single_action_space.shape)
        if others_actions is not None:
            joint = np.concatenate([others_actions[:, :-1], joint], axis=1)
        observations, rewards, _, truncations, infos = envs.step(actions)
        first, expected, _, _, columns = arrays.step_array(joint)
        shown = {"agent": expected[:, -1], "central": expected.mean(axis=1), "shared": expected.ravel()}
        assert np.array_equal(rewards, shown[view])
        for key, column in columns.items():
            by_view = {"agent": column[:, -1], "central": column, "shared": column.ravel()}
            assert np.array_equal(infos[key], by_view[view])
            assert infos[f"_{key}"].all()
    assert truncations.all()


@pytest.mark.parametrize("view", VIEWS)
def test_the_modes_of_beginning_anew_play_the_same(name: str, view: str, settings: dict[str, Any]) -> None:
    by_mode, finals, lasts = {}, list[Any](), list[Any]()
    for mode in AutoresetMode:
        envs = vector(name, view, settings, autoreset_mode=mode)
        assert envs.metadata["autoreset_mode"] is mode
        observations, _ = envs.reset(seed=0)
        rng, seen = np.random.default_rng(0), [observations]
        for _ in range(2):
            steps = play(envs, rng, LENGTH)
            assert [step[3].all() for step in steps] == [False] * (LENGTH - 1) + [True]
            seen += [step[0] for step in steps]
            if mode is AutoresetMode.SAME_STEP:
                last = steps[-1][4]
                seen[-1] = np.stack(last["final_obs"])
                finals.append(last["final_info"])
                seen.append(steps[-1][0])
            elif mode is AutoresetMode.NEXT_STEP:
                observations, rewards, _, truncations, _ = play(envs, np.random.default_rng(), 1)[0]
                assert not truncations.any() and not rewards.any()
                seen.append(observations)
            else:
                with pytest.raises(RuntimeError, match="no episode is running"):
                    envs.step(envs.action_space.sample())
                lasts.append(steps[-1][4])
                seen.append(envs.reset(options={"reset_mask": np.ones(envs.num_envs, bool)})[0])
        by_mode[mode] = np.stack(seen)
    assert np.array_equal(by_mode[AutoresetMode.NEXT_STEP], by_mode[AutoresetMode.SAME_STEP])
    assert np.array_equal(by_mode[AutoresetMode.NEXT_STEP], by_mode[AutoresetMode.DISABLED])
    for final, last in zip(finals, lasts, strict=True):
        assert set(final) == set(last)
        assert all(np.array_equal(final[key], last[key]) for key in last)


def test_gymnasiums_statistics_of_episodes(name: str, settings: dict[str, Any]) -> None:
    envs = RecordEpisodeStatistics(vector(name, "shared", settings))
    envs.reset(seed=0)
    steps = play(envs, np.random.default_rng(0), LENGTH)
    infos = steps[-1][4]
    np.testing.assert_allclose(infos["episode"]["r"], np.sum([step[1] for step in steps], axis=0))
    assert (infos["episode"]["l"] == LENGTH).all()


def test_nothing_that_is_handed_out_is_used_again(name: str, settings: dict[str, Any]) -> None:
    for view in VIEWS:
        spoilt, clean = vector(name, view, settings), vector(name, view, settings)
        clean.reset(seed=0)
        spoil(*spoilt.reset(seed=0))
        for step, expected in zip(*(play(e, np.random.default_rng(0), LENGTH) for e in (spoilt, clean)), strict=True):
            np.testing.assert_equal(step, expected)
            spoil(*step[:4], step[4], spoilt.unwrapped.action_masks())


def spoil(*values: Any) -> None:
    for value in values:
        if isinstance(value, dict):
            spoil(*value.values())
        else:
            value[...] = 1


@pytest.fixture
def one() -> Callable[..., ControllerEnv]:
    """One node of three in an environment of windows; `(**arguments of OneAgent)`."""

    def make(max_cycles: int = 6, **arguments: Any) -> ControllerEnv:
        return ControllerEnv(OneAgent(uplink_v0.parallel_env(scenario=NETWORK, max_cycles=max_cycles), **arguments))

    return make


def test_others_keep_what_they_are_given(one: Callable[..., ControllerEnv]) -> None:
    others_actions = np.array([[0, 1, 2], [3, 4, 5], [5, 6, 0]])
    env, arrays = one(agent="node_1", others=others_actions), uplink_v0.parallel_env(scenario=NETWORK)
    assert np.array_equal(env.reset(seed=3)[0], arrays.reset_array([3])[0, 1])
    action = np.array([2, 2, 2])
    joint = others_actions.copy()
    joint[1] = action
    for _ in range(6):
        observation, reward, *_, info = env.step(action)
        observations, rewards, *_, infos = arrays.step_array(joint[None])
        assert np.array_equal(observation, observations[0, 1])
        assert (reward, info["sent"]) == (rewards[0, 1], infos["sent"][0, 1])
    assert np.array_equal(others_actions[1], [3, 4, 5])


def test_others_that_learn_see_all_and_are_asked_once_a_step(one: Callable[..., ControllerEnv]) -> None:
    calls: list[Any] = []

    def others(observations: np.ndarray, masks: np.ndarray, rewards: np.ndarray | None) -> np.ndarray:
        calls.append((observations, masks, rewards))
        return np.full((1, 3, 3), len(calls) - 1)

    env = one(others=others, max_cycles=3)
    for episode in range(2):
        calls.clear()
        first, _ = env.reset(seed=episode)
        seen, earned = [first], []
        for _ in range(3):
            observation, reward, _, truncated, _ = env.step(np.zeros(3, np.int64))
            seen.append(observation)
            earned.append(reward)
        assert truncated
        assert [call[0][0, 0].tolist() for call in calls] == [row.tolist() for row in seen]
        assert calls[0][2] is None
        assert [call[2][0, 0] for call in calls[1:]] == earned
        arrays = uplink_v0.parallel_env(scenario=NETWORK, max_cycles=3)
        expected = arrays.reset_array([episode]), None
        for number, call in enumerate(calls):
            assert np.array_equal(call[0], expected[0]) and np.array_equal(call[1], arrays.mask_array())
            assert call[2] is expected[1] or np.array_equal(call[2], expected[1])
            if number < 3:
                joint = np.full((1, 3, 3), number)
                joint[0, 0] = 0
                expected = arrays.step_array(joint)[:2]
        assert calls[0][1].shape == (1, 3, 21)
        assert env.controller.env.game.points[0, :, 0].tolist() == [0, 2, 2]  # the last answer is not played


def test_others_draw_by_seed_and_episode(one: Callable[..., ControllerEnv]) -> None:
    env = one()
    others_actions = []
    for seed in (0, None, 1, 0, None):
        env.reset(seed=seed)
        others_actions.append(env.controller._constant.tolist())
    assert others_actions[0] == others_actions[3] and others_actions[1] == others_actions[4]
    assert others_actions[0] not in (others_actions[1], others_actions[2])


def test_a_live_view_shows_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(render.Window, "show", lambda window, frame: shown.append(frame))
    env = gymnasium.make(view_id("uplink_v0", "agent"), render_mode="human", **SETTINGS["uplink_v0"])
    env.reset(seed=0)
    env.step(env.action_space.sample())
    assert len(shown) == 2
    env.close()
    many = gymnasium.make_vec(view_id("uplink_v0", "agent"), num_envs=2, render_mode="human", **SETTINGS["uplink_v0"])
    many.reset(seed=0)
    many.step(many.action_space.sample())
    assert len(shown) == 4
    many.close()


def test_what_others_keep_is_allowed() -> None:
    env = gymnasium.make(view_id("energy_v0", "agent"), **SETTINGS["energy_v0"] | {"only_channel": 0})
    env.reset(seed=0)
    controller = env.unwrapped.controller  # type: ignore[attr-defined]
    others_actions = controller._constant.reshape(controller.env.mask_array().shape[:2])
    assert np.take_along_axis(controller.env.mask_array(), others_actions[..., None], axis=-1).all()


def test_views_render_by_the_first_replica(name: str) -> None:
    settings = SETTINGS[name]
    env = gymnasium.make(view_id(name, "agent"), render_mode="rgb_array", **settings)
    env.reset(seed=0)
    picture = env.render()
    envs = vector(name, "agent", settings, render_mode="rgb_array")
    envs.reset(seed=0)
    assert np.array_equal(envs.render()[0], picture)
    env.close()
    envs.close()


def test_what_a_view_cannot_be_is_said() -> None:
    with pytest.raises(ValueError, match=r"gymnasium.make_vec\(..., num_envs=rows\), not make"):
        gymnasium.make("lora/uplink-shared-v0")
    with pytest.raises(ValueError, match="autoreset_mode: 'foo' is not one of NextStep, SameStep, Disabled"):
        vector("uplink_v0", "agent", SETTINGS["uplink_v0"], autoreset_mode="foo")
    with pytest.raises(RuntimeError, match="no episode is running: call reset first"):
        OneAgent(uplink_v0.parallel_env(scenario=NETWORK)).step(np.zeros((1, 3), np.int64))
    per_packet = {**SETTINGS["coexistence_v0"], "decider": "group", "operating_points": "per_packet"}
    for view in ("agent", "central"):
        with pytest.raises(ValueError, match="operating_points: actions are Box.* rows of arrays need indices"):
            gymnasium.make(view_id("coexistence_v0", view), **per_packet)


def test_bad_calls_are_named() -> None:
    make = partial(uplink_v0.parallel_env, scenario=NETWORK)
    with pytest.raises(ValueError, match="agent: 'bob' is not one of node_0 to node_2"):
        OneAgent(make(), "bob")
    for name, value in (("obs_format", "dict"), ("mask_in_info", True), ("remove_dead", True)):
        with pytest.raises(ValueError, match=f"{name}: {value!r}; rows of arrays need"):
            Central(make(**{name: value}))
    with pytest.raises(ValueError, match="replicas: the controller has 3 rows"):
        ControllerEnv(Shared(make()))
    with pytest.raises(ValueError, match=r"replicas: the controller has 2 rows.*make_vec\(..., num_envs=...\)"):
        gymnasium.make("lora/uplink-central-v0", scenario=NETWORK, replicas=2)
    with pytest.raises(ValueError, match="num_envs: 4 is not a multiple of 3"):
        gymnasium.make_vec("lora/uplink-shared-v0", num_envs=4, scenario=NETWORK)
    envs = gymnasium.make_vec("lora/uplink-agent-v0", num_envs=2, scenario=NETWORK)
    with pytest.raises(ValueError, match="reset_mask: leaves out rows"):
        envs.reset(options={"reset_mask": np.array([True, False])})
    envs.reset()
    for wrong in (np.zeros((2, 3)), np.zeros((2, 2), int), np.zeros((1, 3), int), np.full((2, 3), 9)):
        with pytest.raises(ValueError, match="actions: "):
            envs.step(wrong)
    env = gymnasium.make("lora/uplink-agent-v0", scenario=NETWORK)
    with pytest.warns(UserWarning, match="no options are known; speed ignored"):
        env.reset(options={"speed": 1})


@pytest.mark.parametrize("view", VIEWS)
def test_how_many_there_are_is_said_by_num_envs(name: str, view: str) -> None:
    make = partial(gymnasium.make_vec, view_id(name, view), **SETTINGS[name])
    for wrong in (0, -3, 3.0, True):
        with pytest.raises(ValueError, match=f"num_envs: {wrong!r} is not a whole number of at least 1"):
            make(num_envs=wrong)
    with pytest.raises(ValueError, match="replicas: 3; num_envs says how many there are"):
        make(num_envs=3, replicas=3)
    with pytest.raises(ValueError, match="info_level: 'some' is not one of full, none"):
        make(num_envs=3, info_level="some")


WRONG_OTHERS = {
    r"others: int64 \(2, 3\); expected are integers \({}3, 3\)": np.zeros((2, 3), int),
    r"others: float64 \({}3, 3\); expected": np.zeros((3, 3)),
    r"others: .*inhomogeneous.*; expected are integers": [[0, 1, 2], [0], [0, 1, 2]],
    r"others: <U6 \(\); expected are integers": "random",
    r"others: 9 is outside the space MultiDiscrete": np.full((3, 3), 9),
    r"others: -1 is outside the space MultiDiscrete": np.full((3, 3), -1),
}


@pytest.mark.parametrize("message", WRONG_OTHERS)
def test_others_that_are_no_actions_are_named(one: Callable[..., ControllerEnv], message: str) -> None:
    others: Any = WRONG_OTHERS[message]
    with pytest.raises(ValueError, match=message.format("")):
        one(others=others)
    played = others[None] if isinstance(others, np.ndarray) and len(others) == 3 else others
    env = one(others=lambda *seen: played)
    first, _ = env.reset(seed=0)
    with pytest.raises(ValueError, match=message.format("1, ")):
        env.step(np.zeros(3, np.int64))


def test_what_others_have_in_the_deciders_place_does_not_matter(one: Callable[..., ControllerEnv]) -> None:
    ends = []
    for placeholder in (-1, 5, 99):
        env = one(others=np.array([[placeholder] * 3, [0, 1, 2], [3, 4, 5]], np.int8))
        env.reset(seed=0)
        ends.append(env.step(np.array([2, 2, 2]))[0].tolist())
    assert ends[0] == ends[1] == ends[2]
