"""A scenario: everything that is true of a network before anybody decides anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core import phy
from lora_marl.core.checks import check_record
from lora_marl.core.device import DEVICES, Battery, Device
from lora_marl.core.downlink import PAPERS_DOWNLINK, Downlink
from lora_marl.core.interference import Interference
from lora_marl.core.links import Links
from lora_marl.core.propagation import Propagation, path_loss_db
from lora_marl.core.reception import Reception
from lora_marl.core.region import Region
from lora_marl.core.scenario_checks import check_scenario
from lora_marl.core.topology import distances_m
from lora_marl.core.traffic import Traffic
from lora_marl.core.windows import ReceiveWindows, receive_windows, unused_windows

NO_LINK_DB = 400.0
"""Path loss that stands for a pair without a link: over 200 dB below any sensitivity. dB"""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Fields of the scenario that take new values at a time.

    Attributes:
        at_s: Time of the change; it holds for packets that start at or after it. s
        values: Dotted field names to new values, e.g. `{"propagation.exponent": 3.32, "traffic.interval_s": 4.0}`: any
            field of `propagation` and `traffic`, losses, spreads, sensitivities, slow terms and noise of `links`, and
            `interference.occupancy`, `path_loss_db`, `channel_loss_db`, `channel_mask`, `active` and positions.
    """

    at_s: float
    values: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_record(self, "change")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A network of `N` nodes and `G` gateways; positions broadcast to a leading replica axis `B`.

    Attributes:
        name: For tables and run folders.
        node_xy_m: `[N, 2]` or `[B, N, 2]`. m
        gateway_xy_m: `[G, 2]`. m
        node_network, gateway_network: Which network each node `[N]` and each gateway `[G]` belongs to, numbered from 0;
            None: all belong to one. A packet is received by gateways of its own network only, and disturbs all.
        region: Channels, spreading factors, bandwidths, powers and their limits.
        propagation: Mean path loss, shadowing, fading.
        path_loss_db: A measured mean path loss `[N, G]` or `[B, N, G]` that replaces the model's; infinite: the gateway
            never hears the node. dB
        links: What measured links have beyond distance, shadowing and fading; None: nothing.
        channel_loss_db: `[C]`, path loss of each channel on top of the mean. dB
        reception: The gateways' rule.
        traffic: When nodes send and how much.
        interference: Noise-like bursts from outside; None: there are none.
        channel_mask: `[C]` or `[N, C]` bool: the channels that nodes use where their operating points leave the channel
            to them (`HOP`), for every transmission, retry and repeat; None: all. Points that name a channel are played
            as given. A server may command other masks (`Air.advance`).
        active: `[N]` bool; nodes that are off send nothing (a change switches them).
        low_data_rate: Low-data-rate optimisation: `auto` (symbols of 16 ms and longer), `on`, `off`, or
            `sf11_125khz` (SF11 and SF12 at 125 kHz).
        coding_rate: 1 to 4, for 4/5 to 4/8.
        preamble_symbols: Programmed preamble symbols (the sync word's 4.25 come on top).
        energy: `radiated` power, `supply` current times voltage, or all `states` of a device; see
            `lora_marl.core.energy`.
        supply: Table of supply currents, `lorasim` or `norel`.
        receive_mj: Energy of the receive windows after each packet; 0 under `states`, which counts them itself. mJ
        device, battery: Of every node, under `states`.
        feedback: `free`: the fate of packets is known at once; `downlink`: answers and commands are sent, cost
            airtime, and can be refused or lost.
        downlink: How gateways send them.
        changes: In order of time.
    """

    name: str = "scenario"
    node_xy_m: NDArray[np.float64]
    gateway_xy_m: NDArray[np.float64] = field(default_factory=lambda: np.zeros((1, 2)))
    node_network: NDArray[np.int64] | None = None
    gateway_network: NDArray[np.int64] | None = None
    region: Region
    propagation: Propagation = field(default_factory=Propagation)
    path_loss_db: NDArray[np.float64] | None = None
    channel_loss_db: NDArray[np.float64] | None = None
    links: Links | None = None
    reception: Reception = field(default_factory=Reception)
    traffic: Traffic = field(default_factory=Traffic)
    interference: Interference | None = None
    channel_mask: NDArray[np.bool_] | None = None
    active: NDArray[np.bool_] | None = None
    low_data_rate: phy.LowDataRate = "auto"
    coding_rate: int = 1
    preamble_symbols: int = 8
    energy: phy.EnergyMode = "radiated"
    supply: str = "lorasim"
    receive_mj: float = 0.0
    device: Device = DEVICES["sx1261"]
    battery: Battery = Battery()
    feedback: Literal["free", "downlink"] = "free"
    downlink: Downlink = field(default_factory=Downlink)
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        check_record(self, "scenario")
        for name, axes in (("node_xy_m", (2, 3)), ("gateway_xy_m", (2,))):
            xy_m = np.asarray(getattr(self, name), np.float64)
            if xy_m.ndim not in axes or xy_m.shape[-1] != 2 or xy_m.shape[-2] == 0:
                raise ValueError(
                    f"scenario.{name}: shape {xy_m.shape}; allowed is [at least 1, 2], for nodes [B, N, 2]"
                )
            object.__setattr__(self, name, xy_m)
        check_scenario(self)

    @property
    def nodes(self) -> int:
        """Number of nodes, `N`."""
        return self.node_xy_m.shape[-2]

    @property
    def gateways(self) -> int:
        """Number of gateways, `G`."""
        return self.gateway_xy_m.shape[-2]

    @property
    def networks(self) -> int:
        """Number of networks that share the air, `S`."""
        if self.node_network is None or self.gateway_network is None:
            return 1
        return int(max(self.node_network.max(), self.gateway_network.max())) + 1

    @property
    def placements(self) -> int:
        """Replicas that differ in their fields; 1: all are alike but for their random numbers."""
        return max(
            np.shape(value)[0] if np.ndim(value) == with_replicas else 1
            for value, with_replicas in self._per_replica().values()
        )

    def replica(self, number: int) -> Scenario:
        """The scenario of one replica: fields without a replica axis; changes keep theirs."""
        values = {
            name: np.asarray(value)[number % np.shape(value)[0]]
            for name, (value, with_replicas) in self._per_replica().items()
            if np.ndim(value) == with_replicas
        }
        return self.with_values(values) if values else self

    def _per_replica(self) -> dict[str, tuple[Any, int]]:
        """Fields that may have a replica axis, and their number of axes with it."""
        return {
            "node_xy_m": (self.node_xy_m, 3),
            "path_loss_db": (self.path_loss_db, 3),
            "links.path_loss_db": (None if self.links is None else self.links.path_loss_db, 4),
            "traffic.interval_s": (self.traffic.interval_s, 2),
            "traffic.payload_bytes": (self.traffic.payload_bytes, 2),
            "interference.occupancy": (self._occupancy, 2),
        }

    @property
    def _occupancy(self) -> ArrayLike | None:
        return None if self.interference is None else self.interference.occupancy

    @property
    def repeats_frames(self) -> bool:
        """Whether a frame of some node is sent several times, now or on schedule, where nobody commands otherwise."""
        scheduled = (change.values.get("traffic.nb_trans", 1) for change in self.changes)
        return any(bool(np.max(nb_trans) > 1) for nb_trans in (self.traffic.nb_trans, *scheduled))

    @property
    def carrier_hz(self) -> float:
        """Mean of the channels' frequencies. Hz"""
        return float(np.mean(self.region.channels_hz))

    @cached_property
    def channel_duty_cycles(self) -> NDArray[np.float64]:
        """Largest share of time that a node may send on each channel; 1: no limit. `[C]`

        Raises:
            ValueError: `traffic.duty_cycle` is `region`, and a channel lies where nobody may send.
        """
        own = self.traffic.duty_cycle
        if own != "region":
            return np.full(len(self.region.channels_hz), 1.0 if own is None else float(own))
        regional = [self.region.duty_cycle_at(frequency_hz) for frequency_hz in self.region.channels_hz]
        return np.array([1.0 if duty is None else duty for duty in regional])

    @property
    def duty_cycles_by_sub_band(self) -> bool:
        """Whether a node keeps duty cycles in more than one sub-band, each by itself."""
        limited = self.traffic.duty_cycle == "region" and len(set(self.region.sub_bands)) > 1
        return bool(limited and self.channel_duty_cycles.min() < 1.0)

    @property
    def duty_cycle(self) -> float | None:
        """The duty cycle of a node that keeps its channel; None: no limit.

        Raises:
            ValueError: it depends on the channel.
        """
        if self.traffic.duty_cycle != "region":
            return self.traffic.duty_cycle
        duties = set(self.channel_duty_cycles.tolist())
        if len(duties) > 1:
            raise ValueError(
                f"traffic.duty_cycle: region allows {sorted(duties)} by channel, for which there is no closed form; "
                "take channels of one limit, or give a number"
            )
        (duty,) = duties
        return None if duty == 1.0 else duty

    @property
    def lone_traffic(self) -> Traffic:
        """The traffic of a node that keeps its channel: its duty cycle is a number, or None."""
        return replace(self.traffic, duty_cycle=self.duty_cycle)

    def with_values(self, values: Mapping[str, Any]) -> Scenario:
        """This scenario with other values of dotted fields, e.g. `{"traffic.interval_s": 4.0}`."""
        scenario = self
        for path, value in values.items():
            part, _, name = path.rpartition(".")
            if part:
                path, value = part, replace(getattr(scenario, part), **{name: value})
            scenario = replace(scenario, **{path: value})
        return scenario

    def mean_gain_db(self) -> NDArray[np.float64]:
        """Received minus transmitted power of every link, without shadowing, fading and the channel's loss.

        `[N, G]` or `[B, N, G]`, in dB.
        """
        measured_db = self.path_loss_db
        if self.links is not None and self.links.path_loss_db is not None:
            measured_db = self.links.mean_path_loss_db()
        if measured_db is None:
            distance_m = distances_m(self.node_xy_m, self.gateway_xy_m)
            loss_db = path_loss_db(self.propagation, distance_m, carrier_hz=self.carrier_hz)
        else:
            loss_db = np.minimum(np.asarray(measured_db, np.float64), NO_LINK_DB)
        return self.propagation.antenna_gain_db - loss_db

    def interval_s(self) -> NDArray[np.float64]:
        """Mean interval between a node's packets; infinite for nodes that are off. `[N]` or `[B, N]` s"""
        interval_s = np.asarray(self.traffic.interval_s, np.float64)
        active = np.ones(self.nodes, np.bool_) if self.active is None else self.active
        return np.where(active, interval_s, np.inf)

    def airtime_s(self, payload_bytes: ArrayLike | None = None) -> NDArray[np.float64]:
        """Airtime of payloads (None: the largest one) at each spreading factor and bandwidth. `[..., S, W]` s"""
        payload = np.max(self.traffic.payload_bytes) if payload_bytes is None else np.asarray(payload_bytes)
        return phy.airtime_s(
            np.array(self.region.spreading_factors)[:, None],
            payload[..., None, None],
            bw_hz=np.array(self.region.bandwidths_hz),
            coding_rate=self.coding_rate,
            preamble_symbols=self.preamble_symbols,
            low_data_rate=self.low_data_rate,
        )

    @cached_property
    def receive_windows(self) -> ReceiveWindows:
        """The receive windows of the nodes; where feedback is free, those that never open."""
        windows = receive_windows if self.feedback == "downlink" else unused_windows
        return windows(self.region, self.downlink)

    def downlink_airtime_s(self) -> NDArray[np.float64]:
        """Airtime of a downlink, which has no CRC, at each spreading factor and bandwidth of `receive_windows`. s"""
        unused = PAPERS_DOWNLINK.low_data_rate if self.feedback == "free" else self.low_data_rate
        return phy.airtime_s(
            np.array(self.receive_windows.spreading_factors)[:, None],
            self.downlink.payload_bytes,
            bw_hz=np.array(self.receive_windows.bandwidths_hz),
            coding_rate=self.coding_rate,
            preamble_symbols=self.preamble_symbols,
            low_data_rate=self.downlink.low_data_rate or unused or "auto",
            crc=False,
        )

    def check_replicas(self, replicas: int) -> None:
        """Raise ValueError when a field has another number of replicas."""
        for name, (value, with_replicas) in self._per_replica().items():
            if np.ndim(value) == with_replicas and np.shape(value)[0] not in (1, replicas):
                raise ValueError(f"scenario.{name}: {np.shape(value)[0]} replicas; allowed are 1 or {replicas}")
