"""Lookup tables of the compiled loop, made once per scenario from the formulas."""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core import phy, units
from lora_marl.core.downlink import Feedback
from lora_marl.core.energy import energy_costs
from lora_marl.core.kernel.rule import ADDED, FEEDBACK, RULE, make_rule
from lora_marl.core.links import STEPS_PER_TIME_CONSTANT
from lora_marl.core.propagation import path_loss_db
from lora_marl.core.random import draw_index, normal
from lora_marl.core.reception import channel_overlaps
from lora_marl.core.scenario import NO_LINK_DB, Scenario
from lora_marl.core.topology import distances_m

_ROUNDING_DB = 1e-9
"""Far above the rounding errors of sums of powers in dBm."""

RETIMING = frozenset({"active", "traffic.interval_s", "interference.occupancy"})
"""Fields of a scenario that say how often nodes send and bursts come, and nothing else."""


TRAITS = np.dtype(
    [
        ("spread_db", np.float64),
        ("slow_db", np.float64),
        ("slow_step_s", np.float64),
        ("channel_slow_db", np.float64),
        ("channel_step_s", np.float64),
        ("group_slow_step_s", np.float64),  # of what the gateway's group shares
        ("group_channel_step_s", np.float64),
        ("group", np.int64),  # -1: none
    ],
    align=True,
)
"""A measured link."""

TRACE_ROW = np.dtype([("time_s", np.float64), ("payload", np.int64), ("counter", np.int64)], align=True)
TRACE_NODE = np.dtype([("first", np.int64), ("rows", np.int64), ("span", np.int64)], align=True)
"""A row of a trace, with the index of its payload size; and a node's part: where its rows begin, how many there are,
and how far counters go on with each repetition."""

CELL = np.dtype([("gain_db", np.float64), ("floor_db", np.float64), ("noise_ratio", np.float64)], align=True)
"""A channel of a measured link: gain over the link's mean, what it adds to the sensitivity, noise over the floor."""


