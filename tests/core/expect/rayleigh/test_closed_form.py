"""The Rayleigh closed form: golden data, the reference, laws."""

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core import phy
from lora_marl.core.expect.rayleigh import Rayleigh, reference
from lora_marl.core.presets import mmalora_network
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.traffic import Traffic
from tests.core.expect.rayleigh.networks import BUSY, GOLDEN, golden, random_points

VARIANTS = ("expect", "meang", "joint")


@pytest.mark.parametrize("case", GOLDEN["toa"], ids=lambda case: f"sf{case['sf']}-{case['bw']:.0f}-cr{case['cr']}")
def test_airtimes(case):
    airtime_s = phy.airtime_s(
        case["sf"], case["L"], bw_hz=case["bw"], coding_rate=case["cr"] - 4, low_data_rate="sf11_125khz"
    )
    assert 1e3 * airtime_s == pytest.approx(case["toa_ms"], rel=1e-14)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_golden_networks(case, variant):
    scenario, points = golden(case)
    golden_values, model = case[variant], Rayleigh(scenario, variant=variant)
    expectation = model.expect(points)
    near = {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(expectation.airtime_s, case["toa_s"], rtol=1e-14)
    np.testing.assert_allclose(expectation.delivery, golden_values["D_i"], **near)
    np.testing.assert_allclose(expectation.node_ee_bits_per_mj, golden_values["EE_i_bits_per_mJ"], **near)
    assert expectation.ee_sum_bits_per_mj == pytest.approx(golden_values["system_EE"], rel=1e-9)
    by_gateway = reference.gateway_delivery(model.tables, points, variant)
    np.testing.assert_allclose(by_gateway, golden_values["D_ik"], **near)
    if variant != "joint":
        np.testing.assert_allclose(model.gateway_delivery(points), by_gateway, **near)


def several_payloads(scenario):
    rng = np.random.default_rng(5)
    payload, interval_s = rng.integers(5, 50, scenario.nodes), rng.uniform(100.0, 900.0, scenario.nodes)
    return replace(scenario, traffic=replace(scenario.traffic, payload_bytes=payload, interval_s=interval_s))


CHANGED = {
    "as is": lambda scenario: scenario,
    "several payloads and intervals": several_payloads,
    "channels overlap": lambda scenario: replace(
        scenario, region=replace(scenario.region, channels_hz=(868e6, 868.1e6, 868.2e6))
    ),
    "channels differ": lambda scenario: replace(scenario, channel_loss_db=np.array([0.0, 6.0])),
    "only collisions within a spreading factor": lambda scenario: replace(
        scenario, reception=replace(scenario.reception, inter_sf="none", sir_db=None)
    ),
    "any overlap is fatal": lambda scenario: replace(
        scenario, reception=replace(scenario.reception, capture_db=np.inf)
    ),
    "some are off": lambda scenario: replace(scenario, active=np.arange(scenario.nodes) % 3 > 0),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
@pytest.mark.parametrize("gateways", [1, 2, 4])
def test_compiled_is_the_reference(gateways, changed, variant):
    scenario = changed(mmalora_network(50, gateways, seed=gateways, **BUSY))
    model, points = Rayleigh(scenario, variant=variant), random_points(scenario, gateways)
    expected = reference.delivery(model.tables, points, variant)
    np.testing.assert_allclose(model.delivery(points), expected, rtol=1e-9, atol=1e-12)
    assert 0.05 < expected.mean() < 0.95


@pytest.mark.parametrize("variant", VARIANTS)
def test_alone_only_fading_counts(variant):
    scenario = mmalora_network(1, 1, seed=4)
    model = Rayleigh(scenario, variant=variant)
    for seed in range(5):
        points = random_points(scenario, seed)
        tp_dbm, sf = scenario.region.tp_dbm[points[0, 3]], points[0, 0]
        mean_dbm = tp_dbm + scenario.mean_gain_db()[0, 0]
        margin_db = mean_dbm - scenario.reception.sensitivity_dbm[sf, 0]
        assert model.delivery(points)[0] == pytest.approx(np.exp(-(10 ** (-margin_db / 10))), rel=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_undisturbed_delivery_is_that_of_a_node_alone(variant):
    scenario = replace(mmalora_network(5, 3), channel_loss_db=np.array([0.0, 3.0, 6.0, 9.0]))
    channel = np.array([0, 1, 2, 3, 1])
    undisturbed = Rayleigh(scenario, variant=variant).undisturbed_delivery(channel)
    assert undisturbed.shape == (5, 6, 7)
    for node in range(5):
        single = Rayleigh(replace(scenario, node_xy_m=scenario.node_xy_m[node : node + 1]), variant=variant)
        for sf, tp in ((0, 0), (2, 5), (5, 6)):
            point = np.array([[sf, 0, channel[node], tp]], np.int16)
            assert undisturbed[node, sf, tp] == pytest.approx(single.delivery(point)[0], rel=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_more_of_the_same_never_helps_and_gateways_never_harm(variant):
    scenario = mmalora_network(60, 3, seed=2, **BUSY)
    points = random_points(scenario)
    slower = [replace(scenario.traffic, interval_s=interval_s) for interval_s in (4000.0, 1000.0, 250.0)]
    busy = [
        Rayleigh(replace(scenario, traffic=traffic), variant=variant, rate="renewal").delivery(points)
        for traffic in slower
    ]
    assert np.all(busy[0] > busy[1]) and np.all(busy[1] > busy[2])
    fewer = replace(scenario, gateway_xy_m=scenario.gateway_xy_m[:2])
    assert np.all(
        Rayleigh(fewer, variant=variant).delivery(points) <= Rayleigh(scenario, variant=variant).delivery(points)
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_louder_node_gains_and_the_others_of_its_channel_lose(variant):
    scenario = mmalora_network(40, 2, seed=3, **BUSY)
    model, points = Rayleigh(scenario, variant=variant), random_points(scenario)
    points[0, 3], louder = 2, points.copy()
    louder[0, 3] = 6
    before, after = model.delivery(points), model.delivery(louder)
    same = points[:, 2] == points[0, 2]
    assert after[0] > before[0]
    assert np.all(after[same][1:] <= before[same][1:] + 1e-15) and after[same][1:].sum() < before[same][1:].sum() - 1e-6
    assert np.all(after[~same] == before[~same])


def test_targets_are_rows_and_interferers_columns_of_the_sir_matrix():
    scenario = mmalora_network(2, 1, channels=1, node_xy_m=[[3000.0, 0], [0, 3000.0]], gateway_xy_m=[[0.0, 0.0]])
    points = scenario.region.points(sf=[12, 7], bw_hz=125e3, channel=0, tp_dbm=20.0)
    needed = 10 ** (np.array([scenario.reception.sir_db[5, 0], scenario.reception.sir_db[0, 5]]) / 10)
    airtime_s, spared_s = np.array([1.318912, 0.056576]), 3 * np.array([2**12, 2**7]) / 125e3
    rates_per_s = 0.001 * (1 - 99 * 0.001 * airtime_s)
    overlap = 1 - np.exp(-rates_per_s[::-1] * (airtime_s.sum() - spared_s))
    margin = 20.0 + scenario.mean_gain_db()[:, 0] - np.array([-137.0, -123.0])
    expected = np.exp(-(10 ** (-margin / 10))) * (overlap / (1 + needed) + 1 - overlap)
    np.testing.assert_allclose(Rayleigh(scenario).delivery(points), expected, rtol=1e-9)


def test_gateways_far_apart_are_networks_of_their_own():
    scenario = mmalora_network(40, 2, gateway_xy_m=[[0, 0], [4e7, 0]], seed=1, **BUSY)
    points, near = random_points(scenario), scenario.node_xy_m[:, 0] < 2e7
    for variant in VARIANTS:
        together = Rayleigh(scenario, variant=variant).delivery(points)
        for half, site in ((near, 0), (~near, 1)):
            network = replace(
                scenario, node_xy_m=scenario.node_xy_m[half], gateway_xy_m=scenario.gateway_xy_m[site : site + 1]
            )
            np.testing.assert_allclose(
                Rayleigh(network, variant=variant).delivery(points[half]), together[half], rtol=1e-9, atol=1e-12
            )


def test_replicas_are_placements_of_their_own():
    scenario = mmalora_network(8, 1, **BUSY)
    several = replace(scenario, node_xy_m=np.stack([scenario.node_xy_m, scenario.node_xy_m[::-1]]))
    points = random_points(scenario)
    np.testing.assert_array_equal(Rayleigh(several, replica=0).delivery(points), Rayleigh(scenario).delivery(points))
    assert (Rayleigh(several, replica=1).delivery(points) != Rayleigh(scenario).delivery(points)).any()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"propagation": Propagation(shadowing_db=0.0)}, "propagation.fading: 'none' has no Rayleigh closed form"),
        ({"propagation": Propagation(fading="rayleigh")}, "propagation.shadowing_db: 7.8"),
        ({"reception": Reception(inter_sf="sinr")}, "reception.inter_sf: 'sinr'"),
        ({"reception": Reception(inter_sf="none", spares="pair")}, "reception.spares: 'pair'"),
        ({"reception": Reception(inter_sf="none", demodulators=8)}, "reception.demodulators: 8"),
        ({"traffic": Traffic(kind="periodic")}, "traffic.kind: 'periodic'"),
    ],
)
def test_physics_that_the_formula_lacks_is_named(values, named):
    with pytest.raises(ValueError, match=named):
        Rayleigh(replace(mmalora_network(3, 1), **values))


def test_what_is_asked_wrongly_is_named():
    scenario = mmalora_network(3, 1)
    points = random_points(scenario)
    with pytest.raises(ValueError, match="variant: 'exact' is not one of expect, meang, joint"):
        Rayleigh(scenario, variant="exact")
    with pytest.raises(ValueError, match="rate: 'true' is not one of linear, linear_clipped, renewal"):
        Rayleigh(scenario, rate="true")
    with pytest.raises(ValueError, match="scenario has 11 gateways"):
        Rayleigh(replace(scenario, gateway_xy_m=np.zeros((11, 2))), variant="joint")
    with pytest.raises(ValueError, match="this needs expect or meang"):
        Rayleigh(scenario, variant="joint").gateway_delivery(points)
    with pytest.raises(ValueError, match=r"points are int16 \(2, 4\): they must be int16 \[3, 4\]"):
        Rayleigh(scenario).delivery(points[:2])
    points[1, 3] = 7
    with pytest.raises(ValueError, match="tp index is 7"):
        Rayleigh(scenario).delivery(points)
