"""The events of a node: a packet's start and its end, its receive windows, a downlink's end.

Each handles the earliest event of the queue and puts the node's next one in its place. All but the start return from
when on the node may send again, or infinity while it is not through with its packet.
"""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.collision import join_channel, leave_channel, overlap_packets
from lora_marl.core.kernel.counters import DELIVERED, count_packet, record_start
from lora_marl.core.kernel.downlinks import open_window, overlap_downlinks, receive_downlink
from lora_marl.core.kernel.features import DOWNLINKS, LIMITS, RARE
from lora_marl.core.kernel.feedback import answer_due, begin_frame, count_uplink, miss_answer, receive_answer
from lora_marl.core.kernel.hopping import hop_channel
from lora_marl.core.kernel.interference import add_burst
from lora_marl.core.kernel.masks import begin_with_mask, command_mask
from lora_marl.core.kernel.queue import schedule
from lora_marl.core.kernel.reception import begin_reception, end_reception
from lora_marl.core.kernel.repeats import begin_with_nb_trans, next_repeat_s, receive_repeat, repeats_frame
from lora_marl.core.kernel.state import RX1, RX2, SENDING, WAITING
from lora_marl.core.kernel.sub_bands import close_sub_band, set_rate
from lora_marl.core.kernel.trace import receive_counter, trace_counter, trace_payload
from lora_marl.core.kernel.traffic import is_new_frame, miss_frame, next_attempt_s, next_start_s, receive_frame
from lora_marl.core.random import uniform
from lora_marl.core.region import HOP


@compiled()
def draw_point(state, exchange, b, n):
    """Draw the point of node `n`'s next packet, and write it among the points."""
    drawn = uniform(state.replicas[b].distribution_key, n, state.nodes[b, n].packet)
    k = 0
    while k < exchange.cumulative.shape[2] - 1 and drawn >= exchange.cumulative[b, n, k]:
        k += 1
    for f in range(4):
        exchange.points[b, n, f] = exchange.possible_points[b, n, k, f]


@compiled()
def start_packet(state, tables, points, b, n, now_s):
    """Start node `n`'s packet with the parameters in force, on a channel of its own where they name none."""
    node, rule = state.nodes[b, n], tables.rule[0]
    commanded = DOWNLINKS and rule.server and rule.downlinks
    if commanded and node.in_force[0] < 0:
        for f in range(4):
            node.in_force[f] = points[b, n, f]
        if RARE:
            begin_with_mask(state, b, n)
    if RARE and commanded:
        begin_with_nb_trans(state, b, n)
    for f in range(4):
        node.point[f] = node.in_force[f] if commanded else points[b, n, f]
    if DOWNLINKS and rule.backoff and is_new_frame(state, tables, b, n):
        begin_frame(state, tables, points, b, n)
    if node.point[2] == HOP:
        node.point[2] = hop_channel(state, tables, b, n, now_s)
    if LIMITS and rule.channel_rates:
        set_rate(tables, node.point)
    sf, bw, channel, tp = node.point[0], node.point[1], node.point[2], node.point[3]
    payload = np.int64(tables.payload[b % tables.payload.shape[0], n])
    if RARE and rule.trace:
        payload = trace_payload(tables, n, node.generated)
    airtime_s = tables.airtime_s[payload, sf, bw]
    node.payload_bits = tables.payload_bits[payload]
    node.start_s = now_s
    node.end_s = now_s + airtime_s
    node.critical_s = now_s + tables.spared_s[sf, bw]
    node.phase = SENDING
    node.lost = begin_reception(state, tables, b, n, sf, bw, tables.tp_dbm[tp] - tables.channel_loss_db[channel])
    overlap_packets(state, tables, b, n)
    if DOWNLINKS and rule.downlinks and rule.down_interference:
        overlap_downlinks(state, tables, b, n)
    if RARE and rule.bursts and state.bursts[b, channel].on:
        add_burst(state, tables, b, channel, n)
    join_channel(state, b, n, channel)
    state.replicas[b].on_air += 1
    if RARE and rule.record:
        record_start(state, b, n)
    schedule(state, b, n, node.end_s, True)


