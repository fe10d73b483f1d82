"""Adaptive data rate (ADR): spreading factor, bandwidth and power from the strength of the packets received.

| | `adr` | `adr-ideal` |
|---|---|---|
| sees | every packet, received or not | packets delivered |
| looks at | the last one | the strongest of 20 |
| decides | after every packet | when 20 were delivered since its last decision, all with the parameters in force |
| margin | RSSI - sensitivity(SF, BW), for every (SF, BW) | SNR - SNR needed at the SF in use - 10 dB |
| chooses | see below | see below |
| channel | random for every packet, or CAASI's | random for every packet |
| first packet | largest SF, first BW, highest power | the same |

`adr` lists all (SF, BW) in order of spreading factor, then bandwidth, and finds the one with the smallest margin above
0. It uses the *next* one of the list, and lowers the power from the highest by 2 dB for every full 2 dB of that margin.
Where no margin is above 0, it uses the first parameters.

`adr-ideal` takes n = floor(margin / 3 dB) steps. Each step lowers the spreading factor by one, and once that is the
smallest, the power by one value. If n is below 0, the power rises by -n values. The spreading factor never rises, since
LoRaWAN leaves that to the node, which backs off when it hears nothing (`lora_marl/core/kernel/feedback.py`).

Commands are free, instantaneous and never lost in both. They are therefore references and not what a network achieves.

Source: `adr`: the code of D-LoRa's conference paper. `adr-ideal`: Semtech, "LoRaWAN - simple rate adaptation
recommended algorithm", 2016, as network servers implement it.
Differences:
    1. `adr`: the last (SF, BW) has no next one and is used itself. A power that the region lacks is the next lower one.
    2. `adr`: `channels="caasi"` is the journal's CAASI+ADR as far as it is described; its numbers do not come out.
    3. `adr`: `statistic`, `history` and `margin_db` are ours; their defaults are the rule of the code.
    4. `adr-ideal`: powers are the region's values, which are 2 dB apart in Semtech's rule.
    5. `adr-ideal`: history starts anew after every decision; servers start it anew after a change of parameters.
    6. `adr-ideal`: margins are rounded down. Some servers round towards 0, which keeps the power up to 3 dB too low.

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.dlora.caasi import survey
from agents.draws import learner_keys, uniform_indices
from agents.learner import Learner, most_robust_point
from agents.link_margin import checked_margin_db, of_nodes
from lora_marl.core import phy
from lora_marl.core.checks import RANGES, check_choice, check_in_range, check_single
from lora_marl.core.metrics import ratio
from lora_marl.core.reception import Fate
from lora_marl.core.region import BW, CHANNEL, SF, TP

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario

CHANNELS = ("random", "caasi")
STATISTICS = ("last", "max", "mean")

STEP_DB = 3.0
"""Margin that one step of Semtech's rule uses up. dB"""


