"""A scenario: everything that is true of a network before anybody decides anything."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core import phy
from lora_marl.core.checks import check_choice, check_record, suggest
from lora_marl.core.device import DEVICES, Battery, Device
from lora_marl.core.downlink import PAPERS_DOWNLINK, Downlink
from lora_marl.core.interference import Interference
from lora_marl.core.links import Links
from lora_marl.core.propagation import Propagation, path_loss_db
from lora_marl.core.reception import Reception
from lora_marl.core.region import Region
from lora_marl.core.topology import distances_m
from lora_marl.core.traffic import Traffic
from lora_marl.core.windows import ReceiveWindows, receive_windows, unused_windows

SUB_BANDS = 8
"""Sub-bands in which a gateway can keep duty cycles: RX2's and seven others."""

NO_LINK_DB = 400.0
"""Path loss that stands for a pair without a link: over 200 dB below any sensitivity. dB"""


class DutyCycleWarning(UserWarning):
    """A network's traffic breaks the duty cycle of its region."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Fields of the scenario that take new values at a time.

    Attributes:
        at_s: Time of the change; it holds for packets that start at or after it. s
        values: Dotted field names to new values, e.g. `{"propagation.exponent": 3.32, "traffic.interval_s": 4.0}`: any
            field of `propagation` and `traffic`, and `interference.occupancy`, `path_loss_db`, `channel_loss_db`,
            `active` and positions.
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
        self._check_frame()
        self._check_shapes()
        self._check_links()
        self._check_networks()
        self._check_payload()
        self._check_dwell_time()
        self.channel_duty_cycles.min()  # raises for a channel on which nobody may send
        self._check_downlink()
        if any(later.at_s < sooner.at_s for sooner, later in zip(self.changes, self.changes[1:], strict=False)):
            raise ValueError(f"scenario.changes: at_s {[c.at_s for c in self.changes]} is not in order of time")
        for change in self.changes:
            self._check_change(change)

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
            "traffic.interval_s": (self.traffic.interval_s, 2),
            "traffic.payload_bytes": (self.traffic.payload_bytes, 2),
            "interference.occupancy": (self._occupancy, 2),
        }

    @property
    def _occupancy(self) -> ArrayLike | None:
        return None if self.interference is None else self.interference.occupancy

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

    def warn_about_duty_cycle(self, stacklevel: int = 2) -> None:
        """Warn when the traffic at the slowest data rate breaks the region's duty cycle; `stacklevel` as for `warn`."""
        own, (limit, at) = self.traffic.duty_cycle, self._strictest_channel()
        if own == "region" or limit is None or (own is not None and own <= limit):
            return
        traffic, airtime_s = self.traffic, float(self.airtime_s().max())
        packets = traffic.burst_packets if traffic.kind == "burst" else 1
        after_end = traffic.kind == "burst" or (traffic.kind == "poisson" and traffic.after_end)
        cycle_s = float(np.min(self.interval_s())) + (packets * airtime_s if after_end else 0.0)
        share = min(packets * airtime_s / cycle_s, own or 1.0)
        if share > limit:
            warnings.warn(
                f"{self.name}: a node at the slowest data rate sends {share:.1%} of the time; "
                f"{self.region.name} allows {limit:.1%}{at}",
                DutyCycleWarning,
                stacklevel=stacklevel,
            )

    def _strictest_channel(self) -> tuple[float | None, str]:
        """The region's smallest duty cycle of a channel, None where it has none, and where that is, in words."""
        limits: list[tuple[float, float]] = []
        for frequency_hz in self.region.channels_hz:
            try:
                duty = self.region.duty_cycle_at(frequency_hz)
            except ValueError:  # nobody may send there
                duty = 0.0
            limits += [] if duty is None else [(duty, frequency_hz)]
        if not limits:
            return None, ""
        limit, frequency_hz = min(limits)
        alike = {duty for duty, _ in limits} == {limit}
        return limit, "" if alike else f" on {frequency_hz / 1e6:.10g} MHz"

    def check_replicas(self, replicas: int) -> None:
        """Raise ValueError when a field has another number of replicas."""
        for name, (value, with_replicas) in self._per_replica().items():
            if np.ndim(value) == with_replicas and np.shape(value)[0] not in (1, replicas):
                raise ValueError(f"scenario.{name}: {np.shape(value)[0]} replicas; allowed are 1 or {replicas}")

    def _check_frame(self) -> None:
        for name, allowed in {
            "low_data_rate": get_args(phy.LowDataRate),
            "energy": get_args(phy.EnergyMode),
            "coding_rate": (1, 2, 3, 4),
        }.items():
            check_choice(f"scenario.{name}", getattr(self, name), allowed)
        if not self.preamble_symbols >= 0:
            raise ValueError(f"scenario.preamble_symbols: {self.preamble_symbols} is not at least 0")
        if self.energy == "states":
            self.device.tx_power_mw(np.array(self.region.tp_dbm, np.float64))
            if self.receive_mj:
                raise ValueError(
                    f"scenario.receive_mj: {self.receive_mj}; energy 'states' counts receive windows, allowed is 0"
                )

    def _check_shapes(self) -> None:
        channels = len(self.region.channels_hz)
        expected: dict[str, tuple[Any, tuple[int, ...], int]] = {
            "path_loss_db": (self.path_loss_db, (self.nodes, self.gateways), 3),
            "channel_loss_db": (self.channel_loss_db, (channels,), 1),
            "active": (self.active, (self.nodes,), 1),
            "traffic.interval_s": (self.traffic.interval_s, (self.nodes,), 2),
            "traffic.payload_bytes": (self.traffic.payload_bytes, (self.nodes,), 2),
            "interference.occupancy": (self._occupancy, (channels,), 2),
        }
        for name, (value, shape, most_axes) in expected.items():
            if value is None or np.ndim(value) == 0:
                continue
            if np.shape(value)[-len(shape) :] != shape or np.ndim(value) > most_axes:
                raise ValueError(f"scenario.{name}: shape {np.shape(value)}; allowed is {shape}")

    def _check_links(self) -> None:
        if self.links is None:
            return
        self.links.check(self.nodes, self.gateways, len(self.region.channels_hz))
        if self.links.path_loss_db is not None and self.path_loss_db is not None:
            raise ValueError("scenario.path_loss_db: links.path_loss_db is given, too; allowed is one of them")

    def _check_networks(self) -> None:
        if (self.node_network is None) != (self.gateway_network is None):
            raise ValueError(
                "scenario: only one of node_network and gateway_network is given; allowed are both or none"
            )
        for name, size in (("node_network", self.nodes), ("gateway_network", self.gateways)):
            network = getattr(self, name)
            if network is None:
                return
            network = np.asarray(network)
            if network.shape != (size,) or network.dtype.kind not in "iu" or network.min() < 0:
                raise ValueError(
                    f"scenario.{name}: {network.dtype} {network.shape}, at least {network.min(initial=0)}; "
                    f"allowed are {size} whole numbers of at least 0"
                )
            object.__setattr__(self, name, network.astype(np.int64))
        alone = np.setdiff1d(np.asarray(self.node_network), np.asarray(self.gateway_network))
        if len(alone):
            raise ValueError(f"scenario.gateway_network: network {alone[0]} has nodes and no gateway")

    def _check_downlink(self) -> None:
        rule = self.reception
        check_choice("scenario.feedback", self.feedback, ("free", "downlink"))
        if self.feedback == "free":
            return
        if rule.inter_sf == "db_ratio" or rule.interferers != "all_overlaps":
            raise ValueError(
                f"scenario.feedback: 'downlink' needs reception.inter_sf none, sinr, sir_pairwise or sir_energy over "
                f"all_overlaps; they are {rule.inter_sf} and {rule.interferers}"
            )
        if rule.inter_sf == "sir_energy" and self.downlink.interference:
            raise ValueError(
                "downlink.interference: True; allowed is False where reception.inter_sf is sir_energy, under which "
                "uplinks and downlinks do not harm each other"
            )
        if (most := int(self.receive_windows.sub_band.max())) >= SUB_BANDS:
            raise ValueError(f"region.sub_band_edges_hz: channels in {most} sub-bands; at most {SUB_BANDS - 1}")
        self._check_downlink_payload()

    def _check_downlink_payload(self) -> None:
        """Check that a downlink is no larger than any of its data rates allows."""
        windows, down = self.receive_windows, self.downlink
        rates = {
            "rx1": {(int(sf), int(bw)) for sf, bw in windows.rx1_rate.reshape(-1, 2)},
            "rx2": {windows.rx2_rate},
        }
        used = rates["rx1"] | rates["rx2"] if down.windows == "both" else rates[down.windows]
        for sf, bw in sorted(used):
            factor, bw_hz = windows.spreading_factors[sf], windows.bandwidths_hz[bw]
            limit = self.region.max_downlink(factor, bw_hz)
            if down.payload_bytes > limit:
                raise ValueError(
                    f"downlink.payload_bytes: {down.payload_bytes} exceeds {self.region.name}'s {limit} bytes at "
                    f"SF{factor}/{bw_hz / 1000:g} kHz; shorten the payload or leave that data rate out"
                )

    def _check_payload(self) -> None:
        payload = int(np.max(self.traffic.payload_bytes))
        for sf in self.region.spreading_factors:
            for bw_hz in self.region.bandwidths_hz:
                limit = self.region.max_payload(sf, bw_hz)
                if payload > limit:
                    raise ValueError(
                        f"traffic.payload_bytes: {payload} exceeds {self.region.name}'s {limit} bytes at "
                        f"SF{sf}/{bw_hz / 1000:g} kHz; shorten the payload or leave that data rate out"
                    )

    def _check_dwell_time(self) -> None:
        """Check that no frame lasts longer than the region allows."""
        limit_s = self.region.dwell_time_s
        if limit_s is None:
            return
        for sf, bw_hz in self.region.data_rates:
            at = self.region.spreading_factors.index(sf), self.region.bandwidths_hz.index(bw_hz)
            airtime_s = float(self.airtime_s()[at])
            if airtime_s > limit_s:
                payload = int(np.max(self.traffic.payload_bytes))
                raise ValueError(
                    f"traffic.payload_bytes: {payload} bytes last {airtime_s:.3f} s at SF{sf}/{bw_hz / 1000:g} kHz; "
                    f"{self.region.name} allows {limit_s:g} s (region.dwell_time_s); shorten the payload or leave that "
                    "data rate out"
                )

    def _check_change(self, change: Change) -> None:
        """A change must name what may change, and leave a scenario of the same size."""
        paths = [f"{part}.{f.name}" for part in ("propagation", "traffic") for f in fields(getattr(self, part))]
        paths = [path for path in paths if path not in ("traffic.confirmed", "traffic.queue_frames")]
        paths += ["interference.occupancy"] if self.interference is not None else []
        paths += ["path_loss_db", "channel_loss_db", "active", "node_xy_m", "gateway_xy_m"]
        for path in change.values:
            if path not in paths:
                raise ValueError(f"scenario.changes: {path!r} at {change.at_s} s cannot change{suggest(path, paths)}")
        changed = replace(self, changes=()).with_values(change.values)
        if (changed.nodes, changed.gateways) != (self.nodes, self.gateways):
            sizes = f"{changed.nodes} nodes and {changed.gateways} gateways"
            raise ValueError(
                f"scenario.changes: {', '.join(change.values)} at {change.at_s} s makes {sizes}; they cannot change"
            )
