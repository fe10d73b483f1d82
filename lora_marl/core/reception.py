"""Reception at a gateway: one rule, and the parameters that turn it into the rules of the published simulators.

A packet meets the rule in this order at each gateway, and the first test it fails names its fate there:
sensitivity, a gateway that does not send, a free demodulator, interference (SINR or SIR; summed energy counts the own
spreading factor too), collision within its own spreading factor. It is delivered when at least one gateway passes it
through all five.

Here are the parameters. The decision is compiled: `lora_marl/core/kernel/collision.py` has what two overlapping packets
do to each other (capture, interference), `lora_marl/core/kernel/reception.py` the fate. `lora_marl/core/reference.py`
states the whole rule plainly.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import tables
from lora_marl.core.checks import check_choice, check_record


class Fate(IntEnum):
    """The fate of a packet; `NONE` marks a node that has not sent one yet."""

    NONE = -1
    DELIVERED = 0
    BELOW_SENSITIVITY = 1
    INTERFERED = 2
    COLLIDED = 3
    NO_DEMODULATOR = 4
    GATEWAY_SENDING = 5


FATES = tuple(fate for fate in Fate if fate >= 0)


@dataclass(frozen=True, kw_only=True)
class Reception:
    """The parameters of the reception rule.

    Attributes:
        spared_preamble_symbols: Preamble symbols that may be hit without harm: 0, 3 (LoRaSim, MMALoRa), 7.25 (NoReL).
        spares: Whom an overlap of nothing but spared symbols spares: the packet whose preamble it is (`target`),
            or, as in LoRaSim, the earlier packet as well (`pair`).
        sensitivity_dbm: `[6, 3]`, SF7..12 by 125, 250, 500 kHz; a packet below it is lost, one equal to it is not.
        capture_db: Power advantage that survives an overlap in the same SF; infinite: any overlap destroys both.
        equality_survives: Whether an advantage exactly equal to a capture or SIR threshold survives.
        same_sf_needs_equal_bw: Collisions within an SF need equal bandwidth; else the overlap is noise-like power.
        inter_sf: `none`; `sir_pairwise` or `sir_energy`: signal against each interferer, or against the summed energy
            per interfering SF (own SF included), in dB against `sir_db`; `sinr`: against noise plus the sum of all
            noise-like power; `db_ratio`: the ratio of dBm numbers in the published D-LoRa code (a quirk, for replay).
        interferers: Whether noise-like power of every overlap counts, or only of packets on air `at_start`.
        sir_db: `[6, 6]`, row: wanted SF, column: interfering SF.
        sinr_db: `[6]`, the SINR that each SF needs.
        noise_figure_db: Of the gateway; noise is -174 dBm/Hz + 10 log10(BW) + noise figure.
        channel_overlap: `bandwidth`: |df| < (bw1 + bw2) / 2; `lorasim`: |df| <= 120 / 60 / 30 kHz by the wider one.
        demodulators: Packets that one gateway can receive at a time; None: any number.
        lost_packets_interfere: False: a packet lost by power or SINR at its start collides with nobody that is on air.
        negligible_db: A packet whose power at a gateway lies more than this below the noise of its bandwidth disturbs
            no other uplink there; None: all powers count. Each one that is neglected would have raised the noise by
            less than the share 10^(-negligible_db / 10). Sensitivities are up to 20 dB below the noise, so from 20 dB
            plus the capture threshold on no collision is missed. dB

    Source: D-LoRa Tables I, II and Eq. (5); LoRaSim; Goursaud and Gorce 2015 for SIR matrices.
    """

    spared_preamble_symbols: float = 3.0
    spares: Literal["target", "pair"] = "target"
    sensitivity_dbm: NDArray[np.float64] | None = None
    capture_db: float = 6.0
    equality_survives: bool = True
    same_sf_needs_equal_bw: bool = True
    inter_sf: Literal["none", "sir_pairwise", "sir_energy", "sinr", "db_ratio"] = "sinr"
    interferers: Literal["all_overlaps", "at_start"] = "all_overlaps"
    sir_db: NDArray[np.float64] | None = None
    sinr_db: NDArray[np.float64] | None = None
    noise_figure_db: float = 6.0
    channel_overlap: Literal["bandwidth", "lorasim"] = "bandwidth"
    demodulators: int | None = None
    lost_packets_interfere: bool = True
    negligible_db: float | None = None

    def __post_init__(self) -> None:
        for name in ("spares", "inter_sf", "interferers", "channel_overlap"):
            check_choice(f"reception.{name}", getattr(self, name), get_args(get_type_hints(type(self))[name]))
        for name, shape in (("sensitivity_dbm", (6, 3)), ("sir_db", (6, 6)), ("sinr_db", (6,))):
            table = getattr(self, name)
            if table is None:
                continue
            if np.shape(table) != shape:
                raise ValueError(f"reception.{name}: shape {np.shape(table)}; allowed is {shape}")
        check_record(self, "reception")
        if not self.spared_preamble_symbols >= 0:
            raise ValueError(f"reception.spared_preamble_symbols: {self.spared_preamble_symbols} is not at least 0")
        if self.demodulators is not None and (self.demodulators < 1 or self.demodulators % 1):
            raise ValueError(
                f"reception.demodulators: {self.demodulators} is not a whole number of at least 1 (or None: any number)"
            )
        if self.negligible_db is not None and not self.negligible_db > 0:
            raise ValueError(
                f"reception.negligible_db: {self.negligible_db} is not above 0 (or None: all powers count)"
            )
        if self.inter_sf.startswith("sir") and self.sir_db is None:
            raise ValueError(f"reception.sir_db: inter_sf {self.inter_sf!r} needs a matrix [6, 6]")

    def sensitivities_dbm(self, sf: NDArray[np.int64], bw_hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sensitivity of each spreading factor at each bandwidth. `[S, W]` dBm"""
        table = tables.SENSITIVITY_DBM["dlora_table_i"] if self.sensitivity_dbm is None else self.sensitivity_dbm
        columns = np.searchsorted(tables.BANDWIDTHS_HZ, bw_hz)
        return np.asarray(table, np.float64)[np.ix_(np.asarray(sf) - 7, columns)]

    def sinr_thresholds_db(self, sf: NDArray[np.int64]) -> NDArray[np.float64]:
        """SINR that each spreading factor needs. `[S]` dB"""
        table = tables.SINR_THRESHOLD_DB if self.sinr_db is None else self.sinr_db
        return np.asarray(table, np.float64)[np.asarray(sf) - 7]