class ADR(Learner):
    """The rule of D-LoRa's conference paper, and what `AdrIdeal` shares with it: first parameters and channels.

    Args:
        scenario, seeds: As in `Learner`.
        channels: `random`: drawn for every packet; `caasi`: assigned by a survey (`agents.dlora.caasi`).
        statistic: Which statistic of the received powers in dBm counts: the `last`, their `max` or their `mean`.
        history: Packets that are looked at, at least 1; before there are as many, those that there are.
        margin_db: Reserve for fading and interference, for all nodes or for each `[N]`. dB

    Raises:
        ValueError: unknown `channels` or `statistic`, or a parameter outside its range.
    """

    name: ClassVar[str] = "adr"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        channels: str = "random",
        statistic: str = "last",
        history: int = 1,
        margin_db: ArrayLike = 0.0,
    ) -> None:
        check_choice("channels", channels, CHANNELS)
        check_choice("statistic", statistic, STATISTICS)
        check_history(history)
        self.history, self.margin_db = int(history), checked_margin_db(margin_db, scenario.nodes)
        first = np.tile(most_robust_point(scenario.region), (len(seeds), scenario.nodes, 1))
        surveyed = survey(scenario, seeds) if channels == "caasi" else None
        if surveyed is not None:
            first[..., CHANNEL] = surveyed.channel
        super().__init__(scenario, seeds, fixed_point=first)
        self.overhead = None if surveyed is None else surveyed.outcome
        region = self.region
        sensitivity_dbm = scenario.reception.sensitivities_dbm(
            np.array(region.spreading_factors), np.array(region.bandwidths_hz)
        )
        self._least_dbm = sensitivity_dbm.reshape(-1) + self.margin_db[..., None]  # [R], or by node [N, R]
        self._tp_dbm = np.array(region.tp_dbm)
        self._hops = surveyed is None and len(region.channels_hz) > 1
        self._keys = learner_keys(seeds)
        self._decided = np.zeros((self.replicas, self.nodes), np.int64)
        self._statistic = statistic
        length = 0 if statistic == "last" else self.history
        self._past_dbm = np.full((self.replicas, self.nodes, length), np.nan)
        self._noted = np.zeros((self.replicas, self.nodes), np.int64)

    @property
    def operations(self) -> int:
        """Three per (SF, BW): a subtraction and two comparisons; three for the power; a draw; one per packet kept."""
        return 3 * self._least_dbm.shape[-1] + 4 + self._past_dbm.shape[2]

    def update(self, decisions: Decisions) -> None:
        """Note the received powers of the last packets, if the rule looks at more than the last one."""
        if self._statistic != "last":
            with_fate = np.flatnonzero(decisions.fate >= 0)
            b, n = decisions.replica[with_fate], decisions.node[with_fate]
            self._past_dbm[b, n, self._noted[b, n] % self.history] = decisions.rssi_dbm[with_fate]
            self._noted[b, n] += 1

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The operating points that the strength of the last packets allows. `[M, 4]`"""
        replica, node = decisions.replica, decisions.node
        chosen = self._points(decisions)
        if self._hops:
            chosen[:, CHANNEL] = uniform_indices(
                self._keys[replica], node, self._decided[replica, node], len(self.region.channels_hz)
            )
        self._decided[replica, node] += 1
        return chosen

    def state_arrays(self) -> dict[str, NDArray]:
        """Decisions so far `[B, N]`; first points with the assigned channels `[B, N, 4]`; past powers in dBm."""
        state: dict[str, NDArray] = {"decided": self._decided, "first": self.fixed_points}
        if self._statistic != "last":
            state |= {"past_dbm": self._past_dbm, "noted": self._noted}
        return state

    def _strength_dbm(self, decisions: Decisions) -> NDArray[np.float64]:
        """The statistic of the received powers; nan before the first packet. `[M]` dBm"""
        if self._statistic == "last":
            return decisions.rssi_dbm
        past_dbm = self._past_dbm[decisions.replica, decisions.node]
        if self._statistic == "max":
            return np.fmax.reduce(past_dbm, axis=1)
        return np.asarray(ratio(np.nansum(past_dbm, axis=1), np.isfinite(past_dbm).sum(axis=1)))

    def _points(self, decisions: Decisions) -> NDArray[np.int16]:
        """Operating points by the rule, without the channel's draw. `[M, 4]`"""
        chosen = self.fixed_points[decisions.replica, decisions.node]
        least_dbm = self._least_dbm if self._least_dbm.ndim == 1 else self._least_dbm[decisions.node]
        margin_db = self._strength_dbm(decisions)[:, None] - least_dbm
        above_db = np.where(margin_db > 0, margin_db, np.inf)
        tightest, smallest_db = above_db.argmin(axis=1), above_db.min(axis=1)
        reaches = np.isfinite(smallest_db)
        rate = np.minimum(tightest + 1, self._least_dbm.shape[-1] - 1)[reaches]
        chosen[reaches, SF], chosen[reaches, BW] = np.divmod(rate, len(self.region.bandwidths_hz))
        wanted_dbm = self._tp_dbm[-1] - 2 * np.floor(smallest_db[reaches] / 2)
        chosen[reaches, TP] = np.maximum(np.searchsorted(self._tp_dbm, wanted_dbm, side="right") - 1, 0)
        return chosen


