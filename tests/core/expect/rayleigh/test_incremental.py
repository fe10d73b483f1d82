"""Changing one node, or swapping two channels, is the reference of the whole."""

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.expect import rayleigh
from lora_marl.core.expect.rayleigh import Rayleigh, RayleighIncremental, reference
from lora_marl.core.presets import mmalora_network
from tests.core.expect.rayleigh.networks import BUSY, GOLDEN, golden, random_points
from tests.core.expect.rayleigh.test_closed_form import CHANGED

LEAST = 0.6
NEAR = {"rtol": 1e-9, "atol": 1e-12}


def reference_outcome(model, points):
    """Delivery and energy efficiency of each node, and the sums, by the reference."""
    delivery = reference.delivery(model.tables, points, model.variant)
    best = model.tables.bits_per_mj[np.arange(len(points)), points[:, 0], points[:, 3]]
    ee, missing = delivery * best, np.maximum(LEAST - delivery, 0.0)[best > 0]
    return delivery, ee, (ee.sum(), (missing > 0).sum(), missing.sum())


def two_channels(changed, gateways=2):
    scenario = changed(mmalora_network(24, gateways, seed=1, **BUSY))
    return scenario, random_points(scenario)


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
@pytest.mark.parametrize("variant", ["expect", "meang"])
def test_after_hundreds_of_moves_it_is_what_a_fresh_one_is(variant, changed):
    scenario, points = two_channels(changed)
    model = Rayleigh(scenario, variant=variant)
    allocation, rng = RayleighIncremental(model, points, least_delivery=LEAST), np.random.default_rng(0)
    for number in range(400):
        node, other = rng.choice(24, 2, replace=False)
        if number % 4:
            points[node] = random_points(scenario, 1 + number)[node]
            allocation.move(node, points[node])
        else:
            points[[node, other], 2] = points[[other, node], 2]
            allocation.swap(node, other)
        if number % 40 == 39:
            delivery, ee, sums = reference_outcome(model, points)
            np.testing.assert_array_equal(allocation.points, points)
            np.testing.assert_allclose(allocation.delivery, delivery, **NEAR)
            np.testing.assert_allclose(allocation.ee_bits_per_mj, ee, **NEAR)
            np.testing.assert_allclose(allocation.totals(), sums, **NEAR)
            assert allocation.channel_ee.sum() == pytest.approx(sums[0], rel=1e-9)


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
@pytest.mark.parametrize("variant", ["expect", "meang"])
def test_trying_points_tells_what_moving_would(variant, changed):
    scenario, points = two_channels(changed, gateways=3)
    model = Rayleigh(scenario, variant=variant)
    allocation = RayleighIncremental(model, points, least_delivery=LEAST)
    candidates = np.stack([random_points(scenario, seed, loud=False)[0] for seed in range(12)])
    for node in (0, 5, 23):
        trial = allocation.try_points(node, candidates)
        for number, candidate in enumerate(candidates):
            moved = points.copy()
            moved[node] = candidate
            delivery, ee, (ee_sum, short, shortfall) = reference_outcome(model, moved)
            np.testing.assert_allclose(trial.delivery[number], delivery[node], **NEAR)
            np.testing.assert_allclose(trial.ee[number], ee[node], **NEAR)
            assert trial.ee_sum[number] == pytest.approx(ee_sum, rel=1e-9)
            assert trial.short[number] == short
            assert trial.shortfall[number] == pytest.approx(shortfall, rel=1e-9)
    np.testing.assert_array_equal(allocation.points, points)
    np.testing.assert_allclose(allocation.totals(), reference_outcome(model, points)[2], **NEAR)


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_bounds_are_what_it_would_be_if_the_node_met_nobody(changed):
    scenario, points = two_channels(changed)
    model = Rayleigh(scenario)
    allocation = RayleighIncremental(model, points, least_delivery=LEAST)
    candidates = np.stack([random_points(scenario, seed, loud=False)[0] for seed in range(12)])
    for node in (0, 5, 23):
        bounds, trial = allocation.bounds(node, candidates), allocation.try_points(node, candidates)
        for number, candidate in enumerate(candidates):
            others_only = model.tables._replace(overlap=model.tables.overlap.copy())
            moved = points.copy()
            moved[node] = candidate
            others_only.overlap[:, :, node] = 0.0
            others = reference.delivery(others_only, moved, "expect")
            others_only.overlap[...] = 0.0
            others[node] = reference.delivery(others_only, moved, "expect")[node]
            best = model.tables.bits_per_mj[np.arange(24), moved[:, 0], moved[:, 3]]
            missing = np.maximum(LEAST - others, 0.0)[best > 0]
            assert bounds.ee_sum[number] == pytest.approx(best @ others, rel=1e-9)
            assert bounds.short[number] == (missing > 0).sum()
            assert bounds.shortfall[number] == pytest.approx(missing.sum(), rel=1e-9)
        assert np.all(bounds.ee_sum >= trial.ee_sum - 1e-9) and np.all(bounds.delivery >= trial.delivery - 1e-12)
        assert np.all(bounds.short <= trial.short) and np.all(bounds.shortfall <= trial.shortfall + 1e-9)


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_trying_a_swap_tells_what_swapping_would(changed):
    scenario, points = two_channels(changed)
    model = Rayleigh(scenario)
    allocation = RayleighIncremental(model, points, least_delivery=LEAST)
    for i, j in ((0, 1), (2, 9), (4, 17), (23, 3), (8, 20)):
        swapped = points.copy()
        swapped[[i, j], 2] = points[[j, i], 2]
        delivery, ee, sums = reference_outcome(model, swapped)
        swap = allocation.try_swap(i, j)
        np.testing.assert_allclose(swap.delivery, delivery, **NEAR)
        np.testing.assert_allclose(swap.ee, ee[[i, j]], **NEAR)
        np.testing.assert_allclose(swap.totals, sums, **NEAR)
        channels = [ee[swapped[:, 2] == channel].sum() for channel in points[[i, j], 2]]
        np.testing.assert_allclose(swap.channel_ee, channels, **NEAR)
    np.testing.assert_array_equal(allocation.points, points)


