"""Making vendors' defaults: each is one learner that lives in many worlds at once, of one network each.

The groups of all its worlds are rows of one learner, `[1, V, W Q, D]`, and many vendors (`V`) are learned side by side,
each in `W` worlds of its own; what a vendor learns depends on its own seed and worlds alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.lns.dqn import DqnServers
from agents.lns.hyperparameters import DqnHyperparameters, PolicyGradientHyperparameters
from agents.lns.learning import LearningServers
from agents.lns.network import Schema
from agents.lns.policy_gradient import PolicyGradientServers
from agents.lns.vendor import fresh_vendor

INTERVALS = 2_500
"""Control intervals of one pretraining."""

FALLING = 0.6
"""Share of them, the last ones, in which learning rates fall evenly to nothing, so that the last steps are no noise."""


class World(Protocol):
    """Networks of one server each, in replicas that share nothing: here B = V W, S = 1."""

    def reset(self, seeds: Sequence[int]) -> ArrayLike:
        """Begins replicas, one per seed; their observations `[B, S, Q, D]`."""

    def step(self, actions: NDArray[np.int64]) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        """A control interval with actions `[B, S, Q]`: observations `[B, S, Q, D]`, rewards, weights `[B, S, Q]`."""


def beginners(schema: Schema, seeds: Sequence[int], rows: int, intervals: int = INTERVALS) -> LearningServers:
    """Servers that have learned nothing yet, with the hyperparameters of pretraining.

    Args:
        schema: Of each.
        seeds: One per vendor, different ones. `[V]`
        rows: Groups of all worlds of a vendor, W Q.
        intervals: How long they will learn.
    """
    vendors = [fresh_vendor(schema, seed) for seed in seeds]
    if schema.kind == "dqn":
        return DqnServers(vendors, [0], seeds, rows, DqnHyperparameters.pretraining(intervals))
    return PolicyGradientServers(vendors, [0], seeds, rows, PolicyGradientHyperparameters.pretraining())


def pretrain(
    servers: LearningServers, world: World, seeds: Sequence[int], intervals: int = INTERVALS
) -> Iterator[dict[str, NDArray[np.floating]]]:
    """Lets `beginners` learn.

    Args:
        servers: Of one replica, `[1, V, W Q]`.
        world: What they live in; replica v W + w is world w of vendor v.
        seeds: Of the world's replicas. `[V W]`
        intervals: How long.

    Yields:
        After every interval, mean `reward` by weight and what `update` told, by vendor `[V]`.

    Raises:
        ValueError: worlds that cannot be shared out evenly among vendors.
    """
    _, vendors, rows = servers.shape
    if len(seeds) % vendors:
        raise ValueError(f"seeds has {len(seeds)} entries; needs a multiple of the {vendors} vendors")
    observations = np.asarray(world.reset(seeds))
    of_world = observations.shape[:3]

    def by_vendor(array: ArrayLike) -> NDArray:
        given = np.asarray(array)
        return given.reshape(1, vendors, rows, *given.shape[3:])

    for interval in range(intervals):
        for network in servers.networks.values():
            network.slow(min(1.0, (1.0 - interval / intervals) / FALLING))
        actions = servers.select(by_vendor(observations))
        following, rewards, weights = (np.asarray(each) for each in world.step(actions.reshape(of_world)))
        step = (by_vendor(observations), actions, by_vendor(rewards), by_vendor(weights), by_vendor(following))
        told = servers.update(*step)
        total = np.maximum(by_vendor(weights).sum(-1)[0], np.finfo(np.float64).tiny)
        yield {name: value[0] for name, value in told.items()} | {"reward": (step[2] * step[3]).sum(-1)[0] / total}
        observations = following
