"""Benchmarks of deep learners and of the coordination service, on one thread, and the size of reports.

This module loads torch, and is imported where that is installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.ccs.model import Coordinator
from agents.ccs.protocol import Report, packed
from agents.ccs.safeguards import Safeguards
from agents.ccs.service import Service
from agents.lns.network import Schema
from agents.maac import MAAC
from agents.maac.reference import ReferenceTraining
from agents.torch_utils import threads
from scripts.runs.cli import ROOT
from scripts.speed.cases import best_s

KPIS = np.array([0.5, 1.0, 1.0, 0.4], np.float32)
"""A summary of a crowded network, which the service does not leave alone."""

_ROUND_EVERY_S = 300.0
_FEATURES, _ARMS = 2, 42
_OBSERVATION, _ACTIONS = Schema().sizes[0], Schema().sizes[-1]


def maac_update_s(*, groups: int, agents: int, repeats: int, **hyperparameters: Any) -> float:
    """CPU time of one update of critics, actors and targets, 42 arms, two features. s"""
    update, _ = _maac_updates(groups, agents, **hyperparameters)
    with threads(1):
        return best_s(update, repeats)


def maac_speed_up(agents: int, *, repeats: int, **hyperparameters: Any) -> float:
    """CPU time of the reference, agent by agent, over that of all agents at once: the same networks and batch."""
    update, reference_update = _maac_updates(1, agents, **hyperparameters)
    with threads(1):
        return best_s(reference_update, repeats) / best_s(update, repeats)


def round_s(networks: int, *, repeats: int) -> float:
    """CPU time of a round in which every network reports, one half DQN and one policy gradient. s

    The first round, in which all networks are new, is left out.
    """
    coordinator = Coordinator.load(ROOT / "configs/ccs/service.safetensors")
    service, rng, times_s = Service(coordinator, seed=0), np.random.default_rng(0), []
    with threads(1):
        for number in range(1 + repeats):
            reports = [_report(rng, network, number) for network in range(networks)]
            start_s = time.process_time()
            service.round(reports, number * _ROUND_EVERY_S)
            times_s.append(time.process_time() - start_s)
    return min(times_s[1:])


def costliest_round_s() -> float:
    """CPU time of a round that costs the most of all that were tried within the limits of `Safeguards`. s

    As many networks as are allowed report, each of another architecture, so that none are computed together, and all
    parameters that are allowed are used. Others that were tried cost less: few networks as large or as deep as allowed.
    """
    limits = Safeguards()
    coordinator = Coordinator.load(ROOT / "configs/ccs/service.safetensors")
    service, rng = Service(coordinator, seed=0), np.random.default_rng(0)
    widths = [(110 + number % 64, 110 + number // 64) for number in range(limits.max_members)]
    schemas = [Schema((_OBSERVATION, *width, _ACTIONS)) for width in widths]
    assert 0.7 * limits.max_total_parameters < sum(schema.size for schema in schemas) <= limits.max_total_parameters
    with threads(1):
        for number in range(2):
            reports = [
                Report(str(place), number, number * _ROUND_EVERY_S, schema, _parameters(rng, schema.size), KPIS)
                for place, schema in enumerate(schemas)
            ]
            start_s = time.process_time()
            answer = service.round(reports, number * _ROUND_EVERY_S)
            taken_s = time.process_time() - start_s
    assert len(answer.residuals) == limits.max_members
    return taken_s


def snapshot_bytes(encoding: str, share: float = 0.5) -> float:
    """Size of a server's parameters in an encoding of `agents.ccs.protocol.packed`. bytes"""
    return float(sum(array.nbytes for array in packed(_parameters(np.random.default_rng(0)), encoding, share).values()))


def _maac_updates(
    groups: int, agents: int, **hyperparameters: Any
) -> tuple[Callable[[], object], Callable[[], object]]:
    """One update of all agents at once, and the reference's of the first group, on the same random experience."""
    learner = MAAC(_FEATURES, _ARMS, np.ones((groups, agents)), seeds=range(groups), device="cpu", **hyperparameters)
    rng, batch = np.random.default_rng(0), learner.hyper.batch
    before, after = rng.random((2, batch, groups, agents, _FEATURES))
    rewards = rng.random((batch, groups, agents))
    learner.observe(before, learner.act(before), rewards, after)
    steps = learner.replay.sample(learner.groups.rows(0, batch, batch))
    training, reference = learner.training, ReferenceTraining(learner.training)
    return learner.update, lambda: reference.update(steps, lambda stream: training.uniform(stream, 0, batch))


def _report(rng: np.random.Generator, network: int, number: int) -> Report:
    schema = Schema(kind="pg" if network % 2 else "dqn")
    return Report(str(network), number, number * _ROUND_EVERY_S, schema, _parameters(rng), KPIS)


def _parameters(rng: np.random.Generator, size: int = Schema().size) -> NDArray[np.float32]:
    return rng.normal(0.0, 0.1, size).astype(np.float32)
