"""ADR's back-off and the frames that a server counts: by hand, and against a plain statement over recorded packets."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_marl.core import frame_reference as reference
from lora_marl.core.air import Air
from lora_marl.core.downlink import PAPERS_DOWNLINK, Downlink, Feedback
from lora_marl.core.outcome import REPEATED
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Fate, Reception
from lora_marl.core.region import HOP, REGIONS
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, random_points, region, timed

COMMANDED = Feedback(decides="server", packets=10**6, backoff=True, listens=True)
"""A server that hears, and never changes its mind."""
DEAF_NODES = replace(PAPERS_DOWNLINK, tp_dbm=-50.0, rx1_duty_cycle=None, rx2_duty_cycle=None)
"""Answers are sent, and lost."""


def uplinks(air, node=0):
    packets, _ = air.recording()
    return packets, np.flatnonzero((packets.kind == 0) & (packets.source == node) & (packets.fate >= 0))


def played(scenario, first, until_s, feedback=COMMANDED, seed=0):
    """Play a scenario from one point for all; the air, its outcome and the points at the end."""
    air = Air(scenario, [seed], record=True, feedback=feedback)
    points = np.tile(np.array(first, np.int16), (1, scenario.nodes, 1))
    return air, air.advance(points, until_s), points


@pytest.mark.parametrize("heard", [False, True], ids=["never received", "received, never answered"])
def test_power_comes_back_after_96_frames_then_data_rates_and_last_the_channels(heard):
    # L2 1.0.4, Table 9: 96 to 127 default power, data rate unchanged; then one data rate every 32 frames.
    traffic = Traffic(kind="periodic", interval_s=20.0, random_phase=False, payload_bytes=20)
    scenario = timed([0.0], [100.0 if heard else 170.0], traffic=traffic, feedback="downlink", downlink=DEAF_NODES)
    air, _, points = played(scenario, (3, 0, 0, 1), 300 * 20.0)
    packets, mine = uplinks(air)
    used = packets.point[mine]
    assert used[:96, [0, 3]].tolist() == [[3, 1]] * 96
    assert used[96:128, [0, 3]].tolist() == [[3, 6]] * 32
    assert used[128:160, [0, 3]].tolist() == [[4, 6]] * 32
    assert used[160:, [0, 3]].tolist() == [[5, 6]] * (len(used) - 160) and len(used) > 250
    assert set(used[:192, 2]) == {0} and set(used[192:, 2]) == {0, 1, 2}  # nothing slower: all channels again
    assert points[0, 0].tolist() == [5, 0, HOP, 6]  # the server has learned of it


def test_at_the_default_power_the_first_step_changes_nothing():
    traffic = Traffic(kind="periodic", interval_s=20.0, random_phase=False, payload_bytes=20)
    scenario = timed([0.0], [170.0], traffic=traffic, feedback="downlink")
    air, _, _ = played(scenario, (4, 0, 0, 6), 200 * 20.0)
    packets, mine = uplinks(air)
    assert packets.point[mine[:128], 0].tolist() == [4] * 128 and set(packets.point[mine[128:], 0]) == {5}


def test_a_data_rate_is_never_lowered_into_a_wider_bandwidth():
    # By airtime: SF7 at 250 kHz, SF8 at 250 kHz, SF7 at 125 kHz, and from there on 125 kHz alone.
    plan = region(channels=1, bandwidths_hz=(125e3, 250e3, 500e3), spreading_factors=(7, 8, 9))
    traffic = Traffic(kind="periodic", interval_s=20.0, random_phase=False, payload_bytes=20)
    scenario = timed([0.0], [170.0], traffic=traffic, region=plan, downlink=replace(PAPERS_DOWNLINK, rx2_sf=9))
    scenario = replace(scenario, feedback="downlink")
    air, _, _ = played(scenario, (0, 1, 0, 6), 300 * 20.0)
    packets, mine = uplinks(air)
    steps = [packets.point[mine[count], :2].tolist() for count in (96, 128, 160, 192, 224, 256)]
    assert steps == [[0, 1], [1, 1], [0, 0], [1, 0], [2, 0], [2, 0]]


def test_a_data_rate_is_lowered_to_the_next_one_that_the_region_has():
    """US915's are SF8 at 500 kHz and SF7 to SF10 at 125 kHz: no channel takes SF9 or SF10 at 500 kHz."""
    plan = REGIONS["US915-FSB2"]
    traffic = Traffic(kind="periodic", interval_s=20.0, random_phase=False, payload_bytes=15)
    scenario = timed([0.0], [170.0], traffic=traffic, region=plan, feedback="downlink", downlink=Downlink())
    air, _, points = played(scenario, (1, 1, HOP, 9), 300 * 20.0)
    packets, mine = uplinks(air)
    steps = [packets.point[mine[count], :2].tolist() for count in (96, 128, 160, 192, 224, 256)]
    assert steps == [[1, 1], [0, 0], [1, 0], [2, 0], [3, 0], [3, 0]]
    assert points[0, 0].tolist() == [3, 0, HOP, 9] and set(packets.point[mine[128:], 2]) == set(range(8))


