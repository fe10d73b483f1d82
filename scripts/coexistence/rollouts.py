"""Rollouts of learning networks, and the snapshots of them that the service is trained on.

Shape letters: `B` worlds, `S` networks, `L` those that learn, `Q` groups of a network, `D` features, `P` parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.ccs.codes import random_codes
from agents.ccs.coordinator import Coordinator
from agents.ccs.kpis import kpis
from agents.ccs.rounds import coordinated
from agents.ccs.snapshots import Snapshots
from agents.ccs.view import KINDS
from agents.ccs.worlds import Worlds
from agents.lns.network import Schema
from agents.lns.team import Team
from lora_marl.envs.coexistence_game import CoexistenceGame
from scripts.coexistence.ledger import Book
from scripts.coexistence.ways import Independent

EVERY = 5
"""Intervals between two rounds, and those that a report is about."""


@dataclass(frozen=True)
class Moment:
    """Networks at one time.

    Attributes:
        parameters: Of networks that learn, others zeros. float32 `[B, S, P]`
        kinds: Index in `KINDS`, -1 legacy. `[B, S]`
        observations: `[B, S, Q, D]`
        kpis: Over the last intervals. `[B, S, 4]`
    """

    parameters: NDArray[np.float32]
    kinds: NDArray[np.int64]
    observations: NDArray[np.float32]
    kpis: NDArray[np.float32]


def moment(team: Team, game: CoexistenceGame, book: Book, observations: NDArray[np.float32]) -> Moment:
    """The networks now; `observations [B, L, Q, D]` of those that learn."""
    replicas, networks = game.books.attempts.shape[:2]
    parameters = np.zeros((replicas, networks, Schema().size), np.float32)
    kinds = np.full((replicas, networks), -1, np.int64)
    seen = np.zeros((replicas, networks, *observations.shape[2:]), np.float32)
    seen[:, game.learning] = observations
    for servers, places in team.learners():
        parameters[:, game.learning[places]] = servers.parameters()
        kinds[:, game.learning[places]] = KINDS.index(servers.kind)
    last = book.last(EVERY)
    reported = kpis(*(last[name] for name in ("attempts", "received", "energy_mj", "frames_delivered")))
    return Moment(parameters, kinds, seen, reported)


def snapshots_of(now: Moment, facts: Mapping[str, NDArray]) -> Snapshots:
    """A row for each world."""
    tensors = {name: torch.from_numpy(getattr(now, name)) for name in ("parameters", "kinds", "observations", "kpis")}
    return Snapshots(**tensors, worlds=Worlds.of(facts))


class Recorded(Independent):
    """Servers that learn, and snapshots of them.

    Args:
        team: The servers.
        at: After which intervals.
        coordinator: That takes part in every round of `EVERY` intervals; None: nobody.
        seed: Of its codes.

    Attributes:
        snapshots: Taken so far.
    """

    def __init__(self, team: Team, at: Sequence[int], coordinator: Coordinator | None = None, seed: int = 0) -> None:
        super().__init__(team)
        self._at, self._coordinator, self._seed = set(at), coordinator, seed
        self.snapshots: list[Snapshots] = []

    def begin(self, game: CoexistenceGame) -> None:
        """See `Way`."""
        super().begin(game)
        learners, groups = len(game.learning), game.settings.groups
        if self._coordinator is not None:
            generator = torch.Generator().manual_seed(self._seed)
            count = self._coordinator.design.codes_per_network
            drawn = random_codes(len(game.books.attempts), learners * count, generator)
            self._codes = drawn.unflatten(1, (learners, count)).expand(-1, -1, groups, -1)

    def learn(
        self, observations: NDArray, actions: NDArray, rewards: NDArray, weights: NDArray, following: NDArray
    ) -> None:
        """See `Way`."""
        super().learn(observations, actions, rewards, weights, following)
        self._observations = following

    def after(self, book: Book) -> None:
        """See `Way`."""
        now = moment(self.team, self.game, book, self._observations)
        if len(book) in self._at:
            self.snapshots.append(snapshots_of(now, self.game.facts()))
        if self._coordinator is not None and len(book) % EVERY == 0:
            self._coordinate(now)

    def _coordinate(self, now: Moment) -> None:
        assert self._coordinator is not None
        learning = self.game.learning
        parts = (torch.from_numpy(part[:, learning]) for part in (now.parameters, now.kinds, now.kpis))
        residuals = coordinated(self._coordinator, *parts, self._codes, clip=1.0).numpy()
        for place in range(len(learning)):
            self.team.add(place, residuals[:, place])
