"""Regions: the operating points that nodes may choose from, which factors of them are chosen, and the legal limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_choice, check_record, suggest
from lora_marl.core.phy import LARGEST_PAYLOAD_BYTES, check_bandwidth_hz, check_spreading_factor

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
    """The channels, data rates and powers that a node may choose from, with the limits of a region.

    Attributes:
        name: `EU868`, ...
        channels_hz: Centre frequencies, each once, in the order of their numbers. `[C]` Hz
        bandwidths_hz: Subset of 125,000, 250,000 and 500,000, ascending. Hz
        spreading_factors: Subset of 7 to 12, ascending.
        tp_dbm: Transmit powers, ascending. dBm
        duty_cycle: Largest share of time that a node may send by law; None: no such limit.
        max_payload_bytes: Largest PHY payload by (SF, BW in Hz); what is missing is not limited.
        sub_band_edges_hz: Between the sub-bands in each of which a gateway keeps its own duty cycle, ascending. Hz

    Raises:
        ValueError: a list that is empty, out of order or out of range, or a limit out of range, naming it.
    """

    name: str
    channels_hz: tuple[float, ...]
    bandwidths_hz: tuple[float, ...] = (125_000.0,)
    spreading_factors: tuple[int, ...] = (7, 8, 9, 10, 11, 12)
    tp_dbm: tuple[float, ...] = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0)
    duty_cycle: float | None = None
    max_payload_bytes: tuple[tuple[tuple[int, float], int], ...] = ()
    sub_band_edges_hz: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for field in ("spreading_factors", "bandwidths_hz", "channels_hz", "tp_dbm"):
            _check_list(f"{field} of region {self.name}", getattr(self, field), ascending=field != "channels_hz")
        check_record(self, "region", by_rate=("max_payload_bytes",))
        check_spreading_factor(self.spreading_factors)
        check_bandwidth_hz(self.bandwidths_hz)
        if self.duty_cycle is not None and not 0.0 < self.duty_cycle <= 1.0:
            raise ValueError(f"duty_cycle of region {self.name} is {self.duty_cycle!r}: it must be above 0, at most 1")
        for (sf, bw_hz), size in self.max_payload_bytes:
            check_spreading_factor(sf)
            check_bandwidth_hz(bw_hz)
            if not 1 <= size <= LARGEST_PAYLOAD_BYTES:
                raise ValueError(f"max_payload_bytes of region {self.name} has {size!r}: it must be 1 to 255 bytes")

    @property
    def factor_sizes(self) -> tuple[int, int, int, int]:
        """Number of values of each factor, in the order of `FACTORS`."""
        return (len(self.spreading_factors), len(self.bandwidths_hz), len(self.channels_hz), len(self.tp_dbm))

    @property
    def default_channel(self) -> int:
        """The channel of points for which nobody chooses one: `HOP`, or 0 where there is no other."""
        return HOP if len(self.channels_hz) > 1 else 0

    @property
    def sub_bands(self) -> tuple[int, ...]:
        """Number of each channel's sub-band among those that have channels, from 1. `[C]`"""
        return tuple((np.unique(self._bands(self.channels_hz), return_inverse=True)[1] + 1).tolist())

    def sub_band_of(self, frequency_hz: float) -> int:
        """The number in `sub_bands` of the sub-band that a frequency lies in; 0 where that has no channel.

        A region without sub-bands counts as two: the channels, and all other frequencies.
        """
        if not self.sub_band_edges_hz:
            return int(frequency_hz in self.channels_hz)
        numbers = dict(zip(self._bands(self.channels_hz).tolist(), self.sub_bands, strict=True))
        return numbers.get(int(self._bands(frequency_hz)), 0)

    def _bands(self, frequency_hz: ArrayLike) -> NDArray[np.intp]:
        return np.searchsorted(self.sub_band_edges_hz, frequency_hz, side="right")

    def max_payload(self, sf: int, bw_hz: float) -> int:
        """Largest PHY payload at a data rate: the region's limit, or LoRa's own 255 where it has none.

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
            factor, allowed = FACTORS[at[-1]], _allowed(at[-1], self.factor_sizes[at[-1]])
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
            has = _allowed(CHANNEL, len(table) + HOP) if name == "channel" else values
            raise ValueError(f"{name} is {missing.flat[0]:.10g}: region {self.name} has {has}")
        return indices


LEAST = np.array([0, 0, HOP, 0])
"""The smallest index of each factor in an operating point. `[4]`"""


def _allowed(column: int, size: int) -> str:
    """The indices that a column of operating points may hold, in words."""
    hop = f", or {HOP} (hop: drawn for every transmission)" if column == CHANNEL else ""
    return f"0 to {size - 1}{hop}"


def _check_list(name: str, values: tuple[float, ...], *, ascending: bool) -> None:
    if not len(values):
        raise ValueError(f"{name} is empty: an empty action set leaves nothing to choose from")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"{name} is {values!r}: every value must be finite")
    if len(set(values)) != len(values):
        raise ValueError(f"{name} is {values!r}: no value may occur twice")
    if ascending and list(values) != sorted(values):
        raise ValueError(f"{name} is {values!r}: values must ascend")


def _channels_hz(first_hz: float, count: int, step_hz: float = 200_000.0) -> tuple[float, ...]:
    return tuple(first_hz + step_hz * channel for channel in range(count))


_MAC_OVERHEAD_BYTES = 5
"""MAC header and integrity code, which a PHY payload has on top of the MACPayload of M bytes."""


def _max_payload(m_bytes: dict[int, int], wide: tuple[int, float]) -> tuple[tuple[tuple[int, float], int], ...]:
    """Limits from M by spreading factor at 125 kHz, and of one wider data rate, whose M is 250 everywhere."""
    rates = {(sf, 125_000.0): m for sf, m in m_bytes.items()} | {wide: 250}
    return tuple((rate, m + _MAC_OVERHEAD_BYTES) for rate, m in rates.items())


_EU868 = Region(
    name="EU868",
    channels_hz=_channels_hz(868.1e6, 3) + _channels_hz(867.1e6, 5),
    duty_cycle=0.01,
    max_payload_bytes=_max_payload({7: 250, 8: 250, 9: 123, 10: 59, 11: 59, 12: 59}, wide=(7, 250_000.0)),
    sub_band_edges_hz=(865e6, 868e6, 868.6e6, 868.7e6, 869.2e6, 869.4e6, 869.65e6),
)

_CN470 = Region(
    name="CN470",
    channels_hz=_channels_hz(470.3e6, 32) + _channels_hz(503.5e6, 32),
    spreading_factors=(7, 8, 9, 10, 11),
    tp_dbm=(3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0),
    max_payload_bytes=_max_payload({7: 250, 8: 250, 9: 192, 10: 94, 11: 31}, wide=(7, 500_000.0)),
)

_US915 = Region(
    name="US915",
    channels_hz=_channels_hz(902.3e6, 64),
    spreading_factors=(7, 8, 9, 10),
    tp_dbm=(2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0),
    max_payload_bytes=_max_payload({7: 250, 8: 133, 9: 61, 10: 19}, wide=(8, 500_000.0)),
)

_AS923 = Region(
    name="AS923",
    channels_hz=_channels_hz(923.2e6, 2),
    duty_cycle=0.01,
    max_payload_bytes=_max_payload({7: 250, 8: 250, 9: 123, 10: 123, 11: 59, 12: 59}, wide=(7, 250_000.0)),
)

REGIONS: dict[str, Region] = {region.name: region for region in (_EU868, _CN470, _US915, _AS923)}
"""LoRaWAN's regions: uplink channels and limits. PHY payloads are M + 5 for the M of devices without a repeater.

