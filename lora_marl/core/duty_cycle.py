"""Duty cycles: a warning where a network's traffic breaks its region's."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lora_marl.core.region import Region
    from lora_marl.core.scenario import Scenario

SUB_BANDS = 8
"""Sub-bands in which a gateway can keep duty cycles: RX2's and seven others."""


class DutyCycleWarning(UserWarning):
    """A network's traffic breaks the duty cycle of its region."""


def warn_about_duty_cycle(scenario: Scenario, stacklevel: int = 2) -> None:
    """Warn when the traffic at the slowest data rate breaks the region's duty cycle; `stacklevel` as for `warn`."""
    own, (limit, at) = scenario.traffic.duty_cycle, _strictest_channel(scenario.region)
    if own == "region" or limit is None or (own is not None and own <= limit):
        return
    traffic, airtime_s = scenario.traffic, float(scenario.airtime_s().max())
    packets = traffic.burst_packets if traffic.kind == "burst" else int(np.max(traffic.nb_trans))
    after_end = traffic.kind == "burst" or (traffic.kind == "poisson" and traffic.after_end)
    cycle_s = float(np.min(scenario.interval_s())) + (packets * airtime_s if after_end else 0.0)
    share = min(packets * airtime_s / cycle_s, own or 1.0)
    if share > limit:
        kept = "are not held to duty cycles" if own is None else f"are held to a duty cycle of {own:.3g}"
        allowed = f"allows {limit:.1%}{at}" if limit else f"lets nobody send{at}"
        warnings.warn(
            f"{scenario.name}: nodes {kept}: at the slowest data rate one sends {share:.1%} of the time, but "
            f"{scenario.region.name} {allowed}. Right for a published network that ignores them; for a real one, set "
            "traffic.duty_cycle to region",
            DutyCycleWarning,
            stacklevel=stacklevel,
        )


def _strictest_channel(region: Region) -> tuple[float | None, str]:
    """The region's smallest duty cycle of a channel, None where it has none, and where that is, in words."""
    limits: list[tuple[float, float]] = []
    for frequency_hz in region.channels_hz:
        try:
            duty = region.duty_cycle_at(frequency_hz)
        except ValueError:  # nobody may send there
            duty = 0.0
        limits += [] if duty is None else [(duty, frequency_hz)]
    if not limits:
        return None, ""
    limit, frequency_hz = min(limits)
    alike = {duty for duty, _ in limits} == {limit}
    return limit, "" if alike else f" on {frequency_hz / 1e6:.10g} MHz"
