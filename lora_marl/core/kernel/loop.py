"""The loop that handles the events of every replica in order of time, its ways to stop, and other entry points.

Python calls the functions of `EntryPoints`, which take the addresses of handles; `engine` does.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import compiled, entry_point
from lora_marl.core.kernel.arrays import at
from lora_marl.core.kernel.culling import know_all_powers, list_listeners
from lora_marl.core.kernel.events import (
    draw_point,
    end_downlink,
    end_packet,
    open_receive_window,
    schedule_next,
    start_packet,
)
from lora_marl.core.kernel.features import CULLED, DOWNLINKS, LIMITS, RARE, specialised
from lora_marl.core.kernel.feedback import mark_undecided
from lora_marl.core.kernel.interference import begin_burst, end_burst, next_burst_s
from lora_marl.core.kernel.queue import first_place
from lora_marl.core.kernel.reception import INTERFERED
from lora_marl.core.kernel.state import DROPPED, RECEIVING, SENDING, WAITING, State
from lora_marl.core.kernel.sub_bands import open_s, wait_or_drop
from lora_marl.core.kernel.tables import Tables
from lora_marl.core.kernel.traffic import admit_frames, clear_queue, drops_ahead, first_start_s
from lora_marl.core.region import HOP

DONE, DECISION_DUE, RECORD_FULL, OUTSIDE_REGION = 0, 1, 2, 3
"""Why a replica stopped: the time has come, a decision is due, arrays must grow, or a point is not in the region."""

SOURCES = (
    *sorted(Path(__file__).parent.glob("*.py")),
    *(Path(__file__).parents[1] / name for name in ("links.py", "outcome.py", "random.py", "reception.py", "units.py")),
)
"""The files that the loop is compiled from."""


class Exchange(NamedTuple):
    """What a call hands to the loop, beside state and tables, and what the loop hands back."""

    points: NDArray[np.int16]  # [B, N, 4]; written where nodes draw them or back off
    decisions: NDArray[np.void]  # DECISION [M], written: those that are due
    cumulative: NDArray[np.float64]  # [B, N, K], of the distributions that points are drawn from; or [0, 0, 0]
    possible_points: NDArray[np.int16]  # [B, N, K, 4]


@compiled()
def _write_decisions(state, decisions, b, count):
    """Move all decisions that are due in a replica behind the `count` first rows; returns how many there are now."""
    replica = state.replicas[b]
    for i in range(replica.due):
        n = state.due[b, i]
        node = state.nodes[b, n]
        node.undecided = False
        decision = decisions[count]
        decision.replica = b
        decision.node = n
        decision.fate = INTERFERED if node.due_unanswered else node.last_fate
        decision.rssi_dbm = np.nan if node.due_unanswered else node.last_rssi_dbm
        decision.time_s = node.due_s
        decision.sent = node.due_sent
        decision.delivered = node.due_delivered
        for f in range(4):
            decision.point[f] = node.last_point[f]
        count += 1
    replica.due = 0
    return count


@compiled()
def _in_region(tables, points, b, n):
    """Whether a node's point indexes the region's lists: a wrong one would read beyond the tables."""
    return (
        0 <= points[b, n, 0] < tables.airtime_s.shape[1]
        and 0 <= points[b, n, 1] < tables.airtime_s.shape[2]
        and HOP <= points[b, n, 2] < tables.channel_loss_db.shape[0]
        and 0 <= points[b, n, 3] < tables.tp_dbm.shape[0]
    )


@compiled()
def _run_replica(state, tables, exchange, b, until_s, deciding):
    """Handle the events of a replica before `until_s`, or until another reason to stop; returns the reason."""
    replica, rule, points = state.replicas[b], tables.rule[0], exchange.points
    nodes = state.nodes.shape[1]
    while True:
        n = first_place(state, b)
        time_s, source = state.events[b, n].time_s, state.events[b, n].source
        if not time_s < until_s:
            break
        if RARE and n >= nodes:
            if source < 0:
                end_burst(state, tables, b, n - nodes, time_s)
                continue
            if rule.record and replica.recorded >= state.packets.shape[1]:
                return RECORD_FULL
            begin_burst(state, tables, b, n - nodes, time_s)
            continue
        node = state.nodes[b, n]
        if source < 0:
            if DOWNLINKS and node.phase == RECEIVING:
                free_s = end_downlink(state, tables, b, n, time_s, deciding)
            else:
                if DOWNLINKS and rule.listens and replica.heard >= state.heard.shape[1]:
                    return RECORD_FULL
                free_s = end_packet(state, tables, points, b, n, deciding)
        else:
            if deciding and node.undecided:
                replica.now_s = time_s
                return DECISION_DUE
            if RARE and node.phase == WAITING and exchange.cumulative.shape[2] > 0:
                draw_point(state, exchange, b, n)
            if not _in_region(tables, points, b, n):
                return OUTSIDE_REGION
            if RARE and rule.record and replica.recorded >= state.packets.shape[1]:
                return RECORD_FULL
            if DOWNLINKS and node.phase != WAITING:
                free_s = open_receive_window(state, tables, points, b, n, time_s, deciding)
            else:
                if LIMITS and rule.sub_bands:
                    channel_open_s = open_s(state, tables, points, b, n)
                    if channel_open_s > time_s:
                        wait_or_drop(state, tables, b, n, time_s, channel_open_s)
                        continue
                start_packet(state, tables, points, b, n, time_s)
                continue
        if free_s < np.inf:
            schedule_next(state, tables, b, n, time_s, free_s)
    replica.now_s = until_s
    return DONE


@compiled()
def _clear_replica(state, b, none):
    """Clear the air and the clock of a replica."""
    replica = state.replicas[b]
    for c in range(state.newest.shape[1]):
        state.newest[b, c] = -1
    for c in range(state.bursts.shape[1]):
        burst = state.bursts[b, c]
        if burst.on:
            burst.busy_s += replica.now_s - max(burst.start_s, replica.taken_s)
            burst.on = False
            burst.index += 1
    if state.slow_from_s.shape[1] > 0:
        state.slow_from_s[b, 0] += replica.now_s
    replica.on_air = 0
    replica.recorded = 0
    replica.taken_s -= replica.now_s
    replica.now_s = 0.0
    for g in range(state.gateways.shape[1]):
        gateway = state.gateways[b, g]
        gateway.locked = 0
        gateway.on_air_dbm = 0.0
        for band in range(gateway.free_s.shape[0]):
            gateway.free_s[band] = 0.0
        state.downlinks[b, g].end_s = 0.0
    for n in range(state.nodes.shape[1]):
        for band in range(state.sub_band_free_s.shape[2]):
            state.sub_band_free_s[b, n, band] = 0.0
        node = state.nodes[b, n]
        sending, node.phase = node.phase == SENDING, WAITING
        node.round_sent, node.round_delivered, node.adr_ack_count, node.adr_ack_req = 0, 0, 0, False
        node.missed = -1
        node.free_s = 0.0
        if n < state.queues.shape[1]:
            clear_queue(state.queues[b, n])
        if n < state.frames.shape[1]:
            state.frames[b, n].sent = 0
            state.frames[b, n].received = False
        if n < state.counters.shape[1]:
            state.counters[b, n].sent = -1
            state.counters[b, n].received = -1
        if not sending:
            continue
        node.packet += 1
        node.last_fate = none
        if not node.undecided:
            mark_undecided(state, b, n)


class EntryPoints(NamedTuple):
    """The compiled functions that Python calls."""

    run: Callable[[int, int, int, float, bool, int, int], tuple[int, int, int]]
    first_starts_s: Callable[[int, int, float, NDArray[np.bool_], NDArray[np.float64]], None]
    admit_all_frames: Callable[[int, int], None]
    clear: Callable[[int, int], None]
    all_drops_ahead: Callable[[int, int, bool, NDArray[np.int64]], None]
    know_powers: Callable[[int, int, bool], None]


def _define(key: str) -> EntryPoints:
    """The entry points as Python functions; each mentions the key, which tells the compiler's disk cache them apart."""

    def run(state_address, tables_address, exchange_address, until_s, deciding, first, count):
        """Run the replicas from `first` on and write the decisions that are due behind the `count` first rows.

        Returns the number of decisions, the replica to go on with (`B`: all done), and why it stopped there:
        `RECORD_FULL`, or `OUTSIDE_REGION` for the point of the node whose event is the earliest.
        """
        state, tables, exchange = at(State, state_address), at(Tables, tables_address), at(Exchange, exchange_address)
        replicas = state.replicas.shape[0] if key else 0
        for b in range(first, replicas):
            status = _run_replica(state, tables, exchange, b, until_s, deciding)
            if status == RECORD_FULL or status == OUTSIDE_REGION:
                return count, b, status
            if status == DECISION_DUE:
                count = _write_decisions(state, exchange.decisions, b, count)
        return count, replicas, DONE

    def first_starts_s(state_address, tables_address, now_s, which, starts_s):
        """Write the first starts of the nodes and of the channels' bursts that `which [B, N + C]` names. s"""
        state, tables = at(State, state_address), at(Tables, tables_address)
        nodes = state.nodes.shape[1] if key else 0
        for b in range(which.shape[0]):
            for n in range(which.shape[1]):
                if n < nodes:
                    if which[b, n]:
                        starts_s[b, n] = first_start_s(state, tables, b, n, now_s)
                elif RARE and which[b, n]:
                    starts_s[b, n] = next_burst_s(state, tables, b, n - nodes, now_s)

    def admit_all_frames(state_address, tables_address):
        """Let all frames generated before the clocks join their queues."""
        state, tables = at(State, state_address), at(Tables, tables_address)
        for b in range(state.queues.shape[0] if key else 0):
            for n in range(state.queues.shape[1]):
                admit_frames(state, tables, b, n, state.replicas[b].now_s)

    def clear(state_address, none):
        """Clear the air and the clocks; nodes whose packet vanishes unjudged decide again, with the fate `none`."""
        state = at(State, state_address)
        for b in range(state.nodes.shape[0] if key else 0):
            _clear_replica(state, b, none)

    def all_drops_ahead(state_address, tables_address, everywhere, ahead):
        """Write the number of packets that nodes drop before their next one, but that are generated after the clocks.

        `everywhere`: also of nodes that have no drops counted.
        """
        state, tables = at(State, state_address), at(Tables, tables_address)
        for b in range(ahead.shape[0] if key else 0):
            for n in range(ahead.shape[1]):
                if everywhere or state.counts[b, n, DROPPED] > 0:
                    ahead[b, n] = drops_ahead(state, tables, b, n)

    def know_powers(state_address, tables_address, listing):
        """Compute the powers of packets on the air that are not known or, `listing`, list who hears those packets."""
        state, tables = at(State, state_address), at(Tables, tables_address)
        for b in range(state.replicas.shape[0] if key and CULLED else 0):
            if listing:
                list_listeners(state, tables, b)
            else:
                know_all_powers(state, tables, b)

    return EntryPoints(run, first_starts_s, admit_all_frames, clear, all_drops_ahead, know_powers)


_SOURCE_HASH = zlib.crc32(b"".join(source.read_bytes() for source in SOURCES))


@cache
def entry_points(features: frozenset[str]) -> EntryPoints:
    """The entry points for a set of features; each is compiled when it is called first, or read from the disk cache.

    A hash of the sources is part of the key: the disk cache alone would not notice an edited file of the kernel.
    """
    functions = _define(f"{_SOURCE_HASH:08x} {sorted(features)}")
    return EntryPoints(*(entry_point(cache=True)(specialised(function, features)) for function in functions))


def outside_region(state: State, points: NDArray[np.int16], b: int, first: int = 0) -> ValueError:
    """The error of a replica that stopped at a point outside the region; replicas are numbered from `first`."""
    n = int(state.winners[b, 1])
    return ValueError(
        f"points[{b + first}, {n}]: {points[b, n].tolist()} is outside the region's lists of sf, bw, channel and tp"
    )
