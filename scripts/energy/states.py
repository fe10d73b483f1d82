"""What is kept of a label that was played for a study: rows, the last allocation, and what three judges say of it."""

from __future__ import annotations

import time

import numpy as np

from lora_marl.config import TrainConfig
from scripts.energy.networks import energy_of, networks_of
from scripts.energy.scoring import scores
from scripts.energy.stages import Stages
from scripts.measures import Row
from scripts.snapshots import State

EXTRA, ROW = "extra/", "row/"


def states_of(config: TrainConfig, label: str) -> list[State]:
    """A state of every seed: `row/<column>` `[episodes]`, `points` `[N, 4]`, `extra/<score>`.

    Scores are those of `scoring`, `swaps` of the matching, and `cpu_s`: CPU time of a network, its matching included.
    """
    begun_s = time.process_time()
    stages = Stages(config, label, networks_of(config))
    curves: list[list[Row]] = [[] for _ in stages.networks]
    while not stages.finished:
        for curve, row in zip(curves, stages.play_next(), strict=True):
            curve.append(row)
    least, cpu_s = energy_of(config).least_delivery, (time.process_time() - begun_s) / len(curves)
    return [
        {
            **{ROW + name: np.array([row[name] for row in curve]) for name in curve[0]},
            **{EXTRA + name: np.array(value) for name, value in scores(network, points, least).items()},
            EXTRA + "swaps": np.array(float(network.swaps)),
            EXTRA + "cpu_s": np.array(cpu_s),
            "points": points,
        }
        for curve, network, points in zip(curves, stages.networks, stages.points, strict=True)
    ]
