"""US915 and AU915: 64 channels of 125 kHz and 8 of 500 kHz for uplinks, 8 channels of 500 kHz for downlinks.

`US915` and `AU915` are the 64 channels of 125 kHz. `US915-FSB1` to `-FSB8` are a network's usual part of the plan:
eight of them and the channel of 500 kHz that lies over them, which takes one data rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lora_marl.core.regions.rates import OFFSETS_TO_5, Rate, channels_hz, payloads, rx1_rates

_WIDE: Rate = (8, 500e3)
"""The data rate of uplink channels of 500 kHz: DR4 of US915, DR6 of AU915."""

# TTS, LBM: DR8 to DR13, downlinks alone.
_DOWN: Mapping[int, Rate] = {20 - sf: (sf, 500e3) for sf in range(12, 6, -1)}

# TTS, LBM: largest M of downlinks without a repeater.
_DOWN_M_BYTES = dict(zip(_DOWN.values(), (61, 137, 250, 250, 250, 250), strict=True))

# LBM: downlinks on 923.3 to 927.5 MHz.
_DOWN_HZ = channels_hz(923.3e6, 8, 600e3)

_POWERS_DBM = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0)
"""Up to what a SX1276 reaches; both regions allow more. dBm"""

_COMMON: Mapping[str, Any] = {
    "spreading_factors": (7, 8, 9, 10),
    "tp_dbm": _POWERS_DBM,
    # TTS, 1.0.3: RX1 on downlink channel n modulo 8 of uplink channel n, whose 64th has 500 kHz.
    "max_downlink_bytes": payloads(_DOWN_M_BYTES),
    "rx2_hz": 923.3e6,  # TTS, LBM: DR8
    "rx2_sf": 12,
    "rx2_bandwidth_hz": 500e3,
    # US915: FCC 15.247. AU915: by country, and what devices assume at first (UplinkDwellTime; TTS, LBM).
    "dwell_time_s": 0.4,
    "max_tp_dbm": 27.85,  # TTS: 30 dBm EIRP
}

_US_UP: Mapping[int, Rate] = {**{10 - sf: (sf, 125e3) for sf in range(10, 6, -1)}, 4: _WIDE}  # TTS, LBM: DR0 to DR4
_AU_UP: Mapping[int, Rate] = {**{12 - sf: (sf, 125e3) for sf in range(12, 6, -1)}, 6: _WIDE}  # the same: DR0 to DR6

_US_WIDE_HZ, _AU_WIDE_HZ = channels_hz(903.0e6, 8, 1.6e6), channels_hz(915.9e6, 8, 1.6e6)
"""The uplink channels of 500 kHz, numbers 64 to 71. Hz. Source: LBM."""

US915: Mapping[str, Any] = {
    **_COMMON,
    "name": "US915",
    "channels_hz": channels_hz(902.3e6, 64),  # LBM
    "rx1_channels_hz": _DOWN_HZ * 8,
    "max_payload_bytes": payloads(dict(zip(_US_UP.values(), (19, 61, 133, 250, 250), strict=True))),  # TTS, LBM
    "rx1_data_rates": rx1_rates(_US_UP, _DOWN, (0, 1, 2, 3), least=8, most=13, shift=10),  # LBM, 1.0.3
    "gateway_tp_dbm": (26.0,),  # TTS: at 923.3 to 927.5 MHz
}

AU915: Mapping[str, Any] = {
    **_COMMON,
    "name": "AU915",
    "channels_hz": channels_hz(915.2e6, 64),  # LBM
    "rx1_channels_hz": _DOWN_HZ * 8,
    # TTS, LBM: with the dwell time, which leaves DR0 and DR1 no payload; theirs are those without it.
    "max_payload_bytes": payloads(dict(zip(_AU_UP.values(), (59, 59, 19, 61, 133, 250, 250), strict=True))),
    "rx1_data_rates": rx1_rates(_AU_UP, _DOWN, OFFSETS_TO_5, least=8, most=13, shift=8),  # LBM
    "gateway_tp_dbm": (27.85,),  # TTS: 30 dBm EIRP, in both directions
}

WITHOUT_DWELL_TIME: Mapping[str, Mapping[str, Any]] = {
    "AU915": {
        "dwell_time_s": None,
        "spreading_factors": (7, 8, 9, 10, 11, 12),
        # TTS, LBM, ChirpStack: UplinkDwellTime 0.
        "max_payload_bytes": payloads(dict(zip(_AU_UP.values(), (59, 59, 59, 123, 250, 250, 250), strict=True))),
    }
}
"""The fields of regions that are others where the network has told devices that there is no dwell time, by name."""


def _parts(plan: Mapping[str, Any], wide_hz: tuple[float, ...]) -> Iterator[Mapping[str, Any]]:
    """The eight parts of a plan, each of eight channels of 125 kHz and one of 500 kHz."""
    narrow_rates = tuple((sf, 125e3) for sf in plan["spreading_factors"])
    for number, frequency_hz in enumerate(wide_hz):
        yield {
            **plan,
            "name": f"{plan['name']}-FSB{number + 1}",
            "channels_hz": (*plan["channels_hz"][8 * number : 8 * number + 8], frequency_hz),
            "rx1_channels_hz": (*_DOWN_HZ, _DOWN_HZ[number]),
            "bandwidths_hz": (125e3, 500e3),
            "channel_data_rates": (*[narrow_rates] * 8, (_WIDE,)),
        }


# TTS: 21 dBm, what FCC 15.247 allows where fewer than 50 channels of 125 kHz are enabled.
PLANS = (US915, AU915, *_parts({**US915, "max_tp_dbm": 21.0}, _US_WIDE_HZ), *_parts(AU915, _AU_WIDE_HZ))
