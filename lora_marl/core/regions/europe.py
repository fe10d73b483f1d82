"""EU868, EU433 and RU864: channels that networks add to, at data rates that uplinks and downlinks share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lora_marl.core.regions.rates import OFFSETS_TO_5, Rate, channels_hz, payloads, rx1_rates

# RP002-1.0.5, 3.4.3, 3.7.3 and 3.13.3: DR0 to DR6.
_RATES: Mapping[int, Rate] = {**{12 - sf: (sf, 125e3) for sf in range(12, 6, -1)}, 6: (7, 250e3)}

# RP002-1.0.5, 3.4.6, 3.7.6 and 3.13.6: largest M without a repeater, the same in both directions.
_M_BYTES = dict(zip(_RATES.values(), (59, 59, 59, 123, 250, 250, 250), strict=True))

_COMMON: Mapping[str, Any] = {
    "max_payload_bytes": payloads(_M_BYTES),
    # RP002-1.0.5, 3.4.7, 3.7.7 and 3.13.7: RX1 on the uplink's channel, its data rate less the offset, DR0 at least.
    "rx1_data_rates": rx1_rates(_RATES, _RATES, OFFSETS_TO_5, least=0, most=6),
    "rx2_sf": 12,
    "rx2_bandwidth_hz": 125e3,
}

EU868: Mapping[str, Any] = {
    **_COMMON,
    "name": "EU868",
    # RP002-1.0.5, 3.4.2: the three default channels; then the five that networks usually add.
    "channels_hz": channels_hz(868.1e6, 3) + channels_hz(867.1e6, 5),
    "default_channels": 3,
    "duty_cycle": 0.01,
    # ETSI EN 300 220-2 V3.2.1, annex B, bands K to R (ERC/REC 70-03, annex 1): between the bands nothing is for
    # devices of no specific kind. Powers are e.r.p.
    "sub_band_edges_hz": (863e6, 865e6, 868e6, 868.6e6, 868.7e6, 869.2e6, 869.4e6, 869.65e6, 869.7e6, 870e6),
    "sub_band_duty_cycles": (0.0, 0.001, 0.01, 0.01, 0.0, 0.001, 0.0, 0.1, 0.0, 0.01, 0.0),
    "gateway_tp_dbm": (14.0, 14.0, 14.0, 14.0, 14.0, 14.0, 14.0, 27.0, 14.0, 14.0, 14.0),
    "max_tp_dbm": 14.0,  # 3.4.3: 16 dBm EIRP; bands K to N and R: 25 mW e.r.p.
    "rx2_hz": 869.525e6,  # 3.4.7
}

EU433: Mapping[str, Any] = {
    **_COMMON,
    "name": "EU433",
    "channels_hz": (433.175e6, 433.375e6, 433.575e6),  # 3.7.2
    "default_channels": 3,
    "tp_dbm": (0.0, 2.0, 4.0, 6.0, 8.0, 10.0),
    # ERC/REC 70-03, annex 1, band f1: 433.05 to 434.79 MHz, 10 mW e.r.p., 10 %.
    "duty_cycle": 0.1,
    "gateway_tp_dbm": (10.0,),
    "max_tp_dbm": 10.0,  # 3.7.3: 12.15 dBm EIRP
    "rx2_hz": 434.665e6,  # 3.7.7
}

RU864: Mapping[str, Any] = {
    **_COMMON,
    "name": "RU864",
    "channels_hz": (868.9e6, 869.1e6),  # 3.13.2
    "default_channels": 2,
    "duty_cycle": 0.01,  # 3.13.2
    "gateway_tp_dbm": (14.0,),
    "max_tp_dbm": 14.0,  # 3.13.3: 16 dBm EIRP
    "rx2_hz": 869.1e6,  # 3.13.7
}

PLANS = (EU868, EU433, RU864)
