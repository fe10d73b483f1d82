"""EU868, EU433 and RU864: channels that networks add to, at data rates that uplinks and downlinks share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lora_marl.core.regions.rates import OFFSETS_TO_5, Rate, channels_hz, payloads, rx1_rates

# TTS, LBM: DR0 to DR6.
_RATES: Mapping[int, Rate] = {**{12 - sf: (sf, 125e3) for sf in range(12, 6, -1)}, 6: (7, 250e3)}

# TTS, LBM: largest M without a repeater, the same in both directions.
_M_BYTES = dict(zip(_RATES.values(), (59, 59, 59, 123, 250, 250, 250), strict=True))

_COMMON: Mapping[str, Any] = {
    "max_payload_bytes": payloads(_M_BYTES),
    # LBM: RX1 on the uplink's channel, its data rate less the offset, DR0 at least.
    "rx1_data_rates": rx1_rates(_RATES, _RATES, OFFSETS_TO_5, least=0, most=6),
    "rx2_sf": 12,
    "rx2_bandwidth_hz": 125e3,
}

EU868: Mapping[str, Any] = {
    **_COMMON,
    "name": "EU868",
    # LBM: the three default channels; then the five that networks usually add (EU_863_870 of TTS's frequency plans).
    "channels_hz": channels_hz(868.1e6, 3) + channels_hz(867.1e6, 5),
    "default_channels": 3,
    "duty_cycle": 0.01,
    # ETSI EN 300 220-2 V3.2.1, annex B, bands K to R (ERC/REC 70-03, annex 1): between the bands nothing is for
    # devices of no specific kind. Powers are e.r.p. TTS and LBM have the same.
    "sub_band_edges_hz": (863e6, 865e6, 868e6, 868.6e6, 868.7e6, 869.2e6, 869.4e6, 869.65e6, 869.7e6, 870e6),
    "sub_band_duty_cycles": (0.0, 0.001, 0.01, 0.01, 0.0, 0.001, 0.0, 0.1, 0.0, 0.01, 0.0),
    "gateway_tp_dbm": (14.0, 14.0, 14.0, 14.0, 14.0, 14.0, 14.0, 27.0, 14.0, 14.0, 14.0),
    "max_tp_dbm": 14.0,  # TTS, LBM: 16 dBm EIRP; bands K to N and R: 25 mW e.r.p.
    "rx2_hz": 869.525e6,  # TTS, LBM: DR0
}

EU433: Mapping[str, Any] = {
    **_COMMON,
    "name": "EU433",
    "channels_hz": (433.175e6, 433.375e6, 433.575e6),  # LMN
    "default_channels": 3,
    "tp_dbm": (0.0, 2.0, 4.0, 6.0, 8.0, 10.0),
    # ERC/REC 70-03, annex 1, band f1: 433.05 to 434.79 MHz, 10 mW e.r.p., 10 %. TTS has the same.
    "duty_cycle": 0.1,
    "sub_band_edges_hz": (433.05e6, 434.79e6),  # one band, in which RX2 lies, too
    "sub_band_duty_cycles": (0.0, 0.1, 0.0),
    "gateway_tp_dbm": (10.0,),
    "max_tp_dbm": 10.0,  # TTS: 12.15 dBm EIRP
    "rx2_hz": 434.665e6,  # TTS: DR0
}

RU864: Mapping[str, Any] = {
    **_COMMON,
    "name": "RU864",
    "channels_hz": (868.9e6, 869.1e6),  # LBM, 1.0.3 (Table 76)
    "default_channels": 2,
    "duty_cycle": 0.01,
    # Decision 18-46-03-1 of the Russian commission for radio frequencies (2018), annex 12, and LBM: sub-bands, duty
    # cycles and e.r.p. (25, 25, 100 mW); that of the default channels is 1 % (1.0.3, Table 76), where the law has 10 %.
    "sub_band_edges_hz": (864e6, 865e6, 866e6, 868e6, 868.7e6, 869.2e6),
    "sub_band_duty_cycles": (0.0, 0.001, 0.0, 0.01, 0.0, 0.01, 0.0),
    "gateway_tp_dbm": (14.0, 14.0, 14.0, 14.0, 14.0, 20.0, 14.0),
    "max_tp_dbm": 14.0,  # TTS, LBM: 16 dBm EIRP
    "rx2_hz": 869.1e6,  # TTS, LBM: DR0
}

PLANS = (EU868, EU433, RU864)
