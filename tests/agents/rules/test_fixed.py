import numpy as np
import pytest

from agents.rules.fixed import DistanceQuantile, Random, RoundRobin, StaticSF7
from lora_marl.core.presets import conference_network
from lora_marl.core.region import FACTORS

HIGHEST = 6


def test_random_is_uniform_over_the_learned_factors(conference, run_of):
    chosen = run_of(Random(conference, range(20)), range(20), 100).reshape(-1, 4)
    for factor, size in enumerate(conference.region.factor_sizes):
        share = np.bincount(chosen[:, factor], minlength=size) / len(chosen)
        np.testing.assert_allclose(share, 1 / size, atol=4 * np.sqrt(1 / size / len(chosen)))
    correlation = np.corrcoef(chosen.T) - np.eye(len(FACTORS))
    assert abs(correlation).max() < 4 / np.sqrt(len(chosen))


def test_random_differs_between_seeds_and_between_decisions(conference, run_of):
    chosen = run_of(Random(conference, [0, 1]), [0, 1], 50)
    assert (chosen[:, 0] != chosen[:, 1]).any(axis=-1).mean() > 0.9
    assert (chosen[1:] != chosen[:-1]).any(axis=-1).mean() > 0.9


def test_random_keeps_the_fixed_point(conference, run_of):
    learner = Random(conference, [3], factors=["channel"], fixed_point=[5, 2, 0, 1])
    chosen = run_of(learner, [3], 30).reshape(-1, 4)
    np.testing.assert_array_equal(np.unique(chosen[:, [0, 1, 3]], axis=0), [[5, 2, 1]])
    assert len(np.unique(chosen[:, 2])) == 8


def test_static_sf7_never_changes(conference, run_of):
    learner = StaticSF7(conference, [0, 1])
    chosen = run_of(learner, [0, 1], 3)
    node = np.arange(conference.nodes)
    expected = np.stack([0 * node, 0 * node, node % 8, 0 * node + HIGHEST], axis=-1)
    np.testing.assert_array_equal(chosen, np.broadcast_to(expected, chosen.shape))
    learner.initial_points()[...] = 0
    np.testing.assert_array_equal(learner.initial_points()[1], expected)


def test_distance_quantiles_are_quartiles_from_near_to_far(journal):
    points = DistanceQuantile(journal, [0]).initial_points()[0]
    np.testing.assert_array_equal(points[:, 0], np.repeat([0, 1, 2, 3], 3))
    np.testing.assert_array_equal(points[:, 3], HIGHEST)


def test_distance_is_to_the_nearest_gateway_of_each_replica(journal):
    near_far = np.array([[[0.0, 1.0], [500.0, 0.0]], [[500.0, 0.0], [900.0, 2.0]]])
    scenario = journal.with_values({"node_xy_m": near_far, "gateway_xy_m": np.array([[0.0, 0.0], [900.0, 0.0]])})
    points = DistanceQuantile(scenario, [0, 1], spreading_factors=[8, 12]).initial_points()
    np.testing.assert_array_equal(points[..., 0], [[1, 5], [5, 1]])
    np.testing.assert_array_equal(points[..., 2], [[0, 1], [1, 0]])


def test_a_spreading_factor_outside_the_region_is_named(journal):
    few = journal.with_values({"region.spreading_factors": (8, 9)})
    with pytest.raises(ValueError, match="7 is not one of the region's"):
        StaticSF7(few, [0])
    with pytest.raises(ValueError, match="needs at least one"):
        DistanceQuantile(few, [0], spreading_factors=[])


def test_round_robin_deals_out_spreading_factors_and_channels(run_of):
    chosen = run_of(RoundRobin(conference_network(60), [2]), [2], 400)[:, 0]
    node = np.arange(60) % 48
    assert (chosen[..., 0] == node // 8).all() and (chosen[..., 2] == node % 8).all()
    np.testing.assert_allclose(np.bincount(chosen[..., 1].ravel()) / chosen[..., 1].size, 1 / 3, atol=0.015)
    np.testing.assert_allclose(np.bincount(chosen[..., 3].ravel()) / chosen[..., 3].size, 1 / 7, atol=0.015)
