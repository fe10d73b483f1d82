"""Networks that share the air: who receives whom, and who disturbs whom."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_marl.core import phy, tables
from lora_marl.core.air import Air
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Fate, Reception
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import downlink, network, played_once, random_points, region, timed
from tests.core.test_reference import RULES, overall, played

TWO = {"node_network": np.arange(60) % 2, "gateway_network": np.array([0, 1, 1])}
ENERGY = Reception(inter_sf="sir_energy", sir_db=tables.SIR_DB["norel"], spared_preamble_symbols=0.0)


def played_pair(loss_db, networks, **fields):
    """Two SF7 packets at the same time, each 100 dB or `loss_db` from gateways of networks 0 and 1."""
    scenario = timed(
        [0.0, 0.0], loss_db, node_network=np.array(networks), gateway_network=np.array([0, 1]),
        region=region(channels=1), **fields,
    )  # fmt: skip
    return played_once(scenario, sf=7)


def test_a_gateway_of_another_network_receives_nothing_however_loud():
    # Node 0 is of network 0, whose gateway lies beyond 170 dB; the other network's hears it at -86 dBm.
    _, receptions, fates = played_pair([[170.0, 100.0], [100.0, 170.0]], [0, 1])
    assert fates == [Fate.BELOW_SENSITIVITY, Fate.BELOW_SENSITIVITY]
    assert receptions.fate.tolist() == [[1, -1], [-1, 1]]
    _, receptions, fates = played_pair([[100.0, 170.0], [170.0, 100.0]], [0, 1])
    assert fates == [Fate.DELIVERED, Fate.DELIVERED]


@pytest.mark.parametrize("rule", [Reception(), ENERGY], ids=["sinr", "energy"])
def test_a_packet_disturbs_the_gateways_of_all_networks(rule):
    # Equal powers everywhere destroy both; 20 dB of advantage at the own gateway save both.
    assert played_pair([[100.0, 100.0], [100.0, 100.0]], [0, 1], reception=rule)[2].count(Fate.DELIVERED) == 0
    assert played_pair([[100.0, 120.0], [120.0, 100.0]], [0, 1], reception=rule)[2] == [Fate.DELIVERED] * 2


def test_a_foreign_packet_holds_a_demodulator():
    # One demodulator: node 0's SF7 packet, which gateway 1 cannot use, keeps it from node 1's SF8 on another channel.
    fields = {"region": region(channels=2), "reception": Reception(inter_sf="none", demodulators=1)}
    one = timed([0.0, 0.01], [[100.0, 100.0], [150.0, 100.0]], **fields)
    two = replace(one, node_network=np.array([0, 1]), gateway_network=np.array([0, 1]))
    for scenario in (one, two):
        _, _, fates = played_once(scenario, sf=np.array([7, 8]), channel=np.array([0, 1]))
        assert fates == [Fate.DELIVERED, Fate.NO_DEMODULATOR]


def test_foreign_airtime_is_that_of_packets_that_a_gateway_can_hear():
    # Node 0 (network 0, SF9, channel 1) is heard by gateway 1 of network 1, too far from gateway 2.
    scenario = timed(
        [0.0], [[100.0, 110.0, 170.0]], node_network=np.array([0]), gateway_network=np.array([0, 1, 1]),
        region=region(channels=2),
    )  # fmt: skip
    air = Air(scenario, [0])
    outcome = air.advance(scenario.region.points(sf=[[9]], bw_hz=125e3, channel=1, tp_dbm=14.0), 10.0)
    expected = np.zeros((1, 3, 2))
    expected[0, 1, 1] = phy.airtime_s(9, 20, bw_hz=125e3, low_data_rate="off")
    np.testing.assert_allclose(outcome.foreign_busy_s, expected)
    assert air.advance(random_points(scenario), 20.0).foreign_busy_s.sum() == 0.0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule=RULES, seed=st.integers(0, 10_000), fading=st.sampled_from(["none", "rayleigh"]))
def test_networks_agree_with_the_reference(rule, seed, fading):
    scenario = network(
        60, gateways=3, seed=seed, reception=rule, region=region(bandwidths_hz=(125e3, 250e3, 500e3)),
        traffic=Traffic(interval_s=4.0), propagation=Propagation(fading=fading), **TWO,
    )  # fmt: skip
    packets, receptions, fates = played(scenario, seed)
    ended = packets.fate >= 0
    np.testing.assert_array_equal(receptions.fate[ended], fates[ended])
    same_network = TWO["node_network"][packets.source][:, None] == TWO["gateway_network"]
    among_same_network = np.where(same_network, receptions.rssi_dbm, -np.inf)
    np.testing.assert_array_equal(packets.fate[ended], overall(fates, among_same_network)[ended])
    assert ((fates == Fate.NONE) == ~same_network).all()


def test_one_network_by_name_is_the_network_without_names():
    plain = network(40, gateways=2, reception=ENERGY, traffic=Traffic(interval_s=2.0))
    named = replace(plain, node_network=np.full(40, 3), gateway_network=np.array([3, 3]))
    one, other = (Air(scenario, [1]).advance(random_points(plain), 300.0) for scenario in (plain, named))
    for name in ("delivered", "interfered", "below_sensitivity", "airtime_s", "foreign_busy_s"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_networks_apart_in_frequency_do_not_notice_each_other():
    """Two networks on channels of their own play as each alone: same fates, packet by packet."""
    both = network(40, gateways=2, traffic=Traffic(interval_s=2.0), reception=ENERGY)
    both = replace(both, node_network=np.arange(40) // 20, gateway_network=np.array([0, 1]))
    points = random_points(both)
    points[..., 2] = np.arange(40) // 20
    together = Air(both, [2]).advance(points, 300.0)
    alone = replace(both, active=np.arange(40) < 20)
    apart = Air(alone, [2]).advance(points, 300.0)
    assert together.delivered[0, :20].tolist() == apart.delivered[0, :20].tolist()
    assert apart.delivered[0, 20:].sum() == 0 < together.delivered[0, 20:].sum()


def test_answers_come_from_the_own_network():
    scenario = network(
        40, gateways=2, spread_m=600.0, traffic=Traffic(interval_s=4.0), feedback="downlink",
        downlink=downlink(rx1_duty_cycle=None, rx2_duty_cycle=None),
        node_network=np.arange(40) % 2, gateway_network=np.array([1, 0]),
    )  # fmt: skip
    air = Air(scenario, [4], record=True)
    air.advance(random_points(scenario), 600.0)
    packets, _ = air.recording()
    down = packets.kind == 1
    assert down.sum() > 30
    assert (packets.gateway[down] == 1 - packets.source[down] % 2).all()


def test_link_gain_is_what_is_received_beyond_what_is_sent():
    still = Propagation(shadowing="link", shadowing_common_share=0.8)
    scenario = network(20, gateways=2, propagation=still)
    air = Air(scenario, [3, 4], record=True)
    points = random_points(scenario, 2)
    air.advance(points, 100.0)
    assert air.link_gain_db.shape == (2, 20, 2)
    for b in range(2):
        packets, receptions = air.recording(b)
        tp_dbm = np.array(scenario.region.tp_dbm)[packets.point[:, 3]]
        gain_db = air.link_gain_db[b, packets.source]
        np.testing.assert_allclose(receptions.rssi_dbm, tp_dbm[:, None] + gain_db, atol=1e-9)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"node_network": np.zeros(4, int)}, "only one of node_network and gateway_network is given"),
        ({"node_network": [0, 1, 0, 1], "gateway_network": [0]}, "gateway_network: network 1 has nodes and no gateway"),
        ({"node_network": [0, 0], "gateway_network": [0]}, r"node_network: int64 \(2,\)"),
        ({"node_network": [0, 0, 0, 0.5], "gateway_network": [0]}, "node_network: float64"),
        ({"node_network": [0, 0, 0, -1], "gateway_network": [0]}, "node_network: .* at least -1"),
    ],
)
def test_networks_that_do_not_fit_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        network(4, **fields)