def test_a_node_asks_from_its_65th_frame_on_and_an_answer_starts_the_count_again():
    scenario = network(1, spread_m=10.0, propagation=STILL, feedback="downlink", traffic=Traffic(interval_s=30.0))
    air, outcome, _ = played(scenario, (0, 0, 0, 6), 30_000.0)
    packets, mine = uplinks(air)
    answered = packets.index[(packets.kind == 1)]
    assert answered.tolist() == list(range(64, len(mine), 65)) and len(answered) > 10
    assert outcome.downlinks.sum() == outcome.sent.sum() // 65


def test_a_node_that_hops_goes_on_hopping_while_it_backs_off():
    traffic = Traffic(kind="periodic", interval_s=20.0, random_phase=False, payload_bytes=20)
    scenario = timed([0.0], [170.0], traffic=traffic, feedback="downlink")
    air, _, points = played(scenario, (3, 0, HOP, 1), 150 * 20.0)
    packets, mine = uplinks(air)
    assert set(packets.point[mine[96:128], 2]) == set(packets.point[mine[128:], 2]) == {0, 1, 2}
    assert points[0, 0].tolist() == [4, 0, HOP, 6]


@pytest.mark.parametrize("point", [(5, 0, 0, 6), (0, 0, 0, 6), (5, 0, 0, 2)])
def test_only_a_node_that_the_network_has_optimised_validates_its_link(point):
    scenario = network(1, spread_m=10.0, propagation=STILL, feedback="downlink", traffic=Traffic(interval_s=60.0))
    _, outcome, _ = played(scenario, point, 60.0 * 200)
    assert (outcome.downlinks.sum() > 0) == (point != (5, 0, 0, 6))


def test_a_node_that_backed_off_to_the_default_goes_on_asking():
    # Row ">= 160" of Table 9: ADRACKReq stays 1 where nothing is left to step to.
    traffic = Traffic(kind="periodic", interval_s=20.0, random_phase=False, payload_bytes=20)
    scenario = timed([0.0], [100.0], traffic=traffic, feedback="downlink", downlink=DEAF_NODES)
    air, _, _ = played(scenario, (4, 0, 0, 6), 260 * 20.0)
    packets, mine = uplinks(air)
    assert packets.index[packets.kind == 1].tolist() == packets.index[mine[64:]].tolist()


def test_retries_of_a_frame_do_not_count():
    """Confirmed frames that nobody acknowledges, four packets each: the steps come with the 97th and 129th frame."""
    traffic = Traffic(
        kind="periodic", interval_s=60.0, random_phase=False, payload_bytes=20, confirmed=True,
        retry_s=(1.0, 1.0), next_s=(1.0, 1.0), max_attempts=4, queue_frames=2,
    )  # fmt: skip
    scenario = timed([0.0], [170.0], traffic=traffic, feedback="downlink")
    air, outcome, _ = played(scenario, (2, 0, 0, 1), 140 * 60.0)
    packets, mine = uplinks(air)
    used = packets.point[mine][:, [0, 3]]
    assert len(mine) == 4 * outcome.frames_lost.sum() > 4 * 130
    assert used[: 4 * 96].tolist() == [[2, 1]] * (4 * 96) and used[4 * 96 : 4 * 128].tolist() == [[2, 6]] * (4 * 32)
    assert used[4 * 128 : 4 * 130].tolist() == [[3, 6]] * 8