@pytest.mark.parametrize("case", GOLDEN["swap_cases"], ids=lambda case: case["name"])
def test_golden_swaps(case):
    scenario, points = golden(case)
    allocation = RayleighIncremental(Rayleigh(scenario), points)
    assert allocation.totals().ee_sum == pytest.approx(case["initial_system_EE"], rel=1e-9)
    for pair in case["pairs"]:
        i, j = pair["i"], pair["i2"]
        before = [*allocation.ee_bits_per_mj[[i, j]], *allocation.channel_ee[points[[i, j], 2]]]
        swap = allocation.try_swap(i, j)
        gain = np.array([*swap.ee, *swap.channel_ee]) - before
        np.testing.assert_allclose(gain, pair["dU"], rtol=1e-9, atol=1e-12)
        assert bool(gain.min() >= -1e-9 and gain.max() > 1e-9) == pair["blocking"]


@pytest.mark.parametrize("case", GOLDEN["allocation_cases"], ids=lambda case: case["name"])
def test_golden_allocations(case):
    scenario, _ = golden(case)
    best = case["local_search"]
    points = scenario.region.points(sf=best["sf"], bw_hz=125e3, channel=case["channel"], tp_dbm=best["tp_dbm"])
    allocation = RayleighIncremental(Rayleigh(scenario), points, least_delivery=case["D_th"])
    assert allocation.totals().ee_sum == pytest.approx(best["system_EE"], rel=1e-9)
    assert allocation.totals().short == best["violations"]
    assert allocation.delivery.mean() == pytest.approx(best["mean_PDR"], rel=1e-9)


def test_joint_has_no_product_to_keep():
    scenario = mmalora_network(3, 1)
    with pytest.raises(ValueError, match="variant: 'joint' takes gateways together"):
        RayleighIncremental(Rayleigh(scenario, variant="joint"), random_points(scenario))


def test_without_interference_others_do_not_matter():
    scenario = replace(mmalora_network(6, 2, channels=3), active=np.array([True, True, True, False, False, False]))
    points = random_points(scenario)
    points[:, 2] = [0, 1, 2, 0, 1, 2]
    allocation = RayleighIncremental(Rayleigh(scenario), points)
    before = allocation.delivery
    allocation.move(3, np.array([5, 0, 0, 6], np.int16))
    np.testing.assert_array_equal(allocation.delivery[:3], before[:3])
    assert np.all(allocation.ee_bits_per_mj[3:] == 0.0)


def test_the_old_name_is_accepted():
    with pytest.warns(DeprecationWarning, match="Incremental is now RayleighIncremental"):
        assert rayleigh.Incremental is RayleighIncremental
