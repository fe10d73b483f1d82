"""A packet's start and its end."""

from __future__ import annotations

from lora_marl.core.kernel.births import next_start_s
from lora_marl.core.kernel.books import record_start, tally
from lora_marl.core.kernel.compiled import kernel
from lora_marl.core.kernel.heap import replace_first
from lora_marl.core.kernel.overlap import meet
from lora_marl.core.kernel.receive import arrive, depart


@kernel()
def _join_channel(state, b, n, channel):
    """Put a node at the head of its channel's list of packets on the air."""
    newest = state.newest[b, channel]
    node = state.nodes[b, n]
    node.newer = -1
    node.older = newest
    if newest >= 0:
        state.nodes[b, newest].newer = n
    state.newest[b, channel] = n


@kernel()
def _leave_channel(state, b, n):
    node = state.nodes[b, n]
    if node.newer >= 0:
        state.nodes[b, node.newer].older = node.older
    else:
        state.newest[b, node.point[2]] = node.older
    if node.older >= 0:
        state.nodes[b, node.older].newer = node.newer


@kernel()
def _meet_all(state, tables, b, n):
    """Let a new packet meet every packet that is on the air of the channels that it overlaps."""
    node = state.nodes[b, n]
    bw, channel = node.point[1], node.point[2]
    for r in range(tables.reach.shape[1]):
        other = tables.reach[channel, r]
        if other < 0:
            break
        q = state.newest[b, other]
        while q >= 0:
            old = state.nodes[b, q]
            if tables.overlaps[channel, bw, other, old.point[1]] and old.end_s > node.start_s:
                meet(state, tables, b, n, q)
            q = old.older


@kernel()
def start(state, tables, points, b, n, now_s):
    """The earliest event is that node `n` starts a packet with the parameters in force."""
    node = state.nodes[b, n]
    for f in range(4):
        node.point[f] = points[b, n, f]
    sf, bw, channel, tp = node.point[0], node.point[1], node.point[2], node.point[3]
    payload = tables.payload[b % tables.payload.shape[0], n]
    airtime_s = tables.airtime_s[payload, sf, bw]
    node.payload_bits = tables.payload_bits[payload]
    node.start_s = now_s
    node.end_s = now_s + airtime_s
    node.critical_s = now_s + tables.spared_s[sf, bw]
    node.on_air = True
    node.lost = arrive(state, tables, b, n, sf, bw, tables.tp_dbm[tp] - tables.channel_loss_db[channel])
    _meet_all(state, tables, b, n)
    _join_channel(state, b, n, channel)
    state.replicas[b].on_air += 1
    if tables.rule[0].record:
        record_start(state, b, n)
    replace_first(state.events[b], node.end_s, ~n)


@kernel()
def end(state, tables, b, n):
    """The earliest event is that node `n`'s packet ends: its fate is known, and its next packet is born."""
    node = state.nodes[b, n]
    depart(state, tables, b, n)
    _leave_channel(state, b, n)
    tally(state, tables, b, n)
    if tables.rule[0].record:
        state.packets[b, node.slot].fate = node.last_fate
    replica = state.replicas[b]
    replica.on_air -= 1
    node.on_air = False
    node.packet += 1
    node.free_s = node.end_s + tables.rule[0].off_per_airtime * (node.end_s - node.start_s)
    replace_first(state.events[b], next_start_s(state, tables, b, n, node.end_s), n)
