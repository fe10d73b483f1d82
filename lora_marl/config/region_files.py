"""Regions from the files of network servers: ChirpStack's region TOML, and frequency plans of The Things Stack.

Both name one of LoRaWAN's regions, which gives the data rates and limits, and say which channels are in use.
ChirpStack's file also says how the server answers, which becomes fields of `lora_marl.core.downlink.Downlink`.

Source: ChirpStack v4, `configuration/region_*.toml`; The Things Network, `lorawan-frequency-plans` (README).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from lora_marl.config.quantities import in_field_unit
from lora_marl.core.checks import check_choice, check_count, suggest
from lora_marl.core.region import REGIONS, Region
from lora_marl.core.regions import america
from lora_marl.core.regions.rates import Rate

_CHIRPSTACK_NAMES: Mapping[str, str] = {
    **{name: name for name in ("EU868", "EU433", "US915", "AU915", "KR920", "IN865", "RU864")},
    "AS923": "AS923-1",
    **{f"AS923_{group}": f"AS923-{group}" for group in (2, 3, 4)},
    "CN470": "CN470-96",
}
"""Our names of ChirpStack's regions."""

_TTS_NAMES: Mapping[str, str] = {
    "EU_863_870": "EU868",
    "EU_433": "EU433",
    "US_902_928": "US915",
    "AU_915_928": "AU915",
    "AS_923": "AS923-1",
    **{f"AS_923_{group}": f"AS923-{group}" for group in (2, 3, 4)},
    "KR_920_923": "KR920",
    "IN_865_867": "IN865",
    "RU_864_870": "RU864",
    "CN_470_510": "CN470-96",
    **{f"CN_470_510_{antenna}_{plan}": f"CN470-{antenna}{plan}" for antenna in (20, 26) for plan in "AB"},
}
"""Our names of the bands of The Things Stack."""

_UPLINK_RATES: Mapping[str, Mapping[int, Rate]] = {
    **{name: {10 - sf: (sf, 125e3) for sf in range(10, 6, -1)} | {4: (8, 500e3)} for name in ("US915",)},
    "AU915": {12 - sf: (sf, 125e3) for sf in range(12, 6, -1)} | {6: (8, 500e3)},
}
_OTHER_UPLINK_RATES: Mapping[int, Rate] = {12 - sf: (sf, 125e3) for sf in range(12, 6, -1)}
"""Data rates by number (DR) of uplinks at 125 kHz, and at 500 kHz in America."""

_WINDOWS = {0: "both", 1: "rx1", 2: "rx2"}
"""ChirpStack's `rx_window`, and `Downlink.windows`."""

_WIDE_DOWNLINK_RATES: Mapping[int, Rate] = {20 - sf: (sf, 500e3) for sf in range(12, 6, -1)}
"""DR8 to DR13 of America, of downlinks alone."""


@dataclass(frozen=True)
class RegionFile:
    """The fields that a server's file states.

    Attributes:
        region: Channels, data rates and limits.
        downlink: Fields of `Downlink` that the file states.
    """

    region: Region
    downlink: Mapping[str, Any] = field(default_factory=dict)


def read_chirpstack_toml(key: str, path: Path) -> RegionFile:
    """The region of ChirpStack's file: default and extra channels or those enabled, data rates, and answers.

    Args:
        key: Of the configuration, for errors.
        path: The file; it has one region.

    Raises:
        ValueError: a file that cannot be read, another number of regions, a region that is not known, or channels that
            it does not have, naming the file and the key.
    """
    values = _loaded(key, path, lambda text: tomllib.loads(text))
    regions = values.get("regions", [])
    if not isinstance(regions, list) or len(regions) != 1 or not isinstance(regions[0], Mapping):
        count = len(regions) if isinstance(regions, list) else 0
        raise ValueError(f"{key}: {path}: has {count} [[regions]]; allowed is 1")
    base = _base(f"{key}: {path}: common_name", str(regions[0].get("common_name", "")), _CHIRPSTACK_NAMES)
    where = f"{key}: {path}: regions.network"
    network = _table(where, regions[0].get("network", {}))
    if base.default_channels is None:
        region = _enabled(f"{where}.enabled_uplink_channels", base, network.get("enabled_uplink_channels", []))
    else:
        extra_hz = _channels_hz(f"{where}.extra_channels", network.get("extra_channels", []))
        region = _with_new_channels(base, base.channels_hz[: base.default_channels] + extra_hz)
    region = _between(where, region, *(_whole_or_none(where, network, name) for name in ("min_dr", "max_dr")))
    if "rx2_frequency" in network:
        region = replace(region, rx2_hz=_number(f"{where}.rx2_frequency", network["rx2_frequency"]))
    if "rx2_dr" in network:
        sf, bw_hz = _downlink_rate(f"{where}.rx2_dr", region, _whole(f"{where}.rx2_dr", network["rx2_dr"]))
        region = replace(region, rx2_sf=sf, rx2_bandwidth_hz=bw_hz)
    return RegionFile(region, _chirpstack_downlink(where, network))


