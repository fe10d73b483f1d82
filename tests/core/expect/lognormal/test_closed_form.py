"""The log-normal closed form: golden data, the plain statement, laws, and the packet air."""

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.expect import integrals
from lora_marl.core.expect.integrals import chebyshev_points, fine_table, normal_cdf, read, survival_at
from lora_marl.core.expect.lognormal import LogNormal, joint, pairwise, reference
from lora_marl.core.expect.lognormal.reference import irredundant_covers, subsets
from lora_marl.core.presets import norel_network
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.traffic import Traffic

NETWORKS = json.loads(
    gzip.decompress((Path(__file__).parents[3] / "golden" / "norel" / "networks.json.gz").read_bytes())
)
CASES = [(net, number) for net in NETWORKS for number in range(len(net["results"]))]


def golden(net, published):
    """The scenario and points of a golden network."""
    xy_m, gateways = np.stack([net["x"], net["y"]], axis=1), np.array(net["gateways"], float)
    scenario = norel_network(len(xy_m), gateway_xy_m=gateways, packets_per_s=published["lambda_per_s"], feedback="free")
    air = replace(scenario.propagation, exponent=published["gamma"], shadowing_db=published["sigma_db"])
    scenario = replace(scenario, node_xy_m=xy_m, propagation=air)
    sf, tp = np.array(net["sf"]), np.array(net["tp"], float)
    return scenario, scenario.region.points(sf=sf, bw_hz=125e3, channel=0, tp_dbm=tp)


@pytest.mark.parametrize(
    ("net", "number"), CASES, ids=lambda value: value["name"] if isinstance(value, dict) else value
)
def test_compat_is_the_authors_model(net, number):
    published = net["results"][number]
    scenario, points = golden(net, published)
    model = LogNormal(scenario, variant="compat")
    delivery_pct = 100 * model.delivery(points)
    np.testing.assert_allclose(delivery_pct, published["delivery_ratio_pct"], rtol=0, atol=1e-8)
    if "prob_outage" in published:
        network = model.network(points)
        np.testing.assert_allclose(reference.outage(network), published["prob_outage"], rtol=0, atol=1e-9)
        for g in range(scenario.gateways):
            ours = reference.fatal(network, g, compat=True)
            for i in range(len(points)):
                theirs = np.zeros(len(points))
                for j, value in published["collision_prob"][i][g].items():
                    theirs[int(j)] = value
                theirs[i] = ours[i, i]
                np.testing.assert_allclose(ours[i], theirs, rtol=0, atol=1e-9)


def reachable(scenario):
    """Spreading factors and powers that reach the nearest gateway, less one standard deviation of the shadowing.

    Where none does, the largest spreading factor at the highest power. `[N, S, T]`
    """
    region = scenario.region
    sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz)
    margin_db = scenario.mean_gain_db().max(axis=-1)[:, None] - scenario.reception.sensitivities_dbm(sf, bw_hz)[:, 0]
    reaches = margin_db[..., None] + np.array(region.tp_dbm) - scenario.propagation.shadowing_db >= 0.0
    reaches[..., -1, -1] |= ~reaches.any(axis=(-2, -1))
    return reaches


def mixed(scenario, seed=0):
    """Points drawn uniformly from those that reach a gateway."""
    rng = np.random.default_rng(seed)
    sets = reachable(scenario).reshape(scenario.nodes, -1)
    actions = np.array([rng.choice(np.flatnonzero(allowed)) for allowed in sets])
    points = np.zeros((scenario.nodes, 4), np.int16)
    points[:, 0], points[:, 3] = np.divmod(actions, len(scenario.region.tp_dbm))
    points[:, 2] = rng.integers(0, len(scenario.region.channels_hz), scenario.nodes)
    return points


def min_sf(scenario):
    points = np.zeros((scenario.nodes, 4), np.int16)
    points[:, 0], points[:, 3] = reachable(scenario)[..., -1].argmax(axis=-1), len(scenario.region.tp_dbm) - 1
    return points


