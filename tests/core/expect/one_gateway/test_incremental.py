"""Changing one node at a time is the plain statement of the whole."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lora_marl.core import tables
from lora_marl.core.expect import OneGateway, OneGatewayIncremental
from lora_marl.core.presets import conference_network
from lora_marl.core.propagation import Propagation
from lora_marl.core.traffic import Traffic

RULES = [
    {},
    {"inter_sf": "none", "same_sf_needs_equal_bw": False},
    {"inter_sf": "db_ratio", "channel_overlap": "lorasim", "spared_preamble_symbols": 0.0},
    {"inter_sf": "sir_pairwise", "sir_db": tables.SIR_DB["goursaud"]},
    {"capture_db": np.inf},
]


def closed_form(rule, shadowing_db=7.8, after_end=True):
    network = conference_network(9, traffic=Traffic(interval_s=2.0, payload_bytes=20, after_end=after_end))
    propagation = Propagation(shadowing_db=shadowing_db)
    return OneGateway(replace(network, reception=replace(network.reception, **rule), propagation=propagation))


def plain_totals(air, points):
    expectation = air.expect(points)
    rate = expectation.packets_per_s
    delivered = rate * expectation.delivery
    return [rate.sum(), delivered.sum(), delivered @ expectation.bits, rate @ expectation.energy_mj]


def drawn(seed, count):
    sizes = conference_network(9).region.factor_sizes
    return np.random.default_rng(seed).integers(0, sizes, (count, 4)).astype(np.int16)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(RULES), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 7.8]), st.booleans())
def test_moves_and_trials_are_the_plain_statement(rule, seed, shadowing_db, after_end):
    air = closed_form(rule, shadowing_db, after_end)
    points, candidates = drawn(seed, 9), drawn(seed + 1, 4)
    allocation = OneGatewayIncremental(air, points)
    np.testing.assert_allclose(allocation.totals(), plain_totals(air, points), rtol=1e-9, atol=1e-12)
    for node in (0, 7, 0):
        tried, bounds = allocation.try_points(node, candidates), allocation.bounds(node, candidates)
        assert np.all(bounds >= tried * (1 - 1e-12))
        np.testing.assert_array_equal(allocation.points, points)
        for candidate, totals in zip(candidates, tried, strict=True):
            points[node] = candidate
            np.testing.assert_allclose(totals, plain_totals(air, points), rtol=1e-9, atol=1e-12)
        points[node] = candidates[node % 4]
        allocation.move(node, points[node])
        np.testing.assert_allclose(allocation.totals(), plain_totals(air, points), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", RULES[:3])
def test_many_moves_do_not_add_up_their_rounding(rule):
    air = closed_form(rule)
    allocation = OneGatewayIncremental(air, drawn(0, 9))
    for number, point in enumerate(drawn(1, 2000)):
        allocation.move(number % 9, point)
    np.testing.assert_allclose(allocation.totals(), plain_totals(air, allocation.points), rtol=1e-8)
