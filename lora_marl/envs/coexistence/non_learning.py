"""Networks that do not learn: any channel at random, or LoRaWAN's defaults with adaptive data rate.

Shape letters: `B` replicas, `N` nodes, `C` channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.air import Air
from lora_marl.core.reception import Fate
from lora_marl.core.scenario import Scenario

DEFAULT_CHANNELS = 3
HISTORY, MARGIN_DB, STEP_DB = 20, 10.0, 3.0


class AdaptiveDataRate:
    """LoRaWAN's adaptive data rate, evaluated once an interval.

    From the best of the last 20 packets that it received (one of each interval), a server takes steps of 3 dB of what
    lies above the demodulation floor and 10 dB: first a lower spreading factor, then less power; where something is
    missing, more power. Nodes begin with the slowest data rate and full power.

    Attributes:
        sf, tp: Indices into the region's lists. `[B, N]`

    Source: Semtech's recommended algorithm (LoRaWAN rate adaption); the floor is the sensitivity.

    Differences:

    1. What was heard before a decision is forgotten, as in `agents.rules.adr`; the window does not slide.
    2. Of packets of one interval the last one counts.
    3. Nodes do not ask for an answer, nor raise their spreading factor, where none comes (ADR_ACK back-off).
    4. All nodes begin as if they had just joined. Where a node sends a few frames a run, as under `ccs_eu868` at loads
       that may be acknowledged, twenty packets take longer than the run, and nobody adapts.
    """

    def __init__(self, scenario: Scenario, shape: tuple[int, int]) -> None:
        region = scenario.region
        sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz[:1])
        self._floor_dbm = scenario.reception.sensitivities_dbm(sf, bw_hz)[:, 0]
        self._full = len(region.tp_dbm) - 1
        self.sf, self.tp = np.full(shape, len(sf) - 1), np.full(shape, self._full)
        self._margins_db = np.full((*shape, HISTORY), -np.inf)
        self._heard = np.zeros(shape, np.int64)

    def update(self, air: Air, heard: NDArray[np.bool_]) -> None:
        """Evaluate the nodes that were `heard [B, N]` in an interval."""
        new = heard & (air.last_fate == Fate.DELIVERED)
        margin_db = air.last_rssi_dbm - self._floor_dbm[air.last_point[..., 0]]
        at = self._heard % HISTORY
        kept = np.take_along_axis(self._margins_db, at[..., None], axis=-1)[..., 0]
        np.put_along_axis(self._margins_db, at[..., None], np.where(new, margin_db, kept)[..., None], axis=-1)
        self._heard += new
        due = new & (self._heard % HISTORY == 0)
        spare_db = self._margins_db.max(axis=-1) - MARGIN_DB
        steps = np.floor(np.where(due, spare_db, 0.0) / STEP_DB).astype(np.int64)
        faster = np.clip(steps, 0, self.sf)
        self.sf = self.sf - faster
        self.tp = np.clip(self.tp - (steps - faster), 0, self._full)
        self._margins_db[due] = -np.inf