FADING = Propagation(shadowing_db=0.0, fading="rayleigh")
QUICK = Traffic(interval_s=8.0, payload_bytes=20)
RETRIED = replace(QUICK, after_end=False, confirmed=True, retry_s=(0.5, 1.0), next_s=(0.5, 1.0))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**31),
    attempts=st.sampled_from([None, 1, 2, 5]),
    spread_m=st.sampled_from([600.0, 2500.0, 6000.0]),
    first=st.sampled_from([(0, 0), (3, 2), (5, 6), (4, 6)]),
    down=st.sampled_from(
        [
            replace(PAPERS_DOWNLINK, rx1_duty_cycle=0.001),
            replace(PAPERS_DOWNLINK, tp_dbm=-8.0, rx1_duty_cycle=None, rx2_duty_cycle=None),
        ]
    ),
)
def test_back_off_and_gaps_are_those_of_the_plain_statement(seed, attempts, spread_m, first, down):
    traffic = QUICK if attempts is None else replace(RETRIED, max_attempts=attempts)
    scenario = network(
        6, seed=seed, spread_m=spread_m, gateways=2, propagation=FADING, traffic=traffic, feedback="downlink",
        downlink=down,
    )  # fmt: skip
    air, _, _ = played(scenario, (first[0], 0, 0, first[1]), 3000.0, seed=seed)
    packets, _ = air.recording()
    heard = air.take_heard()
    for n in range(6):
        _, mine = uplinks(air, n)
        answers = packets.index[(packets.kind == 1) & (packets.source == n) & (packets.fate == Fate.DELIVERED)]
        answered = np.isin(packets.index[mine], answers)
        received = packets.fate[mine] == Fate.DELIVERED
        counters = np.arange(len(mine)) if attempts is None else reference.frame_counters(answered, attempts)
        used, asks = reference.backed_off(counters, answered, first, 6, 7)
        assert packets.point[mine][:, [0, 3]].tolist() == used.tolist()
        rows = heard.records[heard.node == n]
        assert rows["missed"].tolist() == reference.missed_frames(counters, received).tolist()
        if attempts is None:  # nobody is answered who has not asked
            assert not (answered & ~asks).any()


def test_a_server_sees_that_a_retry_repeats_a_frame():
    traffic = Traffic(
        kind="periodic", interval_s=60.0, random_phase=False, payload_bytes=20, confirmed=True,
        retry_s=(1.0, 1.0), next_s=(1.0, 1.0), max_attempts=3,
    )  # fmt: skip
    scenario = timed([0.0], [100.0], traffic=traffic, feedback="downlink", downlink=DEAF_NODES)
    air, _, _ = played(scenario, (0, 0, 0, 6), 110.0)
    heard = air.take_heard()
    assert heard.missed.tolist() == [-1, REPEATED, REPEATED, 0, REPEATED, REPEATED]
    assert heard.repeated.tolist() == [False, True, True] * 2
    assert heard.frames().time_s.tolist() == heard.time_s[[0, 3]].tolist()
    np.testing.assert_allclose(heard.since_s[1:], heard.time_s[1:] - heard.time_s[[0, 0, 0, 3, 3]])


def test_frames_that_the_network_missed_are_counted_once_each():
    weak = Reception(inter_sf="none", capture_db=-np.inf)
    traffic = replace(RETRIED, max_attempts=3)
    scenario = network(
        4, spread_m=4000.0, propagation=FADING, reception=weak, traffic=traffic, feedback="downlink",
        downlink=replace(PAPERS_DOWNLINK, rx1_duty_cycle=None, rx2_duty_cycle=None),
    )  # fmt: skip
    air = Air(scenario, [1], record=True, feedback=replace(COMMANDED, backoff=False))
    outcome = air.advance(random_points(scenario, seed=1), 4000.0)
    heard = air.take_heard()
    frames = heard.frames()
    assert heard.repeated.any() and len(frames) == outcome.frames_delivered.sum()
    missed = np.bincount(frames.node, weights=np.maximum(frames.missed, 0), minlength=4)
    assert np.all(missed <= outcome.frames_lost[0]) and missed.sum() > 0


def test_a_server_decides_after_frames_not_after_their_retries():
    traffic = replace(RETRIED, max_attempts=4)
    scenario = network(1, spread_m=100.0, propagation=STILL, traffic=traffic, feedback="downlink", downlink=DEAF_NODES)
    air = Air(scenario, [0], feedback=Feedback(decides="server", packets=5))
    points, decided = random_points(scenario), []
    while len(decisions := air.next_decisions(points, 2000.0)):
        decided.append(decisions.records[decisions.sent > 0].copy())
    rows, outcome = np.concatenate(decided), air.take_outcome()
    assert set(rows["delivered"]) == set(rows["sent"]) == {5}
    assert len(rows) > 10 and outcome.sent.sum() > 3 * outcome.frames_delivered.sum()
