"""MinSF and the rules that balance load, by hand, by laws, and by the numbers published or measured of them."""

import numpy as np
import pytest

import agents
from agents.link_margin import least_sf
from agents.rules.load_balance import balance_airtime
from lora_marl.core.expect import LogNormal
from lora_marl.core.presets import journal_network, norel_network

RULES = ("min-sf", "tolio", "load-br", "load-sorted")


def delivery(name, nodes, seeds, variant="compat"):
    percents = []
    for seed in seeds:
        scenario = norel_network(nodes, feedback="free", seed=seed)
        points = agents.make(name, scenario, [seed]).initial_points()[0]
        percents.append(100 * LogNormal(scenario, variant=variant).delivery(points).mean())
    return np.mean(percents)


# Bands: the spread over placements of an independent simulation of the same rules, 10 placements and more.
@pytest.mark.parametrize(
    ("name", "expected", "within"),
    [("min-sf", 94.26, 0.4), ("tolio", 94.98, 0.4), ("load-br", 96.43, 0.5), ("load-sorted", 98.05, 0.4)],
)
def test_two_hundred_nodes_deliver_what_is_known_of_the_rule(name, expected, within):
    assert delivery(name, 200, range(10)) == pytest.approx(expected, abs=within)


def test_minsf_is_the_least_feasible_spreading_factor_at_full_power():
    scenario = norel_network(50, 4000.0)
    points = agents.make("min-sf", scenario, [0, 1]).initial_points()
    assert np.array_equal(points[..., 0], least_sf(scenario, 2)) and np.all(points[..., 3] == 4)


def test_balancing_by_hand():
    # Loads 4, 0 and airtimes 1, 2, 4: the first node moves up (4 > 0), the second too (3 > 2), the third not (2 < 4).
    after = balance_airtime(np.zeros(4, int), np.array([1.0, 2.0, 4.0]), np.zeros(4, int), np.array([2, 0, 1, 3]))
    # In the same sweep node 2 stays at 1: there its airtime, 2, met an empty third factor; in the next one it moves on.
    assert after.tolist() == [1, 0, 2, 0]


@pytest.mark.parametrize("name", ["load-br", "load-sorted"])
def test_nobody_wants_to_move_in_the_end(name):
    scenario = norel_network(150, feedback="free")
    points = agents.make(name, scenario, [3]).initial_points()[0]
    airtime_s = scenario.airtime_s()[:, 0]
    load_s = np.bincount(points[:, 0], minlength=6) * airtime_s
    occupied = np.unique(points[:, 0])
    assert all(s == 5 or load_s[s + 1] >= load_s[s] for s in occupied)
    assert np.all(points[:, 0] >= least_sf(scenario, 1)[0])


def test_farthest_nodes_move_first():
    scenario = norel_network(100, 500.0, feedback="free")
    points = agents.make("load-sorted", scenario, [0]).initial_points()[0]
    apart_m = np.hypot(*scenario.node_xy_m.T)
    assert apart_m[points[:, 0] > 0].min() > apart_m[points[:, 0] == 0].max()


def test_tolio_uses_two_spreading_factors_half_each():
    points = agents.make("tolio", norel_network(200), [0]).initial_points()[0]
    assert np.bincount(points[:, 0], minlength=6).tolist() == [100, 100, 0, 0, 0, 0]


@pytest.mark.parametrize("name", RULES)
def test_channels_are_dealt_out_and_balanced_one_by_one(name):
    scenario = journal_network(80)
    points = agents.make(name, scenario, [0]).initial_points()[0]
    assert np.array_equal(points[:, 2], np.arange(80) % 8)


def test_placements_are_balanced_one_by_one():
    one, other = (norel_network(40, seed=seed) for seed in (0, 1))
    both = one.with_values({"node_xy_m": np.stack([one.node_xy_m, other.node_xy_m])})
    for name in RULES:
        together = agents.make(name, both, [5, 6]).initial_points()
        alone = [agents.make(name, network, [seed]).initial_points()[0] for network, seed in ((one, 5), (other, 6))]
        assert np.array_equal(together, np.stack(alone)), name
