"""Small servers, and made-up intervals for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from agents.lns.dqn import DqnHyperparameters, DqnServers
from agents.lns.learning import LearningServers
from agents.lns.network import Schema
from agents.lns.policy_gradient import PolicyGradientHyperparameters, PolicyGradientServers
from agents.lns.vendor import Vendor, fresh_vendor

SIZES, GROUPS = (5, 16, 16, 6), 3
SMALL = {
    "dqn": DqnHyperparameters(batch=12, capacity=30, updates_per_step=2, learning_rate=1e-2, epsilon=0.2),
    "pg": PolicyGradientHyperparameters(every=2, epochs=2, learning_rate=1e-2),
}


@pytest.fixture(scope="session")
def vendor_of() -> Callable[..., Vendor]:
    def build(kind: str, seed: int = 0, sizes: tuple[int, ...] = SIZES, dtype: str = "float32") -> Vendor:
        fresh = fresh_vendor(Schema(sizes, kind), seed)
        critic = None if fresh.critic is None else fresh.critic.to(getattr(torch, dtype))
        return Vendor(fresh.schema, fresh.parameters.to(getattr(torch, dtype)), critic)

    return build


@pytest.fixture(scope="session")
def servers_of(vendor_of: Callable[..., Vendor]) -> Callable[..., LearningServers]:
    def build(
        kind: str, seeds: Sequence[int] = (3, 5), servers: Sequence[int] = (0, 2, 7), hyper: Any = None, **vendor: Any
    ) -> LearningServers:
        cls = DqnServers if kind == "dqn" else PolicyGradientServers
        return cls([vendor_of(kind, **vendor)], seeds, servers, GROUPS, hyper or SMALL[kind])

    return build


@pytest.fixture(scope="session")
def play() -> Callable[..., list[dict]]:
    """Plays intervals in which what a group sees and gets follows from seed, server, interval and action alone."""

    def run(
        learning: LearningServers, count: int, *, first: int = 0, seeds: Sequence[int] = (3, 5), servers=(0, 2, 7)
    ) -> list[dict]:
        history = []
        for interval in range(first, first + count):
            seen, following = (noise(seeds, servers, interval + k, learning.features) for k in (0, 1))
            actions = learning.select(seen)
            rewards = np.sin(2.0 * actions + seen[..., 0])
            weights = (seen[..., 1] > -1.0).astype(float)
            diagnostics = learning.update(seen, actions, rewards, weights, following)
            history.append({"seen": seen, "following": following, "actions": actions, "rewards": rewards} | diagnostics)
            history[-1]["weights"] = weights
        return history

    return run


def noise(seeds: Sequence[int], servers: Sequence[int], interval: int, features: int) -> np.ndarray:
    drawn = [
        [np.random.default_rng([seed, server, interval]).normal(size=(GROUPS, features)) for server in servers]
        for seed in seeds
    ]
    return np.array(drawn)
