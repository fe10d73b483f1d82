"""When a node sends next: packets generated, frames that wait for an acknowledgement, and changes of the rates.

Confirmed traffic: frames wait in a node's queue, and the first is sent until it is acknowledged, or often enough.
Frames need no events of their own: they join the queue when somebody looks at it, in the order and as of the time in
which they were generated.

The off time of a duty cycle is imposed where a packet ends (`events.end_packet`; by sub-band: `sub_bands`); here a node
waits for its end (`free_s`), or drops what is generated before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import compiled, queue
from lora_marl.core.kernel.features import DOWNLINKS, RARE
from lora_marl.core.kernel.rule import TRAFFIC
from lora_marl.core.kernel.state import DROPPED, WAITING, State, on_air
from lora_marl.core.kernel.trace import first_in_trace, trace_counter, trace_drops_ahead, trace_s
from lora_marl.core.random import exponential, uniform

_PERIODIC = TRAFFIC["periodic"]
_BURST = TRAFFIC["burst"]
_ROUNDING_S = 1e-6
"""More than what subtracting a gap that was added can be wrong by, at clocks of years. s"""


@compiled()
def _gap_s(tables, rule, key, n, number, interval_s):
    """From one packet's generation (or, after its end) to the next one's, which has this number."""
    if rule.traffic == _PERIODIC:
        return interval_s
    if rule.traffic == _BURST and number % rule.burst_packets != 0 and interval_s < np.inf:
        return rule.burst_gap_s
    return interval_s * exponential(key, n, number)


@compiled()
def _jitter_s(rule, key, n, number):
    """From a periodic packet's nominal time to its generation; 0 under other traffic."""
    if rule.traffic != _PERIODIC or rule.jitter_s == 0.0:
        return 0.0
    return rule.jitter_s * uniform(key, n, number)


@compiled()
def next_generated_s(state, tables, b, n):
    """Let node `n` generate its next packet, and return when."""
    rule, node, key = tables.rule[0], state.nodes[b, n], state.replicas[b].traffic_key
    interval_s = tables.interval_s[b % tables.interval_s.shape[0], n]
    node.generated += 1
    if RARE and rule.trace:
        node.generated_s = trace_s(tables, n, node.generated) if interval_s < np.inf else np.inf
        return node.generated_s
    node.generated_s += _gap_s(tables, rule, key, n, node.generated, interval_s)
    return node.generated_s + _jitter_s(rule, key, n, node.generated)


@compiled()
def next_start_s(state, tables, b, n, now_s):
    """Let node `n` generate packets until one can be sent, and return when that starts.

    A packet generated while the node sends or is off is dropped and counted, or queued until the node is free.
    """
    rule = tables.rule[0]
    node = state.nodes[b, n]
    in_burst = rule.traffic == _BURST and (node.generated + 1) % rule.burst_packets != 0
    if rule.after_end and rule.traffic != _PERIODIC or in_burst:
        node.generated_s = now_s
    while True:
        time_s = next_generated_s(state, tables, b, n)
        if rule.queued or time_s >= node.free_s:
            return max(time_s, node.free_s)
        state.counts[b, n, DROPPED] += 1


@compiled()
def drops_ahead(state, tables, b, n):
    """How many packets that node `n` drops are counted, but generated only after now.

    `next_start_s` counts all packets up to the next one that is sent. Times of generation are walked back from that one
    by the gaps that they were made of; the last packet that was sent lies before now and ends the walk. A node that
    joins has generated nothing yet.
    """
    rule, node, now_s = tables.rule[0], state.nodes[b, n], state.replicas[b].now_s
    interval_s = tables.interval_s[b % tables.interval_s.shape[0], n]
    if rule.queued or rule.confirmed or node.phase != WAITING or interval_s == np.inf:
        return 0
    if RARE and rule.trace:
        return trace_drops_ahead(state, tables, b, n)
    if node.generated_s == np.inf:
        return 0
    key, number, nominal_s, ahead = state.replicas[b].traffic_key, node.generated, node.generated_s, 0
    while True:
        nominal_s -= _gap_s(tables, rule, key, n, number, interval_s)
        number -= 1
        if nominal_s + rule.jitter_s <= now_s + _ROUNDING_S:
            return ahead
        if nominal_s + _jitter_s(rule, key, n, number) > now_s + _ROUNDING_S:
            ahead += 1


