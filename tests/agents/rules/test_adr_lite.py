"""ADR-Lite: the search worked out by hand, and on the air."""

import numpy as np

import agents
from agents.rules.adr_lite import by_energy
from agents.run import run_until
from lora_marl.core.air import Air
from lora_marl.core.outcome import REPEATED
from tests.agents.rules.test_served_adr import NETWORK, answers, uplinks
from tests.core.scenarios import STILL, network, region


def test_configurations_are_in_order_of_energy():
    order = by_energy(NETWORK)
    airtime_s, tp_dbm = NETWORK.airtime_s()[:, 0], np.array(NETWORK.region.tp_dbm)
    energy = airtime_s[5 - order[:, 0]] * 10 ** (tp_dbm[6 - order[:, 1]] / 10)
    assert len(np.unique(order, axis=0)) == len(order) == 42
    assert np.all(np.diff(energy) >= 0)
    assert order[0].tolist() == [5, 6] and order[-1].tolist() == [0, 0]  # SF7 at 2 dBm; SF12 at 14 dBm


def test_commands_that_arrive_lead_to_the_least_energy_by_halves():
    learner = agents.make("adr-lite", NETWORK, [0])
    order = by_energy(NETWORK)
    rate, power, places = 0, 0, []
    for _ in range(8):
        [(rate, power, nb_trans)] = answers(learner, [0.0], rate=rate, power=power)
        assert nb_trans == 1
        places.append(int(np.flatnonzero((order == (rate, power)).all(axis=1))[0]))
    assert places == [20, 10, 5, 2, 1, 0, 0, 0]


def test_commands_that_do_not_arrive_lead_to_more_energy():
    learner = agents.make("adr-lite", NETWORK, [0])
    order = by_energy(NETWORK)
    places = []
    for command in answers(learner, [0.0] * 5):  # the device stays at SF12 and 14 dBm, configuration 41
        places.append(int(np.flatnonzero((order == command[:2]).all(axis=1))[0]))
    # 41 is what it began with: 20; then (20 + 41) // 2 = 30, 35, 38, 39.
    assert places == [20, 30, 35, 38, 39]


def test_a_repeat_of_a_frame_changes_nothing():
    learner = agents.make("adr-lite", NETWORK, [0])
    learner.hear(uplinks([0.0]))
    before = learner.state_dict()
    learner.hear(uplinks([0.0], missed=REPEATED))
    after = learner.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_near_nodes_end_at_the_least_energy():
    scenario = network(10, spread_m=100.0, propagation=STILL, region=region(channels=8))
    learner = agents.make("adr-lite", scenario, [0], backoff=False)
    air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
    run_until(air, learner, points, 1000.0)
    assert np.all(points[..., 0] == 0) and np.all(points[..., 3] == 0)
