"""Pretraining of vendors' defaults: each vendor is one learner in many worlds at once, of one network each.

The groups of all worlds of a vendor are rows of one learner, `[1, V, W Q, D]`. Many vendors (`V`) learn side by side,
each in `W` worlds of its own; what a vendor learns depends only on its seed and its worlds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.lns.dqn import DqnHyperparameters, DqnServers
from agents.lns.learning import LearningServers
from agents.lns.network import Schema
from agents.lns.policy_gradient import PolicyGradientHyperparameters, PolicyGradientServers
from agents.lns.vendor import fresh_vendor

INTERVALS = 2_500
"""Control intervals of a pretraining."""

DECAY_SHARE = 0.6
"""Share of the intervals, at the end, in which learning rates decay linearly to 0, so that the last steps are small."""


class World(Protocol):
    """Replicas of one network each, which share nothing: B = V W, S = 1."""

    def reset(self, seeds: Sequence[int]) -> ArrayLike:
        """Begins an episode in every replica, one per seed, and returns observations. `[B, S, Q, D]`"""

    def step(self, actions: NDArray[np.int64]) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        """Plays a control interval and returns observations `[B, S, Q, D]`, rewards and weights `[B, S, Q]`.

        Args:
            actions: `[B, S, Q]`
        """


def untrained_servers(schema: Schema, seeds: Sequence[int], rows: int, intervals: int = INTERVALS) -> LearningServers:
    """Returns servers that have learned nothing yet, with the hyperparameters of pretraining.

    Args:
        schema: The schema of each.
        seeds: One per vendor, all different. `[V]`
        rows: Groups of all worlds of a vendor, W Q.
        intervals: Intervals in which they will learn.
    """
    vendors = [fresh_vendor(schema, seed) for seed in seeds]
    if schema.kind == "dqn":
        return DqnServers(vendors, [0], seeds, rows, DqnHyperparameters.pretraining(intervals))
    return PolicyGradientServers(vendors, [0], seeds, rows, PolicyGradientHyperparameters.pretraining())


def pretrain(
    servers: LearningServers, world: World, seeds: Sequence[int], intervals: int = INTERVALS
) -> Iterator[dict[str, NDArray[np.floating]]]:
    """Trains `untrained_servers`.

    Args:
        servers: Servers of one replica, `[1, V, W Q]`.
        world: The worlds; replica v W + w is world w of vendor v.
        seeds: Seeds of the worlds. `[V W]`
        intervals: Number of intervals.

    Yields:
        After every interval, the weighted mean `reward` and the diagnostics of `update`, by vendor. `[V]` each

    Raises:
        ValueError: worlds that cannot be shared out evenly among vendors.
    """
    _, vendors, rows = servers.shape
    if len(seeds) % vendors:
        raise ValueError(f"seeds has {len(seeds)} entries; needs a multiple of the {vendors} vendors")
    observations = np.asarray(world.reset(seeds))
    of_world = observations.shape[:3]

    def by_vendor(array: ArrayLike) -> NDArray:
        values = np.asarray(array)
        return values.reshape(1, vendors, rows, *values.shape[3:])

    for interval in range(intervals):
        for network in servers.networks.values():
            network.scale_learning_rate(min(1.0, (1.0 - interval / intervals) / DECAY_SHARE))
        actions = servers.select(by_vendor(observations))
        results = world.step(actions.reshape(of_world))
        next_observations, rewards, weights = (by_vendor(values) for values in results)
        diagnostics = servers.update(by_vendor(observations), actions, rewards, weights, next_observations)
        total = np.maximum(weights.sum(-1)[0], np.finfo(np.float64).tiny)
        mean_reward = (rewards * weights).sum(-1)[0] / total
        yield {name: values[0] for name, values in diagnostics.items()} | {"reward": mean_reward}
        observations = next_observations
