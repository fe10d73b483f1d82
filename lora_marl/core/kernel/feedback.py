"""Rounds: when a decision falls due, when an answer follows an uplink, and what a node does that hears none."""

from __future__ import annotations

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.counters import DELIVERED

ASKS_AFTER, BACKS_OFF_AFTER, BACKS_OFF_EVERY = 64, 96, 32
"""LoRaWAN's ADR_ACK_LIMIT, that and ADR_ACK_DELAY, and ADR_ACK_DELAY. Packets"""


@compiled()
def mark_due(state, b, n):
    """The node's last fate waits for an answer."""
    replica = state.replicas[b]
    state.due[b, replica.due] = n
    replica.due += 1
    state.nodes[b, n].undecided = True


@compiled()
def fall_due(state, b, n, now_s, deciding):
    """A round is over: its packets are those of the decision, and the next one begins."""
    node = state.nodes[b, n]
    node.due_s = now_s
    node.due_sent = node.sent
    node.due_delivered = node.delivered
    node.due_silent = False
    node.sent = 0
    node.delivered = 0
    if deciding and not node.undecided:
        mark_due(state, b, n)


@compiled()
def differs(one, other):
    """Whether two operating points differ."""
    return one[0] != other[0] or one[1] != other[1] or one[2] != other[2] or one[3] != other[3]


@compiled()
def to_answer(state, tables, points, b, n):
    """Whether a downlink is due to a node that listens."""
    node = state.nodes[b, n]
    rule = tables.rule[0]
    return not rule.server or rule.confirmed or node.asks or differs(points[b, n], node.in_force)


@compiled()
def _hear(state, b, n, now_s):
    """Keep a packet received for whoever listens."""
    replica, node = state.replicas[b], state.nodes[b, n]
    heard = state.heard[b, replica.heard]
    replica.heard += 1
    heard.replica = b
    heard.node = n
    heard.gateway = node.gateway
    heard.missed = node.missed
    heard.time_s = now_s
    heard.since_s = now_s - node.heard_s if node.missed >= 0 else float("nan")
    heard.rssi_dbm = node.last_rssi_dbm
    for f in range(4):
        heard.point[f] = node.last_point[f]


@compiled()
def _slowest(tables, point):
    """Whether a node that backs off has nowhere left to go."""
    return point[0] == tables.airtime_s.shape[1] - 1 and point[3] == tables.tp_dbm.shape[0] - 1


@compiled()
def _count_silence(state, tables, b, n, delivered):
    """The node's side of adaptive data rate: it asks for an answer when it has heard none for long."""
    node = state.nodes[b, n]
    if _slowest(tables, node.last_point):
        node.asks = False
        return
    node.unanswered += 1
    node.asks = delivered and node.unanswered >= ASKS_AFTER


@compiled()
def bear_silence(state, tables, points, b, n, now_s, deciding):
    """No answer follows the last uplink: a node that decides may lose patience, one that is commanded back off."""
    rule, node = tables.rule[0], state.nodes[b, n]
    if rule.server:
        _back_off(state, tables, points, b, n)
    elif rule.waits and node.sent >= rule.patience:
        fall_due(state, b, n, now_s, deciding)
        node.due_delivered = 0
        node.due_silent = True


@compiled()
def _back_off(state, tables, points, b, n):
    """When it is time, take the highest power and the next spreading factor.

    The server learns of it from the next uplink, so the point is written into `points`, too.
    """
    rule, node = tables.rule[0], state.nodes[b, n]
    late = node.unanswered - BACKS_OFF_AFTER
    if not rule.backoff or late < 0 or late % BACKS_OFF_EVERY != 0 or _slowest(tables, node.last_point):
        return
    for f in range(4):
        points[b, n, f] = node.last_point[f]
    points[b, n, 0] = min(node.last_point[0] + 1, tables.airtime_s.shape[1] - 1)
    points[b, n, 3] = tables.tp_dbm.shape[0] - 1
    for f in range(4):
        node.in_force[f] = points[b, n, f]


@compiled()
def end_packet(state, tables, points, b, n, now_s, deciding):
    """An uplink has ended: book it in its node's round. Whether an answer follows."""
    rule, node = tables.rule[0], state.nodes[b, n]
    delivered = node.last_fate == DELIVERED
    node.sent += 1
    node.delivered += delivered
    if rule.listens:
        if delivered:
            _hear(state, b, n, now_s)
            node.missed = 0
            node.heard_s = now_s
        elif node.missed >= 0:
            node.missed += 1
    if rule.backoff:
        _count_silence(state, tables, b, n, delivered)
    if rule.server:
        if delivered and (node.delivered >= rule.feedback_packets or node.asks):
            fall_due(state, b, n, now_s, deciding)
            if not rule.downlinks:
                node.unanswered = 0
        return rule.downlinks and delivered and (node.undecided or to_answer(state, tables, points, b, n))
    if rule.waits:
        return delivered and (rule.confirmed or node.sent >= rule.feedback_packets)
    if node.sent >= rule.feedback_packets:
        fall_due(state, b, n, now_s, deciding)
    return rule.downlinks and delivered


@compiled()
def take_answer(state, tables, b, n, now_s, deciding):
    """The node has received a downlink: a command is in force from now on, feedback lets it decide."""
    rule, node = tables.rule[0], state.nodes[b, n]
    node.unanswered = 0
    if rule.server:
        if differs(node.command, node.in_force):  # a round is of packets sent with one point
            node.sent, node.delivered = 0, 0
        for f in range(4):
            node.in_force[f] = node.command[f]
    elif rule.waits and node.sent >= rule.feedback_packets:
        fall_due(state, b, n, now_s, deciding)
