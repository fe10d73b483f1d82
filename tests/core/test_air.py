"""Conservation and physics of the packet air."""

from dataclasses import fields, replace

import numpy as np
import pytest

from lora_marl.core import phy
from lora_marl.core.air import Air
from lora_marl.core.outcome import Outcome
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import FATES, Fate, Reception
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, random_points, region


@pytest.mark.parametrize("energy", ["radiated", "supply"])
def test_what_is_booked_is_what_was_recorded(energy):
    scenario = network(30, energy=energy, traffic=Traffic(interval_s=4.0, payload_bytes=np.resize([20, 50], 30)))
    points = random_points(scenario)
    air = Air(scenario, [5], record=True, count_arms=True)
    outcome = air.advance(points, 60.0) + air.advance(points, 200.0)
    packets, _ = air.recording()
    ended = packets.fate >= 0
    assert ended.sum() == outcome.sent.sum() > 1000
    assert len(ended) - ended.sum() <= 30
    for fate in FATES:
        assert (packets.fate == fate).sum() == getattr(outcome, fate.name.lower()).sum()
    airtime_s = (packets.end_s - packets.start_s)[ended]
    tp_dbm = np.array(scenario.region.tp_dbm)[packets.point[ended, 3]]
    assert outcome.airtime_s.sum() == pytest.approx(airtime_s.sum())
    assert outcome.energy_mj.sum() == pytest.approx(phy.energy_mj(tp_dbm, airtime_s, energy).sum())
    payload_bytes = np.resize([20, 50], 30)[packets.source]
    assert outcome.delivered_bits.sum() == 8 * payload_bytes[packets.fate == Fate.DELIVERED].sum()
    assert outcome.duration_s.tolist() == [200.0]


def test_counts_by_factor_value_sum_to_all_packets():
    scenario = network(20, region=region(4, bandwidths_hz=(125e3, 250e3)))
    air = Air(scenario, [0, 1], count_arms=True)
    points = random_points(scenario, 2)
    outcome = air.advance(points, 300.0)
    edges = np.cumsum(scenario.region.factor_sizes)[:-1]
    for sent, delivered in zip(
        np.split(outcome.arm_sent, edges, axis=2), np.split(outcome.arm_delivered, edges, axis=2), strict=True
    ):
        np.testing.assert_array_equal(sent.sum(axis=2), outcome.sent)
        np.testing.assert_array_equal(delivered.sum(axis=2), outcome.delivered)
    sf_sent = outcome.arm_sent[:, :, :6]
    np.testing.assert_array_equal(sf_sent.argmax(axis=2)[outcome.sent > 0], points[..., 0][outcome.sent > 0])


def test_one_dbm_more_out_is_one_db_more_in_and_never_delivers_less_alone():
    """One node, so nobody else profits: delivery is monotone in power on the same air."""
    powers = region(tp_dbm=tuple(float(p) for p in range(2, 15)))
    scenario = network(1, region=powers, node_xy_m=np.array([[900.0, 0.0]]))
    rssi_dbm, delivered = [], []
    for tp in range(13):
        air = Air(scenario, [0], record=True)
        air.advance(np.array([[[0, 0, 0, tp]]], np.int16), 20000.0)
        packets, receptions = air.recording()
        rssi_dbm.append(receptions.rssi_dbm[:3000, 0])
        delivered.append(packets.fate[:3000] == Fate.DELIVERED)
    np.testing.assert_allclose(np.diff(rssi_dbm, axis=0), 1.0, atol=1e-9)
    assert all((more >= less).all() for less, more in zip(delivered, delivered[1:], strict=False))
    assert delivered[-1].mean() > delivered[0].mean() + 0.3


def test_received_power_is_the_sum_of_its_parts():
    scenario = network(
        20,
        gateways=2,
        propagation=replace(STILL, antenna_gain_db=3.0),
        channel_loss_db=np.array([0.0, 5.0, 11.0]),
    )
    air = Air(scenario, [0], record=True)
    air.advance(random_points(scenario), 100.0)
    packets, receptions = air.recording()
    away_m = np.linalg.norm(scenario.node_xy_m[:, None] - scenario.gateway_xy_m, axis=-1)[packets.source]
    tp_dbm = np.array(scenario.region.tp_dbm)[packets.point[:, 3]]
    loss_db = 128.95 + 23.2 * np.log10(away_m / 1000) + scenario.channel_loss_db[packets.point[:, 2], None]
    np.testing.assert_allclose(receptions.rssi_dbm, tp_dbm[:, None] + 3.0 - loss_db, atol=1e-9)


def recorded_excess_db(propagation, **fields):
    scenario = network(50, gateways=2, propagation=propagation, traffic=Traffic(interval_s=1.0), **fields)
    air = Air(scenario, [0], record=True)
    points = np.zeros((1, 50, 4), np.int16)
    air.advance(points, 1500.0)
    packets, receptions = air.recording()
    return receptions.rssi_dbm - (scenario.region.tp_dbm[0] + scenario.mean_gain_db())[packets.source]


def test_packet_shadowing_has_its_spread_and_its_share_common_to_gateways():
    excess_db = recorded_excess_db(Propagation(shadowing_db=7.8, shadowing_common_share=0.3))
    assert len(excess_db) > 50_000
    assert excess_db.mean() == pytest.approx(0.0, abs=0.1)
    assert excess_db.std() == pytest.approx(7.8, rel=0.01)
    assert np.corrcoef(excess_db.T)[0, 1] == pytest.approx(0.3, abs=0.02)


