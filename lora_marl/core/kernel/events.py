"""A packet's start and its end."""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel.births import next_start_s
from lora_marl.core.kernel.compiled import kernel
from lora_marl.core.kernel.heap import replace_first
from lora_marl.core.kernel.overlap import DB_RATIO, SINR, SIR_ENERGY, meet, survives
from lora_marl.core.kernel.random import draw_index, exponential, normal
from lora_marl.core.kernel.state import AIRTIME_S, DELIVERED_BITS, ENERGY_MJ, UPLINK
from lora_marl.core.reception import Fate
from lora_marl.core.units import dbm_to_mw as _dbm_to_mw

dbm_to_mw = kernel()(_dbm_to_mw)

DELIVERED, BELOW_SENSITIVITY, INTERFERED, COLLIDED, NO_DEMODULATOR = (
    int(fate) for fate in (Fate.DELIVERED, Fate.BELOW_SENSITIVITY, Fate.INTERFERED, Fate.COLLIDED, Fate.NO_DEMODULATOR)
)


@kernel()
def _rssi_dbm(tables, rule, replica, n, packet, g, mean_dbm, common_db):
    """Received power of a packet at gateway `g`: its mean with shadowing and fading."""
    rssi_dbm = mean_dbm + common_db
    if rule.packet_shadowing:
        rssi_dbm += rule.own_db * normal(replica.shadowing_key, n, draw_index(packet, g))
    if rule.rayleigh:
        rssi_dbm += 10.0 * np.log10(exponential(replica.fading_key, n, draw_index(packet, g)))
    return rssi_dbm


@kernel()
def _fails_db_ratio(tables, rule, replica, n, packet, sf, rssi_dbm, on_air_dbm):
    """The published D-LoRa code's test: this packet's dBm over the sum of all others' dBm and a unit normal draw."""
    others_dbm = on_air_dbm + normal(replica.noise_key, n, packet)
    ratio = rssi_dbm / others_dbm if others_dbm != 0.0 else np.inf
    return ratio >= 0.0 and ratio < tables.sinr_ratio[sf]


@kernel()
def _arrive(state, tables, b, n, sf, bw, mean_tp_dbm):
    """Draw the packet's received powers and lock demodulators; tell whether it is lost at its start everywhere."""
    rule = tables.rule[0]
    replica, packet = state.replicas[b], state.nodes[b, n].packet
    common_db = 0.0
    if rule.packet_shadowing and rule.common_db > 0.0:
        common_db = rule.common_db * normal(replica.shadowing_key, n, draw_index(packet, -1))
    lost = True
    for g in range(state.links.shape[2]):
        link, gate = state.links[b, n, g], state.gates[b, g]
        mean_dbm = mean_tp_dbm + tables.gain_db[b % tables.gain_db.shape[0], n, g]
        rssi_dbm = _rssi_dbm(tables, rule, replica, n, packet, g, mean_dbm, common_db)
        link.rssi_dbm = rssi_dbm
        link.power_mw = dbm_to_mw(rssi_dbm) if rule.linear else 0.0
        link.noise_like_mw = 0.0
        link.overlap_mw = 0.0
        link.collided = False
        link.interfered = False
        if rule.inter_sf == DB_RATIO:
            link.interfered = _fails_db_ratio(tables, rule, replica, n, packet, sf, rssi_dbm, gate.on_air_dbm)
            gate.on_air_dbm += rssi_dbm
        heard = rssi_dbm >= tables.sensitivity_dbm[sf, bw]
        link.locked = heard and gate.locked < rule.demodulators
        gate.locked += link.locked
        lost = lost and (link.interfered or not heard)
        if rule.inter_sf == SIR_ENERGY:
            state.sf_energy[b, n, g, :] = 0.0
    return lost


@kernel()
def _join_channel(state, b, n, channel):
    """Put a node at the head of its channel's list of packets on the air."""
    newest = state.newest[b, channel]
    node = state.nodes[b, n]
    node.newer = -1
    node.older = newest
    if newest >= 0:
        state.nodes[b, newest].newer = n
    state.newest[b, channel] = n


@kernel()
def _leave_channel(state, b, n):
    node = state.nodes[b, n]
    if node.newer >= 0:
        state.nodes[b, node.newer].older = node.older
    else:
        state.newest[b, node.point[2]] = node.older
    if node.older >= 0:
        state.nodes[b, node.older].newer = node.newer


@kernel()
def _meet_all(state, tables, b, n):
    """Let a new packet meet every packet that is on the air of the channels that it overlaps."""
    node = state.nodes[b, n]
    bw, channel = node.point[1], node.point[2]
    for r in range(tables.reach.shape[1]):
        other = tables.reach[channel, r]
        if other < 0:
            break
        q = state.newest[b, other]
        while q >= 0:
            old = state.nodes[b, q]
            if tables.overlaps[channel, bw, other, old.point[1]] and old.end_s > node.start_s:
                meet(state, tables, b, n, q)
            q = old.older


