"""Collision, capture and interference of two packets that overlap on the air, at every gateway."""

from __future__ import annotations

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.culling import AUDIBLE, at_most_dbm, know_power
from lora_marl.core.kernel.disturbers import add_disturber, is_negligible
from lora_marl.core.kernel.features import CULLED, MATRIX, RARE
from lora_marl.core.kernel.power import know_power_mw
from lora_marl.core.kernel.rule import INTER_SF

NONE = INTER_SF["none"]
SIR_PAIRWISE = INTER_SF["sir_pairwise"]
SIR_ENERGY = INTER_SF["sir_energy"]
SINR = INTER_SF["sinr"]
DB_RATIO = INTER_SF["db_ratio"]


@compiled()
def survives(advantage_db, threshold_db, equality_survives):
    """Whether a power advantage meets a threshold."""
    return advantage_db > threshold_db or (equality_survives and advantage_db == threshold_db)


@compiled()
def _collide(rule, new, old, hits_new, hits_old):
    """Same spreading factor: the weaker packet is lost, and the stronger too unless it captures the gateway."""
    advantage_db = new.rssi_dbm - old.rssi_dbm
    if hits_new and not survives(advantage_db, rule.capture_db, rule.equality_survives):
        new.collided = True
    if hits_old and not survives(-advantage_db, rule.capture_db, rule.equality_survives):
        old.collided = True


@compiled()
def _interfere(rule, tables, new, old, new_sf, old_sf, hits_new, hits_old):
    """Compare each signal with a single interferer of another spreading factor."""
    advantage_db = new.rssi_dbm - old.rssi_dbm
    if hits_new and not survives(advantage_db, tables.sir_db[new_sf, old_sf], rule.equality_survives):
        new.interfered = True
    if hits_old and not survives(-advantage_db, tables.sir_db[old_sf, new_sf], rule.equality_survives):
        old.interfered = True


@compiled()
def _add_energy(state, b, p, q, g, new, old, to_new, to_old):
    """Add to each packet that it concerns the other's energy (mW s) while both are on the air and harmful."""
    new_node, old_node = state.nodes[b, p], state.nodes[b, q]
    until_s = min(new_node.end_s, old_node.end_s)
    if to_new:
        state.sf_energy[b, p, g, old_node.point[0]] += old.power_mw * max(until_s - new_node.critical_s, 0.0)
    if to_old:
        from_s = max(new_node.start_s, old_node.critical_s)
        state.sf_energy[b, q, g, new_node.point[0]] += new.power_mw * max(until_s - from_s, 0.0)


@compiled()
def _add_power(rule, new, old, hits_new, hits_old, noise_like):
    """Add to each packet the other's power (mW)."""
    if hits_new:
        new.overlap_mw += old.power_mw
        if noise_like:
            new.noise_like_mw += old.power_mw
    if hits_old:
        new_power_mw = new.power_mw
        old.overlap_mw += new_power_mw
        if noise_like and not rule.at_start:
            old.noise_like_mw += new_power_mw


@compiled()
def _overlap_at(state, tables, b, p, q, g, hits_new, hits_old, same_sf, noise_like):
    """Apply the rule at gateway `g` to node `p`'s new packet and node `q`'s; `hits_...`: the other may harm it.

    Gateways of neither network are skipped: what they would make of the packets is of no interest.
    """
    rule, new_node, old_node = tables.rule[0], state.nodes[b, p], state.nodes[b, q]
    to_new = tables.gateway_network[g] == tables.node_network[p]
    to_old = tables.gateway_network[g] == tables.node_network[q]
    if not (to_new or to_old or (RARE and rule.record)):
        return
    new, old = state.links[b, p, g], state.links[b, q, g]
    new_point, old_point = new_node.point, old_node.point
    if RARE or CULLED:
        hits_new = hits_new and not is_negligible(tables, old.rssi_dbm, old_point[1])
        hits_old = hits_old and not is_negligible(tables, new.rssi_dbm, new_point[1])
    equal_bw = new_point[1] == old_point[1]
    by_energy = MATRIX and rule.inter_sf == SIR_ENERGY and equal_bw
    if rule.linear and not CULLED:
        _add_power(rule, new, old, hits_new, hits_old, noise_like)
    if MATRIX and by_energy:
        if CULLED:
            know_power_mw(new)
            know_power_mw(old)
        _add_energy(state, b, p, q, g, new, old, to_new and hits_new, to_old and hits_old)
    elif same_sf:
        if rule.lost_packets_interfere or not new_node.lost:
            _collide(rule, new, old, hits_new, hits_old)
    elif MATRIX and rule.inter_sf == SIR_PAIRWISE and equal_bw:
        _interfere(rule, tables, new, old, new_point[0], old_point[0], hits_new, hits_old)


