"""DyLoRa-like: the cheapest spreading factor and power that the last six packets received would all have arrived with.

After every `history` packets received of a node, over all (s, p):

    choose argmin T_s 10^(p / 10) among those with (received power - power sent with) + p >= S_s for all of them

T_s the airtime and S_s the sensitivity; the largest spreading factor and the highest power where there is none, which
are also the first point.

Source: DyLoRa (INFOCOM 2020) as NoReL describes it: SNR of the last six packets, energy efficiency, high powers
penalised. There is no public code, and maximising delivery per energy over a curve of symbol errors collapses to 13 to
59 % on NoReL's network, because a mean SNR hides the shadowing.
Differences: that all six must arrive is our reading; it meets NoReL's number at 200 nodes (87.6), not at 2,000. A
node's own reset after twelve losses is left out: its server cannot see them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.learner import Learner
from agents.rules.link_margin import PacketHistory
from lora_marl.core import units
from lora_marl.core.downlink import Feedback

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions, Heard
    from lora_marl.core.scenario import Scenario

SF, BW, CHANNEL, TP = range(4)


class DyLoRa(Learner):
    """See the module's page.

    Args:
        scenario, seeds: See `Learner`.
        history: Packets looked back on, and received between two decisions, at least 1.

    Raises:
        ValueError: a history that is no whole number of at least 1.
    """

    name: ClassVar[str] = "dylora"
    whole_rounds: ClassVar[bool] = True

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, history: int = 6) -> None:
        if not (history >= 1 and history == int(history)):
            raise ValueError(f"history = {history}: must be a whole number of at least 1")
        region = scenario.region
        first = np.zeros((len(seeds), scenario.nodes, 4), np.int16)
        first[..., SF], first[..., TP] = len(region.spreading_factors) - 1, len(region.tp_dbm) - 1
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
        # The weakest of the last packets must still arrive: its gain must exceed this.
        self._least_gain_db = sensitivity_dbm[self._by_cost[:, 0]] - self._tp_dbm[self._by_cost[:, 1]]

    @property
    def operations(self) -> int:
        """The weakest of the packets kept, and a comparison per point."""
        return self._gain_db.values.shape[2] + len(self._by_cost)

    def hear(self, heard: Heard) -> None:
        """Notes the gain of every packet received."""
        self._gain_db.add(heard.replica, heard.node, heard.rssi_dbm - self._tp_dbm[heard.point[:, TP]])

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The cheapest points that would have arrived `[M, 4]`; the first point before anything was received."""
        b, n = decisions.replica, decisions.node
        chosen = self.fixed_points[b, n]
        weakest_db = np.fmin.reduce(self._gain_db.values[b, n], axis=1)
        arrives = weakest_db[:, None] >= self._least_gain_db
        some = arrives.any(axis=1)
        chosen[some, SF], chosen[some, TP] = self._by_cost[arrives.argmax(axis=1)[some]].T
        return chosen

    def state_arrays(self) -> dict[str, NDArray]:
        """Gains of packets heard, in dB `[B, N, history]`, and how many so far `[B, N]`."""
        return {"gain_db": self._gain_db.values, "heard": self._gain_db.heard}
