"""The reception rule, packet by packet: golden cases and traces worked out by hand, played through the air."""

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core import phy, tables
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Fate, Reception, channel_overlaps
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import played_once, region, timed

OK, WEAK, DROWNED, HIT, REFUSED = (
    Fate.DELIVERED, Fate.BELOW_SENSITIVITY, Fate.INTERFERED, Fate.COLLIDED, Fate.NO_DEMODULATOR,
)  # fmt: skip
ALONE = Reception(inter_sf="none", spared_preamble_symbols=0.0)


def loss_for(rssi_dbm, tp_dbm=14.0):
    return tp_dbm - np.asarray(rssi_dbm, float)


def test_sensitivity_is_met_by_equality(dlora_vectors):
    for sf, sensitivity_dbm in zip(range(7, 13), dlora_vectors["sensitivity_dbm"]["paper_table_I"]["125"], strict=True):
        scenario = timed([0, 10], loss_for([sensitivity_dbm, sensitivity_dbm - 0.001]), reception=ALONE)
        assert played_once(scenario, sf=sf)[2] == [OK, WEAK]


def test_capture_rule(dlora_vectors):
    for case in dlora_vectors["capture_rule"]:
        old_new = loss_for([case["rssi_old"], case["rssi_new"]])
        _, _, fates = played_once(timed([0, 0.02], old_new, reception=ALONE), sf=7)
        lost = {name for name, fate in zip(("old", "new"), fates, strict=True) if fate == HIT}
        assert lost == set(case["lost"]), case


@pytest.mark.parametrize(("equality_survives", "expected"), [(True, [HIT, OK]), (False, [HIT, HIT])])
def test_an_advantage_equal_to_the_threshold_survives_where_the_rule_says_so(equality_survives, expected):
    rule = replace(ALONE, equality_survives=equality_survives)
    assert played_once(timed([0, 0.02], loss_for([-116, -110]), reception=rule), sf=7)[2] == expected


def test_infinite_capture_threshold_is_aloha():
    rule = replace(ALONE, capture_db=np.inf)
    assert played_once(timed([0, 0.02], loss_for([-60, -110]), reception=rule), sf=7)[2] == [HIT, HIT]


@pytest.mark.parametrize("spares", ["pair", "target"])
def test_timing_rule(dlora_vectors, spares):
    """LoRaSim spares both packets; sparing the target alone leaves the old packet hit in its last symbols."""
    rule = replace(ALONE, spared_preamble_symbols=3.0, spares=spares)
    for case in dlora_vectors["timing_rule"]["cases"]:
        airtime_s = phy.airtime_s(case["new_sf"], 20, bw_hz=125e3, low_data_rate="off")
        old_end_s, new_start_s = case["old_end"] / 1000, case["new_start"] / 1000
        offset_s = new_start_s - (old_end_s - airtime_s) + 1e-9  # an overlap of exactly three symbols spares
        fates = played_once(timed([0.0, offset_s], loss_for([-100, -100]), reception=rule), sf=case["new_sf"])[2]
        old_hit = case["collides"] if spares == "pair" else True
        assert fates == [HIT if old_hit else OK, HIT if case["collides"] else OK], case


def test_critical_offsets(dlora_vectors):
    for name, offset_ms in dlora_vectors["timing_rule"]["critical_offset_ms (3 symbols)"].items():
        sf, bw_khz = (int(part) for part in name[2:].split("/"))
        assert 3 * phy.symbol_time_s(sf, bw_khz * 1000) == pytest.approx(offset_ms / 1000)


def test_frequency_rule(dlora_vectors):
    for case in dlora_vectors["freq_rule"]:
        bandwidths_hz = np.array(sorted({case["bw1"] * 1e3, case["bw2"] * 1e3}))
        overlaps = channel_overlaps(np.array([868e6, 868e6 + case["df_khz"] * 1e3]), bandwidths_hz, "lorasim")
        first, second = (np.searchsorted(bandwidths_hz, case[name] * 1e3) for name in ("bw1", "bw2"))
        assert overlaps[0, first, 1, second] == overlaps[1, second, 0, first] == case["collide"], case