@compiled()
def _cannot_harm(state, tables, b, p, q, g, same_sf):
    """Whether node `q`'s packet, at most as loud as its bound, changes nothing for node `p`'s at gateway `g`."""
    rule, point, disturber = tables.rule[0], state.nodes[b, p].point, state.nodes[b, q].point
    bound_dbm = at_most_dbm(state, tables, b, q, g)
    if is_negligible(tables, bound_dbm, disturber[1]):
        return True
    equal_bw = point[1] == disturber[1]
    if MATRIX and rule.inter_sf == SIR_ENERGY and equal_bw:
        return False
    advantage_db = state.links[b, p, g].rssi_dbm - bound_dbm
    if same_sf:
        return survives(advantage_db, rule.capture_db, rule.equality_survives)
    if MATRIX and rule.inter_sf == SIR_PAIRWISE and equal_bw:
        return survives(advantage_db, tables.sir_db[point[0], disturber[0]], rule.equality_survives)
    return True


@compiled()
def _overlap_where_heard(state, tables, b, p, q, hits_new, hits_old, same_sf):
    """Apply the rule at the gateways that hear one of the packets at least; either is harmed only where it is heard."""
    for place in range(1, 1 + state.listeners[b, p, 0]):
        g = state.listeners[b, p, place]
        harms_old = hits_old and state.hearing[b, q, g] == AUDIBLE
        if harms_old or (hits_new and not _cannot_harm(state, tables, b, p, q, g, same_sf)):
            know_power(state, tables, b, q, g)
            _overlap_at(state, tables, b, p, q, g, hits_new, harms_old, same_sf, False)
    if not hits_old:
        return
    for place in range(1, 1 + state.listeners[b, q, 0]):
        g = state.listeners[b, q, place]
        if state.hearing[b, p, g] != AUDIBLE and not _cannot_harm(state, tables, b, q, p, g, same_sf):
            know_power(state, tables, b, p, g)
            _overlap_at(state, tables, b, p, q, g, False, True, same_sf, False)


@compiled()
def _overlap_packet(state, tables, b, p, q):
    """Apply the rule where node `p` starts a packet while node `q`'s is on the air of an overlapping channel."""
    rule = tables.rule[0]
    new_node, old_node = state.nodes[b, p], state.nodes[b, q]
    hits_new = old_node.end_s > new_node.critical_s
    hits_old = new_node.end_s > old_node.critical_s
    if rule.spares_pair:
        hits_old = hits_new
    if not (hits_new or hits_old):
        return
    new_point, old_point = new_node.point, old_node.point
    equal_bw = new_point[1] == old_point[1]
    same_sf = new_point[0] == old_point[0] and (equal_bw or not rule.same_sf_needs_equal_bw)
    by_matrix = MATRIX and equal_bw and (rule.inter_sf == SIR_ENERGY or rule.inter_sf == SIR_PAIRWISE)
    noise_like = not same_sf and not by_matrix and rule.inter_sf not in (NONE, DB_RATIO)
    if CULLED and noise_like:
        if hits_new:
            add_disturber(state, tables, b, p, q)
        if hits_old and not rule.at_start:
            add_disturber(state, tables, b, q, p)
    elif CULLED:
        if same_sf or by_matrix:
            _overlap_where_heard(state, tables, b, p, q, hits_new, hits_old, same_sf)
    else:
        for g in range(state.links.shape[2]):
            _overlap_at(state, tables, b, p, q, g, hits_new, hits_old, same_sf, noise_like)


@compiled()
def overlap_packets(state, tables, b, n):
    """Apply the rule to node `n`'s new packet and every packet on the air of the channels that it overlaps."""
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
                _overlap_packet(state, tables, b, n, q)
            q = old.older


@compiled()
def join_channel(state, b, n, channel):
    """Put a node at the head of its channel's list of packets on the air."""
    newest = state.newest[b, channel]
    node = state.nodes[b, n]
    node.newer = -1
    node.older = newest
    if newest >= 0:
        state.nodes[b, newest].newer = n
    state.newest[b, channel] = n


@compiled()
def leave_channel(state, b, n):
    """Take a node out of its channel's list of packets on the air."""
    node = state.nodes[b, n]
    if node.newer >= 0:
        state.nodes[b, node.newer].older = node.older
    else:
        state.newest[b, node.point[2]] = node.older
    if node.older >= 0:
        state.nodes[b, node.older].newer = node.newer
