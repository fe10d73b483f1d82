"""The fields of interference: as exact as the closed form, and consistent when nodes move."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from agents.twin import fields, gains, tables
from agents.twin.fields import (
    DELIVERED,
    ENERGY,
    LINEAR,
    LOGARITHM,
    PACKETS,
    WORST,
    Objective,
    build_fields,
    deliveries,
    sweep,
)
from agents.twin.goals import slope_of
from lora_marl.core.expect import LogNormal, OneGateway
from lora_marl.core.presets import journal_network, norel_network
from lora_marl.core.reception import Reception
from lora_marl.core.traffic import Traffic

NODES = 40
LEVELS = 64
"""Powers per packet in the closed form; its 16 err by more than what is tested here."""


def closed_form(scenario):
    form = OneGateway(scenario)
    form.tables = form.tables._replace(levels=(np.arange(LEVELS) + 0.5) / LEVELS)
    return form


def drawn_points(scenario, seed=0):
    sizes = scenario.region.factor_sizes
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, sizes[factor], scenario.nodes) for factor in (0, 2, 3)], axis=1)


def as_points(points):
    whole = np.zeros((len(points), 4), np.int16)
    whole[:, [0, 2, 3]] = points
    return whole


NETWORKS = {
    "sir_pairwise": norel_network(NODES, packets_per_s=0.01),
    "sinr": journal_network(NODES),
    "none": replace(journal_network(NODES), reception=Reception(inter_sf="none", capture_db=np.inf)),
    "db_ratio": replace(journal_network(NODES), reception=Reception(inter_sf="db_ratio", same_sf_needs_equal_bw=False)),
    "no duty cycle": replace(
        norel_network(NODES), traffic=Traffic(interval_s=100.0, payload_bytes=20, duty_cycle=None)
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_delivery_is_that_of_the_closed_form(known, name):
    scenario = NETWORKS[name]
    t, nodes = known(scenario)
    points = drawn_points(scenario)
    state = build_fields(t, nodes, points, np.ones(NODES), len(nodes.outside))
    delivery, totals = deliveries(t, nodes, points, state)
    expected = closed_form(scenario).expect(as_points(points))
    assert totals[DELIVERED] / totals[PACKETS] == pytest.approx(expected.pdr, abs=2e-4)
    np.testing.assert_allclose(delivery, expected.delivery, atol=6e-3)  # gains are rounded, and fields have steps
    assert totals[ENERGY] == pytest.approx(expected.power_mw.sum(), rel=1e-12)


@pytest.fixture(scope="module")
def two_gateways():
    """40 nodes that two gateways hear, 1.5 km apart."""
    return norel_network(NODES, packets_per_s=0.003, gateway_xy_m=((0.0, 0.0), (1500.0, 0.0)))


def test_a_pair_of_gateways_is_judged_together(known, two_gateways):
    """Against the exact form of two gateways; taking the two for independent promises too much."""
    t, nodes = known(two_gateways)
    points = drawn_points(two_gateways)
    points[:, 0] = 3 + np.arange(NODES) % 2  # all reach both gateways
    state = build_fields(t, nodes, points, np.ones(NODES), 1)
    delivery, totals = deliveries(t, nodes, points, state)
    expected = LogNormal(two_gateways).expect(as_points(points))
    assert totals[DELIVERED] / totals[PACKETS] == pytest.approx(expected.pdr, abs=1.5e-3)
    np.testing.assert_allclose(delivery, expected.delivery, atol=0.02)
    apart = deliveries(t, nodes, points, state._replace(both=np.ones_like(state.both)))[1]
    assert apart[DELIVERED] / apart[PACKETS] - expected.pdr > 4e-3


def test_the_value_of_a_pair_is_what_it_delivers(known, two_gateways):
    """Value per second summed over the fields is packets delivered per second, which the pair's cells estimate."""
    t, nodes = known(two_gateways)
    points = drawn_points(two_gateways)
    state = build_fields(t, nodes, points, np.ones(NODES), 1)
    _, totals = deliveries(t, nodes, points, state)
    pair_value = np.zeros_like(state.both[0])
    rows, columns = np.zeros(pair_value.shape[:3]), np.zeros(pair_value.shape[:3])
    fields._value_of_pairs(t, state.left[0], state.both[0], state.both_value[0], pair_value, rows, columns)
    worth = (state.left * state.value).sum() - pair_value.sum()
    assert worth == pytest.approx(totals[DELIVERED], rel=5e-3)
    np.testing.assert_allclose(rows.sum(), columns.sum())


def test_fields_of_two_gateways_follow_the_moves_of_a_sweep(known, two_gateways):
    t, nodes = known(two_gateways)
    points = drawn_points(two_gateways)
    moved = build_fields(t, nodes, points, np.ones(NODES), 1)
    before = deliveries(t, nodes, points, moved)[1]
    objective = objective_of(two_gateways, theta=float(before[DELIVERED] / before[PACKETS]))
    sweep(t, nodes, moved, objective, points, points.copy(), np.arange(NODES))
    anew = build_fields(t, nodes, points, np.ones(NODES), 1)
    np.testing.assert_allclose(moved.left, anew.left, rtol=1e-9)
    np.testing.assert_allclose(moved.both, anew.both, rtol=1e-9)
    after = deliveries(t, nodes, points, anew)[1]
    assert after[DELIVERED] / after[PACKETS] > before[DELIVERED] / before[PACKETS] + 0.02


