"""The data that the service is trained on: rollouts of all mixtures, loads, paces of interference and vendors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agents.ccs.coordinator import Coordinator
from agents.ccs.moment import Rounds
from agents.ccs.snapshots import Snapshots
from agents.lns.hyperparameters import DqnHyperparameters, PolicyGradientHyperparameters
from agents.maac.threads import threads
from lora_marl.config import CoexistenceConfig
from lora_marl.config.coexistence import NetworkConfig
from lora_marl.core.presets.ccs import INTERVAL_S
from lora_marl.envs.coexistence_v0 import parallel_env
from scripts.coexistence.networks import team_of
from scripts.coexistence.play import played
from scripts.coexistence.rollouts import Recorded

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


def rollouts(
    vendors: Path, numbers: Sequence[int], count: int, seed: int, *, intervals: int, at: Sequence[int],
    coordinator: Coordinator | None = None,
) -> Iterator[Snapshots]:  # fmt: skip
    """Plays rollouts of two worlds each, one after the other.

    Args:
        vendors: Folder of their policies.
        numbers: Vendors that take part; a rollout has one of each kind.
        count: Rollouts; number i has mixture i, cycled.
        seed: Of everything; rollout i depends on (seed, i) alone.
        intervals: Of a rollout.
        at: After which intervals snapshots are taken.
        coordinator: That takes part; None: independent learners.

    Yields:
        The snapshots of every rollout, joined over time and worlds.
    """
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        mixture = MIXTURES[number % len(MIXTURES)]
        chosen = {kind: int(rng.choice(numbers)) for kind in ("pg", "dqn")}
        pace, slow = int(rng.choice(PACES)), rng.random() < SLOW_SHARE
        seeds = [int(each) for each in rng.integers(2**31, size=WORLDS)]
        networks = tuple(
            NetworkConfig.model_validate({"learner": LEARNERS[letter], "vendor": chosen.get(LEARNERS[letter])})
            for letter in mixture
        )
        config = CoexistenceConfig(networks=networks, vendors=vendors, intervals=intervals)
        env = parallel_env(
            coexistence=replace(config.build(), load_range=LOADS, moves_s=pace * INTERVAL_S),
            decider="group", replicas=WORLDS, max_cycles=intervals,
        )  # fmt: skip
        rounds = None if coordinator is None else Rounds(coordinator, seeds)
        way = Recorded(team_of(config, seeds, None if slow else FASTER), at, rounds)
        with threads(1):
            played(env, way, seeds)
        yield from way.snapshots
