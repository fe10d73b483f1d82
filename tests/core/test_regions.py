"""Values of every region against tables in LoRaWAN's own terms: data rates by number, MACPayloads, EIRP.

Read in Semtech's LoRa Basics Modem (`smtc_real/src/region_*_defs.h`; EU433 in LoRaMac-node's `RegionEU433.h`) and in
The Things Stack (`pkg/band/*_rp2_v1_0_4.go`); what differs from them is said beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from lora_marl.core.downlink import Downlink
from lora_marl.core.region import REGIONS
from lora_marl.core.regions.america import WITHOUT_DWELL_TIME
from lora_marl.core.windows import receive_windows

LORA_125 = {number: (12 - number, 125e3) for number in range(6)}
DIPOLE_DBI = 2.15


def down_from(rows: list[str]) -> dict[int, list[int]]:
    """RX1's data rates by RX1DROffset, of DR0, DR1, ...; a dash: a data rate that is not LoRa."""
    return {number: [int(rate) for rate in row.partition("-")[0].split()] for number, row in enumerate(rows)}


TO_DR0 = down_from(["0 0 0 0 0 0", "1 0 0 0 0 0", "2 1 0 0 0 0", "3 2 1 0 0 0", "4 3 2 1 0 0", "5 4 3 2 1 0"])
TO_DR1 = down_from(["", "1 1 1 1 1 1", "2 1 1 1 1 1", "3 2 1 1 1 1", "4 3 2 1 1 1", "5 4 3 2 1 1"])
US_RX1 = down_from(["10 9 8 8", "11 10 9 8", "12 11 10 9", "13 12 11 10", "13 13 12 11"])
AU_RX1 = down_from(
    ["8 8 8 8 8 8", "9 8 8 8 8 8", "10 9 8 8 8 8", "11 10 9 8 8 8", "12 11 10 9 8 8", "13 12 11 10 9 8",
     "13 13 12 11 10 9"]
)  # fmt: skip
AS_RX1 = down_from(
    ["0 0 0 0 0 0 1 2", "1 0 0 0 0 0 2 3", "2 1 0 0 0 0 3 4", "3 2 1 0 0 0 4 5", "4 3 2 1 0 0 5 6", "5 4 3 2 1 0 6 -"]
)
IN_RX1 = down_from(
    ["0 0 0 0 0 0 1 2", "1 0 0 0 0 0 2 3", "2 1 0 0 0 0 3 4", "3 2 1 0 0 0 4 5", "4 3 2 1 0 0 5 5", "5 4 3 2 1 0 5 -"]
)

WIDE_EU = LORA_125 | {6: (7, 250e3)}
DOWN_500 = {20 - sf: (sf, 500e3) for sf in range(12, 6, -1)}
M_DOWN_500 = {8: 61, 9: 137, 10: 250, 11: 250, 12: 250, 13: 250}
M_USUAL = dict(enumerate((59, 59, 59, 123, 250, 250, 250)))


@dataclass(frozen=True)
class Golden:
    """A region's values: channels as (first in MHz, step in kHz, count)."""

    channels: list[tuple[float, float, int]]
    rx2: tuple[float, int]
    eirp_dbm: float
    gateways_dbm: list[float]
    rates: dict[int, tuple[int, float]] = field(default_factory=lambda: LORA_125)
    m_bytes: dict[int, int] = field(default_factory=lambda: M_USUAL)
    rx1: dict[int, list[int]] = field(default_factory=lambda: TO_DR0)
    rx1_channels: list[tuple[float, float, int]] = field(default_factory=list)
    m_down_bytes: dict[int, int] = field(default_factory=dict)
    dwell_time_s: float | None = None


