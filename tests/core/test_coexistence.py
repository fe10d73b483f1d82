from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.coexistence import Coexistence, Deployment
from lora_marl.core.presets.ccs import MOVES_S, OCCUPANCY, ccs_eu868, ccs_study, legacy, non_learning
from lora_marl.core.scenario import Scenario


def drawn(coexistence: Coexistence, seeds: tuple[int, ...] = (0, 1, 2), until_s: float = 4 * MOVES_S) -> Scenario:
    return coexistence.draw([np.random.default_rng(seed) for seed in seeds], until_s)


def test_networks_are_listed_one_after_another() -> None:
    networks = ccs_study([Deployment(nodes=5, gateways=2), non_learning(nodes=3), Deployment(nodes=4)])
    scenario = drawn(networks)
    assert scenario.node_network.tolist() == [0] * 5 + [1] * 3 + [2] * 4
    assert scenario.gateway_network.tolist() == [0, 0, 1, 2]
    assert scenario.node_xy_m.shape == (3, 12, 2)
    assert np.all(np.hypot(*scenario.node_xy_m.T) <= networks.radius_m)
    np.testing.assert_allclose(np.hypot(*scenario.gateway_xy_m.T), networks.circle_m)


def test_a_replica_depends_on_its_generator_alone() -> None:
    networks = replace(ccs_study(2), alarm_probability=0.1, load_range=(0.5, 2.0))
    many, one = drawn(networks, (0, 1, 2)), drawn(networks, (1,))
    assert np.array_equal(many.node_xy_m[1], one.node_xy_m[0])
    assert np.array_equal(many.path_loss_db[1], one.path_loss_db[0])
    assert np.array_equal(many.traffic.interval_s[1], one.traffic.interval_s[0])
    assert np.array_equal(many.interference.occupancy[1], one.interference.occupancy[0])


def test_the_path_loss_is_that_of_the_study() -> None:
    scenario = drawn(ccs_study(2))
    apart_km = (np.linalg.norm(scenario.node_xy_m[0, 7] - scenario.gateway_xy_m[1]) + 20.0) / 1000.0
    assert scenario.path_loss_db[0, 7, 1] == pytest.approx(128.95 + 23.2 * np.log10(apart_km))


def test_moving_interference_is_permuted_and_every_replica_has_its_own() -> None:
    scenario = drawn(ccs_study(2))
    moves = [change.values["interference.occupancy"] for change in scenario.changes]
    assert [change.at_s for change in scenario.changes] == [MOVES_S, 2 * MOVES_S, 3 * MOVES_S]
    for occupancy in (scenario.interference.occupancy, *moves):
        np.testing.assert_array_equal(np.sort(occupancy, axis=-1), np.tile(OCCUPANCY, (3, 1)))
    assert not np.array_equal(moves[0][0], moves[0][1])
    assert not np.array_equal(moves[0], moves[1])
    assert drawn(ccs_study(2, interference="static")).changes == ()
    assert drawn(ccs_study(2, interference="none")).interference is None


def test_loads_multiply_rates() -> None:
    scenario = drawn(ccs_study([Deployment(nodes=4), Deployment(nodes=4, load=4.0)], load=0.5))
    np.testing.assert_allclose(scenario.traffic.interval_s[0], [40.0] * 4 + [10.0] * 4)


def test_a_silent_network_returns() -> None:
    networks = ccs_study([Deployment(nodes=4), Deployment(nodes=4, silent_s=((600.0, 1200.0),))], interference="none")
    changes = drawn(networks).changes
    assert [change.at_s for change in changes] == [600.0, 1200.0]
    off, on = (change.values["traffic.interval_s"][0] for change in changes)
    assert off[:4].tolist() == on.tolist()[:4] == [20.0] * 4
    assert np.all(np.isinf(off[4:]))
    assert on[4:].tolist() == [20.0] * 4


def test_the_number_of_networks_may_be_of_numpy() -> None:
    assert ccs_study(np.int64(3)).deployments == ccs_study(3).deployments


