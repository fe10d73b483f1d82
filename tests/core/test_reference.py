"""The compiled rule against its reference, on random traffic, for every setting."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_marl.core import links_reference, reference, tables
from lora_marl.core.air import Air
from lora_marl.core.outcome import UPLINK_KIND
from lora_marl.core.propagation import Propagation
from lora_marl.core.random import normal, stream_key
from lora_marl.core.reception import Fate, Reception
from lora_marl.core.region import CHANNEL, HOP
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import network, random_points, region

WIDE = region(channels=3, step_hz=100e3, bandwidths_hz=(125e3, 250e3, 500e3))
FEW = region(channels=2, step_hz=200e3, bandwidths_hz=(125e3, 500e3), spreading_factors=(8, 9, 12))

PARTED = region(
    channels=3, step_hz=200e3, bandwidths_hz=(125e3, 500e3), sub_band_edges_hz=(868.2e6,),
    sub_band_duty_cycles=(0.6, 0.4), channel_data_rates=((), ((7, 125e3), (9, 125e3)), ((8, 500e3),)),
)  # fmt: skip
"""Two sub-bands; one channel takes all data rates, one some, one of 500 kHz a single one."""

RULES = st.builds(
    Reception,
    spared_preamble_symbols=st.sampled_from([0.0, 3.0, 7.25]),
    spares=st.sampled_from(["target", "pair"]),
    capture_db=st.sampled_from([-np.inf, -6.0, 0.0, 1.0, 6.0, np.inf]),
    equality_survives=st.booleans(),
    same_sf_needs_equal_bw=st.booleans(),
    inter_sf=st.sampled_from(["none", "sir_pairwise", "sir_energy", "sinr", "db_ratio"]),
    interferers=st.sampled_from(["all_overlaps", "at_start"]),
    sir_db=st.sampled_from([tables.SIR_DB["goursaud"], tables.SIR_DB["norel"]]),
    channel_overlap=st.sampled_from(["bandwidth", "lorasim"]),
    demodulators=st.sampled_from([None, 1, 2, 8]),
    sinr_db=st.sampled_from([None, np.full(6, 3.0)]),
    lost_packets_interfere=st.booleans(),
    negligible_db=st.sampled_from([None, None, 5.0, 25.0]),
)
AIRS = st.builds(
    Propagation,
    shadowing_db=st.sampled_from([0.0, 7.8]),
    shadowing=st.sampled_from(["packet", "link"]),
    shadowing_common_share=st.sampled_from([0.0, 0.4, 1.0]),
    fading=st.sampled_from(["none", "rayleigh"]),
)


def played(scenario, seed, until_s=40.0):
    """Packets of nodes of which every third hops, some over two channels alone, and every other sends its frames twice.

    And their fates by the rule.
    """
    air = Air(scenario, [seed], record=True)
    points = random_points(scenario, seed=seed)
    points[:, ::3, CHANNEL] = HOP
    masks = np.ones((1, scenario.nodes, len(scenario.region.channels_hz)), np.bool_)
    masks[:, ::6, seed % masks.shape[-1]] = False
    nb_trans = np.resize([1, 2], (1, scenario.nodes)).astype(np.int8)
    air.advance(points, until_s, nb_trans=nb_trans, channel_masks=masks)
    packets, receptions = air.recording()
    channels = reference.channels(scenario, packets, points[0], seed, masks[0])
    uplink = packets.kind == UPLINK_KIND
    np.testing.assert_array_equal(packets.point[uplink, CHANNEL], channels[uplink])
    key = stream_key(seed, "noise")
    noise = np.array([normal(key, n, i) for n, i in zip(packets.source, packets.index, strict=True)])
    unheard = links_reference.unheard(scenario, packets, seed)
    return packets, receptions, reference.fates(scenario, packets, receptions, noise, unheard)


def overall(fates, rssi_dbm):
    """Delivered anywhere, or else the fate at the loudest gateway."""
    at_loudest = np.take_along_axis(fates, rssi_dbm.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where((fates == Fate.DELIVERED).any(axis=1), Fate.DELIVERED, at_loudest)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rule=RULES,
    propagation=AIRS,
    plan=st.sampled_from([WIDE, FEW, PARTED]),
    gateways=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_kernel_equals_the_reference(rule, propagation, plan, gateways, seed):
    traffic = Traffic(interval_s=4.0, payload_bytes=np.resize([20, 50, 200], 30))
    scenario = network(
        30, seed=seed, gateways=gateways, region=plan, reception=rule, propagation=propagation, traffic=traffic
    )
    packets, receptions, fates = played(scenario, seed)
    ended = packets.fate >= 0
    assert ended.sum() > 50
    np.testing.assert_array_equal(receptions.fate[ended], fates[ended])
    np.testing.assert_array_equal(packets.fate[ended], overall(fates, receptions.rssi_dbm)[ended])


@pytest.mark.parametrize(
    ("rule", "possible"),
    [
        (Reception(inter_sf="none"), {0, 1, 3}),
        (Reception(inter_sf="sinr", demodulators=1), {0, 1, 2, 3, 4}),
        (Reception(inter_sf="db_ratio", same_sf_needs_equal_bw=False, lost_packets_interfere=False), {0, 1, 2, 3}),
        (Reception(inter_sf="sir_pairwise", sir_db=tables.SIR_DB["goursaud"], demodulators=2), {0, 1, 2, 3, 4}),
        (Reception(inter_sf="sir_energy", sir_db=tables.SIR_DB["goursaud"]), {0, 1, 2}),
    ],
)
def test_every_fate_that_a_rule_knows_really_occurs_and_agrees(rule, possible):
    seen = Counter()
    for seed in range(4):
        scenario = network(60, seed=seed, region=WIDE, reception=rule, traffic=Traffic(interval_s=3.0))
        packets, receptions, fates = played(scenario, seed)
        ended = packets.fate >= 0
        np.testing.assert_array_equal(receptions.fate[ended], fates[ended])
        seen.update(packets.fate[ended].tolist())
    assert set(seen) == possible


@pytest.mark.parametrize("inter_sf", ["none", "sinr", "db_ratio"])
def test_recorded_overlap_is_the_power_of_all_overlapping_packets_under_every_rule(inter_sf):
    scenario = network(30, region=WIDE, reception=Reception(inter_sf=inter_sf, spared_preamble_symbols=0.0))
    packets, receptions, _ = played(scenario, 3)
    power_mw = 10 ** (receptions.rssi_dbm[:, 0] / 10)
    bw_hz = np.array(WIDE.bandwidths_hz)[packets.point[:, 1]]
    carrier_hz = np.array(WIDE.channels_hz)[packets.point[:, 2]]
    for i in np.flatnonzero(packets.fate >= 0):
        near = np.abs(carrier_hz - carrier_hz[i]) < (bw_hz + bw_hz[i]) / 2
        together = (packets.start_s < packets.end_s[i]) & (packets.end_s > packets.start_s[i])
        others = near & together & (np.arange(len(near)) != i)
        assert receptions.overlap_mw[i, 0] == pytest.approx(power_mw[others].sum(), rel=1e-9, abs=1e-30)
    assert (receptions.overlap_mw > 0).mean() > 0.3
