"""Downlinks: which gateway sends in which receive window, what it interferes with, and whether the node receives it."""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.collision import NONE, SINR, SIR_ENERGY, SIR_PAIRWISE, survives
from lora_marl.core.kernel.counters import record_downlink
from lora_marl.core.kernel.culling import AUDIBLE
from lora_marl.core.kernel.disturbers import settle
from lora_marl.core.kernel.features import CULLED, RARE
from lora_marl.core.kernel.interference import add_burst_to_downlink
from lora_marl.core.kernel.links import is_off, link_gain_db
from lora_marl.core.kernel.power import dbm_to_mw
from lora_marl.core.kernel.queue import schedule
from lora_marl.core.kernel.reception import BELOW_SENSITIVITY, COLLIDED, DELIVERED, INTERFERED
from lora_marl.core.kernel.rule import WINDOWS
from lora_marl.core.kernel.state import ANSWERED, ANSWERS_RECEIVED, ENERGY_MJ, RECEIVING, REFUSED, RX1, RX2
from lora_marl.core.random import draw_index, exponential, normal

BOTH = WINDOWS["both"]

_GATEWAY_DRAWS = 1 << 15
"""Added to a gateway's number in draws of what it hears of another one's downlink."""


@compiled()
def _gain_db(rule, apart_m):
    """Mean received minus transmitted power over a distance that no table lists."""
    return rule.near_gain_db - rule.loss_per_decade_db * np.log10(max(apart_m, rule.nearest_m) / rule.reference_m)


@compiled()
def _varied_db(rule, key, n, counter):
    """Shadowing and fading of one reception that a downlink takes part in. dB"""
    varied_db = 0.0
    if rule.packet_shadowing:
        varied_db += np.sqrt(rule.common_db**2 + rule.own_db**2) * normal(key, n, counter)
    if rule.rayleigh:
        varied_db += 10.0 * np.log10(exponential(key, n, ~counter))
    return varied_db


@compiled()
def _varied_at_node_db(tables, key, n, g, counter):
    """Shadowing and fading of a downlink of gateway `g` at node `n`, whose spread is that of the uplink of the link."""
    rule = tables.rule[0]
    if not (RARE and rule.links):
        return _varied_db(rule, key, n, counter)
    common_db = rule.common_db if rule.packet_shadowing else 0.0
    spread_db = np.sqrt(common_db**2 + tables.traits[n, g].spread_db ** 2)
    varied_db = spread_db * normal(key, n, counter) if spread_db > 0.0 else 0.0
    if rule.rayleigh:
        varied_db += 10.0 * np.log10(exponential(key, n, ~counter))
    return varied_db


@compiled()
def _interfere(rule, tables, link, sf, bw, interferer_dbm, interferer_sf, interferer_bw):
    """Add an interferer's power to a reception that it overlaps in time and frequency."""
    same_sf = sf == interferer_sf and (bw == interferer_bw or not rule.same_sf_needs_equal_bw)
    by_matrix = bw == interferer_bw and (rule.inter_sf == SIR_ENERGY or (rule.inter_sf == SIR_PAIRWISE and not same_sf))
    if by_matrix:
        if not survives(link.rssi_dbm - interferer_dbm, tables.sir_db[sf, interferer_sf], rule.equality_survives):
            link.interfered = True
    elif same_sf:
        if not survives(link.rssi_dbm - interferer_dbm, rule.capture_db, rule.equality_survives):
            link.collided = True
    elif rule.inter_sf != NONE:
        link.noise_like_mw += dbm_to_mw(interferer_dbm)


@compiled()
def _rx1_channel(tables, channel):
    """Channel of RX1 after an uplink on a channel."""
    return tables.rx1_channel[channel] if tables.rx1_channel.shape[0] > 0 else channel


@compiled()
def _down_tp_dbm(rule, tables, channel):
    """Power of gateways on a channel."""
    return rule.down_tp_dbm + (tables.down_above_db[channel] if tables.down_above_db.shape[0] > 0 else 0.0)


@compiled()
def _at_node_dbm(state, tables, b, n, g, channel):
    """Received power of a downlink of gateway `g` at node `n`."""
    rule, node = tables.rule[0], state.nodes[b, n]
    loss_db = tables.channel_loss_db[channel] if channel < tables.channel_loss_db.shape[0] else 0.0
    gain_db = tables.gain_db[b % tables.gain_db.shape[0], n, g] - loss_db
    key = state.replicas[b].downlink_key
    if RARE and rule.links:
        gain_db += link_gain_db(state, tables, b, n, g, channel, node.end_s)
    varied_db = _varied_at_node_db(tables, key, n, g, draw_index(node.packet, g))
    return _down_tp_dbm(rule, tables, channel) + gain_db + varied_db


