"""The energy of all states: by hand, the air against the closed forms, and battery life."""

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.config.scenario import ScenarioConfig
from lora_marl.core.air import Air
from lora_marl.core.device import DEVICES, Battery, Device
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.energy import battery_life_years, energy_costs
from lora_marl.core.expect import LogNormal, LogNormalIncremental, OneGateway, OneGatewayIncremental, Rayleigh
from lora_marl.core.outcome import DOWNLINK_KIND
from lora_marl.core.presets import journal_network, mmalora_network, norel_network
from lora_marl.core.propagation import Propagation
from lora_marl.core.region import REGIONS
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, region, timed

DEVICE = Device(voltage_v=3.0, tx_currents={14.0: 40.0, 2: 20.0}, rx_ma=10.0, sleep_ma=0.001, window_symbols=8.0)


def alone(**fields):
    """One node that sends every 100 s at SF9 and 14 dBm, without fail."""
    traffic = Traffic(kind="periodic", interval_s=100.0, random_phase=False, payload_bytes=20, **fields.pop("also", {}))
    values = {"energy": "states", "device": DEVICE, "region": region(tp_dbm=(2.0, 14.0)), "propagation": STILL}
    scenario = network(1, node_xy_m=np.zeros((1, 2)), traffic=traffic, **values, **fields)
    return scenario, scenario.region.points(sf=[9], bw_hz=125e3, channel=0, tp_dbm=14)[None]


@pytest.mark.parametrize(
    ("name", "ma_by_dbm"),
    [
        ("sx1261", {-17: 5.2, -9: 6.5, 0: 9.8, 2: 11.4, 8: 16.6, 10: 18.5, 14: 25.5, 15: 32.5}),
        ("sx1262", {-9: 24.0, 0: 40.6, 2: 46.2, 8: 63.5, 14: 89.3, 17: 95.4, 20: 103.8, 22: 117.9}),
    ],
)
def test_currents_of_the_built_in_devices_are_those_of_lora_basics_modem(name, ma_by_dbm):
    """`ral_sx126x.c`, DC-DC regulator."""
    device = DEVICES[name]
    assert {tp_dbm: device.tx_currents[tp_dbm] for tp_dbm in ma_by_dbm} == ma_by_dbm
    assert (min(device.tx_currents), max(device.tx_currents)) == (min(ma_by_dbm), max(ma_by_dbm))
    assert (device.rx_ma, device.sleep_ma) == (4.6, 0.0006)


def test_one_node_by_hand():
    scenario, points = alone()
    outcome = Air(scenario, [0]).advance(points, 1000.0)
    airtime_s, windows_s = float(scenario.airtime_s()[2, 0]), 8 * (2**9 + 2**12) / 125e3
    awake_s = 10 * (airtime_s + windows_s)
    expected_mj = 10 * (120.0 * airtime_s + 30.0 * windows_s) + 0.003 * (1000.0 - awake_s)
    assert outcome.energy_mj[0, 0] == pytest.approx(expected_mj, rel=1e-12)
    assert outcome.power_mw[0, 0] == pytest.approx(expected_mj / 1000.0)
    halves = Air(scenario, [0])
    both = halves.advance(points, 400.0) + halves.advance(points, 1000.0)
    assert both.energy_mj[0, 0] == pytest.approx(expected_mj, rel=1e-12)


@pytest.mark.parametrize("window", ["rx1", "rx2"])
def test_a_downlink_takes_the_place_of_its_window(window):
    downlink = replace(PAPERS_DOWNLINK, rx1_duty_cycle=None, rx2_duty_cycle=None, rx2_sf=10, windows=window)
    confirmed = {"confirmed": True, "after_end": False}
    scenario, points = alone(feedback="downlink", downlink=downlink, also=confirmed)
    outcome = Air(scenario, [0]).advance(points, 1000.0)
    assert outcome.downlinks_received[0, 0] == outcome.sent[0, 0] == 10
    sent_s = float(scenario.airtime_s()[2, 0])
    received_s = float(scenario.downlink_airtime_s()[2 if window == "rx1" else 3, 0])
    expected_mj = 10 * (120.0 * sent_s + 30.0 * received_s) + 0.003 * (1000.0 - 10 * (sent_s + received_s))
    assert outcome.energy_mj[0, 0] == pytest.approx(expected_mj, rel=1e-12)