Every combination of a region's lists is legal, hence one bandwidth each: SF7 at 250 kHz in EU868 and AS923, SF7 at
500 kHz in CN470 and the eight channels of SF8 at 500 kHz in US915 are left out (their payload limits are there for
whoever adds them).

- EU868: the three default channels, then the five that networks usually add; sub-bands are those of ETSI EN 300 220.
- CN470: the 20 MHz antenna's plan A; a frame may last 1 s, which leaves SF12 no payload.
- US915: no duty cycle, but a dwell time of 400 ms, which is what its payload limits keep.
- AS923: group 1 with its two default channels, no dwell time.

Powers are those fed to a dipole: the limits are 14 dBm (EU868, AS923) and 17 dBm (CN470); US915 allows more than the
20 dBm that a SX1276 reaches.

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


def chosen_factors(region: Region, factors: Sequence[str] | None) -> tuple[str, ...]:
    """The chosen factors in the order of `FACTORS`; None chooses those with more than one value in the region.

    Raises:
        ValueError: an unknown, repeated or missing factor, naming it.
    """
    if factors is None:
        return tuple(name for name, size in zip(FACTORS, region.factor_sizes, strict=True) if size > 1)
    for name in factors:
        check_choice("factors", name, FACTORS)
    if len(factors) == 0 or len(set(factors)) < len(factors):
        raise ValueError(f"factors: {list(factors)}; allowed is at least one, each once, of {', '.join(FACTORS)}")
    return tuple(name for name in FACTORS if name in factors)


def checked_points(region: Region, points: ArrayLike | None, cells: tuple[int, ...]) -> NDArray[np.int16]:
    """Operating points within the region for all `cells`, from one `[4]` or as many as broadcast to them.

    Args:
        region: What may be chosen.
        points: Indices, in the column of channels also `HOP` or `"hop"`; None: the first spreading factor and
            bandwidth, the highest power, and `HOP` where there is more than one channel.
        cells: Leading shape of the result, such as (replicas, nodes).

    Returns:
        int16 `[*cells, 4]`

    Raises:
        ValueError: a shape that does not broadcast, or an index outside the region's list, naming it and the limits.
    """
    indices = _default_point(region) if points is None else _with_hops(points)
    if indices.ndim == 0 or indices.shape[-1] != len(FACTORS):
        raise ValueError(f"fixed_point: {indices.tolist()}; needs {len(FACTORS)} indices, of {', '.join(FACTORS)}")
    for at, (name, size) in enumerate(zip(FACTORS, region.factor_sizes, strict=True)):
        outside = indices[..., at][(indices[..., at] < LEAST[at]) | (indices[..., at] >= size)]
        if outside.size:
            raise ValueError(f"fixed_point: {name} = {outside.flat[0]} is outside {_allowed(at, size)}")
    try:
        return np.broadcast_to(indices, (*cells, len(FACTORS))).astype(np.int16)
    except ValueError:
        raise ValueError(f"fixed_point: shape {indices.shape} is not one of a point for {cells}") from None


def _default_point(region: Region) -> NDArray[np.int64]:
    """What is not chosen: what a device does that nobody has told otherwise. `[4]`"""
    return np.array([0, 0, region.default_channel, len(region.tp_dbm) - 1])


def _with_hops(points: ArrayLike) -> NDArray[Any]:
    """Indices with `HOP` where a file says `hop`. `[..., 4]`"""
    indices = np.asarray(points)
    if indices.dtype.kind not in "UO":
        return indices
    values = np.asarray(points, object)
    try:
        return np.where(values == "hop", HOP, values).astype(np.int64)
    except (TypeError, ValueError):
        raise ValueError(f"fixed_point: {values.tolist()}; needs whole numbers, or hop for the channel") from None
