from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from lora_marl.core.expect.rayleigh import Rayleigh
from lora_marl.core.presets import mmalora_network
from lora_marl.core.scenario import Change, Scenario
from lora_marl.core.topology import uniform_union
from lora_marl.envs import energy_v0
from lora_marl.envs.energy.reward import REWARDS
from tests.core.expect.rayleigh.networks import BUSY, GOLDEN, golden
from tests.envs.small import random_actions


@pytest.fixture
def busy() -> Scenario:
    """Twelve nodes on two channels that disturb each other."""
    return mmalora_network(12, 2, seed=3, **BUSY)


def played(env: energy_v0.Energy, actions: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Rewards and infos of one step. `[B, N]` each"""
    env.reset_array(range(env.settings.replicas))
    _, rewards, *_, infos = env.step_array(actions)
    return rewards, infos


def test_the_spaces_of_the_default_network() -> None:
    env = energy_v0.parallel_env()
    assert env.action_space("node_159").n == 42
    assert energy_v0.parallel_env(action_format="multidiscrete").action_space("node_0").nvec.tolist() == [6, 7]
    assert env.feature_names == ("delivery", "ee", "distance_0", "distance_1", "distance_2")
    assert np.bincount(env.game.channel).tolist() == [40] * 4
    assert env.max_cycles == 30


def test_the_page_shows_every_reward() -> None:
    page = energy_v0.__doc__ or ""
    for reward, parts in REWARDS.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{reward}` |"))
        assert all(f"`{term.__name__}`" in row for term in parts)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_golden_rewards(case: dict[str, Any]) -> None:
    scenario, points = golden(case)
    published, near = case["reward"], {"rtol": 1e-9, "atol": 1e-12}
    feasible = np.array(case["reward"]["r_paper_N_is_nc"]) != 0
    expected = {
        "printed": published["r_paper_N_is_nc"],
        "marginal": feasible * published["difference_reward"],
        "team": feasible * np.array(published["EE_c"]) / published["n_c"],
    }
    for reward, values in expected.items():
        env = energy_v0.parallel_env(
            scenario=scenario, channel=points[:, 2], reward=reward, least_delivery=published["D_th"], max_cycles=1
        )
        rewards, infos = played(env, env.game.codec.encode(points)[None])
        np.testing.assert_allclose(rewards[0], values, **near)
        np.testing.assert_allclose(infos["channel_ee_bits_per_mj"][0], published["EE_c"], **near)
        assert np.array_equal(infos["violation"][0], ~feasible)


def test_a_marginal_reward_is_what_the_channel_has_less_without_the_node(busy: Scenario) -> None:
    env = energy_v0.parallel_env(scenario=busy, least_delivery=0.0)
    actions = random_actions(env, np.random.default_rng(0))
    rewards, infos = played(env, actions)
    channel, harmed = env.game.channel, 0
    for node in range(12):
        others = np.arange(12) != node
        fewer = replace(busy, node_xy_m=busy.node_xy_m[others])
        without = energy_v0.parallel_env(scenario=fewer, channel=channel[others], least_delivery=0.0)
        _, then = played(without, actions[:, others])
        ee = then["ee_bits_per_mj"][0, channel[others] == channel[node]].sum()
        assert rewards[0, node] == pytest.approx(infos["channel_ee_bits_per_mj"][0, node] - ee, rel=1e-9)
        harmed += infos["reward_harm"][0, node] < -1e-6
    assert harmed > 6


def test_a_node_without_enough_delivery_is_rewarded_nothing(busy: Scenario) -> None:
    for reward in REWARDS:
        env = energy_v0.parallel_env(scenario=busy, reward=reward, least_delivery=0.6)
        rewards, infos = played(env, random_actions(env, np.random.default_rng(1)))
        below = infos["delivery"] < 0.6
        assert 0 < below.sum() < 12
        assert np.array_equal(infos["violation"], below)
        assert (rewards[below] == 0).all()
        assert (rewards[~below] > 0).all()


def test_the_threshold_itself_is_enough(busy: Scenario) -> None:
    actions = random_actions(energy_v0.parallel_env(scenario=busy), np.random.default_rng(1))
    _, infos = played(energy_v0.parallel_env(scenario=busy), actions)
    least = float(np.sort(infos["delivery"][0])[6])
    _, infos = played(energy_v0.parallel_env(scenario=busy, least_delivery=least), actions)
    assert infos["violation"].sum() == 6


@pytest.mark.parametrize("case", GOLDEN["allocation_cases"], ids=lambda case: case["name"])
def test_the_best_allocations_known(case: dict[str, Any]) -> None:
    scenario, points = golden({**case, **case["local_search"]})
    env = energy_v0.parallel_env(scenario=scenario, channel=case["channel"], least_delivery=case["D_th"])
    actions = env.game.codec.encode(points)
    _, infos = played(env, actions[None])
    assert infos["ee_bits_per_mj"].sum() == pytest.approx(case["local_search"]["system_EE"], rel=1e-9)
    assert infos["violation"].sum() == case["local_search"]["violations"]
    assert env.action_masks()[np.arange(len(actions)), actions].all()


def test_a_node_alone_on_its_channel_is_rewarded_its_own_efficiency() -> None:
    for reward in REWARDS:
        env = energy_v0.parallel_env(scenario=mmalora_network(2, 1), reward=reward, least_delivery=0.0)
        rewards, infos = played(env, np.array([[41, 40]]))
        np.testing.assert_allclose(rewards, infos["ee_bits_per_mj"])


def far_network() -> Scenario:
    """Near, far, too far for the threshold, and beyond where delivery is anything but 0."""
    return mmalora_network(4, 1, gateway_xy_m=[[0.0, 0.0]], node_xy_m=[[1e3, 0], [8e3, 0], [20e3, 0], [1e6, 0]])


def test_masks_leave_what_a_node_alone_would_have_delivered() -> None:
    env = energy_v0.parallel_env(scenario=far_network())
    masks = env.action_masks()
    for node, xy_m in enumerate(far_network().node_xy_m[:2]):
        alone = replace(far_network(), node_xy_m=xy_m[None])
        model = Rayleigh(alone)
        for action in range(42):
            point = np.array([[action // 7, 0, 0, action % 7]], np.int16)
            assert masks[node, action] == (model.delivery(point)[0] >= 0.7)
    assert masks[0].sum() > masks[1].sum() > 1
    # SF12 at 20 dBm is all that is left of what is never enough.
    assert [np.flatnonzero(masks[node]).tolist() for node in (2, 3)] == [[41], [41]]


def test_masks_of_values_and_no_masks() -> None:
    flat = energy_v0.parallel_env(scenario=far_network()).action_masks().reshape(4, 6, 7)
    values = energy_v0.parallel_env(scenario=far_network(), action_format="multidiscrete").action_masks()
    assert np.array_equal(values, np.concatenate([flat.any(axis=2), flat.any(axis=1)], axis=1))
    assert not values.all()
    assert energy_v0.parallel_env(scenario=far_network(), masks=False).action_masks().all()


def test_masks_know_neither_the_others_nor_the_variant(busy: Scenario) -> None:
    masks = energy_v0.parallel_env(scenario=busy).action_masks()
    assert np.array_equal(energy_v0.parallel_env(scenario=busy, channel=[0] * 12).action_masks(), masks)
    assert np.array_equal(energy_v0.parallel_env(scenario=busy, variant="meang").action_masks(), masks)


@pytest.mark.parametrize("masks", [True, False])
def test_an_episode_starts_from_a_random_allowed_allocation(masks: bool) -> None:
    replicas = 4000
    env = energy_v0.parallel_env(scenario=far_network(), masks=masks, replicas=replicas)
    observations = env.reset_array(range(replicas))
    drawn = env.game.first_actions()
    for node, allowed in enumerate(env.action_masks()):
        expected = replicas / allowed.sum()
        counts = np.bincount(drawn[:, node], minlength=42)
        assert (counts[~allowed] == 0).all()
        assert (np.abs(counts[allowed] - expected) <= 6.0 * np.sqrt(expected)).all()
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.1
    seen = env.game.model.counterfactuals(env.game.points)
    np.testing.assert_allclose(observations[..., 0], seen.delivery, rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(observations[..., 1], seen.ee / 10.0, rtol=1e-6, atol=1e-30)
    assert observations[0, 0, 2] == pytest.approx(1 / 12)
    assert observations[0, 3, 2] == 4.0


def test_another_channel_changes_nothing(busy: Scenario) -> None:
    env = energy_v0.parallel_env(scenario=busy, replicas=2)
    actions = random_actions(env, np.random.default_rng(2))
    on_channel = env.game.channel == 0
    actions[1, on_channel] = actions[0, on_channel]
    rewards, infos = played(env, actions)
    for values in (rewards, *infos.values()):
        assert np.array_equal(values[0, on_channel], values[1, on_channel])
    assert not np.array_equal(rewards[0, ~on_channel], rewards[1, ~on_channel])


@pytest.mark.parametrize("reward", REWARDS)
def test_one_channel_is_a_view_of_the_whole_game(busy: Scenario, reward: str) -> None:
    rng = np.random.default_rng(4)
    scenario = busy.with_values(
        {
            "path_loss_db": rng.uniform(110.0, 150.0, (12, 2)),
            "traffic.payload_bytes": rng.integers(10, 40, 12),
            "traffic.interval_s": rng.uniform(100.0, 900.0, 12),
        }
    )
    channel = rng.integers(0, 2, 12)
    settings: dict[str, Any] = {"scenario": scenario, "channel": channel, "reward": reward, "least_delivery": 0.3}
    whole, part = energy_v0.parallel_env(**settings), energy_v0.parallel_env(**settings, only_channel=1)
    nodes = np.flatnonzero(channel == 1)
    assert part.possible_agents == [f"node_{node}" for node in nodes]
    actions = random_actions(whole, rng)
    for env in (whole, part):
        env.reset_array([0])
    observations, rewards, *_, infos = whole.step_array(actions)
    own_observations, own_rewards, *_, own_infos = part.step_array(actions[:, nodes])
    near = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(own_rewards, rewards[:, nodes], **near)
    assert rewards.any()
    # The scale of EE is one constant; only the bound of its feature may differ.
    np.testing.assert_allclose(own_observations, observations[:, nodes], rtol=1e-6)
    for key, values in infos.items():
        np.testing.assert_allclose(own_infos[key], values[:, nodes], **near)
    assert np.array_equal(part.mask_array(), whole.mask_array()[:, nodes])


def test_positions_are_redrawn_only_when_asked_and_shared() -> None:
    scenario = mmalora_network(12, 2)
    redraw = partial(uniform_union, nodes=12, radius_m=12_000.0, gateway_xy_m=scenario.gateway_xy_m)
    still = energy_v0.parallel_env(scenario=scenario)
    assert np.array_equal(still.reset_array([0])[..., 2:], still.reset_array([1])[..., 2:])
    env = energy_v0.parallel_env(scenario=scenario, replicas=2, redraw=redraw, only_channel=0)
    first, masks = env.reset_array([5, 6])[..., 2:], env.mask_array()
    assert np.array_equal(first[0], first[1])
    assert not np.array_equal(env.reset_array()[..., 2:], first)
    assert not np.array_equal(env.mask_array(), masks)
    assert np.array_equal(env.reset_array([5, 6])[..., 2:], first)


def test_arguments_reach_the_closed_form(busy: Scenario) -> None:
    actions = np.full((1, 12), 20)
    seen = {}
    for settings in ({}, {"energy": "radiated"}, {"variant": "meang"}, {"rate": "renewal"}):
        env = energy_v0.parallel_env(scenario=busy, **settings)
        seen[next(iter(settings.values()), "")] = played(env, actions)[1]
    delivery = {name: infos["delivery"] for name, infos in seen.items()}
    assert np.array_equal(delivery["radiated"], delivery[""])
    assert (seen["radiated"]["ee_bits_per_mj"] > seen[""]["ee_bits_per_mj"]).all()
    assert (delivery["meang"] < delivery[""]).all()
    assert (delivery["renewal"] != delivery[""]).any()


def test_choosing_well_alone_beats_choosing_at_random() -> None:
    env = energy_v0.parallel_env(scenario=mmalora_network(24, 3, seed=1), max_cycles=200)
    env.reset_array([0])
    model = env.game.model
    delivery = model.undisturbed_delivery(env.game.channel)
    worth = np.where(0.985 * delivery >= 0.7, delivery * model.tables.bits_per_mj, 0.0)
    greedy = worth.reshape(24, -1).argmax(axis=1)
    masked = np.random.default_rng(0).random((100, *env.action_masks().shape)) * env.action_masks()
    best, _ = played(env, greedy[None])
    at_random = [env.step_array(actions[None])[1].sum() for actions in masked.argmax(axis=-1)]
    assert best.sum() > 1.3 * np.max(at_random)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reward": "selfish"}, "reward: 'selfish' is not one of printed, marginal, team"),
        ({"reward": {"hram": 1.0}}, "reward: 'hram' is not a term; did you mean 'harm'"),
        ({"reward": {}}, r"reward: \{\} is not a mapping from reward term to weight, such as \{'system': 1.0\}"),
        ({"least_delivery": 1.5}, "least_delivery: 1.5 is not from 0 to 1"),
        ({"channel": [0, 1]}, r"channel: int64 \(2,\); expected are integers \(6,\)"),
        ({"channel": [0, 1, 2, 3, 4, 0]}, "channel: 0 to 4; the region has 0 to 3"),
        ({"channel": [0.5] * 6}, r"channel: float64 \(6,\); expected are integers"),
        ({"only_channel": 4}, "only_channel: 4 has no nodes; channels with nodes are 0, 1, 2, 3"),
        ({"variant": "joint"}, "variant: 'joint' takes gateways together"),
        ({"rate": "often"}, "rate: 'often' is not one of"),
        ({"energy": "none"}, "scenario.energy: 'none' is not one of radiated, supply"),
        ({"action_format": "box"}, "action_format: 'box' is not one of"),
        ({"max_cycles": 0}, "max_cycles: 0 is not a whole number"),
        ({"scenario": "mmalora"}, "scenario: 'mmalora' is not a lora_marl.core.scenario.Scenario"),
    ],
)
def test_bad_arguments_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        energy_v0.parallel_env(**{"scenario": mmalora_network(6, 1), **settings})


def with_powers(*tp_dbm: float) -> Scenario:
    network = mmalora_network(6, 1)
    return replace(network, region=replace(network.region, tp_dbm=tp_dbm))


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (with_powers(2.0, 6.5, 11.0, 15.5, 20.0), "J = 5, .* J is 2, 3, 4, 7, 10, 19, in equal steps"),
        (with_powers(2.0, 8.0, 20.0), r"J = 3, \(2.0, 8.0, 20.0\)"),
        (replace(mmalora_network(6, 1), node_xy_m=np.zeros((2, 6, 2))), "has 2 placements"),
        (replace(mmalora_network(6, 1), active=np.arange(6) > 0), "scenario.active: has nodes that are off"),
        (
            replace(mmalora_network(6, 1), changes=(Change(at_s=1.0, values={"propagation.exponent": 3.0}),)),
            "has changes or downlinks",
        ),
        (mmalora_network(6, 1).with_values({"propagation.fading": "none"}), "propagation.fading: 'none' has no"),
    ],
)
def test_networks_that_the_game_does_not_have_are_named(scenario: Scenario, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        energy_v0.parallel_env(scenario=scenario)


@pytest.mark.parametrize("levels", [2, 3, 4, 7, 10, 19])
def test_every_number_of_powers(levels: int) -> None:
    env = energy_v0.parallel_env(scenario=mmalora_network(4, 1, power_levels=levels))
    assert env.single_action_space.n == 6 * levels


def test_channels_that_overlap_are_no_games_of_their_own() -> None:
    network = mmalora_network(6, 1)
    close = replace(network, region=replace(network.region, channels_hz=(868.0e6, 868.1e6)))
    energy_v0.parallel_env(scenario=close)
    with pytest.raises(ValueError, match="only_channel: the region's channels overlap"):
        energy_v0.parallel_env(scenario=close, only_channel=0)


def test_redrawn_positions_are_checked() -> None:
    network = mmalora_network(6, 1)
    wrong = partial(uniform_union, nodes=3, radius_m=1.0, gateway_xy_m=network.gateway_xy_m)
    with pytest.raises(ValueError, match=r"redraw: positions of shape \(3, 2\); expected is \(6, 2\)"):
        energy_v0.parallel_env(scenario=network, redraw=wrong).reset()
    measured = replace(network, path_loss_db=np.full((6, 1), 120.0))
    with pytest.raises(ValueError, match="redraw: draws positions, but the scenario has a measured path loss"):
        energy_v0.parallel_env(scenario=measured, redraw=wrong)
