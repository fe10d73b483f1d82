"""AS923 by group, KR920 and IN865: channels that networks add to, at data rates that both directions share.

Listen before talk is the law for AS923 in Japan and for KR920 everywhere. It is not modelled: networks of these regions
send as if they never had to wait for a free channel. The duty cycle of AS923 is that of countries without another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lora_marl.core.regions.rates import OFFSETS_TO_5, OFFSETS_TO_7, Rate, payloads, rx1_rates

_RATES: Mapping[int, Rate] = {
    12 - sf: (sf, 125e3) for sf in range(12, 6, -1)
}  # RP002-1.0.5, 3.10.3 to 3.12.3: DR0 to 5
_WIDE: Rate = (7, 250e3)  # DR6 of AS923

_AS_M_BYTES = dict(zip((*_RATES.values(), _WIDE), (59, 59, 123, 123, 250, 250, 250), strict=True))  # Table 73, no dwell
_M_BYTES = dict(zip(_RATES.values(), (59, 59, 59, 123, 250, 250), strict=True))  # 3.11.6 and 3.12.6

_GROUPS_HZ: Mapping[str, float] = {"1": 0.0, "2": -1.8e6, "3": -6.6e6, "4": -5.9e6}  # 3.10.2: AS923_FREQ_OFFSET_HZ


def _as923(name: str, offset_hz: float) -> Mapping[str, Any]:
    """A group of AS923, whose frequencies are those of group 1 with an offset."""
    return {
        "name": name,
        "channels_hz": (923.2e6 + offset_hz, 923.2e6 + 200e3 + offset_hz),  # 3.10.2: the two default channels
        "default_channels": 2,
        "duty_cycle": 0.01,  # 3.10.2
        "max_payload_bytes": payloads(_AS_M_BYTES),
        "rx1_data_rates": rx1_rates(_RATES, _RATES, OFFSETS_TO_7, least=0, most=5),  # Table 74, DownlinkDwellTime 0
        "rx2_hz": 923.2e6 + offset_hz,  # 3.10.7: DR2
        "rx2_sf": 10,
        "rx2_bandwidth_hz": 125e3,
        "gateway_tp_dbm": (14.0,),
        "max_tp_dbm": 14.0,  # 3.10.3: 16 dBm EIRP
        "listen_before_talk": True,
    }


KR920: Mapping[str, Any] = {
    "name": "KR920",
    "channels_hz": (922.1e6, 922.3e6, 922.5e6),  # 3.11.2
    "default_channels": 3,
    "tp_dbm": (0.0, 2.0, 4.0, 6.0, 8.0, 10.0),
    "max_payload_bytes": payloads(_M_BYTES),
    "rx1_data_rates": rx1_rates(_RATES, _RATES, OFFSETS_TO_5, least=0, most=5),  # 3.11.7
    "rx2_hz": 921.9e6,  # 3.11.7
    "rx2_sf": 12,
    "rx2_bandwidth_hz": 125e3,
    # 3.11.2: gateways 10 dBm EIRP up to 922 MHz and 23 dBm above it, devices 10 and 14 dBm.
    "sub_band_edges_hz": (922.0e6,),
    "gateway_tp_dbm": (7.85, 20.85),
    "max_tp_dbm": 11.85,
    "listen_before_talk": True,
}

IN865: Mapping[str, Any] = {
    "name": "IN865",
    "channels_hz": (865.0625e6, 865.4025e6, 865.985e6),  # 3.12.2
    "default_channels": 3,
    "tp_dbm": (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0),
    "max_payload_bytes": payloads(_M_BYTES),
    "rx1_data_rates": rx1_rates(_RATES, _RATES, OFFSETS_TO_7, least=0, most=5),  # 3.12.7
    "rx2_hz": 866.55e6,  # 3.12.7: DR2
    "rx2_sf": 10,
    "rx2_bandwidth_hz": 125e3,
    "gateway_tp_dbm": (27.05,),
    "max_tp_dbm": 27.05,  # Table 94: 29.2 dBm EIRP
}

AS923 = _as923("AS923", 0.0)
"""Group 1 by its older name."""

PLANS = (AS923, *(_as923(f"AS923-{group}", offset_hz) for group, offset_hz in _GROUPS_HZ.items()), KR920, IN865)