@compiled()
def first_generated_s(state, tables, b, n, now_s):
    """Let a node that joins, or begins an episode, generate its first packet, and return when."""
    rule = tables.rule[0]
    node = state.nodes[b, n]
    node.generated_s = now_s
    interval_s = tables.interval_s[b % tables.interval_s.shape[0], n]
    key = state.replicas[b].traffic_key
    if RARE and rule.trace:
        node.generated = first_in_trace(tables, n, now_s)
        node.generated_s = trace_s(tables, n, node.generated) if interval_s < np.inf else np.inf
        return node.generated_s
    node.generated += 1
    if rule.traffic == _PERIODIC:
        if rule.random_phase or interval_s == np.inf:
            node.generated_s += interval_s * uniform(key, n, -1 - node.generated)
    else:
        node.generated += -node.generated % rule.burst_packets
        node.generated_s += interval_s * exponential(key, n, node.generated)
    return node.generated_s + _jitter_s(rule, key, n, node.generated)


@compiled()
def first_start_s(state, tables, b, n, now_s):
    """Start of the first packet of a node that joins; one that comes back keeps the off time that it left with."""
    rule, node = tables.rule[0], state.nodes[b, n]
    node.free_s = max(node.free_s, now_s)
    time_s = first_generated_s(state, tables, b, n, now_s)
    if DOWNLINKS and rule.confirmed:
        state.queues[b, n].next_s = time_s
    if (DOWNLINKS and rule.confirmed) or rule.queued or time_s >= node.free_s:
        return max(time_s, node.free_s)
    state.counts[b, n, DROPPED] += 1
    return next_start_s(state, tables, b, n, time_s)


@compiled()
def admit_frames(state, tables, b, n, until_s):
    """Let the frames generated before `until_s` join node `n`'s queue; those that find it full are dropped."""
    queue = state.queues[b, n]
    room = state.generated_s.shape[2]
    while queue.next_s < until_s:
        if queue.size < room:
            state.generated_s[b, n, (queue.first + queue.size) % room] = queue.next_s
            queue.size += 1
        else:
            state.counts[b, n, DROPPED] += 1
        queue.next_s = next_generated_s(state, tables, b, n)


@compiled()
def clear_queue(queue):
    """Remove the frames that wait."""
    queue.size = 0
    queue.attempts = 0
    queue.received = False


@compiled()
def is_new_frame(state, tables, b, n):
    """Whether node `n`'s packet is the first of its frame: it has a frame counter that no packet had before."""
    if tables.rule[0].confirmed:
        return state.queues[b, n].attempts == 0
    if RARE and state.counters.shape[1] > 0:
        return state.counters[b, n].sent != trace_counter(tables, n, state.nodes[b, n].generated)
    return state.frames.shape[1] == 0 or state.frames[b, n].sent == 0


@compiled()
def miss_frame(node):
    """Let a frame end that the network has not received: the next frame counter that it sees is one further on."""
    if node.missed >= 0:
        node.missed += 1


@compiled()
def receive_frame(state, tables, b, n, now_s):
    """Deliver node `n`'s frame if this is the first attempt that has been received."""
    queue = state.queues[b, n]
    if not queue.received:
        admit_frames(state, tables, b, n, now_s)
        queue.received = True
        queue.delivered += 1
        queue.delay_s += now_s - state.generated_s[b, n, queue.first]


@compiled()
def next_attempt_s(state, tables, b, n, now_s):
    """Start of node `n`'s next attempt, or of its next frame, now that it is known whether it was acknowledged."""
    rule, node, queue = tables.rule[0], state.nodes[b, n], state.queues[b, n]
    queue.attempts += 1
    admit_frames(state, tables, b, n, now_s)
    least_s, most_s = rule.least_retry_s, rule.most_retry_s
    if node.acknowledged or queue.attempts >= rule.max_attempts:
        least_s, most_s = rule.least_next_s, rule.most_next_s
        if not queue.received:
            queue.lost += 1
            miss_frame(node)
        queue.received = False
        queue.attempts = 0
        queue.size -= 1
        queue.first = (queue.first + 1) % state.generated_s.shape[2]
    wait_s = least_s + (most_s - least_s) * uniform(state.replicas[b].retry_key, n, node.packet)
    node.free_s = max(node.free_s, node.end_s + wait_s)
    if tables.interval_s[b % tables.interval_s.shape[0], n] == np.inf:
        state.counts[b, n, DROPPED] += queue.size - queue.received
        if queue.attempts > 0 and not queue.received:
            miss_frame(node)
        clear_queue(queue)
        return np.inf
    if queue.next_s == np.inf:  # it left and joined again during the attempt
        queue.next_s = first_generated_s(state, tables, b, n, now_s)
    return node.free_s if queue.size > 0 else max(queue.next_s, node.free_s)


