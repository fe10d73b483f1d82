"""DyLoRa-like: the cheapest spreading factor and power with which the last six packets would all have arrived.

After every `history` packets received from a node, the network server chooses the spreading factor s and power p

    argmin T_s 10^(p / 10)   subject to   g_i + p >= S_s for each of these packets i

and the largest spreading factor and the highest power where there is no such pair. These are also the first point.

| paper | name |
|---|---|
| T_s, airtime; S_s, sensitivity | `Scenario.airtime_s`; `Reception.sensitivities_dbm` |
| g_i, received power less the power that packet i was sent with | values of `PacketHistory` |

Source: DyLoRa (INFOCOM 2020) as NoReL describes it: SNR of the last six packets, energy efficiency, high powers
penalised. There is no public code. Maximising delivery per energy over a curve of symbol errors collapses to 13 to 59 %
on NoReL's network, because a mean SNR hides the shadowing.
Differences:
    1. That all six packets must arrive is our reading; it meets NoReL's number at 200 nodes (87.6), not at 2,000.
    2. A node's own reset after twelve losses is left out, since its server cannot see them.

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.learner import Learner, most_robust_point
from agents.rules.adr import check_history
from agents.rules.adr_server import PacketHistory
from lora_marl.core import units
from lora_marl.core.downlink import Feedback
from lora_marl.core.region import CHANNEL, SF, TP

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions, Heard
    from lora_marl.core.scenario import Scenario


class DyLoRa(Learner):
    """The cheapest parameters with which all packets of the history would have arrived.

    Args:
        scenario, seeds: As in `Learner`.
        history: Packets that are looked at, and that are received between two decisions, at least 1.

    Raises:
        ValueError: a history that is no whole number of at least 1.
    """

    name: ClassVar[str] = "dylora"
    whole_rounds: ClassVar[bool] = True

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, history: int = 6) -> None:
        check_history(history)
        region = scenario.region
        first = np.tile(most_robust_point(region), (len(seeds), scenario.nodes, 1))
        first[..., CHANNEL] = np.arange(scenario.nodes) % len(region.channels_hz)
        super().__init__(scenario, seeds, fixed_point=first)
        self.feedback = Feedback(decides="server", packets=int(history), listens=True)
        self._gain_db = PacketHistory(self.replicas, self.nodes, int(history))
        self._tp_dbm = np.array(region.tp_dbm, np.float64)
        sensitivity_dbm = scenario.reception.sensitivities_dbm(
            np.array(region.spreading_factors), np.array(region.bandwidths_hz)
        )[:, 0]
        cost = scenario.airtime_s()[:, :1] * units.dbm_to_mw(self._tp_dbm)
        self._by_cost = np.stack(np.unravel_index(np.argsort(cost, axis=None, kind="stable"), cost.shape), axis=1)
        # All packets arrive if the weakest does, whose gain must not be below this.
        self._least_gain_db = sensitivity_dbm[self._by_cost[:, 0]] - self._tp_dbm[self._by_cost[:, 1]]

    @property
    def operations(self) -> int:
        """One per packet kept, to find the weakest, and a comparison per spreading factor and power."""
        return self._gain_db.values.shape[2] + len(self._by_cost)

    def hear(self, heard: Heard) -> None:
        """Note the gain of every frame received, by the packet by which it was received first."""
        frames = heard.frames()
        self._gain_db.add(frames.replica, frames.node, frames.rssi_dbm - self._tp_dbm[frames.point[:, TP]])

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The cheapest points with which all would have arrived; the first point before any was received. `[M, 4]`"""
        b, n = decisions.replica, decisions.node
        chosen = self.fixed_points[b, n]
        weakest_db = np.fmin.reduce(self._gain_db.values[b, n], axis=1)
        arrives = weakest_db[:, None] >= self._least_gain_db
        reaches = arrives.any(axis=1)
        chosen[reaches, SF], chosen[reaches, TP] = self._by_cost[arrives.argmax(axis=1)[reaches]].T
        return chosen

    def state_arrays(self) -> dict[str, NDArray]:
        """Gains of packets received, in dB `[B, N, history]`, and how many so far `[B, N]`."""
        return {"gain_db": self._gain_db.values, "heard": self._gain_db.received}