@kernel()
def start(state, tables, points, b, n, now_s):
    """The earliest event is that node `n` starts a packet with the parameters in force."""
    node = state.nodes[b, n]
    for f in range(4):
        node.point[f] = points[b, n, f]
    sf, bw, channel, tp = node.point[0], node.point[1], node.point[2], node.point[3]
    airtime_s = tables.airtime_s[tables.payload[b % tables.payload.shape[0], n], sf, bw]
    node.start_s = now_s
    node.end_s = now_s + airtime_s
    node.critical_s = now_s + tables.spared_s[sf, bw]
    node.on_air = True
    node.lost = _arrive(state, tables, b, n, sf, bw, tables.tp_dbm[tp] - tables.channel_loss_db[channel])
    _meet_all(state, tables, b, n)
    _join_channel(state, b, n, channel)
    state.replicas[b].on_air += 1
    if tables.rule[0].record:
        _record_start(state, b, n)
    replace_first(state.events[b], node.end_s)


@kernel()
def _passes_sir(state, tables, rule, b, n, g, sf, signal_mw_s):
    """Signal energy against the energy of each interfering spreading factor."""
    for other in range(state.sf_energy.shape[3]):
        energy = state.sf_energy[b, n, g, other]
        if energy > 0.0 and not survives(signal_mw_s / energy, tables.sir_ratio[sf, other], rule.equality_survives):
            return False
    return True


@kernel()
def _fate_at(state, tables, b, n, g):
    """What gateway `g` made of the packet of node `n` that ends now."""
    rule = tables.rule[0]
    node, link = state.nodes[b, n], state.links[b, n, g]
    sf, bw = node.point[0], node.point[1]
    if link.rssi_dbm < tables.sensitivity_dbm[sf, bw]:
        return BELOW_SENSITIVITY
    if not link.locked:
        return NO_DEMODULATOR
    if link.interfered:
        return INTERFERED
    if rule.inter_sf == SINR or link.noise_like_mw > 0.0:
        if link.power_mw < tables.sinr_ratio[sf] * (tables.noise_mw[bw] + link.noise_like_mw):
            return INTERFERED
    if rule.inter_sf == SIR_ENERGY:
        if not _passes_sir(state, tables, rule, b, n, g, sf, link.power_mw * (node.end_s - node.start_s)):
            return INTERFERED
    return COLLIDED if link.collided else DELIVERED


@kernel()
def _depart(state, tables, b, n):
    """Judge the packet at every gateway; its fate is the best one's: delivered anywhere, or heard loudest."""
    node = state.nodes[b, n]
    best, fate = -1, BELOW_SENSITIVITY
    for g in range(state.links.shape[2]):
        link, gate = state.links[b, n, g], state.gates[b, g]
        here = _fate_at(state, tables, b, n, g)
        louder = best < 0 or link.rssi_dbm > state.links[b, n, best].rssi_dbm
        if (here == DELIVERED and (fate != DELIVERED or louder)) or (fate != DELIVERED and louder):
            best, fate = g, here
        gate.locked -= link.locked
        gate.on_air_dbm = gate.on_air_dbm - link.rssi_dbm if state.replicas[b].on_air > 1 else 0.0
        if tables.rule[0].record:
            _record_link(state, b, n, g, here)
    node.last_fate = fate
    node.last_rssi_dbm = state.links[b, n, best].rssi_dbm
    for f in range(4):
        node.last_point[f] = node.point[f]


@kernel()
def _tally(state, tables, b, n):
    """Book the packet that ended under its node, and under the values of its factors."""
    rule = tables.rule[0]
    node = state.nodes[b, n]
    airtime_s = node.end_s - node.start_s
    delivered = node.last_fate == DELIVERED
    state.counts[b, n, node.last_fate] += 1
    sums = state.sums[b, n]
    sums[AIRTIME_S] += airtime_s
    sums[ENERGY_MJ] += airtime_s * tables.tp_mw[node.point[3]]
    if delivered:
        sums[DELIVERED_BITS] += tables.payload_bits[tables.payload[b % tables.payload.shape[0], n]]
    if rule.count_arms:
        sizes = (tables.airtime_s.shape[1], tables.airtime_s.shape[2], tables.channel_loss_db.shape[0])
        offset = 0
        for f in range(4):
            state.arms[b, n, offset + node.point[f], 0] += 1
            state.arms[b, n, offset + node.point[f], 1] += delivered
            offset += sizes[f] if f < 3 else 0


@kernel()
def end(state, tables, b, n):
    """The earliest event is that node `n`'s packet ends: its fate is known, and its next packet is born."""
    node = state.nodes[b, n]
    _depart(state, tables, b, n)
    _leave_channel(state, b, n)
    _tally(state, tables, b, n)
    if tables.rule[0].record:
        state.packets[b, node.slot].fate = node.last_fate
    replica = state.replicas[b]
    replica.on_air -= 1
    node.on_air = False
    node.packet += 1
    node.free_s = node.end_s + tables.rule[0].off_per_airtime * (node.end_s - node.start_s)
    replace_first(state.events[b], next_start_s(state, tables, b, n, node.end_s))


@kernel()
def _record_start(state, b, n):
    replica, node = state.replicas[b], state.nodes[b, n]
    node.slot = replica.recorded
    replica.recorded += 1
    packet = state.packets[b, node.slot]
    packet.source = n
    packet.kind = UPLINK
    packet.fate = -1
    packet.index = node.packet
    packet.start_s = node.start_s
    packet.end_s = node.end_s
    packet.critical_s = node.critical_s
    for f in range(4):
        packet.point[f] = node.point[f]


@kernel()
def _record_link(state, b, n, g, fate):
    link = state.links[b, n, g]
    reception = state.receptions[b, state.nodes[b, n].slot, g]
    reception.rssi_dbm = link.rssi_dbm
    reception.overlap_mw = link.overlap_mw
    reception.fate = fate
