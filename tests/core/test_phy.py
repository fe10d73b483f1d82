import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_marl.core import phy
from lora_marl.core.tables import BANDWIDTHS_HZ, SPREADING_FACTORS, SUPPLY_CURRENT_MA

spreading_factors = st.sampled_from(SPREADING_FACTORS)
bandwidths_hz = st.sampled_from(BANDWIDTHS_HZ)
coding_rates = st.integers(1, 4)
modes = st.sampled_from(["auto", "on", "off", "sf11_125khz"])


@pytest.mark.parametrize(
    ("column", "low_data_rate"), [("toa_de0", "off"), ("toa_code", "sf11_125khz"), ("toa_semtech", "auto")]
)
def test_airtime_vectors(dlora_vectors, column, low_data_rate):
    rows = dlora_vectors["toa_ms"]
    sf, payload_bytes, bw_khz, expected_ms = np.array([[r["sf"], r["payload"], r["bw_khz"], r[column]] for r in rows]).T
    airtime_s = phy.airtime_s(sf, payload_bytes, bw_hz=1e3 * bw_khz, low_data_rate=low_data_rate)
    np.testing.assert_allclose(airtime_s, expected_ms / 1e3, rtol=1e-14)


def test_symbol_time_vectors(dlora_vectors):
    for row in dlora_vectors["toa_ms"]:
        assert phy.symbol_time_s(row["sf"], 1e3 * row["bw_khz"]) == pytest.approx(row["Tsym_ms"] / 1e3, rel=1e-14)


def test_airtime_in_ns3(ns3_vectors):
    scenario = ns3_vectors["scenario"]
    for sf, expected_s in scenario["airtime_s"].items():
        got_s = phy.airtime_s(int(sf), scenario["phy_payload_bytes"], bw_hz=scenario["bw_hz"])
        assert got_s == pytest.approx(expected_s, rel=1e-14)


def test_airtime_of_norel_at_coding_rate_4_8():
    expected_s = [0.07808, 0.139776, 0.246784, 0.493568, 0.856064, 1.712128]
    got_s = phy.airtime_s(SPREADING_FACTORS, 20, bw_hz=125e3, coding_rate=4, low_data_rate="off")
    np.testing.assert_allclose(got_s, expected_s, rtol=1e-14)


def test_airtime_by_hand():
    """SF7, 10 bytes, no header, no CRC: ceil((80 - 28 + 28 - 20) / 28) = 3 blocks of 5: 12.25 + 8 + 15 symbols."""
    got_s = phy.airtime_s(7, 10, bw_hz=125e3, crc=False, explicit_header=False)
    assert got_s == pytest.approx(35.25 * 128 / 125e3, rel=1e-14)


def test_payload_symbols_are_never_fewer_than_eight():
    """SF12 without bytes: the bracket is negative and must not shorten the frame below preamble, sync and header."""
    got_s = phy.airtime_s(12, 0, bw_hz=125e3, crc=False, explicit_header=False)
    assert got_s == pytest.approx((12.25 + 8) * 4096 / 125e3, rel=1e-14)


@given(spreading_factors, st.integers(0, 254), bandwidths_hz, coding_rates, modes)
def test_airtime_grows_with_payload_and_coding_rate(sf, payload_bytes, bw_hz, coding_rate, mode):
    common = {"bw_hz": bw_hz, "low_data_rate": mode}
    short_s = phy.airtime_s(sf, payload_bytes, coding_rate=coding_rate, **common)
    assert phy.airtime_s(sf, payload_bytes + 1, coding_rate=coding_rate, **common) >= short_s
    assert phy.airtime_s(sf, payload_bytes, coding_rate=min(coding_rate + 1, 4), **common) >= short_s


@given(st.integers(7, 11), st.integers(0, 255), bandwidths_hz, coding_rates, modes)
def test_airtime_grows_with_spreading_factor(sf, payload_bytes, bw_hz, coding_rate, mode):
    fast_s, slow_s = phy.airtime_s(
        [sf, sf + 1], payload_bytes, bw_hz=bw_hz, coding_rate=coding_rate, low_data_rate=mode
    )
    assert slow_s > fast_s


@given(spreading_factors, st.integers(0, 255), coding_rates)
def test_double_bandwidth_halves_airtime(sf, payload_bytes, coding_rate):
    narrow_s, wide_s = phy.airtime_s(
        sf, payload_bytes, bw_hz=[125e3, 250e3], coding_rate=coding_rate, low_data_rate="off"
    )
    assert narrow_s == 2.0 * wide_s


def test_preamble_symbols_add_their_time():
    longer_s = phy.airtime_s(9, 20, bw_hz=125e3, preamble_symbols=12)
    assert longer_s - phy.airtime_s(9, 20, bw_hz=125e3) == pytest.approx(4 * 512 / 125e3)


def test_airtime_broadcasts():
    table_s = phy.airtime_s(np.reshape(SPREADING_FACTORS, (6, 1)), 20, bw_hz=BANDWIDTHS_HZ)
    assert table_s.shape == (6, 3)
    assert table_s[4, 1] == phy.airtime_s(11, 20, bw_hz=250e3)


