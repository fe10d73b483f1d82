"""The power at which a gateway receives a packet, and an upper bound of it that takes a tenth of the time."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.features import RARE
from lora_marl.core.kernel.links import link_spread_db
from lora_marl.core.random import draw_index, exponential, node_stream, normal, stream_bits
from lora_marl.core.units import dbm_to_mw as _dbm_to_mw

dbm_to_mw = compiled()(_dbm_to_mw)

_BIN_BITS = 10
_SHIFT_TO_BIN = np.uint64(64 - _BIN_BITS)
ROUNDING_DB = 1e-9
"""Added to bounds: far above the rounding errors of the quantile and of sums of powers in dBm."""


def _uniform_edges() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest and the largest uniform draw whose first bits are those of each bin. `[2^_BIN_BITS]` each"""
    draws_per_bin = 2.0 ** (52 - _BIN_BITS)
    first = np.arange(2**_BIN_BITS) * draws_per_bin
    return (first + 0.5) * 2.0**-52, (first + draws_per_bin - 0.5) * 2.0**-52


def _largest_normal() -> NDArray[np.float64]:
    """The largest normal draw of each bin of random bits; 8.2 of the last one. `[2^_BIN_BITS]`"""
    quantile = NormalDist().inv_cdf  # as exact; the compiled one would be compiled in every process
    return np.array([quantile(edge) for edge in _uniform_edges()[1]]) + ROUNDING_DB


def _largest_fading_db() -> NDArray[np.float64]:
    """The largest gain by Rayleigh fading of each bin of random bits; 15.7 dB of the first one. `[2^_BIN_BITS]`"""
    return 10.0 * np.log10(-np.log(_uniform_edges()[0])) + ROUNDING_DB


NOT_CONVERTED = -1.0
"""Power of a link in mW that was not yet needed, where gateways are culled."""

_LARGEST_NORMAL = _largest_normal()
_LARGEST_FADING_DB = _largest_fading_db()
MOST_FADING_DB = float(_LARGEST_FADING_DB[0])
"""The largest gain by Rayleigh fading of any draw. dB"""


@compiled()
def common_shadowing_db(rule, replica, n, packet):
    """The part of a packet's shadowing that all gateways share. dB"""
    if rule.packet_shadowing and rule.common_db > 0.0:
        return rule.common_db * normal(replica.shadowing_key, n, draw_index(packet, -1))
    return 0.0


@compiled()
def received_dbm(tables, rule, replica, n, packet, g, mean_dbm, common_db):
    """Received power of a packet at gateway `g`: its mean with shadowing and fading."""
    rssi_dbm = mean_dbm + common_db
    if RARE and rule.links:
        rssi_dbm += link_spread_db(tables, replica.shadowing_key, n, packet, g)
    elif rule.packet_shadowing:
        rssi_dbm += rule.own_db * normal(replica.shadowing_key, n, draw_index(packet, g))
    if rule.rayleigh:
        rssi_dbm += 10.0 * np.log10(exponential(replica.fading_key, n, draw_index(packet, g)))
    return rssi_dbm


@compiled()
def know_power_mw(link):
    """Convert a link's power to mW where that was put off, which is marked by a negative one."""
    if link.power_mw < 0.0:
        link.power_mw = dbm_to_mw(link.rssi_dbm)


@compiled()
def shadowing_at_most(stream, counter):
    """A bound of the standard normal draw number `counter` of a node's stream."""
    return _LARGEST_NORMAL[stream_bits(stream, counter) >> _SHIFT_TO_BIN]


@compiled()
def fading_at_most_db(stream, counter):
    """A bound of the gain by Rayleigh fading of draw number `counter` of a node's stream. dB"""
    return _LARGEST_FADING_DB[stream_bits(stream, counter) >> _SHIFT_TO_BIN]


@compiled()
def received_at_most_dbm(rule, replica, n, packet, g, mean_dbm, common_db):
    """A power that `received_dbm` does not exceed, from the first bits of its draws; not of measured links."""
    bound_dbm = mean_dbm + common_db + ROUNDING_DB
    if rule.packet_shadowing:
        bound_dbm += rule.own_db * shadowing_at_most(node_stream(replica.shadowing_key, n), draw_index(packet, g))
    if rule.rayleigh:
        bound_dbm += fading_at_most_db(node_stream(replica.fading_key, n), draw_index(packet, g))
    return bound_dbm
