"""Nodes and server of NoReL's authors' code: rounds of packets, and adaptive data rate (ADR).

Rounds. A node's round ends with its first packet *received* at or after the tenth. Its utility is successes / 10, of
which the last success is certain, so E[u] = 0.1 + 0.9 p, and a node that is never received never ends a round. The
nearest gateway answers in the second window with SF12 and 14 dBm for 1.71 s; the new parameters act from the uplink's
start on.

ADR, the server: at every 20th packet received of a node, over the last 20 as received at their best gateways,

    SINR = 10 log10(10^(r / 10) / (sum of interferers + 10^-12.3)) dB        (noise -123 dBm)
    n = floor((mean(SINR) - SNR needed at s - M) / 3),   M = sigma_hat + 8 dB, or a given margin
    n > 0: s - 1 down to SF7, then p - 3 dB down to 2 dBm;   n < 0: p + 3 dB up to 14 dBm

ADR, a node that is not at SF12 and 14 dBm: it counts uplinks since its last downlink. From 64 on the next packet
received makes the server answer, on whatever it has; at 96, 128, ... the node takes 14 dBm and the next spreading
factor.

Shape letter: `N` nodes.

Source: NoReL's authors' code (the paper: "every c = 10 packets"; M = 15 dB but for the channel scenario).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import entry_point
from lora_marl.core.published.norel_network import SIGMA, add_uplink
from lora_marl.core.published.norel_receiver import receive, send_downlink

ROUND_PACKETS = 10
ALL_SENT, ALL_DELIVERED, ROUND_SENT, ROUND_DELIVERED = range(4)
"""Rows of `Counters.packets`: since the beginning, and since the node's round began."""


class Counters(NamedTuple):
    """Packets counted so far."""

    packets: NDArray[np.int64]  # [4, N]
    judged: NDArray[np.int64]  # [1], uplinks judged


def zero_counters(nodes: int) -> Counters:
    """The counters before the first packet."""
    return Counters(np.zeros((4, nodes), np.int64), np.zeros(1, np.int64))


@entry_point()
def receive_next(channel, counters, estimates):  # type: ignore[no-untyped-def]
    """Judge and count the next uplink; returns the gateway that received it best, or -1."""
    packet = counters.judged[0]
    counters.judged[0] = packet + 1
    n = channel.node[packet]
    gateway = receive(channel, packet)
    add_uplink(estimates, n, channel.tp_dbm[n] - channel.rssi_dbm[-1], channel.start_s[packet])
    received = gateway >= 0
    counters.packets[ALL_SENT, n] += 1
    counters.packets[ALL_DELIVERED, n] += received
    counters.packets[ROUND_SENT, n] += 1
    counters.packets[ROUND_DELIVERED, n] += received
    return gateway


@entry_point()
def run_round(channel, counters, estimates):  # type: ignore[no-untyped-def]
    """Run until some node's round ends; returns the round's last uplink, or -1 when no uplink is left."""
    while counters.judged[0] < len(channel.start_s):
        packet = counters.judged[0]
        gateway = receive_next(channel, counters, estimates)
        if gateway >= 0 and counters.packets[ROUND_SENT, channel.node[packet]] >= ROUND_PACKETS:
            return packet
    return -1


@entry_point()
def send_answer(channel, counters, packet):  # type: ignore[no-untyped-def]
    """Send the downlink that ends a round, after the parameters that it carries have been put in force."""
    n = channel.node[packet]
    send_downlink(channel, channel.start_s[packet], channel.sf[n], channel.nearest[n])
    counters.packets[ROUND_SENT, n] = 0
    counters.packets[ROUND_DELIVERED, n] = 0


@entry_point()
def run_fixed(channel, counters, estimates, answers):  # type: ignore[no-untyped-def]
    """Run all uplinks with the parameters in force; `answers`: with the downlinks of rounds that nobody learns from."""
    while True:
        packet = run_round(channel, counters, estimates)
        if packet < 0:
            return
        if answers:
            send_answer(channel, counters, packet)


HISTORY = 20
"""Received packets between two decisions of the server."""

NOISE_MW = 10.0**-12.3
"""Noise at a gateway, -123 dBm, of which the server computes the SINR. mW. Source: NoReL's authors' code."""

ABOVE_SIGMA_DB = 8.0
"""Margin of the server above the estimated standard deviation of shadowing. dB. Source: NoReL's authors' code."""

