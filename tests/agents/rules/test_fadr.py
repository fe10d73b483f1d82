"""FADR: shares and powers by hand, and laws."""

import numpy as np
import pytest

import agents
from agents.link_margin import least_sf
from agents.rules.fadr import controlled_power
from lora_marl.core.presets import journal_network, norel_network

TP_DBM = np.arange(2.0, 15.0, 3.0)  # 2, 5, 8, 11, 14


def test_shares_are_those_of_the_paper():
    # s / 2^s for 7 to 12 over their sum: .4498, .2570, .1446, .0803, .0442, .0241, of 1,000 nodes.
    points = agents.make("fadr", norel_network(1000, 300.0, feedback="free"), [0]).initial_points()[0]
    assert np.bincount(points[:, 0], minlength=6).tolist() == [450, 257, 144, 81, 44, 24]


def test_nodes_that_are_heard_alike_take_the_two_lowest_powers():
    # At 2 dBm the strongest is heard at -98 dBm, and so is the weakest at 5 dBm: P_max = 5, R_min = -98.
    assert controlled_power(np.array([-100.0, -101.5, -103.0]), TP_DBM, 6.0).tolist() == [0, 1, 1]


def test_powers_worked_out_by_hand():
    # The nearest is heard at -98 dBm with 2 dBm, the farthest at -109, -106 and -103 with 5, 8 and 11: only 11 dBm is
    # within 6 dB, so P_max = 11 and R_min = -103.
    gain_db = np.array([-100.0, -104.0, -106.0, -110.0, -114.0])
    # At 2 dBm nodes 0 and 1 (-98, -102) are above R_min, node 2 (-104) is not: i = 1.
    # At 11 dBm nodes 4 and 3 (-103, -99) are within 6 dB of R_min, node 2 (-95) is not: j = 2, and its bound is -95.
    # 5 dBm: nodes 1 (-99) and 2 (-101) are within 6 dB of -95, and node 1 of -103: both get it, i = 2.
    # 8 dBm: node 2 (-98) is within 6 dB of both.
    assert controlled_power(gain_db, TP_DBM, 6.0).tolist() == [0, 1, 2, 3, 3]


def test_a_spread_that_no_power_bridges_takes_the_highest():
    assert controlled_power(np.array([-80.0, -120.0]), TP_DBM, 6.0).tolist() == [0, 4]


def test_one_node_and_one_power():
    assert controlled_power(np.array([-100.0]), TP_DBM, 6.0).tolist() == [0]
    assert controlled_power(np.array([-100.0, -120.0]), TP_DBM[:1], 6.0).tolist() == [0, 0]


def test_everybody_still_reaches_a_gateway_on_average():
    scenario = norel_network(300, 4500.0, feedback="free")
    points = agents.make("fadr", scenario, [0]).initial_points()[0]
    received_dbm = scenario.mean_gain_db().max(axis=-1) + np.array(scenario.region.tp_dbm)[points[:, 3]]
    needed_dbm = scenario.reception.sensitivities_dbm(np.arange(7, 13), np.array([125e3]))[points[:, 0], 0]
    assert np.all(points[:, 0] >= least_sf(scenario, 1, 0.0)[0])
    reachable = scenario.mean_gain_db().max(axis=-1) + 14.0 >= needed_dbm
    assert reachable.sum() > 250 and np.all(received_dbm[reachable] >= needed_dbm[reachable])


def test_channels_are_dealt_out():
    points = agents.make("fadr", journal_network(80), [0]).initial_points()[0]
    assert np.bincount(points[:, 2]).tolist() == [10] * 8


def test_a_negative_ratio_is_refused():
    with pytest.raises(ValueError, match="cir_db"):
        agents.make("fadr", journal_network(8), [0], cir_db=-1.0)