@compiled()
def _uplink_at_node_dbm(state, tables, b, q, n):
    """Received power of node `q`'s uplink at node `n`, which receives a downlink."""
    rule, sender = tables.rule[0], state.nodes[b, q]
    xy_m = tables.xy_m[b % tables.xy_m.shape[0]]
    apart_m = np.hypot(xy_m[q, 0] - xy_m[n, 0], xy_m[q, 1] - xy_m[n, 1])
    counter = draw_index(state.nodes[b, n].packet, 0) ^ (np.int64(q + 1) << np.int64(44))
    tp_dbm = tables.tp_dbm[sender.point[3]] - tables.channel_loss_db[sender.point[2]]
    return tp_dbm + _gain_db(rule, apart_m) + _varied_db(rule, state.replicas[b].downlink_key, n, counter)


@compiled()
def _overlap_uplink(state, tables, b, q, g):
    """Let an uplink of node `q` and a downlink of gateway `g` interfere: they are on the air together, spectra meet."""
    rule, node, down = tables.rule[0], state.nodes[b, q], state.downlinks[b, g]
    sf, bw = node.point[0], node.point[1]
    harms_downlink, harms_uplink = node.end_s > down.critical_s, down.end_s > node.critical_s
    if rule.spares_pair and node.start_s < down.start_s:
        harms_uplink = harms_downlink
    elif rule.spares_pair:
        harms_downlink = harms_uplink
    if harms_downlink and down.end_s > node.start_s:
        interferer_dbm = _uplink_at_node_dbm(state, tables, b, q, down.node)
        _interfere(rule, tables, state.down_links[b, g], down.sf, down.bw, interferer_dbm, sf, bw)
    if harms_uplink and node.end_s > down.start_s:
        key, packet = state.replicas[b].downlink_key, state.nodes[b, down.node].packet
        if CULLED:
            settle(state, tables, b, q)
        for h in range(state.links.shape[2]):
            if h != g and not (CULLED and state.hearing[b, q, h] != AUDIBLE):
                varied_db = _varied_db(rule, key, down.node, draw_index(packet, _GATEWAY_DRAWS + h))
                interferer_dbm = _down_tp_dbm(rule, tables, down.channel) + tables.gateway_gain_db[g, h] + varied_db
                _interfere(rule, tables, state.links[b, q, h], sf, bw, interferer_dbm, down.sf, down.bw)


@compiled()
def overlap_downlinks(state, tables, b, n):
    """Let a new uplink and the downlinks on the air interfere."""
    node = state.nodes[b, n]
    for g in range(state.downlinks.shape[1]):
        down = state.downlinks[b, g]
        if down.end_s > node.start_s and tables.down_overlaps[node.point[2], node.point[1], down.channel, down.bw]:
            _overlap_uplink(state, tables, b, n, g)


@compiled()
def _overlap_uplinks(state, tables, b, g):
    """Make a gateway that begins to send deaf to the uplinks on the air, and let its downlink interfere with them."""
    rule, down = tables.rule[0], state.downlinks[b, g]
    for channel in range(state.newest.shape[1]):
        q = state.newest[b, channel]
        while q >= 0:
            node = state.nodes[b, q]
            if node.end_s > down.start_s and down.end_s > node.critical_s:
                state.links[b, q, g].deaf = True
            if rule.down_interference and tables.down_overlaps[channel, node.point[1], down.channel, down.bw]:
                _overlap_uplink(state, tables, b, q, g)
            q = node.older


@compiled()
def _overlap_downlinks(state, tables, b, g):
    """Let a new downlink and those of other gateways interfere; spared preamble symbols may be hit, as of uplinks."""
    rule, new = tables.rule[0], state.downlinks[b, g]
    for h in range(state.downlinks.shape[1]):
        old = state.downlinks[b, h]
        if h == g or old.end_s <= new.start_s or not tables.down_overlaps[new.channel, new.bw, old.channel, old.bw]:
            continue
        harms_new = old.end_s > new.critical_s
        harms_old = harms_new if rule.spares_pair else new.end_s > old.critical_s
        if harms_new:
            interferer_dbm = _at_node_dbm(state, tables, b, new.node, h, old.channel)
            _interfere(rule, tables, state.down_links[b, g], new.sf, new.bw, interferer_dbm, old.sf, old.bw)
        if harms_old:
            interferer_dbm = _at_node_dbm(state, tables, b, old.node, g, new.channel)
            _interfere(rule, tables, state.down_links[b, h], old.sf, old.bw, interferer_dbm, new.sf, new.bw)


