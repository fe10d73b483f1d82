"""The environment and the servers that a configuration of coexisting networks describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.lns.dqn import DqnHyperparameters, DqnServers
from agents.lns.learning import LearningServers
from agents.lns.policy_gradient import PolicyGradientHyperparameters, PolicyGradientServers
from agents.lns.team import Team, TeamMember
from agents.lns.vendor import Vendor, load_vendor
from lora_marl.config import CoexistenceConfig, ConfigError
from lora_marl.envs.coexistence.reward import DEFAULT
from lora_marl.envs.coexistence_v0 import Coexisting, parallel_env
from scripts.runs.cli import ROOT

SERVERS: dict[str, type[LearningServers]] = {"dqn": DqnServers, "pg": PolicyGradientServers}
"""Servers that learn, by the name of their learner in a configuration."""


def build_environment(
    coexistence: CoexistenceConfig, replicas: int, *, per_packet: bool = False, indicator: str | None = None
) -> Coexisting:
    """Returns the environment of a run, whose agents are groups.

    Args:
        coexistence: The run's section.
        replicas: One per seed.
        per_packet: Whether groups give distributions instead of actions.
        indicator: What servers measure of others; None: what the run states.

    Raises:
        ConfigError: networks that cannot be built.
    """
    try:
        settings = environment_settings(coexistence)
        if indicator is not None:
            settings["interference_indicator"] = indicator
        points = "per_packet" if per_packet else "per_interval"
        return parallel_env(**settings, replicas=replicas, operating_points=points)
    except ValueError as error:
        raise ConfigError([f"coexistence: {error}"]) from None


def environment_settings(coexistence: CoexistenceConfig) -> dict[str, Any]:
    """Returns the arguments of the environment of a run. ValueError: networks that cannot be built."""
    rewards = [dict(DEFAULT) if weights is None else weights for weights in coexistence.rewards]
    return {
        "coexistence": coexistence.build(),
        "decider": "group",
        "max_cycles": coexistence.intervals,
        "interference_indicator": coexistence.indicator,
        "reward": rewards,
    }


def vendor_path(folder: Path, kind: str, vendor: int) -> Path:
    """Returns where a vendor's trained policy is stored; relative folders count from the project's root."""
    return (folder if folder.is_absolute() else ROOT / folder) / f"{kind}-{vendor}.safetensors"


def build_team(
    coexistence: CoexistenceConfig,
    seeds: Sequence[int],
    hyper: dict[str, DqnHyperparameters | PolicyGradientHyperparameters] | None = None,
) -> Team:
    """Returns the servers of a run, which start from their vendors' policies.

    Args:
        coexistence: The run's section.
        seeds: One per replica.
        hyper: Hyperparameters by kind; where there are none, those of learning online.

    Raises:
        ConfigError: a vendor's file is missing or damaged.
    """
    learning = [network for network in coexistence.networks if network.learner in SERVERS]
    members = []
    for kind, servers in SERVERS.items():
        places = tuple(place for place, network in enumerate(learning) if network.learner == kind)
        if not places:
            continue
        vendors = [_vendor(coexistence, kind, learning[place].vendor) for place in places]
        arguments = {"hyper": hyper[kind]} if hyper and kind in hyper else {}
        members.append(TeamMember(servers(vendors, seeds, places, **arguments), places))  # type: ignore[arg-type]
    return Team(members)


def _vendor(coexistence: CoexistenceConfig, kind: str, number: int | None) -> Vendor:
    path = vendor_path(coexistence.vendors, kind, coexistence.vendor if number is None else number)
    if not path.exists():
        numbers = sorted(int(file.stem.rpartition("-")[2]) for file in path.parent.glob(f"{kind}-*.safetensors"))
        known = f"of {kind} there are {', '.join(map(str, numbers))}" if numbers else f"no vendor of {kind} is there"
        raise ConfigError([f"coexistence.vendor: {path} is not there; {known}; scripts/train_ccs.py makes them"])
    try:
        return load_vendor(path)
    except ValueError as error:
        raise ConfigError([f"coexistence.vendor: {error}; scripts/train_ccs.py makes them"]) from None
