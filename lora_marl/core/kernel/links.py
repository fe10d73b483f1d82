"""Measured links: what a link adds to received power and to the sensitivity, and gateways that do not listen.

`lora_marl.core.links` says what is modelled. A slow term is kept as its value after the last step that was asked for,
so that a packet costs the steps since the link's last packet.
"""

from __future__ import annotations

import math

import numpy as np

from lora_marl.core.kernel import compiled
from lora_marl.core.links import STEPS_PER_TIME_CONSTANT
from lora_marl.core.random import draw_index, normal, uniform

_KEPT = math.exp(-1.0 / STEPS_PER_TIME_CONSTANT)
_FRESH = math.sqrt(1.0 - _KEPT * _KEPT)
"""An AR(1) step is x -> kept x + fresh z, which keeps the variance at 1."""

_GROUP_DRAWS = 1 << 14
"""Added to a group's number in draws per packet that its gateways share."""


@compiled()
def _slow(state, b, n, place, c, step_s, now_s):
    """The process number `c` (0: of the link, else of channel `c` - 1) of a gateway or group. Mean 0, variance 1"""
    process, key = state.slow[b, n, place, c], state.streams[b].slow
    series = (n * state.slow.shape[2] + place) * state.slow.shape[3] + c
    step = np.int64((state.slow_from_s[b, 0] + now_s) / step_s)
    while process.draws <= step:
        fresh = normal(key, series, process.draws)
        process.value = fresh if process.draws == 0 else _KEPT * process.value + _FRESH * fresh
        process.draws += 1
    return process.value


@compiled()
def _mixed_slow(state, rule, trait, b, n, g, c, step_s, group_step_s, now_s):
    """A slow term with the part that the gateway's group shares. Variance 1"""
    if trait.group < 0:
        return _slow(state, b, n, g, c, step_s, now_s)
    mixed = 0.0
    if rule.group_share > 0.0:
        group = state.links.shape[2] + trait.group
        mixed += np.sqrt(rule.group_share) * _slow(state, b, n, group, c, group_step_s, now_s)
    if rule.group_share < 1.0:
        mixed += np.sqrt(1.0 - rule.group_share) * _slow(state, b, n, g, c, step_s, now_s)
    return mixed


@compiled()
def link_gain_db(state, tables, b, n, g, channel, now_s):
    """Gain of a link on a channel at a time, on top of its mean over the channels; beyond the last one: no channel."""
    rule, trait = tables.rule[0], tables.traits[n, g]
    named = channel < tables.cells.shape[3]
    gain_db = tables.cells[b % tables.cells.shape[0], n, g, channel].gain_db if named else 0.0
    if trait.slow_db > 0.0:
        step_s, group_step_s = trait.slow_step_s, trait.group_slow_step_s
        gain_db += trait.slow_db * _mixed_slow(state, rule, trait, b, n, g, 0, step_s, group_step_s, now_s)
    if trait.channel_slow_db > 0.0 and named:
        step_s, group_step_s = trait.channel_step_s, trait.group_channel_step_s
        slow = _mixed_slow(state, rule, trait, b, n, g, channel + 1, step_s, group_step_s, now_s)
        gain_db += trait.channel_slow_db * slow
    return gain_db


@compiled()
def link_spread_db(tables, key, n, packet, g):
    """The part of a packet's received power that is drawn for the packet."""
    rule, trait = tables.rule[0], tables.traits[n, g]
    if trait.spread_db == 0.0:
        return 0.0
    own = normal(key, n, draw_index(packet, g))
    if trait.group < 0 or rule.group_share == 0.0:
        return trait.spread_db * own
    shared = normal(key, n, draw_index(packet, _GROUP_DRAWS + trait.group))
    return trait.spread_db * (np.sqrt(rule.group_share) * shared + np.sqrt(1.0 - rule.group_share) * own)


@compiled()
def is_off(tables, g, from_s, until_s):
    """Whether gateway `g` is off at some time between two."""
    for k in range(tables.off_s.shape[1]):
        if tables.off_s[g, k, 0] < until_s and tables.off_s[g, k, 1] > from_s:
            return True
    return False


@compiled()
def is_missed(state, tables, b, n, g):
    """Whether gateway `g` misses node `n`'s packet whatever its power."""
    share = tables.missed_share
    if share.shape[0] == 0 or share[n, g] == 0.0:
        return False
    return uniform(state.streams[b].lost, n, draw_index(state.nodes[b, n].packet, g)) < share[n, g]


@compiled()
def is_lost_anyway(state, tables, b, n):
    """Whether node `n`'s packet is lost whatever its links."""
    rule = tables.rule[0]
    return rule.lost_share > 0.0 and uniform(state.streams[b].lost, n, state.nodes[b, n].packet) < rule.lost_share
