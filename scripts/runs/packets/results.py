"""The results of a seed that comparisons and studies store."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lora_marl.config import ConfigError, PacketRun
from lora_marl.core.expect import LogNormal
from lora_marl.core.expect.lognormal import Variant
from lora_marl.core.outcome import Outcome
from lora_marl.core.scenario import Scenario
from lora_marl.core.units import HOUR_S
from scripts.runs.checkpoints import State
from scripts.runs.job_progress import note_share
from scripts.runs.metrics import Row, columns_of
from scripts.runs.packets.experiment import PacketExperiment, Segment, schedule

_MOST_PAIRS = 4000
"""Nodes beyond which all pairs at once would take too much memory."""


def run_to_the_end(config: PacketRun, label: str) -> list[State]:
    """Runs a learner from beginning to end and returns the results of every seed.

    `row/<column>` `[T]`, `sent` and `delivered` `[N]` of the part that is reported, `points` `[N, 4]` at the end and
    what the closed forms expect of them, and the learner's `operations`, `state_bytes` and `overhead`.

    Raises:
        ConfigError: the learner refuses the scenario.
    """
    try:
        experiment = PacketExperiment(config, label)
    except ValueError as error:
        raise ConfigError([str(error)]) from None
    curves: list[list[Row]] = [[] for _ in config.seeds]
    total: Outcome | None = None
    first = first_reported(experiment.schedule, config.report_last_h)
    while not experiment.finished:
        number = experiment.done
        for curve, row in zip(curves, experiment.step(), strict=True):
            curve.append(row | {"evaluation": float(row["evaluation"])})
        note_share(experiment.done / experiment.total)
        assert experiment.outcome is not None  # a segment was run
        total = experiment.outcome if total is None or number <= first else total + experiment.outcome
    assert total is not None  # a schedule has at least one segment
    return [_kept(experiment, curve, total, replica) for replica, curve in enumerate(curves)]


def first_reported(segments: Sequence[Segment], last_h: float) -> int:
    """The number of the first segment that counts: the evaluation where there is one, else of the last part."""
    if segments[-1].evaluation:
        return len(segments) - 1
    begin_h = segments[-1].end_h - last_h
    return next(number for number, segment in enumerate(segments) if segment.end_h > begin_h + 1e-9)


def reported_h(config: PacketRun, label: str) -> float:
    """Length of the part of a learner's run that is reported: whole segments, its evaluation if there is one. h"""
    segments = schedule(config, label)
    first = first_reported(segments, config.report_last_h)
    if segments[first].evaluation:
        return segments[first].until_s / HOUR_S
    return segments[-1].end_h - (segments[first - 1].end_h if first else 0.0)


def reported_part(config: PacketRun) -> str:
    """The part of the runs that is reported, in words: `mean of the last 100 h`."""
    hours = sorted({reported_h(config, label) for label in config.learners})
    text = " or ".join(f"{length_h:.6g}" for length_h in hours)
    return f"evaluation of {text} h" if config.evaluation_s is not None else f"mean of the last {text} h"


def _kept(experiment: PacketExperiment, curve: Sequence[Row], total: Outcome, replica: int) -> State:
    learner = experiment.learner
    return {
        **columns_of(curve),
        "sent": total.sent[replica],
        "delivered": total.delivered[replica],
        "points": experiment.points[replica],
        "expected": expected_delivery(experiment.air.scenario, experiment.points[replica], replica),
        "operations": np.array(float(learner.operations)),
        "state_bytes": np.array(float(learner.state_bytes)),
        "overhead": _overhead(learner.overhead, replica),
    }


def delivery_ratio(state: State) -> float:
    """Mean over nodes of packets delivered per packet sent, of the part that is reported; nan where none was sent."""
    sent = state["sent"] > 0
    return float(np.mean(state["delivered"][sent] / state["sent"][sent])) if sent.any() else math.nan


def expected_delivery(scenario: Scenario, points: NDArray[np.int16], replica: int) -> NDArray[np.float64]:
    """Mean over active nodes of the delivery that the log-normal closed forms expect: `joint`, `compat` `[2]`; or nan.

    They know nothing of downlinks; see `lora_marl.core.expect.lognormal.closed_form`.
    """
    active = np.ones(len(points), np.bool_) if scenario.active is None else scenario.active
    means = np.full(2, np.nan)
    variants: tuple[Variant, ...] = ("joint", "compat")
    for place, variant in enumerate(variants):
        if variant == "joint" or len(points) <= _MOST_PAIRS:
            try:
                means[place] = LogNormal(scenario, variant=variant, replica=replica).delivery(points)[active].mean()
            except ValueError:
                break
    return means


def _overhead(outcome: Outcome | None, replica: int) -> NDArray[np.float64]:
    """Packets, airtime and energy of a node before its first decision: [3] packets, s, mJ; nan: none are needed."""
    if outcome is None:
        return np.full(3, np.nan)
    return np.array([array[replica].mean() for array in (outcome.sent, outcome.airtime_s, outcome.energy_mj)])
