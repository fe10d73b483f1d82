"""Action sets by link margin."""

import numpy as np
import pytest

from agents.link_margin import feasible, least_sf
from lora_marl.core.presets import norel_network


def by_hand(scenario, margin_db):
    distance_m = np.hypot(*scenario.node_xy_m.T)
    loss_db = 128.95 + 23.2 * np.log10(np.maximum(distance_m, 0.1) / 1000)
    sensitivity_dbm = np.array([-124, -127, -130, -133, -135, -137.0])
    above = np.array([2, 5, 8, 11, 14.0]) - loss_db[:, None, None] - margin_db - sensitivity_dbm[:, None]
    return above >= 0


@pytest.mark.parametrize("radius_m", [2000.0, 4000.0])
def test_the_published_networks_have_the_published_sets(radius_m):
    scenario = norel_network(400, radius_m)
    sets = feasible(scenario, 1)[0]
    expected = by_hand(scenario, 3.54)
    expected[~expected.any(axis=(1, 2)), -1, -1] = True
    assert np.array_equal(sets, expected)
    sizes = sets.sum(axis=(1, 2))
    assert sizes.max() == 30 and sizes.min() == (14 if radius_m == 2000 else 4)


def test_a_node_out_of_reach_has_the_slowest_and_loudest_action():
    scenario = norel_network(5, 100_000.0, seed=3)
    sets = feasible(scenario, 2)
    assert sets.sum() == 10 and sets[..., -1, -1].all()
    assert np.all(least_sf(scenario, 2) == 5)


def test_a_larger_margin_leaves_fewer_actions():
    scenario = norel_network(50)
    sets = [feasible(scenario, 1, margin_db) for margin_db in (0.0, 3.0, 10.0)]
    assert sets[0].sum() > sets[1].sum() > sets[2].sum()
    assert np.all(least_sf(scenario, 1, 0.0) <= least_sf(scenario, 1, 10.0))


def test_the_nearest_gateway_counts():
    far = norel_network(2, 50.0, gateway_xy_m=((0.0, 0.0), (9000.0, 0.0)))
    assert np.all(least_sf(far, 1) == 0)


def test_a_margin_must_be_finite():
    with pytest.raises(ValueError, match="margin_db: nan is not within -300 to 300 dB"):
        feasible(norel_network(2), 1, np.nan)


def test_every_node_may_have_a_margin_of_its_own():
    scenario = norel_network(6, 4000.0)
    margins_db = np.array([0.0, 3.0, 10.0, 0.0, 3.0, 10.0])
    together = feasible(scenario, 1, margins_db)
    for node, margin_db in enumerate(margins_db):
        assert np.array_equal(together[:, node], feasible(scenario, 1, margin_db)[:, node])
    with pytest.raises(
        ValueError, match=r"margin_db: shape \(2,\); allowed is one for all, or one for each of 6 nodes"
    ):
        feasible(scenario, 1, [10.0, 25.0])
