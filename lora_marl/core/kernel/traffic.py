"""What a change of the mean intervals does to packets that wait to be sent.

When a node sends next.

Confirmed traffic: frames wait in a node's queue, and the first is sent until it is acknowledged, or often enough.

Births need no events of their own: they join the queue when somebody looks at it, in the order and as of the time in
which they happened.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import compiled, queue
from lora_marl.core.kernel.rule import TRAFFIC
from lora_marl.core.kernel.state import DROPPED, WAITING, State, on_air
from lora_marl.core.random import exponential, uniform

_PERIODIC = TRAFFIC["periodic"]
_BURST = TRAFFIC["burst"]


@compiled()
def _gap_s(tables, rule, key, n, birth, interval_s):
    """From one birth (or, after its packet's end) to the next, number `birth`."""
    if rule.traffic == _PERIODIC:
        return interval_s
    if rule.traffic == _BURST and birth % rule.burst_packets != 0 and interval_s < np.inf:
        return rule.burst_gap_s
    return interval_s * exponential(key, n, birth)


@compiled()
def _delay_s(rule, key, n, birth):
    """From a periodic birth's nominal time to the birth."""
    if rule.traffic != _PERIODIC or rule.jitter_s == 0.0:
        return 0.0
    return rule.jitter_s * uniform(key, n, birth)


@compiled()
def next_birth_s(state, tables, b, n):
    """Move node `n` to its next birth, and return when that is."""
    rule, node, key = tables.rule[0], state.nodes[b, n], state.replicas[b].traffic_key
    node.birth += 1
    node.birth_s += _gap_s(tables, rule, key, n, node.birth, tables.interval_s[b % tables.interval_s.shape[0], n])
    return node.birth_s + _delay_s(rule, key, n, node.birth)


@compiled()
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


@compiled()
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


@compiled()
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


@compiled()
def admit(state, tables, b, n, until_s):
    """Let the frames born before `until_s` join node `n`'s queue; where it is full they are dropped."""
    queue = state.queues[b, n]
    room = state.born_s.shape[2]
    while queue.next_s < until_s:
        if queue.size < room:
            state.born_s[b, n, (queue.first + queue.size) % room] = queue.next_s
            queue.size += 1
        else:
            state.counts[b, n, DROPPED] += 1
        queue.next_s = next_birth_s(state, tables, b, n)


@compiled()
def forget(queue):
    """Frames that wait are gone."""
    queue.size = 0
    queue.attempts = 0
    queue.received = False


@compiled()
def receive_frame(state, tables, b, n, now_s):
    """An attempt of node `n` has been received: the first one delivers its frame."""
    queue = state.queues[b, n]
    if not queue.received:
        admit(state, tables, b, n, now_s)
        queue.received = True
        queue.delivered += 1
        queue.delay_s += now_s - state.born_s[b, n, queue.first]


@compiled()
def next_attempt_s(state, tables, b, n, now_s):
    """It is known whether node `n`'s attempt was acknowledged: when the next one, or the next frame, starts."""
    rule, node, queue = tables.rule[0], state.nodes[b, n], state.queues[b, n]
    queue.attempts += 1
    admit(state, tables, b, n, now_s)
    least_s, most_s = rule.least_retry_s, rule.most_retry_s
    if node.answered or queue.attempts >= rule.max_attempts:
        least_s, most_s = rule.least_next_s, rule.most_next_s
        queue.lost += not queue.received
        queue.received = False
        queue.attempts = 0
        queue.size -= 1
        queue.first = (queue.first + 1) % state.born_s.shape[2]
    wait_s = least_s + (most_s - least_s) * uniform(state.replicas[b].retry_key, n, node.packet)
    node.free_s = max(node.free_s, node.end_s + wait_s)
    if tables.interval_s[b % tables.interval_s.shape[0], n] == np.inf:
        state.counts[b, n, DROPPED] += queue.size - queue.received
        forget(queue)
        return np.inf
    if queue.next_s == np.inf:  # it left and joined again during the attempt
        queue.next_s = first_birth_s(state, tables, b, n, now_s)
    return node.free_s if queue.size > 0 else max(queue.next_s, node.free_s)


def stretch_waits(
    state: State, old_s: NDArray[np.float64], new_s: NDArray[np.float64], at_s: float
) -> NDArray[np.bool_]:
    """Stretch waiting times by new over old mean interval, which is exact for Poisson traffic; off times stay.

    Where traffic is confirmed, the wait for the next birth is what stretches: retries keep their times.

    Args:
        state: Its events and births are moved.
        old_s, new_s: Mean intervals, infinite for nodes that are off. `[b, N]` s
        at_s: Time of the change. s

    Returns:
        Which nodes join, and need a first packet. `[B, N]`
    """
    nodes, shape = state.nodes, state.nodes.shape
    old_s, new_s = np.broadcast_to(old_s, shape), np.broadcast_to(new_s, shape)
    waiting = (nodes["phase"] == WAITING) & (old_s != new_s)
    joining, leaving = waiting & ~np.isfinite(old_s), waiting & ~np.isfinite(new_s)
    stretched = waiting & ~joining & ~leaving
    all_times_s = queue.times_by_source(state.events)
    times_s = all_times_s[:, : shape[1]]  # a view: those of the nodes
    before_s = times_s.copy()
    if state.queues.size:
        times_s[stretched] = _starts_s(state, old_s, new_s, at_s)[stretched]
        _drop_frames(state, leaving)
    else:
        times_s[stretched] = at_s + (before_s[stretched] - at_s) * (new_s[stretched] / old_s[stretched])
        times_s[stretched] = np.maximum(times_s[stretched], nodes["free_s"][stretched])
        nodes["birth_s"][stretched] += times_s[stretched] - before_s[stretched]
    times_s[leaving] = np.inf
    queue.fill(state.events, all_times_s, on_air(state))
    return joining


def _starts_s(state: State, old_s: NDArray[np.float64], new_s: NDArray[np.float64], at_s: float) -> NDArray[np.float64]:
    """Stretch the time to the next birth of every node, busy or not: when those that wait start then. `[B, N]` s"""
    queues, nodes = state.queues, state.nodes
    before_s = queues["next_s"].copy()
    stretched = np.isfinite(before_s) & np.isfinite(new_s) & (old_s != new_s)
    queues["next_s"][stretched] = at_s + (before_s[stretched] - at_s) * (new_s[stretched] / old_s[stretched])
    nodes["birth_s"][stretched] += queues["next_s"][stretched] - before_s[stretched]
    queues["next_s"][~np.isfinite(new_s)] = np.inf
    return np.where(queues["size"] > 0, nodes["free_s"], np.maximum(queues["next_s"], nodes["free_s"]))


def _drop_frames(state: State, leaving: NDArray[np.bool_]) -> None:
    """Frames that wait when their node leaves are dropped, unless they have been received."""
    queues = state.queues
    state.counts[..., DROPPED] += np.where(leaving, queues["size"] - queues["received"], 0)
    for name in ("size", "attempts", "received"):
        queues[name][leaving] = 0
