"""The closed form against laws, against numbers by hand, and against the packet air."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core import tables
from lora_marl.core.air import Air
from lora_marl.core.expect import OneGateway
from lora_marl.core.presets import conference_network, journal_network
from lora_marl.core.propagation import Propagation
from lora_marl.core.traffic import Traffic

PUBLISHED = {
    "inter_sf": "db_ratio", "interferers": "at_start", "same_sf_needs_equal_bw": False, "channel_overlap": "lorasim",
    "lost_packets_interfere": False, "spared_preamble_symbols": 0.0,
}  # fmt: skip


def network(nodes=60, *, interval_s=20.0, **reception):
    scenario = journal_network(nodes, traffic=Traffic(interval_s=interval_s, payload_bytes=50))
    return replace(scenario, reception=replace(scenario.reception, **reception))


def allocations(scenario):
    nodes = np.arange(scenario.nodes)
    drawn = np.random.default_rng(3).integers(0, scenario.region.factor_sizes, (scenario.nodes, 4))
    everybody = scenario.region.points(sf=7, bw_hz=125e3, channel=nodes % 8, tp_dbm=14)
    return {"everybody at SF7": everybody, "random": drawn.astype(np.int16)}


def phi(z):
    return 0.5 * math.erfc(-z / math.sqrt(2))


def test_one_node_alone_is_the_normal_distribution():
    scenario = network(1)
    mean_dbm = float(scenario.mean_gain_db()[0, 0])
    for sf, sensitivity_dbm in zip(range(7, 13), (-123, -126, -129, -132, -133, -136), strict=True):
        for tp_dbm in (2, 8, 14):
            point = scenario.region.points(sf=[sf], bw_hz=125e3, channel=3, tp_dbm=tp_dbm)
            noise_floor_dbm = -174 + 10 * math.log10(125e3) + 6 - 7.5 - 2.5 * (sf - 7)
            floor_dbm = max(sensitivity_dbm, noise_floor_dbm)
            expected = phi((mean_dbm + tp_dbm - floor_dbm) / 7.8)
            assert OneGateway(scenario).expect(point).delivery[0] == pytest.approx(expected, abs=1e-12)


def test_two_nodes_by_hand():
    # No shadowing: 6 dB apart or more, the stronger survives every overlap and the weaker none.
    scenario = replace(network(2, inter_sf="none"), propagation=Propagation(shadowing_db=0.0))
    scenario = replace(scenario, path_loss_db=np.array([[100.0], [107.0]]))
    point = scenario.region.points(sf=[9, 9], bw_hz=125e3, channel=2, tp_dbm=14)
    airtime_s = float(scenario.airtime_s()[2, 0])
    busy = airtime_s / (20 + airtime_s)
    window_s = airtime_s - 3 * 2**9 / 125e3
    overlapped = busy + (1 - busy) * (1 - math.exp(-window_s / 20))
    expectation = OneGateway(scenario).expect(point)
    np.testing.assert_allclose(expectation.delivery, [1, 1 - overlapped], rtol=1e-12)
    assert expectation.pdr == pytest.approx(1 - overlapped / 2)
    energy_mj = 10**1.4 * airtime_s
    assert expectation.ee_bits_per_mj == pytest.approx(400 * (1 - overlapped / 2) / energy_mj)
    assert expectation.bits_per_airtime_s == pytest.approx(400 * (1 - overlapped / 2) / airtime_s)
    apart = scenario.region.points(sf=[9, 9], bw_hz=125e3, channel=[2, 3], tp_dbm=14)
    np.testing.assert_allclose(OneGateway(scenario).expect(apart).delivery, 1)
    equal = replace(scenario, path_loss_db=np.full((2, 1), 100.0))
    np.testing.assert_allclose(OneGateway(equal).expect(point).delivery, 1 - overlapped, rtol=1e-12)


@pytest.mark.parametrize("rule", [{}, PUBLISHED, {"inter_sf": "none"}, {"inter_sf": "sir_pairwise"}])
def test_it_is_within_a_point_of_the_packet_air(rule):
    rule = rule | ({"sir_db": tables.SIR_DB["goursaud"]} if rule.get("inter_sf") == "sir_pairwise" else {})
    scenario = network(**rule)
    closed_form = OneGateway(scenario)
    for points in allocations(scenario).values():
        expectation = closed_form.expect(points)
        outcome = Air(scenario, range(4)).advance(np.tile(points, (4, 1, 1)), 50 * 3600.0)
        delivery = outcome.delivered.sum(axis=0) / outcome.sent.sum(axis=0)
        assert 100 * expectation.pdr == pytest.approx(100 * outcome.delivered.sum() / outcome.sent.sum(), abs=0.6)
        assert 100 * np.abs(delivery - expectation.delivery).mean() < 1.0
        ee = outcome.delivered_bits.sum() / outcome.energy_mj.sum()
        assert expectation.ee_bits_per_mj == pytest.approx(ee, rel=0.02)


UNEQUAL = [([7, 7], [125e3, 250e3]), ([8, 10], [500e3, 125e3]), ([9, 7], [125e3, 125e3])]


@pytest.mark.parametrize("inter_sf", ["none", "sinr", "sir_pairwise", "db_ratio"])
@pytest.mark.parametrize("same_sf_needs_equal_bw", [True, False])
def test_two_nodes_of_unequal_bandwidths_are_as_on_the_air(inter_sf, same_sf_needs_equal_bw):
    # Links of 18 dB and less apart: an interferer counts as noise, by the SIR matrix, by capture, or not at all.
    network_of_two = conference_network(2, traffic=Traffic(interval_s=3.0, payload_bytes=30))
    reception = replace(
        network_of_two.reception, inter_sf=inter_sf, same_sf_needs_equal_bw=same_sf_needs_equal_bw,
        sir_db=tables.SIR_DB["norel"],
    )  # fmt: skip
    for path_loss_db in ([[110.0], [110.0]], [[112.0], [124.0]], [[130.0], [112.0]]):
        scenario = replace(network_of_two, reception=reception, path_loss_db=np.array(path_loss_db))
        for propagation in (Propagation(shadowing_db=0.0), Propagation(shadowing_db=3.0)):
            scenario = replace(scenario, propagation=propagation)
            for sf, bw_hz in UNEQUAL:
                points = scenario.region.points(sf=sf, bw_hz=bw_hz, channel=2, tp_dbm=14)
                outcome = Air(scenario, range(4)).advance(np.tile(points, (4, 1, 1)), 4 * 3600.0)
                delivery = outcome.delivered.sum(axis=0) / outcome.sent.sum(axis=0)
                expected = OneGateway(scenario).expect(points).delivery
                np.testing.assert_allclose(expected, delivery, rtol=0, atol=0.012)


def test_delivery_falls_with_load_and_rises_with_own_power():
    light, heavy = (OneGateway(network(interval_s=interval_s)) for interval_s in (60.0, 10.0))
    points = allocations(light.scenario)["random"]
    assert (light.expect(points).delivery > heavy.expect(points).delivery).all()
    delivery = []
    for tp in range(7):
        points[5, 3] = tp
        delivery.append(heavy.expect(points).delivery[5])
    assert (np.diff(delivery) > 0).all()


def test_the_order_of_nodes_does_not_matter():
    scenario = network(20)
    points = allocations(scenario)["random"]
    order = np.random.default_rng(0).permutation(20)
    shuffled = replace(scenario, node_xy_m=scenario.node_xy_m[order])
    expected = OneGateway(scenario).expect(points).delivery[order]
    np.testing.assert_allclose(OneGateway(shuffled).expect(points[order]).delivery, expected, rtol=1e-12)


def test_what_links_keep_of_their_shadowing_can_be_given():
    linked = replace(network(5), propagation=Propagation(shadowing="link"))
    gain_db = np.array([-120.0, -130, -136.4, -136.6, -150])
    point = linked.region.points(sf=7, bw_hz=125e3, channel=np.arange(5), tp_dbm=14)
    delivery = OneGateway(linked, gain_db).expect(point).delivery
    np.testing.assert_array_equal(delivery, [1, 1, 1, 1, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gateway_xy_m": np.zeros((2, 2))}, "2 gateways"),
        ({"propagation": Propagation(fading="rayleigh")}, "propagation.fading: 'rayleigh'"),
        ({"propagation": Propagation(shadowing="link")}, "propagation.shadowing: 'link'"),
        ({"node_xy_m": np.zeros((3, 60, 2))}, "3 replicas"),
    ],
)
def test_what_has_no_closed_form_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        OneGateway(replace(network(), **changes))
    with pytest.raises(ValueError, match="inter_sf: 'sir_energy'"):
        OneGateway(network(inter_sf="sir_energy", sir_db=np.zeros((6, 6))))