def test_a_downlink_in_rx1_spares_rx2_and_one_in_rx2_follows_an_empty_rx1():
    confirmed = {"confirmed": True, "after_end": False}
    both = replace(PAPERS_DOWNLINK, rx1_duty_cycle=None, rx2_duty_cycle=None)
    scenario, points = alone(feedback="downlink", downlink=both, also=confirmed)
    first_mj = Air(scenario, [0]).advance(points, 50.0).energy_mj[0, 0]
    only, _ = alone(feedback="downlink", downlink=replace(both, windows="rx1"), also=confirmed)
    assert first_mj == pytest.approx(Air(only, [0]).advance(points, 50.0).energy_mj[0, 0], rel=1e-12)
    # RX1's sub-band is shut after the first answer, so the second uplink is answered in RX2.
    shut, _ = alone(feedback="downlink", downlink=replace(both, rx1_duty_cycle=1e-6), also=confirmed)
    air = Air(shut, [0])
    air.advance(points, 50.0)
    second_mj = air.advance(points, 150.0).energy_mj[0, 0]
    sent_s, received_s = float(shut.airtime_s()[2, 0]), float(shut.downlink_airtime_s()[5, 0])
    listened_s = 8 * 2**9 / 125e3 + received_s
    expected_mj = 120.0 * sent_s + 30.0 * listened_s + 0.003 * (100.0 - sent_s - listened_s)
    assert second_mj == pytest.approx(expected_mj, rel=1e-9)


def test_rx2_opens_after_a_downlink_in_rx1_that_was_lost():
    """Node 1 sends next to node 0 while that is answered."""
    traffic = Traffic(kind="periodic", interval_s=1e6, random_phase=False, payload_bytes=20, confirmed=True,
                      after_end=False)  # fmt: skip
    scenario = timed(
        [0.0, 1.2], [100.0, 100.0], traffic=traffic, feedback="downlink", energy="states", device=DEVICE,
        region=region(tp_dbm=(2.0, 14.0)), low_data_rate="auto",
    )  # fmt: skip
    points = scenario.region.points(sf=[9, 9], bw_hz=125e3, channel=0, tp_dbm=14)[None]
    outcome = Air(scenario, [0]).advance(points, 3.0)
    assert (outcome.downlinks[0, 0], outcome.downlinks_received[0, 0]) == (1, 0)
    sent_s, received_s = float(scenario.airtime_s()[2, 0]), float(scenario.downlink_airtime_s()[2, 0])
    listened_s = received_s + 8 * 2**12 / 125e3
    expected_mj = 120.0 * sent_s + 30.0 * listened_s + 0.003 * (3.0 - sent_s - listened_s)
    assert outcome.energy_mj[0, 0] == pytest.approx(expected_mj, rel=1e-9)


def test_rx1_on_channels_that_no_uplink_has_spares_rx2():
    """US915 answers on 500 kHz channels of its own, which are numbered behind RX2's."""
    device = Device(tx_currents=dict.fromkeys(REGIONS["US915"].tp_dbm, 40.0))
    traffic = Traffic(kind="periodic", interval_s=100.0, random_phase=False, payload_bytes=11, confirmed=True,
                      after_end=False)  # fmt: skip
    scenario = network(1, region=REGIONS["US915"], node_xy_m=np.zeros((1, 2)), propagation=STILL, traffic=traffic,
                       feedback="downlink", energy="states", device=device)  # fmt: skip
    points = np.array([[[1, 0, 0, 5]]], np.int16)
    air = Air(scenario, [0], record=True)
    outcome = air.advance(points, 1000.0)
    packets, _ = air.recording()
    down = packets.kind == DOWNLINK_KIND
    assert down.sum() == outcome.sent.sum() == 10 and (packets.point[down, 2] > len(scenario.region.channels_hz)).all()
    sent_s, received_s = (float((packets.end_s - packets.start_s)[kind].sum()) for kind in (~down, down))
    sleep_mw = 3.3 * 0.0006
    expected_mj = 132.0 * sent_s + 3.3 * 4.6 * received_s + sleep_mw * (1000.0 - sent_s - received_s)
    assert outcome.energy_mj[0, 0] == pytest.approx(expected_mj, rel=1e-9)


@pytest.mark.parametrize("form", [OneGateway, LogNormal, Rayleigh])
def test_closed_forms_expect_the_energy_that_the_air_counts(form):
    if form is OneGateway:
        scenario = journal_network(12, traffic=Traffic(interval_s=30.0, payload_bytes=20))
    elif form is LogNormal:
        scenario = norel_network(12, packets_per_s=0.02, feedback="free")
    else:
        scenario = replace(mmalora_network(12), device=DEVICES["sx1262"])
    scenario = replace(scenario, energy="states", receive_mj=0.0)
    sizes = scenario.region.factor_sizes
    points = np.random.default_rng(0).integers(0, sizes, (12, 4)).astype(np.int16)
    expectation = form(scenario).expect(points)
    outcome = Air(scenario, range(4)).advance(np.tile(points, (4, 1, 1)), 1e6)
    np.testing.assert_allclose(expectation.power_mw, outcome.power_mw.mean(axis=0), rtol=0.03)
    ee = outcome.delivered_bits.sum() / outcome.energy_mj.sum()
    assert expectation.ee_bits_per_mj == pytest.approx(ee, rel=0.03)
    if form is Rayleigh:
        np.testing.assert_allclose(form(scenario).ee_bits_per_mj(points), expectation.node_ee_bits_per_mj, rtol=1e-12)
    else:
        pairwise = form(scenario) if form is OneGateway else LogNormal(scenario, variant="pairwise")
        allocation = (OneGatewayIncremental if form is OneGateway else LogNormalIncremental)(pairwise, points)
        assert allocation.totals()[3] == pytest.approx(expectation.power_mw.sum(), rel=1e-12)
        np.testing.assert_allclose(allocation.try_points(3, points[3:4])[0], allocation.totals(), rtol=1e-9)


