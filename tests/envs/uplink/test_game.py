from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.links import Links
from lora_marl.core.presets import journal_network
from lora_marl.core.region import HOP
from lora_marl.core.scenario import Change, Scenario
from lora_marl.core.topology import uniform_disc
from lora_marl.core.traffic import Traffic
from lora_marl.envs import uplink_v0
from lora_marl.envs.uplink.reward import TERMS
from tests.envs.small import random_actions

ALL_TERMS = dict.fromkeys(TERMS, 1.0)


def test_the_page_shows_every_term() -> None:
    for term in TERMS:
        assert f"| `{term}` |" in (uplink_v0.__doc__ or "")


def test_the_spaces_of_the_default_network() -> None:
    env = uplink_v0.parallel_env()
    assert env.action_space("node_0").nvec.tolist() == [6, 8, 7]
    assert uplink_v0.parallel_env(action_format="discrete").action_space("node_99").n == 336


@pytest.mark.parametrize("threads", [1, 2])
def test_a_replica_depends_on_its_seed_alone(busy: Scenario, threads: int) -> None:
    settings = {"scenario": busy, "redraw": partial(uniform_disc, nodes=5, radius_m=800.0)}
    many = uplink_v0.parallel_env(replicas=3, threads=threads, **settings)
    one = uplink_v0.parallel_env(**settings)
    first, second = many.reset_array([4, 0, 9]), one.reset_array([0])
    rng = np.random.default_rng(1)
    for _ in range(8):
        assert np.array_equal(first[1], second[0])
        actions = random_actions(many, rng)
        first, second = many.step_array(actions)[0], one.step_array(actions[1:2])[0]
    assert not np.array_equal(first[0], first[1])


def test_links_that_lose_packets_anyway_are_seen_as_a_fate(busy: Scenario) -> None:
    """Where feedback is free, no gateway sends, but one may be off."""
    env = uplink_v0.parallel_env(scenario=replace(busy, links=Links(lost_share=1.0)), window_s=7.0)
    env.reset_array([0])
    rng = np.random.default_rng(0)
    observations = np.stack([env.step_array(random_actions(env, rng))[0] for _ in range(5)])
    fate = observations[..., list(env.feature_names).index("fate_gateway_sending")]
    assert fate.max() == 1.0 and set(np.unique(fate)) <= {0.0, 1.0}
    assert "fate_gateway_sending" not in uplink_v0.parallel_env(scenario=busy).feature_names


@pytest.mark.parametrize("memory", [1.0, 0.5])
def test_observations_are_within_their_space_at_every_step(busy: Scenario, journal: Any, memory: float) -> None:
    for scenario in (busy, journal()):
        env = uplink_v0.parallel_env(scenario=scenario, replicas=4, max_cycles=60, memory=memory, window_s=7.0)
        space, rng = env.single_observation_space, np.random.default_rng(0)
        assert np.isfinite(space.low).all()
        assert np.isfinite(space.high).all()
        observations = env.reset_array([0, 1, 2, 3])
        for _ in range(env.max_cycles):
            assert observations.dtype == np.float32
            assert (observations >= space.low).all()
            assert (observations <= space.high).all()
            observations = env.step_array(random_actions(env, rng))[0]


def test_an_episode_is_the_air_played_window_by_window(journal: Any) -> None:
    env = uplink_v0.parallel_env(scenario=journal(), reward=ALL_TERMS)
    env.reset(seed=5)
    air = Air(env.game.scenario, env.game.air.seeds, count_arms=True)
    rng = np.random.default_rng(0)
    points = env.game.points.copy()
    for window in range(1, 6):
        actions = random_actions(env, rng)
        points[..., [0, 2, 3]] = actions
        *_, infos = env.step_array(actions)
        outcome = air.advance(points, 20.0 * window)
        assert np.array_equal(infos["sent"], outcome.sent)
        assert np.array_equal(infos["delivered"], outcome.delivered)
        assert np.array_equal(infos["energy_mj"], outcome.energy_mj)


