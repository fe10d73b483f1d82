"""Nodes that hop, in every closed form: against the packet air, and one channel for all that are alike."""

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.expect import (
    LogNormal,
    LogNormalIncremental,
    OneGateway,
    OneGatewayIncremental,
    Rayleigh,
    RayleighIncremental,
)
from lora_marl.core.expect.hopping import channel_rows
from lora_marl.core.presets import journal_network, mmalora_network, norel_network
from lora_marl.core.region import CHANNEL, HOP, REGIONS
from lora_marl.core.traffic import Traffic

CHANNELS_HZ = (868.1e6, 868.3e6, 868.5e6)
NODES = 40


def journal(channels_hz=CHANNELS_HZ):
    network = journal_network(NODES, traffic=Traffic(interval_s=10.0, payload_bytes=20))
    return replace(network, region=replace(network.region, channels_hz=channels_hz))


def norel(gateways):
    network = norel_network(NODES, gateway_xy_m=[[0, 0], [2000, 0], [0, 2000]][:gateways], packets_per_s=0.02,
                            feedback="free")  # fmt: skip
    return replace(network, region=replace(network.region, channels_hz=CHANNELS_HZ))


def mmalora():
    network = mmalora_network(NODES)
    network = replace(network, region=replace(network.region, channels_hz=CHANNELS_HZ))
    return replace(network, traffic=replace(network.traffic, interval_s=20.0, duty_cycle=None))


FORMS = {
    "one gateway": (lambda: OneGateway(journal()), 0.01),
    "log-normal, one gateway": (lambda: LogNormal(norel(1)), 0.01),
    "log-normal, three gateways": (lambda: LogNormal(norel(3)), 0.02),
    "Rayleigh": (lambda: Rayleigh(mmalora(), variant="joint", rate="renewal"), 0.01),
}


def drawn(scenario, hops):
    """Points drawn at random; the first `hops` nodes hop."""
    sizes = scenario.region.factor_sizes
    points = np.random.default_rng(1).integers(0, sizes, (scenario.nodes, 4)).astype(np.int16)
    points[:hops, CHANNEL] = HOP
    return points