class Tables(NamedTuple):
    """Constants of a scenario by index: `S` spreading factors, `W` bandwidths, `C` channels, `T` powers, `Z` payloads.

    `S'`, `W'` and `D` have those of downlinks behind them (`lora_marl.core.windows`). Arrays with a leading `b` hold
    one replica for all, or one each.
    """

    rule: NDArray[np.void]  # RULE [1]
    airtime_s: NDArray[np.float64]  # [Z, S, W]
    spared_s: NDArray[np.float64]  # [S', W']
    sensitivity_dbm: NDArray[np.float64]  # [S', W']
    sinr_ratio: NDArray[np.float64]  # [S']
    noise_mw: NDArray[np.float64]  # [W']
    sinr_floor_dbm: NDArray[np.float64]  # [S', W'], powers above meet the SINR threshold without interference
    negligible_dbm: NDArray[np.float64]  # [W'], powers below disturb nobody, or [0]: all powers count
    sir_db: NDArray[np.float64]  # [S', S'], wanted by interferer
    sir_ratio: NDArray[np.float64]  # [S, S + 1], the last one against bursts
    tp_dbm: NDArray[np.float64]  # [T]
    tp_mw: NDArray[np.float64]  # [T], drawn from the battery or radiated
    windows_mj: NDArray[np.float64]  # [S, W], receive windows after an uplink, or [0, 0] where they are `receive_mj`
    gain_db: NDArray[np.float64]  # [b, N, G], received minus transmitted power
    channel_loss_db: NDArray[np.float64]  # [C]
    traits: NDArray[np.void]  # TRAITS [N, G] of measured links, or [0, 0]
    cells: NDArray[np.void]  # CELL [b, N, G, C], or [0, 0, 0, 0]
    off_s: NDArray[np.float64]  # [G, K, 2], from when until when gateways are off, or [G, 0, 2]
    missed_share: NDArray[np.float64]  # [N, G], packets that a gateway misses at any power, or [0, 0]
    node_network: NDArray[np.int32]  # [N]
    gateway_network: NDArray[np.int32]  # [G]
    reach: NDArray[np.int32]  # [C, R], channels that may overlap each, -1 where there are fewer
    overlaps: NDArray[np.bool_]  # [C, W, C, W]
    payload: NDArray[np.int32]  # [b, N], index of the payload size
    payload_bits: NDArray[np.float64]  # [Z]
    interval_s: NDArray[np.float64]  # [b, N]
    mean_gap_s: NDArray[np.float64]  # [b, C] between bursts, or [b, 0] without interference
    xy_m: NDArray[np.float64]  # [b, N, 2], or [b, 0, 2] without downlinks
    gateway_gain_db: NDArray[np.float64]  # [G, G], received minus transmitted power from gateway to gateway
    down_airtime_s: NDArray[np.float64]  # [S', W']
    down_overlaps: NDArray[np.bool_]  # [D, W', D, W'], channel C is RX2's
    sub_band: NDArray[np.int64]  # [D], RX2's is 0
    off_per_down_airtime: NDArray[np.float64]  # [D]
    rx1_channel: NDArray[np.int64]  # [C], or [0]: RX1 is on the uplink's channel
    rx1_rate: NDArray[np.int64]  # [S, W, 2], or [0, 0, 2]: at its data rate
    down_above_db: NDArray[np.float64]  # [D], power above the rule's, or [0]: it is the same everywhere
    node_sub_band: NDArray[np.int64]  # [C], sub-band in which a node keeps a duty cycle, or [0]: in none by itself
    off_per_up_airtime: NDArray[np.float64]  # [C], or [0]
    channel_rate: NDArray[np.int64]  # [C, S, W, 2], data rate in place of a point's, or [0, 0, 0, 2]: it is the same
    trace: NDArray[np.void]  # TRACE_ROW [K], by node and time, or [0]
    trace_nodes: NDArray[np.void]  # TRACE_NODE [N], or [0]

    def digest(self) -> int:
        """A number that differs for scenarios that can have different outcomes, whoever decides; snapshots keep it."""
        network = {
            name: value
            for name, value in zip(RULE.names or (), self.rule[0], strict=True)
            if name not in FEEDBACK and (name not in ADDED or value)
        }
        without_derived = self._replace(sinr_floor_dbm=np.zeros(0))  # which follows from others
        rule = repr(network).encode()  # not its bytes: those between its fields are arbitrary
        return zlib.crc32(rule + b"".join(array.tobytes() for array in without_derived[1:]))

    def replicas_from(self, first: int) -> Tables:
        """The tables of the replicas from `first` on, which the loop numbers from 0."""
        parts = {
            name: array[first:]
            for name in ("gain_db", "cells", "payload", "interval_s", "mean_gap_s", "xy_m")
            if len(array := getattr(self, name)) > 1
        }
        return self._replace(**parts)


def _reach(overlaps: NDArray) -> NDArray[np.int32]:
    """The channels that can overlap each channel at some bandwidths, padded with -1. `[C, R]`"""
    any_bw = np.asarray(overlaps.any(axis=(1, 3)))
    reach = np.full((len(any_bw), int(any_bw.sum(1).max())), -1, np.int32)
    for channel, row in enumerate(any_bw):
        reach[channel, : row.sum()] = np.flatnonzero(row)
    return reach


