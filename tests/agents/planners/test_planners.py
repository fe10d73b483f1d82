"""Each planner by what defines it: by hand, by trying everything, or by golden numbers."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from agents.planners import PLANNERS, plan
from agents.planners.ascent import operating_points
from agents.planners.baselines import adr_mean, after_adr_command, marginal_rewards, penalised_ee
from agents.planners.bounds import summarise
from lora_marl.core.expect.rayleigh import Rayleigh, RayleighIncremental, Totals
from lora_marl.core.presets import mmalora_network
from tests.core.expect.rayleigh.networks import GOLDEN, golden, random_points

CHOOSE_CHANNELS = {"rcst", "ef-lora", "matching"}


@pytest.fixture(scope="module")
def small():
    return Rayleigh(mmalora_network(12, 2, channels=2, packets_per_s=0.004, seed=1))


@pytest.mark.parametrize("name", PLANNERS)
def test_a_plan_follows_from_its_seed_and_lies_within_the_region(small, name):
    points = plan(name, small, 3)
    np.testing.assert_array_equal(points, plan(name, small, 3))
    small.check_points(points)
    channel = np.arange(12) // 6
    in_channels = plan(name, small, 3, channel=channel)
    assert name in CHOOSE_CHANNELS or np.array_equal(in_channels[:, 2], channel)


def test_only_draws_differ_between_seeds(small):
    channel = np.arange(12) % 2
    differ = {name for name in PLANNERS if not np.array_equal(*(plan(name, small, s, channel=channel) for s in (0, 1)))}
    assert {"rcst", "adr-max"} <= differ <= {"rcst", "adr-max", "table-bandit", "energy-ascent"}


def test_bad_plans_are_named(small):
    with pytest.raises(ValueError, match="planner: 'rcts' is not one of rcst, distance-sf, matching"):
        plan("rcts", small, 0)
    with pytest.raises(ValueError, match=r"least_delivery = 1.5: must lie in 0 to 1"):
        plan("rcst", small, 0, least_delivery=1.5)
    for channel in (np.zeros(3, int), np.full(12, 2), np.full(12, -1), np.zeros(12)):
        with pytest.raises(ValueError, match="channel: needs 12 indices from 0 to 1"):
            plan("rcst", small, 0, channel=channel)


def test_spreading_factors_by_distance_are_those_of_the_table():
    apart_m = [1.0, 2000.0, 2001.0, 5000.0, 9999.0, 12_000.0, 15_000.0]
    nodes = [[metres, 0.0] for metres in apart_m]
    closed_form = Rayleigh(mmalora_network(7, 2, node_xy_m=nodes, gateway_xy_m=[[0.0, 0.0], [0.0, 90_000.0]]))
    points = plan("distance-sf", closed_form, 0)
    assert points[:, 0].tolist() == [0, 0, 1, 2, 4, 5, 5] and np.all(points[:, 3] == 6)
    few = replace(closed_form.scenario, region=replace(closed_form.scenario.region, spreading_factors=(7, 10)))
    assert plan("distance-sf", Rayleigh(few), 0)[:, 0].tolist() == [0, 0, 1, 1, 1, 1, 1]


def test_random_choice_is_uniform():
    points = plan("rcst", Rayleigh(mmalora_network(4000, 1)), 0)
    for factor, size in ((0, 6), (2, 4), (3, 7)):
        share = np.bincount(points[:, factor], minlength=size) / 4000
        np.testing.assert_allclose(share, 1 / size, atol=4 * np.sqrt(1 / size / 4000))


def test_adr_by_hand():
    closed_form = Rayleigh(mmalora_network(4, 1))
    slow = np.tile(np.array([5, 0, 0, 6], np.int16), (4, 1))
    # Margins at SF12, -137 dBm: 2.9 dB (no step), 7 dB (two), 25 dB (five and three in power), -4 dB (two up).
    received_dbm = np.array([-137 + 12.9, -137 + 17, -137 + 35, -137 + 6])
    after = after_adr_command(closed_form, slow, 10 ** (received_dbm / 10))
    assert after[:, [0, 3]].tolist() == [[5, 6], [3, 6], [0, 3], [5, 6]]
    quiet = slow.copy()
    quiet[:, 3] = 1
    assert after_adr_command(closed_form, quiet, 10 ** (received_dbm / 10))[:, 3].tolist() == [1, 1, 0, 3]


@pytest.mark.parametrize("levels", [2, 4, 7, 19])
def test_adr_by_the_mean_ends_at_a_fixed_point(levels):
    closed_form = Rayleigh(mmalora_network(100, 3, power_levels=levels))
    t, points = closed_form.tables, plan("adr-mean", closed_form, 0)
    mean_mw = (t.gain * t.tp_mw[points[:, 3], None]).max(axis=1)
    np.testing.assert_array_equal(after_adr_command(closed_form, points, mean_mw), points)
    again = adr_mean(closed_form, np.random.default_rng(9), 0.0, points[:, 2])
    np.testing.assert_array_equal(again, points)
    margin_db = 10 * np.log10(mean_mw / t.sensitivity_mw[points[:, 0]])
    assert np.all((margin_db >= 9.999) | ((points[:, 0] == 5) & (points[:, 3] == levels - 1)))


def test_adr_by_the_strongest_of_many_credits_fading():
    closed_form = Rayleigh(mmalora_network(100, 3))
    mean, strongest = (plan(name, closed_form, 0) for name in ("adr-mean", "adr-max"))
    assert np.all(strongest[:, 0] <= mean[:, 0]) and strongest[:, 0].sum() < mean[:, 0].sum()


@pytest.mark.parametrize("seed", range(3))
def test_bottleneck_first_comes_close_to_the_max_min_of_trying_everything(seed):
    network = mmalora_network(3, 2, channels=2, packets_per_s=0.01, seed=seed)
    network = replace(network, region=replace(network.region, spreading_factors=(7, 9, 12), tp_dbm=(2.0, 14.0, 20.0)))
    closed_form = Rayleigh(network)
    everything = product(operating_points(network), repeat=3)
    most = max(closed_form.ee_bits_per_mj(np.array(points)).min() for points in everything)
    assert 0.995 * most <= closed_form.ee_bits_per_mj(plan("ef-lora", closed_form, 0)).min() <= most * (1 + 1e-9)


def test_bottleneck_first_leaves_nobody_of_the_start_worse_off_than_the_least(small):
    start, end = (small.ee_bits_per_mj(plan(name, small, 0)) for name in ("distance-sf", "ef-lora"))
    assert end.min() > start.min()
    off = Rayleigh(replace(small.scenario, active=np.arange(12) > 5))
    start, end = (off.ee_bits_per_mj(plan(name, off, 0))[6:] for name in ("distance-sf", "ef-lora"))
    assert end.min() > start.min()


def test_marginal_rewards_are_what_the_others_channel_gains_from_a_node(small):
    points = random_points(small.scenario)
    rewards, delivery = marginal_rewards(small, points, 0.3), small.delivery(points)
    assert 0 < (delivery >= 0.3).sum() < 12
    for node in range(12):
        channel = points[:, 2] == points[node, 2]
        without = Rayleigh(replace(small.scenario, active=np.arange(12) != node))
        gain = (small.ee_bits_per_mj(points) - without.ee_bits_per_mj(points))[channel].sum()
        assert rewards[node] == pytest.approx(gain if delivery[node] >= 0.3 else 0.0, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("least", [0.5, 0.7])
def test_a_table_per_node_comes_within_a_percent_of_the_ascent(least):
    closed_form = Rayleigh(mmalora_network(40, 3, channels=1))
    learned, ascended = (
        summarise(closed_form, plan(name, closed_form, 0, least_delivery=least), least)
        for name in ("table-bandit", "energy-ascent")
    )
    assert learned.ee_sum >= 0.99 * ascended.ee_sum and learned.violations == ascended.violations == 0


@pytest.mark.parametrize("case", GOLDEN["allocation_cases"], ids=lambda case: case["name"])
def test_golden_ascents(case):
    closed_form = Rayleigh(golden(case)[0])
    channel, least, golden_search = np.array(case["channel"]), case["D_th"], case["local_search"]
    summary = summarise(
        closed_form, plan("energy-ascent", closed_form, 0, least_delivery=least, channel=channel), least
    )
    assert summary.ee_sum >= golden_search["system_EE"] * (1 - 1e-4)
    assert summary.violations == golden_search["violations"] == 0
    assert 0.995 <= summary.share_of_bound <= 1.0


def test_nobody_can_improve_on_an_ascent_alone(small):
    points = plan("energy-ascent", small, 0)
    allocation, candidates = RayleighIncremental(small, points, least_delivery=0.7), operating_points(small.scenario)
    now = penalised_ee(allocation.totals())[0][1]
    for node in range(12):
        tried = allocation.try_points(node, candidates[candidates[:, 2] == points[node, 2]])
        assert max(value for _, value in penalised_ee(tried)) <= now + 1e-6


def test_an_ascent_finds_the_best_of_all_allocations_of_three_nodes():
    network = mmalora_network(3, 2, channels=1, packets_per_s=0.01, seed=5)
    network = replace(network, region=replace(network.region, spreading_factors=(7, 9, 12), tp_dbm=(2.0, 14.0, 20.0)))
    closed_form = Rayleigh(network)
    values = []
    for points in product(operating_points(network), repeat=3):
        allocation = RayleighIncremental(closed_form, np.array(points), least_delivery=0.6)
        values.append(penalised_ee(allocation.totals())[0][1])
    ascended = RayleighIncremental(
        closed_form, plan("energy-ascent", closed_form, 0, least_delivery=0.6), least_delivery=0.6
    )
    assert penalised_ee(ascended.totals())[0][1] == pytest.approx(max(values), rel=1e-9)


def test_falling_short_costs_more_than_it_can_win():
    sound, violating = Totals(100.0, 0, 0.0), Totals(140.0, 1, 1e-6)
    assert penalised_ee(sound)[0] > penalised_ee(violating)[0]


def test_moves_of_single_nodes_need_a_product():
    joint = Rayleigh(mmalora_network(4, 2), variant="joint")
    for name in ("matching", "table-bandit", "energy-ascent"):
        with pytest.raises(ValueError, match="variant: 'joint'"):
            plan(name, joint, 0)
    assert plan("ef-lora", joint, 0).shape == (4, 4)


def test_a_summary_says_what_an_allocation_is_worth(small):
    points = plan("distance-sf", small, 0)
    summary, delivery = summarise(small, points, 0.8), small.delivery(points)
    assert summary.ee_sum == pytest.approx(RayleighIncremental(small, points).totals().ee_sum, rel=1e-12)
    assert summary.mean_delivery == pytest.approx(delivery.mean(), rel=1e-12)
    assert 0 < summary.violations == (delivery < 0.8).sum() < 12
    assert 0 < summary.share_of_bound < 1
    half = Rayleigh(replace(small.scenario, active=np.arange(12) > 5))
    assert summarise(half, points, 0.8).mean_delivery == pytest.approx(half.delivery(points)[6:].mean(), rel=1e-12)
    assert summarise(half, points, 1.0).violations == 6


def test_the_published_order_of_the_baselines():
    closed_form = Rayleigh(mmalora_network(160, 3))
    names = ("rcst", "adr-mean", "distance-sf", "ef-lora", "adr-max", "energy-independent", "energy-ascent")
    summaries = {name: summarise(closed_form, plan(name, closed_form, 0), 0.7) for name in names}
    worth = {name: summary.share_of_bound for name, summary in summaries.items()}
    assert (
        worth["rcst"] < worth["adr-mean"] < worth["adr-max"] < worth["energy-independent"] < worth["energy-ascent"] <= 1
    )
    assert worth["energy-ascent"] > 0.995 and worth["distance-sf"] < worth["ef-lora"] < worth["adr-max"]
    assert (
        summaries["energy-ascent"].violations
        == summaries["energy-independent"].violations
        == summaries["adr-mean"].violations
        == 0
    )
    assert 0 < summaries["adr-max"].violations < summaries["ef-lora"].violations < summaries["rcst"].violations
