"""How often a node sends as the overlap probabilities of a closed form count it: one parameter for all that have one.

(`OneGateway` counts what nodes send: `renewal`.)

| rate | packets per second of a node with mean gap 1 / lambda, airtime T and duty cycle d | |
|---|---|---|
| `linear` | lambda (1 - (1 / d - 1) T lambda) | as printed; below 0 for lambda > 1 / (99 T) at 1 % |
| `linear_clipped` | the same, at least 0 | such a node disturbs nobody |
| `renewal` | 1 / (1 / lambda + T / d) | what it sends |

A gap begins T / d after a packet's start. Packets that are born in the off time are dropped; those that are queued do
not thin the traffic, and no rate here is theirs.

Source: NoReL (linear); MMALoRa Eq. (5), whose 100 is 1 / d (linear, clipped by us).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.traffic import Traffic

Rate = Literal["linear", "linear_clipped", "renewal"]

Vector = NDArray[np.float64]


def check_rate(rate: str) -> None:
    """Raise ValueError for an unknown rate."""
    if rate not in get_args(Rate):
        raise ValueError(f"rate: {rate!r} is not one of {', '.join(get_args(Rate))}")


def cycle_s(traffic: Traffic, airtime_s: Vector) -> Vector:
    """From a packet's start to where the gap to the next one begins `[...]`. s"""
    if traffic.duty_cycle is not None:
        return airtime_s / traffic.duty_cycle
    return airtime_s * traffic.after_end


def rates_per_s(rate: Rate, traffic: Traffic, interval_s: Vector, airtime_s: Vector) -> Vector:
    """Packets of nodes that can overlap others'.

    Args:
        rate: See the module's page.
        traffic: Its duty cycle, and where gaps begin.
        interval_s: Mean gap 1 / lambda, infinite for nodes that are off. [...] s
        airtime_s: [...] s

    Returns:
        [...] 1/s
    """
    begins_s = cycle_s(traffic, airtime_s)
    if rate == "renewal":
        return 1.0 / (interval_s + begins_s)
    per_s = 1.0 / interval_s
    thinned = per_s * (1.0 - np.maximum(begins_s - airtime_s, 0.0) * per_s)
    return np.maximum(thinned, 0.0) if rate == "linear_clipped" else thinned
