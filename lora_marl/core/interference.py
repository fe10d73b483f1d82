"""Interference from outside: noise-like bursts on every channel. Parameters only; `lora_marl.core.air` runs them.

On each channel bursts of uniform length alternate with exponential gaps; a channel begins with a gap. A burst is
received with a power of its own at each gateway (and at each node that listens to a downlink), without fading.

| symbol | name |
|---|---|
| o, share of time with a burst | `occupancy` |
| mean gap, mean burst (1 - o) / o | `mean_gap_s` |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_record


@dataclass(frozen=True, kw_only=True)
class Interference:
    """Bursts on every channel.

    Attributes:
        occupancy: Share of time that has a burst, by channel: `[C]` or `[B, C]`, at least 0 and below 1; 0: none. A
            new value acts from the next burst on, the gap that has begun stays; where there was none from now on.
        burst_s: Least and largest length of a burst, drawn uniformly. s
        power_dbm: Least and largest received power, drawn uniformly (in dBm) for every burst and receiver. dBm

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    occupancy: ArrayLike
    burst_s: tuple[float, float] = (0.25, 0.75)
    power_dbm: tuple[float, float] = (-103.0, -97.0)

    def __post_init__(self) -> None:
        check_record(self, "interference")
        occupancy = np.asarray(self.occupancy, np.float64)
        inside = (occupancy >= 0.0) & (occupancy < 1.0)
        if occupancy.ndim not in (1, 2) or not inside.all():
            wrong = f"shape {occupancy.shape}" if inside.all() else f"{occupancy[~inside].flat[0]}"
            raise ValueError(f"interference.occupancy: {wrong}; allowed is [C] or [B, C] from 0 to below 1")
        object.__setattr__(self, "occupancy", occupancy)
        if len(self.burst_s) != 2 or not 0 < self.burst_s[0] <= self.burst_s[1]:
            raise ValueError(f"interference.burst_s: {self.burst_s} is not a least and a largest length above 0 s")
        if len(self.power_dbm) != 2 or not self.power_dbm[0] <= self.power_dbm[1]:
            raise ValueError(f"interference.power_dbm: {self.power_dbm} is not a least and a largest power in dBm")

    @property
    def mean_gap_s(self) -> NDArray[np.float64]:
        """Mean gap between bursts of each channel; infinite where there is none. `[C]` or `[B, C]` s"""
        occupancy = np.asarray(self.occupancy)
        with np.errstate(divide="ignore"):
            return np.mean(self.burst_s) * (1.0 - occupancy) / occupancy
