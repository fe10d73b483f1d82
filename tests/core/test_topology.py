import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_marl.core import topology


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("radius_m", [1000, 1500, 2000, 2500])
def test_published_placement(dlora_vectors, radius_m):
    expected = dlora_vectors["placement_python_random_seed42"][str(radius_m)]
    np.testing.assert_array_equal(topology.published_disc(50, radius_m)[: len(expected)], expected)


def test_published_placement_depends_on_its_seed_only():
    np.testing.assert_array_equal(topology.published_disc(20, 500, seed=0), topology.published_disc(20, 500, seed=0))
    assert (topology.published_disc(20, 500, seed=0) != topology.published_disc(20, 500, seed=1)).any()


def test_uniform_disc_is_uniform_by_area():
    positions = topology.uniform_disc(rng(), 100_000, 1000.0)
    distance_m = np.hypot(*positions.T)
    assert distance_m.max() <= 1000.0
    inner_share = [(distance_m <= radius_m).mean() for radius_m in (250.0, 500.0, 750.0)]
    assert inner_share == pytest.approx([1 / 16, 1 / 4, 9 / 16], abs=0.006)
    quadrants = np.unique(np.signbit(positions), axis=0, return_counts=True)[1] / len(positions)
    assert quadrants == pytest.approx(np.full(4, 0.25), abs=0.006)


def test_uniform_disc_follows_its_generator():
    np.testing.assert_array_equal(topology.uniform_disc(rng(7), 9, 10.0), topology.uniform_disc(rng(7), 9, 10.0))
    assert (topology.uniform_disc(rng(7), 9, 10.0) != topology.uniform_disc(rng(8), 9, 10.0)).any()


@given(st.integers(2, 60), st.floats(0.1, 1e5))
def test_ring_has_one_radius_and_equal_gaps(nodes, radius_m):
    positions = topology.ring(nodes, radius_m)
    np.testing.assert_allclose(np.hypot(*positions.T), radius_m)
    gaps_m = np.hypot(*(positions - np.roll(positions, 1, axis=0)).T)
    np.testing.assert_allclose(gaps_m, 2.0 * radius_m * math.sin(math.pi / nodes), rtol=1e-7)


def test_the_union_of_discs_is_uniform_where_they_overlap():
    centres = [[0.0, 0.0], [1000.0, 0.0]]
    positions = topology.uniform_union(rng(), 100_000, 1000.0, centres)
    distance_m = topology.distances_m(positions, centres)
    assert distance_m.min(axis=1).max() <= 1000.0
    lens = 2 * math.pi / 3 - math.sqrt(3) / 2
    in_both = (distance_m <= 1000.0).all(axis=1).mean()
    assert in_both == pytest.approx(lens / (2 * math.pi - lens), abs=0.006)


def test_gateways_keep_their_distance():
    for seed in range(20):
        sites = topology.spread_gateways(seed, 4, 20_000.0, 12_000.0)
        apart_m = topology.distances_m(sites, sites)[np.triu_indices(4, 1)]
        assert apart_m.min() >= 12_000.0 and sites.min() >= 0.0 and sites.max() <= 20_000.0
    with pytest.raises(ValueError, match="gateways is 9: so many 12000 m apart"):
        topology.spread_gateways(0, 9, 20_000.0, 12_000.0)


def test_clusters_are_small_discs_in_a_large_one():
    positions = topology.clusters(rng(), 1001, count=4, radius_m=5000.0, cluster_radius_m=50.0)
    assert positions.shape == (1001, 2)
    assert np.hypot(*positions.T).max() <= 5050.0
    for cluster in range(4):
        assert np.ptp(positions[cluster::4], axis=0).max() <= 100.0
    assert np.ptp(positions, axis=0).max() > 1000.0


def test_gateway_grid_by_hand():
    expected = [[-10, -5], [0, -5], [10, -5], [-10, 5], [0, 5], [10, 5]]
    np.testing.assert_array_equal(topology.gateway_grid(2, 3, 10.0), expected)


def test_gateway_line_by_hand():
    np.testing.assert_array_equal(topology.gateway_line(2, 100.0), [[-50, 0], [50, 0]])
    np.testing.assert_array_equal(topology.gateway_line(1, 100.0), [[0, 0]])


def test_distances_by_hand():
    nodes_m = [[3.0, 4.0], [0.0, 0.0]]
    np.testing.assert_array_equal(topology.distances_m(nodes_m, [[0, 0], [3, 0]]), [[5, 4], [0, 3]])


def test_distances_keep_leading_axes():
    nodes_m = rng().normal(size=(4, 7, 2))
    distance_m = topology.distances_m(nodes_m, topology.gateway_line(3, 10.0))
    assert distance_m.shape == (4, 7, 3)
    np.testing.assert_array_equal(distance_m[2], topology.distances_m(nodes_m[2], topology.gateway_line(3, 10.0)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: topology.uniform_disc(rng(), 0, 10.0), "nodes is 0"),
        (lambda: topology.uniform_disc(rng(), 5, math.nan), "radius_m is nan"),
        (lambda: topology.published_disc(5, 10.5), "radius_m is 10.5: it must be a whole number"),
        (lambda: topology.published_disc(math.inf, 10), "nodes is inf"),
        (lambda: topology.ring(5, -1.0), "radius_m is -1.0"),
        (lambda: topology.clusters(rng(), 5, count=0, radius_m=1.0, cluster_radius_m=1.0), "count is 0"),
        (lambda: topology.clusters(rng(), 5, count=2, radius_m=1.0, cluster_radius_m=0.0), "cluster_radius_m is 0.0"),
        (lambda: topology.gateway_grid(2, 0, 1.0), "columns is 0"),
        (lambda: topology.gateway_line(2, math.inf), "spacing_m is inf"),
        (lambda: topology.distances_m([[0, 0], [1, math.nan]], [[0, 0]]), r"node_xy_m\[1\] is \[1.0, nan\]"),
        (lambda: topology.distances_m([[0, 0, 0]], [[0, 0]]), r"node_xy_m has shape \(1, 3\)"),
        (lambda: topology.distances_m([[0, 0]], [0, 0]), r"gateway_xy_m has shape \(2,\)"),
        (lambda: topology.distances_m(np.zeros((0, 2)), [[0, 0]]), r"node_xy_m has shape \(0, 2\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
