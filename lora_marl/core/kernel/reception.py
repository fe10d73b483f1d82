"""Reception at a gateway: the received power at a packet's start, its fate at its end.

What overlapping packets do to each other, collision and capture included, is in `collision`.
"""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.collision import DB_RATIO, SINR, SIR_ENERGY, survives
from lora_marl.core.kernel.counters import record_link
from lora_marl.core.kernel.culling import FAINT, add_listener, clear_listeners, list_candidates, loudest
from lora_marl.core.kernel.disturbers import is_clear
from lora_marl.core.kernel.features import CULLED, DOWNLINKS, MATRIX, RARE
from lora_marl.core.kernel.links import is_lost_anyway, is_missed, is_off, link_gain_db
from lora_marl.core.kernel.power import NOT_CONVERTED, common_shadowing_db, dbm_to_mw, know_power_mw, received_dbm
from lora_marl.core.random import normal
from lora_marl.core.reception import FATES, Fate

DELIVERED, BELOW_SENSITIVITY, INTERFERED, COLLIDED, NO_DEMODULATOR, GATEWAY_SENDING = (int(fate) for fate in FATES)
NONE = int(Fate.NONE)


@compiled()
def _is_heard(tables, b, n, g, point, rssi_dbm):
    """Whether a packet of node `n` reaches the sensitivity of gateway `g`."""
    floor_dbm = tables.sensitivity_dbm[point[0], point[1]]
    if RARE and tables.rule[0].links:
        floor_dbm += tables.cells[b % tables.cells.shape[0], n, g, point[2]].floor_db
    return rssi_dbm >= floor_dbm


@compiled()
def _fails_db_ratio(tables, rule, replica, n, packet, sf, rssi_dbm, on_air_dbm):
    """The published D-LoRa code's test: this packet's dBm over the sum of all others' dBm and a unit normal draw."""
    others_dbm = on_air_dbm + normal(replica.noise_key, n, packet)
    ratio = rssi_dbm / others_dbm if others_dbm != 0.0 else np.inf
    return (1.0 if ratio < 0.0 else ratio) < tables.sinr_ratio[sf]


@compiled()
def _begin_at(state, tables, b, n, g, mean_tp_dbm, common_db, lost_anyway):
    """Draw the packet's power at gateway `g` and lock a demodulator; returns whether it is lost there by its power."""
    rule, replica, node = tables.rule[0], state.replicas[b], state.nodes[b, n]
    link, gateway = state.links[b, n, g], state.gateways[b, g]
    mean_dbm = mean_tp_dbm + tables.gain_db[b % tables.gain_db.shape[0], n, g]
    if RARE and rule.links:
        mean_dbm += link_gain_db(state, tables, b, n, g, node.point[2], node.start_s)
    rssi_dbm = received_dbm(tables, rule, replica, n, node.packet, g, mean_dbm, common_db)
    link.rssi_dbm = rssi_dbm
    if CULLED:
        link.power_mw = NOT_CONVERTED if rule.linear else 0.0
    else:
        link.power_mw = dbm_to_mw(rssi_dbm) if rule.linear else 0.0
    link.noise_like_mw = 0.0
    link.overlap_mw = 0.0
    link.collided = False
    link.interfered = False
    if RARE and rule.inter_sf == DB_RATIO:
        sf, on_air_dbm = node.point[0], gateway.on_air_dbm
        link.interfered = _fails_db_ratio(tables, rule, replica, n, node.packet, sf, rssi_dbm, on_air_dbm)
        gateway.on_air_dbm += rssi_dbm
    audible = _is_heard(tables, b, n, g, node.point, rssi_dbm)
    if CULLED:
        state.hearing[b, n, g] = FAINT
        if audible:
            add_listener(state, b, n, g)
    link.deaf = DOWNLINKS and rule.downlinks and state.downlinks[b, g].end_s > node.critical_s
    if RARE and rule.links:
        link.deaf = link.deaf or lost_anyway or is_off(tables, g, node.start_s, node.end_s)
        link.deaf = link.deaf or is_missed(state, tables, b, n, g)
    link.locked = audible and not link.deaf and gateway.locked < rule.demodulators
    gateway.locked += link.locked
    if MATRIX and rule.inter_sf == SIR_ENERGY:
        state.sf_energy[b, n, g, :] = 0.0
    return link.interfered or not audible


