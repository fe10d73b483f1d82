"""Nodes without interference: the best choice of each, and the bound over all allocations."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.planners import plan
from agents.planners.ascent import operating_points
from agents.planners.bounds import undisturbed_delivery, upper_bound
from lora_marl.core.expect.rayleigh import Rayleigh
from lora_marl.core.presets import mmalora_network
from tests.core.expect.rayleigh.networks import GOLDEN, golden

LOSSY = replace(mmalora_network(5, 2, channels=2, packets_per_s=0.01), channel_loss_db=np.array([0.0, 3.0]))


def lone(scenario, node):
    """The closed form with only one node on."""
    return Rayleigh(replace(scenario, active=np.arange(scenario.nodes) == node))


@pytest.mark.parametrize("channel", [0, 1])
def test_alone_is_what_the_closed_form_gives_a_node_when_all_others_are_off(channel):
    closed_form = Rayleigh(LOSSY)
    alone = closed_form.undisturbed_delivery(np.full(5, channel))
    for node in range(5):
        for sf, tp in ((0, 0), (3, 2), (5, 6)):
            points = np.tile(np.array([sf, 0, channel, tp], np.int16), (5, 1))
            assert alone[node, sf, tp] == pytest.approx(lone(LOSSY, node).delivery(points)[node], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("least", [0.5, 0.7])
def test_independent_is_each_nodes_own_best_by_trying_all(least):
    scenario = mmalora_network(12, 2)
    closed_form = Rayleigh(scenario)
    points = plan("energy-independent", closed_form, 0, least_delivery=least)
    for node in range(12):
        form, tried, best = lone(scenario, node), points.copy(), (-1.0, None)
        for candidate in operating_points(scenario)[operating_points(scenario)[:, 2] == points[node, 2]]:
            tried[node] = candidate
            if 0.985 * form.delivery(tried)[node] >= least and form.ee_bits_per_mj(tried)[node] > best[0]:
                best = form.ee_bits_per_mj(tried)[node], candidate
        np.testing.assert_array_equal(points[node], best[1])


def test_a_node_that_cannot_reach_it_sends_as_far_as_it_can():
    closed_form = Rayleigh(mmalora_network(1, 1, node_xy_m=[[0.0, 30_000.0]], gateway_xy_m=[[0.0, 0.0]]))
    assert plan("energy-independent", closed_form, 0)[0, [0, 3]].tolist() == [5, 6]
    assert upper_bound(closed_form, 0.7) == upper_bound(closed_form, 0.0)


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(), least=st.sampled_from([0.0, 0.2, 0.5, 0.7]), variant=st.sampled_from(["expect", "meang", "joint"])
)
def test_no_allocation_that_serves_all_exceeds_the_bound(data, least, variant):
    closed_form = Rayleigh(LOSSY, variant=variant)
    alone = undisturbed_delivery(closed_form)
    sf, tp = np.divmod(
        [
            data.draw(st.sampled_from(np.flatnonzero(probabilities >= least).tolist()))
            for probabilities in alone.reshape(5, -1)
        ],
        7,
    )
    channel = data.draw(st.lists(st.integers(0, 1), min_size=5, max_size=5))
    points = np.stack([sf, np.zeros(5), channel, tp], axis=1).astype(np.int16)
    served = closed_form.delivery(points) >= least
    ee, bound = closed_form.ee_bits_per_mj(points), upper_bound(closed_form, least)
    assert ee[served].sum() <= bound * (1 + 1e-12)
    assert not served.all() or ee.sum() <= bound * (1 + 1e-12)


def test_the_bound_is_reached_without_interference_and_falls_with_what_is_asked():
    closed_form = Rayleigh(mmalora_network(4, 2, channels=4))
    points = plan("energy-ascent", closed_form, 0)
    assert closed_form.ee_bits_per_mj(points).sum() == pytest.approx(upper_bound(closed_form, 0.7), rel=1e-9)
    bounds = [upper_bound(closed_form, least) for least in (0.0, 0.5, 0.6, 0.7)]
    assert bounds == sorted(bounds, reverse=True) and bounds[0] > bounds[-1]


@pytest.mark.parametrize("case", GOLDEN["allocation_cases"], ids=lambda case: case["name"])
def test_golden_bounds(case):
    assert upper_bound(Rayleigh(golden(case)[0]), case["D_th"]) == pytest.approx(
        case["upper_bound_no_interference"], rel=1e-9
    )
