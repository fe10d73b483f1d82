"""CUCB for air that changes: it forgets gradually, looks back a limited time, or starts afresh when it notices.

All are `agents.bandits.cucb.CUCB` but for what past packets count. Beside its update, with T the packets of an arm, t those
of the node from 1, R the arm's value and r the reward:

| name | before a packet is learned | source |
|---|---|---|
| `discounted-cucb` | T <- gamma T for all arms, t <- gamma (t - 1) + 1 | D-UCB: Garivier and Moulines 2011 |
| `window-cucb` | the packet before the last `window` ones is taken out of T and R; t <= window + 1 | SW-UCB, ibid. |
| `restarting-cucb` | nothing | CUSUM-UCB: Liu, Lee and Shroff 2018 |

`restarting-cucb` adds up, for every arm that a packet was sent with and that has been tried `settled` times,

    S <- max(0, S + R - r - slack)

(Page 1954), and when an S exceeds `threshold`, an arm pays less than it did. Then the channels start afresh, and what
is known of the other factors becomes easier to revise: T <- min(T, guess) for channels, T <- min(T, keep) for the rest,
t <- 1 + the smallest sum of T over a factor's arms (at least 2), S <- 0. Values stay, as a guess worth so many packets.

Source: the papers named above; none of them is about LoRaWAN, nor combinatorial.
Differences: 1. The index is CUCB's, one per factor, with rewards of -1 to +1 and metric factors. 2. CUSUM-UCB forgets
the arm that changed; here every channel's, since what changed one often changed all, and since the first fall may show
at the spreading factor or power that was used on it: which factor is to blame, a node cannot see. 3. It looks for falls
only and does not explore uniformly to look for gains: an arm that became better is found when the one in use gets
worse, or by the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.bandits import kernel
from agents.bandits.cucb import CUCB
from agents.bandits.kernel import END, FIRST, STRIDES

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


class DiscountedCUCB(CUCB):
    """Every packet makes all earlier ones of its node count less.

    Args:
        scenario, seeds, **parameters: See `CUCB`.
        memory: Packets after which one counts 1/e: gamma = 1 - 1 / memory. At least 1.

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
        """CUCB's, and four for each arm, whose count and width change with every packet."""
        return super().operations + 4 * self.values.shape[2]

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """See `IndexBandit`."""
        kernel.decide_discounted(decisions.records, points, *self._state(self.discount))

    def _learn(self, b: NDArray, n: NDArray, fate: NDArray, point: NDArray) -> None:
        self.t[b, n] = self.discount * (self.t[b, n] - 1) + 1
        self.counts[b, n] *= self.discount
        self._widen(b, n)
        super()._learn(b, n, fate, point)


class WindowCUCB(CUCB):
    """Only the last packets of a node count.

    Args:
        scenario, seeds, **parameters: See `CUCB`.
        window: How many packets. At least 1.

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
        """CUCB's, and taking a packet out costs as much as learning one."""
        return super().operations + 9 * len(self.groups)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """See `IndexBandit`."""
        kernel.decide_window(decisions.records, points, *self._state(self._past, self._sent))

    def state_arrays(self) -> dict[str, NDArray]:
        """CUCB's; points and fates of the last packets `[B, N, window, 5]`; packets `[B, N]`."""
        return super().state_arrays() | {"past": self._past, "sent": self._sent}

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
    """It trusts all it has seen until an arm's rewards fall for good; then it starts afresh, from what it knows.

    Args:
        scenario, seeds, **parameters: See `CUCB`.
        slack: Fall of a mean reward that is not worth a restart. At least 0.
        threshold: Sum of what falls beyond the slack that is one. Above 0.
        settled: Packets after which an arm's value is trusted. At least 0.
        guess: Packets that the value of a channel is worth after a restart (of any arm, where no channel is chosen).
            At least 0.
        keep: Most packets that the value of another arm is worth after a restart. At least 0.

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
        afresh = ("channel",) if "channel" in self.factors else self.factors
        self.keep = np.array([guess if name in afresh else keep for name in self.factors], np.float64)
        self._fall = np.zeros(self.values.shape)
        self.restarts = np.zeros((self.replicas, self.nodes), np.int64)
        """Restarts of each node so far `[B, N]`."""

    @property
    def operations(self) -> int:
        """CUCB's, and five for the cumulative sum of each arm used."""
        return super().operations + 5 * len(self.groups)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """See `IndexBandit`."""
        limits = (self.slack, self.threshold, self.settled, self.keep)
        kernel.decide_restarting(decisions.records, points, *self._state(self._fall, self.restarts, *limits))

    def state_arrays(self) -> dict[str, NDArray]:
        """CUCB's; cumulative sums `[B, N, K]`; restarts `[B, N]`."""
        return super().state_arrays() | {"fall": self._fall, "restarts": self.restarts}

    def _learn(self, b: NDArray, n: NDArray, fate: NDArray, point: NDArray) -> None:
        largest = np.zeros(len(b))
        for group in self.groups:
            k = group[FIRST] + point @ group[STRIDES:]
            fallen = np.maximum(0, self._fall[b, n, k] + self.values[b, n, k] - self.rewards[fate, k] - self.slack)
            trusted = self.counts[b, n, k] >= self.settled
            self._fall[b, n, k] = np.where(trusted, fallen, self._fall[b, n, k])
            largest = np.maximum(largest, np.where(trusted, fallen, 0))
        super()._learn(b, n, fate, point)
        changed = largest > self.threshold
        self._restart(b[changed], n[changed])

    def _restart(self, b: NDArray, n: NDArray) -> None:
        self.restarts[b, n] += 1
        self._fall[b, n] = 0
        most = np.repeat(self.keep, self.groups[:, END] - self.groups[:, FIRST])
        self.counts[b, n] = np.minimum(self.counts[b, n], most)
        self._widen(b, n)
        sums = [self.counts[b, n, group[FIRST] : group[END]].sum(axis=1) for group in self.groups]
        self.t[b, n] = 1 + np.maximum(np.min(sums, axis=0), 1)
