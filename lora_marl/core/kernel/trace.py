"""Packets of a trace: when a node generates which, how large it is, and its frame counter.

A node's packets are numbered from 1, through all repetitions of the trace.
"""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel import compiled


@compiled()
def _row(tables, n, number):
    """The row of node `n`'s packet of this number, which the trace has."""
    part = tables.trace_nodes[n]
    return tables.trace[part.first + (number - 1) % part.rows]


@compiled()
def trace_s(tables, n, number):
    """When node `n`'s packet of this number is generated; infinite beyond the trace's end. s"""
    part, repeat_s = tables.trace_nodes[n], tables.rule[0].trace_repeat_s
    if part.rows == 0 or (number > part.rows and repeat_s == 0.0):
        return np.inf
    return _row(tables, n, number).time_s + repeat_s * ((number - 1) // part.rows)


@compiled()
def first_in_trace(tables, n, now_s):
    """Number of node `n`'s first packet that is generated now or later."""
    rows, repeat_s = tables.trace_nodes[n].rows, tables.rule[0].trace_repeat_s
    number = 1
    if repeat_s > 0.0:
        number += rows * np.int64(now_s / repeat_s)
    while trace_s(tables, n, number) < now_s:
        number += 1
    return number


@compiled()
def trace_drops_ahead(state, tables, b, n):
    """Packets before node `n`'s next one that are generated only after now: all of them will be dropped."""
    number, now_s, ahead = state.nodes[b, n].generated - 1, state.replicas[b].now_s, 0
    while number >= 1 and trace_s(tables, n, number) > now_s:
        number -= 1
        ahead += 1
    return ahead


@compiled()
def trace_payload(tables, n, number):
    """Index of the payload size of node `n`'s packet of this number."""
    return _row(tables, n, number).payload


@compiled()
def trace_counter(tables, n, number):
    """Frame counter of node `n`'s packet of this number."""
    part = tables.trace_nodes[n]
    return _row(tables, n, number).counter + part.span * ((number - 1) // part.rows)


@compiled()
def receive_counter(state, tables, b, n, delivered):
    """Note the counter of node `n`'s packet that has ended, if it was delivered; returns whether its frame was before.

    What the server has missed since its last frame follows from the counters: nothing is known where they begin anew.
    """
    if not delivered:
        return False
    node, counters = state.nodes[b, n], state.counters[b, n]
    counter, last = trace_counter(tables, n, node.generated), counters.received
    counters.received = counter
    node.missed = counter - last - 1 if 0 <= last < counter else -1
    return counter == last
