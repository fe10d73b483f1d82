"""Adaptive data rate (ADR): spreading factor, bandwidth and power from the strength of the packets received.

| | `adr` | `adr-ideal` |
|---|---|---|
| hears | every packet, received or not | packets delivered |
| goes by | the last | the strongest of 20 |
| decides | after every packet | when 20 were delivered since it last did, so all with the parameters in force |
| margin | RSSI - sensitivity(SF, BW), of every (SF, BW) | SNR - SNR needed at the SF in use - 10 dB |
| chooses | see below | see below |
| channel | random per packet, or CAASI's | random per packet |
| first packet | largest SF, first BW, highest power | the same |

`adr` lists all (SF, BW) in order of spreading factor, then bandwidth, takes the one of smallest margin above 0, uses
the *next* one of the list, and lowers the power from the highest by 2 dB for every full 2 dB of that margin; where no
margin is above 0, it sends as first. `adr-ideal` takes n = floor(margin / 3 dB) steps: each lowers the spreading factor
by one, and once that is the smallest, the power by one value; n below 0 raises the power by -n values. It never raises
the spreading factor, which LoRaWAN leaves to the node.

Commands are free, instantaneous and never lost in both, hence `ideal`: a reference, not what a network would achieve.

Source: `adr`: the code of D-LoRa's conference paper. `adr-ideal`: Semtech, "LoRaWAN - simple rate adaptation
recommended algorithm", 2016, as network servers implement it.
Differences: `adr`: the last (SF, BW) has no next one and is used itself; powers that the region lacks are the next
lower ones. `channels="caasi"` is the journal's CAASI+ADR as far as it is described; its numbers do not come out.
`statistic`, `history` and `margin_db` of `adr` are ours; their defaults are the code's rule. `adr-ideal`: power goes by
the region's values, 2 dB apart in Semtech's; history starts anew after every decision, where servers start it anew
after a change of parameters; margins are rounded down, where some servers cut them towards 0, which leaves the power as
it is for up to 3 dB too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.dlora.caasi import survey
from agents.learner import Learner
from lora_marl.core import phy
from lora_marl.core.random import bits, stream_key
from lora_marl.core.reception import Fate

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario

CHANNELS = ("random", "caasi")
STATISTICS = ("last", "max", "mean")
SF, BW, CHANNEL, TP = range(4)


class ADR(Learner):
    """The rule of D-LoRa's conference paper, and what rules of this kind share: a first point, and channels.

    Args:
        scenario, seeds: See `Learner`.
        channels: `random`: drawn for every packet; `caasi`: assigned by a survey (`agents.dlora.caasi`).
        statistic: What counts of the received powers in dBm of the history: the `last`, their `max` or their `mean`.
        history: Packets looked back on, at least 1; while there are fewer, those.
        margin_db: Kept for fading and interference. dB

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
        margin_db: float = 0.0,
    ) -> None:
        _check(channels, statistic, history, margin_db)
        self.history, self.margin_db = int(history), float(margin_db)
        first = np.zeros((len(seeds), scenario.nodes, 4), np.int16)
        first[..., SF] = len(scenario.region.spreading_factors) - 1
        first[..., TP] = len(scenario.region.tp_dbm) - 1
        found = survey(scenario, seeds) if channels == "caasi" else None
        if found is not None:
            first[..., CHANNEL] = found.channel
        super().__init__(scenario, seeds, fixed_point=first)
        self.overhead = None if found is None else found.outcome
        region = self.region
        sensitivity_dbm = scenario.reception.sensitivities_dbm(
            np.array(region.spreading_factors), np.array(region.bandwidths_hz)
        )
        self._least_dbm = sensitivity_dbm.reshape(-1) + self.margin_db
        self._tp_dbm = np.array(region.tp_dbm)
        self._hops = found is None and len(region.channels_hz) > 1
        self._keys = np.array([stream_key(seed, "learner") for seed in seeds], np.uint64)
        self._decided = np.zeros((self.replicas, self.nodes), np.int64)
        self._statistic = statistic
        kept = 0 if statistic == "last" else self.history
        self._past_dbm = np.full((self.replicas, self.nodes, kept), np.nan)
        self._noted = np.zeros((self.replicas, self.nodes), np.int64)

    @property
    def operations(self) -> int:
        """Per (SF, BW) a subtraction and two comparisons; three for the power; a draw; one per packet kept."""
        return 3 * len(self._least_dbm) + 4 + self._past_dbm.shape[2]

    def update(self, decisions: Decisions) -> None:
        """Notes the received powers of packets, if the rule looks further back than on the last one."""
        if self._statistic != "last":
            known = np.flatnonzero(decisions.fate >= 0)
            b, n = decisions.replica[known], decisions.node[known]
            self._past_dbm[b, n, self._noted[b, n] % self.history] = decisions.rssi_dbm[known]
            self._noted[b, n] += 1

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The points that the last packets' strength allows `[M, 4]`."""
        replica, node = decisions.replica, decisions.node
        chosen = self._points(decisions)
        if self._hops:
            channels = np.uint64(len(self.region.channels_hz))
            _draw_channels(self._keys[replica], node, self._decided[replica, node], channels, chosen)
        self._decided[replica, node] += 1
        return chosen

    def state_arrays(self) -> dict[str, NDArray]:
        """Decisions so far `[B, N]`; first points `[B, N, 4]`, which have the channels assigned; powers kept in dBm."""
        state: dict[str, NDArray] = {"decided": self._decided, "first": self.fixed_points}
        if self._statistic != "last":
            state |= {"past_dbm": self._past_dbm, "noted": self._noted}
        return state

    def _strength_dbm(self, decisions: Decisions) -> NDArray[np.float64]:
        """What the rule goes by `[M]`, in dBm; nan before the first packet."""
        if self._statistic == "last":
            return decisions.rssi_dbm
        past_dbm = self._past_dbm[decisions.replica, decisions.node]
        if self._statistic == "max":
            return np.fmax.reduce(past_dbm, axis=1)
        count = np.isfinite(past_dbm).sum(axis=1)
        return np.divide(np.nansum(past_dbm, axis=1), count, out=np.full(len(count), np.nan), where=count > 0)

    def _points(self, decisions: Decisions) -> NDArray[np.int16]:
        chosen = self.fixed_points[decisions.replica, decisions.node]
        margin_db = self._strength_dbm(decisions)[:, None] - self._least_dbm
        above_db = np.where(margin_db > 0, margin_db, np.inf)
        tightest = above_db.argmin(axis=1)
        smallest_db = above_db.min(axis=1)
        some = np.isfinite(smallest_db)
        rate = np.minimum(tightest + 1, len(self._least_dbm) - 1)[some]
        chosen[some, SF], chosen[some, BW] = np.divmod(rate, len(self.region.bandwidths_hz))
        wanted_dbm = self._tp_dbm[-1] - 2 * np.floor(smallest_db[some] / 2)
        chosen[some, TP] = np.maximum(np.searchsorted(self._tp_dbm, wanted_dbm, side="right") - 1, 0)
        return chosen


