"""One learner on one air: all seeds of a configuration as replicas, played segment by segment."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

import agents
from agents.learner import Learner
from agents.run import run_episodes, run_until
from lora_marl.config import ConfigError, PacketRun, ScenarioConfig
from lora_marl.config.run import ScenarioRun
from lora_marl.core.air import Air
from lora_marl.core.allowed import POINT_SIZES, Point, check
from lora_marl.core.outcome import Outcome
from lora_marl.core.scenario import Scenario
from lora_marl.core.units import HOUR_S
from scripts.runs.metrics import Row, rows


@dataclass(frozen=True)
class Segment:
    """The part of a run that one row of metrics covers.

    Attributes:
        end_h: Simulated time at its end, over all episodes. h
        until_s: The clock at its end; of each episode, where there are any. s
        episodes: Episodes in it, or 0 where it continues the segment before.
        evaluation: Whether it is the episode that is reported in place of training.
    """

    end_h: float
    until_s: float
    episodes: int = 0
    evaluation: bool = False


class PacketExperiment:
    """A learner and its air, which can be stopped between two segments and continue elsewhere.

    Replica b depends on `config.seeds[b]` alone, and on placement b where the topology has several.

    Args:
        config: The run.
        label: Which of its learners.
        count_arms: Count packets by the value of each factor.

    Attributes:
        scenario: The network.
        schedule: The segments in order.
        done: Segments played so far.
        learner: The learner of all replicas.
        air: The air of all replicas.
        points: The operating points chosen last. `[B, N, 4]`
        outcome: What happened in the last segment; None before the first one.

    Raises:
        ConfigError: an unknown learner, or parameters that it does not accept.
    """

    def __init__(self, config: PacketRun, label: str, *, count_arms: bool = True) -> None:
        self.scenario = build_scenario(config.scenario, len(config.seeds))
        self.schedule = schedule(config, label)
        self.done = 0
        self.learner = make_learner(config, label, self.scenario)
        try:
            self.air = Air(self.scenario, config.seeds, count_arms=count_arms, feedback=self.learner.feedback)
        except ValueError as error:
            raise ConfigError([f"scenario: {str(error).removeprefix('scenario.')}"]) from None
        self.points = self.learner.initial_points()
        self.outcome: Outcome | None = None

    @property
    def total(self) -> int:
        """Number of segments."""
        return len(self.schedule)

    @property
    def finished(self) -> bool:
        """Whether all segments have been run."""
        return self.done == self.total

    def step(self) -> list[Row]:
        """Runs the next segment and returns the row of every replica, with the learner's own diagnostics."""
        segment = self.schedule[self.done]
        self.outcome = self._run(segment)
        self.done += 1
        diagnostics = self.learner.diagnostics(self.air.scenario)
        return [
            {"time_h": segment.end_h, "evaluation": int(segment.evaluation)}
            | row
            | {name: float(values[replica]) for name, values in diagnostics.items()}
            for replica, row in enumerate(
                rows(self.outcome, self.scenario.region, self.scenario, frames=self.learner.nb_trans is not None)
            )
        ]

    def _run(self, segment: Segment) -> Outcome:
        if not segment.episodes:
            return run_until(self.air, self.learner, self.points, segment.until_s)
        outcomes: list[Outcome] = []
        run_episodes(
            self.air, self.learner, segment.episodes, segment.until_s,
            lambda _, outcome: outcomes.append(outcome), points=self.points,
        )  # fmt: skip
        return reduce(add, outcomes)

    def state_dict(self) -> dict[str, NDArray]:
        """Air, learner and points as plain arrays, all replicas."""
        return {
            "done": np.array(self.done),
            "points": self.points.copy(),
            **{f"air/{name}": array for name, array in self.air.state_dict().items()},
            **{f"learner/{name}": array for name, array in self.learner.state_dict().items()},
        }

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from a state.

        Raises:
            ValueError: an array is missing, of another network, learner or seeds, or has numbers that it cannot have.
        """
        for name in ("done", "points"):
            if name not in state:
                raise ValueError(f"{name} is missing")
        done, points = state["done"].tolist(), state["points"]
        if not isinstance(done, int) or not 0 <= done <= self.total:
            raise ValueError(f"done is {done}; allowed are 0 to {self.total} segments")
        if points.shape != self.points.shape or points.dtype != self.points.dtype:
            expected = f"{self.points.dtype} {self.points.shape}"
            raise ValueError(f"points are {points.dtype} {points.shape}, not {expected}")
        sizes = dict(zip(POINT_SIZES, self.scenario.region.factor_sizes, strict=True))
        check("points", points, Point(hop=True), sizes)
        self.air.load_state_dict(arrays_under("air", state))
        self.learner.load_state_dict(arrays_under("learner", state))
        self.points[...] = points
        self.done = done


def arrays_under(prefix: str, state: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The arrays of a state whose names begin with `prefix/`, by the rest of their names."""
    return {name.removeprefix(f"{prefix}/"): a for name, a in state.items() if name.startswith(f"{prefix}/")}


