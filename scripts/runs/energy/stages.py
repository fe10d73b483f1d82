"""What a label of a run does, episode by episode: a planner plans once, attention critics learn.

The networks of a run: one for every seed, with the channels that matching gives its nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import agents
from agents.planners import PLANNERS, plan
from agents.planners.baselines import distance_sf
from agents.planners.bounds import summarise
from agents.planners.matching import balanced_channels, match_channels
from lora_marl.config import ConfigError, EnergyConfig, TrainConfig
from lora_marl.core.checks import suggest
from lora_marl.core.expect.rayleigh import Rayleigh
from lora_marl.core.random import stream_key
from lora_marl.envs.energy.network import check_scenario
from scripts.runs.cli import UsageError
from scripts.runs.metrics import Row
from scripts.runs.packets import built

if TYPE_CHECKING:
    from scripts.runs.energy.training import Training


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


def energy_of(config: TrainConfig) -> EnergyConfig:
    """The section that makes a run one of these."""
    assert config.energy is not None
    return config.energy


def networks_of(config: TrainConfig) -> list[Network]:
    """The networks of a run's seeds: seed k has the placement (nodes and gateways) of the topology's seed plus k.

    Raises:
        ConfigError: physics that the closed form or the game does not have.
    """
    try:
        return [_network(config, seed) for seed in config.seeds]
    except ValueError as error:
        raise ConfigError([str(error)]) from None


def _network(config: TrainConfig, seed: int) -> Network:
    energy, topology = energy_of(config), config.scenario.topology
    own = topology.model_copy(update={"seed": topology.seed + seed})
    scenario = built(config.scenario.model_copy(update={"topology": own}))
    check_scenario(scenario)
    closed_form = Rayleigh(scenario, rate=energy.rate)
    rng = np.random.default_rng(int(stream_key(seed, "matching")))
    channel = balanced_channels(rng, scenario.nodes, len(scenario.region.channels_hz))
    if energy.matching == "none":
        return Network(seed, closed_form, channel, 0)
    begun = distance_sf(closed_form, rng, energy.least_delivery, channel)
    found = match_channels(closed_form, begun, rule=energy.matching)
    return Network(seed, closed_form, found.points[:, 2].copy(), found.swaps)


MAAC = "maac"


class Stages:
    """A label on all networks of a run.

    Args:
        config: The run.
        label: Of one of its learners.
        networks: Of its seeds, see `networks_of`.

    Attributes:
        networks: One per seed.
        episodes: There are.
        done: Played so far.
        points: The last allocation of each network. `[N, 4]` each

    Raises:
        ConfigError: an unknown learner, or parameters that it does not accept.
    """

    def __init__(self, config: TrainConfig, label: str, networks: Sequence[Network]) -> None:
        self._energy, spec = energy_of(config), config.learners[label]
        self._name, parameters = agents.learner_name(spec.name), spec.parameters
        known = (MAAC, *PLANNERS)
        if self._name not in known:
            hint = suggest(self._name, known)
            raise ConfigError(
                [f"learners.{label}: {self._name!r} is neither maac nor a planner, as runs with energy take{hint}"]
            )
        if self._name != MAAC and parameters:
            raise ConfigError([f"learners.{label}.parameters: planners take none"])
        self.networks = networks
        self.episodes = (spec.episodes or self._energy.episodes) if self._name == MAAC else 1
        self.done, self.points = 0, [np.zeros((0, 4), np.int16) for _ in self.networks]
        self._training = self._trained(label, parameters) if self._name == MAAC else None

    @property
    def finished(self) -> bool:
        """Whether all episodes have been played."""
        return self.done == self.episodes

    def play_next(self) -> list[Row]:
        """Plays an episode; a row for each network: what its allocation is worth now, and how learning went."""
        if self._training is None:
            said: list[Row] = [{} for _ in self.networks]
            self.points = [self._planned(network) for network in self.networks]
        else:
            said = self._training.play_episode()
            self.points = self._training.greedy_points()
        self.done += 1
        return [
            {"episode": float(self.done)} | self._worth(network, points) | own
            for network, points, own in zip(self.networks, self.points, said, strict=True)
        ]

    def save(self, path: Path) -> None:
        """Writes what is learned to a file with the number of episodes in its name; planners have nothing to keep."""
        if self._training is not None:
            self._training.write(path)

    def load(self, path: Path, done: int) -> None:
        """Goes on from a file.

        Raises:
            UsageError: it is damaged, or of another run.
        """
        if self._training is not None:
            try:
                self._training.read(path, done)
            except ValueError as error:
                raise UsageError(f"{error}; restore it, or train again with --overwrite") from None
            self.points = self._training.greedy_points()
            self.done = done

    def _trained(self, label: str, parameters: dict[str, Any]) -> Training:
        try:
            from agents.maac.groups import Hyperparameters
            from scripts.runs.energy.training import Training
        except ImportError as error:
            raise ConfigError([f"learners.{label}: {error}; attention critics need the extra torch"]) from None
        known = Hyperparameters.__dataclass_fields__
        for name in parameters:
            if name not in known:
                raise ConfigError([f"learners.{label}.parameters: no {name!r} in maac{suggest(name, known)}"])
        try:
            return Training(self.networks, self._energy, parameters)
        except (ValueError, TypeError) as error:
            raise ConfigError([f"learners.{label}: {error}"]) from None

    def _planned(self, network: Network) -> NDArray[np.int16]:
        least = self._energy.least_delivery
        return plan(self._name, network.closed_form, network.seed, least_delivery=least, channel=network.channel)

    def _worth(self, network: Network, points: NDArray[np.int16]) -> Row:
        found = summarise(network.closed_form, points, self._energy.least_delivery)
        return {
            "ee_bits_per_mj": found.ee_sum,
            "pdr": found.mean_delivery,
            "violations": float(found.violations),
            "share_of_bound": found.share_of_bound,
        }