def test_rayleigh_power_is_exponential_of_mean_one():
    power = 10 ** (recorded_excess_db(replace(STILL, fading="rayleigh")) / 10)
    assert power.mean() == pytest.approx(1.0, abs=0.02)
    assert (power > 1.0).mean() == pytest.approx(np.exp(-1), abs=0.01)
    assert np.corrcoef(power.T)[0, 1] == pytest.approx(0.0, abs=0.02)


def test_link_shadowing_stays():
    excess_db = recorded_excess_db(Propagation(shadowing="link"))
    assert len(np.unique(excess_db[:, 0].round(9))) == 50


def test_demodulators_refuse_what_erlang_b_says():
    """8 demodulators, 5 Erlang of packets that never meet: 7.00 % refused.

    800,000 packets; refusals come in runs, so a standard error is about 0.05 points, and 5,000 sources refuse 0.03
    points less than infinitely many.
    """
    nodes, airtime_s = 5000, phy.airtime_s(7, 50, bw_hz=125e3)
    scenario = network(
        nodes,
        spread_m=10.0,
        propagation=STILL,
        region=region(spreading_factors=(7,), tp_dbm=(14.0,)),
        reception=Reception(inter_sf="none", capture_db=-np.inf, demodulators=8),
        traffic=Traffic(interval_s=nodes * airtime_s / 5.0, after_end=False, queued=False),
    )
    outcome = Air(scenario, range(10)).advance(np.zeros((10, nodes, 4), np.int16), 1600.0)
    offered = [5.0**k / np.prod(np.arange(1, k + 1)) for k in range(9)]
    expected = offered[-1] / sum(offered)
    assert expected == pytest.approx(0.0700, abs=5e-5)
    share = outcome.no_demodulator.sum() / outcome.sent.sum()
    assert outcome.sent.sum() > 750_000
    assert share == pytest.approx(expected, abs=0.0018)


def test_outcomes_add():
    scenario = network(10)
    air = Air(scenario, [0])
    points = random_points(scenario)
    parts = air.advance(points, 50.0) + air.advance(points, 120.0)
    whole = Air(scenario, [0]).advance(points, 120.0)
    for field in fields(Outcome):
        np.testing.assert_allclose(getattr(parts, field.name), getattr(whole, field.name), rtol=1e-12)


def test_bad_input_is_named():
    scenario = network(4)
    good = random_points(scenario)
    air = Air(scenario, [0])
    with pytest.raises(ValueError, match=r"points: float64 \(1, 4, 4\); the air takes int16"):
        air.advance(good.astype(float), 1.0)
    air.advance(good, 10.0)
    for play in (air.advance, air.next_decisions):
        with pytest.raises(ValueError, match=r"until_s: 5.0 lies before the clock at 10.0"):
            play(good, 5.0)
        with pytest.raises(ValueError, match="until_s: nan"):
            play(good, float("nan"))
    with pytest.raises(ValueError, match="record: is False"):
        air.recording()
    for seeds in ([], [-1]):
        with pytest.raises(ValueError, match="seeds"):
            Air(scenario, seeds)
    with pytest.raises(ValueError, match=r"scenario.node_xy_m: 2 replicas; allowed are 1 or 3"):
        Air(replace(scenario, node_xy_m=np.zeros((2, 4, 2))), [0, 1, 2])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("factor", "value"), [(0, 6), (0, -1), (1, 1), (2, 3), (3, 7)])
def test_a_point_outside_the_region_is_refused_at_its_packet(factor, value, threads):
    scenario = network(4)
    for play in ("advance", "next_decisions"):
        air, points = Air(scenario, [0, 1], threads=threads), random_points(scenario, 2)
        points[1, :, factor] = value
        with pytest.raises(ValueError, match=r"points\[1, \d\]: .* is outside the region's lists"):
            while play == "advance" or len(air.next_decisions(points, 50.0)):
                air.advance(points, 50.0)


def test_at_the_same_instant_packets_end_before_others_start():
    """Queued packets follow each other without a gap: one demodulator never refuses, no packet meets another."""
    scenario = network(
        2,
        spread_m=10.0,
        propagation=STILL,
        reception=Reception(inter_sf="none", demodulators=2, capture_db=-np.inf),
        traffic=Traffic(kind="periodic", interval_s=1e-3, random_phase=False, queued=True),
    )
    outcome = Air(scenario, [0]).advance(np.zeros((1, 2, 4), np.int16), 100.0)
    assert outcome.sent.sum() > 1000
    assert outcome.no_demodulator.sum() == 0


def test_time_that_was_not_taken_stays_in_the_next_outcome():
    scenario = network(10)
    air, points = Air(scenario, [0], record=True), random_points(scenario)
    while len(air.next_decisions(points, 30.0)):
        pass
    air.begin_episode()
    outcome = air.advance(points, 20.0)
    assert outcome.duration_s.tolist() == [50.0]
    packets, _ = air.recording()
    assert (np.diff(packets.start_s) >= 0).all() and packets.start_s[-1] < 20.0


def test_an_endless_advance_is_refused():
    with pytest.raises(ValueError, match="until_s: inf"):
        Air(network(2), [0]).advance(np.zeros((1, 2, 4), np.int16), np.inf)
