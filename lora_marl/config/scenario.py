"""The network of a run: sections that become the records of `lora_marl.core`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from lora_marl.config.errors import did_you_mean
from lora_marl.config.section import RecordSection, Section, fields_of
from lora_marl.config.topology import TopologyConfig
from lora_marl.core import tables
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.region import REGIONS, Region
from lora_marl.core.scenario import Change, Scenario
from lora_marl.core.traffic import Traffic


def _table(field: str, value: Any, known: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64] | None:
    if isinstance(value, str):
        if value not in known:
            raise ValueError(f"{field}: {value!r} is no table{did_you_mean(value, known)}")
        return known[value]
    return None if value is None else np.asarray(value, np.float64)


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
        for name, known in (("sensitivity_dbm", tables.SENSITIVITY_DBM), ("sir_db", tables.SIR_DB), ("sinr_db", {})):
            values[name] = _table(name, values[name], known)
        return Reception(**values)


@fields_of(Traffic)
class TrafficConfig(RecordSection):
    """When nodes send and how much; fields and defaults of `lora_marl.core.traffic.Traffic`."""

    def build(self) -> Traffic:
        return Traffic(**self.fields())


def _known(values: Sequence[float]) -> AfterValidator:
    def check(value: float) -> float:
        if value not in values:
            raise ValueError(f"{value:g} is not one of {', '.join(f'{known:g}' for known in values)}")
        return value

    return AfterValidator(check)


class RegionConfig(RecordSection):
    """A region by name; what is stated here replaces its values (the region's limits on payloads stay)."""

    name: str = "EU868"
    channels_hz: tuple[float, ...] | None = None
    bandwidths_hz: tuple[Annotated[float, _known(tables.BANDWIDTHS_HZ)], ...] | None = None
    spreading_factors: tuple[Annotated[int, _known(tables.SPREADING_FACTORS)], ...] | None = None
    tp_dbm: tuple[float, ...] | None = None

    def build(self) -> Region:
        if self.name not in REGIONS:
            raise ValueError(f"name: {self.name!r} is no region{did_you_mean(self.name, REGIONS)}")
        stated = {name: value for name, value in self.fields().items() if value is not None}
        return dataclasses.replace(REGIONS[self.name], **stated)


class ChangeConfig(Section):
    """Values that take effect at a time; see `lora_marl.core.scenario.Change`."""

    at_s: float
    values: dict[str, Any]


@fields_of(Scenario, omit=("node_xy_m", "gateway_xy_m"))
class ScenarioConfig(RecordSection):
    """A network; beyond these sections, the fields and defaults of `lora_marl.core.scenario.Scenario`."""

    topology: TopologyConfig = TopologyConfig()
    region: RegionConfig = RegionConfig()
    propagation: PropagationConfig = PropagationConfig()
    reception: ReceptionConfig = ReceptionConfig()
    traffic: TrafficConfig = TrafficConfig()
    active: tuple[bool, ...] | None = None
    changes: tuple[ChangeConfig, ...] = ()

    def build(self) -> Scenario:
        """The scenario; warns where its traffic breaks the region's duty cycle."""
        sites = self.topology.build()
        values = {
            name: value.build() if isinstance(value, RecordSection) else value
            for name, value in self.fields().items()
            if name != "topology"
        }
        for name in ("path_loss_db", "channel_loss_db", "active"):
            values[name] = None if values[name] is None else np.asarray(values[name])
        values["traffic"] = dataclasses.replace(values["traffic"], **sites.traffic)
        values["changes"] = tuple(Change(at_s=change.at_s, values=change.values) for change in self.changes)
        scenario = Scenario(node_xy_m=sites.node_xy_m, gateway_xy_m=sites.gateway_xy_m, **values)
        scenario.warn_if_unlawful()
        return scenario
