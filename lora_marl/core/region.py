"""Regions: the operating points that nodes may choose from, and the legal limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_record, suggest
from lora_marl.core.phy import LARGEST_PAYLOAD_BYTES, bit_rate_bps, check_bandwidth_hz, check_spreading_factor
from lora_marl.core.regions import PLANS
from lora_marl.core.regions.rates import Rate

FACTORS = ("sf", "bw", "channel", "tp")
"""The order of a decision's factors: operating points are `int16 [..., 4]`, indices into a region's lists."""
SF, BW, CHANNEL, TP = range(len(FACTORS))
"""Columns of operating points."""

HOP = -1
"""The channel of an operating point that names none: the node draws one of the region's for every transmission."""


@dataclass(frozen=True)
class Allocation:
    """Operating points in physical units; the arrays have one shape.

    Attributes:
        sf: Spreading factor. int64 [...]
        bw_hz: Bandwidth. float64 [...] Hz
        channel: Index of the channel in its region, or `HOP`. int64 [...]
        tp_dbm: Transmit power. float64 [...] dBm
    """

    sf: NDArray[np.int64]
    bw_hz: NDArray[np.float64]
    channel: NDArray[np.int64]
    tp_dbm: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Region:
    """The channels, data rates and powers that a node may choose from, the limits of a region, and its downlinks.

    A data rate is a pair (SF, BW in Hz). A sub-band lies between two neighbouring edges, the first below all of them.

    Attributes:
        name: `EU868`, ...
        channels_hz: Centre frequencies of uplinks, each once, in the order of their numbers. `[C]` Hz
        bandwidths_hz: Subset of 125,000, 250,000 and 500,000, ascending. Hz
        spreading_factors: Subset of 7 to 12, ascending.
        tp_dbm: Transmit powers, ascending. dBm
        duty_cycle: Largest share of time that a sender may send in a sub-band by law; None: no such limit.
        max_payload_bytes: Largest PHY payload of uplinks by data rate; what is missing is not limited.
        sub_band_edges_hz: Between the sub-bands in each of which a sender keeps its own duty cycle, ascending. `[E]` Hz
        sub_band_duty_cycles: In place of `duty_cycle`, of each sub-band; 0: nobody may send there. `[E + 1]`
        channel_data_rates: Data rates that each channel takes, none: all of them; a packet with another one is sent
            at the channel's own with the closest bit rate. `[C]`, or empty: all channels take all.
        default_channels: How many of the first channels every device has; the others are added by a network.
        dwell_time_s: Longest frame of a node; None: no such limit. s
        max_tp_dbm: Largest transmit power of a node, fed to a dipole; None: no such limit. dBm
        listen_before_talk: Whether the law wants it in some country of the region. It is not modelled.
        rx1_channels_hz: Where each channel is answered in RX1. `[C]` Hz, or empty: on the channel itself.
        rx1_data_rates: Data rates of RX1 by that of the uplink, one for each RX1DROffset; empty: that of the uplink.
        rx2_hz: Frequency of RX2; None: not given. Hz
        rx2_sf, rx2_bandwidth_hz: Data rate of RX2; None: not given.
        max_downlink_bytes: Largest PHY payload of downlinks by data rate; empty: that of uplinks.
        gateway_tp_dbm: Transmit power of gateways, fed to a dipole: one, or one for each sub-band; empty: not given.
            dBm

    Raises:
        ValueError: a list that is empty, out of order or out of range, or a limit out of range, naming it.
    """

    name: str
    channels_hz: tuple[float, ...]
    bandwidths_hz: tuple[float, ...] = (125_000.0,)
    spreading_factors: tuple[int, ...] = (7, 8, 9, 10, 11, 12)
    tp_dbm: tuple[float, ...] = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0)
    duty_cycle: float | None = None
    max_payload_bytes: tuple[tuple[Rate, int], ...] = ()
    sub_band_edges_hz: tuple[float, ...] = ()
    sub_band_duty_cycles: tuple[float | None, ...] = ()
    channel_data_rates: tuple[tuple[Rate, ...], ...] = ()
    default_channels: int | None = None
    dwell_time_s: float | None = None
    max_tp_dbm: float | None = None
    listen_before_talk: bool = False
    rx1_channels_hz: tuple[float, ...] = ()
    rx1_data_rates: tuple[tuple[Rate, tuple[Rate, ...]], ...] = ()
    rx2_hz: float | None = None
    rx2_sf: int | None = None
    rx2_bandwidth_hz: float | None = None
    max_downlink_bytes: tuple[tuple[Rate, int], ...] = ()
    gateway_tp_dbm: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for field in ("spreading_factors", "bandwidths_hz", "channels_hz", "tp_dbm"):
            _check_list(f"{field} of region {self.name}", getattr(self, field), ascending=field != "channels_hz")
        check_record(self, "region", by_rate=("max_payload_bytes", "max_downlink_bytes"))
        check_spreading_factor(self.spreading_factors)
        check_bandwidth_hz(self.bandwidths_hz)
        if self.duty_cycle is not None and not 0.0 < self.duty_cycle <= 1.0:
            raise ValueError(f"duty_cycle of region {self.name} is {self.duty_cycle!r}: it must be above 0, at most 1")
        for field in ("max_payload_bytes", "max_downlink_bytes"):
            for rate, size in getattr(self, field):
                _check_rate(rate)
                if not 1 <= size <= LARGEST_PAYLOAD_BYTES:
                    raise ValueError(f"{field} of region {self.name} has {size!r}: it must be 1 to 255 bytes")
        self._check_lengths()
        self._check_limits()
        self._check_downlinks()

    def _check_lengths(self) -> None:
        """Check that lists which go with the channels or the sub-bands have as many values."""
        channels, bands = len(self.channels_hz), len(self.sub_band_edges_hz) + 1
        for field, expected, of in (
            ("channel_data_rates", (0, channels), f"{channels} channels"),
            ("rx1_channels_hz", (0, channels), f"{channels} channels"),
            ("sub_band_duty_cycles", (0, bands), f"the {bands} sub-bands of its sub_band_edges_hz"),
            ("gateway_tp_dbm", (0, 1, bands), f"the {bands} sub-bands of its sub_band_edges_hz"),
        ):
            count = len(getattr(self, field))
            if count not in expected:
                raise ValueError(f"{field} of region {self.name} has {count} values: there are {of}; give it anew, too")

    def _check_limits(self) -> None:
        _check_list_if_any(f"sub_band_edges_hz of region {self.name}", self.sub_band_edges_hz, ascending=True)
        for duty in self.sub_band_duty_cycles:
            if duty is not None and not 0.0 <= duty <= 1.0:
                raise ValueError(f"sub_band_duty_cycles of region {self.name} has {duty!r}: it must be 0 to 1, or None")
        if self.sub_band_duty_cycles and self.duty_cycle not in (None, *self.sub_band_duty_cycles):
            raise ValueError(
                f"duty_cycle of region {self.name} is {self.duty_cycle!r}, but its sub_band_duty_cycles hold in its "
                "place; give them anew, too, or none: ()"
            )
        if self.max_tp_dbm is not None and max(self.tp_dbm) > self.max_tp_dbm:
            raise ValueError(
                f"tp_dbm of region {self.name} has {max(self.tp_dbm):g}: it allows {self.max_tp_dbm:g} dBm "
                "(max_tp_dbm, fed to a dipole; None: no limit)"
            )
        if self.dwell_time_s is not None and not self.dwell_time_s > 0.0:
            raise ValueError(f"dwell_time_s of region {self.name} is {self.dwell_time_s!r}: it must be above 0 s")
        if self.default_channels is not None and not 1 <= self.default_channels:
            raise ValueError(f"default_channels of region {self.name} is {self.default_channels!r}: it must be above 0")
        for rates in self.channel_data_rates:
            if rates and not any(sf in self.spreading_factors and bw_hz in self.bandwidths_hz for sf, bw_hz in rates):
                raise ValueError(
                    f"channel_data_rates of region {self.name} has {list(rates)}: a channel must take a data rate of "
                    "the region's spreading factors and bandwidths"
                )

    def _check_downlinks(self) -> None:
        for uplink, downlinks in self.rx1_data_rates:
            for rate in (uplink, *downlinks):
                _check_rate(rate)
        if (self.rx2_sf is None) != (self.rx2_bandwidth_hz is None):
            raise ValueError(f"rx2_sf, rx2_bandwidth_hz of region {self.name}: only one of them is given")
        if self.rx2_sf is not None and self.rx2_bandwidth_hz is not None:
            _check_rate((self.rx2_sf, self.rx2_bandwidth_hz))

    @property
    def factor_sizes(self) -> tuple[int, int, int, int]:
        """Number of values of each factor, in the order of `FACTORS`."""
        return (len(self.spreading_factors), len(self.bandwidths_hz), len(self.channels_hz), len(self.tp_dbm))

    @property
    def default_channel(self) -> int:
        """The channel of points for which nobody chooses one: `HOP`, or 0 where there is no other."""
        return HOP if len(self.channels_hz) > 1 else 0

    @property
    def data_rates(self) -> tuple[Rate, ...]:
        """Data rates that at least one channel takes."""
        pairs = ((sf, bw_hz) for sf in self.spreading_factors for bw_hz in self.bandwidths_hz)
        by_channel = self.channel_data_rates or ((),)
        return tuple(pair for pair in pairs if any(not rates or pair in rates for rates in by_channel))

    def rates_by_channel(self) -> NDArray[np.int64]:
        """Data rate on each channel, as indices, for each of a point: its own, or the one of the closest bit rate.

        `[C, S, W, 2]`
        """
        sizes = (len(self.spreading_factors), len(self.bandwidths_hz))
        pairs = [(sf, bw_hz) for sf in self.spreading_factors for bw_hz in self.bandwidths_hz]
        bit_rate = np.log2([bit_rate_bps(sf, bw_hz=bw_hz) for sf, bw_hz in pairs])
        taken = [set(rates) or set(pairs) for rates in self.channel_data_rates or ((),) * len(self.channels_hz)]
        far = np.array([[0.0 if pair in rates else np.inf for pair in pairs] for rates in taken])
        closest = (np.abs(bit_rate[:, None] - bit_rate) + far[:, None]).argmin(axis=-1)
        return np.stack(np.unravel_index(closest, sizes), axis=-1).reshape(len(taken), *sizes, 2).astype(np.int64)

    def rates_taken(self) -> NDArray[np.bool_]:
        """Whether each channel takes a data rate as it is. `[C, S, W]`"""
        rates = self.rates_by_channel()
        return np.asarray((rates == np.moveaxis(np.indices(rates.shape[1:3]), 0, -1)).all(axis=-1))

    def as_sent(self, points: NDArray[np.int16]) -> NDArray[np.int16]:
        """Points with the data rates that packets are sent at, where channels take some data rates only. `[..., 4]`

        Raises:
            ValueError: a node that hops at a data rate that no channel takes, each of which then has its own.
        """
        if not self.channel_data_rates:
            return points
        sf, bw, channel = np.moveaxis(points[..., :TP].astype(np.int64), -1, 0)
        taken = np.asarray(self.rates_taken().any(axis=0))
        lost = np.argwhere((channel == HOP) & ~taken[sf, bw])
        if len(lost):
            point = points[tuple(lost[0])]
            rate = f"SF{self.spreading_factors[point[SF]]}/{self.bandwidths_hz[point[BW]] / 1000:g} kHz"
            raise ValueError(f"points: channel is hop (-1) at {rate}, which no channel of region {self.name} takes")
        sent = points.copy()
        own = self.rates_by_channel()[channel, sf, bw]
        sent[..., :CHANNEL] = np.where((channel == HOP)[..., None], points[..., :CHANNEL], own)
        return sent

    @property
    def sub_bands(self) -> tuple[int, ...]:
        """Number of each channel's sub-band among those that have channels, from 1. `[C]`"""
        return tuple((np.unique(self.interval_of(self.channels_hz), return_inverse=True)[1] + 1).tolist())

    def sub_band_of(self, frequency_hz: float) -> int:
        """The number in `sub_bands` of the sub-band that a frequency lies in; 0 where that has no channel.

        A region without sub-bands counts as two: the channels, and all other frequencies.
        """
        if not self.sub_band_edges_hz:
            return int(frequency_hz in self.channels_hz)
        numbers = dict(zip(self.interval_of(self.channels_hz).tolist(), self.sub_bands, strict=True))
        return numbers.get(int(self.interval_of(frequency_hz)), 0)

    def interval_of(self, frequency_hz: ArrayLike) -> NDArray[np.intp]:
        return np.searchsorted(self.sub_band_edges_hz, frequency_hz, side="right")

    def duty_cycle_at(self, frequency_hz: float) -> float | None:
        """Largest share of time that a sender may send in the sub-band of a frequency; None: no limit.

        Raises:
            ValueError: a frequency that nobody may send on, naming it.
        """
        if not self.sub_band_duty_cycles:
            return self.duty_cycle
        duty = self.sub_band_duty_cycles[int(self.interval_of(frequency_hz))]
        if duty == 0.0:
            raise ValueError(
                f"region.channels_hz: {frequency_hz / 1e6:.10g} MHz lies in no sub-band of {self.name} in which "
                "anybody may send; leave it out, or give a duty cycle (traffic.duty_cycle, downlink.rx1_duty_cycle)"
            )
        return duty

    def gateway_tp_at_dbm(self, frequency_hz: float) -> float | None:
        """Transmit power of gateways at a frequency, fed to a dipole; None: the region does not give it. dBm"""
        if not self.gateway_tp_dbm:
            return None
        return self.gateway_tp_dbm[int(self.interval_of(frequency_hz)) if len(self.gateway_tp_dbm) > 1 else 0]

    def with_channels(self, numbers: Sequence[int]) -> Region:
        """The region with some of its channels, in this order: a channel mask.

        Args:
            numbers: Of channels, from 0.

        Raises:
            ValueError: a number that the region lacks, or twice the same one.
        """
        wrong = [number for number in numbers if number not in range(len(self.channels_hz))]
        if wrong or not len(numbers):
            what = f"{wrong[0]} is" if wrong else "none is"
            raise ValueError(f"channels: {what} among 0 to {len(self.channels_hz) - 1} of region {self.name}")
        kept: dict[str, Any] = {
            field: tuple(getattr(self, field)[number] for number in numbers)
            for field in ("channels_hz", "rx1_channels_hz", "channel_data_rates")
            if getattr(self, field)
        }
        return replace(self, **kept)

    def max_downlink(self, sf: int, bw_hz: float) -> int:
        """Largest PHY payload of a downlink at a data rate, or LoRa's own 255 where the region has no limit."""
        limits = dict(self.max_downlink_bytes or self.max_payload_bytes)
        return limits.get((int(sf), float(bw_hz)), LARGEST_PAYLOAD_BYTES)

    def max_payload(self, sf: int, bw_hz: float) -> int:
        """Largest PHY payload of an uplink at a data rate: the region's limit, or LoRa's own 255 where it has none.

        Raises:
            ValueError: a spreading factor or bandwidth outside LoRa's table, naming the value.
        """
        key = (int(check_spreading_factor(sf)), float(check_bandwidth_hz(bw_hz)))
        return dict(self.max_payload_bytes).get(key, LARGEST_PAYLOAD_BYTES)

    def points(self, *, sf: ArrayLike, bw_hz: ArrayLike, channel: ArrayLike, tp_dbm: ArrayLike) -> NDArray[np.int16]:
        """Operating points from physical values, which broadcast.

        Args:
            sf: Spreading factor. [...]
            bw_hz: Bandwidth. [...] Hz
            channel: Index of the channel, from 0, or `HOP`. [...]
            tp_dbm: Transmit power. [...] dBm

        Returns:
            Operating points. int16 [..., 4]

        Raises:
            ValueError: a value that the region lacks, naming it and those that it has.
        """
        indices = (
            self._indices("spreading factor", sf, self.spreading_factors),
            self._indices("bandwidth in Hz", bw_hz, self.bandwidths_hz),
            self._indices("channel", channel, range(HOP, len(self.channels_hz))) + HOP,
            self._indices("transmit power in dBm", tp_dbm, self.tp_dbm),
        )
        return np.stack(np.broadcast_arrays(*indices), axis=-1).astype(np.int16)

    def physical(self, points: ArrayLike) -> Allocation:
        """Physical values of operating points: int [..., 4] -> arrays [...]; a channel may be `HOP`.

        Raises:
            ValueError: a last axis other than 4, or an index outside the region's lists.
        """
        indices = np.asarray(points)
        if indices.ndim == 0 or indices.shape[-1] != len(FACTORS) or indices.dtype.kind not in "iu":
            raise ValueError(f"points are {indices.dtype} {indices.shape}: they must be integers [..., {len(FACTORS)}]")
        outside = np.argwhere((indices < LEAST) | (indices >= np.array(self.factor_sizes)))
        if len(outside):
            at = tuple(outside[0])
            factor, allowed = FACTORS[at[-1]], allowed_indices(at[-1], self.factor_sizes[at[-1]])
            raise ValueError(f"{factor} index is {indices[at]}: region {self.name} has {allowed}")
        return Allocation(
            sf=np.array(self.spreading_factors, dtype=np.int64)[indices[..., 0]],
            bw_hz=np.array(self.bandwidths_hz, dtype=np.float64)[indices[..., 1]],
            channel=indices[..., 2].astype(np.int64),
            tp_dbm=np.array(self.tp_dbm, dtype=np.float64)[indices[..., 3]],
        )

    def _indices(self, name: str, values: ArrayLike, ascending: Any) -> NDArray[np.int64]:
        wanted, table = np.asarray(values, dtype=np.float64), np.array(ascending, dtype=np.float64)
        indices = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
        missing = wanted[table[indices] != wanted]
        if missing.size:
            values = ", ".join(f"{value:.10g}" for value in table)
            has = allowed_indices(CHANNEL, len(table) + HOP) if name == "channel" else values
            raise ValueError(f"{name} is {missing.flat[0]:.10g}: region {self.name} has {has}")
        return indices


