"""The base of index bandits: of every group of competing arms, a node chooses the one of highest index.

To write a bandit of your own, copy `UCB1` of `agents/bandits/cucb.py` and register its name in `agents/__init__.py`.

Subclasses differ in their arms and rewards (`cucb`, `agents.dlora.conference`), in what past packets count
(`nonstationary`) and in the index (`exploration`). All nodes and replicas are arrays.

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch, `G` groups, `K` arms, `F` learned factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.bandits import kernel
from agents.bandits.kernel import COUNT, END, FIRST, STRIDES, SUBTRACTED, VALUE, WIDTH
from agents.learner import Learner
from lora_marl.core.region import FACTORS

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


class IndexBandit(Learner):
    """Nodes that choose the arms of highest upper confidence index.

    `decide` is one compiled pass. `update` and `select` state the same rule in NumPy; tests hold both to each other.

    Args:
        scenario, seeds, factors, fixed_point: As in `Learner`.
        groups: Which arms compete and which factors they set, see `agents.bandits.kernel`. `[G, 7]`
        rewards: By fate and arm. `[5, K]`
        c: Weight of exploration, at least 0.
        prior: Tries that every arm starts with, 0 or 1.
        allowed: Arms that may be chosen, at least one in every group; broadcasts to `[B, N, K]`; None: all.

    Raises:
        ValueError: `c` or `prior` outside its range, or no arm of a group allowed.
    """

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        factors: Sequence[str],
        fixed_point: ArrayLike | None,
        groups: NDArray[np.int64],
        rewards: NDArray[np.float64],
        c: float,
        prior: int,
        allowed: NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__(scenario, seeds, factors=factors, fixed_point=fixed_point)
        if not (isinstance(c, (int, float, np.number)) and 0 <= c < np.inf):
            raise ValueError(f"c = {c}: must be a finite number of at least 0")
        if prior not in (0, 1):
            raise ValueError(f"prior = {prior}: must be 0 or 1")
        self.c, self.prior = float(c), float(prior)
        self.groups, self.rewards = groups, rewards
        self.t = np.ones((self.replicas, self.nodes))
        self._arms = np.zeros((self.replicas, self.nodes, 3, self.rewards.shape[1]))
        self._arms[:, :, WIDTH] = self.c / np.sqrt(2 * self.prior) if prior else np.inf
        if allowed is not None:
            self._forbid(~np.broadcast_to(allowed, self.values.shape))

    @property
    def values(self) -> NDArray[np.float64]:
        """Expected rewards; -inf: the arm may not be chosen. `[B, N, K]`"""
        return self._arms[:, :, VALUE]

    @property
    def counts(self) -> NDArray[np.float64]:
        """Packets of known fate that were sent with each arm. `[B, N, K]`"""
        return self._arms[:, :, COUNT]

    @property
    def widths(self) -> NDArray[np.float64]:
        """Half-widths of confidence at ln t = 1: c / sqrt(2 (count + prior)). `[B, N, K]`"""
        return self._arms[:, :, WIDTH]

    @property
    def operations(self) -> int:
        """Three per arm (multiply, add, compare), nine per group for the update, and a root, a logarithm and a sum."""
        return 3 * self.values.shape[2] + 9 * len(self.groups) + 3

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Update, select and write the choices into `points` `[B, N, 4]` in one compiled pass."""
        kernel.decide(decisions.records, points, *self._pass_arguments())

    def update(self, decisions: Decisions) -> None:
        """Learn from the fates of the last packets; rows with `Fate.NONE` are skipped."""
        with_fate = np.flatnonzero(decisions.fate >= 0)
        b, n = decisions.replica[with_fate], decisions.node[with_fate]
        self._learn(b, n, decisions.fate[with_fate], decisions.point[with_fate])

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The operating points of highest index. `[M, 4]`"""
        return self._best(decisions.replica, decisions.node)

    def indices(self, replica: NDArray[np.integer], node: NDArray[np.integer]) -> NDArray[np.float64]:
        """Upper confidence indices of the arms of some nodes. `[M, K]`"""
        return ucb_index(
            self.values[replica, node], self.counts[replica, node], self.t[replica, node, None], self.c, self.prior
        )

    def initial_points(self) -> NDArray[np.int16]:
        """The first allowed arm of every group, which is what the index chooses before any packet. `[B, N, 4]`"""
        replica, node = np.indices((self.replicas, self.nodes)).reshape(2, -1)
        values = np.where(self.values[replica, node] > -np.inf, 0.0, -np.inf)
        return self._points_of(values, replica, node).reshape(self.replicas, self.nodes, len(FACTORS))

    def state_arrays(self) -> dict[str, NDArray]:
        """Transmissions, from 1 `[B, N]`; values, counts and widths `[B, N, 3, K]`."""
        return {"t": self.t, "arms": self._arms}

    def _pass_arguments(self, *extra: Any) -> tuple[Any, ...]:
        """Arguments of a compiled pass after decisions and points: those of all passes, then its own."""
        return (self.t, self._arms, self.rewards, self.groups, self.fixed_points, self.c, self.prior, *extra)

    def _learn(self, b: NDArray, n: NDArray, fate: NDArray, point: NDArray) -> None:
        """Learn from one packet each of different nodes, given replica, node, fate `[M]` and point `[M, 4]`."""
        self.t[b, n] += 1
        for group in self.groups:
            k = group[FIRST] + point @ group[STRIDES:]
            self.counts[b, n, k] += 1
            pulls = self.counts[b, n, k] + self.prior
            self.values[b, n, k] += (self.rewards[fate, k] - self.values[b, n, k + group[SUBTRACTED]]) / pulls
            self.widths[b, n, k] = self._width(pulls)

    def _width(self, pulls: NDArray[np.float64]) -> NDArray[np.float64]:
        """Half-widths of confidence at ln t = 1; infinite where an arm has not been tried."""
        return np.divide(self.c, np.sqrt(2 * pulls), out=np.full_like(pulls, np.inf), where=pulls > 0)

    def _widen(self, b: NDArray, n: NDArray) -> None:
        """Recompute the widths of nodes whose counts have shrunk."""
        widths = self._width(self.counts[b, n] + self.prior)
        self.widths[b, n] = np.where(self.values[b, n] > -np.inf, widths, 0.0)

    def _best(self, replica: NDArray, node: NDArray) -> NDArray[np.int16]:
        return self._points_of(self.indices(replica, node), replica, node)

    def _points_of(self, index: NDArray[np.float64], replica: NDArray, node: NDArray) -> NDArray[np.int16]:
        """Operating points of the highest index in each group: `[M, K]` -> `[M, 4]`."""
        chosen = self.fixed_points[replica, node]
        for group in self.groups:
            rest = index[:, group[FIRST] : group[END]].argmax(axis=1)
            for factor in np.flatnonzero(group[STRIDES:]):
                chosen[:, factor], rest = np.divmod(rest, group[STRIDES + factor])
        return chosen

    def _forbid(self, arms: NDArray[np.bool_]) -> None:
        """Exclude arms, by a value of -inf and a width of 0, which no index can lift."""
        for group in self.groups:
            empty = np.argwhere(arms[:, :, group[FIRST] : group[END]].all(axis=2))
            if len(empty):
                raise ValueError(f"allowed: node {empty[0, 1]} has no arm left of {group[FIRST]} to {group[END] - 1}")
        self.values[arms] = -np.inf
        self.widths[arms] = 0.0


def ucb_index(
    value: NDArray[np.float64], count: NDArray[np.float64], t: NDArray[np.floating], c: float, prior: float
) -> NDArray[np.float64]:
    """Upper confidence index: value + c sqrt(ln t / (2 (count + prior))).

    Args:
        value: Expected rewards; -inf: the arm may not be chosen, and its index is -inf. [...]
        count: Packets of each arm. [...]
        t: Transmissions so far, at least 1. [...]
        c: Weight of exploration.
        prior: Tries that every arm starts with.

    Returns:
        The index; infinite where an arm has not been tried. [...]

    Source: D-LoRa journal Eq. (18) and (23).
    """
    pulls = count + prior
    bonus = c * np.sqrt(np.log(t) / (2 * np.where(pulls > 0, pulls, 1.0)))
    return np.where((pulls > 0) | (value == -np.inf), value + bonus, np.inf)


def factor_groups(sizes: Sequence[int], factors: Sequence[str]) -> NDArray[np.int64]:
    """One group of arms for each factor, one after another. `[F, 7]`"""
    groups = np.zeros((len(factors), STRIDES + len(FACTORS)), np.int64)
    first = 0
    for group, name in zip(groups, factors, strict=True):
        column = FACTORS.index(name)
        group[FIRST], group[END], group[STRIDES + column] = first, first + sizes[column], 1
        first = group[END]
    return groups


def product_group(sizes: Sequence[int], factors: Sequence[str]) -> NDArray[np.int64]:
    """One group of all combinations of the factors' values, the last factor counting fastest. `[1, 7]`"""
    group = np.zeros((1, STRIDES + len(FACTORS)), np.int64)
    arms = 1
    for column in reversed(range(len(FACTORS))):
        if FACTORS[column] in factors:
            group[0, STRIDES + column] = arms
            arms *= sizes[column]
    group[0, END] = arms
    return group
