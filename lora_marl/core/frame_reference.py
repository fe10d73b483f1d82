"""Frames, back-off and the server's counters as a plain statement over a node's packets, to test the kernel against.

It knows no events: it goes through the packets that one node has sent, in their order.

Shape letters: `P` packets of one node. A frame is the packets with one frame counter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.outcome import REPEATED

ADR_ACK_LIMIT, ADR_ACK_DELAY = 64, 32
"""Source: LoRaWAN L2 1.0.4, section 4.3.1.1; the defaults of RP002."""


def frame_counters(acknowledged: NDArray[np.bool_], most_packets: int) -> NDArray[np.int64]:
    """Frame counter of each packet of confirmed traffic: a frame ends when it is acknowledged, or sent often enough.

    Args:
        acknowledged: Whether the node received an acknowledgement of the packet. `[P]`
        most_packets: Packets of one frame at most.

    Returns:
        `[P]`, from 0
    """
    counters = np.zeros(len(acknowledged), np.int64)
    counter, packets = 0, 0
    for p, ends in enumerate(acknowledged):
        counters[p] = counter
        packets += 1
        if ends or packets == most_packets:
            counter, packets = counter + 1, 0
    return counters


def missed_frames(counters: NDArray[np.int64], received: NDArray[np.bool_]) -> NDArray[np.int64]:
    """`Heard.missed` of the packets received, from the frame counters alone. `[packets received]`"""
    missed, last = [], None
    for counter in counters[received]:
        begins = last is None or counter < last  # counters of a device that joins again begin anew
        missed.append(-1 if begins else REPEATED if counter == last else int(counter - last - 1))
        last = counter
    return np.array(missed, np.int64)


def backed_off(
    counters: NDArray[np.int64], answered: NDArray[np.bool_], first: tuple[int, int], rates: int, powers: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Data rates and powers of a node that nobody commands, and which of its packets ask for a downlink.

    Args:
        counters: Frame counter of each packet. `[P]`
        answered: Whether the node received a downlink after it. `[P]`
        first: Index of its data rate, from the fastest, and of its power, from the lowest.
        rates, powers: How many there are.

    Returns:
        The two indices of each packet `[P, 2]`, and the ADRACKReq bits `[P]`.

    Source: LoRaWAN L2 1.0.4, section 4.3.1.1 and its Table 9.
    """
    used, asks = np.zeros((len(counters), 2), np.int64), np.zeros(len(counters), np.bool_)
    (rate, power), since = first, 0  # frames since the last downlink
    for p, counter in enumerate(counters):
        if p == 0 or counter != counters[p - 1]:
            if since >= ADR_ACK_LIMIT + ADR_ACK_DELAY:
                power = powers - 1
            if since >= ADR_ACK_LIMIT + 2 * ADR_ACK_DELAY and (since - ADR_ACK_LIMIT) % ADR_ACK_DELAY == 0:
                rate = min(rate + 1, rates - 1)
            asked = since >= ADR_ACK_LIMIT
            optimised = rate < rates - 1 or power < powers - 1
            since += asked or optimised
        used[p], asks[p] = (rate, power), asked
        if answered[p]:
            since = 0
    return used, asks
