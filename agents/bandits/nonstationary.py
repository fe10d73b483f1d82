"""CUCB for an air that changes: it forgets gradually, looks back a limited time, or restarts when rewards fall.

These are D-LoRa's CUCB (`agents.bandits.cucb`) except for how much past packets count. In addition to its update:

| name | before a packet is learned | source |
|---|---|---|
| `discounted-cucb` | T <- gamma T for all arms, t <- gamma (t - 1) + 1 | D-UCB: Garivier and Moulines 2011 |
| `window-cucb` | the oldest of `window` packets is taken out of T and R; t <= window + 1 | SW-UCB: the same paper |
| `restarting-cucb` | nothing | CUSUM-UCB: Liu, Lee and Shroff 2018 |

`restarting-cucb` keeps a cumulative sum (Page 1954) of every arm. A packet sent with an arm that has been tried
`settled` times adds to it

    S <- max(0, S + R - r - slack)

When an S exceeds `threshold`, the rewards of that arm have fallen, and the node restarts: T <- min(T, guess) for
channels, T <- min(T, keep) for the other factors, t <- 1 + the smallest sum of T over a factor's arms (at least 2), and
S <- 0. Values stay, but count for few packets.

| paper | name | paper | name |
|---|---|---|---|
| T, packets of an arm | `counts` | gamma, the discount | 1 - 1 / `memory` |
| t, packets of the node | `t`, from 1 | tau, the window | `window` |
| R, value of an arm; r, reward | `values`, `rewards` | epsilon, h and M of CUSUM | `slack`, `threshold`, `settled` |

Source: the papers in the table; none of them is about LoRaWAN or about several arms at once.
Differences:
    1. The index is CUCB's, one for each factor, with rewards of -1 to +1 and metric factors.
    2. CUSUM-UCB restarts the arm that changed. Here all channels restart: what changes one channel often changes all,
       and a node cannot see whether the channel, the spreading factor or the power is to blame for lost packets.
    3. It detects falls only, and does not explore uniformly to detect gains. An arm that has become better is found
       when the one in use gets worse, or by its index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.bandits import kernel
from agents.bandits.cucb import CUCB
from agents.bandits.kernel import END, FIRST, STRIDES
from lora_marl.core.allowed import Allowed, Columns, Count
from lora_marl.core.reception import FATES

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


class DiscountedCUCB(CUCB):
    """CUCB in which every packet makes all earlier ones of its node count less.

    Args:
        scenario, seeds, **parameters: As in `CUCB`.
        memory: Packets after which a packet counts 1/e: gamma = 1 - 1 / memory. At least 1.

    Raises:
        ValueError: `memory` below 1.
    """

    name: ClassVar[str] = "discounted-cucb"

    def __init__(
        self, scenario: Scenario, seeds: Sequence[int], *, memory: float = 20_000.0, **parameters: Any
    ) -> None:
        super().__init__(scenario, seeds, **parameters)
        if not memory >= 1:
            raise ValueError(f"memory = {memory}: must be at least 1 packet")
        self.discount = 1.0 - 1.0 / memory

    @property
    def operations(self) -> int:
        """The operations of CUCB, and four for each arm, since every packet changes all counts and widths."""
        return super().operations + 4 * self.values.shape[2]

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Update, select and write the choices into `points` `[B, N, 4]` in one compiled pass."""
        kernel.decide_discounted(decisions.records, points, *self._pass_arguments(self.discount))

    def _learn(self, b: NDArray, n: NDArray, fate: NDArray, point: NDArray) -> None:
        self.t[b, n] = self.discount * (self.t[b, n] - 1) + 1
        self.counts[b, n] *= self.discount
        self._widen(b, n)
        super()._learn(b, n, fate, point)


