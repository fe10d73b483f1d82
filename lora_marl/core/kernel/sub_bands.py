"""Duty cycles of nodes by sub-band, and channels that take some data rates only: what a node may use, and when.

Both are off where their tables have no elements. A packet that is generated while its sub-band is closed waits where
frames wait, and is dropped and counted where they do not, as under a duty cycle of the whole node, whose off time
`events.end_packet` imposes.

Source: ETSI EN 300 220-2 (a duty cycle holds in each sub-band by itself); LoRaWAN L2 1.0.4, section 4.3.1.
"""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.masks import is_enabled
from lora_marl.core.kernel.queue import schedule
from lora_marl.core.kernel.state import DROPPED
from lora_marl.core.kernel.traffic import next_start_s
from lora_marl.core.region import HOP


@compiled()
def takes_rate(tables, channel, sf, bw):
    """Whether a channel takes a data rate as it is."""
    if tables.channel_rate.shape[0] == 0:
        return True
    return tables.channel_rate[channel, sf, bw, 0] == sf and tables.channel_rate[channel, sf, bw, 1] == bw


@compiled()
def set_rate(tables, point):
    """Give a point whose channel is known the data rate that the channel takes in place of its own."""
    sf, bw = point[0], point[1]
    point[0], point[1] = tables.channel_rate[point[2], sf, bw, 0], tables.channel_rate[point[2], sf, bw, 1]


@compiled()
def channel_free_s(state, tables, b, n, channel):
    """From when on node `n` may send on a channel."""
    return state.sub_band_free_s[b, n, tables.node_sub_band[channel]] if tables.node_sub_band.shape[0] > 0 else 0.0


@compiled()
def _fits(state, tables, b, n, channel, sf, bw, any_rate):
    return is_enabled(state, tables, b, n, channel) and (any_rate or takes_rate(tables, channel, sf, bw))


@compiled()
def _may_hop(state, tables, b, n, channel, sf, bw, any_rate, now_s):
    fits = _fits(state, tables, b, n, channel, sf, bw, any_rate)
    return fits and channel_free_s(state, tables, b, n, channel) <= now_s


@compiled()
def choose_channel(state, tables, b, n, sf, bw, now_s, drawn):
    """The channel of node `n` that hops: uniform over those of its mask that take its data rate, in a free sub-band.

    If none takes it, all of the mask do, with a data rate of their own; if no sub-band is free, it is the first one to
    become free.

    Args:
        drawn: A uniform number.
    """
    channels, count, any_rate = tables.channel_loss_db.shape[0], 0, True
    for channel in range(channels):
        if _fits(state, tables, b, n, channel, sf, bw, False):
            any_rate = tables.channel_rate.shape[0] == 0
            break
    first = -1
    for channel in range(channels):
        if _may_hop(state, tables, b, n, channel, sf, bw, any_rate, now_s):
            count += 1
        elif _fits(state, tables, b, n, channel, sf, bw, any_rate):
            free_s = channel_free_s(state, tables, b, n, channel)
            if first < 0 or free_s < channel_free_s(state, tables, b, n, first):
                first = channel
    if count == 0:
        return np.int64(first)
    left = np.int64(count * drawn)
    for channel in range(channels):
        if _may_hop(state, tables, b, n, channel, sf, bw, any_rate, now_s):
            if left == 0:
                return np.int64(channel)
            left -= 1
    return np.int64(first)


@compiled()
def open_s(state, tables, points, b, n):
    """From when on node `n` may send with its point: on the channel that it names, or on any."""
    rule, node = tables.rule[0], state.nodes[b, n]
    in_force = rule.server and rule.downlinks and node.in_force[0] >= 0
    channel = node.in_force[2] if in_force else points[b, n, 2]
    if channel != HOP:
        return channel_free_s(state, tables, b, n, channel)
    sf = node.in_force[0] if in_force else points[b, n, 0]
    bw = node.in_force[1] if in_force else points[b, n, 1]
    return channel_free_s(state, tables, b, n, choose_channel(state, tables, b, n, sf, bw, -1.0, 0.0))


@compiled()
def wait_or_drop(state, tables, b, n, now_s, until_s):
    """Handle the start of a packet of node `n` whose sub-band is closed until a time: it waits, or is dropped."""
    rule = tables.rule[0]
    if rule.queued or rule.confirmed or (state.frames.shape[1] > 0 and state.frames[b, n].sent > 0):
        state.nodes[b, n].free_s = max(state.nodes[b, n].free_s, until_s)
        schedule(state, b, n, until_s, False)
    else:
        state.counts[b, n, DROPPED] += 1
        schedule(state, b, n, next_start_s(state, tables, b, n, now_s), False)


@compiled()
def close_sub_band(state, tables, b, n, channel, end_s, airtime_s):
    """Close the sub-band of node `n`'s packet for the off time that it imposes."""
    free_s = end_s + tables.off_per_up_airtime[channel] * airtime_s
    state.sub_band_free_s[b, n, tables.node_sub_band[channel]] = free_s