def test_currents_of_the_datasheet():
    assert [DEVICES["sx1261"].tx_currents[tp_dbm] for tp_dbm in (-17, 2, 14, 15)] == [5.2, 11.4, 25.5, 32.5]
    assert [DEVICES["sx1262"].tx_currents[tp_dbm] for tp_dbm in (-9, 14, 22)] == [24.0, 89.3, 117.9]


def test_battery_life_by_hand():
    scenario, _ = alone(battery=Battery(capacity_mah=1000.0, self_discharge_per_year=0.02))
    assert battery_life_years(scenario, 3.0 * 0.01) == pytest.approx(1000 / (0.01 * 8766 + 20))
    assert battery_life_years(scenario, 0.0) == pytest.approx(50.0)
    with pytest.raises(ValueError, match="scenario.energy: 'radiated' does not count all states"):
        battery_life_years(replace(scenario, energy="radiated"), 1.0)


def test_the_models_of_the_papers_count_as_before():
    scenario = norel_network(5)
    costs = energy_costs(scenario)
    np.testing.assert_array_equal(costs.windows_mj, scenario.receive_mj)
    assert (costs.rx_mw, costs.rx2_mj, costs.sleep_mw) == (0.0, 0.0, 0.0)
    np.testing.assert_allclose(costs.tp_mw, 3.3 * np.array([24.0, 25.0, 25.0, 32.0, 44.0]))


def test_slower_data_rates_cost_more_and_shorten_battery_life():
    scenario = journal_network(1, traffic=Traffic(interval_s=600.0, payload_bytes=20))
    scenario = replace(scenario, energy="states", propagation=Propagation(shadowing_db=0.0))
    points = scenario.region.points(sf=[7, 12], bw_hz=125e3, channel=0, tp_dbm=14)
    lives = [
        battery_life_years(scenario, OneGateway(scenario).expect(point[None]).power_mw)[0] for point in points
    ]  # fmt: skip
    assert 20.0 < lives[0] < 100.0 and 1.0 < lives[1] < 0.3 * lives[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"energy": "states", "receive_mj": 1.0}, "scenario.receive_mj: 1.0; energy 'states' counts receive windows"),
        (
            {"energy": "states", "device": Device(tx_currents={14: 20.0})},
            "device.tx_currents: has no current at 2 dBm; it has",
        ),
        ({"energy": "state"}, "scenario.energy: 'state' is not one of radiated, supply, states"),
    ],
)
def test_what_does_not_fit_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        replace(journal_network(2), **values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rx_ma": 0.0}, "device.rx_ma: 0.0 is not a number above 0"),
        ({"tx_currents": {14: -1.0}}, "device.tx_currents at 14 dBm: -1.0 is not a number above 0"),
        ({"sleep_ma": 600.0}, "device.sleep_ma: 600 .* mA"),
        ({"voltage_v": 3300.0}, "device.voltage_v: 3300 .* V"),
        ({"sleep_ma": 5.0}, "device.sleep_ma: 5.0 is not below the other states' 4.6 mA"),
    ],
)
def test_devices_are_checked(values, message):
    with pytest.raises(ValueError, match=message):
        Device(**values)


def test_a_file_names_a_device_or_states_one():
    small = {"topology": {"nodes": 3}, "energy": "states"}
    assert ScenarioConfig.model_validate(small).build().device == DEVICES["sx1261"]
    stated = {"voltage_v": 3.6, "tx_currents": {2 * k: 30.0 for k in range(1, 8)}, "sleep_ma": 0.01}
    scenario = ScenarioConfig.model_validate(
        small | {"device": stated, "battery": {"capacity_mah": 19000.0}}
    ).build()  # fmt: skip
    assert scenario.device.tx_currents[14.0] == 30.0 and scenario.device.rx_ma == 4.6
    assert scenario.battery.capacity_mah == 19000.0
    with pytest.raises(ValueError, match="device: 'sx1276' is no device; did you mean 'sx126"):
        ScenarioConfig.model_validate(small | {"device": "sx1276"})
