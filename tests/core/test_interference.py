"""Bursts of interference: how they come, what they do, and what is booked of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_marl.core import tables
from lora_marl.core.air import Air
from lora_marl.core.interference import Interference
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Fate, Reception
from lora_marl.core.scenario import Change
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import downlink, network, random_points, region, timed
from tests.core.test_frames import same
from tests.core.test_reference import RULES, overall, played

ENERGY = Reception(inter_sf="sir_energy", sir_db=tables.SIR_DB["norel"], spared_preamble_symbols=0.0)
NOISY = Interference(occupancy=[0.1, 0.6, 0.0])


def bursts_of(scenario, until_s, seed=0):
    air = Air(scenario, [seed], record=True)
    outcome = air.advance(random_points(scenario), until_s)
    packets, receptions = air.recording()
    burst = packets.kind == 2
    return outcome, packets, receptions, burst


def test_bursts_have_their_lengths_gaps_and_powers():
    scenario = network(2, gateways=2, interference=NOISY)
    outcome, packets, receptions, burst = bursts_of(scenario, 20_000.0)
    np.testing.assert_allclose(outcome.external_busy_s[0] / 20_000.0, [0.1, 0.6, 0.0], rtol=0.05)
    for channel, occupancy in enumerate((0.1, 0.6)):
        on_channel = burst & (packets.point[:, 2] == channel)
        starts_s, lengths_s = packets.start_s[on_channel], (packets.end_s - packets.start_s)[on_channel]
        gaps_s = starts_s[1:] - packets.end_s[on_channel][:-1]
        assert lengths_s.min() >= 0.25 and lengths_s.max() <= 0.75
        assert lengths_s.mean() == pytest.approx(0.5, rel=0.01) and lengths_s.std() == pytest.approx(
            0.5 / 12**0.5, rel=0.03
        )
        assert gaps_s.mean() == pytest.approx(0.5 * (1 - occupancy) / occupancy, rel=0.05)
        assert gaps_s.std() == pytest.approx(gaps_s.mean(), rel=0.05)
        power_dbm = receptions.rssi_dbm[on_channel]
        assert power_dbm.min() >= -103.0 and power_dbm.max() <= -97.0
        np.testing.assert_allclose(power_dbm.mean(0), -100.0, atol=0.1)
        assert abs(np.corrcoef(power_dbm.T)[0, 1]) < 0.05
    assert (packets.fate[burst] == Fate.NONE).all() and (receptions.fate[burst] == Fate.NONE).all()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule=RULES, seed=st.integers(0, 10_000), fading=st.sampled_from(["none", "rayleigh"]))
def test_bursts_agree_with_the_reference(rule, seed, fading):
    scenario = network(
        50, gateways=3, seed=seed, reception=rule, region=region(bandwidths_hz=(125e3, 250e3, 500e3)),
        traffic=Traffic(interval_s=5.0), propagation=Propagation(fading=fading),
        interference=Interference(occupancy=[0.2, 0.7, 0.0], power_dbm=(-125.0, -100.0)),
        node_network=np.arange(50) % 2, gateway_network=np.array([0, 1, 0]),
    )  # fmt: skip
    packets, receptions, fates = played(scenario, seed)
    ended = packets.fate >= 0
    assert (packets.kind == 2).sum() > 10
    np.testing.assert_array_equal(receptions.fate[ended], fates[ended])
    same_network = (np.arange(50) % 2)[packets.source % 50][:, None] == np.array([0, 1, 0])
    among_same_network = np.where(same_network, receptions.rssi_dbm, -np.inf)
    np.testing.assert_array_equal(packets.fate[ended], overall(fates, among_same_network)[ended])


@pytest.mark.parametrize("rule", [Reception(spared_preamble_symbols=0.0), ENERGY], ids=["power", "energy"])
def test_what_a_burst_does_depends_on_its_power_over_the_signal(rule):
    """SF9 needs -12.5 dB: at 14 dBm over 100 dB a channel that is never free harms from -73.5 dBm on.

    Energy counts for the time of the overlap, here all of it; noise of -121 dBm adds nothing.
    """
    needed_db = float(rule.sinr_thresholds_db(np.array([9]))[0])
    for beyond_db, fate in ((-0.1, Fate.DELIVERED), (0.1, Fate.INTERFERED)):
        power_dbm = -86.0 - needed_db + beyond_db
        always = Interference(occupancy=[1 - 1e-9], burst_s=(1e4, 1e4), power_dbm=(power_dbm, power_dbm))
        scenario = timed([5.0], [100.0], reception=rule, region=region(channels=1), interference=always)
        outcome = Air(scenario, [0]).advance(
            scenario.region.points(sf=[[9]], bw_hz=125e3, channel=0, tp_dbm=14.0), 20.0
        )
        assert outcome.delivered.sum() == (fate == Fate.DELIVERED) and outcome.interfered.sum() == (fate != 0)
        assert outcome.external_busy_s[0, 0] == pytest.approx(20.0, abs=1e-4)


@pytest.mark.parametrize("rule", [Reception(), ENERGY], ids=["power", "energy"])
def test_more_interference_never_delivers_more(rule):
    """On the same bursts but for their power."""
    delivered = []
    for power_dbm in (-130.0, -110.0, -100.0, -80.0):
        scenario = network(
            40, reception=rule, traffic=Traffic(interval_s=10.0),
            interference=replace(NOISY, power_dbm=(power_dbm, power_dbm + 6.0)),
        )  # fmt: skip
        delivered.append(Air(scenario, [0]).advance(random_points(scenario), 500.0).delivered.sum())
    assert (np.diff(delivered) <= 0).all() and delivered[-1] < 0.8 * delivered[0]


def test_a_channel_without_bursts_is_not_harmed_and_silence_changes_nothing():
    quiet = network(40, traffic=Traffic(interval_s=5.0), reception=ENERGY)
    points = random_points(quiet)
    plain = Air(quiet, [0]).advance(points, 300.0)
    silent = replace(quiet, interference=Interference(occupancy=np.zeros(3)))
    same(Air(silent, [0]).advance(points, 300.0), plain)
    loud = replace(quiet, interference=Interference(occupancy=[0.9, 0.0, 0.0]))
    harmed = Air(loud, [0]).advance(points, 300.0)
    fewer = plain.delivered - harmed.delivered
    assert fewer[0, points[0, :, 2] == 0].sum() > 20 and (fewer[0, points[0, :, 2] != 0] == 0).all()


def test_bursts_harm_downlinks_at_the_nodes_that_listen():
    received = []
    for power_dbm in (-150.0, -40.0):
        bursts = Interference(occupancy=[0.6], power_dbm=(power_dbm, power_dbm))
        scenario = network(
            20, spread_m=100.0, feedback="downlink", downlink=downlink(windows="rx1", rx1_duty_cycle=None),
            region=region(channels=1), interference=bursts, traffic=Traffic(interval_s=30.0),
        )  # fmt: skip
        outcome = Air(scenario, [0]).advance(np.zeros((1, 20, 4), np.int16), 900.0)
        received.append(outcome.downlinks_received.sum() / outcome.downlinks.sum())
        assert outcome.downlinks.sum() > 50
    assert received[0] > 0.8 and received[1] < 0.6 * received[0]


def test_in_rx2_nodes_listen_beside_the_bursts():
    scenario = network(
        20, spread_m=100.0, feedback="downlink", downlink=downlink(windows="rx2", rx2_duty_cycle=None),
        region=region(channels=1, spreading_factors=(7, 12)), traffic=Traffic(interval_s=60.0),
        interference=Interference(occupancy=[0.3], power_dbm=(-40.0, -40.0)),
    )  # fmt: skip
    outcome = Air(scenario, [0]).advance(np.zeros((1, 20, 4), np.int16), 900.0)
    assert outcome.downlinks_received.sum() == outcome.downlinks.sum() > 20


CHANGING = network(
    20,
    gateways=2,
    traffic=Traffic(interval_s=4.0),
    reception=ENERGY,
    interference=NOISY,
    changes=(
        Change(at_s=40.0, values={"interference.occupancy": [0.0, 0.1, 0.6]}),
        Change(at_s=70.0, values={"interference.occupancy": [0.6, 0.0, 0.1], "traffic.interval_s": 2.0}),
    ),
)


def test_a_new_occupancy_acts_from_the_next_burst_and_wakes_silent_channels():
    scenario = replace(
        CHANGING, changes=(Change(at_s=5000.0, values={"interference.occupancy": np.array([0.6, 0.0, 0.1])}),)
    )
    _, packets, _, burst = bursts_of(scenario, 10_000.0)
    before, after = packets.start_s < 5000.0, packets.start_s > 5050.0
    for channel, (old, new) in enumerate(((0.1, 0.6), (0.6, 0.0), (0.0, 0.1))):
        on_channel = burst & (packets.point[:, 2] == channel)
        for when, occupancy in ((before, old), (after, new)):
            assert (packets.end_s - packets.start_s)[on_channel & when].sum() / 5000.0 == pytest.approx(
                occupancy, rel=0.1
            )
    # Channel 0's gap at 5,000 s was drawn for the old occupancy: its next burst is where it would be without a change.
    _, unchanged, _, other = bursts_of(replace(scenario, changes=()), 10_000.0)
    nexts_s = [
        p.start_s[b & (p.point[:, 2] == 0) & (p.start_s >= 5000.0)][:2]
        for p, b in ((packets, burst), (unchanged, other))
    ]
    assert nexts_s[0][0] == nexts_s[1][0] and nexts_s[0][1] < nexts_s[1][1]


def test_a_change_that_only_says_when_keeps_the_tables():
    air = Air(CHANGING, [0])
    air.advance(random_points(CHANGING), 39.0)
    gain_db = air._tables.gain_db
    air.advance(random_points(CHANGING), 80.0)
    assert air._tables.gain_db is gain_db
    np.testing.assert_allclose(air._tables.mean_gap_s, [[1 / 3, np.inf, 4.5]])
    assert set(air._tables.interval_s.ravel()) == {2.0}


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.floats(0.0, 100.0), max_size=6))
def test_neither_cuts_nor_replicas_matter(cuts):
    points = random_points(CHANGING)
    whole = Air(CHANGING, [3]).advance(points, 100.0)
    air, parts = Air(CHANGING, [8, 3], threads=2), None
    for until_s in [*sorted(cuts), 100.0]:
        part = air.advance(np.repeat(points, 2, axis=0), until_s)
        parts = part if parts is None else parts + part
    same(parts, whole, slice(1, 2))
    assert whole.interfered.sum() > 10


def test_occupancies_of_a_replica_are_its_own():
    occupancy = np.array([[0.0, 0.0, 0.5], [0.5, 0.0, 0.0]])
    points = random_points(CHANGING)
    scenario = replace(CHANGING, interference=Interference(occupancy=occupancy), changes=())
    together = Air(scenario, [1, 1], threads=2).advance(np.repeat(points, 2, axis=0), 200.0)
    for b in range(2):
        alone = replace(scenario, interference=Interference(occupancy=occupancy[b]))
        same(together, Air(alone, [1]).advance(points, 200.0), slice(b, b + 1))
        same(together, Air(scenario.replica(b), [1]).advance(points, 200.0), slice(b, b + 1))
    with pytest.raises(ValueError, match="interference.occupancy: 2 replicas; allowed are 1 or 3"):
        Air(scenario, [1, 2, 3])


def test_a_snapshot_goes_on_in_the_middle_of_a_burst():
    air, points = Air(CHANGING, [1, 2]), random_points(CHANGING, 2)
    air.advance(points, 50.0)
    other = Air(CHANGING, [1, 2])
    other.load_state_dict(air.state_dict())
    same(air.advance(points, 100.0), other.advance(points, 100.0))


def test_an_episode_begins_without_bursts_and_with_new_ones():
    scenario = replace(CHANGING, interference=Interference(occupancy=[0.9, 0.9, 0.9]), changes=())
    air, points, episodes = Air(scenario, [0], record=True), random_points(scenario), []
    for _ in range(2):
        air.begin_episode()
        busy_s = air.advance(points, 30.25).external_busy_s + air.advance(points, 33.75).external_busy_s
        packets, _ = air.recording()
        burst = packets.kind == 2
        length_s = np.minimum(packets.end_s[burst], 33.75) - packets.start_s[burst]
        assert busy_s.sum() == pytest.approx(length_s.sum())
        assert packets.start_s[burst].min() > 0.0
        episodes.append(busy_s.sum())
    assert episodes[0] != episodes[1]
    air.begin_episode()
    assert air.advance(points, 1e-9).external_busy_s.sum() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"occupancy": [0.1, 1.0]}, "interference.occupancy: 1.0; allowed is"),
        ({"occupancy": [-0.1]}, "interference.occupancy: -0.1"),
        ({"occupancy": 0.3}, r"interference.occupancy: shape \(\)"),
        ({"occupancy": [0.1], "burst_s": (0.0, 1.0)}, "interference.burst_s"),
        ({"occupancy": [0.1], "power_dbm": (-90.0, -100.0)}, "interference.power_dbm"),
    ],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Interference(**values)


def test_interference_that_does_not_fit_the_scenario_is_named():
    with pytest.raises(ValueError, match=r"interference.occupancy: shape \(2,\); allowed is \(3,\)"):
        network(4, interference=Interference(occupancy=[0.1, 0.2]))
    change = (Change(at_s=1.0, values={"interference.occupancy": [0.1, 0.2, 0.3]}),)
    with pytest.raises(ValueError, match="'interference.occupancy' at 1.0 s cannot change"):
        network(4, changes=change)
    with pytest.raises(ValueError, match="'interference.power_dbm' at 1.0 s cannot change"):
        network(4, interference=NOISY, changes=(Change(at_s=1.0, values={"interference.power_dbm": (-1.0, 0.0)}),))
