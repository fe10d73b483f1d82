"""Adaptive data rate as networks run it: a network server that commands, and nodes that back off in silence.

After every `history` packets received of a node the server looks at their SNR and takes steps of 3 dB:

    steps = floor((statistic(SNR) - SNR needed at the SF in use - margin) / 3 dB)

A step up lowers the spreading factor by one and, at the smallest, the power by one value; a step down raises the power
by one value. The server never raises the spreading factor. A node that has heard no downlink for 64 packets asks for
one, and after 96, 128, ... takes the highest power and the next spreading factor (`Feedback.backoff`).

| | `adr-ideal` | `adr-server` |
|---|---|---|
| commands | free, at once, never lost | downlinks; repeated until they arrive |
| history | anew after every decision | the last packets received, whatever their parameters |
| statistic | strongest | mean or strongest |
| first point | largest SF, highest power | MinSF at the highest power, or the same |
| node side | none | LoRaWAN's |

| paper | name |
|---|---|
| M, 15 dB, or sigma + 8 dB | `margin_db` |
| the last 20 packets | `history` |

Source: NoReL, section on ADR, and its authors' code (mean over 20, first point, steps); LoRaWAN L2 1.0.4, section
4.3.1.1 (node side); Semtech, "LoRaWAN - simple rate adaptation recommended algorithm", 2016 (strongest of 20, 10 dB).
Differences: the SNR is the received power over thermal noise, as gateways report it; the authors' code counts
interference too, which no server is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.learner import Learner
from agents.norel.channel_state import ChannelState
from agents.rules.adr import after_steps, check_history
from agents.rules.link_margin import PacketHistory, least_sf
from lora_marl.core import phy
from lora_marl.core.downlink import Feedback

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions, Heard
    from lora_marl.core.scenario import Scenario

SIGMA_MARGIN_DB = 8.0
"""Added to the standard deviation of the shadowing where the margin follows it. dB"""
STARTS = ("min_sf", "slowest")
STATISTICS = ("mean", "max")
SF, BW, _, TP = range(4)


class AdrServer(Learner):
    """See the module's page.

    Args:
        scenario, seeds: See `Learner`.
        margin_db: Kept for fading and interference; None: sigma_hat (`agents.norel.channel_state`) + 8 dB. dB
        history: Packets looked back on, and received between two decisions, at least 1.
        statistic: Of their SNR: `mean` (in dB) or `max`.
        start: First spreading factor, at the highest power: `min_sf`, the smallest that reaches a gateway with a
            standard deviation of the shadowing to spare, or `slowest`.
        backoff: Whether nodes back off.

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    name: ClassVar[str] = "adr-server"
    whole_rounds: ClassVar[bool] = True

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        margin_db: float | None = 15.0,
        history: int = 20,
        statistic: str = "mean",
        start: str = "min_sf",
        backoff: bool = True,
    ) -> None:
        check_history(history, 0.0 if margin_db is None else margin_db)
        for name, value, allowed in (("statistic", statistic, STATISTICS), ("start", start, STARTS)):
            if value not in allowed:
                raise ValueError(f"{name} = {value!r} is not one of {', '.join(allowed)}")
        first = np.zeros((len(seeds), scenario.nodes, 4), np.int16)
        slowest = len(scenario.region.spreading_factors) - 1
        first[..., SF] = least_sf(scenario, len(seeds)) if start == "min_sf" else slowest
        first[..., TP] = len(scenario.region.tp_dbm) - 1
        super().__init__(scenario, seeds, fixed_point=first)
        self.feedback = Feedback(decides="server", packets=int(history), backoff=backoff, listens=True)
        self.margin_db, self._statistic = margin_db, statistic
        self.channel_state = ChannelState(scenario, self.replicas) if margin_db is None else None
        self._noise_dbm = phy.noise_dbm(np.array(self.region.bandwidths_hz), scenario.reception.noise_figure_db)
        self._needed_db = scenario.reception.sinr_thresholds_db(np.array(self.region.spreading_factors))
        self._snr_db = PacketHistory(self.replicas, self.nodes, int(history))
        self._commanded = first.copy()

    @property
    def operations(self) -> int:
        """The mean of the history; the margin, its steps and two comparisons."""
        return self._snr_db.values.shape[2] + 6

    def hear(self, heard: Heard) -> None:
        """Notes the SNR of every packet received, and how much it varies."""
        snr_db = heard.rssi_dbm - self._noise_dbm[heard.point[:, BW]]
        self._snr_db.add(heard.replica, heard.node, snr_db)
        if self.channel_state is not None:
            self.channel_state.hear(heard)

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """Commands by the histories of nodes; a node that has sent nothing keeps its first point `[M, 4]`."""
        b, n = decisions.replica, decisions.node
        chosen = self._commanded[b, n]
        known = np.flatnonzero(self._snr_db.heard[b, n] > 0)
        point = decisions.point[known]
        past_db = self._snr_db.values[b[known], n[known]]
        strength_db = np.nanmean(past_db, axis=1) if self._statistic == "mean" else np.nanmax(past_db, axis=1)
        spare_db = strength_db - self._needed_db[point[:, SF]] - self._margins_db(b[known], decisions.time_s[known])
        chosen[known] = after_steps(point, np.floor(spare_db / 3).astype(int), len(self.region.tp_dbm))
        self._commanded[b, n] = chosen
        return chosen

    def state_arrays(self) -> dict[str, NDArray]:
        """SNR of packets heard, in dB `[B, N, history]`, how many so far `[B, N]`, and last commands `[B, N, 4]`."""
        own = {"snr_db": self._snr_db.values, "heard": self._snr_db.heard, "commanded": self._commanded}
        return own | ({} if self.channel_state is None else self.channel_state.state_arrays())

    def _margins_db(self, replica: NDArray[np.integer], time_s: NDArray[np.float64]) -> ArrayLike:
        if self.channel_state is None:
            return float(self.margin_db or 0.0)
        return self.channel_state.sigma_at_db(replica, time_s) + SIGMA_MARGIN_DB