class WindowCUCB(CUCB):
    """CUCB in which only the last packets of a node count.

    Args:
        scenario, seeds, **parameters: As in `CUCB`.
        window: How many packets count. At least 1.

    Raises:
        ValueError: `window` below 1.
    """

    name: ClassVar[str] = "window-cucb"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, window: int = 20_000, **parameters: Any) -> None:
        super().__init__(scenario, seeds, **parameters)
        if not (window >= 1 and window == int(window)):
            raise ValueError(f"window = {window}: must be a whole number of packets, at least 1")
        self._past = np.zeros((self.replicas, self.nodes, int(window), 5), np.int16)
        self._sent = np.zeros((self.replicas, self.nodes), np.int64)

    @property
    def operations(self) -> int:
        """The operations of CUCB; taking a packet out costs as much as learning one."""
        return super().operations + 9 * len(self.groups)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Update, select and write the choices into `points` `[B, N, 4]` in one compiled pass."""
        kernel.decide_window(decisions.records, points, *self._pass_arguments(self._past, self._sent))

    def state_arrays(self) -> dict[str, NDArray]:
        """The arrays of CUCB; points and fates of the last packets `[B, N, window, 5]`; packets so far `[B, N]`."""
        return super().state_arrays() | {"past": self._past, "sent": self._sent}

    def state_limits(self) -> dict[str, Allowed]:
        """Points and fates of the last packets are indices."""
        columns = tuple(Count(size - 1) for size in (*self.region.factor_sizes, len(FATES)))
        return super().state_limits() | {"past": Columns(columns)}

    def _learn(self, b: NDArray, n: NDArray, fate: NDArray, point: NDArray) -> None:
        window = self._past.shape[2]
        slot = self._sent[b, n] % window
        full = self._sent[b, n] >= window
        oldest = self._past[b, n, slot]
        self._unlearn(b[full], n[full], oldest[full, 4], oldest[full, :4])
        super()._learn(b, n, fate, point)
        self._past[b, n, slot] = np.column_stack([point, fate])
        self._sent[b, n] += 1
        self.t[b, n] = 1 + np.minimum(self._sent[b, n], window)

    def _unlearn(self, b: NDArray, n: NDArray, fate: NDArray, point: NDArray) -> None:
        for group in self.groups:
            k = group[FIRST] + point @ group[STRIDES:]
            pulls = self.counts[b, n, k] + self.prior
            left = pulls - 1
            total = self.values[b, n, k] * pulls - self.rewards[fate, k]
            self.counts[b, n, k] -= 1
            self.values[b, n, k] = np.divide(total, left, out=np.zeros_like(total), where=left > 0)
            self.widths[b, n, k] = self._width(left)


class RestartingCUCB(CUCB):
    """CUCB that restarts when the rewards of an arm have fallen.

    Args:
        scenario, seeds, **parameters: As in `CUCB`.
        slack: Fall of the mean reward that is tolerated. At least 0.
        threshold: Cumulative sum above which the node restarts. Above 0.
        settled: Packets after which the value of an arm is relied upon. At least 0.
        guess: Packets that the value of a channel counts for after a restart, at most; that of every arm where no
            channel is chosen. At least 0.
        keep: Packets that the value of any other arm counts for after a restart, at most. At least 0.

    Raises:
        ValueError: a parameter outside its range.
    """

    name: ClassVar[str] = "restarting-cucb"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        slack: float = 0.3,
        threshold: float = 40.0,
        settled: float = 200.0,
        guess: float = 10.0,
        keep: float = 50_000.0,
        **parameters: Any,
    ) -> None:
        super().__init__(scenario, seeds, **parameters)
        for name, value in {"slack": slack, "settled": settled, "guess": guess, "keep": keep}.items():
            if not value >= 0:
                raise ValueError(f"{name} = {value}: must be at least 0")
        if not threshold > 0:
            raise ValueError(f"threshold = {threshold}: must be above 0")
        self.slack, self.threshold, self.settled = float(slack), float(threshold), float(settled)
        restarted = ("channel",) if "channel" in self.factors else self.factors
        self.keep = np.array([guess if name in restarted else keep for name in self.factors], np.float64)
        self._cusum = np.zeros(self.values.shape)
        self.restarts = np.zeros((self.replicas, self.nodes), np.int64)
        """Restarts of each node so far. `[B, N]`"""

    @property
    def operations(self) -> int:
        """The operations of CUCB, and five for the cumulative sum of each arm used."""
        return super().operations + 5 * len(self.groups)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Update, select and write the choices into `points` `[B, N, 4]` in one compiled pass."""
        limits = (self.slack, self.threshold, self.settled, self.keep)
        kernel.decide_restarting(decisions.records, points, *self._pass_arguments(self._cusum, self.restarts, *limits))

    def state_arrays(self) -> dict[str, NDArray]:
        """The arrays of CUCB; cumulative sums `[B, N, K]`; restarts `[B, N]`."""
        return super().state_arrays() | {"fall": self._cusum, "restarts": self.restarts}

    def _learn(self, b: NDArray, n: NDArray, fate: NDArray, point: NDArray) -> None:
        largest = np.zeros(len(b))
        for group in self.groups:
            k = group[FIRST] + point @ group[STRIDES:]
            sums = np.maximum(0, self._cusum[b, n, k] + self.values[b, n, k] - self.rewards[fate, k] - self.slack)
            settled = self.counts[b, n, k] >= self.settled
            self._cusum[b, n, k] = np.where(settled, sums, self._cusum[b, n, k])
            largest = np.maximum(largest, np.where(settled, sums, 0))
        super()._learn(b, n, fate, point)
        fallen = largest > self.threshold
        self._restart(b[fallen], n[fallen])

    def _restart(self, b: NDArray, n: NDArray) -> None:
        self.restarts[b, n] += 1
        self._cusum[b, n] = 0
        most = np.repeat(self.keep, self.groups[:, END] - self.groups[:, FIRST])
        self.counts[b, n] = np.minimum(self.counts[b, n], most)
        self._widen(b, n)
        sums = [self.counts[b, n, group[FIRST] : group[END]].sum(axis=1) for group in self.groups]
        self.t[b, n] = 1 + np.maximum(np.min(sums, axis=0), 1)
