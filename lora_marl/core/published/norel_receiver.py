"""The receiver of NoReL's authors' code: uplinks and downlinks on one channel, judged pair by pair.

A packet of node i that starts at t with spreading factor s meets every transmission that starts in [t, t + T_s), and
every earlier one that is still on the air at t + 7.25 symbols. At every gateway r = p_i + gain + X; the packet is lost
there if r < S_s, or if r - r_j <= SIR(s, s_j) for one of those j, with X drawn anew for every power, pair and gateway.

| rule | earlier transmissions |
|---|---|
| early stop | backwards in order of start up to the first that has ended: a short one hides a longer, older one |
| full scan | all |

Transmissions have the spreading factor and power that their sender has *now*, whatever they began with. Gateways are
nodes N, N + 1, ... with SF12 and 14 dBm at distance 0 from themselves, so a downlink deafens its own gateway.

Source: NoReL's authors' code; NoReL, section on the simulator.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import entry_point
from lora_marl.core.random import normal

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SENT, PASSED, DRAWN = 0, 1, 2
"""Places in `Channel.counts`: downlinks sent, downlinks before the last uplink judged, normal draws taken."""
WAIT_S = 2.0
"""From an uplink's end to its downlink: the second window."""


class Channel(NamedTuple):
    """Everything on the channel. `P` uplinks, at most `D` downlinks."""

    start_s: Floats  # [P], of the uplinks, in order
    node: Ints  # [P], that sends them
    down_s: Floats  # [D], start of the downlinks, in order
    down_gateway: Ints  # [D]
    counts: Ints  # [3]
    sf: Ints  # [N + G], index of the spreading factor in force
    tp_dbm: Floats  # [N + G], in force
    gain_db: Floats  # [N + G, G]
    nearest: Ints  # [N], gateway that answers
    airtime_s: Floats  # [S]
    spared_s: Floats  # [S], start of a packet that may be hit without harm
    sensitivity_dbm: Floats  # [S]
    sir_db: Floats  # [S, S], wanted by interfering
    sigma_db: float
    key: np.uint64  # of the draws
    early_stop: bool
    rssi_dbm: Floats  # [G], of the last uplink judged
    overlap_mw: Floats  # [G], sum of its interferers' powers, complete where it was received
    lost: NDArray[np.bool_]  # [G], whether it was lost there


@entry_point()
def _power_dbm(channel, n, g):  # type: ignore[no-untyped-def]
    """Received power of sender `n` at gateway `g`, shadowing drawn anew. dBm"""
    power_dbm = channel.tp_dbm[n] + channel.gain_db[n, g]
    if channel.sigma_db > 0.0:
        power_dbm += channel.sigma_db * normal(channel.key, n, channel.counts[DRAWN])
        channel.counts[DRAWN] += 1
    return power_dbm


@entry_point()
def _disturb(channel, sf, j):  # type: ignore[no-untyped-def]
    """Let sender `j` disturb the uplink that is judged, at every gateway."""
    for g in range(len(channel.lost)):
        if not channel.lost[g]:
            power_dbm = _power_dbm(channel, j, g)
            channel.overlap_mw[g] += 10.0 ** (power_dbm / 10.0)
            channel.lost[g] = channel.rssi_dbm[g] - power_dbm <= channel.sir_db[sf, channel.sf[j]]


@entry_point()
def _earlier(channel, packet, start_s, sf):  # type: ignore[no-untyped-def]
    """Let the transmissions that began before the uplink disturb it."""
    critical_s = start_s + channel.spared_s[sf]
    oldest_s = start_s - channel.airtime_s[-1]
    nodes = len(channel.nearest)
    up, down = packet - 1, channel.counts[PASSED] - 1
    while up >= 0 or down >= 0:
        from_node = down < 0 or (up >= 0 and channel.start_s[up] >= channel.down_s[down])
        if from_node:
            j, began_s = channel.node[up], channel.start_s[up]
            up -= 1
        else:
            j, began_s = nodes + channel.down_gateway[down], channel.down_s[down]
            down -= 1
        if began_s + channel.airtime_s[channel.sf[j]] > critical_s:
            _disturb(channel, sf, j)
        elif channel.early_stop or began_s < oldest_s:
            return


@entry_point()
def _later(channel, packet, start_s, sf):  # type: ignore[no-untyped-def]
    """Let those that begin during the uplink disturb it."""
    end_s = start_s + channel.airtime_s[sf]
    up, down = packet + 1, channel.counts[PASSED]
    while up < len(channel.start_s) and channel.start_s[up] < end_s:
        _disturb(channel, sf, channel.node[up])
        up += 1
    while down < channel.counts[SENT] and channel.down_s[down] < end_s:
        _disturb(channel, sf, len(channel.nearest) + channel.down_gateway[down])
        down += 1


@entry_point()
def receive(channel, packet):  # type: ignore[no-untyped-def]
    """Judge an uplink: the gateway that received it best, or -1. Uplinks must be judged in order."""
    n, start_s = channel.node[packet], channel.start_s[packet]
    sf = channel.sf[n]
    while channel.counts[PASSED] < channel.counts[SENT] and channel.down_s[channel.counts[PASSED]] < start_s:
        channel.counts[PASSED] += 1
    for g in range(len(channel.lost)):
        channel.rssi_dbm[g] = _power_dbm(channel, n, g)
        channel.lost[g] = channel.rssi_dbm[g] < channel.sensitivity_dbm[sf]
        channel.overlap_mw[g] = 0.0
    _earlier(channel, packet, start_s, sf)
    _later(channel, packet, start_s, sf)
    best = -1
    for g in range(len(channel.lost)):
        if not channel.lost[g] and (best < 0 or channel.rssi_dbm[g] > channel.rssi_dbm[best]):
            best = g
    return best


@entry_point()
def send_downlink(channel, uplink_s, sf, gateway):  # type: ignore[no-untyped-def]
    """Answer an uplink of spreading factor `sf` in the second window; nothing delays the downlink or takes it away."""
    start_s = uplink_s + channel.airtime_s[sf] + WAIT_S
    place = channel.counts[SENT]
    while place > 0 and channel.down_s[place - 1] > start_s:
        channel.down_s[place] = channel.down_s[place - 1]
        channel.down_gateway[place] = channel.down_gateway[place - 1]
        place -= 1
    channel.down_s[place] = start_s
    channel.down_gateway[place] = gateway
    channel.counts[SENT] += 1
