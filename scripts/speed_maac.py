"""What the benchmark measures of MAAC: an update of all agents at once, beside the same agent by agent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def update_s(*, groups: int, agents: int, repeats: int, **hyperparameters: Any) -> float:
    """CPU time of one update of critics, actors and targets, 42 arms, two features, one thread. s"""
    return _best_s(_stages(groups, agents, **hyperparameters)[0], repeats)


def speed_up(agents: int, *, repeats: int, **hyperparameters: Any) -> float:
    """CPU time of the plain loop over that of all agents at once, one group, the same networks and batch."""
    together, plain = _stages(1, agents, **hyperparameters)
    return _best_s(plain, repeats) / _best_s(together, repeats)


def _stages(groups: int, agents: int, **hyperparameters: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """One update of all agents at once, and one of the first group agent by agent, on the same made-up steps."""
    from agents.maac import MAAC  # torch loads only where it is timed
    from agents.maac.plain_loop import PlainLoop

    learner = MAAC(2, 42, np.ones((groups, agents)), seeds=range(groups), device="cpu", **hyperparameters)
    rng, batch = np.random.default_rng(0), learner.hyper.batch
    seen, rewards = rng.random((2, batch, groups, agents, 2)), rng.random((batch, groups, agents))
    learner.observe(seen[0], learner.act(seen[0]), rewards, seen[1])
    steps = learner.replay.sample(learner.groups.rows(0, batch, batch))
    training, loop = learner.training, PlainLoop(learner.training)
    return learner.update, lambda: loop.update(steps, lambda stream: training.uniform(stream, 0, batch))


def _best_s(update: Callable[[], Any], repeats: int) -> float:
    from agents.maac.threads import threads

    best_s = np.inf
    with threads(1):
        update()
        for _ in range(repeats):
            begun_s = time.process_time()
            update()
            best_s = min(best_s, time.process_time() - begun_s)
    return float(best_s)
