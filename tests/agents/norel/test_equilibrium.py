"""Deviations and epsilon against pure strategies, sampled play, and games whose equilibrium is known."""

from dataclasses import replace

import numpy as np
import pytest

from agents.norel.equilibrium import deviations, epsilons
from lora_marl.core.expect import LogNormal
from lora_marl.core.presets import norel_network


def points_of(actions):
    points = np.zeros((len(actions), 4), np.int16)
    points[:, 0], points[:, 3] = np.divmod(actions, 5)
    return points


def test_pure_strategies_are_allocations():
    scenario = norel_network(30, packets_per_s=0.005, feedback="free")
    rng = np.random.default_rng(0)
    actions = rng.integers(0, 30, 30)
    utility = deviations(scenario, np.eye(30)[actions])
    model = LogNormal(scenario)
    np.testing.assert_allclose(utility[np.arange(30), actions], model.delivery(points_of(actions)), atol=1e-6)
    for node in (0, 7):
        for k in (2, 14, 29):
            other = actions.copy()
            other[node] = k
            assert utility[node, k] == pytest.approx(model.delivery(points_of(other))[node], abs=1e-6)


def test_mixed_strategies_are_means_over_what_others_play():
    scenario = norel_network(8, packets_per_s=0.02, feedback="free")
    rng = np.random.default_rng(1)
    strategy = rng.dirichlet(np.full(30, 0.1), 8)
    utility, model = deviations(scenario, strategy), LogNormal(scenario)
    played = []
    for _ in range(3000):
        actions = np.array([rng.choice(30, p=p) for p in strategy])
        actions[0] = 4
        played.append(model.delivery(points_of(actions))[0])
    assert utility[0, 4] == pytest.approx(np.mean(played), abs=4 * np.std(played) / np.sqrt(3000))


def test_a_dominant_action_is_an_equilibrium_and_leaving_it_is_not():
    # One node alone: SF12 at 14 dBm delivers most.
    scenario = replace(norel_network(1, feedback="free"), node_xy_m=np.array([[5000.0, 0.0]]))
    allowed = np.ones((1, 30), np.bool_)
    best = np.eye(30)[[29]]
    assert epsilons(scenario, best, allowed)[0] == pytest.approx(0.0, abs=1e-9)
    assert epsilons(scenario, np.eye(30)[[0]], allowed)[0] > 0.3
    assert epsilons(scenario, np.eye(30)[[0]], np.eye(30, dtype=bool)[[0]])[0] == pytest.approx(0.0, abs=1e-9)
    uniform = np.full((1, 30), 1 / 30)
    assert 0 < epsilons(scenario, uniform, allowed)[0] < epsilons(scenario, np.eye(30)[[0]], allowed)[0]


def test_networks_without_a_closed_form_are_named():
    with pytest.raises(ValueError, match="one gateway, one channel"):
        deviations(norel_network(2, gateway_xy_m=((0, 0), (1, 1))), np.full((2, 30), 1 / 30))
