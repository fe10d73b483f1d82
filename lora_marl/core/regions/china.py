"""CN470 by antenna (20 or 26 MHz) and plan (A or B), which tell on which channels uplinks and downlinks are.

`CN470-96` is the plan of 96 channels that was there before, up to RP002-1.0.0, and that network servers still run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lora_marl.core.regions.rates import OFFSETS_TO_5, Rate, channels_hz, payloads, rx1_rates

_RATES: Mapping[int, Rate] = {12 - sf: (sf, 125e3) for sf in range(11, 6, -1)}  # TTS, LBM, LMN: DR1 to DR5
_WIDE: Rate = (7, 500e3)  # DR6

_M_BYTES = dict(
    zip((*_RATES.values(), _WIDE), (31, 94, 192, 250, 250, 250), strict=True)
)  # LBM, LMN; TTS has 172 at SF9

_COMMON: Mapping[str, Any] = {
    "spreading_factors": (7, 8, 9, 10, 11),  # a frame may last 1 s, which leaves SF12 no payload
    "tp_dbm": (3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0),
    "max_payload_bytes": payloads(_M_BYTES),
    "rx1_data_rates": rx1_rates(_RATES, _RATES, OFFSETS_TO_5, least=1, most=5),  # LBM, LMN
    "rx2_sf": 11,  # LBM, LMN: DR1, the slowest that the dwell time leaves
    "rx2_bandwidth_hz": 125e3,
    "dwell_time_s": 1.0,  # what the largest payloads just keep
    "gateway_tp_dbm": (17.0,),
    "max_tp_dbm": 17.0,  # TTS, LMN: 19.15 dBm EIRP
}

# LBM, TTS: uplink channels, the channels of RX1 (number n modulo their number). TTS, LMN: RX2 of devices without join;
# one that joins has a frequency by its join channel (LBM), which is another one in the plans of 20 MHz.
_20A: Mapping[str, Any] = {
    **_COMMON,
    "channels_hz": channels_hz(470.3e6, 32) + channels_hz(503.5e6, 32),
    "rx1_channels_hz": channels_hz(483.9e6, 32) + channels_hz(490.3e6, 32),
    "rx2_hz": 486.9e6,
}
_20B: Mapping[str, Any] = {
    **_COMMON,
    "channels_hz": channels_hz(476.9e6, 32) + channels_hz(496.9e6, 32),
    "rx1_channels_hz": channels_hz(476.9e6, 32) + channels_hz(496.9e6, 32),
    "rx2_hz": 498.3e6,
}
_26A: Mapping[str, Any] = {
    **_COMMON,
    "channels_hz": channels_hz(470.3e6, 48),
    "rx1_channels_hz": channels_hz(490.1e6, 24) * 2,
    "rx2_hz": 492.5e6,
}
_26B: Mapping[str, Any] = {
    **_COMMON,
    "channels_hz": channels_hz(480.3e6, 48),
    "rx1_channels_hz": channels_hz(500.1e6, 24) * 2,
    "rx2_hz": 502.5e6,
}

_RATES_96: Mapping[int, Rate] = {12 - sf: (sf, 125e3) for sf in range(12, 6, -1)}
_M_BYTES_96 = dict(zip(_RATES_96.values(), (59, 59, 59, 123, 250, 250), strict=True))

# Source: ChirpStack v4, `lrwn/src/region/cn470.rs` (channels, RX1 on number n modulo 48, RX2, payloads of RP002-1.0.0);
# The Things Network's frequency plans of CN_470_510 have the same pairs of channels.
_96: Mapping[str, Any] = {
    **_COMMON,
    "spreading_factors": (7, 8, 9, 10, 11, 12),
    "channels_hz": channels_hz(470.3e6, 96),
    "max_payload_bytes": payloads(_M_BYTES_96),
    "rx1_channels_hz": channels_hz(500.3e6, 48) * 2,
    "rx1_data_rates": rx1_rates(_RATES_96, _RATES_96, OFFSETS_TO_5, least=0, most=5),
    "rx2_hz": 505.3e6,
    "rx2_sf": 12,
    "dwell_time_s": None,
}

CN470 = {**_20A, "name": "CN470"}
"""The 20 MHz antenna's plan A, by its older name."""

PLANS: tuple[Mapping[str, Any], ...] = (
    CN470,
    {**_20A, "name": "CN470-20A"},
    {**_20B, "name": "CN470-20B"},
    {**_26A, "name": "CN470-26A"},
    {**_26B, "name": "CN470-26B"},
    {**_96, "name": "CN470-96"},
)