SNR_AT_SF7_DB, SNR_PER_SF_DB = -7.5, 2.5
"""Least SNR of reception at SF7, and by how much each higher spreading factor needs less. dB. Source: SX1276
datasheet."""

ADR_ACK_LIMIT, ADR_ACK_DELAY = 64, 32
"""LoRaWAN's names: a node asks for an answer after so many packets without one, and backs off after so many more."""

LEAST_DBM, MOST_DBM, STEP_DB = 2.0, 14.0, 3.0
"""Least and most transmit power, in dBm, and the step of power and of SNR that a command counts in, in dB. Source:
NoReL's authors' code."""


class AdrState(NamedTuple):
    """The server's record of each node, and the nodes' counters."""

    sinr_db: NDArray[np.float64]  # [N, HISTORY]
    received: NDArray[np.int64]  # [N], packets received
    unanswered: NDArray[np.int64]  # [N], uplinks since the last downlink


def initial_adr_state(nodes: int) -> AdrState:
    """The state of ADR before the first packet."""
    return AdrState(np.zeros((nodes, HISTORY)), np.zeros(nodes, np.int64), np.zeros(nodes, np.int64))


@entry_point()
def sinr_db(rssi_dbm, overlap_mw):  # type: ignore[no-untyped-def]
    """Signal over interference and noise. dB"""
    return 10.0 * math.log10(10.0 ** (rssi_dbm / 10.0) / (overlap_mw + NOISE_MW))


@entry_point()
def commanded_point(mean_db, sf, tp_dbm, margin_db):  # type: ignore[no-untyped-def]
    """Return the point that the server commands: index of the spreading factor, and power in dBm."""
    steps = math.floor((mean_db - (SNR_AT_SF7_DB - SNR_PER_SF_DB * sf) - margin_db) / STEP_DB)
    while steps > 0 and sf > 0:
        sf -= 1
        steps -= 1
    while steps > 0 and tp_dbm > LEAST_DBM:
        tp_dbm -= STEP_DB
        steps -= 1
    while steps < 0 and tp_dbm < MOST_DBM:
        tp_dbm += STEP_DB
        steps += 1
    return sf, tp_dbm


@entry_point()
def _command(channel, adr, estimates, packet, margin_db, forced):  # type: ignore[no-untyped-def]
    """Decide on a node and send the command if it is new or forced; a nan margin stands for sigma_hat + 8 dB."""
    n = channel.node[packet]
    margin = estimates.now[SIGMA] + ABOVE_SIGMA_DB if math.isnan(margin_db) else margin_db
    count = min(adr.received[n], HISTORY)
    old_sf, old_dbm = channel.sf[n], channel.tp_dbm[n]
    sf, tp_dbm = commanded_point(adr.sinr_db[n, :count].mean(), old_sf, old_dbm, margin)
    if forced or sf != old_sf or tp_dbm != old_dbm:
        channel.sf[n], channel.tp_dbm[n] = sf, tp_dbm
        adr.unanswered[n] = 0
        send_downlink(channel, channel.start_s[packet], old_sf, channel.nearest[n])


@entry_point()
def _back_off(channel, n, unanswered):  # type: ignore[no-untyped-def]
    """When it is time, give a node the highest power and the next spreading factor."""
    if unanswered >= ADR_ACK_LIMIT + ADR_ACK_DELAY and unanswered % ADR_ACK_DELAY == 0:
        channel.tp_dbm[n] = MOST_DBM
        channel.sf[n] = min(channel.sf[n] + 1, len(channel.airtime_s) - 1)


@entry_point()
def run_adr(channel, counters, estimates, adr, margin_db):  # type: ignore[no-untyped-def]
    """Run all uplinks under ADR; for the margin see `_command`."""
    while counters.judged[0] < len(channel.start_s):
        packet = counters.judged[0]
        n = channel.node[packet]
        gateway = receive_next(channel, counters, estimates)
        if channel.sf[n] < len(channel.airtime_s) - 1 or channel.tp_dbm[n] < MOST_DBM:
            adr.unanswered[n] += 1
        if gateway >= 0:
            place = adr.received[n] % HISTORY
            adr.sinr_db[n, place] = sinr_db(channel.rssi_dbm[gateway], channel.overlap_mw[gateway])
            adr.received[n] += 1
        forced = gateway >= 0 and adr.unanswered[n] >= ADR_ACK_LIMIT
        if forced or (gateway >= 0 and adr.received[n] % HISTORY == 0):
            _command(channel, adr, estimates, packet, margin_db, forced)
        else:
            _back_off(channel, n, adr.unanswered[n])
