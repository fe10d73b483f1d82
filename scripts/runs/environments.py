"""Environments of the commands: their settings from the command line, and that of an exported policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import lora_marl
from lora_marl.adapters.policy import Policy
from lora_marl.config import CoexistenceConfig, CoexistenceRun
from lora_marl.config.load import set_value
from lora_marl.envs.coexistence.game import CoexistenceGame
from scripts.runs.assumptions import Assumption, assumptions
from scripts.runs.cli import UsageError, read_config
from scripts.runs.packets.experiment import build_scenario

EnvironmentName = Annotated[str, typer.Argument(metavar="ENV", help="Name of the environment, such as uplink_v0.")]
NetworkConfig = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration whose scenario is the network.")
]
NetworkChanges = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the configuration.")
]
EnvironmentSettings = Annotated[
    list[str] | None, typer.Option("--env", metavar="KEY=VALUE", help="Setting of the environment.")
]
"""Arguments and options of the commands that make an environment; `settings_of` reads them."""

SET_BY_SCRIPTS = {"replicas": "--replicas or --episodes says how many", "info_level": "scripts look at no infos"}
"""Settings that commands choose themselves, and why."""

FIRST_SEED = 1_000_000
"""The first held-out seed: training should not use this one and those after it."""

NETWORKS = {"coexistence_v0": ("coexistence", "train.py runs it on any networks: configs/ccs_policies.yaml")}
"""By environment, the setting that is its network where that is no scenario, and what runs a policy on others."""


def settings_of(environment: str, config: Path | None, changes: Sequence[str], texts: Sequence[str]) -> dict[str, Any]:
    """The settings of an environment: those of a configuration, overridden by those of the command line.

    Args:
        environment: Name of the environment.
        config: The configuration whose scenario or networks are used; None: the environment's own.
        changes: Changes of the configuration, `key.path=value`.
        texts: Settings of the command line, `key=value`.

    Raises:
        UsageError: changes without a configuration, a configuration of another environment, or one of
            `SET_BY_SCRIPTS`.
    """
    if config is None:
        if changes:
            raise UsageError("--set: changes a configuration; give one with --config (settings of ENV: --env)")
        return _checked(options(texts))
    run = read_config(config, changes)
    if (environment == "coexistence_v0") != isinstance(run, CoexistenceRun):
        has = "a section coexistence" if isinstance(run, CoexistenceRun) else "no section coexistence"
        raise UsageError(f"{config}: has {has}, which is what coexistence_v0 is made of, and no other environment")
    if isinstance(run, CoexistenceRun):
        return _checked({**_of_networks(run.coexistence), **options(texts)})
    named = run.environment is not None and run.environment.name == environment
    settings = {
        "scenario": build_scenario(run.scenario),
        **(run.environment.parameters if named and run.environment else {}),
    }
    return _checked({**settings, **options(texts)})


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, unless commands choose one of them themselves."""
    for name in SET_BY_SCRIPTS.keys() & settings:
        raise UsageError(f"{name}: {settings[name]!r}; leave it out, {SET_BY_SCRIPTS[name]}")
    return settings


def _of_networks(coexistence: CoexistenceConfig) -> dict[str, Any]:
    """The settings of a run of coexisting networks; its module needs torch, so it is imported here."""
    from scripts.runs.coexistence.networks import environment_settings

    return environment_settings(coexistence)


def options(texts: Sequence[str]) -> dict[str, Any]:
    """The values of `key=value`, each read as YAML."""
    values: dict[str, Any] = {}
    for text in texts:
        set_value(values, text)
    return values


def environment_of(policy: Policy, replicas: int) -> Any:
    """The environment that a policy was trained on, with so many replicas.

    Raises:
        UsageError: the policy's files do not hold its network or another setting.
    """
    settings = dict(policy.spaces.settings)
    network, script = NETWORKS.get(
        policy.spaces.environment, ("scenario", "compare.py runs it on any: --learners FOLDER")
    )
    if network not in settings:
        raise UsageError(f"the policy was trained on its own {network}; {script}")
    if policy.spaces.unsaid:
        raise UsageError(f"the policy was trained with {', '.join(policy.spaces.unsaid)}, which its files cannot store")
    settings |= {"replicas": replicas, "info_level": "none", "render_mode": None}
    return lora_marl.make(policy.spaces.environment, **settings)


def assumptions_of_environment(env: Any) -> list[Assumption]:
    """What an environment assumes of the radio."""
    if isinstance(env.game, CoexistenceGame):
        return assumptions(env.game.coexistence.radio, CoexistenceConfig().build().radio)
    return assumptions(env.game.scenario)
