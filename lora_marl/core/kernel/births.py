"""When a node sends next."""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel.compiled import kernel
from lora_marl.core.kernel.random import exponential, uniform
from lora_marl.core.kernel.rule import TRAFFIC
from lora_marl.core.kernel.state import DROPPED

_PERIODIC = TRAFFIC["periodic"]
_BURST = TRAFFIC["burst"]


@kernel()
def _gap_s(tables, rule, key, n, birth, interval_s):
    """From one birth (or, after its packet's end) to the next, number `birth`."""
    if rule.traffic == _PERIODIC:
        return interval_s
    if rule.traffic == _BURST and birth % rule.burst_packets != 0 and interval_s < np.inf:
        return rule.burst_gap_s
    return interval_s * exponential(key, n, birth)


@kernel()
def _delay_s(rule, key, n, birth):
    """From a periodic birth's nominal time to the birth."""
    if rule.traffic != _PERIODIC or rule.jitter_s == 0.0:
        return 0.0
    return rule.jitter_s * uniform(key, n, birth)


@kernel()
def next_birth_s(state, tables, b, n):
    """Move node `n` to its next birth, and return when that is."""
    rule, node, key = tables.rule[0], state.nodes[b, n], state.replicas[b].traffic_key
    node.birth += 1
    node.birth_s += _gap_s(tables, rule, key, n, node.birth, tables.interval_s[b % tables.interval_s.shape[0], n])
    return node.birth_s + _delay_s(rule, key, n, node.birth)


@kernel()
def next_start_s(state, tables, b, n, now_s):
    """Move node `n` to its next birth that leads to a packet, and return when that starts.

    A birth while the node sends or is off is dropped and counted, or queued until the node is free.
    """
    rule = tables.rule[0]
    node = state.nodes[b, n]
    in_burst = rule.traffic == _BURST and (node.birth + 1) % rule.burst_packets != 0
    if rule.after_end and rule.traffic != _PERIODIC or in_burst:
        node.birth_s = now_s
    while True:
        time_s = next_birth_s(state, tables, b, n)
        if rule.queued or time_s >= node.free_s:
            return max(time_s, node.free_s)
        state.counts[b, n, DROPPED] += 1


@kernel()
def first_birth_s(state, tables, b, n, now_s):
    """First birth after a node joins or an episode begins."""
    rule = tables.rule[0]
    node = state.nodes[b, n]
    node.birth_s = now_s
    interval_s = tables.interval_s[b % tables.interval_s.shape[0], n]
    key = state.replicas[b].traffic_key
    node.birth += 1
    if rule.traffic == _PERIODIC:
        if rule.random_phase or interval_s == np.inf:
            node.birth_s += interval_s * uniform(key, n, -1 - node.birth)
    else:
        node.birth += -node.birth % rule.burst_packets
        node.birth_s += interval_s * exponential(key, n, node.birth)
    return node.birth_s + _delay_s(rule, key, n, node.birth)


@kernel()
def first_start_s(state, tables, b, n, now_s):
    """First packet of a node that joins: one that comes back keeps the off time that it left with."""
    rule, node = tables.rule[0], state.nodes[b, n]
    node.free_s = max(node.free_s, now_s)
    birth_s = first_birth_s(state, tables, b, n, now_s)
    if rule.confirmed:
        state.queues[b, n].next_s = birth_s
    if rule.confirmed or rule.queued or birth_s >= node.free_s:
        return max(birth_s, node.free_s)
    state.counts[b, n, DROPPED] += 1
    return next_start_s(state, tables, b, n, birth_s)
