"""The references: as good as trying everything on a network where that can be done, and sound on a real one."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import agents
from agents.planners.ascent import operating_points
from agents.planners.best_assignment import approach_goal, ascend_from, closed_form_of, rank, starting_assignments
from lora_marl.core.air import Air
from lora_marl.core.expect import LogNormal, OneGateway
from lora_marl.core.expect.one_gateway import OneGatewayIncremental
from lora_marl.core.presets import journal_network, norel_network
from lora_marl.core.scenario import Change
from lora_marl.core.traffic import Traffic


@pytest.fixture(scope="module")
def tiny():
    """Four nodes that send often, with two spreading factors, two channels and two powers."""
    network = journal_network(4, 1500, traffic=Traffic(interval_s=1.0, payload_bytes=50))
    region = replace(
        network.region, spreading_factors=(7, 9), channels_hz=network.region.channels_hz[:2], tp_dbm=(8.0, 14.0)
    )
    return replace(network, region=region)


@pytest.mark.parametrize("least_pdr", [1.0, 0.3, 0.0])
def test_the_best_end_is_the_best_of_all_assignments(tiny, least_pdr):
    closed_form = OneGateway(tiny)
    choices = list(product((0, 1), (0,), (0, 1), (0, 1)))
    everything = (np.array(points, np.int16) for points in product(choices, repeat=4))
    best = max(rank(OneGatewayIncremental(closed_form, points).totals()[None], least_pdr)[0] for points in everything)
    ends = [
        ascend_from(closed_form, start, least_pdr, 50, operating_points(tiny)) for start in starting_assignments(tiny)
    ]
    end_rank = max(rank(OneGatewayIncremental(closed_form, end).totals()[None], least_pdr)[0] for end in ends)
    assert end_rank[0] == best[0] == (least_pdr < 1)
    assert end_rank[1] == pytest.approx(best[1], rel=1e-9)


def test_no_sweep_makes_it_worse(tiny):
    closed_form = OneGateway(tiny)
    for start in starting_assignments(tiny):
        values = []
        for sweeps in range(1, 5):
            end = ascend_from(closed_form, start, 0.9, sweeps, operating_points(closed_form.scenario))
            values.append(rank(OneGatewayIncremental(closed_form, end).totals()[None], 0.9)[0])
        assert (
            values == sorted(values)
            and values[0] >= rank(OneGatewayIncremental(closed_form, start).totals()[None], 0.9)[0]
        )


def test_ranks_put_the_least_pdr_first_and_then_ee():
    totals = np.array([[10.0, 9, 900, 10], [10, 9.5, 900, 20], [10, 8, 900, 1], [10, 8.5, 900, 1]])
    ranks = rank(totals, 0.9)
    assert sorted(range(4), key=ranks.__getitem__) == [2, 3, 1, 0]


@pytest.fixture(scope="module")
def network():
    return journal_network(40)


@pytest.mark.parametrize("name", ["reference-pdr", "reference-ee"])
def test_on_the_air_it_keeps_what_the_closed_form_promised(network, name):
    learner = agents.make(name, network, [7, 8])
    points = learner.initial_points()
    np.testing.assert_array_equal(points[0], points[1])
    outcome = Air(network, [7, 8]).advance(points, 100 * 3600.0)
    pdr = outcome.delivered.sum() / outcome.sent.sum()
    assert pdr == pytest.approx(learner.expected[0].pdr, abs=0.006)
    ee = outcome.delivered_bits.sum() / outcome.energy_mj.sum()
    assert ee == pytest.approx(learner.expected[0].ee_bits_per_mj, rel=0.02)


def test_each_reference_beats_the_rules_at_its_own_goal(network):
    closed_form = OneGateway(network)
    pdr, ee = (agents.make(name, network, [0]).expected[0] for name in ("reference-pdr", "reference-ee"))
    rules = [
        closed_form.expect(agents.make(name, network, [0]).initial_points()[0])
        for name in ("static-sf7", "distance-quantile")
    ]
    assert all(pdr.pdr > rule.pdr for rule in (*rules, ee))
    assert 0.9 <= ee.pdr < pdr.pdr
    assert all(ee.ee_bits_per_mj > rule.ee_bits_per_mj for rule in (*rules, pdr) if rule.pdr >= 0.9)


def test_a_price_on_pdr_leads_on_where_single_moves_under_a_constraint_stop(network):
    closed_form = OneGateway(network)
    _, start, _ = starting_assignments(network)
    points = operating_points(closed_form.scenario)
    stuck = closed_form.expect(ascend_from(closed_form, start, 0.9, 50, points))
    led = closed_form.expect(ascend_from(closed_form, approach_goal(closed_form, start, 0.9, points), 0.9, 50, points))
    assert min(stuck.pdr, led.pdr) >= 0.9
    assert led.ee_bits_per_mj > 1.5 * stuck.ee_bits_per_mj


def test_it_is_made_for_what_the_last_change_leaves(tiny):
    channel_loss_db = [np.array([0.0, 40.0]), np.array([40.0, 0.0])]
    changes = tuple(Change(at_s=at_s, values={"channel_loss_db": loss}) for at_s, loss in enumerate(channel_loss_db, 1))
    points = agents.make("reference-pdr", replace(tiny, changes=changes), [0]).initial_points()
    assert (points[..., 2] == 1).all()


def test_bad_parameters_and_networks_are_named(network):
    with pytest.raises(ValueError, match=r"least_pdr = 1.5: must lie in 0 to 1"):
        agents.make("reference-ee", network, [0], least_pdr=1.5)
    with pytest.raises(ValueError, match="sweeps = 0"):
        agents.make("reference-pdr", network, [0], sweeps=0)
    with pytest.raises(ValueError, match="for 2 gateways there is none: reception.inter_sf: 'sinr'"):
        agents.make("reference-pdr", replace(network, gateway_xy_m=np.zeros((2, 2))), [0])


def test_for_several_gateways_the_best_end_is_the_best_of_all_assignments():
    network = norel_network(3, 4000.0, gateway_xy_m=[[0, 0], [3000, 0]], packets_per_s=0.05, feedback="free")
    network = replace(network, region=replace(network.region, spreading_factors=(7, 9, 12), tp_dbm=(2.0, 14.0)))
    closed_form, candidates = closed_form_of(network), operating_points(network)
    everything = [closed_form.expect(np.array(points)).pdr for points in product(candidates, repeat=3)]
    ends = [
        closed_form.expect(ascend_from(closed_form, start, 1.0, 50, candidates)).pdr
        for start in starting_assignments(network)
    ]
    pdr = agents.make("reference-pdr", network, [0]).expected[0].pdr
    assert pdr == pytest.approx(max(everything), rel=1e-9)
    assert max(ends) == pytest.approx(max(everything), rel=1e-9)
    assert pdr > np.median(everything) + 0.01


def test_for_several_gateways_it_beats_the_rules_under_the_exact_model():
    network = norel_network(30, 4000.0, gateway_xy_m=[[0, 0], [3000, 0]], packets_per_s=0.02, feedback="free")
    exact = LogNormal(network, variant="joint")
    names = ("reference-pdr", "load-sorted", "min-sf")
    reference, balanced, least = (exact.expect(agents.make(name, network, [0]).initial_points()[0]) for name in names)
    assert reference.pdr > balanced.pdr > least.pdr


def test_points_that_are_not_tried_would_not_have_been_taken(network):
    closed_form, points = OneGateway(network), operating_points(network)
    _, start, _ = starting_assignments(network)
    allocation = OneGatewayIncremental(closed_form, start)
    left_out = 0
    for node in range(network.nodes):
        now, tried = rank(allocation.totals()[None], 1.0)[0], rank(allocation.try_points(node, points), 1.0)
        hopeful = [bound > now for bound in rank(allocation.bounds(node, points), 1.0)]
        assert all(value <= now for value, is_hopeful in zip(tried, hopeful, strict=True) if not is_hopeful)
        left_out += hopeful.count(False)
        allocation.move(node, points[max(range(len(tried)), key=tried.__getitem__)])
    assert left_out > network.nodes


def test_every_placement_has_an_assignment_of_its_own():
    one, other = (norel_network(12, 4000.0, packets_per_s=0.01, feedback="free", seed=seed) for seed in (0, 1))
    both = replace(one, node_xy_m=np.stack([one.node_xy_m, other.node_xy_m]))
    together = agents.make("reference-pdr", both, [0, 1])
    alone = [agents.make("reference-pdr", network, [0]) for network in (one, other)]
    for b in range(2):
        assert np.array_equal(together.initial_points()[b], alone[b].initial_points()[0])
        assert together.expected[b].pdr == alone[b].expected[0].pdr
    assert together.expected[0].pdr != together.expected[1].pdr


def test_the_highest_power_alone_cannot_do_better_than_all():
    network = norel_network(12, 4000.0, packets_per_s=0.01, feedback="free")
    loud, free = (agents.make("reference-pdr", network, [0], powers=powers) for powers in ("highest", "all"))
    assert np.all(loud.initial_points()[..., 3] == 4) and not np.all(free.initial_points()[..., 3] == 4)
    assert loud.expected[0].pdr <= free.expected[0].pdr + 1e-9
    with pytest.raises(ValueError, match="powers: 'low' is not one of all, highest"):
        agents.make("reference-pdr", network, [0], powers="low")
