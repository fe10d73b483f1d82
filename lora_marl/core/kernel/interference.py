"""Bursts of interference: when they come, and what they add to the packets on their channel."""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.collision import SIR_ENERGY
from lora_marl.core.kernel.disturbers import settle
from lora_marl.core.kernel.features import CULLED
from lora_marl.core.kernel.power import dbm_to_mw
from lora_marl.core.kernel.queue import schedule
from lora_marl.core.outcome import BURST_KIND
from lora_marl.core.random import draw_index, exponential, uniform


@compiled()
def next_burst_s(state, tables, b, c, now_s):
    """Start of the next burst on channel `c`, which has none now."""
    mean_gap_s = tables.mean_gap_s[b % tables.mean_gap_s.shape[0], c]
    return now_s + mean_gap_s * exponential(state.replicas[b].burst_key, c, ~draw_index(state.bursts[b, c].index, -1))


@compiled()
def _power_mw(rule, key, source, counter):
    """Received power of a burst, uniform in dBm."""
    return dbm_to_mw(
        rule.least_burst_dbm + (rule.most_burst_dbm - rule.least_burst_dbm) * uniform(key, source, counter)
    )


@compiled()
def add_burst(state, tables, b, c, n):
    """Add the burst on channel `c` to node `n`'s packet: both are on the air together."""
    rule, node, burst = tables.rule[0], state.nodes[b, n], state.bursts[b, c]
    from_s, until_s = max(burst.start_s, node.critical_s), min(burst.end_s, node.end_s)
    if until_s <= from_s:
        return
    if CULLED:
        settle(state, tables, b, n)
    for g in range(state.links.shape[2]):
        if tables.gateway_network[g] == tables.node_network[n]:
            if rule.inter_sf == SIR_ENERGY:
                state.sf_energy[b, n, g, tables.sir_ratio.shape[0]] += state.burst_mw[b, c, g] * (until_s - from_s)
            else:
                state.links[b, n, g].noise_like_mw += state.burst_mw[b, c, g]


@compiled()
def add_burst_to_downlink(state, tables, b, g):
    """Add the burst on the channel of gateway `g`'s downlink, if there is one, to what the downlink's node receives."""
    rule, down = tables.rule[0], state.downlinks[b, g]
    if not rule.bursts or down.channel >= state.bursts.shape[1] or not state.bursts[b, down.channel].on:
        return
    burst = state.bursts[b, down.channel]
    if burst.end_s > down.critical_s and burst.start_s < down.end_s:
        source = state.bursts.shape[1] + down.node
        state.down_links[b, g].noise_like_mw += _power_mw(rule, state.replicas[b].burst_key, source, burst.index)


@compiled()
def begin_burst(state, tables, b, c, now_s):
    """Begin a burst on channel `c`, the earliest event."""
    rule, burst, key = tables.rule[0], state.bursts[b, c], state.replicas[b].burst_key
    length_s = rule.least_burst_s + (rule.most_burst_s - rule.least_burst_s) * uniform(
        key, c, draw_index(burst.index, -1)
    )
    burst.on = True
    burst.start_s = now_s
    burst.end_s = now_s + length_s
    for g in range(state.links.shape[2]):
        state.burst_mw[b, c, g] = _power_mw(rule, key, c, draw_index(burst.index, g))
        if state.downlinks[b, g].end_s > now_s and state.downlinks[b, g].channel == c:
            add_burst_to_downlink(state, tables, b, g)
    n = state.newest[b, c]
    while n >= 0 and (rule.inter_sf == SIR_ENERGY or not rule.at_start):
        add_burst(state, tables, b, c, n)
        n = state.nodes[b, n].older
    if rule.record:
        _record_burst(state, b, c)
    schedule(state, b, state.nodes.shape[1] + c, burst.end_s, True)


@compiled()
def end_burst(state, tables, b, c, now_s):
    """End the burst on channel `c`, the earliest event."""
    burst = state.bursts[b, c]
    burst.busy_s += now_s - max(burst.start_s, state.replicas[b].taken_s)
    burst.on = False
    burst.index += 1
    schedule(state, b, state.nodes.shape[1] + c, next_burst_s(state, tables, b, c, now_s), False)


@compiled()
def _record_burst(state, b, c):
    """Record a burst among the packets."""
    replica, burst = state.replicas[b], state.bursts[b, c]
    packet = state.packets[b, replica.recorded]
    packet.source = c
    packet.gateway = -1
    packet.kind = BURST_KIND
    packet.fate = -1
    packet.index = burst.index
    packet.start_s = burst.start_s
    packet.end_s = burst.end_s
    packet.critical_s = burst.start_s
    for f in range(4):
        packet.point[f] = c if f == 2 else 0
    for g in range(state.links.shape[2]):
        reception = state.receptions[b, replica.recorded, g]
        reception.rssi_dbm = 10.0 * np.log10(state.burst_mw[b, c, g])
        reception.fate = -1
    replica.recorded += 1
