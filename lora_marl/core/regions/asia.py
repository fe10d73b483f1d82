"""AS923 by group, KR920 and IN865: channels that networks add to, at data rates that both directions share.

Listen before talk is the law for AS923-1 in Japan and for KR920 everywhere (TTS's frequency plans). It is not modelled:
networks of these regions send as if they never had to wait for a free channel. The duty cycle of AS923 is that of
countries without another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lora_marl.core.regions.rates import OFFSETS_TO_5, OFFSETS_TO_7, Rate, payloads, rx1_rates

_RATES: Mapping[int, Rate] = {12 - sf: (sf, 125e3) for sf in range(12, 6, -1)}  # TTS, LBM: DR0 to DR5
_AS_RATES: Mapping[int, Rate] = {**_RATES, 6: (7, 250e3)}
"""Data rates of AS923. DR7, FSK, is left out."""

_AS_M_BYTES = dict(zip(_AS_RATES.values(), (59, 59, 123, 123, 250, 250, 250), strict=True))  # Table 73, no dwell
_M_BYTES = dict(zip(_RATES.values(), (59, 59, 59, 123, 250, 250), strict=True))  # TTS, LBM

_GROUPS_HZ: Mapping[str, float] = {"1": 0.0, "2": -1.8e6, "3": -6.6e6, "4": -5.9e6}  # LBM


def _as923(name: str, offset_hz: float) -> Mapping[str, Any]:
    """A group of AS923, whose frequencies are those of group 1 with an offset."""
    return {
        "name": name,
        "channels_hz": (923.2e6 + offset_hz, 923.2e6 + 200e3 + offset_hz),  # LBM, TTS
        "default_channels": 2,
        "duty_cycle": 0.01,  # TTS
        "max_payload_bytes": payloads(_AS_M_BYTES),
        # 3.10.7 and LBM, DownlinkDwellTime 0: offsets 6 and 7 lead from DR4 and DR5 to DR6, and from DR5 on to FSK.
        "rx1_data_rates": rx1_rates(_AS_RATES, _AS_RATES, OFFSETS_TO_7, least=0, most=7),
        "rx2_hz": 923.2e6 + offset_hz,  # TTS, LBM: DR2
        "rx2_sf": 10,
        "rx2_bandwidth_hz": 125e3,
        "gateway_tp_dbm": (14.0,),
        "max_tp_dbm": 14.0,  # TTS, LBM: 16 dBm EIRP
        "listen_before_talk": offset_hz == 0.0,
    }


KR920: Mapping[str, Any] = {
    "name": "KR920",
    "channels_hz": (922.1e6, 922.3e6, 922.5e6),  # LBM, ChirpStack
    "default_channels": 3,
    "tp_dbm": (0.0, 2.0, 4.0, 6.0, 8.0, 10.0),
    "max_payload_bytes": payloads(_M_BYTES),
    "rx1_data_rates": rx1_rates(_RATES, _RATES, OFFSETS_TO_5, least=0, most=5),  # LBM
    "rx2_hz": 921.9e6,  # TTS, LBM: DR0
    "rx2_sf": 12,
    "rx2_bandwidth_hz": 125e3,
    # ChirpStack: 23 dBm EIRP; Korean law allows fixed stations 200 mW on all channels from 920.9 to 923.3 MHz.
    "gateway_tp_dbm": (20.85,),
    # TTS, LBM, 1.0.3: 14 dBm EIRP; below 922 MHz, where no default channel is, a device may use 10 dBm alone.
    "max_tp_dbm": 11.85,
    "listen_before_talk": True,
}

IN865: Mapping[str, Any] = {
    "name": "IN865",
    "channels_hz": (865.0625e6, 865.4025e6, 865.985e6),  # LBM, ChirpStack
    "default_channels": 3,
    "tp_dbm": (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0),
    "max_payload_bytes": payloads(_M_BYTES),
    # LBM: DR5 at most but for DR5 at offset 7, which leads to FSK and is left out (ChirpStack has DR5 there).
    "rx1_data_rates": tuple(
        (rate, downlinks[:7] if rate == _RATES[5] else downlinks)
        for rate, downlinks in rx1_rates(_RATES, _RATES, OFFSETS_TO_7, least=0, most=5)
    ),
    "rx2_hz": 866.55e6,  # TTS, LBM: DR2
    "rx2_sf": 10,
    "rx2_bandwidth_hz": 125e3,
    "gateway_tp_dbm": (27.05,),  # as devices; ChirpStack: 27 dBm
    "max_tp_dbm": 27.05,  # Table 94: 29.2 dBm EIRP
}

AS923 = _as923("AS923", 0.0)
"""Group 1 by its older name."""

PLANS = (AS923, *(_as923(f"AS923-{group}", offset_hz) for group, offset_hz in _GROUPS_HZ.items()), KR920, IN865)
