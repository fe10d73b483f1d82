"""The loop that handles the events of every replica in order of time, and its ways to stop.

Replicas are independent, so threads can share them, and any number of threads gives the same results.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.kernel import compiled, entry_point
from lora_marl.core.kernel.events import (
    PointDistributions,
    draw_point,
    end_downlink,
    end_packet,
    open_receive_window,
    schedule_next,
    start_packet,
)
from lora_marl.core.kernel.feedback import mark_undecided
from lora_marl.core.kernel.interference import begin_burst, end_burst, next_burst_s
from lora_marl.core.kernel.reception import INTERFERED
from lora_marl.core.kernel.state import DECISION, DROPPED, RECEIVING, SENDING, WAITING, State
from lora_marl.core.kernel.tables import Tables
from lora_marl.core.kernel.traffic import admit_frames, clear_queue, drops_ahead, first_start_s
from lora_marl.core.region import HOP

DONE, DECISION_DUE, RECORD_FULL, OUTSIDE_REGION = 0, 1, 2, 3
"""Why a replica stopped: the time has come, a decision is due, arrays must grow, or a point is not in the region."""

SOURCES = (
    *sorted(Path(__file__).parent.glob("*.py")),
    *(Path(__file__).parents[1] / name for name in ("outcome.py", "random.py", "reception.py", "units.py")),
)
"""The files that the loop is compiled from."""


@compiled()
def _write_decisions(state, b, decisions, count):
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
def _run_replica(state, tables, points, distributions, b, until_s, deciding):
    """Handle the events of a replica before `until_s`, or until another reason to stop; returns the reason."""
    replica, rule = state.replicas[b], tables.rule[0]
    events, nodes = state.events[b], state.nodes.shape[1]
    while events[0].time_s < until_s:
        time_s, source = events[0].time_s, events[0].source
        n = ~source if source < 0 else source
        if n >= nodes:
            if source < 0:
                end_burst(state, tables, b, n - nodes, time_s)
                continue
            if rule.record and replica.recorded >= state.packets.shape[1]:
                return RECORD_FULL
            begin_burst(state, tables, b, n - nodes, time_s)
            continue
        node = state.nodes[b, n]
        if source < 0:
            if node.phase == RECEIVING:
                free_s = end_downlink(state, tables, b, n, time_s, deciding)
            else:
                if rule.listens and replica.heard >= state.heard.shape[1]:
                    return RECORD_FULL
                free_s = end_packet(state, tables, points, b, n, deciding)
        else:
            if deciding and node.undecided:
                replica.now_s = time_s
                return DECISION_DUE
            if node.phase == WAITING and distributions.cumulative.shape[2] > 0:
                draw_point(state, distributions, points, b, n)
            if not _in_region(tables, points, b, n):
                return OUTSIDE_REGION
            if rule.record and replica.recorded >= state.packets.shape[1]:
                return RECORD_FULL
            if node.phase == WAITING:
                start_packet(state, tables, points, b, n, time_s)
                continue
            free_s = open_receive_window(state, tables, points, b, n, time_s, deciding)
        if free_s < np.inf:
            schedule_next(state, tables, b, n, time_s, free_s)
    replica.now_s = until_s
    return DONE


def _compile_run(source_hash: int) -> Callable:
    """Compile the loop; the hash, a closure variable, makes the compiler's disk cache notice an edited kernel file."""

    @entry_point(cache=True)
    def run(state, tables, points, distributions, until_s, deciding, decisions, first, count):
        """Run the replicas from `first` on and write the decisions that are due behind the `count` first rows.

        Returns the number of decisions, the replica to go on with (`B`: all done), and why it stopped there:
        `RECORD_FULL`, or `OUTSIDE_REGION` for the point of the node whose event is the earliest.
        """
        replicas = state.replicas.shape[0] if source_hash >= 0 else 0
        for b in range(first, replicas):
            status = _run_replica(state, tables, points, distributions, b, until_s, deciding)
            if status == RECORD_FULL or status == OUTSIDE_REGION:
                return count, b, status
            if status == DECISION_DUE:
                count = _write_decisions(state, b, decisions, count)
        return count, replicas, DONE

    return run


