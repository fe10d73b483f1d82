"""Swap matching: Algorithm 1 stated with whole swaps, its stability by brute force, and what it never does."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from agents.planners import plan
from agents.planners.matching import balanced_channels, blocking_pairs, match_channels
from lora_marl.core.expect.rayleigh import Rayleigh, RayleighIncremental
from lora_marl.core.presets import mmalora_network
from tests.core.expect.rayleigh.networks import GOLDEN, golden, random_points

MARGIN = 1e-9
CHANGED = {
    "as it is": lambda scenario: scenario,
    "lossy channels, some off": lambda scenario: replace(
        scenario, channel_loss_db=np.array([0.0, 1.0, 4.0]), active=np.arange(20) % 5 > 0
    ),
}


def busy(changed=CHANGED["as it is"], variant="expect"):
    scenario = changed(mmalora_network(20, 2, channels=3, packets_per_s=0.004, seed=3))
    return Rayleigh(scenario, variant=variant), random_points(scenario, 2)


def gains(allocation, i, j):
    """What the two nodes and their channels gain by a swap."""
    before = [*allocation.ee_bits_per_mj[[i, j]], *allocation.channel_ee[allocation.points[[i, j], 2]]]
    swap = allocation.try_swap(i, j)
    return np.array([*swap.ee, *swap.channel_ee]) - before


def stated(closed_form, points, accepts):
    """Algorithm 1 as it is printed."""
    allocation, swaps, before = RayleighIncremental(closed_form, points), 0, -1
    while swaps > before:
        before = swaps
        for i in range(len(points)):
            for j in range(len(points)):
                if allocation.points[i, 2] != allocation.points[j, 2] and accepts(gains(allocation, i, j)):
                    allocation.swap(i, j)
                    swaps += 1
    return allocation.points, swaps


ACCEPTS = {
    "literal": lambda gain: gain.min() >= -MARGIN and gain.max() > MARGIN,
    "utilitarian": lambda gain: gain[2:].sum() > MARGIN,
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
@pytest.mark.parametrize(("rule", "variant"), [("literal", "expect"), ("literal", "meang"), ("utilitarian", "expect")])
def test_it_is_algorithm_1(rule, variant, changed):
    closed_form, points = busy(changed, variant)
    matching = match_channels(closed_form, points, rule=rule)
    expected, swaps = stated(closed_form, points, ACCEPTS[rule])
    assert swaps == matching.swaps > 0 and matching.stable
    np.testing.assert_array_equal(matching.points, expected)


@pytest.mark.parametrize("seed", range(4))
def test_in_the_end_no_pair_blocks(seed):
    closed_form, _ = busy()
    start = random_points(closed_form.scenario, seed)
    matching = match_channels(closed_form, start)
    allocation = RayleighIncremental(closed_form, matching.points)
    pairs = [(i, j) for i, j in combinations(range(20), 2) if matching.points[i, 2] != matching.points[j, 2]]
    assert not any(ACCEPTS["literal"](gains(allocation, i, j)) for i, j in pairs)
    assert len(blocking_pairs(closed_form, matching.points)) == 0


@pytest.mark.parametrize("case", GOLDEN["swap_cases"], ids=lambda case: case["name"])
def test_golden_blocking_pairs(case):
    scenario, points = golden(case)
    blocking = {tuple(pair) for pair in blocking_pairs(Rayleigh(scenario), points).tolist()}
    assert len(blocking) == case["n_blocking_pairs"]
    assert all(((pair["i"], pair["i2"]) in blocking) == pair["blocking"] for pair in case["pairs"])


@pytest.mark.parametrize("rule", ["literal", "utilitarian"])
def test_the_network_never_loses_and_channels_keep_their_numbers(rule):
    closed_form, points = busy()
    totals = [closed_form.ee_bits_per_mj(points).sum()]
    for sweeps in range(1, 8):
        matching = match_channels(closed_form, points, rule=rule, most_sweeps=sweeps)
        totals.append(closed_form.ee_bits_per_mj(matching.points).sum())
        np.testing.assert_array_equal(np.bincount(matching.points[:, 2]), np.bincount(points[:, 2]))
        np.testing.assert_array_equal(matching.points[:, [0, 1, 3]], points[:, [0, 1, 3]])
    assert np.diff(totals).min() >= -1e-8 and totals[-1] > totals[0]


def test_the_common_good_gains_more_than_consent_does():
    closed_form, points = busy()
    literal, common = (
        closed_form.ee_bits_per_mj(match_channels(closed_form, points, rule=rule).points).sum()
        for rule in ("literal", "utilitarian")
    )
    assert common > literal


@pytest.mark.parametrize("seed", [0, 1])
def test_on_the_published_network_hardly_anybody_swaps(seed):
    closed_form = Rayleigh(mmalora_network(160, 3, seed=seed))
    start = plan("distance-sf", closed_form, seed)
    matching = match_channels(closed_form, start)
    before, after = (closed_form.ee_bits_per_mj(points).sum() for points in (start, matching.points))
    assert matching.swaps <= 2 and matching.sweeps <= 2
    assert 1.0 <= after / before < 1.0005
    np.testing.assert_array_equal(plan("matching", closed_form, seed), matching.points)


def test_a_balanced_matching_keeps_to_the_quota():
    channel = balanced_channels(np.random.default_rng(0), 42, 4)
    assert sorted(np.bincount(channel)) == [10, 10, 11, 11]
    assert not np.array_equal(channel, balanced_channels(np.random.default_rng(1), 42, 4))


def test_what_matching_cannot_do_is_named():
    closed_form, points = busy()
    with pytest.raises(ValueError, match="rule: 'fair' is not one of literal, utilitarian"):
        match_channels(closed_form, points, rule="fair")
    with pytest.raises(ValueError, match="most_sweeps = 0"):
        match_channels(closed_form, points, most_sweeps=0)
    with pytest.raises(ValueError, match="points are int64"):
        match_channels(closed_form, points.astype(np.int64))
    with pytest.raises(ValueError, match="variant: 'joint'"):
        match_channels(Rayleigh(closed_form.scenario, variant="joint"), points)
    narrow = replace(closed_form.scenario.region, channels_hz=(868.0e6, 868.1e6, 868.2e6))
    with pytest.raises(ValueError, match="region.channels_hz: channels overlap one another"):
        blocking_pairs(Rayleigh(replace(closed_form.scenario, region=narrow)), points)