@compiled()
def begin_reception(state, tables, b, n, sf, bw, mean_tp_dbm):
    """Draw the packet's received powers and lock demodulators; returns whether it is lost at its start everywhere."""
    rule = tables.rule[0]
    common_db = common_shadowing_db(rule, state.replicas[b], n, state.nodes[b, n].packet)
    lost_anyway = RARE and rule.links and is_lost_anyway(state, tables, b, n)
    lost = True
    if CULLED:
        clear_listeners(state, b, n)
        floor_dbm = tables.sensitivity_dbm[sf, bw]
        candidates = list_candidates(state, tables, b, n, mean_tp_dbm + common_db, floor_dbm)
        for place in range(1, 1 + candidates):  # the list of those that hear the packet grows behind this place
            g = state.listeners[b, n, place]
            lost = _begin_at(state, tables, b, n, g, mean_tp_dbm, common_db, lost_anyway) and lost
    else:
        for g in range(state.links.shape[2]):
            lost = _begin_at(state, tables, b, n, g, mean_tp_dbm, common_db, lost_anyway) and lost
    return lost


@compiled()
def _passes_sir(state, tables, rule, b, n, g, sf, signal_mw_s):
    """Signal energy against the energy of each interfering spreading factor."""
    for other in range(state.sf_energy.shape[3]):
        energy = state.sf_energy[b, n, g, other]
        if energy > 0.0 and not survives(signal_mw_s / energy, tables.sir_ratio[sf, other], rule.equality_survives):
            return False
    return True


@compiled()
def _fate_at(state, tables, b, n, g):
    """Fate of node `n`'s packet at gateway `g`."""
    rule = tables.rule[0]
    node, link = state.nodes[b, n], state.links[b, n, g]
    sf, bw = node.point[0], node.point[1]
    if not _is_heard(tables, b, n, g, node.point, link.rssi_dbm):
        return BELOW_SENSITIVITY
    if link.deaf:
        return GATEWAY_SENDING
    if not link.locked:
        return NO_DEMODULATOR
    if link.interfered:
        return INTERFERED
    clear = CULLED and is_clear(state, tables, b, n, g)
    if not clear and (rule.inter_sf == SINR or link.noise_like_mw > 0.0):
        noise_mw = tables.noise_mw[bw]
        if RARE and rule.links:
            noise_mw *= tables.cells[b % tables.cells.shape[0], n, g, node.point[2]].noise_ratio
        if link.power_mw < tables.sinr_ratio[sf] * (noise_mw + link.noise_like_mw):
            return INTERFERED
    if MATRIX and rule.inter_sf == SIR_ENERGY:
        if CULLED:
            know_power_mw(link)
        if not _passes_sir(state, tables, rule, b, n, g, sf, link.power_mw * (node.end_s - node.start_s)):
            return INTERFERED
    return COLLIDED if link.collided else DELIVERED


@compiled()
def _judge(state, tables, b, n, g, best, fate):
    """Judge the packet at gateway `g`; returns the best gateway so far, and the fate there."""
    node, link, gateway = state.nodes[b, n], state.links[b, n, g], state.gateways[b, g]
    gateway_fate = NONE
    if tables.gateway_network[g] == tables.node_network[n]:
        gateway_fate = _fate_at(state, tables, b, n, g)
        louder = best < 0 or link.rssi_dbm > state.links[b, n, best].rssi_dbm
        if (gateway_fate == DELIVERED and (fate != DELIVERED or louder)) or (fate != DELIVERED and louder):
            best, fate = g, gateway_fate
    elif _is_heard(tables, b, n, g, node.point, link.rssi_dbm):
        state.foreign_busy_s[b, g, node.point[2]] += node.end_s - node.start_s
    link.received = gateway_fate == DELIVERED
    gateway.locked -= link.locked
    if RARE and tables.rule[0].inter_sf == DB_RATIO:
        gateway.on_air_dbm = gateway.on_air_dbm - link.rssi_dbm if state.replicas[b].on_air > 1 else 0.0
    if RARE and tables.rule[0].record:
        record_link(state, b, n, g, gateway_fate)
    return best, fate


@compiled()
def end_reception(state, tables, b, n):
    """Judge the packet at the gateways of its network; its fate is the one at the best of them.

    The best gateway is the loudest of those that deliver the packet; if none does, the loudest of all.
    """
    node = state.nodes[b, n]
    best, fate = -1, BELOW_SENSITIVITY
    if CULLED:
        for place in range(1, 1 + state.listeners[b, n, 0]):
            best, fate = _judge(state, tables, b, n, state.listeners[b, n, place], best, fate)
        if best < 0:
            best = loudest(state, tables, b, n)
    else:
        for g in range(state.links.shape[2]):
            best, fate = _judge(state, tables, b, n, g, best, fate)
    node.last_fate = fate
    node.gateway = best
    node.last_rssi_dbm = state.links[b, n, best].rssi_dbm
    for f in range(4):
        node.last_point[f] = node.point[f]
