"""Adaptive data rate as in NoReL's authors' code: a server that knows interference, and nodes that ask and back off.

Server, at every 20th packet received of a node, over the last 20 as received at their best gateways:

    SINR = 10 log10(10^(r / 10) / (sum of interferers + 10^-12.3)) dB        (noise -123 dBm)
    n = floor((mean(SINR) - SNR needed at s - M) / 3),   M = sigma_hat + 8 dB, or a given margin
    n > 0: s - 1 down to SF7, then p - 3 dB down to 2 dBm;   n < 0: p + 3 dB up to 14 dBm

Node, unless at SF12 and 14 dBm: a counter of uplinks since the last downlink. From 64 on the next packet received makes
the server answer, on whatever it has; at 96, 128, ... the node takes 14 dBm and the next spreading factor.

Source: NoReL's authors' code (the paper: M = 15 dB but for the channel scenario).

The rounds of NoReL's authors' code, played on `early_stop`'s channel.

A node's round ends with its first packet *received* at or after the tenth: its utility is succ / 10, of which the last
success is certain, so E[u] = 0.1 + 0.9 p and a node that is never received never ends a round. The nearest gateway
answers in the second window, SF12, 14 dBm, 1.71 s; the new parameters act from the uplink's start on.

Source: NoReL's authors' code (the paper: "every c = 10 packets").
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel.compiled import kernel
from lora_marl.core.published.norel_network import SIGMA, note
from lora_marl.core.published.norel_receiver import receive, send_downlink

ROUND_PACKETS = 10
ALL_SENT, ALL_DELIVERED, ROUND_SENT, ROUND_DELIVERED = range(4)


class Books(NamedTuple):
    """What is counted."""

    packets: NDArray[np.int64]  # [4, N]
    judged: NDArray[np.int64]  # [1], uplinks so far


def empty_books(nodes: int) -> Books:
    """Before the first packet."""
    return Books(np.zeros((4, nodes), np.int64), np.zeros(1, np.int64))


@kernel()
def judge_next(air, books, estimate):  # type: ignore[no-untyped-def]
    """Judge and book the next uplink: the gateway that received it best, or -1."""
    packet = books.judged[0]
    books.judged[0] = packet + 1
    n = air.node[packet]
    gateway = receive(air, packet)
    note(estimate, n, air.tp_dbm[n] - air.rssi_dbm[-1], air.start_s[packet])
    received = gateway >= 0
    books.packets[ALL_SENT, n] += 1
    books.packets[ALL_DELIVERED, n] += received
    books.packets[ROUND_SENT, n] += 1
    books.packets[ROUND_DELIVERED, n] += received
    return gateway


@kernel()
def play_round(air, books, estimate):  # type: ignore[no-untyped-def]
    """Play until the round of some node ends: its last uplink; -1 when there is no uplink left."""
    while books.judged[0] < len(air.start_s):
        packet = books.judged[0]
        gateway = judge_next(air, books, estimate)
        if gateway >= 0 and books.packets[ROUND_SENT, air.node[packet]] >= ROUND_PACKETS:
            return packet
    return -1


@kernel()
def answer(air, books, packet):  # type: ignore[no-untyped-def]
    """Send the downlink that ends a round, after the parameters it carries have been put in force."""
    n = air.node[packet]
    send_downlink(air, air.start_s[packet], air.sf[n], air.nearest[n])
    books.packets[ROUND_SENT, n] = 0
    books.packets[ROUND_DELIVERED, n] = 0


@kernel()
def play_fixed(air, books, estimate, answers):  # type: ignore[no-untyped-def]
    """Play all uplinks with the parameters in force, with the downlinks of rounds that nobody learns from, or none."""
    while True:
        packet = play_round(air, books, estimate)
        if packet < 0:
            return
        if answers:
            answer(air, books, packet)


HISTORY = 20
NOISE_MW = 10.0**-12.3
ABOVE_SIGMA_DB = 8.0
ASK_AFTER, BACK_OFF_AFTER, BACK_OFF_EVERY = 64, 96, 32
LEAST_DBM, MOST_DBM, STEP_DB = 2.0, 14.0, 3.0


class Histories(NamedTuple):
    """What the server keeps, and the nodes' counters."""

    sinr_db: NDArray[np.float64]  # [N, HISTORY]
    heard: NDArray[np.int64]  # [N], packets received
    silent: NDArray[np.int64]  # [N], uplinks since the last downlink


def empty_histories(nodes: int) -> Histories:
    """Before the first packet."""
    return Histories(np.zeros((nodes, HISTORY)), np.zeros(nodes, np.int64), np.zeros(nodes, np.int64))


@kernel()
def sinr_db(rssi_dbm, overlap_mw):  # type: ignore[no-untyped-def]
    """Signal over interference and noise. dB"""
    return 10.0 * math.log10(10.0 ** (rssi_dbm / 10.0) / (overlap_mw + NOISE_MW))


@kernel()
def server_point(mean_db, sf, tp_dbm, margin_db):  # type: ignore[no-untyped-def]
    """What the server commands: index of the spreading factor, and power in dBm."""
    steps = math.floor((mean_db - (-7.5 - 2.5 * sf) - margin_db) / STEP_DB)
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


@kernel()
def _decide(air, histories, estimate, packet, margin_db, forced):  # type: ignore[no-untyped-def]
    """The server's decision on a node; a nan margin stands for sigma_hat + 8 dB."""
    n = air.node[packet]
    margin = estimate.now[SIGMA] + ABOVE_SIGMA_DB if math.isnan(margin_db) else margin_db
    kept = min(histories.heard[n], HISTORY)
    old_sf, old_dbm = air.sf[n], air.tp_dbm[n]
    sf, tp_dbm = server_point(histories.sinr_db[n, :kept].mean(), old_sf, old_dbm, margin)
    if forced or sf != old_sf or tp_dbm != old_dbm:
        air.sf[n], air.tp_dbm[n] = sf, tp_dbm
        histories.silent[n] = 0
        send_downlink(air, air.start_s[packet], old_sf, air.nearest[n])


@kernel()
def _back_off(air, n, silent):  # type: ignore[no-untyped-def]
    if silent >= BACK_OFF_AFTER and silent % BACK_OFF_EVERY == 0:
        air.tp_dbm[n] = MOST_DBM
        air.sf[n] = min(air.sf[n] + 1, len(air.airtime_s) - 1)


@kernel()
def play_adr(air, books, estimate, histories, margin_db):  # type: ignore[no-untyped-def]
    """Play all uplinks under ADR."""
    while books.judged[0] < len(air.start_s):
        packet = books.judged[0]
        n = air.node[packet]
        gateway = judge_next(air, books, estimate)
        if air.sf[n] < len(air.airtime_s) - 1 or air.tp_dbm[n] < MOST_DBM:
            histories.silent[n] += 1
        if gateway >= 0:
            place = histories.heard[n] % HISTORY
            histories.sinr_db[n, place] = sinr_db(air.rssi_dbm[gateway], air.overlap_mw[gateway])
            histories.heard[n] += 1
        forced = gateway >= 0 and histories.silent[n] >= ASK_AFTER
        if forced or (gateway >= 0 and histories.heard[n] % HISTORY == 0):
            _decide(air, histories, estimate, packet, margin_db, forced)
        else:
            _back_off(air, n, histories.silent[n])
