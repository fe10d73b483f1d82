"""What a scenario must keep: shapes, networks, and what its region allows."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from lora_marl.core import phy
from lora_marl.core.checks import check_choice, suggest
from lora_marl.core.duty_cycle import SUB_BANDS
from lora_marl.core.links import CHANGING

if TYPE_CHECKING:
    from lora_marl.core.scenario import Change, Scenario


def check_scenario(scenario: Scenario) -> None:
    """Raise ValueError for fields of a scenario that do not fit each other or its region.

    Positions are arrays already; the numbers of networks become int64 here.
    """
    _check_frame(scenario)
    _check_shapes(scenario)
    _check_links(scenario)
    _check_networks(scenario)
    _check_payload(scenario)
    _check_dwell_time(scenario)
    scenario.channel_duty_cycles.min()  # raises for a channel on which nobody may send
    _check_downlink(scenario)
    changes = scenario.changes
    if any(later.at_s < sooner.at_s for sooner, later in zip(changes, changes[1:], strict=False)):
        raise ValueError(f"scenario.changes: at_s {[c.at_s for c in changes]} is not in order of time")
    for change in changes:
        _check_change(scenario, change)


def _check_frame(scenario: Scenario) -> None:
    for name, allowed in {
        "low_data_rate": get_args(phy.LowDataRate),
        "energy": get_args(phy.EnergyMode),
        "coding_rate": (1, 2, 3, 4),
    }.items():
        check_choice(f"scenario.{name}", getattr(scenario, name), allowed)
    if not scenario.preamble_symbols >= 0:
        raise ValueError(f"scenario.preamble_symbols: {scenario.preamble_symbols} is not at least 0")
    if scenario.energy == "states":
        scenario.device.tx_power_mw(np.array(scenario.region.tp_dbm, np.float64))
        if scenario.receive_mj:
            raise ValueError(
                f"scenario.receive_mj: {scenario.receive_mj}; energy 'states' counts receive windows, allowed is 0"
            )


def _check_shapes(scenario: Scenario) -> None:
    channels, bursts = len(scenario.region.channels_hz), scenario.interference
    expected: dict[str, tuple[Any, tuple[int, ...], int]] = {
        "path_loss_db": (scenario.path_loss_db, (scenario.nodes, scenario.gateways), 3),
        "channel_loss_db": (scenario.channel_loss_db, (channels,), 1),
        "active": (scenario.active, (scenario.nodes,), 1),
        "traffic.interval_s": (scenario.traffic.interval_s, (scenario.nodes,), 2),
        "traffic.payload_bytes": (scenario.traffic.payload_bytes, (scenario.nodes,), 2),
        "traffic.nb_trans": (scenario.traffic.nb_trans, (scenario.nodes,), 1),
        "channel_mask": (scenario.channel_mask, (channels,), 2),
        "interference.occupancy": (None if bursts is None else bursts.occupancy, (channels,), 2),
    }
    trace = scenario.traffic.trace
    if trace is not None and trace.nodes != scenario.nodes:
        raise ValueError(f"traffic.trace: of {trace.nodes} nodes; the network has {scenario.nodes}")
    for name, (value, shape, most_axes) in expected.items():
        if value is None or np.ndim(value) == 0:
            continue
        if np.shape(value)[-len(shape) :] != shape or np.ndim(value) > most_axes:
            raise ValueError(f"scenario.{name}: shape {np.shape(value)}; allowed is {shape}")
    _check_mask(scenario)


def _check_mask(scenario: Scenario) -> None:
    """Check that every node may use a channel, and that what is no truth value is not taken for one."""
    mask = scenario.channel_mask
    if mask is None:
        return
    if np.asarray(mask).dtype != np.bool_ or np.shape(mask)[:-1] not in ((), (scenario.nodes,)):
        shape, channels = np.shape(mask), len(scenario.region.channels_hz)
        raise ValueError(
            f"scenario.channel_mask: {np.asarray(mask).dtype} {list(shape)}; allowed is bool [{channels}] or "
            f"[{scenario.nodes}, {channels}]"
        )
    if not np.all(np.any(mask, axis=-1)):
        raise ValueError("scenario.channel_mask: a node has no channel; each needs one at least")


def _check_links(scenario: Scenario) -> None:
    if scenario.links is None:
        return
    scenario.links.check(scenario.nodes, scenario.gateways, len(scenario.region.channels_hz))
    if scenario.links.path_loss_db is not None and scenario.path_loss_db is not None:
        raise ValueError("scenario.path_loss_db: links.path_loss_db is given, too; allowed is one of them")


def _check_networks(scenario: Scenario) -> None:
    if (scenario.node_network is None) != (scenario.gateway_network is None):
        raise ValueError("scenario: only one of node_network and gateway_network is given; allowed are both or none")
    for name, size in (("node_network", scenario.nodes), ("gateway_network", scenario.gateways)):
        network = getattr(scenario, name)
        if network is None:
            return
        network = np.asarray(network)
        if network.shape != (size,) or network.dtype.kind not in "iu" or network.min() < 0:
            raise ValueError(
                f"scenario.{name}: {network.dtype} {network.shape}, at least {network.min(initial=0)}; "
                f"allowed are {size} whole numbers of at least 0"
            )
        object.__setattr__(scenario, name, network.astype(np.int64))
    alone = np.setdiff1d(np.asarray(scenario.node_network), np.asarray(scenario.gateway_network))
    if len(alone):
        raise ValueError(f"scenario.gateway_network: network {alone[0]} has nodes and no gateway")


def _check_downlink(scenario: Scenario) -> None:
    rule = scenario.reception
    check_choice("scenario.feedback", scenario.feedback, ("free", "downlink"))
    if scenario.feedback == "free":
        return
    if rule.inter_sf == "db_ratio" or rule.interferers != "all_overlaps":
        raise ValueError(
            f"scenario.feedback: 'downlink' needs reception.inter_sf none, sinr, sir_pairwise or sir_energy over "
            f"all_overlaps; they are {rule.inter_sf} and {rule.interferers}"
        )
    if rule.inter_sf == "sir_energy" and scenario.downlink.interference:
        raise ValueError(
            "downlink.interference: True; allowed is False where reception.inter_sf is sir_energy, under which "
            "uplinks and downlinks do not harm each other"
        )
    if (most := int(scenario.receive_windows.sub_band.max())) >= SUB_BANDS:
        raise ValueError(f"region.sub_band_edges_hz: channels in {most} sub-bands; at most {SUB_BANDS - 1}")
    _check_downlink_payload(scenario)


def _check_downlink_payload(scenario: Scenario) -> None:
    """Check that a downlink is no larger than any of its data rates allows."""
    windows, down = scenario.receive_windows, scenario.downlink
    rates = {
        "rx1": {(int(sf), int(bw)) for sf, bw in windows.rx1_rate.reshape(-1, 2)},
        "rx2": {windows.rx2_rate},
    }
    used = rates["rx1"] | rates["rx2"] if down.windows == "both" else rates[down.windows]
    for sf, bw in sorted(used):
        factor, bw_hz = windows.spreading_factors[sf], windows.bandwidths_hz[bw]
        limit = scenario.region.max_downlink(factor, bw_hz)
        if down.payload_bytes > limit:
            raise ValueError(
                f"downlink.payload_bytes: {down.payload_bytes} exceeds {scenario.region.name}'s {limit} bytes at "
                f"SF{factor}/{bw_hz / 1000:g} kHz; shorten the payload or leave that data rate out"
            )


def _check_payload(scenario: Scenario) -> None:
    payload = int(np.max(scenario.traffic.payload_bytes))
    for sf in scenario.region.spreading_factors:
        for bw_hz in scenario.region.bandwidths_hz:
            limit = scenario.region.max_payload(sf, bw_hz)
            if payload > limit:
                raise ValueError(
                    f"traffic.payload_bytes: {payload} exceeds {scenario.region.name}'s {limit} bytes at "
                    f"SF{sf}/{bw_hz / 1000:g} kHz; shorten the payload or leave that data rate out"
                )


def _check_dwell_time(scenario: Scenario) -> None:
    """Check that no frame lasts longer than the region allows."""
    limit_s = scenario.region.dwell_time_s
    if limit_s is None:
        return
    for sf, bw_hz in scenario.region.data_rates:
        at = scenario.region.spreading_factors.index(sf), scenario.region.bandwidths_hz.index(bw_hz)
        airtime_s = float(scenario.airtime_s()[at])
        if airtime_s > limit_s:
            payload = int(np.max(scenario.traffic.payload_bytes))
            raise ValueError(
                f"traffic.payload_bytes: {payload} bytes last {airtime_s:.3f} s at SF{sf}/{bw_hz / 1000:g} kHz; "
                f"{scenario.region.name} allows {limit_s:g} s (region.dwell_time_s); shorten the payload or leave that "
                "data rate out"
            )


def _check_change(scenario: Scenario, change: Change) -> None:
    """A change must name what may change, and leave a scenario of the same size."""
    paths = [f"{part}.{f.name}" for part in ("propagation", "traffic") for f in fields(getattr(scenario, part))]
    fixed = ["traffic.confirmed", "traffic.queue_frames", "traffic.trace"]
    if scenario.traffic.trace is not None:
        fixed += ["traffic.kind", "traffic.interval_s", "traffic.payload_bytes", "traffic.after_end"]
    paths = [path for path in paths if path not in fixed]
    paths += ["interference.occupancy"] if scenario.interference is not None else []
    paths += [f"links.{name}" for name in CHANGING] if scenario.links is not None else []
    paths += ["path_loss_db", "channel_loss_db", "channel_mask", "active", "node_xy_m", "gateway_xy_m"]
    for path in change.values:
        if path not in paths:
            raise ValueError(f"scenario.changes: {path!r} at {change.at_s} s cannot change{suggest(path, paths)}")
    changed = replace(scenario, changes=()).with_values(change.values)
    if (changed.nodes, changed.gateways) != (scenario.nodes, scenario.gateways):
        sizes = f"{changed.nodes} nodes and {changed.gateways} gateways"
        raise ValueError(
            f"scenario.changes: {', '.join(change.values)} at {change.at_s} s makes {sizes}; they cannot change"
        )
