"""A label of a run on the closed form, episode by episode: a planner plans once, attention critics (MAAC) learn.

Every seed has a network of its own, with the channels that matching gives its nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import agents
from agents.planners import PLANNERS, plan
from agents.planners.baselines import distance_sf
from agents.planners.bounds import summarise
from agents.planners.matching import balanced_channels, match_channels
from lora_marl.config import ConfigError, EnergyRun
from lora_marl.core.checks import suggest
from lora_marl.core.expect.rayleigh import Rayleigh
from lora_marl.core.random import stream_key
from lora_marl.envs.energy.network import check_scenario
from scripts.runs.checkpoints import State
from scripts.runs.cli import EXTRAS, how_to_install
from scripts.runs.metrics import Row
from scripts.runs.packets.experiment import build_scenario

if TYPE_CHECKING:
    from scripts.runs.energy.training import Training

MAAC = "maac"


@dataclass(frozen=True)
class Network:
    """A seed's network.

    Attributes:
        seed: Of whatever is drawn on it.
        closed_form: With its scenario.
        channel: Of each node. `[N]`
        swaps: That the matching made.
    """

    seed: int
    closed_form: Rayleigh
    channel: NDArray[np.int16]
    swaps: int


def build_networks(config: EnergyRun) -> list[Network]:
    """The networks of a run's seeds: seed k has the placement (nodes and gateways) of the topology's seed plus k.

    Raises:
        ConfigError: physics that the closed form or the game does not have.
    """
    try:
        return [_build_network(config, seed) for seed in config.seeds]
    except ValueError as error:
        raise ConfigError([str(error)]) from None


def _build_network(config: EnergyRun, seed: int) -> Network:
    energy, topology = config.energy, config.scenario.topology
    shifted = topology.model_copy(update={"seed": topology.seed + seed})
    scenario = build_scenario(config.scenario.model_copy(update={"topology": shifted}))
    check_scenario(scenario)
    closed_form = Rayleigh(scenario, rate=energy.rate)
    rng = np.random.default_rng(int(stream_key(seed, "matching")))
    channel = balanced_channels(rng, scenario.nodes, len(scenario.region.channels_hz))
    if energy.matching == "none":
        return Network(seed, closed_form, channel, 0)
    initial = distance_sf(closed_form, rng, energy.least_delivery, channel)
    matching = match_channels(closed_form, initial, rule=energy.matching)
    return Network(seed, closed_form, matching.points[:, 2].copy(), matching.swaps)


class EnergyExperiment:
    """A label on all networks of a run.

    Args:
        config: The run.
        label: Of one of its learners.
        networks: Of its seeds, see `build_networks`.

    Attributes:
        networks: One per seed.
        total: Episodes of the label; a planner has one.
        done: Episodes run so far.
        points: The last allocation of each network. `[N, 4]` each
        training: The attention critics; None: the label is a planner.

    Raises:
        ConfigError: an unknown learner, or parameters that it does not accept.
    """

    def __init__(self, config: EnergyRun, label: str, networks: Sequence[Network]) -> None:
        spec = config.learners[label]
        name, known = agents.learner_name(spec.name), (MAAC, *PLANNERS)
        if name not in known:
            hint = suggest(name, known, same_start=True)
            raise ConfigError(
                [f"learners.{label}: {name!r} is neither maac nor a planner, as runs with energy take{hint}"]
            )
        if name != MAAC and spec.parameters:
            raise ConfigError([f"learners.{label}.parameters: planners take none"])
        self._energy, self._planner = config.energy, name
        self.networks, self.total = networks, episodes(config, label)
        self.done, self.points = 0, [np.zeros((0, 4), np.int16) for _ in networks]
        self.training = self._build_training(label, spec.parameters) if name == MAAC else None

    @property
    def finished(self) -> bool:
        """Whether all episodes have been run."""
        return self.done == self.total

    def step(self) -> list[Row]:
        """Runs an episode; returns a row for each network: the worth of its allocation now, and how learning went."""
        if self.training is None:
            diagnostics: list[Row] = [{} for _ in self.networks]
            self.points = [self._plan(network) for network in self.networks]
        else:
            diagnostics = self.training.run_episode()
            self.points = self.training.greedy_points()
        self.done += 1
        return [
            {"episode": float(self.done)} | self._worth(network, points) | extra
            for network, points, extra in zip(self.networks, self.points, diagnostics, strict=True)
        ]

    def state_dict(self) -> State:
        """`done` and the state of the attention critics, replay buffer included; planners have nothing to keep."""
        return {"done": np.array(self.done)} | ({} if self.training is None else self.training.learner.state_dict())

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues after the episodes that a state has seen; a planner plans again.

        Raises:
            ValueError: an array is missing, or of another learner.
        """
        if self.training is not None:
            learned = {name: array for name, array in state.items() if name != "done"}
            self.training.load(learned, int(state["done"]))
            self.points = self.training.greedy_points()
            self.done = int(state["done"])

    def _build_training(self, label: str, parameters: dict[str, Any]) -> Training:
        try:
            from agents.maac.groups import Hyperparameters
            from scripts.runs.energy.training import Training
        except ModuleNotFoundError as error:
            if error.name is None or error.name not in EXTRAS:
                raise
            raise ConfigError([f"learners.{label}: {how_to_install(error.name)}"]) from None
        known = Hyperparameters.__dataclass_fields__
        for name in parameters:
            if name not in known:
                raise ConfigError([f"learners.{label}.parameters: no {name!r} in maac{suggest(name, known)}"])
        try:
            return Training(self.networks, self._energy, parameters)
        except (ValueError, TypeError) as error:
            raise ConfigError([f"learners.{label}: {error}"]) from None

    def _plan(self, network: Network) -> NDArray[np.int16]:
        least = self._energy.least_delivery
        return plan(self._planner, network.closed_form, network.seed, least_delivery=least, channel=network.channel)

    def _worth(self, network: Network, points: NDArray[np.int16]) -> Row:
        summary = summarise(network.closed_form, points, self._energy.least_delivery)
        return {
            "ee_bits_per_mj": summary.ee_sum,
            "pdr": summary.mean_delivery,
            "violations": float(summary.violations),
            "share_of_bound": summary.share_of_bound,
        }


def episodes(config: EnergyRun, label: str) -> int:
    """Returns the episodes of a label: attention critics have the learner's or the run's, planners one."""
    learner = config.learners[label]
    return (learner.episodes or config.energy.episodes) if agents.learner_name(learner.name) == MAAC else 1