def _compile_first_starts(source_hash: int) -> Callable:
    """Compile the function that draws the first packets and bursts; the hash is that of `_compile_run`."""

    @njit(cache=True)
    def first_starts_s(state, tables, now_s, which):
        """First starts of the nodes, and of the channels' bursts, `which [B, N + C]`; infinite for the others. s"""
        starts_s, nodes = np.full(which.shape, np.inf if source_hash >= 0 else 0.0), state.nodes.shape[1]
        for b in range(which.shape[0]):
            for n in range(which.shape[1]):
                if which[b, n] and n >= nodes:
                    starts_s[b, n] = next_burst_s(state, tables, b, n - nodes, now_s)
                elif which[b, n]:
                    starts_s[b, n] = first_start_s(state, tables, b, n, now_s)
        return starts_s

    return first_starts_s


def _compile_admit_all_frames(source_hash: int) -> Callable:
    """Compile the function that admits waiting frames; the hash is that of `_compile_run`."""

    @njit(cache=True)
    def admit_all_frames(state, tables):
        """Let all frames generated before the clocks join their queues."""
        for b in range(state.queues.shape[0] if source_hash >= 0 else 0):
            for n in range(state.queues.shape[1]):
                admit_frames(state, tables, b, n, state.replicas[b].now_s)

    return admit_all_frames


def _compile_all_drops_ahead(source_hash: int) -> Callable:
    """Compile the function that finds drops counted ahead of time; the hash is that of `_compile_run`."""

    @njit(cache=True)
    def all_drops_ahead(state, tables):
        """Packets that nodes drop and that are counted, but generated only after the clocks. `[B, N]`"""
        ahead = np.zeros(state.nodes.shape if source_hash >= 0 else (0, 0), np.int64)
        for b in range(ahead.shape[0]):
            for n in range(ahead.shape[1]):
                counted = state.counts[b, n, DROPPED]
                if counted > 0:
                    ahead[b, n] = min(drops_ahead(state, tables, b, n), counted)
        return ahead

    return all_drops_ahead


_SOURCE_HASH = zlib.crc32(b"".join(source.read_bytes() for source in SOURCES))

run = _compile_run(_SOURCE_HASH)
first_starts_s = _compile_first_starts(_SOURCE_HASH)
admit_all_frames = _compile_admit_all_frames(_SOURCE_HASH)
all_drops_ahead = _compile_all_drops_ahead(_SOURCE_HASH)


@njit(cache=True)
def clear(state, none):
    """Clear the air and the clocks; nodes whose packet vanishes unjudged decide again, with the fate `none`."""
    state.newest[:] = -1
    state.downlinks["end_s"][:] = 0.0
    state.gateways["free_s"][:] = 0.0
    for b in range(state.nodes.shape[0]):
        replica = state.replicas[b]
        for c in range(state.bursts.shape[1]):
            burst = state.bursts[b, c]
            if burst.on:
                burst.busy_s += replica.now_s - max(burst.start_s, replica.taken_s)
                burst.on = False
                burst.index += 1
        replica.on_air = 0
        replica.recorded = 0
        replica.taken_s -= replica.now_s
        replica.now_s = 0.0
        for g in range(state.gateways.shape[1]):
            state.gateways[b, g].locked = 0
            state.gateways[b, g].on_air_dbm = 0.0
        for n in range(state.nodes.shape[1]):
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
            if not sending:
                continue
            node.packet += 1
            node.last_fate = none
            if not node.undecided:
                mark_undecided(state, b, n)


def run_in_threads(
    state: State,
    tables: Tables,
    points: NDArray[np.int16],
    distributions: PointDistributions,
    until_s: float,
    threads: int,
) -> None:
    """Run every replica of a state that records nothing to a time, without decisions.

    Raises:
        ValueError: a packet's point outside the region.
    """
    edges = np.linspace(0, len(state.nodes), threads + 1).astype(int)
    no_decisions = np.empty(0, DECISION)

    def run_part(first: int, last: int) -> None:
        part = slice(first, last)
        part_state, part_tables = state.replicas_in(part), tables.replicas_from(first)
        _, stopped, status = run(
            part_state, part_tables, points[part], distributions.replicas_in(part), until_s, False, no_decisions, 0, 0
        )
        if status == OUTSIDE_REGION:
            raise outside_region(part_state, points[part], stopped, first)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run_part, edges[:-1], edges[1:]))  # raises what a part raised


def outside_region(state: State, points: NDArray[np.int16], b: int, first: int = 0) -> ValueError:
    """The error of a replica that stopped at a point outside the region; replicas are numbered from `first`."""
    n = state.events["source"][b, 0]
    return ValueError(
        f"points[{b + first}, {n}]: {points[b, n].tolist()} is outside the region's lists of sf, bw, channel and tp"
    )