LEAST = np.array([0, 0, HOP, 0])
"""The smallest index of each factor in an operating point. `[4]`"""


def allowed_indices(column: int, size: int) -> str:
    """The indices that a column of operating points may hold, in words."""
    hop = f", or {HOP} (hop: drawn for every transmission)" if column == CHANNEL else ""
    return f"0 to {size - 1}{hop}"


def _check_rate(rate: Rate) -> None:
    check_spreading_factor(rate[0])
    check_bandwidth_hz(rate[1])


def _check_list_if_any(name: str, values: tuple[float, ...], *, ascending: bool) -> None:
    if values:
        _check_list(name, values, ascending=ascending)


def _check_list(name: str, values: tuple[float, ...], *, ascending: bool) -> None:
    if not len(values):
        raise ValueError(f"{name} is empty: an empty action set leaves nothing to choose from")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"{name} is {values!r}: every value must be finite")
    if len(set(values)) != len(values):
        raise ValueError(f"{name} is {values!r}: no value may occur twice")
    if ascending and list(values) != sorted(values):
        raise ValueError(f"{name} is {values!r}: values must ascend")


REGIONS: dict[str, Region] = {plan["name"]: Region(**plan) for plan in PLANS}
"""LoRaWAN's regions by name; `lora_marl.core.regions` has their values with sources.

Every combination of a region's lists is legal, hence one bandwidth each but in `US915-FSB1` and the like, where the
channel decides: SF7 at 250 kHz in EU868 and AS923, SF7 at 500 kHz in CN470 and the eight channels of SF8 at 500 kHz in
`US915` are left out (their payload limits are there for whoever adds them).

Source: LoRaWAN Regional Parameters RP002-1.0.5.
"""


def region(name: str) -> Region:
    """The region of that name.

    Raises:
        ValueError: an unknown name, with the most similar one and all known.
    """
    if name in REGIONS:
        return REGIONS[name]
    raise ValueError(f"region {name!r} is unknown{suggest(name, REGIONS)}")
