"""A node as a device: the currents that it draws in each state, and its battery.

| state | current |
|---|---|
| it sends | by transmit power, `Device.tx_currents` |
| a receive window is open, or it receives a downlink | `Device.rx_ma` |
| it sleeps, else | `Device.sleep_ma` |

Currents of the built-in devices are the radio's alone: add what a microcontroller and sensors draw to a device of your
own (`sleep_ma` matters most for a node that sends rarely).

Source: Semtech's LoRa Basics Modem, `ral_sx126x.c`, for sending at each power (tables of both amplifiers with the DC-DC
regulator; low power: SX1261; high power: SX1262) and for receiving LoRa at 125 kHz (4.6 mA; 5.3 mA with boosted gain).
SX1261/2 datasheet, as distributors quote it, for sleeping with retention (.6 uA at 3.3 V) and for reception (4.6 mA).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.checks import RANGES, check_above_0, check_at_least_0, check_in_range, check_record, check_share

_SX1261_UA = (
    *(5200, 5400, 5600, 5700, 5800, 6000, 6100, 6200, 6500, 6800, 7000, 7300, 7500, 7900, 8300, 8800, 9300),
    *(9800, 10600, 11400, 12200, 12900, 13800, 14700, 15700, 16600, 17900, 18500, 20500, 21900, 23500, 25500, 32500),
)
"""Supply current of an SX1261 that sends at -17 to 15 dBm. uA"""

_SX1262_UA = (
    *(24000, 25400, 26700, 28000, 30600, 31900, 33200, 35700, 38200, 40600, 42900, 46200, 48200, 51800, 54100, 57000),
    *(
        60300,
        63500,
        67100,
        70500,
        74200,
        78400,
        83500,
        89300,
        92400,
        94500,
        95400,
        97500,
        100100,
        103800,
        109100,
        117900,
    ),
)
"""Supply current of an SX1262 that sends at -9 to 22 dBm. uA"""


def _ma_by_dbm(first_dbm: int, currents_ua: Sequence[int]) -> dict[float, float]:
    """Currents by power, in steps of 1 dB from the first one. uA -> mA"""
    return {float(first_dbm + step): current_ua / 1000.0 for step, current_ua in enumerate(currents_ua)}


def _sx1261_ma() -> dict[float, float]:
    return _ma_by_dbm(-17, _SX1261_UA)


@dataclass(frozen=True, kw_only=True)
class Device:
    """The currents that a device draws, the SX1261's by default.

    Attributes:
        voltage_v: Of the supply, at which the currents hold. V
        tx_currents: Current in mA while sending, by transmit power in dBm; every power of the region is needed.
        rx_ma: While listening or receiving. mA
        sleep_ma: While asleep. mA
        window_symbols: Length of a receive window in which no preamble is found, in symbols of its data rate.

    Raises:
        ValueError: a value outside its range, naming it.

    Source: the module's page; LoRaMac-node (`MinRxSymbols`, the least length of a receive window: 6 symbols; it opens
    longer ones for clocks that err, 24 symbols at SF7 for 10 ms).
    """

    voltage_v: float = 3.3
    tx_currents: Mapping[float, float] = field(default_factory=_sx1261_ma)
    rx_ma: float = 4.6
    sleep_ma: float = 0.0006
    window_symbols: float = 6.0

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "tx_currents", {float(tp_dbm): current_ma for tp_dbm, current_ma in self.tx_currents.items()}
        )
        for tp_dbm, current_ma in self.tx_currents.items():
            check_above_0(f"device.tx_currents at {tp_dbm:g} dBm", current_ma)
            check_in_range(f"device.tx_currents at {tp_dbm:g} dBm", current_ma, RANGES["tx_ma"])
        check_record(self, "device")
        check_above_0("device.rx_ma", self.rx_ma)
        check_at_least_0("device.window_symbols", self.window_symbols)
        least_ma = min((*self.tx_currents.values(), self.rx_ma))
        if self.sleep_ma >= least_ma:
            raise ValueError(f"device.sleep_ma: {self.sleep_ma} is not below the other states' {least_ma} mA")

    def tx_power_mw(self, tp_dbm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Power drawn while sending. `[T]` dBm -> `[T]` mW

        Raises:
            ValueError: a transmit power that the device has no current of.
        """
        for power_dbm in tp_dbm.tolist():
            if power_dbm not in self.tx_currents:
                known = ", ".join(f"{listed:g}" for listed in sorted(self.tx_currents))
                raise ValueError(
                    f"device.tx_currents: has no current at {power_dbm:g} dBm; it has those at {known} dBm"
                )
        return self.voltage_v * np.array([self.tx_currents[power_dbm] for power_dbm in tp_dbm.tolist()])


DEVICES: Mapping[str, Device] = {"sx1261": Device(), "sx1262": Device(tx_currents=_ma_by_dbm(-9, _SX1262_UA))}
"""Devices by name; the module's page has their sources."""


@dataclass(frozen=True, kw_only=True)
class Battery:
    """A primary cell, a lithium thionyl chloride cell of size AA by default.

    Attributes:
        capacity_mah: Charge when new. mAh
        self_discharge_per_year: Share of the capacity that is lost in a year by itself.

    Raises:
        ValueError: a value outside its range, naming it.

    Source: Saft LS 14500 (nominal capacity); for self-discharge, the datasheet of the LS 26500, a larger cell of that
    series (less than 1 % after a year of storage at 20 degrees Celsius).
    """

    capacity_mah: float = 2600.0
    self_discharge_per_year: float = 0.01

    def __post_init__(self) -> None:
        check_record(self, "battery")
        check_share("battery.self_discharge_per_year", self.self_discharge_per_year)
