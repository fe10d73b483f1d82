"""The rounds of NoReL's authors' code, played on `early_stop`'s channel.

A node's round ends with its first packet *received* at or after the tenth: its utility is succ / 10, of which the last
success is certain, so E[u] = 0.1 + 0.9 p and a node that is never received never ends a round. The nearest gateway
answers in the second window, SF12, 14 dBm, 1.71 s; the new parameters act from the uplink's start on.

Source: NoReL's authors' code (the paper: "every c = 10 packets").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel.compiled import kernel
from lora_marl.core.legacy.early_stop import receive, send_downlink
from lora_marl.core.legacy.estimate import note

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
