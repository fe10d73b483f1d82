"""The networks of a run: one for every seed, with the channels that matching gives its nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents import matching
from agents.planners.rules import distance_sf
from lora_marl.config import ConfigError, EnergyConfig, TrainConfig
from lora_marl.core.expect.rayleigh import Rayleigh
from lora_marl.core.kernel.random import stream_key
from lora_marl.envs.energy_network import check_scenario
from scripts.experiment import built


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
    channel = matching.balanced(rng, scenario.nodes, len(scenario.region.channels_hz))
    if energy.matching == "none":
        return Network(seed, closed_form, channel, 0)
    begun = distance_sf(closed_form, rng, energy.least_delivery, channel)
    found = matching.matched(closed_form, begun, rule=energy.matching)
    return Network(seed, closed_form, found.points[:, 2].copy(), found.swaps)