@pytest.mark.parametrize("step_s", [0.7, 1.1, 7.3, 60.0])
def test_every_step_has_its_own_rate_however_long_steps_are(step_s: float) -> None:
    networks = replace(ccs_study(1, interference="none"), alarm_probability=0.5, alarm_steps=1, alarm_step_s=step_s)
    rates = np.arange(1.0, 41.0)[None, :, None]
    first, changes = networks._traffic(40 * step_s, rates)
    intervals_s = np.concatenate([first[:, 0], [change.values["traffic.interval_s"][0, 0] for change in changes]])
    np.testing.assert_allclose(intervals_s[0] / intervals_s, np.arange(1.0, 41.0))


def test_alarms_triple_the_rate_for_three_intervals() -> None:
    networks = replace(ccs_study(1, interference="none"), alarm_probability=0.02)
    scenario = drawn(networks, (3,), until_s=200 * 60.0)
    interval_s = [float(scenario.traffic.interval_s[0, 0])] * 200
    for change in scenario.changes:
        for step in range(round(change.at_s / 60.0), 200):
            interval_s[step] = float(change.values["traffic.interval_s"][0, 0])
    alarmed = np.isclose(interval_s, 20.0 / 3.0)
    assert np.all(alarmed | np.isclose(interval_s, 20.0))
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], alarmed, [0]]))))[::2]
    assert len(runs)
    assert np.all(runs[:-1] >= 3)


def test_the_preset_of_eu868_offers_the_same_load() -> None:
    study, eu868 = drawn(ccs_study(2)), drawn(ccs_eu868(2))
    offered = [np.sum(1.0 / networks.traffic.interval_s[0]) for networks in (study, eu868)]
    assert offered[0] == pytest.approx(offered[1])
    assert eu868.traffic.duty_cycle == 0.01
    assert eu868.feedback == "downlink"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Deployment(nodes=0), r"deployment\.nodes: 0"),
        (lambda: Deployment(load=0.0), r"deployment\.load: 0\.0"),
        (lambda: Deployment(rule="clever"), r"deployment\.rule: 'clever' is not one of learns, uniform, adr"),
        (lambda: Deployment(silent_s=((60.0, 30.0),)), r"deployment\.silent_s"),
        (lambda: ccs_study(0), r"deployments: 0 is not a whole number"),
        (lambda: ccs_study(2, occupancy=(0.1,)), r"coexistence\.occupancy: 1 values"),
        (lambda: ccs_study(2, moves_s="x"), r"coexistence\.moves_s: 'x' is not a number"),
        (lambda: ccs_study(2, alarm_probability=2.0), r"coexistence\.alarm_probability: 2\.0"),
        (lambda: ccs_study(2, load_range=(2.0, 1.0)), r"coexistence\.load_range"),
        (lambda: Deployment(nodes="x"), r"deployment.nodes: 'x' is not a number"),
        (lambda: Deployment(load="x"), r"deployment.load: 'x' is not a number"),
        (lambda: Deployment(silent_s=((60.0,),)), r"deployment.silent_s: \(60.0,\) is no period"),
        (lambda: ccs_study(2.0), r"deployments: 2.0 is not a whole number"),
        (lambda: ccs_study("2"), r"coexistence.deployments: \('2',\); needs at least one Deployment"),
        (lambda: ccs_study(1, load_range=(1.0,)), r"coexistence.load_range: \(1.0,\) is not two numbers above 0"),
        (lambda: ccs_study(1, alarm_steps=float("inf")), r"coexistence.alarm_steps: inf is not a whole number"),
        (lambda: ccs_study(1, occupancy=(2.0,) * 8), r"interference.occupancy: 2.0"),
        (lambda: ccs_study(1, burst_s=(0.9, 0.1)), r"interference.burst_s: \(0.9, 0.1\)"),
        (lambda: ccs_study(2, interference="loud"), r"interference: 'loud'"),
        (lambda: ccs_eu868(2, traffic="burst"), r"traffic: 'burst' is not one of poisson, periodic"),
    ],
)
def test_what_is_wrong_is_named(wrong: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()


def test_the_former_name_of_networks_that_do_not_learn_still_works() -> None:
    with pytest.warns(DeprecationWarning, match="legacy is now presets.ccs.non_learning"):
        assert legacy("adr", nodes=7) == non_learning("adr", nodes=7)
