"""The network of a run: sections that become the records of `lora_marl.core`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lora_marl.config.links import read_path_loss_db
from lora_marl.config.measured_links import LinksConfig
from lora_marl.config.quantities import with_units
from lora_marl.config.region import RegionConfig
from lora_marl.config.section import InputFile, RecordSection, Section, checked_numbers, fields_of
from lora_marl.config.topology import Sites, TopologyConfig
from lora_marl.config.traffic import TrafficConfig
from lora_marl.core import tables
from lora_marl.core.checks import suggest
from lora_marl.core.device import DEVICES, Battery, Device
from lora_marl.core.downlink import Downlink
from lora_marl.core.duty_cycle import warn_about_duty_cycle
from lora_marl.core.interference import Interference
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.scenario import Change, Scenario


def _table(field: str, value: Any, tables_by_name: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64] | None:
    if isinstance(value, str):
        if value not in tables_by_name:
            raise ValueError(f"{field}: {value!r} is no table{suggest(value, tables_by_name)}")
        return tables_by_name[value]
    return None if value is None else np.asarray(checked_numbers(value), np.float64)


@fields_of(Propagation)
class PropagationConfig(RecordSection):
    """Mean path loss, shadowing and fading; fields and defaults of `lora_marl.core.propagation.Propagation`."""

    def build(self) -> Propagation:
        return Propagation(**self.fields())


@fields_of(Reception)
class ReceptionConfig(RecordSection):
    """The gateways' rule; fields and defaults of `lora_marl.core.reception.Reception`.

    Attributes:
        sensitivity_dbm: A name in `tables.SENSITIVITY_DBM`, or the table.
        sir_db: A name in `tables.SIR_DB`, or the matrix.
    """

    sensitivity_dbm: Any = None
    sir_db: Any = None

    def build(self) -> Reception:
        values = self.fields()
        tables_by_field = {"sensitivity_dbm": tables.SENSITIVITY_DBM, "sir_db": tables.SIR_DB, "sinr_db": {}}
        for name, tables_by_name in tables_by_field.items():
            values[name] = _table(name, values[name], tables_by_name)
        return Reception(**values)


@fields_of(Interference)
class InterferenceConfig(RecordSection):
    """Noise-like bursts from outside; fields and defaults of `lora_marl.core.interference.Interference`."""

    def build(self) -> Interference:
        return Interference(**self.fields())


@fields_of(Downlink)
class DownlinkConfig(RecordSection):
    """The rule by which gateways send; fields and defaults of `lora_marl.core.downlink.Downlink`."""

    def build(self) -> Downlink:
        return Downlink(**self.fields())


@fields_of(Device)
class DeviceConfig(RecordSection):
    """A device of your own; fields and defaults of `lora_marl.core.device.Device`."""

    tx_currents: dict[float, float] | None = None

    def build(self) -> Device:
        values = self.fields()
        return Device(**{name: value for name, value in values.items() if value is not None})


@fields_of(Battery)
class BatteryConfig(RecordSection):
    """The nodes' battery; fields and defaults of `lora_marl.core.device.Battery`."""

    def build(self) -> Battery:
        return Battery(**self.fields())


def _device(value: Device | str) -> Device:
    """A device, or the one of a name."""
    if isinstance(value, str):
        if value not in DEVICES:
            raise ValueError(f"device: {value!r} is no device{suggest(value, DEVICES)}")
        return DEVICES[value]
    return value


class ChangeConfig(Section):
    """Values that take effect at a time, at once or little by little; see `lora_marl.core.scenario.Change`.

    Attributes:
        at_s: When the change begins. s
        values: Dotted fields to new values; `active: n` switches the first n nodes on and the others off, and
            `channel_mask` has numbers of channels, as the scenario's.
        until_s: When a change that goes little by little has arrived; None: at once. s
        steps: Number of equal steps, at equal distances in time.
    """

    at_s: float
    values: dict[str, Any]
    until_s: float | None = None
    steps: int = Field(default=100, ge=1, le=100_000)

    @field_validator("values", mode="before")
    @classmethod
    def _values_with_units(cls, values: Any) -> Any:
        return with_units(values) if isinstance(values, dict) else values

    def build(self, before: Scenario) -> list[Change]:
        """The changes of a scenario to which all earlier changes have been applied.

        Raises:
            ValueError: `until_s` is not after `at_s`, or a value that cannot go little by little.
        """
        values = dict(self.values)
        if "active" in values:
            values["active"] = _active(values["active"], before.nodes)
        if "channel_mask" in values:
            values["channel_mask"] = _channel_mask(values["channel_mask"], len(before.region.channels_hz))
        if self.until_s is None:
            return [Change(at_s=self.at_s, values=values)]
        if not self.until_s > self.at_s:
            raise ValueError(f"changes: until_s {self.until_s} is not after at_s {self.at_s}")
        first = {name: _number(name, _value(before, name), after) for name, after in values.items()}
        shares = [step / self.steps for step in range(1, self.steps + 1)]
        return [
            Change(
                at_s=self.at_s + share * (self.until_s - self.at_s),
                values={name: (1 - share) * first[name] + share * np.asarray(values[name]) for name in values},
            )
            for share in shares
        ]


def _value(scenario: Scenario, path: str) -> Any:
    """The value of a dotted field; None where there is no such field, for which the scenario has an error."""
    value: Any = scenario
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


def _number(path: str, before: Any, after: Any) -> NDArray[np.float64]:
    """The numbers from which a field moves; zeros where the scenario has no list of losses yet."""
    begins = np.zeros(np.shape(after)) if before is None else np.asarray(before)
    for value in (begins, np.asarray(after)):
        if value.dtype.kind not in "iuf":
            raise ValueError(f"changes: {path} cannot go from {before!r} to {after!r} little by little")
    return begins.astype(np.float64)


