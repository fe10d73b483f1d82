"""Gateways that a packet does not reach cost next to nothing, and no fate differs.

Draws are functions of their counters, so what a gateway makes of a packet can be worked out when it is needed. At the
start of a packet, the first ten bits of its draw bound its power at each gateway; where the bound lies below the
sensitivity, the fate is known, and the power itself is computed only if the packet may disturb another one there that
is heard. What stays is a list of the gateways that hear it, and for each gateway whether its power there is known.

Not with measured links, whose slow terms must be asked for in order of time, nor with records and `db_ratio`, which
need every power. Before tables change, the powers of all packets on the air are computed.
"""

from __future__ import annotations

from lora_marl.core.kernel import called, compiled
from lora_marl.core.kernel.disturbers import settle
from lora_marl.core.kernel.power import (
    MOST_FADING_DB,
    NOT_CONVERTED,
    ROUNDING_DB,
    common_shadowing_db,
    fading_at_most_db,
    know_power_mw,
    received_at_most_dbm,
    received_dbm,
    shadowing_at_most,
)
from lora_marl.core.kernel.state import SENDING
from lora_marl.core.random import draw_index, node_stream
from lora_marl.core.scenario import Scenario

UNKNOWN, FAINT, AUDIBLE = 0, 1, 2
"""Of a packet at a gateway: below its sensitivity, its power not computed; below it; at or above it."""

LEAST_GATEWAYS = 8
"""Fewer gateways than these are looked at one by one, which is as fast there (measured), and needs no lists."""


def culls(scenario: Scenario, record: bool) -> bool:
    """Whether the air of a scenario lists the gateways that hear a packet."""
    by_power = scenario.links is None and scenario.reception.inter_sf != "db_ratio" and not record
    return by_power and scenario.gateways >= LEAST_GATEWAYS


@compiled()
def _mean_tp_dbm(tables, point):
    """Transmit power of a point less the loss of its channel. dBm"""
    return tables.tp_dbm[point[3]] - tables.channel_loss_db[point[2]]


@compiled()
def at_most_dbm(state, tables, b, n, g):
    """Received power of node `n`'s packet at gateway `g`, or a bound of it where it is not known. dBm"""
    if state.hearing[b, n, g] != UNKNOWN:
        return state.links[b, n, g].rssi_dbm
    rule, replica, node = tables.rule[0], state.replicas[b], state.nodes[b, n]
    common_db = common_shadowing_db(rule, replica, n, node.packet)
    mean_dbm = _mean_tp_dbm(tables, node.point) + tables.gain_db[b % tables.gain_db.shape[0], n, g]
    return received_at_most_dbm(rule, replica, n, node.packet, g, mean_dbm, common_db)


@called()
def know_power(state, tables, b, n, g):
    """Compute the power of node `n`'s packet at gateway `g`, unless it is known."""
    if state.hearing[b, n, g] != UNKNOWN:
        return
    rule, replica, node, link = tables.rule[0], state.replicas[b], state.nodes[b, n], state.links[b, n, g]
    common_db = common_shadowing_db(rule, replica, n, node.packet)
    mean_dbm = _mean_tp_dbm(tables, node.point) + tables.gain_db[b % tables.gain_db.shape[0], n, g]
    link.rssi_dbm = received_dbm(tables, rule, replica, n, node.packet, g, mean_dbm, common_db)
    link.power_mw = NOT_CONVERTED if rule.linear else 0.0
    state.hearing[b, n, g] = FAINT


