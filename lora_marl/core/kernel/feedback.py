"""Feedback: when a node's decision falls due, when an answer follows an uplink, and what a node does without one.

A round is the packets of a node since its last decision fell due. The node's side of adaptive data rate (ADR) has
LoRaWAN's names: ADR_ACK_CNT is `adr_ack_count`, the ADRACKReq bit is `adr_ack_req`.

| ADR_ACK_CNT | what the node does without a downlink |
|---|---|
| 0 to 63 | nothing |
| 64 to 95 | asks for one by ADRACKReq, and goes on asking |
| 96 to 127 | sends at the default power, the region's highest; its data rate stays |
| 128 to 159, 160 to 191, ... | lowers its data rate by one each time; at the slowest, it hops over all channels |

Source: LoRaWAN L2 1.0.4, section 4.3.1.1 and its Table 9.
"""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.counters import DELIVERED
from lora_marl.core.kernel.features import DOWNLINKS, RARE
from lora_marl.core.kernel.masks import enable_defaults, mask_differs, obey_mask
from lora_marl.core.kernel.repeats import nb_trans_differs, reset_nb_trans, transmissions
from lora_marl.core.kernel.sub_bands import takes_rate
from lora_marl.core.kernel.traffic import is_new_frame
from lora_marl.core.outcome import REPEATED
from lora_marl.core.region import HOP

ADR_ACK_LIMIT, ADR_ACK_DELAY = 64, 32
"""Frames without a downlink after which a node asks for one, and those after which it backs off from then on."""


@compiled()
def mark_undecided(state, b, n):
    """Put a node among those whose decision is due."""
    replica = state.replicas[b]
    state.due[b, replica.due] = n
    replica.due += 1
    state.nodes[b, n].undecided = True


@compiled()
def end_round(state, b, n, now_s, deciding):
    """End a node's round: its packets are those of the decision that falls due, and the next round begins."""
    node = state.nodes[b, n]
    node.due_s = now_s
    node.due_sent = node.round_sent
    node.due_delivered = node.round_delivered
    node.due_unanswered = False
    node.round_sent = 0
    node.round_delivered = 0
    if deciding and not node.undecided:
        mark_undecided(state, b, n)


@compiled()
def differs(one, other):
    """Whether two operating points differ."""
    return one[0] != other[0] or one[1] != other[1] or one[2] != other[2] or one[3] != other[3]


@compiled()
def answer_due(state, tables, points, b, n):
    """Whether a downlink is due to a node whose receive window opens."""
    node = state.nodes[b, n]
    rule = tables.rule[0]
    changed = differs(points[b, n], node.in_force) or nb_trans_differs(state, b, n)
    changed = changed or (RARE and mask_differs(state, b, n))
    return not rule.server or rule.confirmed or node.adr_ack_req or changed


@compiled()
def _report_uplink(state, rule, b, n, now_s, repeated):
    """Write a received uplink into the rows that `take_heard` hands out; `repeated`: so was its frame before."""
    replica, node = state.replicas[b], state.nodes[b, n]
    row = state.heard[b, replica.heard]
    if RARE and state.heard_nb_trans.shape[1] > 0:
        state.heard_nb_trans[b, replica.heard] = transmissions(state, rule, b, n)
    replica.heard += 1
    row.replica = b
    row.node = n
    row.gateway = node.gateway
    row.missed = REPEATED if repeated else node.missed
    row.time_s = now_s
    row.since_s = now_s - node.received_s if node.missed >= 0 else float("nan")
    row.rssi_dbm = node.last_rssi_dbm
    for f in range(4):
        row.point[f] = node.last_point[f]
    if not repeated:
        node.missed = 0
        node.received_s = now_s


@compiled()
def _is_rate(tables, sf, bw):
    """Whether a pair of spreading factor and bandwidth is a data rate of the region: some channel takes it."""
    for channel in range(tables.channel_loss_db.shape[0]):
        if takes_rate(tables, channel, sf, bw):
            return True
    return False


@compiled()
def _slower_rate(tables, b, n, sf, bw):
    """The next slower data rate of no wider bandwidth, by airtime; the same one where there is none. Two indices"""
    payload = tables.payload[b % tables.payload.shape[0], n]
    slower_sf, slower_bw, slower_s = sf, bw, np.inf
    for other_sf in range(tables.airtime_s.shape[1]):
        for other_bw in range(bw + 1):
            airtime_s = tables.airtime_s[payload, other_sf, other_bw]
            if tables.airtime_s[payload, sf, bw] < airtime_s < slower_s and _is_rate(tables, other_sf, other_bw):
                slower_sf, slower_bw, slower_s = other_sf, other_bw, airtime_s
    return slower_sf, slower_bw


