"""Published tables of the radio, each named by its source. All arrays are read-only.

Sensitivity tables are `[6, 3]`: SF7 to SF12 by 125, 250 and 500 kHz, in dBm. SIR matrices are `[6, 6]`: row the wanted
spreading factor, column the interfering one, in dB; a packet survives where its SIR is at least the entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

SPREADING_FACTORS = (7, 8, 9, 10, 11, 12)
"""The rows of every table, and all spreading factors that this package knows."""

BANDWIDTHS_HZ = (125_000.0, 250_000.0, 500_000.0)
"""The columns of every sensitivity table, and all bandwidths that this package knows."""


def _frozen(rows: Sequence[Sequence[float]] | Sequence[float]) -> NDArray[np.float64]:
    table = np.array(rows, dtype=np.float64)
    table.setflags(write=False)
    return table


def _by_bandwidth(*columns: Sequence[float]) -> NDArray[np.float64]:
    """A sensitivity table from one row of SF7 to SF12 per bandwidth, as the sources print it."""
    return _frozen(np.transpose(columns).tolist())


def _from_125khz(sensitivity_dbm: Sequence[float]) -> NDArray[np.float64]:
    """A sensitivity table from 125 kHz alone: noise, and with it sensitivity, rises by 3 dB per doubled bandwidth."""
    return _by_bandwidth(*([level + step for level in sensitivity_dbm] for step in (0.0, 3.0, 6.0)))


SENSITIVITY_DBM: Mapping[str, NDArray[np.float64]] = MappingProxyType(
    {
        "dlora_table_i": _by_bandwidth(
            (-123, -126, -129, -132, -133, -136),
            (-120, -123, -125, -128, -130, -133),
            (-116, -119, -122, -125, -128, -130),
        ),
        "dlora_code": _by_bandwidth(
            (-123, -126, -129, -132, -133, -136),
            (-120, -123, -125, -128, -130, -133),
            (-116, -119, -122, -125, -133, -130),
        ),
        "lorasimplus": _by_bandwidth(
            (-126.5, -127.25, -131.25, -132.75, -134.5, -133.25),
            (-124.25, -126.75, -128.25, -130.25, -132.75, -132.25),
            (-120.75, -124.0, -127.5, -128.75, -128.75, -132.25),
        ),
        "iot_mab": _by_bandwidth(
            (-123, -126, -129.5, -132, -134.5, -137),
            (-121.5, -124, -126.5, -129, -131.5, -134),
            (-118.5, -121, -123.5, -126, -128.5, -131),
        ),
        "norel": _from_125khz((-124, -127, -130, -133, -135, -137)),
        "mmalora": _from_125khz((-123, -126, -129, -132, -134.5, -137)),
        "ns3_gateway": _from_125khz((-130.0, -132.5, -135.0, -137.5, -140.0, -142.5)),
    }
)
"""Sensitivity by source.

`dlora_table_i`: Table I of both D-LoRa papers. `dlora_code`: what their code has (SF11 at 500 kHz is -133, a typing
error). `lorasimplus`: measured, of LoRaSim and LoRaSimPlus. `iot_mab`: the IoT-MAB and MIX-MAB code. `norel`, `mmalora`
and `ns3_gateway`: NoReL, MMALoRa and the ns-3 module, published for 125 kHz alone; 250 and 500 kHz are 3 and 6 dB
above it.
"""

SINR_THRESHOLD_DB = _frozen((-7.5, -10.0, -12.5, -15.0, -17.5, -20.0))
"""`[6]`, the SINR that SF7 to SF12 need to be demodulated. dB. Source: SX1276 datasheet; D-LoRa Table II."""

_SAME_SF_DB = 6.0

SIR_DB: Mapping[str, NDArray[np.float64]] = MappingProxyType(
    {
        "goursaud": _frozen(
            (
                (6, -16, -18, -19, -19, -20),
                (-24, 6, -20, -22, -22, -22),
                (-27, -27, 6, -23, -25, -25),
                (-30, -30, -30, 6, -26, -28),
                (-33, -33, -33, -33, 6, -29),
                (-36, -36, -36, -36, -36, 6),
            )
        ),
        "norel": _frozen(
            (
                (1, -8, -9, -9, -9, -9),
                (-11, 1, -11, -12, -13, -13),
                (-15, -13, 1, -13, -14, -15),
                (-19, -18, -17, 1, -17, -18),
                (-22, -22, -21, -20, 1, -20),
                (-25, -25, -25, -24, -23, 1),
            )
        ),
        "orthogonal": _frozen(np.where(np.eye(6, dtype=bool), _SAME_SF_DB, -np.inf).tolist()),
    }
)
"""SIR by source.

`goursaud`: Goursaud and Gorce 2015, as in the ns-3 module. `norel`: as in NoReL and MMALoRa. `orthogonal`: spreading
factors never harm each other; 6 dB of capture within one.
"""

SUPPLY_VOLTAGE_V: Mapping[str, float] = MappingProxyType({"lorasim": 3.0, "norel": 3.3})
"""Supply voltage that goes with each table of currents. V"""

_LORASIM_MA = (22, 22, 22, 23, 24, 24, 24, 25, 25, 25, 25, 26, 31, 32, 34, 35, 44, 82, 85, 90, 105, 115, 125)

SUPPLY_CURRENT_MA: Mapping[str, Mapping[float, float]] = MappingProxyType(
    {
        "lorasim": MappingProxyType(dict(zip(map(float, range(-2, 21)), map(float, _LORASIM_MA), strict=True))),
        "norel": MappingProxyType({2.0: 24.0, 5.0: 25.0, 8.0: 25.0, 11.0: 32.0, 14.0: 44.0}),
    }
)
"""Supply current while sending, by source and transmit power in dBm. mA. `lorasim`: LoRaSim, -2 to 20 dBm (15 dBm and
more through the power amplifier); `norel`: the NoReL paper."""
