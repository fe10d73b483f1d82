"""Residuals chosen directly, every round anew, by what the model of the air expects: a reference for the service.

Shape letters: `L` learning networks, `D` features.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from agents.ccs.baselines import direct_residuals
from agents.ccs.coordinator import Design
from agents.ccs.dataset import Snapshots, by_mixture
from agents.ccs.layout import Layout
from agents.ccs.participant import Held
from agents.ccs.round import Moment
from agents.coexistence.ledger import Book
from agents.coexistence.strategy import Independent
from agents.lns.team import Team
from agents.torch_utils import threads
from lora_marl.config import CoexistenceConfig
from lora_marl.envs.coexistence.game import CoexistenceGame
from scripts.service_build.rollouts import Rollouts

SEEN = range(5)
"""Vendors that the service in `configs/ccs` was trained on."""

ROLLOUTS, INTERVALS, AT, SEED = 6, 55, (30, 55), 24
"""Six rollouts of two worlds, and the intervals after which snapshots are taken: 24 of them."""

NUMBERINGS = 8
"""Of the channels of each: which of them were good in 24 worlds is chance, and is not to be learnt by number. A step of
the optimisation meets all of them in one numbering."""

LETTERS = {"pg": "P", "dqn": "D"}
"""Of learners in the name of a mixture."""


class Direct(Independent):
    """Servers that learn, whose last layers move where 24 stored snapshots of the same mixture gain most.

    What they hold fades before every round as under the service. The stored worlds are independent rollouts of vendors
    that the service has seen, of `ccs_study`, at all loads; what is true of the world that is played is not looked at,
    parameters apart.

    Args:
        team: The servers.
        coexistence: Of the run.
        online: Whether servers go on learning.
        every: Intervals between two rounds.

    Raises:
        ValueError: legacy networks, beside which it is undefined.
    """

    def __init__(self, team: Team, coexistence: CoexistenceConfig, online: bool = True, every: int = 5) -> None:
        super().__init__(team, online)
        learners = [network.learner for network in coexistence.networks]
        for number, learner in enumerate(learners):
            if learner not in LETTERS:
                allowed = f"direct optimisation knows {', '.join(LETTERS)} alone"
                raise ValueError(f"coexistence.networks[{number}].learner: {learner!r}: {allowed}")
        self._mixture, self._vendors = "".join(LETTERS[learner] for learner in learners), coexistence.vendors
        self._every, self._fade = every, Design().fade

    def begin(self, game: CoexistenceGame) -> None:
        """See `Way`."""
        super().begin(game)
        self.held = Held(self.team, game.settings.replicas)

    def after(self, book: Book) -> None:
        """See `Way`."""
        if len(book) % self._every == 0:
            now = Moment.of(self.team, self.game.learning, self.seen, book.last(self._every))
            with threads(1):
                self.held.fade(self._fade)
                self.held.take(direct_residuals(now, stored(self._mixture, self._vendors), NUMBERINGS))


@cache
def stored(mixture: str, vendors: Path) -> Snapshots:
    """Snapshots of a mixture, the same whenever they are made."""
    rollouts = Rollouts(vendors, SEEN, SEED, INTERVALS, AT, mixtures=(mixture,))
    (joined,) = by_mixture(rollouts.play(number) for number in range(ROLLOUTS)).values()
    return joined.renumbered(NUMBERINGS, Layout(), SEED)