def test_actions_move_the_chosen_factors_alone(busy: Scenario) -> None:
    env = uplink_v0.parallel_env(scenario=busy, factors=("tp", "sf"), fixed_point=[1, 2, 5, 3])
    assert env.single_action_space.nvec.tolist() == [6, 7]
    env.reset(seed=0)
    assert env.game.points.tolist() == [[[1, 2, 5, 3]] * 5]
    env.step({agent: np.array([4, 0]) for agent in env.agents})
    assert env.game.points.tolist() == [[[4, 2, 5, 0]] * 5]
    assert "channel_0" not in env.feature_names


def test_discrete_and_multi_discrete_actions_are_one_game(busy: Scenario) -> None:
    multi = uplink_v0.parallel_env(scenario=busy, replicas=2)
    flat = uplink_v0.parallel_env(scenario=busy, replicas=2, action_format="discrete")
    assert np.array_equal(multi.reset_array([0, 1]), flat.reset_array([0, 1]))
    rng = np.random.default_rng(0)
    for _ in range(4):
        index = rng.integers(0, flat.single_action_space.n, (2, 5))
        factors = np.stack(np.unravel_index(index, (6, 3, 8, 7)), axis=-1)
        assert np.array_equal(multi.step_array(factors)[0], flat.step_array(index)[0])


def test_masks_travel_where_they_are_asked_for(journal: Any) -> None:
    far = replace(journal(), node_xy_m=journal().node_xy_m * 2.5)
    settings = {"scenario": far, "min_margin_db": 2.0, "obs_format": "dict", "mask_in_info": True}
    for action_format, key, size in (("discrete", "action_mask", 336), ("multidiscrete", "action_mask_flat", 21)):
        env = uplink_v0.parallel_env(action_format=action_format, **settings)
        observations, infos = env.reset(seed=0)
        masks = env.action_masks()
        assert masks.shape == (6, size)
        assert masks.any(axis=1).all()
        assert not masks.all()
        for node, agent in enumerate(env.agents):
            assert set(observations[agent]) == {"observation", key}
            assert observations[agent][key].dtype == np.int8
            assert np.array_equal(observations[agent][key], masks[node])
            assert np.array_equal(infos[agent]["action_mask"], masks[node])
            assert observations[agent] in env.observation_space(agent)


def test_a_window_without_a_packet_rewards_nothing(journal: Any) -> None:
    scenario = replace(
        journal(), traffic=Traffic(kind="periodic", interval_s=200.0, random_phase=True, duty_cycle=None)
    )
    env = uplink_v0.parallel_env(scenario=scenario, reward=ALL_TERMS)
    env.reset_array([0])
    sent = env.feature_names.index("sent")
    for _ in range(10):
        observations, rewards, *_, infos = env.step_array(env.game.first_actions())
        assert np.array_equal(observations[..., sent], infos["sent"] > 0)
        assert (rewards[infos["sent"] == 0] == 0).all()


def changing(scenario: Scenario) -> Scenario:
    changes = (
        Change(at_s=40.0, values={"active": [True, False, True]}),
        Change(at_s=70.0, values={"active": [True, True, True]}),
    )
    return replace(scenario, active=np.array([True, True, False]), changes=changes)


def test_nodes_that_are_off_stay_with_a_flag(journal: Any) -> None:
    env = uplink_v0.parallel_env(scenario=changing(journal(3)), max_cycles=6)
    column = env.feature_names.index("active")
    observations, _ = env.reset(seed=0)
    seen = [[observations[agent][column] for agent in env.possible_agents]]
    while env.agents:
        assert env.agents == env.possible_agents
        observations, _, terminations, _, _ = env.step({agent: np.zeros(3, np.int64) for agent in env.agents})
        assert not any(terminations.values())
        seen.append([observations[agent][column] for agent in env.possible_agents])
    assert seen == [[1, 1, 0]] * 2 + [[1, 0, 1]] * 2 + [[1, 1, 1]] * 3