class AdrIdeal(ADR):
    """Semtech's rule for network servers, with free and instantaneous commands.

    Args:
        scenario, seeds, channels: As in `ADR`.
        margin_db: Reserve for fading and interference, for all nodes or for each `[N]`. dB
        history: Packets delivered with the same parameters before the rule decides, at least 1.

    Raises:
        ValueError: a parameter outside its range.
    """

    name: ClassVar[str] = "adr-ideal"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        margin_db: ArrayLike = 10.0,
        history: int = 20,
        channels: str = "random",
    ) -> None:
        super().__init__(scenario, seeds, channels=channels, history=history, margin_db=margin_db)
        bandwidths_hz = np.array(self.region.bandwidths_hz)
        self._noise_dbm = phy.noise_dbm(bandwidths_hz, scenario.reception.noise_figure_db)
        self._needed_db = scenario.reception.sinr_thresholds_db(np.array(self.region.spreading_factors))
        self._in_force = self.fixed_points.copy()
        self._received = np.zeros((self.replicas, self.nodes), np.int64)
        self._best_db = np.full((self.replicas, self.nodes), -np.inf)

    @property
    def operations(self) -> int:
        """SNR, its maximum and the count; the margin, its steps and two comparisons; a draw for the channel."""
        return 10

    def update(self, decisions: Decisions) -> None:
        """Note the SNR of packets delivered, and give new parameters to nodes whose history is full."""
        delivered = np.flatnonzero(decisions.fate == Fate.DELIVERED)
        b, n = decisions.replica[delivered], decisions.node[delivered]
        snr_db = decisions.rssi_dbm[delivered] - self._noise_dbm[decisions.point[delivered, BW]]
        self._received[b, n] += 1
        self._best_db[b, n] = np.maximum(self._best_db[b, n], snr_db)
        full = self._received[b, n] >= self.history
        b, n = b[full], n[full]
        point = self._in_force[b, n]
        margin_db = self._best_db[b, n] - self._needed_db[point[:, SF]] - of_nodes(self.margin_db, n)
        self._in_force[b, n] = after_margin(point, margin_db, len(self._tp_dbm))
        self._received[b, n], self._best_db[b, n] = 0, -np.inf

    def state_arrays(self) -> dict[str, NDArray]:
        """The arrays of ADR; parameters in force `[B, N, 4]`; packets received with them, best SNR in dB `[B, N]`."""
        return super().state_arrays() | {"in_force": self._in_force, "heard": self._received, "best_db": self._best_db}

    def _points(self, decisions: Decisions) -> NDArray[np.int16]:
        return self._in_force[decisions.replica, decisions.node]


def after_margin(point: NDArray[np.int16], margin_db: NDArray[np.float64], powers: int) -> NDArray[np.int16]:
    """Operating points after the steps of Semtech's rule: spreading factor down, then power down; or power up.

    Args:
        point: In force. `[M, 4]`
        margin_db: SNR beyond what is needed. `[M]` dB
        powers: How many powers the region has.

    Returns:
        `[M, 4]`

    Source: Semtech, "LoRaWAN - simple rate adaptation recommended algorithm", 2016.
    """
    steps = np.floor(margin_db / STEP_DB).astype(int)
    after = point.copy()
    faster = np.clip(steps, 0, point[:, SF])
    after[:, SF] -= faster.astype(np.int16)
    after[:, TP] = np.clip(point[:, TP] - (steps - faster), 0, powers - 1)
    return after


def check_history(history: int, margin_db: ArrayLike = 0.0) -> None:
    """Raise ValueError for a history or a margin outside its range."""
    check_in_range("margin_db", margin_db, RANGES["db"])
    check_single("history", history)
    if not (history >= 1 and history == int(history)):
        raise ValueError(f"history = {history}: must be a whole number of at least 1")
