"""Small learners and made-up steps for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from agents.maac import MAAC

FEATURES, ARMS = 3, 4
GAPS = np.array([[1, 1, 0, 1, 1], [1, 1, 1, 1, 0]], bool)
"""Two groups of four, padded in different places."""


@pytest.fixture(scope="session")
def learner_of() -> Callable[..., MAAC]:
    """A small learner in float64."""

    def build(mask=GAPS, **options: Any) -> MAAC:
        small: dict[str, Any] = {"hidden": 8, "batch": 16, "capacity": 64, "dtype": "float64"}
        seeds = range(len(mask))
        return MAAC(FEATURES, ARMS, mask, **({"seeds": seeds} | small | options))

    return build


@pytest.fixture(scope="session")
def play() -> Callable[..., list]:
    """Lets a learner play made-up steps and update after each; the actions and diagnostics of all steps.

    What an agent sees and gets follows from (key of the group, number of the agent within it, step, action) alone.
    """

    def run(learner: MAAC, steps: int, *, first: int = 0, keys=(0, 1), replicas: int = 8) -> list:
        history = []
        for step in range(first, first + steps):
            seen = np.stack([noise(learner.groups.mask, keys, replicas, t, FEATURES) for t in (step, step + 1)])
            actions = learner.act(seen[0])
            rewards = np.sin(3.0 * actions + seen[0][..., 0])
            learner.observe(seen[0], actions, rewards, seen[1], done=step % 3 == 0)
            history.append((actions, learner.update()))
        return history

    return run


def noise(mask, keys, replicas: int, step: int, *shape: int) -> np.ndarray:
    """Normal random numbers `[E, G, A, *shape]`, the same for the agents of a group wherever they sit."""
    drawn = np.zeros((replicas, *mask.shape, *shape))
    for group, key in enumerate(keys[: len(mask)]):
        rng = np.random.default_rng([key, step])
        drawn[:, group, mask[group]] = rng.normal(size=(replicas, mask[group].sum(), *shape))
    return drawn