def test_nodes_that_are_off_can_be_removed(journal: Any) -> None:
    env = uplink_v0.parallel_env(scenario=changing(journal(3)), max_cycles=6, remove_dead=True)
    env.reset(seed=0)
    seen = []
    while env.agents:
        seen.append(list(env.agents))
        observations, _, terminations, _, _ = env.step({agent: np.zeros(3, np.int64) for agent in env.agents})
        assert set(observations) >= set(seen[-1])
        assert [agent for agent, done in terminations.items() if done] == (["node_1"] if len(seen) == 2 else [])
    assert seen == [["node_0", "node_1"]] * 2 + [["node_0", "node_2"]] * 4


def test_positions_are_redrawn_at_every_reset(journal: Any) -> None:
    env = uplink_v0.parallel_env(
        scenario=journal(), replicas=2, redraw=partial(uniform_disc, nodes=6, radius_m=300.0), min_margin_db=30.0
    )
    env.reset_array([0, 1])
    first, masks = env.game.air.scenario.node_xy_m, env.mask_array()
    env.reset_array()
    second = env.game.air.scenario.node_xy_m
    assert first.shape == second.shape == (2, 6, 2)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(masks[0], masks[1])
    env.reset_array([0, 1])
    assert np.array_equal(env.game.air.scenario.node_xy_m, first)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replicas": 0}, "replicas: 0 is not a whole number of at least 1"),
        ({"max_cycles": 0}, "max_cycles: 0 is not a whole number of at least 1"),
        ({"obs_format": "tuple"}, "obs_format: 'tuple' is not one of box, dict"),
        ({"render_mode": "svg"}, "render_mode: 'svg' is not one of human, ansi, rgb_array"),
        ({"action_format": "box"}, "action_format: 'box' is not one of multidiscrete, discrete"),
        ({"factors": []}, r"factors: \[\]; allowed is at least one"),
        ({"factors": ["power"]}, r"factors: 'power' is not one of"),
        ({"fixed_point": [0, 0, 8, 0]}, r"fixed_point: channel = 8 is outside 0 to 7"),
        ({"window_s": float("nan")}, "window_s: nan is not a number of seconds above 0"),
        ({"min_margin_db": float("inf")}, "min_margin_db: inf is not finite"),
        ({"memory": 1.5}, "memory: 1.5 is not from 0 to 1"),
        ({"reward": {"delivry": 1.0}}, "reward: 'delivry' is not a term; did you mean 'delivery'"),
        ({"reward": {}}, r"reward: \{\} is not a mapping from reward term to weight"),
        ({"reward": {"delivery": float("nan")}}, "the weight of delivery is nan"),
        ({"xi": float("nan")}, "xi = nan: must be a finite number"),
        ({"max_cycles": 2.5}, "max_cycles: 2.5 is not a whole number"),
        ({"threads": 0}, "threads: 0 is not a whole number"),
        ({"scenario": "journal"}, "scenario: 'journal' is not a lora_marl.core.scenario.Scenario"),
    ],
)
def test_bad_arguments_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        uplink_v0.parallel_env(**settings)


def test_bad_calls_are_named(journal: Any) -> None:
    env = uplink_v0.parallel_env(scenario=journal(2))
    with pytest.raises(RuntimeError, match="call reset"):
        env.step({})
    with pytest.raises(RuntimeError, match="call reset"):
        env.state()
    with pytest.warns(UserWarning, match="no options are known; speed ignored"):
        env.reset(seed=0, options={"speed": 1})
    env.reset(seed=0, options={})
    with pytest.raises(ValueError, match="actions: node_1 has none"):
        env.step({"node_0": np.zeros(3, np.int64)})
    for wrong in (np.zeros((1, 2, 3)), np.zeros((1, 2, 2), np.int64), np.full((1, 2, 3), 8), np.full((1, 2, 3), -1)):
        with pytest.raises(ValueError, match="actions: "):
            env.step_array(wrong)
    with pytest.raises(ValueError, match="replicas: 2; dicts show 1"):
        uplink_v0.parallel_env(scenario=journal(2), replicas=2).reset()
    with pytest.raises(ValueError, match=r"redraw: positions of shape \(3, 2\)"):
        uplink_v0.parallel_env(
            scenario=journal(2), redraw=partial(uniform_disc, nodes=3, radius_m=1.0)
        ).reset()  # fmt: skip