def _gain_db(scenario: Scenario, shadowing_keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Received minus transmitted power, without what is drawn per packet. `[1 or B, N, G]` dB"""
    air, gain_db = scenario.propagation, scenario.mean_gain_db()
    gain_db = gain_db.reshape(-1, *gain_db.shape[-2:])
    if air.shadowing != "link" or air.shadowing_db == 0.0:
        return gain_db
    nodes, gateways = gain_db.shape[-2:]
    common_db, own_db = air.shadowing_parts_db
    return gain_db + np.stack([_link_shadowing_db(key, nodes, gateways, common_db, own_db) for key in shadowing_keys])


@njit
def _link_shadowing_db(key, nodes, gateways, common_db, own_db):  # type: ignore[no-untyped-def]
    """Shadowing that a link keeps, a common and an own part as for packets: the draws of packet -1. `[N, G]` dB"""
    shadowing_db = np.empty((nodes, gateways))
    for n in range(nodes):
        shared_db = common_db * normal(key, n, draw_index(-1, -1))
        for g in range(gateways):
            shadowing_db[n, g] = shared_db + own_db * normal(key, n, draw_index(-1, g))
    return shadowing_db


def _link_tables(scenario: Scenario) -> dict[str, NDArray]:
    """The tables of measured links, which are empty where there are none."""
    nodes, gateways, channels = scenario.nodes, scenario.gateways, len(scenario.region.channels_hz)
    links = scenario.links
    if links is None:
        return {
            "traits": np.zeros((0, 0), TRAITS),
            "cells": np.zeros((0, 0, 0, 0), CELL),
            "off_s": np.zeros((0, 0, 2)),
            "missed_share": np.zeros((0, 0)),
        }
    air, group = scenario.propagation, links.group_of(gateways)
    per_packet_db = air.shadowing_parts_db[1] if air.shadowing == "packet" else 0.0
    traits = np.zeros((nodes, gateways), TRAITS)
    traits["spread_db"] = per_packet_db if links.spread_db is None else links.spread_db
    traits["slow_db"], traits["channel_slow_db"] = links.slow_db, links.channel_slow_db
    traits["slow_step_s"] = np.asarray(links.slow_s) / STEPS_PER_TIME_CONSTANT
    traits["channel_step_s"] = np.asarray(links.channel_slow_s) / STEPS_PER_TIME_CONSTANT
    traits["group"] = group
    leader = np.array([np.flatnonzero(group == number)[0] if number >= 0 else g for g, number in enumerate(group)])
    traits["group_slow_step_s"] = traits["slow_step_s"][:, leader]
    traits["group_channel_step_s"] = traits["channel_step_s"][:, leader]
    mean_db = links.mean_path_loss_db()
    placements = 1 if links.path_loss_db is None else math.prod(np.shape(links.path_loss_db)[:-3])
    cells = np.zeros((placements, nodes, gateways, channels), CELL)
    if mean_db is not None and links.path_loss_db is not None:
        loss_db = np.minimum(np.asarray(links.path_loss_db, np.float64), NO_LINK_DB)
        cells["gain_db"] = np.minimum(mean_db, NO_LINK_DB)[..., None] - loss_db
    noise_db = np.broadcast_to(links.noise_db, (gateways, channels))
    cells["floor_db"] = np.broadcast_to(links.sensitivity_db, (nodes, gateways))[..., None] + noise_db
    cells["noise_ratio"] = units.db_to_ratio(noise_db)
    most = max([sum(g == gateway for gateway, _, _ in links.off) for g in range(gateways)])
    off_s = np.full((gateways, most, 2), np.inf)
    for g in range(gateways):
        for k, span in enumerate([span for gateway, *span in links.off if gateway == g]):
            off_s[g, k] = span
    missed = np.array(np.broadcast_to(links.missed_share, (nodes, gateways)), np.float64, order="C")
    missed_share = missed if missed.any() else np.zeros((0, 0))
    return {"traits": traits, "cells": cells, "off_s": off_s, "missed_share": missed_share}


def _payload_tables(scenario: Scenario) -> tuple[NDArray, dict[str, NDArray]]:
    """The payload sizes that occur `[Z]`, and the tables that have their indices."""
    per_node, trace = np.asarray(scenario.traffic.payload_bytes), scenario.traffic.trace
    if trace is None:
        sizes, payload = np.unique(per_node, return_inverse=True)
        rows, parts = np.zeros(0, TRACE_ROW), np.zeros(0, TRACE_NODE)
    else:
        order = trace.order
        sizes, indices = np.unique(np.concatenate([per_node, trace.payload_bytes[order]]), return_inverse=True)
        payload = indices[: len(per_node)]
        rows, parts = np.zeros(len(order), TRACE_ROW), np.zeros(trace.nodes, TRACE_NODE)
        rows["time_s"], rows["payload"] = trace.time_s[order], indices[len(per_node) :]
        rows["counter"] = 0 if trace.counter is None else trace.counter[order]
        parts["rows"], parts["span"] = trace.rows, trace.counter_spans
        parts["first"] = np.cumsum(trace.rows) - trace.rows
    by_node = np.broadcast_to(payload.astype(np.int32), (*_lead(payload), scenario.nodes))
    return sizes, {"payload": by_node, "trace": rows, "trace_nodes": parts}


def _times(scenario: Scenario) -> dict[str, NDArray]:
    """The tables of how often nodes send and bursts come."""
    interval_s = scenario.interval_s()
    gap_s = np.zeros((1, 0)) if scenario.interference is None else np.atleast_2d(scenario.interference.mean_gap_s)
    return {
        "interval_s": np.array(np.broadcast_to(interval_s, (*_lead(interval_s), scenario.nodes)), order="C"),
        "mean_gap_s": np.array(gap_s, order="C"),
    }


def _downlink_tables(scenario: Scenario) -> dict[str, NDArray]:
    """The tables that only downlinks need; without downlinks the positions are left out."""
    windows = scenario.receive_windows
    bw_hz, carriers_hz = np.array(windows.bandwidths_hz), np.array(windows.channels_hz)
    apart_m = distances_m(scenario.gateway_xy_m, scenario.gateway_xy_m)
    loss_db = path_loss_db(scenario.propagation, apart_m, carrier_hz=scenario.carrier_hz)
    xy_m = scenario.node_xy_m.reshape(-1, *scenario.node_xy_m.shape[-2:])
    same_rate = np.moveaxis(np.indices(windows.rx1_rate.shape[:2]), 0, -1)
    above_db = windows.tp_dbm - windows.tp_dbm[0]
    return {
        "xy_m": xy_m if scenario.feedback == "downlink" else xy_m[:, :0],
        "gateway_gain_db": scenario.propagation.antenna_gain_db - loss_db,
        "down_airtime_s": scenario.downlink_airtime_s(),
        "down_overlaps": channel_overlaps(carriers_hz, bw_hz, scenario.reception.channel_overlap),
        "sub_band": windows.sub_band,
        "off_per_down_airtime": 1.0 / windows.duty_cycle - 1.0,
        "rx1_channel": _unless(windows.rx1_channel, np.arange(len(windows.rx1_channel))),
        "rx1_rate": _unless(windows.rx1_rate, same_rate),
        "down_above_db": _unless(above_db, np.zeros(len(above_db))),
    }


def _node_tables(scenario: Scenario) -> dict[str, NDArray]:
    """The tables of channels that restrict nodes."""
    region, limited = scenario.region, scenario.duty_cycles_by_sub_band
    return {
        "node_sub_band": np.array(region.sub_bands if limited else (), np.int64) - 1,
        "off_per_up_airtime": 1.0 / scenario.channel_duty_cycles - 1.0 if limited else np.zeros(0),
        "channel_rate": region.rates_by_channel() if region.channel_data_rates else np.zeros((0, 0, 0, 2), np.int64),
    }


def _unless(table: NDArray, default: NDArray) -> NDArray:
    """The table, or one without elements where it is the default, which the loop then has no need to look up."""
    return table[(slice(0, 0),) * min(table.ndim, 2)] if np.array_equal(table, default) else table


def retimed(tables: Tables, scenario: Scenario) -> Tables:
    """The tables after a change of nothing but fields of `RETIMING`, which is cheap."""
    return tables._replace(**_times(scenario))


def make_tables(
    scenario: Scenario, shadowing_keys: NDArray[np.uint64], *, record: bool, count_arms: bool, feedback: Feedback
) -> Tables:
    """The tables of a scenario.

    Args:
        scenario: The network.
        shadowing_keys: The replicas' streams of random numbers. `[B]`
        record, count_arms: As of `lora_marl.core.air.Air`.
        feedback: Who decides.
    """
    region, rx = scenario.region, scenario.reception
    sf = np.array(region.spreading_factors)
    bw_hz = np.array(region.bandwidths_hz)
    tp_dbm = np.array(region.tp_dbm, np.float64)
    nodes, costs = scenario.nodes, energy_costs(scenario)
    payload_bytes, payload_tables = _payload_tables(scenario)
    windows = scenario.receive_windows
    all_sf, all_bw_hz = np.array(windows.spreading_factors), np.array(windows.bandwidths_hz)
    overlaps = channel_overlaps(np.array(region.channels_hz), bw_hz, rx.channel_overlap)
    shape = (len(all_sf),) * 2
    sir_db = rx.sir_db[np.ix_(all_sf - 7, all_sf - 7)] if rx.sir_db is not None else np.full(shape, -np.inf)
    sinr_ratio = units.db_to_ratio(rx.sinr_thresholds_db(all_sf))
    uplinks = slice(len(sf))
    noise_dbm = phy.noise_dbm(all_bw_hz, rx.noise_figure_db)
    tables = Tables(
        rule=make_rule(scenario, feedback, record, count_arms),
        airtime_s=scenario.airtime_s(payload_bytes),
        spared_s=rx.spared_preamble_symbols * phy.symbol_time_s(all_sf[:, None], bw_hz=all_bw_hz),
        sensitivity_dbm=rx.sensitivities_dbm(all_sf, all_bw_hz),
        sinr_ratio=sinr_ratio,
        noise_mw=units.dbm_to_mw(noise_dbm),
        sinr_floor_dbm=rx.sinr_thresholds_db(all_sf)[:, None] + noise_dbm + _ROUNDING_DB,
        negligible_dbm=np.zeros(0) if rx.negligible_db is None else noise_dbm - rx.negligible_db,
        sir_db=sir_db,
        sir_ratio=np.column_stack([units.db_to_ratio(sir_db[uplinks, uplinks]), sinr_ratio[uplinks]]),
        tp_dbm=tp_dbm,
        tp_mw=costs.tp_mw,
        windows_mj=costs.windows_mj if scenario.energy == "states" else np.zeros((0, 0)),
        gain_db=_gain_db(scenario, shadowing_keys),
        channel_loss_db=np.zeros(len(region.channels_hz)) if scenario.channel_loss_db is None
        else np.asarray(scenario.channel_loss_db, np.float64),
        node_network=_network(scenario.node_network, nodes),
        gateway_network=_network(scenario.gateway_network, scenario.gateways),
        reach=_reach(overlaps),
        overlaps=overlaps,
        payload_bits=8.0 * payload_bytes,
        **payload_tables,
        **_link_tables(scenario),
        **_times(scenario),
        **_downlink_tables(scenario),
        **_node_tables(scenario),
    )  # fmt: skip
    return Tables(**{name: np.array(array, order="C") for name, array in tables._asdict().items()})


def _network(network: NDArray[np.int64] | None, size: int) -> NDArray[np.int32]:
    """The network of each node or gateway; all belong to network 0 where the scenario does not say."""
    return np.zeros(size, np.int32) if network is None else network.astype(np.int32)


def _lead(array: NDArray) -> tuple[int]:
    """The leading axis of a field's table: `B` for `[B, N]`, 1 for `[N]` or a number."""
    return (array.shape[0] if array.ndim == 2 else 1,)