EIGHT_DOWN = [(923.3, 600.0, 8)] * 8
US = {
    "rates": {10 - sf: (sf, 125e3) for sf in range(10, 6, -1)} | {4: (8, 500e3)} | DOWN_500,
    "m_bytes": dict(enumerate((19, 61, 133, 250, 250))),
    "rx1": US_RX1,
}
AU = {
    "rates": LORA_125 | {6: (8, 500e3)} | DOWN_500,
    "m_bytes": dict(enumerate((59, 59, 19, 61, 133, 250, 250))),  # with dwell time from DR2 on, without it below
    "rx1": AU_RX1,
}
BOTH = {"rx2": (923.3, 8), "m_down_bytes": M_DOWN_500, "dwell_time_s": 0.4}
CHINA = {
    "rates": LORA_125 | {6: (7, 500e3)},
    "m_bytes": {1: 31, 2: 94, 3: 192, 4: 250, 5: 250, 6: 250},  # The Things Stack has 172 for DR3
    "rx1": TO_DR1,
    "eirp_dbm": 19.15,
    "gateways_dbm": [17.0],
    "dwell_time_s": 1.0,
}

GOLDEN = {
    "EU868": Golden(
        [(868.1, 200.0, 3), (867.1, 200.0, 5)], (869.525, 0), 16.0, [14.0] * 8 + [27.0], WIDE_EU, rx1=TO_DR0
    ),
    "EU433": Golden([(433.175, 200.0, 3)], (434.665, 0), 12.15, [10.0], WIDE_EU),
    "RU864": Golden([(868.9, 200.0, 2)], (869.1, 0), 16.0, [20.0], WIDE_EU),
    "KR920": Golden([(922.1, 200.0, 3)], (921.9, 0), 14.0, [23.0 - DIPOLE_DBI]),
    # RP002-1.0.5, Table 94; it was 30 dBm EIRP in RP002-1.0.4.
    "IN865": Golden(
        [(865.0625, 340.0, 2), (865.985, 0.0, 1)], (866.55, 2), 29.2, [29.2 - DIPOLE_DBI], rx1=IN_RX1
    ),
    **{
        name: Golden(
            [(first_mhz, 200.0, 2)], (first_mhz, 2), 16.0, [14.0], WIDE_EU,
            dict(enumerate((59, 59, 123, 123, 250, 250, 250))), AS_RX1,
        )
        for name, first_mhz in
        {"AS923": 923.2, "AS923-1": 923.2, "AS923-2": 921.4, "AS923-3": 916.6, "AS923-4": 917.3}.items()
    },
    "US915": Golden(
        [(902.3, 200.0, 64)], eirp_dbm=30.0, gateways_dbm=[26.0], rx1_channels=EIGHT_DOWN, **US, **BOTH
    ),
    "US915-FSB2": Golden(
        [(903.9, 200.0, 8), (904.6, 0.0, 1)], eirp_dbm=21.0 + DIPOLE_DBI, gateways_dbm=[26.0],
        rx1_channels=[(923.3, 600.0, 8), (923.9, 0.0, 1)], **US, **BOTH,
    ),
    "AU915": Golden(
        [(915.2, 200.0, 64)], eirp_dbm=30.0, gateways_dbm=[30.0 - DIPOLE_DBI], rx1_channels=EIGHT_DOWN, **AU, **BOTH
    ),
    "AU915-FSB8": Golden(
        [(926.4, 200.0, 8), (927.1, 0.0, 1)], eirp_dbm=30.0, gateways_dbm=[30.0 - DIPOLE_DBI],
        rx1_channels=[(923.3, 600.0, 8), (927.5, 0.0, 1)], **AU, **BOTH,
    ),
    "CN470-20A": Golden(
        [(470.3, 200.0, 32), (503.5, 200.0, 32)], (486.9, 1),
        rx1_channels=[(483.9, 200.0, 32), (490.3, 200.0, 32)], **CHINA,
    ),
    "CN470-20B": Golden(
        [(476.9, 200.0, 32), (496.9, 200.0, 32)], (498.3, 1),
        rx1_channels=[(476.9, 200.0, 32), (496.9, 200.0, 32)], **CHINA,
    ),
    "CN470-26A": Golden([(470.3, 200.0, 48)], (492.5, 1), rx1_channels=[(490.1, 200.0, 24)] * 2, **CHINA),
    "CN470-26B": Golden([(480.3, 200.0, 48)], (502.5, 1), rx1_channels=[(500.1, 200.0, 24)] * 2, **CHINA),
}  # fmt: skip


