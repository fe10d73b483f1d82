"""One learner on one air: all seeds of a configuration as replicas, played interval by interval."""

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
from lora_marl.config import ConfigError, LearnerConfig, ScenarioConfig, TrainConfig
from lora_marl.core.air import Air
from lora_marl.core.outcome import Outcome
from lora_marl.core.scenario import Scenario
from scripts.runs.metrics import Row, rows

HOUR_S = 3600.0


@dataclass(frozen=True)
class Stretch:
    """What one row of metrics covers.

    Attributes:
        end_h: Simulated time at its end, over all episodes. h
        until_s: The clock at its end; of each episode, where there are any. s
        episodes: Episodes in it, or 0 where it goes on from the stretch before.
        evaluation: Whether it is the episode that is reported in place of training.
    """

    end_h: float
    until_s: float
    episodes: int = 0
    evaluation: bool = False


class Experiment:
    """A learner and its air, which can be stopped between two stretches and go on elsewhere.

    Replica b depends on `config.seeds[b]` alone, and on placement b where the topology has several.

    Args:
        config: The run.
        label: Which of its learners.
        count_arms: Count packets by the value of each factor.

    Raises:
        ConfigError: an unknown learner, or parameters that it does not accept.
    """

    def __init__(self, config: TrainConfig, label: str, *, count_arms: bool = True) -> None:
        self.scenario = built(_with_a_placement_per_seed(config))
        self.schedule = schedule(config, label)
        self.done = 0
        self.learner = make_learner(config, label, self.scenario)
        try:
            self.air = Air(self.scenario, config.seeds, count_arms=count_arms, feedback=self.learner.feedback)
        except ValueError as error:
            raise ConfigError([f"scenario: {str(error).removeprefix('scenario.')}"]) from None
        self.points = self.learner.initial_points()

    @property
    def finished(self) -> bool:
        """Whether all stretches have been played."""
        return self.done == len(self.schedule)

    def play_next(self) -> Outcome:
        """Plays the next stretch."""
        stretch = self.schedule[self.done]
        if stretch.episodes:
            parts: list[Outcome] = []
            run_episodes(
                self.air, self.learner, stretch.episodes, stretch.until_s,
                lambda _, outcome: parts.append(outcome), points=self.points,
            )  # fmt: skip
            outcome = reduce(add, parts)
        else:
            outcome = run_until(self.air, self.learner, self.points, stretch.until_s)
        self.done += 1
        return outcome

    def rows(self, outcome: Outcome) -> list[Row]:
        """An outcome's row of every replica, with what the learner says of itself."""
        said = self.learner.diagnostics(self.air.scenario)
        return [
            row | {name: float(values[replica]) for name, values in said.items()}
            for replica, row in enumerate(rows(outcome, self.scenario.region))
        ]

    def state_dict(self) -> dict[str, NDArray]:
        """Air, learner and points as plain arrays, all replicas."""
        return {
            "done": np.array(self.done),
            "points": self.points.copy(),
            **{f"air/{name}": array for name, array in self.air.state_dict().items()},
            **{f"learner/{name}": array for name, array in self.learner.state_dict().items()},
        }

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Goes on from a state.

        Raises:
            ValueError: an array is missing, or of another network, learner or seeds.
        """
        for name in ("done", "points"):
            if name not in state:
                raise ValueError(f"{name} is missing")
        if state["points"].shape != self.points.shape:
            raise ValueError(f"points are {state['points'].shape}, not {self.points.shape}")
        self.air.load_state_dict(part_of(state, "air"))
        self.learner.load_state_dict(part_of(state, "learner"))
        self.points[...] = state["points"]
        self.done = int(state["done"])


def part_of(state: Mapping[str, NDArray], prefix: str) -> dict[str, NDArray]:
    """The arrays under a prefix, by their own names."""
    return {name.removeprefix(f"{prefix}/"): a for name, a in state.items() if name.startswith(f"{prefix}/")}


def built(scenario: ScenarioConfig) -> Scenario:
    """The scenario of a configuration that has been read, and has warned, before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scenario.build()


def _with_a_placement_per_seed(config: TrainConfig) -> ScenarioConfig:
    topology = config.scenario.topology
    fewer = topology.model_copy(update={"placements": min(topology.placements, len(config.seeds))})
    return config.scenario.model_copy(update={"topology": fewer})


def scenario_name(config: TrainConfig) -> str:
    """The name of a run's network."""
    return str(config.scenario.fields()["name"])


def make_learner(config: TrainConfig, label: str, scenario: Scenario, seeds: Sequence[int] | None = None) -> Learner:
    """The learner of a label.

    Raises:
        ConfigError: an unknown learner, or parameters that it does not accept.
    """
    spec: LearnerConfig = config.learners[label]
    try:
        return agents.make(spec.name, scenario, config.seeds if seeds is None else seeds, **spec.parameters)
    except (ValueError, TypeError) as error:
        raise ConfigError([f"learners.{label}: {error}"]) from None


def schedule(config: TrainConfig, label: str) -> tuple[Stretch, ...]:
    """The stretches of a learner's run: training in intervals, then the evaluation episode, if there is one."""
    training_s, interval_s = config.training_s(label), HOUR_S * config.interval_h
    if config.episode_s is None:
        count = max(1, math.ceil(training_s / interval_s - 1e-9))
        ends_s = [min((number + 1) * interval_s, training_s) for number in range(count)]
        stretches = [Stretch(end_s / HOUR_S, end_s) for end_s in ends_s]
    else:
        stretches = _in_episodes(training_s, interval_s, config.episode_s)
    if config.evaluation_s is not None:
        end_h = stretches[-1].end_h + config.evaluation_s / HOUR_S
        stretches.append(Stretch(end_h, config.evaluation_s, episodes=1, evaluation=True))
    return tuple(stretches)


def _in_episodes(training_s: float, interval_s: float, episode_s: float) -> list[Stretch]:
    """As many whole episodes a stretch as fill the interval best."""
    episodes, at_once = (max(1, round(length_s / episode_s)) for length_s in (training_s, interval_s))
    firsts = range(0, episodes, at_once)
    sizes = [min(at_once, episodes - first) for first in firsts]
    return [
        Stretch((first + size) * episode_s / HOUR_S, episode_s, episodes=size)
        for first, size in zip(firsts, sizes, strict=True)
    ]