@pytest.mark.parametrize("hops", [NODES, NODES // 2])
@pytest.mark.parametrize("name", FORMS)
def test_hopping_is_as_on_the_air(name, hops):
    make, within = FORMS[name]
    form = make()
    scenario = replace(form.scenario, channel_loss_db=np.array([0.0, 6.0, 0.0])) if hops < NODES else form.scenario
    form = type(form)(scenario, **({"variant": "joint", "rate": "renewal"} if name == "Rayleigh" else {}))
    points = drawn(scenario, hops)
    expectation = form.expect(points)
    outcome = Air(scenario, range(8)).advance(np.tile(points, (8, 1, 1)), 2e4)
    delivery = outcome.delivered.sum(axis=0) / outcome.sent.sum(axis=0)
    assert expectation.pdr == pytest.approx(outcome.delivered.sum() / outcome.sent.sum(), abs=within)
    assert np.sqrt(np.mean((delivery - expectation.delivery) ** 2)) < 0.025
    np.testing.assert_allclose(expectation.packets_per_s, outcome.sent.sum(axis=0) / 1.6e5, rtol=0.05)


@pytest.mark.parametrize("name", FORMS)
def test_one_channel_stands_for_all_that_are_alike(name):
    form = FORMS[name][0]()
    points = drawn(form.scenario, NODES)
    assert len(channel_rows(form.scenario, points).node) == NODES
    # An immeasurable difference between the channels spreads the nodes over them.
    loss_db = np.array([0.0, 1e-9, 0.0])
    options = {"variant": "joint", "rate": "renewal"} if name == "Rayleigh" else {}
    spread = type(form)(replace(form.scenario, channel_loss_db=loss_db), **options)
    assert len(channel_rows(spread.scenario, points).node) == 3 * NODES
    np.testing.assert_allclose(spread.expect(points).delivery, form.expect(points).delivery, rtol=1e-6)


def test_channels_that_overlap():
    scenario = journal((868.1e6, 868.2e6, 868.3e6))
    scenario = replace(scenario, traffic=replace(scenario.traffic, interval_s=40.0))  # interferers do not add up
    points = drawn(scenario, NODES // 2)
    expectation = OneGateway(scenario).expect(points)
    outcome = Air(scenario, range(8)).advance(np.tile(points, (8, 1, 1)), 8e4)
    assert expectation.pdr == pytest.approx(outcome.delivered.sum() / outcome.sent.sum(), abs=0.01)


def us915():
    network = journal_network(NODES, traffic=Traffic(interval_s=10.0, payload_bytes=11))
    return replace(network, region=REGIONS["US915-FSB2"])


def test_channels_that_take_some_data_rates_only_are_as_on_the_air():
    """A node on the channel of 500 kHz has its data rate, and one that hops the channels of its own."""
    scenario = us915()
    points = drawn(scenario, 20)
    hops = points[:, CHANNEL] == HOP
    points[hops, :2] = np.where(points[hops, 1:2] == 1, [1, 1], points[hops, :2])  # the rate at 500 kHz is SF8
    points[20:24, :3] = [[3, 0, 8], [0, 1, 8], [3, 1, 0], [1, 1, 8]]
    expectation = OneGateway(scenario).expect(points)
    outcome = Air(scenario, range(8)).advance(np.tile(points, (8, 1, 1)), 2e4)
    delivery = outcome.delivered.sum(axis=0) / outcome.sent.sum(axis=0)
    assert expectation.pdr == pytest.approx(outcome.delivered.sum() / outcome.sent.sum(), abs=0.01)
    assert np.sqrt(np.mean((delivery - expectation.delivery) ** 2)) < 0.025
    np.testing.assert_allclose(expectation.airtime_s, (outcome.airtime_s.sum(0) / outcome.sent.sum(0)), rtol=1e-6)


def test_an_allocation_that_follows_moves_has_the_data_rates_of_its_channels():
    closed_form = OneGateway(us915())
    points = drawn(closed_form.scenario, 0)
    moved = points.copy()
    moved[3] = [3, 0, 8, 2]
    allocation = OneGatewayIncremental(closed_form, points)
    tried = allocation.try_points(3, moved[3:4])[0]
    allocation.move(3, moved[3])
    assert allocation.points[3].tolist() == [1, 1, 8, 2]  # SF8 at 500 kHz
    expectation = closed_form.expect(moved)
    for totals in (tried, allocation.totals()):
        assert totals[1] == pytest.approx(expectation.packets_per_s @ expectation.delivery, rel=1e-9)


def test_what_forms_lack_of_such_channels_is_named():
    closed_form = OneGateway(us915())
    with pytest.raises(ValueError, match="channel is hop .* at SF10/500 kHz, which no channel of region US915-FSB2"):
        closed_form.expect(np.tile(np.array([3, 1, HOP, 0], np.int16), (NODES, 1)))
    network = norel(1)
    some = replace(network.region, channel_data_rates=((), (), ((7, 125e3),)))
    with pytest.raises(ValueError, match="region.channel_data_rates: .* has no log-normal closed form"):
        LogNormal(replace(network, region=some))


@pytest.mark.parametrize(("form", "network"), [(LogNormal, norel(1)), (Rayleigh, mmalora())])
def test_other_forms_take_channels_that_do_not_overlap(form, network):
    network = replace(network, region=replace(network.region, channels_hz=(868.1e6, 868.2e6, 868.3e6)))
    with pytest.raises(ValueError, match=r"points: channel is hop \(-1\).* where channels do not overlap"):
        form(network).expect(drawn(network, 1))


@pytest.mark.parametrize(
    ("form", "incremental"),
    [
        (lambda: OneGateway(journal()), OneGatewayIncremental),
        (lambda: LogNormal(norel(1), variant="pairwise"), LogNormalIncremental),
        (lambda: Rayleigh(mmalora()), RayleighIncremental),
    ],
)
def test_forms_that_are_kept_up_to_date_take_named_channels(form, incremental):
    closed_form = form()
    with pytest.raises(ValueError, match=r"points: channel is hop \(-1\)"):
        incremental(closed_form, drawn(closed_form.scenario, 1))