def test_actions_of_strangers_are_refused() -> None:
    env = uplink_v0.parallel_env(scenario=journal_network(3))
    env.reset(seed=0)
    actions = {agent: env.action_space(agent).sample() for agent in env.agents}
    with pytest.raises(ValueError, match="actions: 'bob' is no agent"):
        env.step(actions | {"bob": 0})


def test_nodes_whose_action_leaves_the_channel_out_hop(busy: Scenario) -> None:
    env = uplink_v0.parallel_env(scenario=busy, factors=("sf",), window_s=100.0)
    env.reset(seed=0)
    assert (env.game.points[..., 2] == HOP).all()
    env.step({agent: np.array([0]) for agent in env.agents})
    by_channel = env.game.outcome.arm_sent[0].sum(axis=0)[9:17]
    assert (by_channel > 0).sum() > 3


@pytest.mark.parametrize("action_format", ["multidiscrete", "discrete"])
def test_nodes_may_choose_how_often_they_send_a_frame(busy: Scenario, action_format: str) -> None:
    env = uplink_v0.parallel_env(
        scenario=busy, factors=("sf",), nb_trans=3, window_s=200.0, action_format=action_format,
        reward={"frame_delivery": 1.0},
    )  # fmt: skip
    column = env.feature_names.index("nb_trans")
    assert env.reset_array([0])[0, :, column].tolist() == [0.0] * 5
    factors = np.array([[[2, 0], [2, 1], [2, 2], [2, 2], [2, 0]]])
    actions = (
        factors
        if action_format == "multidiscrete"
        else np.ravel_multi_index((factors[..., 0], factors[..., 1]), (6, 3))
    )
    observations, rewards, *_, infos = env.step_array(actions)
    assert env.game.nb_trans is not None and env.game.nb_trans.tolist() == [[1, 2, 3, 3, 1]]
    assert observations[0, :, column].tolist() == [0.0, 0.5, 1.0, 1.0, 0.0]
    frames = infos["frames_delivered"] + infos["frames_lost"]
    assert np.abs(infos["sent"] - env.game.nb_trans * frames).max() <= 3  # a frame is under way
    np.testing.assert_allclose(rewards, infos["frames_delivered"] / frames)


def test_frames_are_told_where_the_scenario_repeats_them(busy: Scenario) -> None:
    env = uplink_v0.parallel_env(scenario=replace(busy, traffic=replace(busy.traffic, nb_trans=2)), factors=("sf",))
    env.reset_array([0])
    *_, infos = env.step_array(np.zeros((1, 5, 1), np.int64))
    frames = infos["frames_delivered"] + infos["frames_lost"]
    assert np.abs(infos["sent"] - 2 * frames).max() <= 2


def test_turns_choose_how_often_a_frame_is_sent_too(busy: Scenario) -> None:
    env = uplink_v0.raw_env(scenario=busy, factors=("sf",), nb_trans=2, max_cycles=4)
    env.reset(seed=0)
    while not all(env.truncations.values()):
        env.step(np.array([0, 1]))
    assert env.game.nb_trans.tolist() == [[2] * 5]
    assert set(env.infos["node_0"]) >= {"frames_delivered", "frames_lost"}


@pytest.mark.parametrize("nb_trans", [0, 16])
def test_an_nb_trans_that_no_device_has_is_an_error(nb_trans: int) -> None:
    with pytest.raises(ValueError, match=f"nb_trans: {nb_trans}; allowed is None, or 1 to 15"):
        uplink_v0.parallel_env(nb_trans=nb_trans)


def test_a_margin_that_masks_nothing_says_so(journal: Any) -> None:
    near = uplink_v0.parallel_env(scenario=journal(), min_margin_db=-100.0)
    with pytest.warns(UserWarning, match="min_margin_db: -100 dB masks nothing on this network; ask for a larger"):
        near.reset_array([0])
        near.mask_array()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        near.reset_array([1])  # once an environment
        near.mask_array()
