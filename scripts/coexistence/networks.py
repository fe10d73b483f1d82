"""The environment and the servers of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.lns.dqn import DqnServers
from agents.lns.hyperparameters import DqnHyperparameters, PolicyGradientHyperparameters
from agents.lns.learning import LearningServers
from agents.lns.policy_gradient import PolicyGradientServers
from agents.lns.team import Member, Team
from agents.lns.vendor import Vendor, load_vendor
from lora_marl.config import CoexistenceConfig, ConfigError, TrainConfig
from lora_marl.envs.coexistence_rewards import DEFAULT
from lora_marl.envs.coexistence_v0 import Coexisting, parallel_env
from scripts.cli import ROOT

KINDS: dict[str, type[LearningServers]] = {"dqn": DqnServers, "pg": PolicyGradientServers}


def coexistence_of(config: TrainConfig) -> CoexistenceConfig:
    """The section that makes a run one of these."""
    assert config.coexistence is not None
    return config.coexistence


def environment(
    coexistence: CoexistenceConfig, replicas: int, *, per_packet: bool = False, indicator: str | None = None
) -> Coexisting:
    """The environment of a run, whose agents are groups.

    Args:
        coexistence: Of the run.
        replicas: One per seed.
        per_packet: Whether groups give distributions in place of actions.
        indicator: What servers measure of others; None: what the run says.

    Raises:
        ConfigError: networks that cannot be built.
    """
    try:
        settings = settings_of(coexistence) | ({} if indicator is None else {"interference_indicator": indicator})
        points = "per_packet" if per_packet else "per_interval"
        return parallel_env(**settings, replicas=replicas, operating_points=points)
    except ValueError as error:
        raise ConfigError([f"coexistence: {error}"]) from None


def settings_of(coexistence: CoexistenceConfig) -> dict[str, Any]:
    """Settings of the environment of a run. ValueError: networks that cannot be built."""
    rewards = [dict(DEFAULT) if each is None else each for each in coexistence.rewards]
    return {
        "coexistence": coexistence.build(),
        "decider": "group",
        "max_cycles": coexistence.intervals,
        "interference_indicator": coexistence.indicator,
        "reward": rewards,
    }


def vendor_path(folder: Path, kind: str, vendor: int) -> Path:
    """Where a vendor's trained policy is."""
    return (folder if folder.is_absolute() else ROOT / folder) / f"{kind}-{vendor}.safetensors"


def team_of(
    coexistence: CoexistenceConfig,
    seeds: Sequence[int],
    hyper: dict[str, DqnHyperparameters | PolicyGradientHyperparameters] | None = None,
) -> Team:
    """The servers of a run, from their vendors' policies.

    Args:
        coexistence: Of the run.
        seeds: One per replica.
        hyper: Hyperparameters by kind; by default those of learning online.

    Raises:
        ConfigError: a vendor's file is missing or damaged.
    """
    learning = [network for network in coexistence.networks if network.learner in KINDS]
    members = []
    for kind, servers in KINDS.items():
        places = tuple(place for place, network in enumerate(learning) if network.learner == kind)
        if not places:
            continue
        vendors = [_vendor(coexistence, kind, learning[place].vendor) for place in places]
        chosen = {"hyper": hyper[kind]} if hyper and kind in hyper else {}
        members.append(Member(servers(vendors, seeds, places, **chosen), places))  # type: ignore[arg-type]
    return Team(members)


def _vendor(coexistence: CoexistenceConfig, kind: str, own: int | None) -> Vendor:
    path = vendor_path(coexistence.vendors, kind, coexistence.vendor if own is None else own)
    if not path.exists():
        known = sorted(int(each.stem.rpartition("-")[2]) for each in path.parent.glob(f"{kind}-*.safetensors"))
        there = f"of {kind} there are {', '.join(map(str, known))}" if known else f"no vendor of {kind} is there"
        raise ConfigError([f"coexistence.vendor: {path} is not there; {there}; scripts/train_ccs.py makes them"])
    try:
        return load_vendor(path)
    except ValueError as error:
        raise ConfigError([f"coexistence.vendor: {error}; scripts/train_ccs.py makes them"]) from None