@called()
def loudest(state, tables, b, n):
    """The gateway of its network that node `n`'s packet reaches with the highest power, which is known then; or -1."""
    rule, replica, node, best, best_dbm = tables.rule[0], state.replicas[b], state.nodes[b, n], -1, 0.0
    common_db = common_shadowing_db(rule, replica, n, node.packet)
    mean_tp_dbm, placement = _mean_tp_dbm(tables, node.point) + common_db, b % tables.gain_db.shape[0]
    own_db = rule.own_db if rule.packet_shadowing else 0.0
    shadowing = node_stream(replica.shadowing_key, n)
    fading_db = MOST_FADING_DB if rule.rayleigh else 0.0
    for g in range(state.links.shape[2]):
        if tables.gateway_network[g] != tables.node_network[n]:
            continue
        bound_dbm = mean_tp_dbm + ROUNDING_DB + tables.gain_db[placement, n, g] + fading_db
        if own_db > 0.0:
            bound_dbm += own_db * shadowing_at_most(shadowing, draw_index(node.packet, g))
        if best < 0 or bound_dbm > best_dbm or state.hearing[b, n, g] != UNKNOWN:
            know_power(state, tables, b, n, g)
            rssi_dbm = state.links[b, n, g].rssi_dbm
            if best < 0 or rssi_dbm > best_dbm:
                best, best_dbm = g, rssi_dbm
    return best


@compiled()
def clear_listeners(state, b, n):
    """Forget which gateways heard node `n`'s last packet, and what they made of it."""
    for place in range(1, 1 + state.listeners[b, n, 0]):
        link = state.links[b, n, state.listeners[b, n, place]]
        link.received = False
        link.locked = False
    state.disturbing[b, n] = 0
    state.all_known[b, n] = False


@compiled()
def list_candidates(state, tables, b, n, mean_tp_dbm, floor_dbm):
    """List the gateways whose bound of the packet's power is not below the sensitivity; the fate at others is known.

    What the loop needs is in locals: it is run for every gateway, and most do not hear the packet.
    """
    rule, replica, packet = tables.rule[0], state.replicas[b], state.nodes[b, n].packet
    own_db = rule.own_db if rule.packet_shadowing else 0.0
    rayleigh = rule.rayleigh
    shadowing, fading = node_stream(replica.shadowing_key, n), node_stream(replica.fading_key, n)
    placement = b % tables.gain_db.shape[0]
    count = 0
    for g in range(state.links.shape[2]):
        state.hearing[b, n, g] = UNKNOWN
        bound_dbm = mean_tp_dbm + ROUNDING_DB + tables.gain_db[placement, n, g]
        if own_db > 0.0:
            bound_dbm += own_db * shadowing_at_most(shadowing, draw_index(packet, g))
        if rayleigh:
            bound_dbm += fading_at_most_db(fading, draw_index(packet, g))
        state.listeners[b, n, 1 + count] = g
        count += bound_dbm >= floor_dbm
    state.listeners[b, n, 0] = 0
    return count


@compiled()
def add_listener(state, b, n, g):
    """Put gateway `g` on the list of those that hear node `n`'s packet."""
    state.hearing[b, n, g] = AUDIBLE
    state.listeners[b, n, 0] += 1
    state.listeners[b, n, state.listeners[b, n, 0]] = g


@compiled()
def know_all_powers(state, tables, b):
    """Compute all powers that were put off."""
    for n in range(state.listeners.shape[1]):
        if state.nodes[b, n].phase == SENDING:
            settle(state, tables, b, n)
            state.all_known[b, n] = True
        for g in range(state.links.shape[2]):
            if state.nodes[b, n].phase == SENDING:
                know_power(state, tables, b, n, g)
            know_power_mw(state.links[b, n, g])


@compiled()
def list_listeners(state, tables, b):
    """Make the lists anew from powers, all of which are known, and from what gateways made of packets that ended."""
    for n in range(state.listeners.shape[1]):
        node = state.nodes[b, n]
        state.listeners[b, n, 0] = 0
        state.disturbing[b, n] = 0
        state.all_known[b, n] = node.phase == SENDING
        for g in range(state.links.shape[2]):
            link = state.links[b, n, g]
            state.hearing[b, n, g] = FAINT
            heard = link.received or link.locked
            if node.phase == SENDING:
                heard = heard or link.rssi_dbm >= tables.sensitivity_dbm[node.point[0], node.point[1]]
            if heard:
                add_listener(state, b, n, g)