@compiled()
def schedule_next(state, tables, b, n, now_s, free_s):
    """Schedule node `n`'s next packet, which starts at `free_s` at the earliest.

    Unless it repeats the last frame, it is generated as if the node had been free since its last packet.
    """
    node = state.nodes[b, n]
    node.phase = WAITING
    node.free_s = max(node.free_s, free_s)
    if RARE and state.counters.shape[1] > 0:
        state.counters[b, n].sent = trace_counter(tables, n, node.generated)
    if DOWNLINKS and tables.rule[0].confirmed:
        start_s = next_attempt_s(state, tables, b, n, now_s)
    elif RARE and repeats_frame(state, tables, b, n):
        start_s = next_repeat_s(state, tables, b, n)
    else:
        start_s = next_start_s(state, tables, b, n, node.end_s)
    schedule(state, b, n, start_s, False)


@compiled()
def end_packet(state, tables, points, b, n, deciding):
    """End node `n`'s packet: its fate is known; an answer follows, or its next packet."""
    node, rule = state.nodes[b, n], tables.rule[0]
    end_reception(state, tables, b, n)
    leave_channel(state, b, n)
    count_packet(state, tables, b, n)
    if RARE and rule.record:
        state.packets[b, node.record].fate = node.last_fate
    replica = state.replicas[b]
    replica.on_air -= 1
    node.packet += 1
    node.free_s = node.end_s + rule.off_per_airtime * (node.end_s - node.start_s)
    if LIMITS and rule.sub_bands:
        close_sub_band(state, tables, b, n, node.point[2], node.end_s, node.end_s - node.start_s)
    delivered = node.last_fate == DELIVERED
    node.acknowledged = delivered and not rule.downlinks
    repeated = False
    if DOWNLINKS and rule.confirmed:
        repeated = state.queues[b, n].received
        if delivered:
            receive_frame(state, tables, b, n, node.end_s)
    elif RARE and state.frames.shape[1] > 0:
        repeated = receive_repeat(state, b, n, delivered)
    elif DOWNLINKS and not delivered:
        miss_frame(node)
    if RARE and state.counters.shape[1] > 0:
        repeated = receive_counter(state, tables, b, n, delivered)
    answered = count_uplink(state, tables, points, b, n, node.end_s, deciding, repeated)
    if not DOWNLINKS:
        return node.end_s
    if answered:
        node.phase = RX1 if rule.windows & 1 else RX2
        delay_s = rule.rx1_delay_s if rule.windows & 1 else rule.rx2_delay_s
        schedule(state, b, n, node.end_s + delay_s, False)
        return np.inf
    miss_answer(state, tables, b, n, node.end_s, deciding)
    return node.end_s + rule.rx2_delay_s if rule.downlinks else node.end_s


@compiled()
def open_receive_window(state, tables, points, b, n, now_s, deciding):
    """Open a receive window of node `n`."""
    node, rule = state.nodes[b, n], tables.rule[0]
    for f in range(4):
        node.command[f] = points[b, n, f]
    if state.nb_trans.shape[1] > 0:
        state.frames[b, n].command = state.nb_trans[b, n]
    if RARE:
        command_mask(state, b, n)
    if answer_due(state, tables, points, b, n) and open_window(state, tables, b, n, now_s):
        return np.inf
    miss_answer(state, tables, b, n, now_s, deciding)
    return node.end_s + rule.rx2_delay_s


@compiled()
def end_downlink(state, tables, b, n, now_s, deciding):
    """End the downlink for node `n`."""
    if receive_downlink(state, tables, b, n):
        state.nodes[b, n].acknowledged = True
        receive_answer(state, tables, b, n, now_s, deciding)
    else:
        miss_answer(state, tables, b, n, now_s, deciding)
    return now_s