def rescale_waits(
    state: State, old_s: NDArray[np.float64], new_s: NDArray[np.float64], at_s: float
) -> NDArray[np.bool_]:
    """Multiply waiting times by new over old mean interval, which is exact for Poisson traffic; off times stay.

    The wait for the next frame is what changes: retries and repeats keep their times.

    Args:
        state: Its events and times of generation are moved.
        old_s, new_s: Mean intervals, infinite for nodes that are off. `[b, N]` s
        at_s: Time of the change. s

    Returns:
        Which nodes join, and need a first packet. `[B, N]`
    """
    nodes, shape = state.nodes, state.nodes.shape
    old_s, new_s = np.broadcast_to(old_s, shape), np.broadcast_to(new_s, shape)
    waiting = (nodes["phase"] == WAITING) & (old_s != new_s)
    joining, leaving = waiting & ~np.isfinite(old_s), waiting & ~np.isfinite(new_s)
    rescaled = waiting & ~joining & ~leaving & ~_between_repeats(state)
    all_times_s = state.events["time_s"].copy()
    times_s = all_times_s[:, : shape[1]]  # a view: those of the nodes
    before_s = times_s.copy()
    if state.queues.size:
        times_s[rescaled] = _rescaled_starts_s(state, old_s, new_s, at_s)[rescaled]
        _drop_frames(state, leaving)
    else:
        times_s[rescaled] = at_s + (before_s[rescaled] - at_s) * (new_s[rescaled] / old_s[rescaled])
        times_s[rescaled] = np.maximum(times_s[rescaled], nodes["free_s"][rescaled])
        nodes["generated_s"][rescaled] += times_s[rescaled] - before_s[rescaled]
        _give_up_frames(state, leaving)
    times_s[leaving] = np.inf
    queue.fill(state.queue, all_times_s, on_air(state))
    return joining


def _rescaled_starts_s(
    state: State, old_s: NDArray[np.float64], new_s: NDArray[np.float64], at_s: float
) -> NDArray[np.float64]:
    """Rescale the wait for the next frame of every node, busy or not; returns when those that wait start. `[B, N]` s"""
    queues, nodes = state.queues, state.nodes
    before_s = queues["next_s"].copy()
    rescaled = np.isfinite(before_s) & np.isfinite(new_s) & (old_s != new_s)
    queues["next_s"][rescaled] = at_s + (before_s[rescaled] - at_s) * (new_s[rescaled] / old_s[rescaled])
    nodes["generated_s"][rescaled] += queues["next_s"][rescaled] - before_s[rescaled]
    queues["next_s"][~np.isfinite(new_s)] = np.inf
    return np.where(queues["size"] > 0, nodes["free_s"], np.maximum(queues["next_s"], nodes["free_s"]))


def _drop_frames(state: State, leaving: NDArray[np.bool_]) -> None:
    """Drop the frames that wait when their node leaves, unless they have been received."""
    queues = state.queues
    state.counts[..., DROPPED] += np.where(leaving, queues["size"] - queues["received"], 0)
    begun = leaving & (queues["attempts"] > 0) & ~queues["received"]
    state.nodes["missed"] += begun & (state.nodes["missed"] >= 0)
    for name in ("size", "attempts", "received"):
        queues[name][leaving] = 0


def _between_repeats(state: State) -> NDArray[np.bool_]:
    """Nodes that have sent their frame and will send it again, among those that wait. `[B, N]`"""
    if not state.frames.size:
        return np.zeros(state.nodes.shape, np.bool_)
    return np.asarray(state.frames["sent"] > 0)


def _give_up_frames(state: State, leaving: NDArray[np.bool_]) -> None:
    """End the frames of nodes that leave between two transmissions of one."""
    if not state.frames.size:
        return
    begun = leaving & _between_repeats(state)
    lost = begun & ~state.frames["received"]
    state.frames["lost"] += lost
    state.nodes["missed"] += lost & (state.nodes["missed"] >= 0)
    state.frames["sent"][begun] = 0
    state.frames["received"][begun] = False
