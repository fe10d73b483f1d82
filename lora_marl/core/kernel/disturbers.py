"""Noise-like power of other packets, summed only where it can change a fate.

Where gateways are culled, a packet keeps a list of those that disturb it as noise, in the order in which they came. At
its end a bound of their sum decides at most gateways that hear it; where it does not, the powers are drawn and added in
the order of the list, so that the sum is the same to the bit as if each had been added when it came.
"""

from __future__ import annotations

from lora_marl.core.kernel import called, compiled
from lora_marl.core.kernel.power import common_shadowing_db, dbm_to_mw, received_at_most_dbm, received_dbm

_ROUNDING_RATIO = 1.0 + 1e-9
"""Above the rounding errors of a sum of powers."""


@compiled()
def is_negligible(tables, rssi_dbm, bw):
    """Whether a power is so far below the noise that the scenario neglects it."""
    limits_dbm = tables.negligible_dbm
    return limits_dbm.shape[0] > 0 and rssi_dbm < limits_dbm[bw]


@compiled()
def add_disturber(state, tables, b, n, q):
    """Put node `q`'s packet on the list of those that disturb node `n`'s.

    Where all of its powers are known, tables may have changed since its start: they are added at once.
    """
    if state.all_known[b, q]:
        settle(state, tables, b, n)
        for place in range(1, 1 + state.listeners[b, n, 0]):
            g = state.listeners[b, n, place]
            other = state.links[b, q, g]
            if not is_negligible(tables, other.rssi_dbm, state.nodes[b, q].point[1]):
                state.links[b, n, g].noise_like_mw += other.power_mw
        return
    if state.disturbing[b, n] == state.disturbers.shape[2]:
        settle(state, tables, b, n)
    sender = state.nodes[b, q]
    disturber = state.disturbers[b, n, state.disturbing[b, n]]
    disturber.node = q
    disturber.packet = sender.packet
    disturber.bw = sender.point[1]
    disturber.tp_dbm = tables.tp_dbm[sender.point[3]] - tables.channel_loss_db[sender.point[2]]
    disturber.common_db = common_shadowing_db(tables.rule[0], state.replicas[b], q, sender.packet)
    state.disturbing[b, n] += 1


@compiled()
def _at_most_mw(state, tables, b, n, g):
    """A bound of the power of the listed packets that disturb node `n`'s at gateway `g`. mW"""
    rule, replica, placement, most_mw = tables.rule[0], state.replicas[b], b % tables.gain_db.shape[0], 0.0
    for place in range(state.disturbing[b, n]):
        other = state.disturbers[b, n, place]
        mean_dbm = other.tp_dbm + tables.gain_db[placement, other.node, g]
        bound_dbm = received_at_most_dbm(rule, replica, other.node, other.packet, g, mean_dbm, other.common_db)
        if not is_negligible(tables, bound_dbm, other.bw):
            most_mw += dbm_to_mw(bound_dbm)
    return most_mw * _ROUNDING_RATIO


@called()
def _settle_at(state, tables, b, n, g):
    """Add the power of the listed packets to node `n`'s link to gateway `g`."""
    rule, replica, placement = tables.rule[0], state.replicas[b], b % tables.gain_db.shape[0]
    link = state.links[b, n, g]
    for place in range(state.disturbing[b, n]):
        other = state.disturbers[b, n, place]
        mean_dbm = other.tp_dbm + tables.gain_db[placement, other.node, g]
        rssi_dbm = received_dbm(tables, rule, replica, other.node, other.packet, g, mean_dbm, other.common_db)
        if not is_negligible(tables, rssi_dbm, other.bw):
            link.noise_like_mw += dbm_to_mw(rssi_dbm)


@called()
def settle(state, tables, b, n):
    """Add the power of the listed packets at all gateways that hear node `n`'s, and empty the list."""
    if state.disturbing[b, n] > 0:
        for place in range(1, 1 + state.listeners[b, n, 0]):
            _settle_at(state, tables, b, n, state.listeners[b, n, place])
        state.disturbing[b, n] = 0


@compiled()
def is_clear(state, tables, b, n, g):
    """Whether node `n`'s packet, heard by gateway `g`, meets its SINR threshold; False: its link has the sum.

    A packet without any disturber is compared in dB, which spares the conversion of its power.
    """
    rule, node, link = tables.rule[0], state.nodes[b, n], state.links[b, n, g]
    sf, bw = node.point[0], node.point[1]
    disturbed = state.disturbing[b, n] > 0
    if not disturbed and link.noise_like_mw == 0.0 and link.rssi_dbm > tables.sinr_floor_dbm[sf, bw]:
        return True
    if link.power_mw < 0.0 and rule.linear:
        link.power_mw = dbm_to_mw(link.rssi_dbm)
    if not disturbed:
        return False
    most_mw = link.noise_like_mw * _ROUNDING_RATIO + _at_most_mw(state, tables, b, n, g)
    if link.power_mw >= tables.sinr_ratio[sf] * (tables.noise_mw[bw] + most_mw) * _ROUNDING_RATIO:
        return True
    _settle_at(state, tables, b, n, g)
    return False
