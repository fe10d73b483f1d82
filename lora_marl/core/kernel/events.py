"""What a node does: a packet's start and its end, its receive windows, a downlink's end.

All but the start tell from when on the node may send again; infinite: it is not through with its packet yet.

Operating points that nodes draw for every packet.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.counters import DELIVERED, record_start, tally
from lora_marl.core.kernel.downlinks import meet_downlinks, open_window, received
from lora_marl.core.kernel.feedback import bear_silence, end_packet, take_answer, to_answer
from lora_marl.core.kernel.interference import strike
from lora_marl.core.kernel.overlap import meet
from lora_marl.core.kernel.queue import replace_first
from lora_marl.core.kernel.reception import arrive, depart
from lora_marl.core.kernel.state import RX1, RX2, SENDING, WAITING
from lora_marl.core.kernel.traffic import next_attempt_s, next_start_s, receive_frame
from lora_marl.core.random import uniform


class Choices(NamedTuple):
    """What nodes draw from; `K` is 0 where they do not."""

    cumulative: NDArray[np.float64]  # [B, N, K]
    points: NDArray[np.int16]  # [B, N, K, 4]

    def replicas_in(self, part: slice) -> Choices:
        """A view of some replicas."""
        return Choices(self.cumulative[part], self.points[part])


NO_CHOICES = Choices(np.zeros((0, 0, 0)), np.zeros((0, 0, 0, 4), np.int16))


@compiled()
def choose(state, choices, points, b, n):
    """Write the point that node `n`'s next packet draws into `points`."""
    drawn = uniform(state.replicas[b].choice_key, n, state.nodes[b, n].packet)
    k = 0
    while k < choices.cumulative.shape[2] - 1 and drawn >= choices.cumulative[b, n, k]:
        k += 1
    for f in range(4):
        points[b, n, f] = choices.points[b, n, k, f]


@compiled()
def _join_channel(state, b, n, channel):
    """Put a node at the head of its channel's list of packets on the air."""
    newest = state.newest[b, channel]
    node = state.nodes[b, n]
    node.newer = -1
    node.older = newest
    if newest >= 0:
        state.nodes[b, newest].newer = n
    state.newest[b, channel] = n


@compiled()
def _leave_channel(state, b, n):
    node = state.nodes[b, n]
    if node.newer >= 0:
        state.nodes[b, node.newer].older = node.older
    else:
        state.newest[b, node.point[2]] = node.older
    if node.older >= 0:
        state.nodes[b, node.older].newer = node.newer


@compiled()
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


@compiled()
def start(state, tables, points, b, n, now_s):
    """The earliest event is that node `n` starts a packet with the parameters in force."""
    node, rule = state.nodes[b, n], tables.rule[0]
    commanded = rule.server and rule.downlinks
    for f in range(4):
        if commanded and node.in_force[f] < 0:
            node.in_force[f] = points[b, n, f]
        node.point[f] = node.in_force[f] if commanded else points[b, n, f]
    sf, bw, channel, tp = node.point[0], node.point[1], node.point[2], node.point[3]
    payload = tables.payload[b % tables.payload.shape[0], n]
    airtime_s = tables.airtime_s[payload, sf, bw]
    node.payload_bits = tables.payload_bits[payload]
    node.start_s = now_s
    node.end_s = now_s + airtime_s
    node.critical_s = now_s + tables.spared_s[sf, bw]
    node.phase = SENDING
    node.lost = arrive(state, tables, b, n, sf, bw, tables.tp_dbm[tp] - tables.channel_loss_db[channel])
    _meet_all(state, tables, b, n)
    if rule.downlinks and rule.down_interference:
        meet_downlinks(state, tables, b, n)
    if rule.bursts and state.bursts[b, channel].on:
        strike(state, tables, b, channel, n)
    _join_channel(state, b, n, channel)
    state.replicas[b].on_air += 1
    if rule.record:
        record_start(state, b, n)
    replace_first(state.events[b], node.end_s, ~n)


@compiled()
def wait(state, tables, b, n, now_s, free_s):
    """Node `n` sends nothing before `free_s`; its next packet is born as if it had been free since its last."""
    node = state.nodes[b, n]
    node.phase = WAITING
    node.free_s = max(node.free_s, free_s)
    if tables.rule[0].confirmed:
        start_s = next_attempt_s(state, tables, b, n, now_s)
    else:
        start_s = next_start_s(state, tables, b, n, node.end_s)
    replace_first(state.events[b], start_s, n)


@compiled()
def end(state, tables, points, b, n, deciding):
    """The earliest event is that node `n`'s packet ends: its fate is known; an answer follows, or its next packet."""
    node, rule = state.nodes[b, n], tables.rule[0]
    depart(state, tables, b, n)
    _leave_channel(state, b, n)
    tally(state, tables, b, n)
    if rule.record:
        state.packets[b, node.slot].fate = node.last_fate
    replica = state.replicas[b]
    replica.on_air -= 1
    node.packet += 1
    node.free_s = node.end_s + rule.off_per_airtime * (node.end_s - node.start_s)
    delivered = node.last_fate == DELIVERED
    node.answered = delivered and not rule.downlinks
    if rule.confirmed and delivered:
        receive_frame(state, tables, b, n, node.end_s)
    if end_packet(state, tables, points, b, n, node.end_s, deciding):
        node.phase = RX1 if rule.windows & 1 else RX2
        delay_s = rule.rx1_delay_s if rule.windows & 1 else rule.rx2_delay_s
        replace_first(state.events[b], node.end_s + delay_s, n)
        return np.inf
    bear_silence(state, tables, points, b, n, node.end_s, deciding)
    return node.end_s + rule.rx2_delay_s if rule.downlinks else node.end_s


@compiled()
def listen(state, tables, points, b, n, now_s, deciding):
    """The earliest event is that a receive window of node `n` opens."""
    node, rule = state.nodes[b, n], tables.rule[0]
    for f in range(4):
        node.command[f] = points[b, n, f]
    if to_answer(state, tables, points, b, n) and open_window(state, tables, b, n, now_s):
        return np.inf
    bear_silence(state, tables, points, b, n, now_s, deciding)
    return node.end_s + rule.rx2_delay_s


@compiled()
def hear_out(state, tables, points, b, n, now_s, deciding):
    """The earliest event is that the downlink for node `n` ends."""
    if received(state, tables, b, n):
        state.nodes[b, n].answered = True
        take_answer(state, tables, b, n, now_s, deciding)
    else:
        bear_silence(state, tables, points, b, n, now_s, deciding)
    return now_s
