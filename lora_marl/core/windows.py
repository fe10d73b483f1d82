"""The receive windows of a network: what it states of its downlinks, and its region's values for the rest.

Downlinks may have spreading factors, bandwidths and channels that no uplink has. They are numbered behind those of
uplinks, so that both can share the tables of the compiled air.

Shape letters: `S` spreading factors, `W` bandwidths, `C` channels of uplinks, `D` channels of uplinks and downlinks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.downlink import PAPERS_DOWNLINK, Downlink, DutyCycle
from lora_marl.core.region import Region
from lora_marl.core.regions.rates import Rate

T = TypeVar("T", bound=float)


@dataclass(frozen=True, kw_only=True)
class ReceiveWindows:
    """The receive windows as indices into lists that begin with those of the region's uplinks.

    Attributes:
        spreading_factors, bandwidths_hz: Of uplinks, then what only downlinks have. Hz
        channels_hz: Of uplinks, then RX2's, then those that only RX1 has. `[D]` Hz
        rx1_channel: Channel of RX1 by that of the uplink. `[C]`
        rx1_rate: Spreading factor and bandwidth of RX1 by those of the uplink. `[S, W, 2]`
        rx2_rate: Those of RX2.
        tp_dbm: Power of gateways on each channel. `[D]` dBm
        duty_cycle: Of gateways on each channel; 1: no limit. `[D]`
        sub_band: Number of each channel's sub-band, 0 for RX2's unless uplinks share it. `[D]`
    """

    spreading_factors: tuple[int, ...]
    bandwidths_hz: tuple[float, ...]
    channels_hz: tuple[float, ...]
    rx1_channel: NDArray[np.int64]
    rx1_rate: NDArray[np.int64]
    rx2_rate: tuple[int, int]
    tp_dbm: NDArray[np.float64]
    duty_cycle: NDArray[np.float64]
    sub_band: NDArray[np.int64]


def receive_windows(region: Region, downlink: Downlink) -> ReceiveWindows:
    """The receive windows of a network that sends downlinks.

    Raises:
        ValueError: something that neither the downlink nor the region states, an RX1DROffset that the region lacks, or
            a frequency that nobody may send on, naming it.
    """
    rx2_hz = _stated("rx2_hz", downlink.rx2_hz, region.rx2_hz, region)
    rx1_by_uplink, rx2 = rx1_rates(region, downlink), rx2_rate(region, downlink)
    rates = [*rx1_by_uplink.values(), rx2]
    factors = _with_others(region.spreading_factors, [rate[0] for rate in rates])
    bandwidths_hz = _with_others(region.bandwidths_hz, [rate[1] for rate in rates])
    rx1_hz = region.rx1_channels_hz or region.channels_hz
    channels_hz = _channels_hz(region, rx2_hz, rx1_hz)
    uplinks = len(region.channels_hz)
    places = {frequency_hz: place for place, frequency_hz in reversed(list(enumerate(channels_hz))) if place != uplinks}

    def index(rate: Rate) -> tuple[int, int]:
        return factors.index(rate[0]), bandwidths_hz.index(rate[1])

    rx1 = [index(rx1_by_uplink[sf, bw_hz]) for sf in region.spreading_factors for bw_hz in region.bandwidths_hz]
    return ReceiveWindows(
        spreading_factors=factors,
        bandwidths_hz=bandwidths_hz,
        channels_hz=channels_hz,
        rx1_channel=np.array([places[frequency_hz] for frequency_hz in rx1_hz], np.int64),
        rx1_rate=np.array(rx1, np.int64).reshape(len(region.spreading_factors), len(region.bandwidths_hz), 2),
        rx2_rate=index(rx2),
        tp_dbm=np.array([_tp_dbm(region, downlink, frequency_hz) for frequency_hz in channels_hz]),
        duty_cycle=_duty_cycles(region, downlink, channels_hz, set(rx1_hz)),
        sub_band=_sub_bands(region, channels_hz),
    )


def unused_windows(region: Region, downlink: Downlink) -> ReceiveWindows:
    """The windows of a network whose feedback is free: none opens, and what is not stated is as in papers' networks.

    Snapshots know a network by its tables, those of downlinks included, so these are data.
    """
    stated = {field.name: getattr(downlink, field.name) for field in fields(Downlink)}
    given = {name: value for name, value in stated.items() if value is not None and value != "region"}
    sf = given.get("rx2_sf", PAPERS_DOWNLINK.rx2_sf)
    uplinks = replace(
        region, sub_band_duty_cycles=(), rx1_channels_hz=(), rx1_data_rates=(), rx2_sf=None, rx2_bandwidth_hz=None
    )
    none = {"rx1_duty_cycle": stated["rx1_duty_cycle"], "rx2_duty_cycle": stated["rx2_duty_cycle"]}
    given |= {name: None for name, value in none.items() if value is None}
    given |= {"rx1_dr_offset": 0, "rx2_bandwidth_hz": None}
    given["rx2_sf"] = sf if sf in region.spreading_factors else region.spreading_factors[0]
    return receive_windows(uplinks, replace(PAPERS_DOWNLINK, **given))


def _stated(name: str, own: float | None, regional: float | None, region: Region) -> float:
    value = regional if own is None else own
    if value is None:
        raise ValueError(
            f"downlink.{name}: is not given, and region {region.name} has none; give it here or in the region"
        )
    return value


def rx1_rates(region: Region, downlink: Downlink) -> dict[Rate, Rate]:
    """The data rate of RX1 by that of the uplink, in the order of the region's lists.

    Raises:
        ValueError: an RX1DROffset that the region lacks.
    """
    by_offset, offset = dict(region.rx1_data_rates), downlink.rx1_dr_offset
    rates: dict[Rate, Rate] = {}
    for uplink in ((sf, float(bw_hz)) for sf in region.spreading_factors for bw_hz in region.bandwidths_hz):
        downlinks = by_offset.get(uplink, (uplink,))
        if offset >= len(downlinks):
            raise ValueError(
                f"downlink.rx1_dr_offset: {offset}; region {region.name} has 0 to {len(downlinks) - 1} at "
                f"SF{uplink[0]}/{uplink[1] / 1000:g} kHz"
            )
        rates[uplink] = downlinks[offset]
    return rates


def rx2_rate(region: Region, downlink: Downlink) -> Rate:
    """The data rate of RX2. ValueError: neither the downlink nor the region states it."""
    sf = _stated("rx2_sf", downlink.rx2_sf, region.rx2_sf, region)
    bw_hz = region.rx2_bandwidth_hz if downlink.rx2_bandwidth_hz is None else downlink.rx2_bandwidth_hz
    return int(sf), float(region.bandwidths_hz[0] if bw_hz is None else bw_hz)


def _with_others(first: tuple[T, ...], others: list[T]) -> tuple[T, ...]:
    """The first values, then others that are not among them, ascending."""
    return (*first, *sorted(set(others) - set(first)))


def _channels_hz(region: Region, rx2_hz: float, rx1_hz: tuple[float, ...]) -> tuple[float, ...]:
    further = dict.fromkeys(frequency_hz for frequency_hz in rx1_hz if frequency_hz not in region.channels_hz)
    return (*region.channels_hz, rx2_hz, *further)


def _tp_dbm(region: Region, downlink: Downlink, frequency_hz: float) -> float:
    return _stated("tp_dbm", downlink.tp_dbm, region.gateway_tp_at_dbm(frequency_hz), region)


def _duty_cycles(
    region: Region, downlink: Downlink, channels_hz: tuple[float, ...], rx1_hz: set[float]
) -> NDArray[np.float64]:
    """Duty cycle of gateways on each channel: RX2's own, RX1's on all others."""

    def share(duty: DutyCycle, frequency_hz: float) -> float:
        regional = region.duty_cycle_at(frequency_hz) if duty == "region" else duty
        return 1.0 if regional is None else float(regional)

    rx2 = len(region.channels_hz)
    return np.array(
        [
            share(downlink.rx2_duty_cycle, frequency_hz) if place == rx2
            # No gateway sends on a channel of uplinks that is answered elsewhere.
            else share(downlink.rx1_duty_cycle, frequency_hz) if frequency_hz in rx1_hz else 1.0
            for place, frequency_hz in enumerate(channels_hz)
        ]
    )  # fmt: skip


def _sub_bands(region: Region, channels_hz: tuple[float, ...]) -> NDArray[np.int64]:
    """Number of each channel's sub-band: those of uplinks from 1, 0 for one that RX2 has alone, then those of RX1."""
    uplinks = len(region.channels_hz)
    numbers = [*region.sub_bands, region.sub_band_of(channels_hz[uplinks])]
    known: dict[int, int] = {}
    if region.sub_band_edges_hz:
        known = dict(zip(region.interval_of(channels_hz[: uplinks + 1]).tolist(), numbers, strict=True))
        for interval in region.interval_of(channels_hz[uplinks + 1 :]).tolist():
            known.setdefault(interval, max(known.values()) + 1)
        numbers = [known[interval] for interval in region.interval_of(channels_hz).tolist()]
    else:
        numbers += [region.sub_band_of(frequency_hz) for frequency_hz in channels_hz[uplinks + 1 :]]
    return np.array(numbers, np.int64)
