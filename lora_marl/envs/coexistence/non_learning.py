"""Adaptive data rate of coexisting networks that do not learn.

Shape letters: `B` replicas, `N` nodes, `C` channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.air import Air
from lora_marl.core.reception import Fate
from lora_marl.core.scenario import Scenario

DEFAULT_CHANNELS = 3
"""Channels that LoRaWAN prescribes, which nodes under adaptive data rate use."""

HISTORY, MARGIN_DB, STEP_DB = 20, 10.0, 3.0
"""Packets behind a decision, and the margin and step of Semtech's recommended algorithm."""


class AdaptiveDataRate:
    """LoRaWAN's adaptive data rate, evaluated once an interval.

    A server takes the best margin above the demodulation floor among 20 received packets, at most one per interval, and
    subtracts 10 dB. For every 3 dB that are left it lowers the spreading factor by one step, then the power; where the
    margin is missing, it raises the power. Nodes start at the slowest data rate and full power.

    Args:
        scenario: The networks' scenario.
        shape: `(B, N)`

    Attributes:
        sf, tp: Spreading factor and power, indices into the region's lists. `[B, N]`

    Source: Semtech's recommended algorithm (LoRaWAN rate adaption); the floor is the sensitivity.

    Differences:

    1. Packets before a decision are forgotten, as in `agents.rules.adr`; the window does not slide.
    2. Of several packets in one interval the last one counts.
    3. There is no ADR_ACK back-off: nodes do not ask for an answer, nor raise their spreading factor without one.
    4. All nodes start as if they had just joined. Where a node sends only a few frames in a run, as under `ccs_eu868`
       at loads that can be acknowledged, twenty packets take longer than the run, and nobody adapts.
    """

    def __init__(self, scenario: Scenario, shape: tuple[int, int]) -> None:
        region = scenario.region
        sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz[:1])
        self._floor_dbm = scenario.reception.sensitivities_dbm(sf, bw_hz)[:, 0]
        self._full = len(region.tp_dbm) - 1
        self.sf, self.tp = np.full(shape, len(sf) - 1), np.full(shape, self._full)
        self._margins_db = np.full((*shape, HISTORY), -np.inf)
        self._heard = np.zeros(shape, np.int64)

    def state_arrays(self) -> dict[str, NDArray]:
        """The arrays behind the decisions by the names that files have for them (not copies)."""
        return {
            "floor_dbm": self._floor_dbm,
            "sf": self.sf,
            "tp": self.tp,
            "margins_db": self._margins_db,
            "heard": self._heard,
        }

    def update(self, air: Air, heard: NDArray[np.bool_]) -> None:
        """Evaluate the nodes of which packets were received in an interval, `heard [B, N]`."""
        new = heard & (air.last_fate == Fate.DELIVERED)
        margin_db = air.last_rssi_dbm - self._floor_dbm[air.last_point[..., 0]]
        slot = (self._heard % HISTORY)[..., None]
        before_db = np.take_along_axis(self._margins_db, slot, axis=-1)[..., 0]
        np.put_along_axis(self._margins_db, slot, np.where(new, margin_db, before_db)[..., None], axis=-1)
        self._heard += new
        due = new & (self._heard % HISTORY == 0)
        spare_db = self._margins_db.max(axis=-1) - MARGIN_DB
        steps = np.floor(np.where(due, spare_db, 0.0) / STEP_DB).astype(np.int64)
        faster = np.clip(steps, 0, self.sf)
        self.sf = self.sf - faster
        self.tp = np.clip(self.tp - (steps - faster), 0, self._full)
        self._margins_db[due] = -np.inf
