"""Small networks and hand-made decisions for learners."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agents.planners import PLANNERS
from lora_marl.core.kernel.state import DECISION
from lora_marl.core.outcome import Decisions
from lora_marl.core.presets import mmalora_network
from lora_marl.core.region import Region
from lora_marl.core.scenario import Scenario

NODES = 12


def scenario_of(nodes: int, bandwidths_hz: tuple[float, ...]) -> Scenario:
    region = Region(
        name="test", channels_hz=tuple(868.1e6 + 2e5 * channel for channel in range(8)), bandwidths_hz=bandwidths_hz
    )
    distance_m = 100.0 * np.arange(1, nodes + 1)
    return Scenario(node_xy_m=np.stack([distance_m, np.zeros(nodes)], axis=1), region=region)


@pytest.fixture(scope="session")
def journal() -> Scenario:
    """12 nodes at 100, 200, ... m; SF, channel and power to choose."""
    return scenario_of(NODES, (125e3,))


@pytest.fixture(scope="session")
def conference() -> Scenario:
    """The same with three bandwidths."""
    return scenario_of(NODES, (125e3, 250e3, 500e3))


@pytest.fixture(scope="session")
def network_of(conference) -> Callable[[str], Scenario]:
    """A network of 12 nodes that a learner can be put on: `conference`, or one with a Rayleigh closed form."""
    return lambda learner: mmalora_network(NODES, 2) if learner in PLANNERS else conference


@pytest.fixture(scope="session")
def decisions_of() -> Callable[..., Decisions]:
    """Decisions from columns: replica, node, fate, and the point that each packet was sent with."""

    def build(replica, node, fate, point) -> Decisions:
        records = np.zeros(len(replica), DECISION)
        records["replica"], records["node"], records["fate"], records["point"] = replica, node, fate, point
        return Decisions(records)

    return build


@pytest.fixture(scope="session")
def run_of(decisions_of) -> Callable[..., np.ndarray]:
    """Lets a learner decide through `rounds` of made-up fates; its choices after every round `[rounds, B, N, 4]`.

    A packet's fate depends on (seed, node, round) and its spreading factor alone, never on the batch that it is in.
    """

    def run(learner, seeds, rounds, *, first=0, points=None, order=None, batches=1):
        points = learner.initial_points() if points is None else points
        cells = np.stack(np.indices(points.shape[:2]), axis=-1).reshape(-1, 2)
        cells = cells if order is None else order.permutation(cells)
        history = []
        for t in range(first, first + rounds):
            sent = points.copy()
            for part in np.array_split(cells, batches):
                b, n = part.T
                fate = (np.array(seeds)[b] + 3 * n + 7 * t + sent[b, n, 0]) % 5 if t else np.full(len(part), -1)
                learner.decide(decisions_of(b, n, fate, sent[b, n]), points)
            history.append(points.copy())
        return np.array(history)

    return run
