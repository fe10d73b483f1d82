"""Plans serve their goals."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from agents.twin.fields import BITS, DELIVERED, ENERGY, PACKETS
from agents.twin.goals import Planner
from lora_marl.core.expect import OneGateway
from lora_marl.core.presets import norel_network
from lora_marl.core.traffic import Traffic

REFERENCE_PDR = 0.97829
"""`agents.make("reference-pdr", norel, [0]).expected[0].pdr`, which takes too long to plan anew in every test run."""


def planner_of(known, scenario, start=None, move=0.0):
    t, nodes = known(scenario)
    sizes = scenario.region.factor_sizes
    count = scenario.nodes
    if start is None:
        start = np.tile([sizes[0] - 1, 0, sizes[3] - 1], (count, 1))
    return Planner(t, nodes, sizes[2], start, np.full(count, move), np.ones(count, np.bool_), np.random.default_rng(0))


@pytest.fixture(scope="module")
def plans(known, norel):
    planner = planner_of(known, norel)
    return planner, {goal: planner.plan(goal, 0.9, 0.0) for goal in ("pdr", "energy", "ee", "log", "worst")}


def test_the_plan_of_most_delivery_is_as_good_as_the_reference(plans, norel):
    planner, by_goal = plans
    closed_form = OneGateway(norel)
    points = np.zeros((60, 4), np.int16)
    points[:, [0, 2, 3]] = by_goal["pdr"].points
    assert closed_form.expect(points).pdr > REFERENCE_PDR - 0.001
    assert by_goal["pdr"].pdr == pytest.approx(closed_form.expect(points).pdr, abs=1e-3)


def test_energy_goals_keep_the_delivery_and_spend_less(plans):
    planner, by_goal = plans
    spent = {}
    for goal in ("pdr", "energy", "ee"):
        assert by_goal[goal].pdr >= 0.9
        _, totals = planner.totals(by_goal[goal].points)
        spent[goal] = totals[ENERGY] / totals[DELIVERED]
    assert spent["energy"] < 0.7 * spent["pdr"]
    assert spent["ee"] == pytest.approx(spent["energy"], rel=0.05)  # of equal payloads they are the same


def test_fair_goals_help_the_worst_node(plans):
    _, by_goal = plans
    worst = {goal: plan.delivery.min() for goal, plan in by_goal.items()}
    assert worst["worst"] > worst["log"] > worst["pdr"] - 1e-9
    assert np.log(by_goal["log"].delivery).sum() >= np.log(by_goal["pdr"].delivery).sum()


def test_the_goal_ee_prefers_long_payloads(known, norel):
    payload = np.where(np.arange(60) % 2, 50, 10)
    scenario = replace(norel, traffic=Traffic(interval_s=100.0, payload_bytes=payload, duty_cycle=0.01))
    planner = planner_of(known, scenario)
    bits = {}
    for goal in ("energy", "ee"):
        _, totals = planner.totals(planner.plan(goal, 0.8, 0.0).points)
        bits[goal] = totals[BITS] / totals[ENERGY]
    assert bits["ee"] >= bits["energy"] * 0.999


def test_a_goal_that_cannot_be_met_becomes_that_of_most_delivery(known, norel):
    planner = planner_of(known, norel)
    plan = planner.plan("energy", 1.0, 0.0)
    assert plan.price == 0.0 and plan.pdr == pytest.approx(planner.plan("pdr", 0.0, 0.0).pdr, abs=3e-3)


def test_the_best_plan_of_a_tiny_network_is_the_best_of_all(known):
    network = norel_network(4, packets_per_s=0.2)
    region = replace(network.region, spreading_factors=(7, 9), channels_hz=(868.1e6, 868.5e6), tp_dbm=(2.0, 14.0))
    planner = planner_of(known, replace(network, region=region))
    choices = np.array(list(product(range(2), range(2), range(2))))
    best = 0.0
    for places in product(range(8), repeat=4):
        _, totals = planner.totals(choices[list(places)])
        best = max(best, totals[DELIVERED] / totals[PACKETS])
    assert planner.plan("pdr", 0.0, 0.0).pdr == pytest.approx(best, abs=5e-3)


def test_a_plan_in_force_is_kept_where_commands_cost(known, norel):
    plan = planner_of(known, norel).plan("pdr", 0.0, 0.0)
    again = planner_of(known, norel, plan.points, move=1e-3).plan("pdr", 0.0, 0.0)
    assert (again.points != plan.points).any(axis=1).sum() <= 2
