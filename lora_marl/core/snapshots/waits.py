"""How far ahead of its clock a node's next event can lie: the bound of every time that a saved state waits for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.scenario import Scenario

LONGEST_GAP = 37.0
"""Longest exponential gap, in mean ones: -ln of the smallest uniform draw, 2^-53."""

MARGIN = 16.0
"""A frame is repeated up to 15 times, each after its waits, while the next one is due; times one more."""


def longest_waits_s(scenarios: Sequence[Scenario]) -> NDArray[np.float64]:
    """The longest wait of each node that its traffic, duty cycle, receive windows and changes allow. `[b, N]` s

    Changes stretch waits that began under longer or shorter intervals, so the ratio of the extreme ones is part of it.

    Args:
        scenarios: The scenario at first, and after each change that has been made.
    """
    longest_s, shortest_s = (np.zeros((1, scenarios[0].nodes)), np.full((1, scenarios[0].nodes), np.inf))
    rest_s = 0.0
    for scenario in scenarios:
        interval_s = np.atleast_2d(scenario.interval_s())
        longest_s = np.maximum(longest_s, np.where(np.isfinite(interval_s), interval_s, 0.0))
        shortest_s = np.minimum(shortest_s, interval_s)
        rest_s = max(rest_s, _rest_s(scenario))
        trace = scenario.traffic.trace
        if trace is not None:
            rest_s = max(rest_s, float(np.max(trace.time_s)) + (trace.repeat_s or 0.0))
    stretch = np.where(longest_s > shortest_s, longest_s / shortest_s, 1.0)
    return np.asarray(MARGIN * stretch * (LONGEST_GAP * longest_s + rest_s))


def _rest_s(scenario: Scenario) -> float:
    """The longest packet with its off time, and what a node waits for beside its next packet. s"""
    traffic = scenario.traffic
    airtime_s = max(
        float(scenario.airtime_s(np.unique(np.asarray(traffic.payload_bytes))).max()),
        float(scenario.downlink_airtime_s().max()),
    )
    least_duty = float(np.min(scenario.channel_duty_cycles))
    pauses_s = traffic.jitter_s + traffic.burst_gap_s + max(traffic.retry_s) + max(traffic.next_s)
    return airtime_s / least_duty + pauses_s + scenario.downlink.rx1_delay_s + scenario.downlink.rx2_delay_s