def _chirpstack_downlink(where: str, network: Mapping[str, Any]) -> dict[str, Any]:
    """How the server answers."""
    delay_s = _number(f"{where}.rx1_delay", network.get("rx1_delay", 1)) or 1.0  # LoRaWAN L2 1.0.4: 0 stands for 1 s
    window = _whole(f"{where}.rx_window", network.get("rx_window", 0))
    check_choice(f"{where}.rx_window", window, _WINDOWS)
    downlink: dict[str, Any] = {
        "rx1_dr_offset": _whole(f"{where}.rx1_dr_offset", network.get("rx1_dr_offset", 0)),
        "rx1_delay_s": delay_s,
        "rx2_delay_s": delay_s + 1.0,  # LoRaWAN L2 1.0.4: RX2 is 1 s after RX1
        "windows": _WINDOWS[window],
    }
    if network.get("downlink_tx_power", -1) != -1:
        downlink["tp_dbm"] = _number(f"{where}.downlink_tx_power", network["downlink_tx_power"])
    return downlink


def read_tts_yaml(key: str, path: Path) -> RegionFile:
    """The region of a frequency plan of The Things Stack: its uplink channels, RX2 and dwell time.

    Args, Raises: as of `read_chirpstack_toml`.
    """
    values = _loaded(key, path, yaml.safe_load)
    where = f"{key}: {path}"
    base = _base(f"{where}: band-id", str(values.get("band-id", "")), _TTS_NAMES)
    base = _with_dwell_time(f"{where}: dwell-time", base, values.get("dwell-time"))
    channels = values.get("uplink-channels", [])
    channels_hz = _channels_hz(f"{where}: uplink-channels", channels)
    if not channels_hz:
        raise ValueError(f"{where}: uplink-channels: has none")
    wide = values.get("lora-standard-channel")
    if base.default_channels is None:
        wide_hz = _channels_hz(f"{where}: lora-standard-channel", [wide] if wide else [])
        region = _of_plan(f"{where}: uplink-channels", base, channels_hz + wide_hz)
    else:
        region = _with_new_channels(base, channels_hz)
    rates = f"{where}: uplink-channels"
    least = min(_whole_or_none(rates, channel, "min-data-rate") or 0 for channel in channels)
    stated = [_whole_or_none(rates, channel, "max-data-rate") for channel in channels]
    region = _between(rates, region, least, max(5 if most is None else most for most in stated))
    if "rx2-channel" in values:
        region = replace(region, rx2_hz=_channels_hz(f"{where}: rx2-channel", [values["rx2-channel"]])[0])
    if "rx2-default-data-rate" in values:
        rx2 = f"{where}: rx2-default-data-rate"
        sf, bw_hz = _downlink_rate(rx2, region, _whole(rx2, values["rx2-default-data-rate"]))
        region = replace(region, rx2_sf=sf, rx2_bandwidth_hz=bw_hz)
    return RegionFile(region)


def _with_dwell_time(where: str, base: Region, dwell: Any) -> Region:
    """The region with the dwell time that a plan states for uplinks, or without one; None: as the region has it."""
    if dwell is None or "uplinks" not in _table(where, dwell):
        return base
    if not dwell["uplinks"]:
        return replace(base, **america.WITHOUT_DWELL_TIME.get(base.name, {"dwell_time_s": None}))
    return replace(base, dwell_time_s=_number(where, in_field_unit("dwell_time_s", dwell.get("duration", "400ms"))))


