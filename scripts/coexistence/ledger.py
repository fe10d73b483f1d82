"""What came of the intervals of a run, and the numbers that are read off it.

Shape letters: `T` intervals, `B` replicas, `S` networks, `C` channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import metrics
from lora_marl.envs.coexistence_game import CoexistenceGame

SUMS = ("attempts", "received", "energy_mj", "frames_delivered", "frames_lost", "delay_s", "reward")
"""Per network and interval; `reward` is summed over attempts, and nan of networks that do not learn."""


@dataclass(frozen=True)
class Ledger:
    """One replica.

    Attributes:
        sums: `[T, S, 7]` in the order of `SUMS`.
        airtime_s: Of each network on each channel. `[T, S, C]` s
    """

    sums: NDArray[np.float64]
    airtime_s: NDArray[np.float64]

    def total(self, name: str, networks: Sequence[int] | None = None, intervals: slice = slice(None)) -> float:
        """A sum over intervals and networks (None: all)."""
        column = self.sums[intervals, :, SUMS.index(name)]
        return float(column.sum() if networks is None else column[:, list(networks)].sum())

    def measures(self, networks: Sequence[int] | None = None, intervals: slice = slice(None)) -> dict[str, float]:
        """The KPIs of some networks (None: all), from sums over networks and intervals.

        Returns:
            `prr`, `epn_mj`, `atp`, `pdr`, `delay_s`, `return`; `overlap` of channel use, mean over intervals;
            `switches`: share of intervals in which a network's busiest channel changed; `jain` of the networks' PRR.
        """
        of = {name: self.total(name, networks, intervals) for name in SUMS}
        every = list(range(self.sums.shape[1]) if networks is None else networks)
        prr = [metrics.pdr(*(self.total(name, [s], intervals) for name in ("attempts", "received"))) for s in every]
        return {
            "prr": metrics.pdr(of["attempts"], of["received"]),
            "epn_mj": metrics.energy_per_delivered_mj(of["energy_mj"], of["frames_delivered"]),
            "atp": metrics.attempts_per_delivered(of["attempts"], of["frames_delivered"]),
            "pdr": metrics.pdr(of["frames_delivered"] + of["frames_lost"], of["frames_delivered"]),
            "delay_s": float(np.divide(of["delay_s"], of["frames_delivered"] or np.nan)),
            "return": self._return(every, intervals),
            "overlap": overlap(self.airtime_s[intervals][:, every]),
            "switches": switches(self.airtime_s[intervals][:, every]),
            "jain": float(metrics.jain_fairness(np.nan_to_num(prr))),
        }

    def _return(self, networks: Sequence[int], intervals: slice) -> float:
        """Mean reward of an attempt of those that learn; nan where none does."""
        rewards, attempts = (
            self.sums[intervals, :, SUMS.index(name)].sum(0)[networks] for name in ("reward", "attempts")
        )
        learns = np.isfinite(rewards)
        return float(metrics.pdr(attempts[learns].sum(), rewards[learns].sum()))


def overlap(airtime_s: NDArray[np.float64]) -> float:
    """Mean over intervals of how far networks used the same channels; nan for one network. `[T, S, C]`"""
    cosines = metrics.channel_overlap(airtime_s)
    return float(np.nanmean(cosines)) if np.isfinite(cosines).any() else float("nan")


def switches(airtime_s: NDArray[np.float64]) -> float:
    """Share of intervals in which a network's busiest channel is another one than before. `[T, S, C]`"""
    busiest = airtime_s.argmax(axis=-1)
    return float((busiest[1:] != busiest[:-1]).mean()) if len(busiest) > 1 else float("nan")


class Book:
    """Writes the ledgers of all replicas of a game, interval by interval."""

    def __init__(self) -> None:
        self._sums: list[NDArray[np.float64]] = []
        self._airtime_s: list[NDArray[np.float64]] = []

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, game: CoexistenceGame, rewards: NDArray[np.float64]) -> None:
        """Take in the last interval; `rewards [B, L, Q]` of the groups of learning networks."""
        books = game.books
        sums = [getattr(books, name).sum(-1) for name in SUMS[:-1]]
        reward = np.full_like(sums[0], np.nan)
        reward[:, game.learning] = (rewards * books.attempts[:, game.learning]).sum(-1)
        self._sums.append(np.stack([*sums, reward], axis=-1))
        self._airtime_s.append(books.channel_airtime_s.copy())

    def last(self, intervals: int) -> Mapping[str, NDArray[np.float64]]:
        """Sums over the last intervals, by name. `[B, S]` each"""
        summed = np.sum(self._sums[-intervals:], axis=0)
        return {name: summed[..., at] for at, name in enumerate(SUMS)}

    def latest(self) -> list[Ledger]:
        """Those of the last interval alone."""
        pairs = zip(self._sums[-1], self._airtime_s[-1], strict=True)
        return [Ledger(sums[None], airtime_s[None]) for sums, airtime_s in pairs]

    def ledgers(self) -> list[Ledger]:
        """One for each replica."""
        sums, airtime_s = np.stack(self._sums, axis=1), np.stack(self._airtime_s, axis=1)
        return [Ledger(*each) for each in zip(sums, airtime_s, strict=True)]
