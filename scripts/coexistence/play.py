"""Plays a run: servers choose and learn, a way of coordination has its say, everything is booked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lora_marl.config import TrainConfig
from scripts.coexistence.ledger import Book, Ledger
from scripts.coexistence.networks import coexistence_of, environment
from scripts.coexistence.ways import way_of


class Play:
    """One way of coordination on all replicas of a run, interval by interval.

    Args:
        config: The run.
        label: Of one of its learners.

    Attributes:
        env: The environment.
        book: What came of the intervals so far.
        intervals: There are.

    Raises:
        ConfigError: what cannot be built, naming it.
    """

    def __init__(self, config: TrainConfig, label: str) -> None:
        coexistence = coexistence_of(config)
        self.way = way_of(config, label)
        self.env = environment(coexistence, len(config.seeds), per_packet=self.way.hops)
        self.book, self.intervals = Book(), coexistence.intervals
        self._observations = self._by_network(self.env.reset_array(config.seeds))
        self.way.begin(self.env.game)

    @property
    def done(self) -> int:
        """Intervals played so far."""
        return len(self.book)

    @property
    def finished(self) -> bool:
        """Whether all have been played."""
        return self.done == self.intervals

    def play_next(self) -> None:
        """Plays an interval."""
        chosen = self.way.choose(self._observations)
        flat = chosen.reshape(len(chosen), -1, *chosen.shape[3:])
        observations, rewards, _, _, infos = self.env.step_array(flat)
        seen, earned = self._by_network(observations), self._by_network(rewards)
        self.book.add(self.env.game, earned)
        weights = (self._by_network(infos["attempts"]) > 0).astype(np.float64)
        self.way.learn(self._observations, chosen, earned, weights, seen)
        self.way.after(self.book)
        self._observations = seen

    def play(self) -> list[Ledger]:
        """Plays all that is left; a ledger of each replica."""
        while not self.finished:
            self.play_next()
        return self.book.ledgers()

    def _by_network(self, values: NDArray) -> NDArray:
        """Of groups `[B, L * Q, ...]` to `[B, L, Q, ...]`."""
        game = self.env.game
        return values.reshape(len(values), len(game.learning), game.settings.groups, *values.shape[2:])


def sums_of(ledgers: Sequence[Ledger]) -> dict[str, NDArray[np.float64]]:
    """What is kept of replicas, by name. `[B, T, S, ...]` each"""
    return {"sums": np.stack([each.sums for each in ledgers]), "airtime_s": np.stack([e.airtime_s for e in ledgers])}
