"""Plays a run: servers choose and learn, a way of coordination has its say, everything is booked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.metrics import channel_overlap
from lora_marl.envs.coexistence_v0 import Coexisting
from scripts.coexistence.independent import Way
from scripts.coexistence.ledger import Book, Ledger, jain, kpis
from scripts.measures import Row

_OF_EACH = ("prr", "epn_mj", "atp", "pdr", "delay_s", "return")


class Play:
    """One way of coordination on all replicas of an environment, interval by interval.

    Args:
        env: Whose agents are groups.
        way: What decides.
        seeds: One per replica.

    Attributes:
        env, way: As given.
        book: What came of the intervals so far.
    """

    def __init__(self, env: Coexisting, way: Way, seeds: Sequence[int]) -> None:
        self.env, self.way, self.book = env, way, Book()
        self._observations = self._by_network(env.reset_array(seeds))
        way.begin(env.game)

    @property
    def done(self) -> int:
        """Intervals played so far."""
        return len(self.book)

    @property
    def finished(self) -> bool:
        """Whether all have been played."""
        return self.done == self.env.max_cycles

    def play_next(self) -> None:
        """Plays an interval."""
        chosen = self.way.choose(self._observations)
        flat = chosen.reshape(len(chosen), -1, *chosen.shape[3:])
        observations, rewards, _, _, infos = self.env.step_array(flat)
        seen, earned = self._by_network(observations), self._by_network(rewards)
        self.book.add(self.env.game, earned)
        weights = self._by_network(infos["attempts"]).astype(np.float64)
        self.way.learn(self._observations, chosen, earned, weights, seen)
        self.way.after(self.book)
        self._observations = seen

    def rows(self) -> list[Row]:
        """What came of the last interval, of all networks together and of each, a row for every replica."""
        sums, airtime_s = self.book.latest()
        each = kpis(sums)
        columns = {**kpis(sums, (1,)), "overlap": channel_overlap(airtime_s), "jain": jain(each["prr"])}
        columns |= {f"{name}_{s}": each[name][:, s] for s in range(sums.shape[1]) for name in _OF_EACH}
        values = np.stack(list(columns.values()), axis=-1).tolist()
        return [{"interval": float(self.done), **dict(zip(columns, row, strict=True))} for row in values]

    def _by_network(self, values: NDArray) -> NDArray:
        """Of groups `[B, L * Q, ...]` to `[B, L, Q, ...]`."""
        game = self.env.game
        return values.reshape(len(values), len(game.learning), game.settings.groups, *values.shape[2:])


def played(env: Coexisting, way: Way, seeds: Sequence[int]) -> list[Ledger]:
    """A whole episode; a ledger of each replica."""
    play = Play(env, way, seeds)
    while not play.finished:
        play.play_next()
    return play.book.ledgers()


def sums_of(ledgers: Sequence[Ledger]) -> dict[str, NDArray[np.float64]]:
    """What is kept of replicas, by name. `[B, T, S, ...]` each"""
    return {"sums": np.stack([each.sums for each in ledgers]), "airtime_s": np.stack([e.airtime_s for e in ledgers])}
