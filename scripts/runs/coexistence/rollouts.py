"""Rollouts of servers that learn, of which snapshots are taken: data of the service, stored worlds of `direct`.

Shape letters: `B` worlds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.ccs.dataset import FleetSnapshot, Snapshots, by_mixture
from agents.ccs.layout import LETTER_OF
from agents.ccs.model import Coordinator
from agents.ccs.residuals import ResidualState
from agents.ccs.round import rollout_residuals
from agents.coexistence.independent import IndependentServers
from agents.coexistence.rollout import Rollout
from agents.lns.dqn import DqnHyperparameters
from agents.lns.policy_gradient import PolicyGradientHyperparameters
from agents.lns.team import Team
from lora_marl.config import CoexistenceConfig
from lora_marl.config.coexistence import NetworkConfig
from lora_marl.core.coexistence import Episode
from lora_marl.core.presets.ccs import INTERVAL_S
from lora_marl.envs.coexistence_v0 import parallel_env
from scripts.runs.coexistence.networks import build_team

ROUND_EVERY = 5
"""Intervals between two rounds, and those that a report is about."""

MIXTURES = ("PP", "DD", "DP", "PPPP", "DDDD", "DLP", "DDPP", "PPP", "DDD", "DPP")
"""The networks of rollouts, one mixture after the other: P policy gradient, D DQN, L a network that does not learn."""

LEARNERS = {letter: learner for learner, letter in LETTER_OF.items()}

LOADS, MOVES = (0.3, 2.8), (15, 30, 60)
"""Loads of the worlds of rollouts, log-uniform, and intervals after which interference moves, drawn per rollout."""

ONLINE_SHARE = 0.6
"""Share of the rollouts whose servers learn at their usual rate; in the others they learn faster (`FAST`)."""

FAST: dict[str, DqnHyperparameters | PolicyGradientHyperparameters] = {
    "dqn": DqnHyperparameters(learning_rate=3e-4, updates_per_step=4),
    "pg": PolicyGradientHyperparameters(learning_rate=3e-4, epochs=2),
}

WORLDS = 2
"""Worlds of a rollout."""


class RecordedServers(IndependentServers):
    """Servers of which snapshots are taken; a coordinator may take part every `ROUND_EVERY` intervals.

    Args:
        team: The servers.
        at: After which intervals snapshots are taken.
        seeds: Of the codes of each world. `[B]`
        coordinator: Which takes part; None: servers learn by themselves.

    Attributes:
        snapshots: Those taken so far.
    """

    every = ROUND_EVERY

    def __init__(
        self, team: Team, at: Sequence[int], seeds: Sequence[int], coordinator: Coordinator | None = None
    ) -> None:
        super().__init__(team)
        self._at, self._seeds, self._coordinator = set(at), seeds, coordinator
        self.snapshots: list[Snapshots] = []

    def begin(self, episode: Episode) -> None:
        """Prepares for an episode, in which no server has a residual yet."""
        super().begin(episode)
        self._residuals = ResidualState(self.team, episode.replicas)

    def after(
        self, done: int, last: Mapping[str, NDArray[np.float64]], recent: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Takes snapshots and plays rounds when it is time."""
        coordinator = self._coordinator if done % self.every == 0 else None
        if coordinator is None and done not in self._at:
            return
        if coordinator is not None:
            self._residuals.fade(coordinator.design.fade)
        learning = self.episode.learning
        now = FleetSnapshot.of(self.team, learning, self.observations, recent)
        if done in self._at:
            self.snapshots.append(now.snapshots(self.episode.facts()))
        if coordinator is not None:
            self._residuals.take(rollout_residuals(coordinator, now, learning, self._seeds))


@dataclass(frozen=True)
class Rollouts:
    """Rollouts of two worlds each; number i has mixture i, cycled, and depends on (seed, i) alone.

    Attributes:
        vendors: Folder of trained policies.
        numbers: Vendors that take part; a rollout has one of each kind.
        seed: Of everything.
        intervals: Of a rollout.
        at: After which intervals snapshots are taken.
        coordinator: Which takes part; None: servers learn by themselves.
        mixtures: Which are cycled.
    """

    vendors: Path
    numbers: Sequence[int]
    seed: int
    intervals: int
    at: Sequence[int]
    coordinator: Coordinator | None = None
    mixtures: Sequence[str] = MIXTURES

    def run(self, number: int) -> Snapshots:
        """Runs a rollout and returns its snapshots, over its worlds and times."""
        rng = np.random.default_rng([self.seed, number])
        vendors = {kind: int(rng.choice(self.numbers)) for kind in ("pg", "dqn")}
        moves, online = int(rng.choice(MOVES)), rng.random() < ONLINE_SHARE
        seeds = [int(seed) for seed in rng.integers(2**31, size=WORLDS)]
        learners = [LEARNERS[letter] for letter in self.mixtures[number % len(self.mixtures)]]
        config = CoexistenceConfig(
            preset="ccs_study",
            networks=tuple(
                NetworkConfig.model_validate({"learner": learner, "vendor": vendors.get(learner)})
                for learner in learners
            ),
            vendors=self.vendors,
            intervals=self.intervals,
        )
        env = parallel_env(
            coexistence=replace(config.build(), load_range=LOADS, moves_s=moves * INTERVAL_S),
            decider="group",
            replicas=WORLDS,
            max_cycles=self.intervals,
        )
        team = build_team(config, seeds, None if online else FAST)
        strategy = RecordedServers(team, self.at, seeds, self.coordinator)
        Rollout(env, strategy, seeds).run()
        (joined,) = by_mixture(strategy.snapshots).values()
        return joined
