"""Scenarios: what is refused, and changes on schedule."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.duty_cycle import DutyCycleWarning, warn_about_duty_cycle
from lora_marl.core.presets import journal_network
from lora_marl.core.reception import Fate
from lora_marl.core.region import REGIONS
from lora_marl.core.scenario import Change, Scenario
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, random_points


def recorded(scenario, until_s, cuts=()):
    air = Air(scenario, [1], record=True)
    points = random_points(scenario)
    for stop_s in (*cuts, until_s):
        air.advance(points, stop_s)
    return air.recording()


def test_inverted_channels_hold_for_packets_that_start_after_the_change():
    loss_db = np.array([0.0, 10.0, 20.0])
    scenario = network(
        20,
        propagation=STILL,
        channel_loss_db=loss_db,
        changes=(Change(at_s=50.0, values={"channel_loss_db": loss_db[::-1]}),),
    )
    for cuts in ((), (50.0,), (20.0, 49.9, 50.1)):
        packets, receptions = recorded(scenario, 100.0, cuts)
        late = packets.start_s >= 50.0
        channel = packets.point[:, 2]
        extra_db = np.where(late, loss_db[::-1][channel], loss_db[channel])
        tp_dbm = np.array(scenario.region.tp_dbm)[packets.point[:, 3]]
        expected_dbm = tp_dbm - extra_db + scenario.mean_gain_db()[packets.source, 0]
        np.testing.assert_allclose(receptions.rssi_dbm[:, 0], expected_dbm, atol=1e-9)
        assert late.any() and not late.all()


def test_a_changed_exponent_changes_the_path_loss():
    change = Change(at_s=50.0, values={"propagation.exponent": 3.32})
    packets, receptions = recorded(network(20, propagation=STILL, changes=(change,)), 100.0)
    after = replace(STILL, exponent=3.32)
    late = packets.start_s >= 50.0
    gains_db = network(20, propagation=after).mean_gain_db()[:, 0] - network(20, propagation=STILL).mean_gain_db()[:, 0]
    for n in range(20):
        of_node = packets.source == n
        if of_node[late].any() and of_node[~late].any():
            step_db = receptions.rssi_dbm[of_node & late, 0].mean() - receptions.rssi_dbm[of_node & ~late, 0].mean()
            assert step_db == pytest.approx(gains_db[n], abs=1e-9)


def test_a_doubled_load_acts_at_once():
    """Waiting times scale with the mean gap, so the rate follows without waiting for the old gaps to pass."""
    change = Change(at_s=10_000.0, values={"traffic.interval_s": 500.0})
    packets, _ = recorded(network(400, traffic=Traffic(interval_s=1000.0), changes=(change,)), 20_000.0)
    per_s = np.histogram(packets.start_s, [1000, 10_000, 10_500, 20_000])[0] / [9000, 500, 9500]
    assert per_s == pytest.approx([0.4, 0.8, 0.8], rel=0.12)


def test_nodes_leave_and_join_on_time():
    on, off = np.ones(20, bool), np.arange(20) >= 10
    scenario = network(
        20,
        changes=(
            Change(at_s=50.0, values={"active": off}),
            Change(at_s=100.0, values={"active": on}),
        ),
    )
    packets, _ = recorded(scenario, 200.0, cuts=(75.0,))
    leaving = packets.source < 10
    away = (packets.start_s >= 50.0) & (packets.start_s < 100.0)
    assert not (leaving & away).any()
    assert (leaving & (packets.start_s > 100.0)).sum() > 50
    assert (~leaving & away).sum() > 30


def test_a_node_may_leave_at_the_very_time_of_its_packet():
    scenario = network(
        4,
        traffic=Traffic(kind="periodic", interval_s=10.0, random_phase=False),
        changes=(Change(at_s=20.0, values={"active": np.array([True, False, True, True])}),),
    )
    packets, _ = recorded(scenario, 100.0)
    assert np.bincount(packets.source).tolist() == [10, 2, 10, 10]


def test_an_episode_begins_with_the_first_scenario():
    scenario = network(10, changes=(Change(at_s=5.0, values={"propagation.exponent": 4.0}),))
    air, points = Air(scenario, [0]), random_points(scenario)
    air.advance(points, 10.0)
    assert air.scenario.propagation.exponent == 4.0
    air.begin_episode()
    assert air.scenario.propagation.exponent == 2.32
    air.advance(points, 10.0)
    assert air.scenario.propagation.exponent == 4.0


def test_the_journal_network_breaks_its_regions_duty_cycle_and_says_so():
    """Its channels lie in sub-bands of 1 % and of .1 %, and one where nobody may send."""
    journal = replace(journal_network(), low_data_rate="off")
    with pytest.warns(
        DutyCycleWarning, match=r"sends 9.7% of the time, but EU868 lets nobody send on 869.3 MHz. Right for a pub"
    ):
        warn_about_duty_cycle(journal)
    with pytest.warns(DutyCycleWarning):
        journal_network()
    lawful = replace(journal, region=REGIONS["EU868"])
    with pytest.warns(DutyCycleWarning, match=r"9.7% of the time, but EU868 allows 1.0%. Right"):
        warn_about_duty_cycle(lawful)
    slow = replace(lawful, region=replace(REGIONS["EU868"], channels_hz=(868.1e6, 868.9e6)))
    with pytest.warns(DutyCycleWarning, match="0.4% of the time, but EU868 allows 0.1% on 868.9 MHz"):
        warn_about_duty_cycle(slow.with_values({"traffic.interval_s": 600.0}))
    with pytest.warns(DutyCycleWarning, match="are held to a duty cycle of 0.05: .* set traffic.duty_cycle to region"):
        warn_about_duty_cycle(lawful.with_values({"traffic.duty_cycle": 0.05}))
    for values in ({"duty_cycle": 0.01}, {"interval_s": 600.0}, {"duty_cycle": "region"}):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warn_about_duty_cycle(lawful.with_values({f"traffic.{name}": value for name, value in values.items()}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"node_xy_m": np.array([[0.0, np.nan]])}, r"scenario.node_xy_m\[0, 1\]: nan is not within"),
        ({"node_xy_m": np.zeros((0, 2))}, "scenario.node_xy_m: shape"),
        ({"gateway_xy_m": np.zeros((1, 3))}, "scenario.gateway_xy_m: shape"),
        ({"gateway_xy_m": np.zeros((3, 1, 2))}, "scenario.gateway_xy_m: shape"),
        ({"node_xy_m": np.zeros((1, 1, 20, 2))}, "scenario.node_xy_m: shape"),
        ({"path_loss_db": np.zeros((3, 1))}, r"scenario.path_loss_db: shape \(3, 1\); allowed is \(20, 1\)"),
        ({"channel_loss_db": np.full(3, np.inf)}, r"scenario.channel_loss_db\[0\]: inf is not within -300 to 300 dB"),
        ({"active": np.ones(3, bool)}, r"scenario.active: shape \(3,\); allowed is \(20,\)"),
        ({"low_data_rate": "of"}, "scenario.low_data_rate: 'of' is not one of auto"),
        ({"coding_rate": 5}, "scenario.coding_rate: 5 is not one of 1, 2, 3, 4"),
        ({"energy": "solar"}, "scenario.energy: 'solar' is not one of radiated, supply"),
        (
            {"changes": (Change(at_s=1.0, values={"trafic.interval_s": 1.0}),)},
            "'trafic.interval_s' at 1.0 s cannot change; did you mean 'traffic.interval_s'",
        ),
        ({"changes": (Change(at_s=1.0, values={"traffic.interval_s": -1.0}),)}, "traffic.interval_s: -1 is not within"),
        ({"changes": (Change(at_s=2.0, values={}), Change(at_s=1.0, values={}))}, "not in order of time"),
    ],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        network(20, **values)


def test_a_change_before_the_beginning_is_named():
    with pytest.raises(ValueError, match=r"change\.at_s: -1 is not within 0 to 1e\+10 s"):
        Change(at_s=-1.0, values={})


def test_a_pair_without_a_link_is_never_received_and_changes_nothing_else():
    loss_db = np.full((20, 2), 110.0)
    loss_db[:10, 1] = np.inf
    packets, receptions = recorded(network(20, gateways=2, propagation=STILL, path_loss_db=loss_db), 200.0)
    heard = np.isin(receptions.fate, (Fate.BELOW_SENSITIVITY,), invert=True)
    far = packets.source < 10
    assert not heard[far, 1].any()
    assert heard[far, 0].all() and heard[~far].all()


def test_a_payload_beyond_a_data_rates_maximum_names_the_data_rate():
    with pytest.raises(ValueError, match=r"payload_bytes: 100 exceeds EU868's 64 bytes at SF10/125 kHz"):
        Scenario(node_xy_m=np.zeros((1, 2)), region=REGIONS["EU868"], traffic=Traffic(payload_bytes=100))


def test_a_frame_beyond_a_regions_dwell_time_names_the_data_rate():
    us915 = {"node_xy_m": np.zeros((1, 2)), "region": REGIONS["US915"]}
    with pytest.raises(ValueError, match=r"24 bytes last 0.4.. s at SF10/125 kHz; US915 allows 0.4 s"):
        Scenario(**us915, traffic=Traffic(payload_bytes=24), coding_rate=4)
    assert Scenario(**us915, traffic=Traffic(payload_bytes=24)).nodes == 1


@pytest.mark.parametrize(
    ("traffic", "share"),
    [
        (Traffic(kind="burst", interval_s=600.0, burst_packets=20), "7.1%"),
        (Traffic(kind="periodic", interval_s=60.0), "3.8%"),
        (Traffic(kind="periodic", interval_s=60.0, nb_trans=2), "7.7%"),
    ],
)
def test_bursts_and_periods_count_in_full(traffic, share):
    with pytest.warns(DutyCycleWarning, match=share):
        journal_network(traffic=traffic)
