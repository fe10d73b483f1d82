"""Repeats of unconfirmed frames (NbTrans): how often a node sends a frame, and which frames are delivered.

Source: LoRaWAN L2 1.0.4, sections 4.3.1.3 (a frame is sent NbTrans times, hopping, unless a downlink is received in
between; the node waits until its receive windows are over) and 5.2 (the server sets NbTrans, 1 to 15).
"""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.traffic import miss_frame
from lora_marl.core.random import uniform


@compiled()
def begin_with_nb_trans(state, b, n):
    """Let the NbTrans that the server has set for node `n` be in force without a command, as its first point is."""
    if state.nb_trans.shape[1] > 0 and state.frames[b, n].in_force == 0:
        state.frames[b, n].in_force = state.nb_trans[b, n]


@compiled()
def nb_trans_differs(state, b, n):
    """Whether the NbTrans that the server wants of node `n` is another one than the node uses."""
    return state.nb_trans.shape[1] > 0 and state.nb_trans[b, n] != state.frames[b, n].in_force


@compiled()
def reset_nb_trans(state, b, n):
    """Let node `n` send every frame once; the server learns of it."""
    if state.nb_trans.shape[1] > 0:
        state.frames[b, n].in_force = 1
        state.nb_trans[b, n] = 1


@compiled()
def receive_repeat(state, b, n, delivered):
    """Deliver node `n`'s frame with its first transmission that is received; returns whether an earlier one was."""
    frame = state.frames[b, n]
    if frame.received:
        return True
    frame.received = delivered
    frame.delivered += delivered
    return False


@compiled()
def transmissions(state, rule, b, n):
    """How often node `n` sends a frame."""
    if state.nb_trans.shape[1] == 0:
        return 1
    return state.frames[b, n].in_force if rule.server and rule.downlinks else state.nb_trans[b, n]


@compiled()
def repeats_frame(state, tables, b, n):
    """Whether node `n`, which has sent its frame, sends it once more; if not, the frame ends."""
    if state.frames.shape[1] == 0:
        return False
    rule, node, frame = tables.rule[0], state.nodes[b, n], state.frames[b, n]
    frame.sent += 1
    answered = rule.downlinks and node.acknowledged
    is_off = tables.interval_s[b % tables.interval_s.shape[0], n] == np.inf
    if frame.sent < transmissions(state, rule, b, n) and not answered and not is_off:
        return True
    if not frame.received:
        frame.lost += 1
        miss_frame(node)
    frame.received = False
    frame.sent = 0
    return False


@compiled()
def next_repeat_s(state, tables, b, n):
    """Start of node `n`'s next transmission of its frame: after receive windows, off time, and a wait as of retries."""
    rule, node = tables.rule[0], state.nodes[b, n]
    wait_s = rule.least_retry_s + (rule.most_retry_s - rule.least_retry_s) * uniform(
        state.replicas[b].retry_key, n, node.packet
    )
    return max(node.free_s, node.end_s + max(rule.rx2_delay_s, wait_s))
