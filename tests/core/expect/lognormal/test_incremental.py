"""Changing one node at a time is the pairwise model of the whole."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lora_marl.core.expect import LogNormal, LogNormalIncremental, OneGateway
from lora_marl.core.presets import norel_network

GATEWAYS = [[0, 0], [2000, 0], [0, 2000], [2000, 2000], [1000, 1000]]
NODES = 11


def closed_form(gateways, shadowing_db=3.54, channels=2, seed=0):
    network = norel_network(NODES, gateway_xy_m=GATEWAYS[:gateways], packets_per_s=0.05, feedback="free", seed=seed)
    region = replace(network.region, channels_hz=(868.1e6, 868.3e6)[:channels])
    propagation = replace(network.propagation, shadowing_db=shadowing_db)
    payload = np.random.default_rng(seed).integers(5, 50, NODES)
    traffic = replace(network.traffic, payload_bytes=payload)
    scenario = replace(network, region=region, propagation=propagation, traffic=traffic)
    return LogNormal(scenario, variant="pairwise")


def drawn(model, seed, count):
    return np.random.default_rng(seed).integers(0, model.scenario.region.factor_sizes, (count, 4)).astype(np.int16)


def plain_totals(model, points):
    expectation = model.expect(points)
    rate = expectation.packets_per_s
    delivered = rate * expectation.delivery
    return [rate.sum(), delivered.sum(), delivered @ expectation.bits, rate @ expectation.energy_mj]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.sampled_from([3.54, 7.08]), st.integers(1, 2), st.integers(0, 2**32 - 1))
def test_moves_and_trials_are_the_whole_model(gateways, shadowing_db, channels, seed):
    model = closed_form(gateways, shadowing_db, channels, seed)
    points, candidates = drawn(model, seed, NODES), drawn(model, seed + 1, 4)
    allocation = LogNormalIncremental(model, points)
    for node in (0, 7, 0):
        tried, totals = allocation.try_delivery(node, candidates), allocation.try_points(node, candidates)
        bounds = allocation.bounds(node, candidates)
        np.testing.assert_array_equal(allocation.points, points)
        for k, candidate in enumerate(candidates):
            points[node] = candidate
            np.testing.assert_allclose(tried[k], model.delivery(points), rtol=0, atol=1e-10)
            np.testing.assert_allclose(totals[k], plain_totals(model, points), rtol=1e-10)
        assert np.all(bounds >= totals * (1 - 1e-12))
        points[node] = candidates[node % 4]
        allocation.move(node, points[node])
        np.testing.assert_array_equal(allocation.points, points)
        np.testing.assert_allclose(allocation.delivery(), model.delivery(points), rtol=0, atol=1e-10)
        np.testing.assert_allclose(allocation.totals(), plain_totals(model, points), rtol=1e-10)


@pytest.mark.parametrize("shadowing_db", [3.54, 7.08])
@pytest.mark.parametrize("gateways", [1, 2, 3, 4])
def test_many_moves_do_not_add_up_their_rounding(gateways, shadowing_db):
    model = closed_form(gateways, shadowing_db)
    allocation = LogNormalIncremental(model, drawn(model, 0, NODES))
    for number, point in enumerate(drawn(model, 1, 500)):
        allocation.move(number % NODES, point)
    expected = model.delivery(allocation.points)
    np.testing.assert_allclose(allocation.delivery(), expected, rtol=0, atol=1e-10)
    assert 0.05 < expected.mean() < 0.95


def test_bounds_are_reached_without_interference():
    model = closed_form(3)
    model = LogNormal(replace(model.scenario, active=np.arange(NODES) < 1), variant="pairwise")
    points = drawn(model, 0, NODES)
    allocation = LogNormalIncremental(model, points)
    np.testing.assert_allclose(allocation.bounds(0, points), allocation.try_points(0, points), rtol=1e-12)


def test_of_one_gateway_it_is_near_the_model_that_joins_pairs():
    scenario = norel_network(40, feedback="free")
    points = np.zeros((40, 4), np.int16)
    points[:, 0], points[:, 3] = np.arange(40) % 6, 4
    pairwise = LogNormalIncremental(LogNormal(scenario, variant="pairwise"), points).totals()
    together = plain_totals(OneGateway(scenario), points)
    np.testing.assert_allclose(pairwise, together, rtol=0.01)


def test_what_cannot_be_kept_up_to_date_is_named():
    model = closed_form(2)
    with pytest.raises(ValueError, match="variant: 'joint' cannot"):
        LogNormalIncremental(LogNormal(model.scenario), drawn(model, 0, NODES))
    with pytest.raises(ValueError, match="shadowing_db: 0 cannot"):
        LogNormalIncremental(closed_form(2, 0.0), drawn(model, 0, NODES))
    scenario = norel_network(6, 100.0, gateway_xy_m=[[x, 4000.0] for x in range(9)], feedback="free")
    scenario = replace(scenario, node_xy_m=scenario.node_xy_m - [0.0, 1800.0])
    allocation = LogNormalIncremental(LogNormal(scenario, variant="pairwise"), np.zeros((6, 4), np.int16))
    before = allocation.delivery()
    for change in (allocation.move, lambda node, point: allocation.try_points(node, point[None])):
        with pytest.raises(ValueError, match="9 gateways in reach"):
            change(0, np.array([5, 0, 0, 4], np.int16))
    np.testing.assert_array_equal(allocation.delivery(), before)