def in_hz(groups: list[tuple[float, float, int]]) -> list[float]:
    return [
        1e6 * first_mhz + 1e3 * step_khz * number for first_mhz, step_khz, count in groups for number in range(count)
    ]


def largest_bytes(rates: dict[int, tuple[int, float]], m_bytes: dict[int, int]) -> dict[tuple[int, float], int]:
    """PHY payloads by data rate: MAC header and integrity code on top of the MACPayload."""
    return {rates[number]: size + 5 for number, size in m_bytes.items() if number in rates}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_region_has_the_values_of_rp002(name):
    golden, plan = GOLDEN[name], REGIONS[name]
    assert plan.channels_hz == pytest.approx(in_hz(golden.channels))
    assert plan.rx1_channels_hz == pytest.approx(in_hz(golden.rx1_channels))
    assert dict(plan.max_payload_bytes) == largest_bytes(golden.rates, golden.m_bytes)
    assert dict(plan.max_downlink_bytes) == largest_bytes(golden.rates, golden.m_down_bytes)
    by_offset = dict(plan.rx1_data_rates)
    for number, numbers in golden.rx1.items():
        if numbers:
            assert by_offset[golden.rates[number]] == tuple(golden.rates[downlink] for downlink in numbers), number
    rx2_mhz, rx2_number = golden.rx2
    assert plan.rx2_hz == pytest.approx(1e6 * rx2_mhz)
    assert (plan.rx2_sf, plan.rx2_bandwidth_hz) == golden.rates[rx2_number]
    # 16 dBm EIRP stands for 25 mW e.r.p., which is 14 dBm fed to a dipole, .15 dB more.
    assert plan.max_tp_dbm == pytest.approx(golden.eirp_dbm - DIPOLE_DBI, abs=0.1501)
    assert plan.dwell_time_s == golden.dwell_time_s


def test_au915_has_longer_frames_where_there_is_no_dwell_time():
    m_bytes = dict(enumerate((59, 59, 59, 123, 250, 250, 250)))
    without = replace(REGIONS["AU915"], **WITHOUT_DWELL_TIME["AU915"])
    assert dict(without.max_payload_bytes) == largest_bytes(GOLDEN["AU915"].rates, m_bytes)
    assert without.dwell_time_s is None and without.spreading_factors == (7, 8, 9, 10, 11, 12)


@pytest.mark.parametrize("name", GOLDEN)
def test_gateways_send_with_the_power_that_a_region_allows_on_each_channel(name):
    tp_dbm, golden_dbm = receive_windows(REGIONS[name], Downlink()).tp_dbm, GOLDEN[name].gateways_dbm
    assert tp_dbm == pytest.approx(golden_dbm * len(tp_dbm) if len(golden_dbm) == 1 else golden_dbm)


@pytest.mark.parametrize(
    ("mhz", "duty_cycle", "tp_dbm"), [(864.5, 0.001, 14.0), (867.1, 0.01, 14.0), (868.9, 0.01, 20.0)]
)
def test_ru864_has_the_sub_bands_of_russian_law(mhz, duty_cycle, tp_dbm):
    ru864 = REGIONS["RU864"]
    assert (ru864.duty_cycle_at(mhz * 1e6), ru864.gateway_tp_at_dbm(mhz * 1e6)) == (duty_cycle, tp_dbm)


@pytest.mark.parametrize("mhz", [865.5, 868.3, 869.525])
def test_between_the_sub_bands_of_ru864_nobody_may_send(mhz):
    with pytest.raises(ValueError, match=f"{mhz} MHz lies in no sub-band of RU864"):
        REGIONS["RU864"].duty_cycle_at(mhz * 1e6)


@pytest.mark.parametrize("name", ["AS923-1", "IN865"])
def test_an_offset_that_leads_to_fsk_is_refused(name):
    with pytest.raises(ValueError, match=f"rx1_dr_offset: 7; region {name} has 0 to 6 at SF7/125 kHz"):
        receive_windows(REGIONS[name], Downlink(rx1_dr_offset=7))
    slower = replace(REGIONS[name], spreading_factors=(8, 9, 10, 11, 12))
    assert receive_windows(slower, Downlink(rx1_dr_offset=7)).spreading_factors[-1] == 7