def _active(value: Any, nodes: int) -> NDArray[np.bool_]:
    """The state of each node, on or off `[N]`, from a list or from the number of first nodes that are on."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= nodes:
            raise ValueError(f"active: {value} of {nodes} nodes; allowed is 0 to {nodes}")
        return np.arange(nodes) < value
    return np.asarray(value)


def _channel_mask(numbers: Any, channels: int) -> NDArray[np.bool_]:
    """The mask of some channels, by their numbers; of each node where it has a list of its own. `[C]` or `[N, C]`"""
    listed = list(numbers) if isinstance(numbers, list | tuple) else []
    if listed and all(isinstance(of_node, list | tuple) for of_node in listed):
        return np.stack([_channel_mask(of_node, channels) for of_node in listed])
    if not listed or any(type(number) is not int or number not in range(channels) for number in listed):
        raise ValueError(f"channel_mask: {numbers!r}; allowed are numbers of channels from 0 to {channels - 1}")
    return np.isin(np.arange(channels), listed)


@fields_of(Scenario, omit=("node_xy_m", "gateway_xy_m"))
class ScenarioConfig(RecordSection):
    """A network; beyond these sections, the fields and defaults of `lora_marl.core.scenario.Scenario`.

    Attributes:
        topology: Where nodes and gateways are.
        active: Whether each node is on, or how many of the first nodes are.
        channel_mask: Numbers of the channels, from 0, that nodes use where their operating points leave the channel to
            them (`hop`), for every transmission, retry and repeat: one list for all, or a list for each node; null:
            all. Points that name a channel are played as given. A server may command other masks.
        path_loss_csv: File of measured path losses in place of `path_loss_db`, a matrix or a list of pairs
            (`lora_marl/config/links.py`); a relative path counts from the configuration's folder.
    """

    topology: TopologyConfig = TopologyConfig()
    region: RegionConfig = RegionConfig()
    propagation: PropagationConfig = PropagationConfig()
    reception: ReceptionConfig = ReceptionConfig()
    traffic: TrafficConfig = TrafficConfig()
    interference: InterferenceConfig | None = None
    downlink: DownlinkConfig = DownlinkConfig()
    device: str | DeviceConfig = "sx1261"
    battery: BatteryConfig = BatteryConfig()
    links: LinksConfig | None = None
    active: tuple[bool, ...] | int | None = None
    channel_mask: tuple[int, ...] | tuple[tuple[int, ...], ...] | None = None
    path_loss_csv: InputFile | None = None
    changes: tuple[ChangeConfig, ...] = ()

    def build(self) -> Scenario:
        """The scenario; warns where its traffic breaks the region's duty cycle."""
        sites = self.topology.build()
        values = {
            name: value.build() if isinstance(value, RecordSection) else value
            for name, value in self.fields().items()
            if name not in ("topology", "traffic", "links")
        }
        values["links"] = None if self.links is None else self.links.build(sites, values["region"].channels_hz)
        if values["channel_mask"] is not None:
            values["channel_mask"] = _channel_mask(values["channel_mask"], len(values["region"].channels_hz))
        values["path_loss_db"] = self._path_loss_db(sites)
        for name in ("path_loss_db", "channel_loss_db"):
            values[name] = None if values[name] is None else np.asarray(values[name])
        values["device"] = _device(values["device"])
        if values["active"] is not None:
            values["active"] = _active(values["active"], sites.node_xy_m.shape[-2])
        values["traffic"] = dataclasses.replace(self.traffic.build(sites.node_names), **sites.traffic)
        values["downlink"] = self._downlink()
        for name in ("changes", "path_loss_csv"):
            del values[name]
        scenario = Scenario(node_xy_m=sites.node_xy_m, gateway_xy_m=sites.gateway_xy_m, **values)
        scenario = dataclasses.replace(scenario, changes=self._scheduled(scenario))
        warn_about_duty_cycle(scenario)
        return scenario

    @property
    def files(self) -> list[Path]:
        """The files that the network is read from."""
        topology, region = self.topology, self.region
        named = [topology.nodes_csv, topology.gateways_csv, self.path_loss_csv, region.chirpstack_toml, region.tts_yaml]
        named += [self.traffic.trace_csv, *([] if self.links is None else self.links.files)]
        return [path for path in named if path is not None]

    def _path_loss_db(self, sites: Sites) -> NDArray[np.float64] | None:
        stated = self.fields()["path_loss_db"]
        if self.path_loss_csv is None:
            return stated
        if stated is not None:
            raise ValueError("path_loss_csv: path_loss_db is given, too; keep one of them")
        return read_path_loss_db("path_loss_csv", self.path_loss_csv, sites.node_names, sites.gateway_names)

    def _downlink(self) -> Downlink:
        """How gateways send; what is at its default is as a region's file says, where there is one."""
        downlink, file = self.downlink.build(), self.region.file
        defaults = Downlink()
        by_file = {} if file is None else file.downlink
        return dataclasses.replace(
            downlink,
            **{name: value for name, value in by_file.items() if getattr(downlink, name) == getattr(defaults, name)},
        )

    def _scheduled(self, scenario: Scenario) -> tuple[Change, ...]:
        """All changes in order; each begins with the values that those before it leave."""
        schedule: list[Change] = []
        for change in self.changes:
            built = tuple(change.build(scenario))
            schedule += built
            # The scenario checks the values of its schedule whenever one of its fields changes: of the new ones, once.
            dataclasses.replace(scenario, changes=built)
            scenario = scenario.with_values(built[-1].values)
        return tuple(schedule)