def build_scenario(config: ScenarioConfig, seeds: int | None = None) -> Scenario:
    """The scenario of a configuration that has been read, and has warned, before.

    Args:
        config: The scenario's section.
        seeds: Where placements differ by seed: for how many seeds they are needed; None: for all.
    """
    if seeds is not None:
        placements = min(config.topology.placements, seeds)
        topology = config.topology.model_copy(update={"placements": placements})
        config = config.model_copy(update={"topology": topology})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return config.build()


def node_ids(config: ScenarioRun) -> tuple[str, ...]:
    """Names of the nodes in the file that they were read from; empty: they have none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return config.scenario.topology.build().node_ids if config.scenario.topology.kind == "csv" else ()


def scenario_name(config: PacketRun) -> str:
    """The name of a run's network."""
    return str(config.scenario.fields()["name"])


def make_learner(config: PacketRun, label: str, scenario: Scenario, seeds: Sequence[int] | None = None) -> Learner:
    """The learner of a label; `seeds` are the run's unless others are given.

    Raises:
        ConfigError: an unknown learner, or parameters that it does not accept.
    """
    spec = config.learners[label]
    try:
        return agents.make(spec.name, scenario, config.seeds if seeds is None else seeds, **spec.parameters)
    except (ValueError, TypeError) as error:
        raise ConfigError([f"learners.{label}: {error}"]) from None


def schedule(config: PacketRun, label: str) -> tuple[Segment, ...]:
    """The segments of a learner's run: training in intervals, then the evaluation episode, if there is one."""
    training_s, interval_s = config.training_s(label), HOUR_S * config.interval_h
    if config.episode_s is None:
        count = max(1, math.ceil(training_s / interval_s - 1e-9))
        ends_s = [min((number + 1) * interval_s, training_s) for number in range(count)]
        segments = [Segment(end_s / HOUR_S, end_s) for end_s in ends_s]
    else:
        segments = _in_episodes(training_s, interval_s, config.episode_s)
    if config.evaluation_s is not None:
        end_h = segments[-1].end_h + config.evaluation_s / HOUR_S
        segments.append(Segment(end_h, config.evaluation_s, episodes=1, evaluation=True))
    return tuple(segments)


def _in_episodes(training_s: float, interval_s: float, episode_s: float) -> list[Segment]:
    """As many whole episodes in a segment as fill the interval best."""
    episodes, per_segment = (max(1, round(length_s / episode_s)) for length_s in (training_s, interval_s))
    firsts = range(0, episodes, per_segment)
    counts = [min(per_segment, episodes - first) for first in firsts]
    return [
        Segment((first + count) * episode_s / HOUR_S, episode_s, episodes=count)
        for first, count in zip(firsts, counts, strict=True)
    ]