def test_low_data_rate_of_sf12_at_250_khz_tells_the_rules_apart():
    by_symbol_s = phy.airtime_s(12, 50, bw_hz=250e3, low_data_rate="auto")
    by_table_s = phy.airtime_s(12, 50, bw_hz=250e3, low_data_rate="sf11_125khz")
    assert (by_symbol_s, by_table_s) == pytest.approx((1.150976, 1.069056))


def test_bit_rates_of_lorawan():
    """SF7 / 125 kHz at 4/5: 7 * 125000 / 128 * 4/5 = 5468.75 bit/s, which LoRaWAN rounds to 5470."""
    assert phy.bit_rate_bps(7, 125e3) == pytest.approx(5468.75)
    assert phy.bit_rate_bps(12, 125e3) == pytest.approx(292.96875)
    assert phy.bit_rate_bps(7, 250e3, coding_rate=4) == pytest.approx(5468.75 * 2 * 5 / 8)


@pytest.mark.parametrize("khz", ["125", "250", "500"])
def test_noise_floor(dlora_vectors, khz):
    floor = dlora_vectors["noise_floor_dbm"][khz]
    assert phy.noise_dbm(1e3 * int(khz), 0.0) == pytest.approx(floor["NF0"], rel=1e-14)
    assert phy.noise_dbm(1e3 * int(khz), 6.0) == pytest.approx(floor["NF6"], rel=1e-14)


def test_radiated_energy_of_50_bytes(dlora_vectors):
    for row in dlora_vectors["energy_mJ_payload50_bw125_de0"]:
        airtime_s = phy.airtime_s(row["sf"], 50, bw_hz=125e3, low_data_rate="off")
        energy_mj = phy.energy_mj(row["tp"], airtime_s)
        assert energy_mj == pytest.approx(row["energy"], rel=1e-13)
        assert 8 * 50 / energy_mj == pytest.approx(row["ee_if_received_bits_per_mJ"], rel=1e-13)


def test_radiated_energy_of_20_bytes(dlora_vectors):
    for row in dlora_vectors["energy_mJ_payload20_code_de"]:
        airtime_s = phy.airtime_s(row["sf"], 20, bw_hz=1e3 * row["bw"], low_data_rate="sf11_125khz")
        assert phy.energy_mj(row["tp"], airtime_s) == pytest.approx(row["energy"], rel=1e-13)


@given(st.floats(-20.0, 30.0), st.floats(1e-3, 10.0))
def test_one_more_dbm_costs_one_decibel_more(tp_dbm, airtime_s):
    ratio = phy.energy_mj(tp_dbm + 1.0, airtime_s) / phy.energy_mj(tp_dbm, airtime_s)
    assert 10.0 * np.log10(ratio) == pytest.approx(1.0)


def test_supply_energy():
    assert phy.energy_mj([2, 14, 20], 0.5, "supply").tolist() == [36.0, 66.0, 187.5]
    np.testing.assert_allclose(phy.tx_power_mw([2, 5, 14], "supply", supply="norel"), [79.2, 82.5, 145.2])
    for tp_dbm, current_ma in SUPPLY_CURRENT_MA["lorasim"].items():
        assert phy.tx_power_mw(tp_dbm, "supply") == 3.0 * current_ma


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: phy.airtime_s(13, 20, bw_hz=125e3), "spreading factor is 13: .* 7, 8, 9, 10, 11, 12"),
        (lambda: phy.airtime_s([7, 7.5], 20, bw_hz=125e3), "spreading factor is 7.5"),
        (lambda: phy.airtime_s(np.nan, 20, bw_hz=125e3), "spreading factor is nan"),
        (lambda: phy.airtime_s(7, 20, bw_hz=125), "bandwidth in Hz is 125: .* 125000, 250000, 500000"),
        (lambda: phy.airtime_s(7, 256, bw_hz=125e3), "payload in bytes is 256: .* 0 to 255"),
        (lambda: phy.airtime_s(7, -1, bw_hz=125e3), "payload in bytes is -1"),
        (lambda: phy.airtime_s(7, 20.5, bw_hz=125e3), "payload in bytes is 20.5"),
        (lambda: phy.airtime_s(7, 20, bw_hz=125e3, coding_rate=5), "coding rate is 5: .* 1 to 4"),
        (lambda: phy.airtime_s(7, 20, bw_hz=125e3, preamble_symbols=-1), "preamble_symbols is -1"),
        (lambda: phy.airtime_s(7, 20, bw_hz=125e3, low_data_rate="maybe"), "'maybe' .* auto, on, off, sf11_125khz"),
        (lambda: phy.bit_rate_bps(7, 125e3, 0), "coding rate is 0"),
        (lambda: phy.noise_dbm(1.0, 6.0), "bandwidth in Hz is 1"),
        (lambda: phy.tx_power_mw(14, "battery"), "energy mode 'battery' .* radiated, supply"),
        (lambda: phy.tx_power_mw(14, "supply", supply="x"), "supply table 'x' .* lorasim, norel"),
        (lambda: phy.tx_power_mw(2.5, "supply"), r"transmit power .* is 2.5: it must be one of -2, -1, 0, .* 20"),
        (lambda: phy.tx_power_mw(3, "supply", supply="norel"), "is 3: it must be one of 2, 5, 8, 11, 14"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
