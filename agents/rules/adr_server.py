"""Adaptive data rate as networks run it: a network server that sends commands, and nodes that back off.

After every `history` packets received from a node, the server looks at their SNR and takes steps of 3 dB:

    steps = floor((statistic(SNR) - SNR needed at the SF in use - margin) / 3 dB)

A step up lowers the spreading factor by one and, at the smallest, the power by one value; a step down raises the power
by one value. The server never raises the spreading factor. Nodes hop: each transmission is on a channel drawn from all
of the region's (`lora_marl.core.region.HOP`). A node that has received no downlink for 64 frames asks for one, after 96
takes the highest power, and after 128, 160, ... the next spreading factor (`Feedback.backoff`). A retry of a frame that
was received counts neither here nor there: servers know frames by their counter.

| | `adr-ideal` | `adr-server` |
|---|---|---|
| commands | free, instantaneous, never lost | downlinks, repeated until they arrive |
| history | anew after every decision | the last packets received, whatever their parameters |
| statistic | strongest | mean or strongest |
| first point | largest SF, highest power | MinSF at the highest power, or the same |
| channel | drawn by the rule for every packet | drawn by the node for every packet |
| node side | none | LoRaWAN's |

| paper | name |
|---|---|
| M, 15 dB, or sigma + 8 dB | `margin_db` |
| the last 20 packets | `history` |

Source: NoReL, section on ADR, and its authors' code (mean over 20, first point, steps); LoRaWAN L2 1.0.4, section
4.3.1.1 (node side); Semtech, "LoRaWAN - simple rate adaptation recommended algorithm", 2016 (strongest of 20, 10 dB).
Differences: the SNR is the received power over thermal noise, as gateways report it; the authors' code counts
interference too, which no server is told.

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.channel_state import ChannelState
from agents.learner import Learner
from agents.link_margin import checked_margin_db, of_nodes
from agents.rules.adr import after_margin, check_history
from agents.rules.served_adr import first_points
from lora_marl.core import phy
from lora_marl.core.allowed import Allowed
from lora_marl.core.checks import check_choice
from lora_marl.core.downlink import Feedback
from lora_marl.core.region import BW, CHANNEL, SF

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions, Heard
    from lora_marl.core.scenario import Scenario

SIGMA_MARGIN_DB = 8.0
"""Added to the standard deviation of the shadowing where the margin follows it. dB. Source: NoReL, section on ADR."""
STATISTICS = ("mean", "max")


class PacketHistory:
    """A number for each of the last `length` packets that the network server received from every node.

    Attributes:
        values: In no particular order; nan where there were fewer packets. `[B, N, length]`
        received: Packets so far. `[B, N]`
    """

    def __init__(self, replicas: int, nodes: int, length: int) -> None:
        self.values = np.full((replicas, nodes, length), np.nan)
        self.received = np.zeros((replicas, nodes), np.int64)

    def add(self, replica: NDArray[np.integer], node: NDArray[np.integer], value: NDArray[np.float64]) -> None:
        """Add packets `[M]` in order of time; there may be several of one node."""
        replicas, nodes, length = self.values.shape
        flat = replica.astype(np.int64) * nodes + node
        order = np.argsort(flat, kind="stable")
        earlier = np.empty(len(flat), np.int64)  # packets of the same node before this one in the batch
        earlier[order] = np.arange(len(flat)) - np.searchsorted(flat[order], flat[order])
        self.values[replica, node, (self.received[replica, node] + earlier) % length] = value
        np.add.at(self.received, (replica, node), 1)


class AdrServer(Learner):
    """ADR with a network server: commands by downlinks, and nodes that back off.

    Args:
        scenario, seeds: As in `Learner`.
        margin_db: Reserve for fading and interference, for all nodes or for each `[N]`; None: sigma_hat
            (`agents.channel_state`) + 8 dB. dB
        history: Packets that are looked at, and that are received between two decisions, at least 1.
        statistic: Statistic of their SNR: `mean` (in dB) or `max`.
        start: First spreading factor, at the highest power: `min_sf`, the smallest that reaches a gateway with a margin
            of one standard deviation of the shadowing, or `slowest`.
        channels: `hop`, or `dealt`: see `ServedAdr`.
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
        margin_db: ArrayLike | None = 15.0,
        history: int = 20,
        statistic: str = "mean",
        start: str = "min_sf",
        channels: str = "hop",
        backoff: bool = True,
    ) -> None:
        check_history(history)
        check_choice("statistic", statistic, STATISTICS)
        first = first_points(scenario, len(seeds), start, channels)
        super().__init__(scenario, seeds, fixed_point=first)
        self.feedback = Feedback(decides="server", packets=int(history), backoff=backoff, listens=True)
        self.margin_db = None if margin_db is None else checked_margin_db(margin_db, scenario.nodes)
        self._statistic = statistic
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
        """Note the SNR of every frame received; update the estimate of the shadowing where the margin follows it."""
        frames = heard.frames()
        snr_db = frames.rssi_dbm - self._noise_dbm[frames.point[:, BW]]
        self._snr_db.add(frames.replica, frames.node, snr_db)
        if self.channel_state is not None:
            self.channel_state.hear(heard)

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """Commands by the nodes' histories; a node of which nothing was received keeps its last command. `[M, 4]`"""
        b, n = decisions.replica, decisions.node
        chosen = self._commanded[b, n]
        received = np.flatnonzero(self._snr_db.received[b, n] > 0)
        point = decisions.point[received]
        past_db = self._snr_db.values[b[received], n[received]]
        snr_db = np.nanmean(past_db, axis=1) if self._statistic == "mean" else np.nanmax(past_db, axis=1)
        reserve_db = self._reserves_db(b[received], n[received], decisions.time_s[received])
        margin_db = snr_db - self._needed_db[point[:, SF]] - reserve_db
        chosen[received] = after_margin(point, margin_db, len(self.region.tp_dbm))
        chosen[:, CHANNEL] = self.fixed_points[b, n, CHANNEL]  # not the one that the last packet happened to be on
        self._commanded[b, n] = chosen
        return chosen

    def state_arrays(self) -> dict[str, NDArray]:
        """SNR of packets received, in dB `[B, N, history]`; how many so far `[B, N]`; last commands `[B, N, 4]`."""
        arrays = {"snr_db": self._snr_db.values, "heard": self._snr_db.received, "commanded": self._commanded}
        return arrays | ({} if self.channel_state is None else self.channel_state.state_arrays())

    def state_limits(self) -> dict[str, Allowed]:
        """Those of the channel state."""
        return {} if self.channel_state is None else self.channel_state.state_limits()

    def _reserves_db(
        self, replica: NDArray[np.integer], node: NDArray[np.integer], time_s: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The margin that is kept in reserve. `[M]` or one for all, dB"""
        if self.margin_db is not None:
            return of_nodes(self.margin_db, node)
        assert self.channel_state is not None  # the margin follows it where none is given
        return self.channel_state.sigma_at_db(replica, time_s) + SIGMA_MARGIN_DB
