"""LoRa's physical layer as formulas: symbol time, airtime, bit rate, noise, energy.

Published tables are in `lora_marl/core/tables.py`: sensitivities by spreading factor and bandwidth, SIR, currents.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.tables import BANDWIDTHS_HZ, SPREADING_FACTORS, SUPPLY_CURRENT_MA, SUPPLY_VOLTAGE_V
from lora_marl.core.units import dbm_to_mw, ratio_to_db

LowDataRate = Literal["auto", "on", "off", "sf11_125khz"]
EnergyMode = Literal["radiated", "supply", "states"]
"""Models of the energy of a scenario; `states` is in `lora_marl.core.energy`, the others are formulas here."""

LARGEST_PAYLOAD_BYTES = 255
"""The length field of a LoRa frame has one byte."""

THERMAL_NOISE_DBM_PER_HZ = -174.0
_SYNC_SYMBOLS = 4.25
_SLOW_SYMBOL_S = 0.016


def check_spreading_factor(sf: ArrayLike) -> NDArray[np.int64]:
    """The spreading factors as integers. ValueError: one that is not a whole number from 7 to 12."""
    return _members("spreading factor", sf, SPREADING_FACTORS).astype(np.int64)


def check_bandwidth_hz(bw_hz: ArrayLike) -> NDArray[np.float64]:
    """The bandwidths as an array. Hz. ValueError: one other than 125,000, 250,000 and 500,000."""
    return _members("bandwidth in Hz", bw_hz, BANDWIDTHS_HZ)


def symbol_time_s(sf: ArrayLike, bw_hz: ArrayLike) -> Any:
    """Duration of a symbol: 2^SF / BW.

    Args:
        sf: Spreading factor, 7 to 12. [...]
        bw_hz: Bandwidth. [...] Hz

    Returns:
        Symbol time. [...] s

    Raises:
        ValueError: a spreading factor or bandwidth outside the table, naming the value.

    Source: SX1276 datasheet, "LoRa modem"; D-LoRa, before Eq. (7).
    """
    return 2.0 ** check_spreading_factor(sf) / check_bandwidth_hz(bw_hz)


def airtime_s(
    sf: ArrayLike,
    payload_bytes: ArrayLike,
    *,
    bw_hz: ArrayLike,
    coding_rate: ArrayLike = 1,
    preamble_symbols: float = 8,
    crc: bool = True,
    explicit_header: bool = True,
    low_data_rate: str = "auto",
) -> Any:
    """Time on air of LoRa frames.

    (preamble + 4.25 + 8 + max(0, ceil((8 PL - 4 SF + 28 + 16 CRC - 20 IH) / (4 (SF - 2 DE))) (CR + 4))) 2^SF / BW,
    where IH = 1 without an explicit header and DE = 1 with low-data-rate optimisation. All arrays broadcast.

    Args:
        sf: Spreading factor, 7 to 12. [...]
        payload_bytes: PHY payload, 0 to 255. [...] bytes
        bw_hz: Bandwidth. [...] Hz
        coding_rate: 1 to 4, for 4/5 to 4/8. [...]
        preamble_symbols: Programmed preamble; the sync word's 4.25 symbols come on top.
        crc: Whether the payload carries a CRC.
        explicit_header: Whether the frame carries a header.
        low_data_rate: Low-data-rate optimisation: `auto` (symbols of 16 ms and longer), `on`, `off`, or `sf11_125khz`
            (SF11 and SF12 at 125 kHz, as in LoRaSim and the D-LoRa code).

    Returns:
        Airtime. [...] s

    Raises:
        ValueError: a spreading factor, bandwidth, payload, coding rate, preamble or mode outside its range, naming it.

    Source: SX1276 datasheet, "Time on air"; D-LoRa Eq. (7)-(9).
    """
    sf, bw_hz = check_spreading_factor(sf), check_bandwidth_hz(bw_hz)
    payload_bytes = _members("payload in bytes", payload_bytes, range(LARGEST_PAYLOAD_BYTES + 1)).astype(np.int64)
    coding_rate = _members("coding rate", coding_rate, range(1, 5)).astype(np.int64)
    if not 0 <= preamble_symbols < np.inf:
        raise ValueError(f"preamble_symbols is {preamble_symbols!r}: it must be a number of at least 0")
    bits = 8 * payload_bytes - 4 * sf + 28 + 16 * crc - 20 * (not explicit_header)
    bits_per_block = 4 * (sf - 2 * _optimises(sf, bw_hz, low_data_rate))
    blocks = -(-bits // bits_per_block)
    payload_symbols = 8 + np.maximum(blocks * (coding_rate + 4), 0)
    return (preamble_symbols + _SYNC_SYMBOLS + payload_symbols) * 2.0**sf / bw_hz


def bit_rate_bps(sf: ArrayLike, bw_hz: ArrayLike, coding_rate: ArrayLike = 1) -> Any:
    """Useful bit rate: SF BW / 2^SF times 4 / (4 + CR).

    Args:
        sf: Spreading factor, 7 to 12. [...]
        bw_hz: Bandwidth. [...] Hz
        coding_rate: 1 to 4, for 4/5 to 4/8. [...]

    Returns:
        Bit rate of the payload. [...] bit/s

    Raises:
        ValueError: a spreading factor, bandwidth or coding rate outside the table, naming the value.

    Source: SX1276 datasheet, "LoRa modem".
    """
    code_share = 4.0 / (4.0 + _members("coding rate", coding_rate, range(1, 5)))
    return check_spreading_factor(sf) / symbol_time_s(sf, bw_hz) * code_share


def noise_dbm(bw_hz: ArrayLike, noise_figure_db: ArrayLike) -> Any:
    """Noise floor of a receiver: -174 dBm/Hz + 10 log10(BW) + noise figure.

    Args:
        bw_hz: Bandwidth. [...] Hz
        noise_figure_db: [...] dB

    Returns:
        Noise power. [...] dBm

    Source: thermal noise at 290 K; D-LoRa Eq. (4).
    """
    bandwidth_db: NDArray[np.float64] = ratio_to_db(check_bandwidth_hz(bw_hz))
    return THERMAL_NOISE_DBM_PER_HZ + bandwidth_db + np.asarray(noise_figure_db, dtype=np.float64)


def tx_power_mw(tp_dbm: ArrayLike, mode: str = "radiated", *, supply: str = "lorasim") -> Any:
    """Power that sending takes.

    Args:
        tp_dbm: Transmit power. [...] dBm
        mode: `radiated`: the transmit power itself; `supply`: supply voltage times supply current.
        supply: Name of the table of currents, `lorasim` or `norel`; nothing is interpolated in it.

    Returns:
        Power. [...] mW

    Raises:
        ValueError: an unknown mode or table, or a transmit power that the table lacks, naming what it has.

    Source: D-LoRa Eq. (10) (radiated); LoRaSim and NoReL (supply).
    """
    if mode not in get_args(EnergyMode):
        raise ValueError(f"energy mode {mode!r} is unknown: it must be one of {', '.join(get_args(EnergyMode))}")
    if mode == "states":
        raise ValueError("energy mode 'states' is of a device: use lora_marl.core.energy.energy_costs")
    if mode == "radiated":
        return dbm_to_mw(np.asarray(tp_dbm, dtype=np.float64))
    if supply not in SUPPLY_CURRENT_MA:
        raise ValueError(f"supply table {supply!r} is unknown: it must be one of {', '.join(SUPPLY_CURRENT_MA)}")
    levels_dbm, current_ma = np.array(list(SUPPLY_CURRENT_MA[supply].items())).T
    tp_dbm = _members(f"transmit power in dBm of the {supply} supply table", tp_dbm, levels_dbm.tolist())
    return SUPPLY_VOLTAGE_V[supply] * current_ma[np.searchsorted(levels_dbm, tp_dbm)]


def energy_mj(tp_dbm: ArrayLike, airtime_s: ArrayLike, mode: str = "radiated", *, supply: str = "lorasim") -> Any:
    """Energy of sending a frame: power times airtime. Receiving and sleeping are not counted.

    Args:
        tp_dbm: Transmit power. [...] dBm
        airtime_s: [...] s
        mode: See `tx_power_mw`.
        supply: See `tx_power_mw`.

    Returns:
        Energy. [...] mJ

    Source: D-LoRa Eq. (10).
    """
    return tx_power_mw(tp_dbm, mode, supply=supply) * np.asarray(airtime_s, dtype=np.float64)


def _optimises(sf: NDArray[np.int64], bw_hz: NDArray[np.float64], low_data_rate: str) -> Any:
    match low_data_rate:
        case "auto":
            return symbol_time_s(sf, bw_hz) >= _SLOW_SYMBOL_S
        case "on" | "off":
            return low_data_rate == "on"
        case "sf11_125khz":
            return (sf >= 11) & (bw_hz == BANDWIDTHS_HZ[0])
    raise ValueError(
        f"low_data_rate {low_data_rate!r} is unknown: it must be one of {', '.join(get_args(LowDataRate))}"
    )


def _members(name: str, values: ArrayLike, allowed: Any) -> NDArray[np.float64]:
    """The values as an array, all of them among the allowed ones."""
    array = np.asarray(values, dtype=np.float64)
    foreign = array[~np.isin(array, list(allowed))]
    if foreign.size:
        known = f"a whole number from {allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else _listed(allowed)
        raise ValueError(f"{name} is {foreign.flat[0]:.10g}: it must be {known}")
    return array


def _listed(values: Any) -> str:
    return "one of " + ", ".join(f"{value:.10g}" for value in values)