GATEWAYS = [[0, 0], [2000, 0], [0, 2000], [2000, 2000], [1000, 1000]]


@pytest.mark.parametrize("gateways", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("packets_per_s", [0.001, 0.005])
def test_compiled_pairs_are_the_reference(gateways, packets_per_s):
    scenario = norel_network(
        120, gateway_xy_m=GATEWAYS[:gateways], packets_per_s=packets_per_s, feedback="free", seed=gateways
    )
    model, points = LogNormal(scenario, variant="pairwise"), mixed(scenario)
    expected = reference.delivery(model.network(points), compat=False)
    np.testing.assert_allclose(model.delivery(points), expected, rtol=0, atol=1e-10)


def test_many_targets_of_a_class_are_read_off_a_smooth_function():
    scenario = norel_network(3000, packets_per_s=0.0003, feedback="free")
    model, points = LogNormal(scenario, variant="pairwise"), mixed(scenario)
    expected = reference.delivery(model.network(points), compat=False)
    np.testing.assert_allclose(model.delivery(points), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("nodes", [60, 300])
def test_pairs_of_one_gateway_bound_the_joint_model_from_below(nodes):
    scenario = norel_network(nodes, packets_per_s=0.005, feedback="free")
    points = mixed(scenario)
    gain = LogNormal(scenario).delivery(points) - LogNormal(scenario, variant="pairwise").delivery(points)
    assert gain.min() > -1e-9  # both are integrated numerically
    assert gain.mean() > 1e-3


@pytest.mark.parametrize("several", [{}, {"channels": 3}, {"payloads": True}])
def test_one_gateway_jointly_is_the_integral(several):
    scenario = norel_network(40, packets_per_s=0.005, feedback="free", seed=3)
    if "channels" in several:
        scenario = replace(scenario, region=replace(scenario.region, channels_hz=(868.1e6, 868.15e6, 868.5e6)))
    if "payloads" in several:
        payload = np.random.default_rng(0).integers(5, 50, 40)
        scenario = replace(scenario, traffic=replace(scenario.traffic, payload_bytes=payload))
    model, points = LogNormal(scenario), mixed(scenario, 1)
    net = model.network(points)
    together, sigma = reference.overlap(net), net.sigma_db
    expected = np.empty(40)
    for i in range(40):
        r = np.linspace(net.sensitivity_dbm[i], max(net.mean_dbm[i, 0], net.sensitivity_dbm[i]) + 9 * sigma, 8001)
        fatal = 0.5 * (1 + reference._erf((net.threshold_db[net.sf[i], net.sf] + net.mean_dbm[:, 0] - r[:, None])
                                                 / (sigma * math.sqrt(2))))  # fmt: skip
        density = np.exp(-0.5 * ((r - net.mean_dbm[i, 0]) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
        expected[i] = np.trapezoid(density * np.prod(1 - together[i] * fatal, axis=1), r)
    np.testing.assert_allclose(model.delivery(points), expected, rtol=0, atol=2e-6)


def played(scenario, points, hours, replicas=8):
    air = Air(scenario, range(replicas))
    fixed = np.repeat(points[None], replicas, axis=0)
    air.advance(fixed, 7200.0)
    outcome = air.advance(fixed, 7200.0 + 3600.0 * hours)
    return outcome.delivered.sum(axis=0) / outcome.sent.sum(axis=0)


@pytest.mark.parametrize(
    ("nodes", "radius_m", "gateways", "packets_per_s", "within"),
    [(500, 2000.0, 1, 0.001, 0.003), (300, 4000.0, 1, 0.005, 0.005), (400, 2000.0, 2, 0.001, 0.003),
     (300, 4000.0, 2, 0.005, 0.005)],
)  # fmt: skip
@pytest.mark.parametrize("choice", [min_sf, mixed])
def test_joint_is_what_the_packet_air_delivers(nodes, radius_m, gateways, packets_per_s, within, choice):
    places = [[0, 0], [3000, 0]][:gateways]
    scenario = norel_network(nodes, radius_m, gateway_xy_m=places, packets_per_s=packets_per_s, feedback="free", seed=1)
    points = choice(scenario)
    expected = LogNormal(scenario).delivery(points)
    simulated = played(scenario, points, 12 if packets_per_s > 0.002 else 40)
    assert abs(expected.mean() - simulated.mean()) < within
    assert np.sqrt(np.mean((expected - simulated) ** 2)) < 0.03


def test_two_gateways_far_apart_are_two_networks():
    scenario = norel_network(60, gateway_xy_m=[[0, 0], [500_000, 0]], packets_per_s=0.003, feedback="free")
    points = mixed(scenario)
    alone = []
    for half, x in ((slice(0, 30), 0.0), (slice(30, 60), 500_000.0)):
        half_network = replace(scenario, node_xy_m=scenario.node_xy_m[half] - [x, 0], gateway_xy_m=np.zeros((1, 2)))
        alone += LogNormal(half_network).delivery(points[half]).tolist()
    np.testing.assert_allclose(LogNormal(scenario).delivery(points), alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("variant", ["joint", "pairwise"])
@pytest.mark.parametrize("gateways", [1, 2])
def test_more_of_the_same_never_helps(variant, gateways):
    scenario = norel_network(50, gateway_xy_m=GATEWAYS[:gateways], feedback="free")
    points = mixed(scenario)
    traffics = [replace(scenario.traffic, interval_s=interval_s) for interval_s in (4000.0, 1000.0, 250.0)]
    busy = [LogNormal(replace(scenario, traffic=traffic), variant=variant).delivery(points) for traffic in traffics]
    assert np.all(busy[0] >= busy[1]) and np.all(busy[1] >= busy[2])
    silent = replace(scenario, active=np.arange(50) < 25)
    assert np.all(LogNormal(silent, variant=variant).delivery(points)[:25] >= busy[1][:25])


def test_alone_only_shadowing_counts():
    scenario = norel_network(1, feedback="free", seed=4)
    for points in (mixed(scenario, seed) for seed in range(5)):
        model = LogNormal(scenario)
        expected = 1 - reference.outage(model.network(points))[:, 0]
        np.testing.assert_allclose(model.delivery(points), expected, atol=1e-9)


def test_the_rate_is_what_nodes_send():
    scenario = norel_network(40, packets_per_s=0.005, feedback="free")
    points = mixed(scenario)
    expected = LogNormal(scenario).expect(points)
    outcome = Air(scenario, [0]).advance(points[None], 3e6)
    np.testing.assert_allclose(outcome.sent[0] / 3e6, expected.packets_per_s, rtol=0.05)
    np.testing.assert_allclose(outcome.energy_mj[0] / outcome.sent[0], expected.energy_mj, rtol=1e-9)


def test_without_shadowing_capture_decides():
    scenario = replace(
        norel_network(30, packets_per_s=0.005, feedback="free"), propagation=Propagation(shadowing_db=0.0)
    )
    points = min_sf(scenario)
    simulated = played(scenario, points, 12)
    assert abs(LogNormal(scenario).delivery(points).mean() - simulated.mean()) < 0.01


@pytest.mark.parametrize("nodes", [60, 600])
def test_one_gateways_integral_has_converged(nodes, monkeypatch):
    """To 1e-9: four times the points of the quadrature, and of the smooth function, change no more."""
    scenario = norel_network(nodes, packets_per_s=0.002, feedback="free")
    points = mixed(scenario)
    delivery = LogNormal(scenario).delivery(points)
    monkeypatch.setattr(joint, "_RULE", joint._rule(4 * joint.ORDER))
    monkeypatch.setattr(integrals, "POINTS_PER_SPREAD", 4 * integrals.POINTS_PER_SPREAD)
    np.testing.assert_allclose(LogNormal(scenario).delivery(points), delivery, rtol=0, atol=1e-9)
    assert delivery.min() < 0.9


@pytest.mark.parametrize("sigma_db", [0.1, 0.3])
def test_little_shadowing_is_summed_target_by_target(sigma_db):
    """Below some tenths of a dB the smooth function has too many features; the two ways agree where both serve."""
    scenario = replace(
        norel_network(60, packets_per_s=0.005, feedback="free"), propagation=Propagation(shadowing_db=sigma_db)
    )
    points = mixed(scenario)
    for variant in ("joint", "pairwise"):
        delivery = LogNormal(scenario, variant=variant).delivery(points)
        with pytest.MonkeyPatch.context() as patch:
            for module in (joint, pairwise):
                patch.setattr(module, "MOST_POINTS", 10**9 if sigma_db == 0.1 else 1)
            np.testing.assert_allclose(LogNormal(scenario, variant=variant).delivery(points), delivery, atol=1e-9)


def test_two_gateways_are_the_double_integral():
    scenario = norel_network(6, 1500.0, gateway_xy_m=((0, 0), (1500, 0)), packets_per_s=0.5, feedback="free")
    points = mixed(scenario)
    model = LogNormal(scenario)
    net, delivery = model.network(points), model.delivery(points)
    overlap = -np.expm1(-(net.airtime_s[None] + (net.airtime_s - net.spared_s)[:, None]) * net.rate_per_s[None])
    for i in range(6):
        r = [np.linspace(max(s := net.sensitivity_dbm[i], m - 28.0), max(s, m) + 28.0, 2401) for m in net.mean_dbm[i]]
        density = [np.exp(-0.5 * ((x - m) / 3.54) ** 2) / (3.54 * math.sqrt(2 * math.pi))
                   for x, m in zip(r, net.mean_dbm[i], strict=True)]  # fmt: skip
        alone, both = [np.ones(2401), np.ones(2401)], np.ones((2401, 2401))
        for j in set(range(6)) - {i}:
            clear = [phi((r[g] - net.threshold_db[net.sf[i], net.sf[j]] - net.mean_dbm[j, g]) / 3.54) for g in range(2)]
            for g in range(2):
                alone[g] *= 1 - overlap[i, j] * (1 - clear[g])
            both *= 1 - overlap[i, j] * (1 - np.outer(*clear))
        one = [np.trapezoid(alone[g] * density[g], r[g]) for g in range(2)]
        two = np.trapezoid(np.trapezoid(both * np.outer(*density), r[1], axis=1), r[0])
        assert delivery[i] == pytest.approx(one[0] + one[1] - two, abs=2e-5)
    assert delivery.min() < 0.96


def phi(x):
    return 0.5 * np.vectorize(math.erfc)(-x / math.sqrt(2))


@pytest.mark.parametrize(("members", "count"), [(1, 1), (2, 2), (3, 8), (4, 49), (5, 462)])
def test_irredundant_covers(members, count):
    covers, whole = irredundant_covers(members), (1 << members) - 1
    assert len(set(covers)) == len(covers) == count
    for cover in covers[:60]:
        assert np.bitwise_or.reduce(cover) == whole
        for left_out in range(len(cover)):
            rest = cover[:left_out] + cover[left_out + 1 :]
            assert not rest or np.bitwise_or.reduce(rest) != whole
    assert len(subsets(whole)) == whole


def test_the_tabulated_normal_distribution():
    for x in np.linspace(-9.5, 9.5, 5001):
        assert abs(normal_cdf(x) - 0.5 * math.erfc(-x / math.sqrt(2))) < 1e-14


@pytest.mark.parametrize("spread_db", [1.0, 3.54, 10.0])
def test_the_smooth_function_is_read_exactly(spread_db):
    rng = np.random.default_rng(0)
    overlap, loud_dbm = rng.uniform(0, 0.003, 500), rng.uniform(-140, -60, 500)
    low, high = -137.0, -50.0
    values = survival_at(chebyshev_points(low, high, spread_db), overlap, loud_dbm, spread_db)
    table, step = fine_table(low, high, values, spread_db)
    at = rng.uniform(low, high, 2000)
    expected = survival_at(at, overlap, loud_dbm, spread_db)
    np.testing.assert_allclose([read(table, low, step, r) for r in at], expected, rtol=0, atol=1e-9)
    assert expected.min() < -0.5


def test_a_ninth_gateway_in_reach_is_too_many():
    scenario = norel_network(6, 100.0, gateway_xy_m=[[x, 0] for x in range(9)], feedback="free")
    with pytest.raises(ValueError, match="9 gateways in reach"):
        LogNormal(scenario).delivery(min_sf(scenario))
    eight = replace(scenario, gateway_xy_m=scenario.gateway_xy_m[:8])
    assert LogNormal(eight).delivery(min_sf(eight)).min() > 0.9
    # None of 15 in reach, each of which hears some packets: those left out would hear what no other does.
    scenario = replace(scenario, gateway_xy_m=np.stack([np.arange(15.0), np.full(15, 3100.0)], axis=1))
    with pytest.raises(ValueError, match="15 gateways in reach"):
        LogNormal(scenario).delivery(min_sf(scenario))


def test_a_node_more_than_one_sigma_below_the_sensitivity_is_heard_at_times():
    scenario = norel_network(40, 2000.0, gateway_xy_m=[[0, 0]], packets_per_s=0.001, feedback="free", seed=1)
    scenario = replace(scenario, node_xy_m=np.concatenate([[[3700.0, 0.0]], scenario.node_xy_m[1:]]))
    points = np.zeros((40, 4), np.int16)
    points[:, 3] = 4
    simulated = played(scenario, points, 200)
    assert 0.1 < simulated[0] < 0.13
    expected = LogNormal(scenario).delivery(points)
    for far in ([], [[1e6, 0]], [[1e6, 0], [0, 1e6]]):
        further = replace(scenario, gateway_xy_m=np.array([[0, 0], *far], float))
        np.testing.assert_allclose(LogNormal(further).delivery(points), expected, rtol=0, atol=1e-12)
        by_pairs = LogNormal(further, variant="pairwise").delivery(points)
        assert by_pairs[0] == pytest.approx(simulated[0], abs=0.01)
        np.testing.assert_allclose(by_pairs, LogNormal(scenario, variant="pairwise").delivery(points), atol=1e-9)
    assert LogNormal(scenario, variant="compat").delivery(points)[0] == 0.0  # as the authors' code


@pytest.mark.parametrize("radius_m", [2000.0, 4000.0])
@pytest.mark.parametrize("gateways", [3, 5])
def test_pairs_at_several_gateways_are_near_the_packet_air(radius_m, gateways):
    scenario = norel_network(
        300, radius_m, gateway_xy_m=GATEWAYS[:gateways], packets_per_s=0.005, feedback="free", seed=1
    )
    points = np.zeros((300, 4), np.int16)
    points[:, 3] = 4
    expected, simulated = LogNormal(scenario).delivery(points), played(scenario, points, 6)
    assert abs(expected.mean() - simulated.mean()) < 0.02
    assert np.sqrt(np.mean((expected - simulated) ** 2)) < 0.03


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"propagation": Propagation(fading="rayleigh")}, "propagation.fading: 'rayleigh'"),
        ({"propagation": Propagation(shadowing="link")}, "propagation.shadowing: 'link'"),
        ({"reception": Reception(inter_sf="sinr")}, "reception.inter_sf: 'sinr'"),
        ({"traffic": Traffic(kind="periodic")}, "traffic.kind: 'periodic'"),
        ({"reception": Reception(inter_sf="none", demodulators=8)}, "reception.demodulators: 8"),
    ],
)
def test_physics_that_the_formula_lacks_is_named(values, named):
    with pytest.raises(ValueError, match=named):
        LogNormal(replace(norel_network(3, feedback="free"), **values))


def test_unknown_variants_and_rates_are_named():
    with pytest.raises(ValueError, match="variant: 'exact' is not one of joint, pairwise, compat"):
        LogNormal(norel_network(3), variant="exact")
    with pytest.raises(ValueError, match="rate: 'true' is not one of linear, linear_clipped, renewal"):
        LogNormal(norel_network(3), rate="true")