def test_spectra_that_touch_do_not_overlap():
    overlaps = channel_overlaps(np.array([0.0, 125e3, 124e3]), np.array([125e3, 500e3]), "bandwidth")
    assert not overlaps[0, 0, 1, 0]
    assert overlaps[0, 0, 2, 0]
    assert overlaps[0, 1, 1, 0]
    np.testing.assert_array_equal(overlaps, overlaps.transpose(2, 3, 0, 1))


def test_linear_sinr(dlora_vectors):
    """A threshold just below the golden SINR delivers, one just above it does not."""
    assert len(dlora_vectors["linear_sinr"]) >= 5
    for case in dlora_vectors["linear_sinr"]:
        starts_s = [0.0] * len(case["others"]) + [0.001]
        loss_db = loss_for([*case["others"], case["rssi"]])
        for offset_db, expected in ((-0.001, OK), (0.001, DROWNED)):
            rule = Reception(
                spared_preamble_symbols=0.0,
                sensitivity_dbm=np.full((6, 3), -200.0),
                sinr_db=np.array([case["sinr"] + offset_db] + [-200.0] * 5),
                noise_figure_db=case["noise_dbm"] + 174 - 10 * np.log10(125e3),
            )
            sf = np.array([8.0] * len(case["others"]) + [7.0])
            assert played_once(timed(starts_s, loss_db, reception=rule), sf=sf)[2][-1] == expected, case


def beyond_nature(loss_db):
    """Fields by which each node has a mean loss that no link has: distances under an exponent that no air has."""
    loss_db = np.asarray(loss_db, float)
    exponent = loss_db.max() / 10.0
    distance_m = 1000.0 * 10.0 ** (loss_db / (10.0 * exponent))
    return {
        "path_loss_db": None,
        "node_xy_m": np.stack([distance_m, np.zeros_like(distance_m)], axis=-1),
        "propagation": Propagation(exponent=exponent, reference_loss_db=0.0, shadowing_db=0.0),
    }


def test_concurrency_limit_of_the_published_db_ratio(dlora_vectors):
    """With m others of equal RSSI the ratio is 1 / m whatever their channel: -10 log10(m) dB against the threshold."""
    limits = dlora_vectors["authors_db_ratio_sinr"]["max_concurrent_equal_rssi"]
    rule = Reception(inter_sf="db_ratio", sensitivity_dbm=np.full((6, 3), -np.inf), spared_preamble_symbols=0.0)
    for sf, limit in ((int(name[2:]), limit) for name, limit in limits.items()):
        for others, expected in ((limit, OK), (limit + 1, DROWNED)):
            # A sum of dBm this large drowns the unit normal draw; packets on channels of their own do not collide.
            scenario = timed(
                [0.0] * others + [0.001],
                np.zeros(others + 1),
                **beyond_nature([1e7] * others + [1.000001e7]),
                reception=rule,
                region=region(channels=others + 1),
            )
            assert played_once(scenario, sf=sf, channel=np.arange(others + 1))[2][-1] == expected, (sf, others)


def test_alone_the_published_db_ratio_always_passes():
    rule = Reception(inter_sf="db_ratio", spared_preamble_symbols=0.0)
    every_second = Traffic(kind="periodic", interval_s=1.0, random_phase=False, payload_bytes=20)
    scenario = timed([0], loss_for([-115.0]), reception=rule, traffic=every_second)
    packets, _, _ = played_once(scenario, sf=7, until_s=2000.5)
    assert len(packets.fate) == 2001
    assert set(packets.fate.tolist()) == {OK}


def test_golden_cases_of_the_published_db_ratio(dlora_vectors):
    """Thresholds just below and just above the golden ratio; its noise is drowned by scaling all numbers up."""
    played = 0
    for case in dlora_vectors["authors_db_ratio_sinr"]["cases"]:
        if not case["others"]:
            continue
        scale, played = 1e6, played + 1
        rssi_dbm = scale * np.array([*case["others"], case["rssi"]])
        ratio_db = 10 * np.log10(case["rssi"] / sum(case["others"]))
        assert ratio_db == pytest.approx(case["sinr"], abs=0.05)  # the golden value has its noise
        starts_s = [0.0] * len(case["others"]) + [0.001]
        for offset_db, expected in ((-0.001, OK), (0.001, DROWNED)):
            rule = Reception(
                inter_sf="db_ratio",
                sensitivity_dbm=np.full((6, 3), -np.inf),
                sinr_db=np.full(6, ratio_db + offset_db),
                spared_preamble_symbols=0.0,
            )
            channels = region(channels=len(starts_s))
            silent = np.zeros(len(starts_s))
            scenario = timed(starts_s, silent, reception=rule, region=channels, **beyond_nature(14.0 - rssi_dbm))
            assert played_once(scenario, sf=7, channel=np.arange(len(starts_s)))[2][-1] == expected, case
    assert played >= 3


