"""Measured links: against the plain statement, each part by hand, and nothing where they are off."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_marl.config.scenario import ScenarioConfig
from lora_marl.core import links_reference
from lora_marl.core.air import Air
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.links import Links
from lora_marl.core.outcome import Packets
from lora_marl.core.reception import Fate, Reception
from lora_marl.core.scenario import Change
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, random_points, region, timed
from tests.core.test_reference import AIRS, RULES, WIDE, overall, played

NODES, CHANNELS = 20, 3
RX1 = replace(PAPERS_DOWNLINK, windows="rx1", rx1_duty_cycle=None)


def everything(gateways, seed=0, channels=CHANNELS, nodes=NODES):
    """All parts at once, with values drawn at random."""
    rng = np.random.default_rng(seed)
    return Links(
        path_loss_db=rng.uniform(118.0, 142.0, (nodes, gateways, channels)),
        spread_db=rng.uniform(0.0, 3.0, (nodes, gateways)),
        sensitivity_db=rng.uniform(-3.0, 3.0, gateways),
        slow_db=2.0,
        slow_s=rng.uniform(20.0, 200.0, (nodes, gateways)),
        channel_slow_db=rng.uniform(0.0, 3.0, gateways),
        channel_slow_s=50.0,
        noise_db=rng.uniform(0.0, 6.0, (gateways, channels)),
        off=((0, 5.0, 9.0), (0, 20.0, 22.0), (gateways - 1, 12.0, 14.0)),
        groups={"roof": tuple(range(min(gateways, 2)))},
        group_share=0.6,
        missed_share=rng.uniform(0.0, 0.2, (nodes, gateways)),
        lost_share=0.1,
    )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule=RULES, propagation=AIRS, gateways=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_fates_are_those_of_the_plain_statement(rule, propagation, gateways, seed):
    traffic = Traffic(interval_s=4.0, payload_bytes=np.resize([20, 50, 200], NODES))
    scenario = network(
        NODES, seed=seed, gateways=gateways, region=WIDE, reception=rule, propagation=propagation, traffic=traffic,
        links=everything(gateways, seed),
    )  # fmt: skip
    packets, receptions, fates = played(scenario, seed)
    ended = packets.fate >= 0
    assert ended.sum() > 30
    np.testing.assert_array_equal(receptions.fate[ended], fates[ended])
    np.testing.assert_array_equal(packets.fate[ended], overall(fates, receptions.rssi_dbm)[ended])


@pytest.mark.parametrize("stated", [True, False])
def test_received_powers_are_those_of_the_plain_statement(stated):
    links = everything(3)
    links = links if stated else replace(links, path_loss_db=None, spread_db=None)
    scenario = network(NODES, gateways=3, links=links, channel_loss_db=np.array([0.0, 2.0, 4.0]))
    air = Air(scenario, [5], record=True)
    air.advance(random_points(scenario), 60.0)
    packets, receptions = air.recording()
    assert len(packets.source) > 100
    expected_dbm = links_reference.received_dbm(scenario, packets, 5)
    np.testing.assert_allclose(receptions.rssi_dbm, expected_dbm, rtol=0, atol=1e-9)


def test_a_downlink_has_the_link_of_its_uplink_and_a_spread_of_its_own():
    links = replace(everything(3), off=(), lost_share=0.0, slow_s=200.0, path_loss_db=None, noise_db=0.0)
    traffic = Traffic(interval_s=40.0, payload_bytes=20, confirmed=True, after_end=False)
    scenario = network(NODES, gateways=3, links=links, traffic=traffic, feedback="downlink", downlink=RX1)
    air = Air(scenario, [5], record=True)
    air.advance(random_points(scenario), 300.0)
    packets, receptions = air.recording()
    down, ends_s = packets.kind == 1, {}
    for n, index, end_s, kind in zip(packets.source, packets.index, packets.end_s, packets.kind, strict=True):
        ends_s |= {(n, index): end_s} if kind == 0 else {}
    downlinks = Packets(**{field.name: getattr(packets, field.name)[down] for field in fields(Packets)})
    answered_s = np.array([ends_s[key] for key in zip(downlinks.source, downlinks.index, strict=True)])
    assert len(answered_s) > 30
    expected_dbm = links_reference.downlink_dbm(scenario, downlinks, answered_s, 5)
    np.testing.assert_allclose(receptions.rssi_dbm[down, 0], expected_dbm, rtol=0, atol=1e-9)


def test_losses_by_channel_may_differ_by_replica():
    loss_db = np.full((2, 1, 1, 3), 100.0)
    loss_db[1] = 200.0
    scenario = network(1, propagation=STILL, links=Links(path_loss_db=loss_db))
    points = np.zeros((2, 1, 4), np.int16)
    outcome = Air(scenario, [0, 0], threads=2).advance(points, 3000.0)
    assert outcome.delivered[0, 0] == outcome.sent[0, 0] > 100 and outcome.delivered[1, 0] == 0
    assert scenario.placements == 2 and scenario.replica(1).links.path_loss_db.shape == (1, 1, 3)
    with pytest.raises(ValueError, match="scenario.links.path_loss_db: 2 replicas; allowed are 1 or 3"):
        Air(scenario, [0, 1, 2])


def test_links_change_on_schedule():
    """The second packet of three meets each change; what may not change is said."""
    loss_db = np.full((1, 1, 3), 100.0)
    for name, value in {
        "path_loss_db": loss_db + 60.0,
        "noise_db": 60.0,
        "sensitivity_db": 60.0,
        "lost_share": 1.0,
    }.items():
        changes = tuple(
            Change(at_s=at_s, values={f"links.{name}": values})
            for at_s, values in ((5.0, value), (15.0, loss_db if name == "path_loss_db" else 0.0))
        )
        traffic = Traffic(kind="periodic", interval_s=10.0, random_phase=False, payload_bytes=20)
        scenario = network(1, propagation=STILL, traffic=traffic, links=Links(path_loss_db=loss_db), changes=changes)
        air = Air(scenario, [0], record=True)
        air.advance(np.array([[[0, 0, 0, 6]]], np.int16), 25.0)
        assert (air.recording()[0].fate == Fate.DELIVERED).tolist() == [True, False, True], name
    with pytest.raises(ValueError, match="scenario.changes: 'links.slow_s' at 1.0 s cannot change"):
        network(1, links=Links(), changes=(Change(at_s=1.0, values={"links.slow_s": 5.0}),))
    with pytest.raises(ValueError, match="'links.noise_db' at 1.0 s cannot change"):
        network(1, changes=(Change(at_s=1.0, values={"links.noise_db": 5.0}),))


def test_links_without_any_part_change_nothing():
    scenario = network(NODES, gateways=2)
    points = random_points(scenario)
    plain, linked = (Air(each, [3]).advance(points, 100.0) for each in (scenario, replace(scenario, links=Links())))
    for name in ("delivered", "below_sensitivity", "interfered", "collided"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(linked, name))


def test_a_slow_term_has_its_spread_and_its_time_constant():
    links = Links(slow_db=3.0, slow_s=3200.0, groups={"roof": (0, 1)}, group_share=0.5)
    traffic = Traffic(kind="periodic", interval_s=100.0, random_phase=False, payload_bytes=20)
    scenario = network(60, gateways=3, propagation=STILL, traffic=traffic, links=links)
    air = Air(scenario, [0], record=True)
    air.advance(np.zeros((1, 60, 4), np.int16), 64_000.0)
    packets, receptions = air.recording()
    power_dbm = receptions.rssi_dbm[np.lexsort((packets.index, packets.source))].reshape(60, -1, 3)
    slow_db = power_dbm - scenario.mean_gain_db()[:, None] - scenario.region.tp_dbm[0]
    assert slow_db.std() == pytest.approx(3.0, rel=0.08)
    after = (slow_db[:, 32:] * slow_db[:, :-32]).mean() / slow_db.var()
    assert after == pytest.approx(np.exp(-1.0), abs=0.08)
    together = np.corrcoef(slow_db.reshape(-1, 3).T)
    assert together[0, 1] == pytest.approx(0.5, abs=0.1) and abs(together[0, 2]) < 0.1


def test_slow_terms_do_not_depend_on_who_sends_when_or_on_calls():
    links = Links(slow_db=3.0, slow_s=50.0, channel_slow_db=2.0, channel_slow_s=100.0)
    scenario = network(4, propagation=STILL, links=links)
    rare = replace(scenario, traffic=Traffic(interval_s=40.0))
    powers = {}
    for each in (scenario, rare):
        air = Air(each, [1], record=True)
        for until_s in np.linspace(10.0, 400.0, 7):
            air.advance(np.zeros((1, 4, 4), np.int16), float(until_s))
        packets, receptions = air.recording()
        for source, start_s, rssi_dbm in zip(packets.source, packets.start_s, receptions.rssi_dbm[:, 0], strict=True):
            # The shorter time constant changes every 50 / 32 s, the longer one every 100 / 32 s.
            step = (int(source), int(start_s / (50.0 / 32)), int(start_s / (100.0 / 32)))
            assert powers.setdefault(step, rssi_dbm) == rssi_dbm
    assert len(set(powers.values())) > 100


def test_an_episode_goes_on_where_the_last_one_ended_and_snapshots_do():
    links = everything(2)
    scenario = network(NODES, gateways=2, links=links)
    points = random_points(scenario)
    air = Air(scenario, [2])
    air.advance(points, 100.0)
    air.begin_episode()
    first = air.advance(points, 50.0)
    resumed = Air(scenario, [2])
    resumed.load_state_dict(air.state_dict())
    one, other = air.advance(points, 200.0), resumed.advance(points, 200.0)
    np.testing.assert_array_equal(one.delivered, other.delivered)
    assert air.state_dict()["slow_from_s"][0, 0] == 100.0 and first.sent.sum() > 0
    with pytest.raises(ValueError, match="air state: it is of another network"):
        Air(replace(scenario, links=None), [2]).load_state_dict(air.state_dict())
    assert "slow" not in Air(replace(scenario, links=None), [2]).state_dict()


def fates_of(links, **fields):
    """Fates at two gateways of one packet each at 0 s and 10 s, SF7, 100 dB away."""
    scenario = timed([0.0, 10.0], np.full((2, 2), 100.0), links=links, **fields)
    air = Air(scenario, [0], record=True)
    air.advance(scenario.region.points(sf=[7, 7], bw_hz=125e3, channel=0, tp_dbm=14)[None], 100.0)
    return air.recording()[1].fate.tolist()


def test_gateways_that_are_off_receive_nothing():
    assert fates_of(Links()) == [[0, 0], [0, 0]]
    sending = Fate.GATEWAY_SENDING
    assert fates_of(Links(off=((1, 0.01, 5.0),))) == [[0, sending], [0, 0]]
    assert fates_of(Links(off=((0, 9.0, 10.001), (1, 10.5, 11.0)))) == [[0, 0], [sending, 0]]
    assert fates_of(Links(lost_share=1.0)) == [[sending, sending]] * 2
    assert fates_of(Links(missed_share=np.array([0.0, 1.0]))) == [[0, sending]] * 2


def test_gateways_that_are_off_send_nothing():
    traffic = Traffic(kind="periodic", interval_s=100.0, random_phase=False, confirmed=True, after_end=False)
    fields = {"propagation": STILL, "traffic": traffic, "feedback": "downlink", "region": region()}
    scenario = network(1, node_xy_m=np.zeros((1, 2)), gateway_xy_m=np.zeros((1, 2)), downlink=PAPERS_DOWNLINK, **fields)
    points = np.zeros((1, 1, 4), np.int16)
    assert Air(scenario, [0]).advance(points, 90.0).downlinks_received.sum() == 1
    shut = replace(scenario, links=Links(off=((0, 0.5, 1000.0),)))
    outcome = Air(shut, [0]).advance(points, 3.2)
    assert outcome.delivered.sum() == 1 and outcome.downlinks.sum() == 0 and outcome.downlinks_refused.sum() == 1


def test_noise_raises_the_floor_of_its_gateway_and_channel():
    heard = Reception(inter_sf="sinr")
    noise_db = np.array([[0.0, 0.0, 0.0], [40.0, 0.0, 0.0]])
    assert fates_of(Links(noise_db=noise_db), reception=heard) == [[0, 1], [0, 1]]
    noisy = np.array([[0.0, 40.0, 40.0], [20.0, 0.0, 0.0]])
    assert fates_of(Links(noise_db=noisy), reception=heard) == [[0, 0], [0, 0]]
    assert fates_of(Links(sensitivity_db=np.array([0.0, 50.0]))) == [[0, 1], [0, 1]]
    # The SINR needs -7.5 dB over a noise of -117 dBm, raised; sensitivity itself is out of the way.
    deep = Reception(inter_sf="sinr", sensitivity_dbm=np.full((6, 3), -200.0))
    assert fates_of(Links(noise_db=np.array([[0.0] * 3, [38.0] * 3])), reception=deep) == [[0, 0], [0, 0]]
    assert fates_of(Links(noise_db=np.array([[0.0] * 3, [39.0] * 3])), reception=deep) == [[0, 2], [0, 2]]


def test_losses_are_of_the_channel():
    loss_db = np.full((1, 1, 3), 100.0)
    loss_db[0, 0, 1], loss_db[0, 0, 2] = 130.0, np.inf
    scenario = network(1, propagation=STILL, links=Links(path_loss_db=loss_db), region=region())
    for channel, expected in enumerate((1.0, 1.0, 0.0)):
        points = scenario.region.points(sf=[12], bw_hz=125e3, channel=channel, tp_dbm=14)[None]
        outcome = Air(scenario, [0]).advance(points, 100.0)
        assert outcome.delivered.sum() / outcome.sent.sum() == expected
    np.testing.assert_allclose(scenario.mean_gain_db(), -115.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path_loss_db": np.zeros((20, 2))}, r"links.path_loss_db: shape \[20, 2\]; allowed is \[20, 2, 3\]"),
        ({"noise_db": np.zeros((3, 2))}, r"links.noise_db: shape \[3, 2\]; allowed is a number or \[3\] or \[2, 3\]"),
        ({"spread_db": np.zeros(3)}, r"links.spread_db: shape \[3\]; allowed is a number or \[2\] or \[20, 2\]"),
        ({"off": ((2, 0.0, 1.0),)}, "links: gateway 2 in groups or off; the network has 0 to 1"),
        ({"groups": {"a": (0,), "b": (0, 1)}}, "links.groups: .* has a gateway twice"),
    ],
)
def test_what_does_not_fit_the_network_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        network(NODES, gateways=2, links=Links(**values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"slow_s": 0.0}, "links.slow_s: 0 is not within"),
        ({"sensitivity_db": [1.0, "x"]}, r"links.sensitivity_db: \[1.0, 'x'\] is neither a number nor"),
        ({"lost_share": 1.5}, "links.lost_share: 1.5 is not a number from 0 to 1"),
        ({"missed_share": [0.1, -0.2]}, "links.missed_share: -0.2 is not a number from 0 to 1"),
        ({"off": ((0, 5.0, 5.0),)}, "links.off: gateway 0 from 5.0 until 5.0 s is no time"),
    ],
)
def test_values_are_checked(values, message):
    with pytest.raises(ValueError, match=message):
        Links(**values)


def test_a_file_states_links():
    stated = {
        "spread_db": 1.5,
        "noise_db": [3.0] * 8,
        "off": [[0, 10, 20]],
        "groups": {"roof": [0]},
        "lost_share": 0.006,
    }
    scenario = ScenarioConfig.model_validate({"topology": {"nodes": 3}, "links": stated})
    links = scenario.build().links
    assert links.spread_db == 1.5 and links.off == ((0, 10.0, 20.0),) and links.groups == {"roof": (0,)}