class AdrIdeal(ADR):
    """Semtech's rule for the network server, with free and instantaneous commands.

    Args:
        scenario, seeds, channels: See `ADR`.
        margin_db: Kept for fading and interference. dB
        history: Packets delivered with the same parameters before the rule looks at them, at least 1.

    Raises:
        ValueError: a parameter outside its range.
    """

    name: ClassVar[str] = "adr-ideal"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        margin_db: float = 10.0,
        history: int = 20,
        channels: str = "random",
    ) -> None:
        super().__init__(scenario, seeds, channels=channels, history=history, margin_db=margin_db)
        bandwidths_hz = np.array(self.region.bandwidths_hz)
        self._noise_dbm = phy.noise_dbm(bandwidths_hz, scenario.reception.noise_figure_db)
        self._needed_db = scenario.reception.sinr_thresholds_db(np.array(self.region.spreading_factors))
        self._in_force = self.fixed_points.copy()
        self._heard = np.zeros((self.replicas, self.nodes), np.int64)
        self._best_db = np.full((self.replicas, self.nodes), -np.inf)

    @property
    def operations(self) -> int:
        """SNR, its maximum and the count; the margin, its steps and two comparisons; a draw for the channel."""
        return 10

    def update(self, decisions: Decisions) -> None:
        """Notes the SNR of packets delivered, and gives new parameters to nodes whose history is full."""
        heard = np.flatnonzero(decisions.fate == Fate.DELIVERED)
        b, n = decisions.replica[heard], decisions.node[heard]
        snr_db = decisions.rssi_dbm[heard] - self._noise_dbm[decisions.point[heard, BW]]
        self._heard[b, n] += 1
        self._best_db[b, n] = np.maximum(self._best_db[b, n], snr_db)
        full = self._heard[b, n] >= self.history
        b, n = b[full], n[full]
        point = self._in_force[b, n]
        margin_db = self._best_db[b, n] - self._needed_db[point[:, SF]] - self.margin_db
        self._in_force[b, n] = after_steps(point, np.floor(margin_db / 3).astype(int), len(self._tp_dbm))
        self._heard[b, n], self._best_db[b, n] = 0, -np.inf

    def state_arrays(self) -> dict[str, NDArray]:
        """ADR's; parameters in force `[B, N, 4]`; packets heard with them and the best SNR in dB `[B, N]`."""
        mine: dict[str, NDArray] = {"in_force": self._in_force, "heard": self._heard, "best_db": self._best_db}
        return super().state_arrays() | mine

    def _points(self, decisions: Decisions) -> NDArray[np.int16]:
        return self._in_force[decisions.replica, decisions.node]


def after_steps(point: NDArray[np.int16], steps: NDArray[np.integer], powers: int) -> NDArray[np.int16]:
    """Points `[M, 4]` after steps of 3 dB `[M]`: first the spreading factor down, then the power; or the power up."""
    after = point.copy()
    faster = np.clip(steps, 0, point[:, SF])
    after[:, SF] -= faster.astype(np.int16)
    after[:, TP] = np.clip(point[:, TP] - (steps - faster), 0, powers - 1)
    return after


def _check(channels: str, statistic: str, history: int, margin_db: float) -> None:
    for name, value, allowed in (("channels", channels, CHANNELS), ("statistic", statistic, STATISTICS)):
        if value not in allowed:
            raise ValueError(f"{name} = {value!r} is not one of {', '.join(allowed)}")
    check_history(history, margin_db)


def check_history(history: int, margin_db: float) -> None:
    """Raise ValueError for a history or a margin outside its range."""
    if not np.isfinite(margin_db):
        raise ValueError(f"margin_db = {margin_db}: must be finite")
    if not (history >= 1 and history == int(history)):
        raise ValueError(f"history = {history}: must be a whole number of at least 1")


@njit(nogil=True)  # no disk cache: it would not notice an edited generator
def _draw_channels(
    key: NDArray[np.uint64],
    node: NDArray[np.integer],
    decided: NDArray[np.int64],
    channels: np.uint64,
    points: NDArray[np.int16],
) -> None:
    for m in range(len(node)):
        word = bits(key[m], node[m], decided[m]) >> np.uint64(32)
        points[m, 2] = (word * channels) >> np.uint64(32)