def test_asymmetric_sir_matrix_is_wanted_by_interferer():
    """Goursaud: SF12 wanted bears SF7 36 dB stronger; SF7 wanted bears SF12 only 20 dB stronger (SIR[7, 12] = -20)."""
    rule = Reception(inter_sf="sir_pairwise", sir_db=tables.SIR_DB["goursaud"], spared_preamble_symbols=0.0)
    weak_12 = timed([0, 0.1], loss_for([-110, -85]), reception=rule)
    assert played_once(weak_12, sf=np.array([12.0, 7.0]))[2] == [OK, OK]
    weak_7 = timed([0, 0.1], loss_for([-85, -110]), reception=rule)
    assert played_once(weak_7, sf=np.array([12.0, 7.0]))[2] == [OK, DROWNED]


def test_orthogonal_matrix_never_lets_spreading_factors_meet():
    rule = Reception(inter_sf="sir_pairwise", sir_db=tables.SIR_DB["orthogonal"], spared_preamble_symbols=0.0)
    scenario = timed([0, 0.1, 0.12], loss_for([-30, -122, -125]), reception=rule)
    assert played_once(scenario, sf=np.array([12.0, 7.0, 8.0]))[2] == [OK, OK, OK]


def test_summed_energy_counts_only_the_overlap():
    """SF8 of 103 ms at -100 dBm; SF7 of 57 ms, 20 dB stronger, against SIR[8, 7] = -24 dB: delivered; 30 dB: not."""
    for gap_db, expected in ((20, OK), (30, DROWNED)):
        rule = Reception(inter_sf="sir_energy", sir_db=tables.SIR_DB["goursaud"], spared_preamble_symbols=0.0)
        scenario = timed([0, 0.01], loss_for([-100, -100 + gap_db]), reception=rule)
        assert played_once(scenario, sf=np.array([8.0, 7.0]))[2] == [expected, OK]
    late = timed([0, 0.1029], loss_for([-100, -70]), reception=rule)  # the last 12 of 102,912 us: 30 - 39 dB
    assert played_once(late, sf=np.array([8.0, 7.0]))[2] == [OK, OK]


def test_at_start_later_packets_do_not_count():
    loss_db = loss_for([-110, -80])
    for interferers, expected in (("all_overlaps", DROWNED), ("at_start", OK)):
        rule = Reception(interferers=interferers, spared_preamble_symbols=0.0)
        assert played_once(timed([0, 0.01], loss_db, reception=rule), sf=np.array([9.0, 7.0]))[2] == [expected, OK]


def test_a_lost_new_packet_harms_nobody_only_in_the_published_rule():
    loss_db = loss_for([-110, -125.0])  # the second is below SF7's sensitivity; LoRaSim's 16 dB apart needs capture
    for lost_packets_interfere, expected in ((True, HIT), (False, OK)):
        rule = replace(ALONE, capture_db=20.0, lost_packets_interfere=lost_packets_interfere)
        assert played_once(timed([0, 0.02], loss_db, reception=rule), sf=7)[2] == [expected, WEAK]


def test_overlap_at_another_bandwidth_is_noise_unless_the_rule_says_collision():
    wide = region(bandwidths_hz=(125e3, 250e3))
    for needs_equal_bw, expected in ((True, OK), (False, HIT)):
        rule = Reception(spared_preamble_symbols=0.0, same_sf_needs_equal_bw=needs_equal_bw)
        scenario = timed([0, 0.01], loss_for([-110, -110]), reception=rule, region=wide)
        assert played_once(scenario, sf=8, bw_hz=np.array([125e3, 250e3]))[2] == [expected, expected]


