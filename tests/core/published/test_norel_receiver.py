"""The receiver of NoReL's authors' code, in both modes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lora_marl.core.presets import norel_network
from lora_marl.core.published.norel_network import channel_of, channel_of_uplinks, draw_uplinks
from lora_marl.core.published.norel_receiver import SENT, Channel, receive, send_downlink
from lora_marl.core.scenario import Scenario

GOLDEN = Path(__file__).parents[2] / "golden" / "norel" / "receiver_micro.json"
CASES = json.loads(GOLDEN.read_text(encoding="utf-8"))
SF7, SF8, SF12 = 0, 1, 5


def network(node_xy_m: Any, gateway_xy_m: Any = ((0.0, 0.0),), sigma_db: float = 0.0) -> Scenario:
    scenario = norel_network(len(node_xy_m), gateway_xy_m=gateway_xy_m)
    scenario = scenario.with_values({"propagation.shadowing_db": sigma_db})
    return replace(scenario, node_xy_m=np.array(node_xy_m, np.float64))


def still_channel(
    scenario: Scenario, sf: list[int], tp_dbm: list[float], ups: list[tuple[float, int]], *, early_stop: bool = True,
    downs: Sequence[tuple[float, int]] = (),
) -> Channel:  # fmt: skip
    start_s, node = np.array([up[0] for up in ups]), np.array([up[1] for up in ups], np.int64)
    channel = channel_of_uplinks(scenario, np.array(sf), np.array(tp_dbm, np.float64), start_s, node, 0, early_stop)
    spare = np.zeros(len(downs) + len(ups) + 1)
    channel = channel._replace(down_s=spare, down_gateway=spare.astype(np.int64))
    for place, (at_s, gateway) in enumerate(downs):
        channel.down_s[place], channel.down_gateway[place] = at_s, gateway
    channel.counts[SENT] = len(downs)
    return channel


def received(channel: Channel) -> NDArray[np.bool_]:
    return np.array([receive(channel, packet) >= 0 for packet in range(len(channel.start_s))])


@pytest.mark.parametrize("mode", ["received_original", "received_full_scan"])
def test_micro_scenarios_come_out_as_published(mode: str) -> None:
    judged = 0
    for case in CASES:
        nodes = len(case["x"])
        scenario = network(np.stack([case["x"], case["y"]], axis=-1), case["gateways"])
        ups = [(at_s, index) for at_s, index in case["events"] if index < nodes]
        downs = [(at_s, index - nodes) for at_s, index in case["events"] if index >= nodes]
        channel = still_channel(
            scenario, [sf - 7 for sf in case["sf"]], case["tp"], ups, early_stop=mode == "received_original",
            downs=downs,
        )  # fmt: skip
        ours = np.zeros(nodes, np.bool_)
        ours[channel.node] = received(channel)
        assert ours.tolist() == [bool(value) for value in case[mode]], case["case"]
        judged += nodes
    assert judged == 427


def test_a_short_recent_packet_hides_a_longer_older_one() -> None:
    near, weak = (100.0, 0.0), (1500.0, 0.0)
    ups = [(0.0, 0), (0.2, 1), (1.0, 2)]  # SF12 until 1.71 s, SF7 until 0.28 s, and one of SF12 that the first drowns
    for early_stop in (True, False):
        channel = still_channel(
            network([near, near, weak]), [SF12, SF7, SF12], [14.0, 2.0, 14.0], ups, early_stop=early_stop
        )
        assert received(channel)[2] == early_stop


def test_what_starts_later_during_the_packet_always_counts() -> None:
    near, weak = (100.0, 0.0), (1500.0, 0.0)
    for early_stop in (True, False):
        channel = still_channel(
            network([weak, near]), [SF7, SF7], [14.0, 14.0], [(0.0, 0), (0.078, 1)], early_stop=early_stop
        )
        assert received(channel).tolist() == [False, True]
        channel = still_channel(
            network([weak, near]), [SF7, SF7], [14.0, 14.0], [(0.0, 0), (0.0781, 1)], early_stop=early_stop
        )
        assert received(channel).tolist() == [True, True]


def test_the_first_seven_and_a_quarter_symbols_may_be_hit() -> None:
    near, weak = (100.0, 0.0), (1500.0, 0.0)
    spared_s = 7.25 * 1.024e-3
    for late_s, survives in ((0.07808 - spared_s + 1e-4, True), (0.07808 - spared_s - 1e-4, False)):
        channel = still_channel(network([near, weak]), [SF7, SF7], [14.0, 14.0], [(0.0, 0), (late_s, 1)])
        assert received(channel)[1] == survives


def test_an_advantage_equal_to_the_threshold_is_lost() -> None:
    scenario = network([(500.0, 0.0), (0.0, 500.0)])
    for theirs_dbm, survives in ((13.0, False), (12.9, True)):  # 1 dB is needed within a spreading factor
        channel = still_channel(scenario, [SF8, SF8], [14.0, theirs_dbm], [(0.0, 0), (0.1, 1)])
        assert received(channel)[0] == survives


def test_the_weaker_of_two_spreading_factors_is_judged_by_its_own_row() -> None:
    scenario = network([(500.0, 0.0), (0.0, 500.0)])
    channel = still_channel(scenario, [SF12, SF7], [2.0, 14.0], [(0.0, 0), (0.5, 1)])
    assert received(channel).tolist() == [True, True]  # SF12 stands 25 dB less, SF7 9 dB less
    channel = still_channel(scenario, [SF12, SF7], [14.0, 2.0], [(0.0, 0), (0.5, 1)])
    assert received(channel).tolist() == [True, False]


@pytest.mark.parametrize("distance_m", [1.0, 300.0])
def test_a_downlink_of_the_gateway_itself_kills_every_uplink_it_overlaps(distance_m: float) -> None:
    ups, downs = [(0.0, 0), (1.0, 1), (2.6, 2), (2.8, 3)], [(1.05, 0)]  # on the air from 1.05 to 2.762 s
    channel = still_channel(network([(distance_m, 0.0)] * 4), [SF7] * 4, [14.0] * 4, ups, downs=downs)
    assert received(channel).tolist() == [True, False, False, True]


def test_another_gateways_downlink_disturbs_by_its_distance() -> None:
    scenario = network([(100.0, 0.0)], [(0.0, 0.0), (5000.0, 0.0)])
    channel = still_channel(scenario, [SF7], [14.0], [(0.0, 0)], downs=[(0.01, 1)])
    assert receive(channel, 0) == 0
    near = network([(100.0, 0.0)], [(0.0, 0.0), (20.0, 0.0)])
    assert receive(still_channel(near, [SF7], [14.0], [(0.0, 0)], downs=[(0.01, 1)]), 0) == -1


def test_interferers_have_the_parameters_that_their_sender_has_now() -> None:
    channel = still_channel(network([(100.0, 0.0), (1500.0, 0.0)]), [SF7, SF12], [14.0, 14.0], [(0.0, 0), (0.5, 1)])
    assert receive(channel, 0) == 0
    channel.sf[0] = SF12  # now its packet of 0.08 s counts as one of 1.71 s
    assert receive(channel, 1) == -1


def dense(seed: int, sigma_db: float, gateways: int, early_stop: bool) -> Channel:
    """Traffic with much overlap, downlinks included."""
    rng = np.random.default_rng(seed)
    gateway_xy_m = [(0.0, 0.0), (2500.0, 0.0)][:gateways]
    scenario = network(rng.uniform(-2000.0, 2000.0, (60, 2)), gateway_xy_m, sigma_db)
    ups = [(float(at_s), n) for n, at_s in enumerate(rng.uniform(0.0, 25.0, 60))]
    downs = sorted((float(at_s), int(rng.integers(gateways))) for at_s in rng.uniform(0.0, 25.0, 3))
    sf, tp_dbm = rng.integers(0, 6, 60).tolist(), rng.choice([2.0, 5.0, 8.0, 11.0, 14.0], 60).tolist()
    return still_channel(scenario, sf, tp_dbm, sorted(ups), early_stop=early_stop, downs=downs)


def by_all_pairs(channel: Channel) -> list[bool]:
    """The full scan without shadowing once more, over all pairs."""
    downs = int(channel.counts[SENT])
    sender = np.concatenate([channel.node, len(channel.nearest) + channel.down_gateway[:downs]])
    start_s = np.concatenate([channel.start_s, channel.down_s[:downs]])
    end_s = start_s + channel.airtime_s[channel.sf[sender]]
    power_dbm = channel.tp_dbm[sender, None] + channel.gain_db[sender]
    survivors = []
    for i in range(len(channel.node)):
        sf = channel.sf[sender[i]]
        hits = (start_s >= start_s[i]) & (start_s < end_s[i])
        hits |= (start_s < start_s[i]) & (end_s > start_s[i] + channel.spared_s[sf])
        hits[i] = False
        beaten = power_dbm[i] - power_dbm <= channel.sir_db[sf, channel.sf[sender]][:, None]
        fine = (power_dbm[i] >= channel.sensitivity_dbm[sf]) & ~(hits[:, None] & beaten).any(axis=0)
        survivors.append(bool(fine.any()))
    return survivors


@pytest.mark.parametrize("gateways", [1, 2])
def test_the_full_scan_equals_all_pairs_and_early_stop_never_receives_fewer(gateways: int) -> None:
    hidden = 0
    for seed in range(30):
        full = received(dense(seed, 0.0, gateways, early_stop=False))
        assert full.tolist() == by_all_pairs(dense(seed, 0.0, gateways, early_stop=False))
        early = received(dense(seed, 0.0, gateways, early_stop=True))
        assert (early >= full).all()
        hidden += int((early & ~full).sum())
    assert hidden > 10


def test_shadowing_is_drawn_anew_for_every_power_and_the_outage_follows_it() -> None:
    scenario = network([(1700.0, 0.0)], sigma_db=3.54)
    ups = [(10.0 * packet, 0) for packet in range(20000)]
    channel = still_channel(scenario, [SF7], [14.0], ups)
    margin = (14.0 + channel.gain_db[0, 0] + 124.0) / 3.54
    assert 0.9 < margin < 1.2
    assert received(channel).mean() == pytest.approx(NormalDist().cdf(margin), abs=0.01)
    assert channel.counts.tolist() == [0, 0, 20000]


def test_downlinks_start_two_seconds_after_the_uplink_and_stay_in_order() -> None:
    channel = still_channel(network([(100.0, 0.0)]), [SF7], [14.0], [(0.0, 0), (1.0, 0), (2.0, 0)])
    send_downlink(channel, 10.0, SF12, 0)
    send_downlink(channel, 10.5, SF7, 0)
    assert channel.down_s[: channel.counts[SENT]] == pytest.approx([12.57808, 13.712128])


def test_the_off_time_is_that_of_the_first_spreading_factor() -> None:
    rng = np.random.default_rng(0)
    start_s, node = draw_uplinks(rng, np.array([1000.0, 1000.0]), np.array([7.808, 171.2128]), 4e6)
    assert (np.diff(start_s) >= 0.0).all()
    for n, cycle_s in enumerate((7.808, 171.2128)):
        gaps_s = np.diff(start_s[node == n])
        assert gaps_s.min() >= cycle_s
        assert gaps_s.mean() == pytest.approx(1000.0 + cycle_s, rel=0.05)


def test_the_same_seed_gives_the_same_air_and_another_one_another() -> None:
    scenario, points = norel_network(20), np.zeros((20, 4), np.int16)
    first, again, other = (received(channel_of(scenario, points, seed, 5e4)) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize(
    "change", [{"reception.demodulators": 8}, {"propagation.fading": "rayleigh"}, {"reception.equality_survives": True}]
)
def test_physics_that_it_does_not_have_are_named(change: dict[str, Any]) -> None:
    scenario = norel_network(5).with_values(change)
    with pytest.raises(ValueError, match=next(iter(change))):
        channel_of(scenario, np.zeros((5, 4), np.int16), 0, 100.0)