@compiled()
def _is_default(tables, b, n, point):
    """Whether a point has the default data rate and power, the slowest and the highest: a node cannot back off."""
    slower_sf, slower_bw = _slower_rate(tables, b, n, point[0], point[1])
    return point[3] == tables.tp_dbm.shape[0] - 1 and slower_sf == point[0] and slower_bw == point[1]


@compiled()
def _lower_rate(state, tables, b, n, point):
    """Make a point's data rate the next slower one; below the slowest, hop, over default channels too, NbTrans 1."""
    slower_sf, slower_bw = _slower_rate(tables, b, n, point[0], point[1])
    if slower_sf == point[0] and slower_bw == point[1]:
        point[2] = HOP if tables.channel_loss_db.shape[0] > 1 else point[2]
        reset_nb_trans(state, b, n)
        if RARE:
            enable_defaults(state, tables, b, n)
    point[0], point[1] = slower_sf, slower_bw


@compiled()
def begin_frame(state, tables, points, b, n):
    """Count a node's new frame in ADR_ACK_CNT, set its ADRACKReq bit, and take the back-off's step that is due with it.

    ADR_ACK_CNT is the number of frames since the last downlink, this one not included. Repeats have their frame's
    counter, so nobody calls this for them. With the default data rate and power there is nothing to validate: a node
    that has not come there by backing off does not count.
    """
    node = state.nodes[b, n]
    late = node.adr_ack_count - (ADR_ACK_LIMIT + ADR_ACK_DELAY)
    if late >= 0 and late % ADR_ACK_DELAY == 0:
        node.point[3] = tables.tp_dbm.shape[0] - 1
        if late > 0:
            _lower_rate(state, tables, b, n, node.point)
        for f in range(4):
            node.in_force[f] = node.point[f]
            points[b, n, f] = node.point[f]  # the server learns of it from this uplink
    node.adr_ack_req = node.adr_ack_count >= ADR_ACK_LIMIT
    if node.adr_ack_req or not _is_default(tables, b, n, node.point):
        node.adr_ack_count += 1


@compiled()
def miss_answer(state, tables, b, n, now_s, deciding):
    """Handle a missing answer: a node that decides counts the round as lost when its patience is at an end."""
    rule, node = tables.rule[0], state.nodes[b, n]
    if rule.waits and node.round_sent >= rule.patience:
        end_round(state, b, n, now_s, deciding)
        node.due_delivered = 0
        node.due_unanswered = True


@compiled()
def count_uplink(state, tables, points, b, n, now_s, deciding, repeated):
    """Count an uplink that has ended in its node's round; returns whether an answer follows.

    Nodes count packets, servers frames: a server cannot tell how many packets it has not received, nor does a packet
    whose frame it has received before (`repeated`) tell it anything new.
    """
    rule, node = tables.rule[0], state.nodes[b, n]
    delivered = node.last_fate == DELIVERED
    node.round_sent += not (DOWNLINKS and rule.server) or is_new_frame(state, tables, b, n)
    node.round_delivered += delivered and not (DOWNLINKS and rule.server and repeated)
    if DOWNLINKS and rule.listens and delivered:
        _report_uplink(state, rule, b, n, now_s, repeated)
    if DOWNLINKS and rule.server:
        if delivered and (node.round_delivered >= rule.feedback_packets or node.adr_ack_req):
            end_round(state, b, n, now_s, deciding)
            if not rule.downlinks:
                node.adr_ack_count = 0
        return rule.downlinks and delivered and (node.undecided or answer_due(state, tables, points, b, n))
    if DOWNLINKS and rule.waits:
        return delivered and (rule.confirmed or node.round_sent >= rule.feedback_packets)
    if node.round_sent >= rule.feedback_packets:
        end_round(state, b, n, now_s, deciding)
    return DOWNLINKS and rule.downlinks and delivered


@compiled()
def receive_answer(state, tables, b, n, now_s, deciding):
    """The node has received a downlink: a command is in force from now on, feedback lets it decide."""
    rule, node = tables.rule[0], state.nodes[b, n]
    node.adr_ack_count = 0
    if rule.server:
        if differs(node.command, node.in_force):  # a round is of packets sent with one point
            node.round_sent, node.round_delivered = 0, 0
        for f in range(4):
            node.in_force[f] = node.command[f]
        if state.nb_trans.shape[1] > 0:
            state.frames[b, n].in_force = state.frames[b, n].command
        if RARE:
            obey_mask(state, b, n)
    elif rule.waits and node.round_sent >= rule.feedback_packets:
        end_round(state, b, n, now_s, deciding)
