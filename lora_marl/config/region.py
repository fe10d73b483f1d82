"""The region of a network: one of LoRaWAN's by name, one given whole, or one that a server's file describes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WrapValidator

from lora_marl.config.region_files import RegionFile, read_chirpstack_toml, read_tts_yaml
from lora_marl.config.section import InputFile, RecordSection
from lora_marl.core import tables
from lora_marl.core.checks import suggest
from lora_marl.core.region import REGIONS, Region

REGION = "region"
"""What stands for a value that is as the named region has it."""


def _one_of(values: Sequence[float], unit: str = "") -> AfterValidator:
    def check(value: float) -> float:
        if value not in values:
            raise ValueError(f"{value:g} is not one of {', '.join(f'{allowed:g}' for allowed in values)}{unit}")
        return value

    return AfterValidator(check)


def _or_region(value: Any, validate: Any) -> Any:
    return value if value == REGION else validate(value)


def _rate(value: Any) -> Any:
    """A data rate from its name in LoRaWAN, such as `SF7BW125`; pairs (SF, BW in Hz) stay as they are."""
    if not isinstance(value, str):
        return value
    name = re.fullmatch(r"SF(\d{1,2})BW(\d{3})", value)
    if name is None:
        raise ValueError(f"{value!r} is no data rate; allowed are names such as SF7BW125, or [7, 125e3]")
    return int(name[1]), 1000.0 * int(name[2])


def _pairs(value: Any) -> Any:
    return list(value.items()) if isinstance(value, Mapping) else value


_AS_REGION = (WrapValidator(_or_region), PlainSerializer(lambda value: value))
_Rate = Annotated[tuple[int, float], BeforeValidator(_rate)]
_Sizes = Annotated[tuple[tuple[_Rate, int], ...], BeforeValidator(_pairs), *_AS_REGION]
_Rates = Annotated[tuple[tuple[_Rate, tuple[_Rate, ...]], ...], BeforeValidator(_pairs), *_AS_REGION]
_Number = Annotated[float | None, *_AS_REGION]
_Count = Annotated[int | None, *_AS_REGION]
_Numbers = Annotated[tuple[float, ...], *_AS_REGION]


class RegionConfig(RecordSection):
    """A region; beyond what is listed here, fields of `lora_marl.core.region.Region`.

    What is stated replaces the value of the named region, `region` keeps it. Data rates are written `SF7BW125`, and
    tables by data rate are mappings: `max_payload_bytes: {SF7BW125: 255}`. A `duty_cycle` holds in every sub-band if no
    `sub_band_duty_cycles` are stated beside it.

    Attributes:
        name: One of LoRaWAN's regions, or any other name of one of your `own`.
        own: Whether all values are stated here; what is not has `Region`'s default, which is of no region.
        channels: Numbers of the channels that are enabled, from 0: a channel mask.
        chirpstack_toml: A region file of ChirpStack in place of `name`; sought from the configuration's folder.
        tts_yaml: A frequency plan of The Things Stack in place of `name`, likewise.
    """

    record: ClassVar[type | None] = Region
    name: str = "EU868"
    own: bool = False
    channels: tuple[int, ...] | None = None
    chirpstack_toml: InputFile | None = None
    tts_yaml: InputFile | None = None
    channels_hz: tuple[float, ...] | None = None
    bandwidths_hz: tuple[Annotated[float, _one_of(tables.BANDWIDTHS_HZ, " Hz")], ...] | None = None
    spreading_factors: tuple[Annotated[int, _one_of(tables.SPREADING_FACTORS)], ...] | None = None
    tp_dbm: tuple[float, ...] | None = None
    sub_band_edges_hz: tuple[float, ...] | None = None
    duty_cycle: _Number = REGION  # type: ignore[assignment]
    max_payload_bytes: _Sizes = REGION  # type: ignore[assignment]
    sub_band_duty_cycles: Annotated[tuple[float | None, ...], *_AS_REGION] = REGION  # type: ignore[assignment]
    channel_data_rates: Annotated[tuple[tuple[_Rate, ...], ...], *_AS_REGION] = REGION  # type: ignore[assignment]
    default_channels: _Count = REGION  # type: ignore[assignment]
    dwell_time_s: _Number = REGION  # type: ignore[assignment]
    max_tp_dbm: _Number = REGION  # type: ignore[assignment]
    listen_before_talk: Annotated[bool, *_AS_REGION] = REGION  # type: ignore[assignment]
    rx1_channels_hz: _Numbers = REGION  # type: ignore[assignment]
    rx1_data_rates: _Rates = REGION  # type: ignore[assignment]
    rx2_hz: _Number = REGION  # type: ignore[assignment]
    rx2_sf: _Count = REGION  # type: ignore[assignment]
    rx2_bandwidth_hz: _Number = REGION  # type: ignore[assignment]
    max_downlink_bytes: _Sizes = REGION  # type: ignore[assignment]
    gateway_tp_dbm: _Numbers = REGION  # type: ignore[assignment]

    def build(self) -> Region:
        fields = {field.name for field in dataclasses.fields(Region)} - {"name"}
        stated = {
            name: value
            for name, value in self.fields().items()
            if name in fields
            and value != REGION
            and not (value is None and type(self).model_fields[name].default is None)
        }
        if self.own:
            return self._own(stated)
        if self.file is None and self.name not in REGIONS:
            raise ValueError(f"name: {self.name!r} is no region{suggest(self.name, REGIONS)}")
        region = REGIONS[self.name] if self.file is None else self.file.region
        if self.channels is not None:
            if "channels_hz" in stated:
                raise ValueError("channels: channels_hz is given, too; keep one of them")
            region = region.with_channels(self.channels)
        wanted = stated.get("channels_hz", ())
        if wanted and set(wanted) <= set(region.channels_hz):
            region = region.with_channels([region.channels_hz.index(frequency_hz) for frequency_hz in wanted])
        if "duty_cycle" in stated:
            stated.setdefault("sub_band_duty_cycles", ())  # those of the region would go before it
        return dataclasses.replace(region, **stated)

    def _check(self) -> None:
        self.build()  # checks units, too; tables by data rate are no lists of numbers

    @property
    def file(self) -> RegionFile | None:
        """The region and the downlinks that a server's file describes; None: there is no file."""
        if self.chirpstack_toml is not None and self.tts_yaml is not None:
            raise ValueError("tts_yaml: chirpstack_toml is given, too; keep one of them")
        if self.chirpstack_toml is not None:
            return read_chirpstack_toml("chirpstack_toml", self.chirpstack_toml)
        return None if self.tts_yaml is None else read_tts_yaml("tts_yaml", self.tts_yaml)

    def _own(self, stated: Mapping[str, Any]) -> Region:
        if self.name in REGIONS:
            raise ValueError(f"name: {self.name!r} is LoRaWAN's region; a region of your own has another name")
        for name in ("channels", "chirpstack_toml", "tts_yaml"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: is of no region of your own; leave it or own out")
        if "channels_hz" not in stated:
            raise ValueError("channels_hz: is required by a region of your own")
        return Region(name=self.name, **stated)