def test_delivered_by_any_gateway_and_otherwise_the_fate_of_the_loudest():
    """Node 0 collides at gateway 0, is heard at gateway 1; node 1 collides where it is loud, is weak elsewhere."""
    loss_db = loss_for([[-100, -115], [-101, -130]])
    _, receptions, fates = played_once(timed([0, 0.02], loss_db, reception=ALONE), sf=7)
    assert fates == [OK, HIT]
    assert receptions.fate.tolist() == [[HIT, OK], [HIT, WEAK]]


def test_twenty_packets_by_hand():
    """SF7 lasts 56.576 ms, SF8 102.912 ms, SF9 185.344 ms (20 bytes).

    Capture takes 6 dB, noise is -117.03 dBm; SF7 needs -7.5 dB SINR, SF8 -10, SF9 -12.5; three preamble symbols are
    spared (SF7: 3.072 ms).
    Two demodulators.
    """
    trace = [  # start ms, SF, channel, RSSI dBm, fate, why
        (0, 7, 0, -100, OK, "alone on channel 0"),
        (10, 7, 1, -123, OK, "at the sensitivity; SNR -5.97 dB"),
        (100, 7, 0, -123.5, WEAK, "below -123"),
        (200, 7, 0, -100, HIT, "meets the next, 4 dB apart"),
        (220, 7, 0, -104, HIT, "meets the last"),
        (400, 7, 0, -100, HIT, "10 dB weaker than the next"),
        (420, 7, 0, -90, OK, "captures"),
        (600, 7, 0, -100, HIT, "its last 2.576 ms are hit"),
        (654, 7, 0, -100, OK, "hit in 2.576 ms of its preamble: spared"),
        (800, 7, 2, -100, OK, "channel 2, others elsewhere"),
        (810, 7, 0, -100, OK, "channel 0"),
        (820, 7, 1, -100, REFUSED, "two demodulators are taken"),
        (1000, 9, 0, -110, OK, "SF8 at -108: SINR -110 - (-107.49) = -2.5 dB"),
        (1050, 8, 0, -108, OK, "SF9 at -110: SINR 1.2 dB"),
        (1400, 9, 1, -125, DROWNED, "SF8 at -108: SINR -17.5 dB"),
        (1450, 8, 1, -108, OK, "SF9 at -125: SINR 8.4 dB"),
        (2000, 7, 0, -95, HIT, "3 dB apart from the third of a chain"),
        (2050, 7, 0, -92, HIT, "overlaps both ends of the chain; 3 dB below the next"),
        (2100, 7, 0, -89, HIT, "3 dB above the second, less than 6"),
        (3000, 7, 0, -60, OK, "loud and alone"),
    ]
    starts_ms, sf, channel, rssi_dbm, expected, _ = zip(*trace, strict=True)
    scenario = timed(np.array(starts_ms) / 1000, loss_for(rssi_dbm), reception=Reception(demodulators=2))
    _, _, fates = played_once(scenario, sf=np.array(sf, float), channel=np.array(channel))
    assert fates == list(expected)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("inter_sf", "sinner", "reception.inter_sf: 'sinner' is not one of none"),
        ("spared_preamble_symbols", -1.0, "spared_preamble_symbols: -1.0 is not at least 0"),
        ("demodulators", 0, "demodulators: 0 is not a whole number of at least 1"),
        ("sensitivity_dbm", np.zeros((6, 2)), r"sensitivity_dbm: shape \(6, 2\); allowed is \(6, 3\)"),
        ("capture_db", float("nan"), "reception.capture_db: nan is not within -300 to 300 dB"),
        ("demodulators", 1.5, "demodulators: 1.5 is not a whole number"),
        ("sinr_db", np.full(6, np.nan), r"reception.sinr_db\[0\]: nan is not within -300 to 300 dB"),
        ("inter_sf", "sir_energy", "sir_db: inter_sf 'sir_energy' needs a matrix"),
    ],
)
def test_bad_parameters_are_named(field, value, message):
    with pytest.raises(ValueError, match=message):
        Reception(**{field: value})
