"""EXPLoRa by hand, by laws, and against a plain statement of water-filling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agents
from agents.link_margin import least_sf, strength_rank
from agents.rules.explora import fill_in_order
from lora_marl.core.presets import journal_network, norel_network

NAMES = ("explora-sf", "explora-at")
RATIOS = np.array([1.0, 1.83, 3.33, 6.67, 13.34, 24.04])  # airtimes in the published simulation


def test_water_filling_by_hand():
    # Loads 6, 2, 8: the first two share 8 over 1 + 1/2: 16/3 each. 16/3 < 8: the third keeps its own.
    filled = fill_in_order(np.array([6, 1, 2]), np.array([1.0, 2.0, 4.0]))
    assert filled.tolist() == pytest.approx([14 / 3, 7 / 3, 2.0])
    # All nodes reach with SF7: every load becomes the same.
    filled = fill_in_order(np.array([100, 0, 0, 0, 0, 0]), RATIOS)
    assert filled * RATIOS == pytest.approx(100 / (1 / RATIOS).sum())
    # Who needs SF12 stays there.
    assert fill_in_order(np.array([0, 0, 0, 0, 0, 9]), RATIOS).tolist() == pytest.approx([0, 0, 0, 0, 0, 9])


@given(st.lists(st.integers(0, 500), min_size=6, max_size=6))
def test_water_filling_moves_nodes_up_only_and_leaves_no_load_above_the_next(nodes_at):
    before = np.array(nodes_at)
    after = fill_in_order(before, RATIOS)
    assert after.sum() == pytest.approx(before.sum())
    assert np.all(np.cumsum(after) <= np.cumsum(before) + 1e-9)
    assert np.all(np.diff(after * RATIOS) >= -1e-9)


def test_equal_shares_go_to_the_strongest_first():
    scenario = norel_network(120, 500.0, feedback="free")
    points = agents.make("explora-sf", scenario, [0]).initial_points()[0]
    assert np.bincount(points[:, 0], minlength=6).tolist() == [20] * 6
    apart_m = np.hypot(*scenario.node_xy_m.T)
    assert all(apart_m[points[:, 0] == s].max() <= apart_m[points[:, 0] == s + 1].min() for s in range(5))


def test_equal_airtime_goes_to_the_strongest_first():
    scenario = norel_network(1000, 500.0, feedback="free")
    points = agents.make("explora-at", scenario, [0]).initial_points()[0]
    load_s = np.bincount(points[:, 0], minlength=6) * scenario.airtime_s()[:, 0]
    assert load_s.max() / load_s.min() < 1.1  # whole nodes: the last group has 17


@pytest.mark.parametrize("name", NAMES)
def test_nobody_goes_below_minsf_and_channels_are_dealt_in_order_of_power(name):
    scenario = journal_network(80)
    points = agents.make(name, scenario, [0]).initial_points()[0]
    assert np.all(points[:, 0] >= least_sf(scenario, 1)[0])
    assert np.array_equal(points[:, 2], strength_rank(scenario, 1)[0] % 8)
    assert np.all(points[:, 3] == len(scenario.region.tp_dbm) - 1)


@pytest.mark.parametrize("name", NAMES)
def test_placements_are_shared_out_one_by_one(name):
    one, other = (norel_network(40, 4000.0, seed=seed) for seed in (0, 1))
    both = one.with_values({"node_xy_m": np.stack([one.node_xy_m, other.node_xy_m])})
    together = agents.make(name, both, [5, 6]).initial_points()
    for b, alone in enumerate((one, other)):
        assert np.array_equal(together[b], agents.make(name, alone, [5]).initial_points()[0])