@compiled()
def _send(state, tables, b, n, g, now_s, second):
    """Gateway `g` sends to node `n` in RX1 or, `second`, RX2."""
    rule, node, down = tables.rule[0], state.nodes[b, n], state.downlinks[b, g]
    sf, bw = node.last_point[0], node.last_point[1]
    down.node = n
    if second:
        down.sf, down.bw, down.channel = rule.rx2_sf, rule.rx2_bw, state.newest.shape[1]
    elif tables.rx1_rate.shape[0] > 0:
        down.sf, down.bw = tables.rx1_rate[sf, bw, 0], tables.rx1_rate[sf, bw, 1]
        down.channel = _rx1_channel(tables, node.last_point[2])
    else:
        down.sf, down.bw, down.channel = sf, bw, _rx1_channel(tables, node.last_point[2])
    airtime_s = tables.down_airtime_s[down.sf, down.bw]
    down.start_s = now_s
    down.critical_s = now_s + tables.spared_s[down.sf, down.bw]
    down.end_s = now_s + airtime_s
    band = tables.sub_band[down.channel]
    state.gateways[b, g].free_s[band] = down.end_s + tables.off_per_down_airtime[down.channel] * airtime_s
    link = state.down_links[b, g]
    link.rssi_dbm = _at_node_dbm(state, tables, b, n, g, down.channel)
    link.noise_like_mw = 0.0
    link.collided = False
    link.interfered = False
    _overlap_uplinks(state, tables, b, g)
    _overlap_downlinks(state, tables, b, g)
    if RARE:
        add_burst_to_downlink(state, tables, b, g)
    state.gateway_airtime_s[b, g] += airtime_s
    state.counts[b, n, ANSWERED] += 1
    if RARE and rule.record:
        record_downlink(state, b, g)
    node.phase = RECEIVING
    node.gateway = g
    schedule(state, b, n, down.end_s, True)


@compiled()
def _can_send(state, tables, b, g, channel, now_s):
    """Whether a gateway may and can begin to send."""
    gateway = state.gateways[b, g]
    if state.downlinks[b, g].end_s > now_s or gateway.free_s[tables.sub_band[channel]] > now_s:
        return False
    if RARE and tables.rule[0].links and is_off(tables, g, now_s, np.nextafter(now_s, np.inf)):
        return False
    return gateway.locked == 0 or tables.rule[0].busy_gateways_send


@compiled()
def _rx2_gateway(state, tables, b, n, now_s):
    """The gateway that received the uplink loudest of those that received it and can send in RX2, or -1."""
    best = -1
    for g in range(state.links.shape[2]):
        link = state.links[b, n, g]
        if link.received and _can_send(state, tables, b, g, state.newest.shape[1], now_s):
            if best < 0 or link.rssi_dbm > state.links[b, n, best].rssi_dbm:
                best = g
    return best


@compiled()
def open_window(state, tables, b, n, now_s):
    """Let a gateway send in the receive window of node `n` that opens, or wait for the next one.

    Returns False where it was the last window and no gateway could send.
    """
    rule, node = tables.rule[0], state.nodes[b, n]
    if node.phase == RX1:
        if _can_send(state, tables, b, node.gateway, _rx1_channel(tables, node.last_point[2]), now_s):
            _send(state, tables, b, n, node.gateway, now_s, False)
            return True
        if rule.windows > 1:
            node.phase = RX2
            schedule(state, b, n, node.end_s + rule.rx2_delay_s, False)
            return True
    else:
        g = _rx2_gateway(state, tables, b, n, now_s)
        if g >= 0:
            _send(state, tables, b, n, g, now_s, True)
            return True
    state.counts[b, n, REFUSED] += 1
    return False


@compiled()
def _fate(state, tables, b, g):
    """Fate at its node of gateway `g`'s downlink that ends now."""
    rule, down, link = tables.rule[0], state.downlinks[b, g], state.down_links[b, g]
    if link.rssi_dbm < tables.sensitivity_dbm[down.sf, down.bw]:
        return BELOW_SENSITIVITY
    noise_mw = tables.noise_mw[down.bw] + link.noise_like_mw
    noisy = rule.inter_sf == SINR or link.noise_like_mw > 0.0
    if link.interfered or (noisy and dbm_to_mw(link.rssi_dbm) < tables.sinr_ratio[down.sf] * noise_mw):
        return INTERFERED
    return COLLIDED if link.collided else DELIVERED


@compiled()
def _count_reception(state, tables, b, n, g, received):
    """Count the energy of a downlink that node `n` hears, in place of its window.

    After one in RX1 there is no RX2, unless that was not `received` and is over by then.
    """
    rule, node, down = tables.rule[0], state.nodes[b, n], state.downlinks[b, g]
    second = down.channel == state.newest.shape[1]  # channels behind it are of RX1 alone
    window_mj = rule.rx2_mj if second else tables.windows_mj[node.last_point[0], node.last_point[1]]
    if rule.windows == BOTH and not second and not received and down.end_s <= node.end_s + rule.rx2_delay_s:
        window_mj -= rule.rx2_mj
    state.sums[b, n, ENERGY_MJ] += rule.rx_mw * (down.end_s - down.start_s) - window_mj


@compiled()
def receive_downlink(state, tables, b, n):
    """End the downlink for node `n`; returns whether the node has received it."""
    g = state.nodes[b, n].gateway
    fate = _fate(state, tables, b, g)
    if RARE and tables.rule[0].rx_mw > 0.0 and fate != BELOW_SENSITIVITY:
        _count_reception(state, tables, b, n, g, fate == DELIVERED)
    if RARE and tables.rule[0].record:
        state.packets[b, state.downlinks[b, g].record].fate = fate
    if fate != DELIVERED:
        return False
    state.counts[b, n, ANSWERS_RECEIVED] += 1
    return True
