"""Builds the strategy that a label of a run of coexisting networks names, and checks its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from agents.ccs.dataset import Snapshots, by_mixture
from agents.ccs.layout import KINDS, LETTER_OF, Layout
from agents.ccs.model import Coordinator
from agents.ccs.proxy import Constants, Proxy
from agents.ccs.reporting import Reporting, reporting
from agents.ccs.safeguards import Safeguards
from agents.coexistence import (
    CoordinatedServers,
    DirectResiduals,
    Hopping,
    IndependentServers,
    Optimum,
    ParameterAveraging,
    Partition,
    RandomActions,
    RandomResiduals,
    Rollout,
    Strategy,
)
from lora_marl.config import CoexistenceConfig, CoexistenceRun, ConfigError
from lora_marl.core.checks import suggest
from scripts.runs.cli import ROOT
from scripts.runs.coexistence.exported import exported_servers
from scripts.runs.coexistence.networks import build_environment, build_team
from scripts.runs.coexistence.rollouts import Rollouts

LEARNING: Mapping[str, type[IndependentServers]] = {
    "coexistence-independent": IndependentServers,
    "ccs": CoordinatedServers,
    "random-residual": RandomResiduals,
    "averaging": ParameterAveraging,
    "direct": DirectResiduals,
}
"""Strategies whose servers learn, by name."""

RULES: Mapping[str, Callable[[], Strategy]] = {
    "coexistence-random": RandomActions,
    "static-partition": lambda: Partition(follows=False),
    "ranked-partition": lambda: Partition(follows=True),
    "hopping-partition": lambda: Hopping(partitioned=True),
    "hopping": lambda: Hopping(partitioned=False),
}
"""Strategies without parameters, by name."""

SUPPLIED = ("team", "seeds", "coexistence", "coordinator", "worlds", "parts", "reporting", "safeguards")
"""Arguments of strategies that are built from the run, not stated by a label."""

SERVICE_OPTIONS = tuple(field.name for record in (Reporting, Safeguards) for field in fields(record))
"""What a label may state of the service, beside `service`, the file of its weights."""

SEEN_VENDORS = range(5)
"""Vendors that the service in `configs/ccs` was trained on."""

ROLLOUTS, INTERVALS, SNAPSHOTS_AT, SEED = 6, 55, (30, 55), 24
"""Stored worlds of `direct`: 24 snapshots, taken in six rollouts of two worlds after these intervals."""

NUMBERINGS = 8
"""Numberings of the channels of each stored world. Which channels were good in 24 worlds is chance, and must not be
learned by number. A step of the optimisation sees all worlds in one numbering."""


def new_rollout(config: CoexistenceRun, label: str) -> Rollout:
    """Returns the rollout of a label before its first interval. ConfigError: what cannot be built, naming it."""
    strategy = build_strategy(config, label)
    section, seeds = config.coexistence, config.seeds
    env = build_environment(section, len(seeds), per_packet=strategy.hops, indicator=strategy.indicator)
    return Rollout(env, strategy, seeds)


def build_strategy(config: CoexistenceRun, label: str) -> Strategy:
    """Returns the strategy of a label.

    Raises:
        ConfigError: an unknown name or parameter, or a file that is missing.
    """
    spec, coexistence = config.learners[label], config.coexistence
    name, known = spec.name, (*LEARNING, "optimum", "policy", *RULES)
    if name not in known:
        hint = suggest(name, known, same_start=True)
        raise ConfigError([f"learners.{label}: {name!r} is no strategy of coexisting networks{hint}"])
    if name in RULES:
        if spec.parameters:
            raise ConfigError([f"learners.{label}.parameters: rules take none"])
        return RULES[name]()
    _check_parameters(label, name, spec.parameters)
    try:
        if name == "optimum":
            return _optimum(config, **spec.parameters)
        if name == "policy":
            return exported_servers(coexistence, config.seeds, **spec.parameters)
        return _learning(config, LEARNING[name], {"online": coexistence.online, **spec.parameters})
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError([f"learners.{label}: {error}"]) from None


def _optimum(config: CoexistenceRun, proxy: str | None = None) -> Optimum:
    """The search on the model of the air; `proxy`: file of the model's constants, as `fit_proxy.py` writes them."""
    if any(network.learner == "adr" for network in config.coexistence.networks):
        raise ValueError("the model of the air does not cover networks with rule adr")
    return Optimum(config.seeds, None if proxy is None else Proxy(Constants.load(ROOT / proxy)))


def _learning(config: CoexistenceRun, strategy: type[IndependentServers], parameters: dict[str, Any]) -> Strategy:
    """A strategy whose servers learn."""
    coexistence = config.coexistence
    team = build_team(coexistence, config.seeds)
    if issubclass(strategy, CoordinatedServers):
        path = ROOT / parameters.pop("service", coexistence.vendors / "service.safetensors")
        reports = {field.name: parameters.pop(field.name) for field in fields(Reporting) if field.name in parameters}
        guards = {field.name: parameters.pop(field.name) for field in fields(Safeguards) if field.name in parameters}
        guards = {name: tuple(value) if isinstance(value, list) else value for name, value in guards.items()}
        return strategy(
            team,
            Coordinator.load(path),
            config.seeds,
            reporting=reporting(reports),
            safeguards=Safeguards(**guards),
            **parameters,
        )
    if issubclass(strategy, DirectResiduals):
        mixture = _mixture(coexistence)
        return strategy(team, lambda: stored_worlds(mixture, coexistence.vendors), NUMBERINGS, **parameters)
    return strategy(team, **parameters)


def _mixture(coexistence: CoexistenceConfig) -> str:
    """Letters of the learners, network by network. ValueError: a network that does not learn."""
    learners = [network.learner for network in coexistence.networks]
    for number, learner in enumerate(learners):
        if learner not in KINDS:
            allowed = "direct optimises only networks that learn by pg or dqn"
            raise ValueError(f"coexistence.networks[{number}].learner: {learner!r}: {allowed}")
    return "".join(LETTER_OF[learner] for learner in learners)


@cache
def stored_worlds(mixture: str, vendors: Path) -> Snapshots:
    """Returns the snapshots that `direct` optimises over, the same at every call.

    They are of independent rollouts of `ccs_study` at all loads, of vendors that the service has seen.
    """
    rollouts = Rollouts(vendors, SEEN_VENDORS, SEED, INTERVALS, SNAPSHOTS_AT, mixtures=(mixture,))
    (joined,) = by_mixture(rollouts.run(number) for number in range(ROLLOUTS)).values()
    return joined.renumbered(NUMBERINGS, Layout(), SEED)


def _check_parameters(label: str, name: str, parameters: Mapping[str, Any]) -> None:
    """ConfigError: a parameter that a strategy does not take, naming the nearest one, or one that it needs."""
    builders: Mapping[str, Callable[..., Strategy]] = {**LEARNING, "optimum": _optimum, "policy": exported_servers}
    build = builders[name]
    arguments = [
        argument for argument in signature(build).parameters.values() if argument.name not in (*SUPPLIED, "config")
    ]
    known = [argument.name for argument in arguments if argument.kind is not Parameter.VAR_KEYWORD]
    if isinstance(build, type) and issubclass(build, CoordinatedServers):
        known += ["service", *SERVICE_OPTIONS]
    required = [argument.name for argument in arguments if argument.default is argument.empty]
    place = f"learners.{label}.parameters"
    wrong = [f"{place}.{key}: unknown key{suggest(key, known)}" for key in parameters if key not in known]
    wrong += [f"{place}.{key}: is required" for key in required if key not in parameters]
    if wrong:
        raise ConfigError(wrong)
