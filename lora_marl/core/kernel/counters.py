"""Counters per node and factor value, the record of single packets, and how both are handed out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.features import RARE
from lora_marl.core.kernel.state import (
    AIRTIME_S,
    ANSWERED,
    ANSWERS_RECEIVED,
    DELIVERED_BITS,
    DROPPED,
    ENERGY_MJ,
    HEARD,
    QUEUE,
    REFUSED,
    State,
)
from lora_marl.core.outcome import DOWNLINK_KIND, UPLINK_KIND
from lora_marl.core.reception import FATES, Fate

DELIVERED = int(Fate.DELIVERED)


@compiled()
def count_packet(state, tables, b, n):
    """Add the packet that ended to the counters of its node, and of the values of its factors."""
    rule = tables.rule[0]
    node = state.nodes[b, n]
    airtime_s = node.end_s - node.start_s
    delivered = node.last_fate == DELIVERED
    state.counts[b, n, node.last_fate] += 1
    sums = state.sums[b, n]
    sums[AIRTIME_S] += airtime_s
    sums[ENERGY_MJ] += airtime_s * tables.tp_mw[node.point[3]] + rule.receive_mj
    if RARE and rule.rx_mw > 0.0:
        sums[ENERGY_MJ] += tables.windows_mj[node.point[0], node.point[1]]
    if delivered:
        sums[DELIVERED_BITS] += node.payload_bits
    if rule.count_arms:
        sizes = (tables.airtime_s.shape[1], tables.airtime_s.shape[2], tables.channel_loss_db.shape[0])
        offset = 0
        for f in range(4):
            state.arms[b, n, offset + node.point[f], 0] += 1
            state.arms[b, n, offset + node.point[f], 1] += delivered
            offset += sizes[f] if f < 3 else 0


@compiled()
def record_start(state, b, n):
    """Record the packet that node `n` starts; its fate follows at its end."""
    replica, node = state.replicas[b], state.nodes[b, n]
    node.record = replica.recorded
    replica.recorded += 1
    packet = state.packets[b, node.record]
    packet.source = n
    packet.gateway = -1
    packet.kind = UPLINK_KIND
    packet.fate = -1
    packet.index = node.packet
    packet.start_s = node.start_s
    packet.end_s = node.end_s
    packet.critical_s = node.critical_s
    for f in range(4):
        packet.point[f] = node.point[f]
    for g in range(state.links.shape[2]):
        state.receptions[b, node.record, g].rssi_dbm = state.links[b, n, g].rssi_dbm
        state.receptions[b, node.record, g].fate = -1


@compiled()
def record_downlink(state, b, g):
    """Record the downlink that gateway `g` starts; its fate follows at its end."""
    replica, down = state.replicas[b], state.downlinks[b, g]
    down.record = replica.recorded
    replica.recorded += 1
    packet = state.packets[b, down.record]
    packet.source = down.node
    packet.gateway = g
    packet.kind = DOWNLINK_KIND
    packet.fate = -1
    packet.index = state.nodes[b, down.node].packet - 1
    packet.start_s = down.start_s
    packet.end_s = down.end_s
    packet.critical_s = down.critical_s
    packet.point[0] = down.sf
    packet.point[1] = down.bw
    packet.point[2] = down.channel
    packet.point[3] = 0
    for h in range(state.links.shape[2]):
        state.receptions[b, down.record, h].rssi_dbm = state.down_links[b, g].rssi_dbm
        state.receptions[b, down.record, h].fate = -1


@compiled()
def record_link(state, b, n, g, fate):
    """Record what gateway `g` received of the packet of node `n`, and made of it."""
    link = state.links[b, n, g]
    reception = state.receptions[b, state.nodes[b, n].record, g]
    reception.overlap_mw = link.overlap_mw
    reception.fate = fate


def take_heard(state: State) -> tuple[NDArray[np.void], NDArray[np.int8]]:
    """HEARD rows of all replicas since they were last taken, by replica and time; and NbTrans of their nodes. `[H]`"""
    counts = state.replicas["heard"]
    if len(counts) == 1:
        rows, nb_trans = state.heard[0, : counts[0]].copy(), np.ones(counts[0], np.int8)
        if state.heard_nb_trans.size:
            nb_trans[:] = state.heard_nb_trans[0, : counts[0]]
        counts[:] = 0
        return rows, nb_trans
    rows = np.empty(int(counts.sum()), HEARD)  # np.concatenate would compare the fields' types anew for every replica
    nb_trans = np.ones(len(rows), np.int8)
    ends = np.cumsum(counts)
    for b, (end, count) in enumerate(zip(ends, counts, strict=True)):
        rows[end - count : end] = state.heard[b, :count]
        if state.heard_nb_trans.size:
            nb_trans[end - count : end] = state.heard_nb_trans[b, :count]
    counts[:] = 0
    return rows, nb_trans


def take_counters(state: State, sleep_mw: float) -> dict[str, NDArray]:
    """The counters since they were last taken, by the names of `Outcome`; they begin again at 0.

    Nodes draw `sleep_mw` all the time, and the counted energies on top of it.
    """
    replicas = state.replicas
    counts, sums, arms = (np.moveaxis(array, -1, 0).copy() for array in (state.counts, state.sums, state.arms))
    counters = {fate.name.lower(): counts[fate] for fate in FATES} | {
        "duration_s": replicas["now_s"] - replicas["taken_s"],
        "dropped": counts[DROPPED],
        "downlinks": counts[ANSWERED],
        "downlinks_received": counts[ANSWERS_RECEIVED],
        "downlinks_refused": counts[REFUSED],
        "downlink_airtime_s": state.gateway_airtime_s.copy(),
        "foreign_busy_s": state.foreign_busy_s.copy(),
        "external_busy_s": _take_busy_s(state),
        "airtime_s": sums[AIRTIME_S],
        "energy_mj": sums[ENERGY_MJ] + sleep_mw * (replicas["now_s"] - replicas["taken_s"])[:, None],
        "delivered_bits": sums[DELIVERED_BITS],
        "arm_sent": arms[0],
        "arm_delivered": arms[1],
    }
    counters |= _take_frames(state.queues if state.queues.size else np.zeros(state.nodes.shape, QUEUE))
    if state.frames.size:
        for name in ("delivered", "lost"):
            counters[f"frames_{name}"] = state.frames[name].copy()
            state.frames[name] = 0
    for counter in (state.counts, state.sums, state.arms, state.gateway_airtime_s, state.foreign_busy_s):
        counter.fill(0)
    replicas["taken_s"] = replicas["now_s"]
    return counters


def _take_busy_s(state: State) -> NDArray[np.float64]:
    """Time with a burst since outcomes were last taken, those on the air included. `[B, C]` s"""
    bursts, replicas = state.bursts, state.replicas
    if not bursts.size:
        return np.zeros(state.newest.shape)
    now_s, taken_s = replicas["now_s"][:, None], replicas["taken_s"][:, None]
    busy_s = bursts["busy_s"] + np.where(bursts["on"], now_s - np.maximum(bursts["start_s"], taken_s), 0.0)
    bursts["busy_s"] = 0.0
    return busy_s


def _take_frames(queues: NDArray[np.void]) -> dict[str, NDArray]:
    """The counters of frames, which begin again at 0; how many frames wait is no counter, and stays."""
    counters = {
        "frames_delivered": queues["delivered"].copy(),
        "frames_lost": queues["lost"].copy(),
        "delay_s": queues["delay_s"].copy(),
        "queued": queues["size"].astype(np.int64),
    }
    for name in ("delivered", "lost", "delay_s"):
        queues[name] = 0
    return counters
