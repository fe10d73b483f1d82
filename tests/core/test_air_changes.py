"""A load that changes: packets generated, off times and packets on the air at the time of the change."""

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.scenario import Change
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, region


def played(scenario, until_s, sf=7):
    points = scenario.region.points(
        sf=np.full((1, scenario.nodes), sf), bw_hz=125e3, channel=0, tp_dbm=max(scenario.region.tp_dbm)
    )
    air = Air(scenario, [0], record=True)
    return air.advance(points, until_s), air.recording()[0]


def test_off_times_outlast_a_load_that_rises():
    """Waiting times shrink with the mean interval, but never into the off time of the packet sent before."""
    traffic = Traffic(interval_s=60.0, duty_cycle=0.05, after_end=False)
    rising = tuple(Change(at_s=at_s, values={"traffic.interval_s": 3000.0 / at_s}) for at_s in (100.0, 200.0, 300.0))
    _, packets = played(network(200, traffic=traffic, changes=rising), 600.0, sf=10)
    for n in range(200):
        from_node = packets.source == n
        starts_s, ends_s = packets.start_s[from_node], packets.end_s[from_node]
        assert (starts_s[1:] - ends_s[:-1] >= 19 * (ends_s - starts_s)[:-1] - 1e-9).all()


@pytest.mark.parametrize("factor", [0.1, 0.5, 2.0, 100.0])
def test_a_plain_poisson_process_follows_the_load_either_way(factor):
    """Generation goes on after the scaled waiting time.

    2,000 nodes, one mean interval after the change; 4 standard errors.
    """
    after_s = 10.0 * factor
    traffic = Traffic(interval_s=10.0, after_end=False, payload_bytes=1)
    change = Change(at_s=50.0, values={"traffic.interval_s": after_s})
    scenario = network(2000, traffic=traffic, changes=(change,))
    before, _ = played(scenario, 50.0)
    outcome, packets = played(scenario, 50.0 + after_s)
    generated = (packets.start_s >= 50.0).sum() + (outcome.dropped - before.dropped).sum()
    assert generated == pytest.approx(2000, abs=4 * np.sqrt(2000))


def test_periods_after_a_change_are_the_new_ones():
    change = Change(at_s=15.0, values={"traffic.interval_s": 20.0})
    traffic = Traffic(kind="periodic", interval_s=10.0, random_phase=False)
    _, packets = played(network(1, traffic=traffic, changes=(change,)), 100.0)
    assert packets.start_s == pytest.approx([0.0, 10.0, 25.0, 45.0, 65.0, 85.0])


def test_a_packet_on_the_air_keeps_its_payload():
    change = Change(at_s=1.0, values={"traffic.payload_bytes": 10})
    traffic = Traffic(kind="periodic", interval_s=100.0, random_phase=False, payload_bytes=200)
    near = network(1, spread_m=10.0, propagation=STILL, traffic=traffic, changes=(change,))
    outcome, packets = played(near, 50.0, sf=12)
    assert packets.end_s[0] > 1.0
    assert outcome.delivered_bits.tolist() == [[1600.0]]


@pytest.mark.parametrize(
    "values",
    [
        {"node_xy_m": np.zeros((9, 2))},
        {"gateway_xy_m": np.zeros((5, 2))},
        {"region": region(50)},
        {"reception.inter_sf": "sir_energy"},
        {"energy": "supply"},
    ],
)
def test_what_shapes_or_judges_the_air_cannot_change(values):
    path = next(iter(values))
    with pytest.raises(ValueError, match=f"changes: .*{path}"):
        replace(network(4), changes=(Change(at_s=1.0, values=values),))


OFF = {"interval_s": 20.0, "after_end": False, "payload_bytes": 20, "duty_cycle": 0.01}


@pytest.mark.parametrize("traffic", [{}, {"queued": True}, {"confirmed": True}])
def test_a_node_that_comes_back_keeps_its_off_time(traffic):
    """It leaves within two minutes of off time, and comes back within them."""
    changes = tuple(
        Change(at_s=at_s, values={"active": np.full(20, on)}) for at_s, on in ((100.0, False), (130.0, True))
    )
    scenario = network(20, traffic=Traffic(**OFF | traffic), propagation=STILL, changes=changes)
    outcome, packets = played(scenario, 1000.0, sf=12)
    assert (outcome.sent > 1).all()
    for n in range(20):
        from_node = packets.source == n
        starts_s, ends_s = packets.start_s[from_node], packets.end_s[from_node]
        assert (starts_s[1:] - ends_s[:-1] >= 99 * (ends_s - starts_s)[:-1] - 1e-9).all()


def test_an_episode_begins_without_off_times():
    scenario = network(20, traffic=Traffic(**OFF), propagation=STILL)
    points = scenario.region.points(sf=np.full((1, 20), 12), bw_hz=125e3, channel=0, tp_dbm=14.0)
    air = Air(scenario, [0])
    for _ in range(2):
        assert (air.advance(points, 130.0).sent > 0).mean() > 0.9
        air.begin_episode()
