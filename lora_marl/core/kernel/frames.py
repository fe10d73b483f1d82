"""Confirmed traffic: frames wait in a node's queue, and the first is sent until it is acknowledged, or often enough.

Births need no events of their own: they join the queue when somebody looks at it, in the order and as of the time in
which they happened.
"""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel.births import first_birth_s, next_birth_s
from lora_marl.core.kernel.compiled import kernel
from lora_marl.core.kernel.random import uniform
from lora_marl.core.kernel.state import DROPPED


@kernel()
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


@kernel()
def forget(queue):
    """Frames that wait are gone."""
    queue.size = 0
    queue.attempts = 0
    queue.received = False


@kernel()
def receive_frame(state, tables, b, n, now_s):
    """An attempt of node `n` has been received: the first one delivers its frame."""
    queue = state.queues[b, n]
    if not queue.received:
        admit(state, tables, b, n, now_s)
        queue.received = True
        queue.delivered += 1
        queue.delay_s += now_s - state.born_s[b, n, queue.first]


@kernel()
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
