"""Servers that learn, and snapshots of them: what the service is trained on.

Shape letters: `B` worlds, `L` learning networks, `Q` groups of a network, `D` features.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.ccs.moment import Moment, Rounds
from agents.ccs.snapshots import Snapshots
from agents.lns.team import Team
from lora_marl.envs.coexistence_game import CoexistenceGame
from scripts.coexistence.held import Held
from scripts.coexistence.independent import Independent
from scripts.coexistence.ledger import Book

EVERY = 5
"""Intervals between two rounds, and those that a report is about."""


class Recorded(Independent):
    """Independent servers, or those that a coordinator takes part in every `EVERY` intervals.

    Args:
        team: The servers.
        at: After which intervals snapshots are taken.
        rounds: Of the coordinator; None: nobody coordinates.

    Attributes:
        snapshots: Taken so far.
    """

    def __init__(self, team: Team, at: Sequence[int], rounds: Rounds | None = None) -> None:
        super().__init__(team)
        self._at, self._rounds = set(at), rounds
        self.snapshots: list[Snapshots] = []

    def begin(self, game: CoexistenceGame) -> None:
        """See `Way`."""
        super().begin(game)
        self._held = Held(self.team, game.settings.replicas)

    def after(self, book: Book) -> None:
        """See `Way`."""
        due = self._rounds is not None and len(book) % EVERY == 0
        if not due and len(book) not in self._at:
            return
        if self._rounds is not None and due:
            self._held.fade(self._rounds.fade)
        learning = self.game.learning
        now = Moment.of(self.team, learning, self.seen, book.last(EVERY))
        if len(book) in self._at:
            self.snapshots.append(now.snapshots(self.game.facts()))
        if self._rounds is not None and due:
            self._held.take(self._rounds.residuals(now, learning))