def test_payloads_are_classes_with_airtimes_of_their_own(known):
    payload = np.where(np.arange(NODES) % 3 == 0, 50, 20)
    scenario = replace(NETWORKS["sinr"], traffic=Traffic(interval_s=20.0, payload_bytes=payload, duty_cycle=None))
    t, nodes = known(scenario)
    points = drawn_points(scenario)
    _, totals = deliveries(t, nodes, points, build_fields(t, nodes, points, np.ones(NODES), 8))
    assert len(t.airtime_s) == 12 and nodes.payload.tolist() == (payload == 50).astype(int).tolist()
    assert totals[DELIVERED] / totals[PACKETS] == pytest.approx(
        closed_form(scenario).expect(as_points(points)).pdr, abs=2e-4
    )


def test_many_payloads_become_four_classes_of_larger_ones():
    payload = np.arange(10.0, 60.0)
    sizes, classes = tables.payload_classes(payload)
    assert len(sizes) == tables.PAYLOAD_CLASSES and (sizes[classes] >= payload).all() and sizes[-1] == 59


def objective_of(scenario, **values):
    sizes = scenario.region.factor_sizes
    everything = Objective(
        weight=np.ones(scenario.nodes), shape=LINEAR, scale=1.0, theta=0.0, price=0.0, move=np.zeros(scenario.nodes),
        allowed=np.ones((sizes[0], sizes[3]), np.bool_), movable=np.ones(scenario.nodes, np.bool_),
    )  # fmt: skip
    return everything._replace(**values)


def test_fields_follow_the_moves_of_a_sweep(known, norel):
    t, nodes = known(norel)
    points = drawn_points(norel)
    moved = build_fields(t, nodes, points, np.ones(60), 1)
    assert sweep(t, nodes, moved, objective_of(norel), points, points.copy(), np.arange(60)) > 30
    anew = build_fields(t, nodes, points, np.ones(60), 1)
    np.testing.assert_allclose(moved.left, anew.left, rtol=1e-9)
    np.testing.assert_allclose(moved.value, anew.value, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("values", [{}, {"price": 2e-3}, {"shape": LOGARITHM}, {"weight": np.array([1.0, 3.0, 1.0])}])
def test_a_sweep_gives_each_node_the_best_of_all_points(known, values):
    """The value of all nodes together, by brute force over the points of the node that moves."""
    network = norel_network(3, packets_per_s=0.2)
    region = replace(network.region, spreading_factors=(7, 8), channels_hz=(868.1e6, 868.5e6), tp_dbm=(2.0, 14.0))
    network = replace(network, region=region)
    t, nodes = known(network)
    objective = objective_of(network, **values)

    def value(points):
        state = build_fields(t, nodes, points, np.ones(3), 2)
        delivery, totals = deliveries(t, nodes, points, state)
        if objective.shape == LOGARITHM:
            return np.log(delivery).sum()
        kind = points[:, 0]
        rate = 1.0 / (nodes.interval_s + t.airtimes * t.airtime_s[kind])
        return (rate * objective.weight * delivery).sum() - objective.price * totals[ENERGY]

    for seed, node in product(range(4), range(3)):
        points = drawn_points(network, seed)
        rest = np.array(list(product(range(2), range(2), range(2))))
        tried = [np.where(np.arange(3)[:, None] == node, point, points) for point in rest]
        weight = objective.weight
        if objective.shape == LOGARITHM:  # harm is worth its slope where it begins, so the node is not there yet
            absent = nodes._replace(interval_s=np.where(np.arange(3) == node, np.inf, nodes.interval_s))
            delivery, _ = deliveries(t, absent, points, build_fields(t, absent, points, np.ones(3), 2))
            weight = (nodes.interval_s + t.airtimes * t.airtime_s[points[:, 0]]) / np.where(delivery > 0, delivery, 1)
        moved = points.copy()
        state = build_fields(t, nodes, points, weight, 2)
        sweep(t, nodes, state, objective._replace(weight=weight), moved, points, np.array([node]))
        assert value(moved) >= max(map(value, tried)) - 2e-5


def test_a_command_must_be_worth_its_cost(known, norel):
    t, nodes = known(norel)
    points, moves = drawn_points(norel), []
    for cost in (0.0, 1e-3, 1.0):
        trial = points.copy()
        state = build_fields(t, nodes, trial, np.ones(60), 1)
        moves.append(sweep(t, nodes, state, objective_of(norel, move=np.full(60, cost)), trial, points, np.arange(60)))
    assert moves[0] > moves[1] > moves[2] == 0


def test_nodes_that_cannot_be_commanded_stay(known, norel):
    t, nodes = known(norel)
    points, movable = drawn_points(norel), np.arange(60) < 20
    trial = points.copy()
    state = build_fields(t, nodes, trial, np.ones(60), 1)
    sweep(t, nodes, state, objective_of(norel, movable=movable), trial, points, np.arange(60))
    changed = (trial != points).any(axis=1)
    assert changed[:20].sum() > 10 and not changed[20:].any()


@pytest.mark.parametrize("shape", [LOGARITHM, WORST])
def test_slopes_are_those_of_what_delivery_is_worth(shape):
    delivery, step = np.array([0.2, 0.7, 0.99]), 1e-6
    worth = np.array([[fields._worth(d + e, shape, 0.8) for d in delivery] for e in (-step, step)])
    np.testing.assert_allclose((worth[1] - worth[0]) / (2 * step), slope_of(shape, delivery, 0.8), rtol=1e-4, atol=1e-8)


def test_compiled_modules_repeat_the_constant_of_the_grid():
    assert fields.FINE == gains.FINE == tables.FINE