_LORASIM_REACH_HZ = {125_000.0: 30_000.0, 250_000.0: 60_000.0, 500_000.0: 120_000.0}
"""Largest distance of two centre frequencies at which LoRaSim lets packets collide, by the wider bandwidth. Hz"""


def channel_overlaps(
    channels_hz: NDArray[np.float64], bandwidths_hz: NDArray[np.float64], rule: str
) -> NDArray[np.bool_]:
    """Which pairs of channel and bandwidth overlap.

    Args:
        channels_hz: Centre frequencies. `[C]` Hz
        bandwidths_hz: `[W]` Hz
        rule: `Reception.channel_overlap`: `bandwidth`, spectra meet, |df| < (bw1 + bw2) / 2; or `lorasim`.

    Returns:
        `[C, W, C, W]`

    Source: LoRaSim, frequencyCollision (`lorasim`).
    """
    distance_hz = np.abs(channels_hz[:, None, None, None] - channels_hz[None, None, :, None])
    if rule == "bandwidth":
        return distance_hz < (bandwidths_hz[None, :, None, None] + bandwidths_hz[None, None, None, :]) / 2
    reach_hz = np.array([_LORASIM_REACH_HZ[bw] for bw in bandwidths_hz])
    return distance_hz <= np.maximum(reach_hz[None, :, None, None], reach_hz[None, None, None, :])
