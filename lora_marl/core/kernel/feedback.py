"""Feedback: when a node's decision falls due, when an answer follows an uplink, and what a node does without one.

A round is the packets of a node since its last decision fell due. The node's side of adaptive data rate (ADR) has
LoRaWAN's names: ADR_ACK_CNT is `adr_ack_count`, the ADRACKReq bit is `adr_ack_req`.

Source: LoRaWAN L2 1.0.4, section 4.3.1.1.
"""

from __future__ import annotations

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.counters import DELIVERED
from lora_marl.core.region import HOP

ADR_ACK_LIMIT, ADR_ACK_DELAY = 64, 32
"""Uplinks without a downlink after which a node asks for one, and those after which it backs off from then on."""


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
    return not rule.server or rule.confirmed or node.adr_ack_req or differs(points[b, n], node.in_force)


@compiled()
def _report_uplink(state, b, n, now_s):
    """Write a received uplink into the rows that `take_heard` hands out."""
    replica, node = state.replicas[b], state.nodes[b, n]
    row = state.heard[b, replica.heard]
    replica.heard += 1
    row.replica = b
    row.node = n
    row.gateway = node.gateway
    row.missed = node.missed
    row.time_s = now_s
    row.since_s = now_s - node.received_s if node.missed >= 0 else float("nan")
    row.rssi_dbm = node.last_rssi_dbm
    for f in range(4):
        row.point[f] = node.last_point[f]


@compiled()
def _is_slowest(tables, point):
    """Whether a point has the highest spreading factor and power, beyond which a node cannot back off."""
    return point[0] == tables.airtime_s.shape[1] - 1 and point[3] == tables.tp_dbm.shape[0] - 1


@compiled()
def _count_unanswered(state, tables, b, n, delivered):
    """Count an uplink in ADR_ACK_CNT; the node asks for an answer when the count has reached ADR_ACK_LIMIT."""
    node = state.nodes[b, n]
    if _is_slowest(tables, node.last_point):
        node.adr_ack_req = False
        return
    node.adr_ack_count += 1
    node.adr_ack_req = delivered and node.adr_ack_count >= ADR_ACK_LIMIT


@compiled()
def miss_answer(state, tables, points, b, n, now_s, deciding):
    """Handle a missing answer: a commanded node may back off, a node that decides counts the round as lost."""
    rule, node = tables.rule[0], state.nodes[b, n]
    if rule.server:
        _back_off(state, tables, points, b, n)
    elif rule.waits and node.round_sent >= rule.patience:
        end_round(state, b, n, now_s, deciding)
        node.due_delivered = 0
        node.due_unanswered = True


@compiled()
def _back_off(state, tables, points, b, n):
    """When it is time, take the highest power and the next spreading factor; a node that hops goes on hopping.

    The server learns of it from the next uplink, so the point is written into `points`, too.
    """
    rule, node = tables.rule[0], state.nodes[b, n]
    late = node.adr_ack_count - (ADR_ACK_LIMIT + ADR_ACK_DELAY)
    if not rule.backoff or late < 0 or late % ADR_ACK_DELAY != 0 or _is_slowest(tables, node.last_point):
        return
    hops = (node.in_force[2] if rule.downlinks else points[b, n, 2]) == HOP
    for f in range(4):
        points[b, n, f] = HOP if f == 2 and hops else node.last_point[f]
    points[b, n, 0] = min(node.last_point[0] + 1, tables.airtime_s.shape[1] - 1)
    points[b, n, 3] = tables.tp_dbm.shape[0] - 1
    for f in range(4):
        node.in_force[f] = points[b, n, f]


@compiled()
def count_uplink(state, tables, points, b, n, now_s, deciding):
    """Count an uplink that has ended in its node's round; returns whether an answer follows."""
    rule, node = tables.rule[0], state.nodes[b, n]
    delivered = node.last_fate == DELIVERED
    node.round_sent += 1
    node.round_delivered += delivered
    if rule.listens:
        if delivered:
            _report_uplink(state, b, n, now_s)
            node.missed = 0
            node.received_s = now_s
        elif node.missed >= 0:
            node.missed += 1
    if rule.backoff:
        _count_unanswered(state, tables, b, n, delivered)
    if rule.server:
        if delivered and (node.round_delivered >= rule.feedback_packets or node.adr_ack_req):
            end_round(state, b, n, now_s, deciding)
            if not rule.downlinks:
                node.adr_ack_count = 0
        return rule.downlinks and delivered and (node.undecided or answer_due(state, tables, points, b, n))
    if rule.waits:
        return delivered and (rule.confirmed or node.round_sent >= rule.feedback_packets)
    if node.round_sent >= rule.feedback_packets:
        end_round(state, b, n, now_s, deciding)
    return rule.downlinks and delivered


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
    elif rule.waits and node.round_sent >= rule.feedback_packets:
        end_round(state, b, n, now_s, deciding)