def _loaded(key: str, path: Path, parse: Any) -> Mapping[str, Any]:
    try:
        values = parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{key}: {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{key}: {path}: {' '.join(str(error).split())}") from None
    return _table(f"{key}: {path}", values)


def _table(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: is not a mapping of keys to values")
    return value


def _number(where: str, value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"{where}: {value!r} is not a number")
    return float(value)


def _whole(where: str, value: Any) -> int:
    check_count(where, value, least=0)
    return int(value)


def _whole_or_none(where: str, values: Mapping[str, Any], name: str) -> int | None:
    return _whole(f"{where}.{name}", values[name]) if name in values else None


def _channels_hz(where: str, channels: Any) -> tuple[float, ...]:
    """The frequencies of a list of channels. Hz"""
    if not isinstance(channels, list):
        raise ValueError(f"{where}: is not a list of channels")
    return tuple(_number(f"{where}.frequency", _table(where, channel).get("frequency")) for channel in channels)


def _base(where: str, name: str, names: Mapping[str, str]) -> Region:
    if name not in names:
        raise ValueError(f"{where}: {name!r} is no region that is known here{suggest(name, names)}")
    return REGIONS[names[name]]


def _whole_plan(base: Region) -> Region:
    """A region of America with its channels of 500 kHz behind those of 125 kHz, numbers 64 to 71."""
    parts = [REGIONS[f"{base.name}-FSB{number}"] for number in range(1, 9) if f"{base.name}-FSB{number}" in REGIONS]
    if not parts:
        return base
    narrow = tuple((sf, 125e3) for sf in base.spreading_factors)
    return replace(
        base,
        bandwidths_hz=parts[0].bandwidths_hz,
        channels_hz=base.channels_hz + tuple(part.channels_hz[-1] for part in parts),
        rx1_channels_hz=base.rx1_channels_hz + tuple(part.rx1_channels_hz[-1] for part in parts),
        channel_data_rates=(narrow,) * len(base.channels_hz) + tuple(part.channel_data_rates[-1] for part in parts),
    )


def _enabled(where: str, base: Region, stated: Any) -> Region:
    """The enabled channels of a region whose channels are fixed; an empty list enables all."""
    if not isinstance(stated, list):
        raise ValueError(f"{where}: {stated!r} is not a list of channels")
    whole, numbers = _whole_plan(base), [_whole(where, number) for number in stated]
    wrong = [number for number in numbers if number not in range(len(whole.channels_hz))]
    if wrong:
        most = len(whole.channels_hz) - 1
        raise ValueError(f"{where}: {wrong[0]}; {base.name} has 0 to {most}")
    return _simplified(whole.with_channels(numbers or range(len(whole.channels_hz))))


def _of_plan(where: str, base: Region, channels_hz: tuple[float, ...]) -> Region:
    """The channels of a region whose channels are fixed, by frequency."""
    whole = _whole_plan(base)
    missing = [frequency_hz for frequency_hz in channels_hz if frequency_hz not in whole.channels_hz]
    if missing:
        raise ValueError(f"{where}: {missing[0] / 1e6:.10g} MHz is no channel of {base.name}")
    return _simplified(whole.with_channels([whole.channels_hz.index(frequency_hz) for frequency_hz in channels_hz]))


def _simplified(region: Region) -> Region:
    """The region without data rates by channel where no channel of 500 kHz is among them."""
    if any(bw_hz != 125e3 for rates in region.channel_data_rates for _, bw_hz in rates):
        return region
    return replace(region, bandwidths_hz=region.bandwidths_hz[:1], channel_data_rates=())


def _with_new_channels(base: Region, channels_hz: tuple[float, ...]) -> Region:
    """A region to which networks add channels, with these in place of its own."""
    return replace(base, channels_hz=tuple(dict.fromkeys(channels_hz)))


def _between(where: str, region: Region, least: int | None, most: int | None) -> Region:
    """The region with the data rates of 125 kHz from `least` to `most` by number."""
    rates = _UPLINK_RATES.get(region.name, _OTHER_UPLINK_RATES)
    kept = {
        rate[0]
        for number, rate in rates.items()
        if (least is None or number >= least) and (most is None or number <= most) and rate[1] == 125e3
    }
    factors = tuple(sf for sf in region.spreading_factors if sf in kept)
    if not factors:
        raise ValueError(f"{where}: data rates {least} to {most} leave {region.name} none at 125 kHz")
    if region.channel_data_rates and 8 not in factors:
        factors = tuple(sorted((*factors, 8)))  # the data rate of channels of 500 kHz
    return replace(region, spreading_factors=factors)


def _downlink_rate(where: str, region: Region, number: int) -> Rate:
    rates = _WIDE_DOWNLINK_RATES if region.name in _UPLINK_RATES else _OTHER_UPLINK_RATES
    if number not in rates:
        known = ", ".join(map(str, rates))
        raise ValueError(f"{where}: {number} is no data rate of {region.name}'s downlinks; known: {known}")
    return rates[number]
