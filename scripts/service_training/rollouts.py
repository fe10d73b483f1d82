"""Servers that learn, and snapshots of them: what the service is trained on.

Shape letters: `B` worlds, `L` learning networks, `Q` groups of a network, `D` features.

The data that the service is trained on: rollouts of all mixtures, loads, paces of interference and vendors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agents.ccs.dataset import FleetSnapshot, Snapshots, by_mixture
from agents.ccs.model import Coordinator
from agents.ccs.participant import ResidualState
from agents.ccs.round import Rounds
from agents.coexistence.independent import IndependentServers
from agents.coexistence.ledger import Ledgers
from agents.coexistence.rollout import Rollout
from agents.lns.hyperparameters import DqnHyperparameters, PolicyGradientHyperparameters
from agents.lns.team import Team
from agents.torch_utils import threads
from lora_marl.config import CoexistenceConfig
from lora_marl.config.coexistence import NetworkConfig
from lora_marl.core.coexistence import Episode
from lora_marl.core.presets.ccs import INTERVAL_S
from lora_marl.envs.coexistence_v0 import parallel_env
from scripts.runs.coexistence.networks import build_team

EVERY = 5
"""Intervals between two rounds, and those that a report is about."""


class Recorded(IndependentServers):
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

    def begin(self, episode: Episode) -> None:
        """Prepares for an episode, in which no server has a residual yet."""
        super().begin(episode)
        self._held = ResidualState(self.team, episode.replicas)

    def after(self, ledgers: Ledgers) -> None:
        """Takes snapshots and plays rounds when it is time."""
        due = self._rounds is not None and len(ledgers) % EVERY == 0
        if not due and len(ledgers) not in self._at:
            return
        if self._rounds is not None and due:
            self._held.fade(self._rounds.fade)
        learning = self.episode.learning
        now = FleetSnapshot.of(self.team, learning, self.observations, ledgers.last(EVERY))
        if len(ledgers) in self._at:
            self.snapshots.append(now.snapshots(self.episode.facts()))
        if self._rounds is not None and due:
            self._held.take(self._rounds.residuals(now, learning))


MIXTURES = ("PP", "DD", "DP", "PPPP", "DDDD", "DLP", "DDPP", "PPP", "DDD", "DPP")
"""Cycled; P policy gradient, D DQN, L legacy."""

LEARNERS = {"P": "pg", "D": "dqn", "L": "uniform"}
LOADS, PACES = (0.3, 2.8), (15, 30, 60)
SLOW_SHARE = 0.6
WORLDS = 2
FASTER: dict[str, DqnHyperparameters | PolicyGradientHyperparameters] = {
    "dqn": DqnHyperparameters(learning_rate=3e-4, updates_per_step=4),
    "pg": PolicyGradientHyperparameters(learning_rate=3e-4, epochs=2),
}


@dataclass(frozen=True)
class Rollouts:
    """Rollouts of two worlds each; number i has mixture i, cycled, and depends on (seed, i) alone.

    Attributes:
        vendors: Folder of trained policies.
        numbers: Vendors that take part; a rollout has one of each kind.
        seed: Of everything.
        intervals: Of a rollout.
        at: After which intervals snapshots are taken.
        coordinator: That takes part; None: independent learners.
        mixtures: That are cycled.
    """

    vendors: Path
    numbers: Sequence[int]
    seed: int
    intervals: int
    at: Sequence[int]
    coordinator: Coordinator | None = None
    mixtures: Sequence[str] = MIXTURES

    def play(self, number: int) -> Snapshots:
        """The snapshots of a rollout, over its worlds and times."""
        rng = np.random.default_rng([self.seed, number])
        chosen = {kind: int(rng.choice(self.numbers)) for kind in ("pg", "dqn")}
        pace, slow = int(rng.choice(PACES)), rng.random() < SLOW_SHARE
        seeds = [int(each) for each in rng.integers(2**31, size=WORLDS)]
        config = CoexistenceConfig(
            preset="ccs_study",
            networks=tuple(
                NetworkConfig.model_validate({"learner": learner, "vendor": chosen.get(learner)})
                for learner in (LEARNERS[letter] for letter in self.mixtures[number % len(self.mixtures)])
            ),
            vendors=self.vendors,
            intervals=self.intervals,
        )
        env = parallel_env(
            coexistence=replace(config.build(), load_range=LOADS, moves_s=pace * INTERVAL_S),
            decider="group",
            replicas=WORLDS,
            max_cycles=self.intervals,
        )
        rounds = None if self.coordinator is None else Rounds(self.coordinator, seeds)
        strategy = Recorded(build_team(config, seeds, None if slow else FASTER), self.at, rounds)
        with threads(1):
            Rollout(env, strategy, seeds).play()
        (joined,) = by_mixture(strategy.snapshots).values()
        return joined
