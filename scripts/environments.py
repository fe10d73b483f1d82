"""An environment from the command line: the network of a configuration, and settings as `key=value`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lora_marl.config import CoexistenceConfig
from lora_marl.config.load import set_value
from scripts.cli import UsageError, read_config
from scripts.experiment import built

SET_BY_SCRIPTS = {"replicas": "--replicas or --episodes says how many", "info_level": "scripts look at no infos"}
"""Settings that a script has for itself, and why."""


def settings_of(environment: str, config: Path | None, changes: Sequence[str], own: Sequence[str]) -> dict[str, Any]:
    """The environment's settings: of the configuration, and over them those of the command line.

    Raises:
        UsageError: changes of no configuration, a configuration of another environment, or one of `SET_BY_SCRIPTS`.
    """
    if config is None:
        if changes:
            raise UsageError("--set: changes a configuration; give one with --config (settings of ENV: --env)")
        return _checked(options(own))
    run = read_config(config, changes)
    if (environment == "coexistence_v0") != (run.coexistence is not None):
        has = "no section coexistence" if run.coexistence is None else "a section coexistence"
        raise UsageError(f"{config}: has {has}, which is what coexistence_v0 is made of, and no other environment")
    if run.coexistence is not None:
        return _checked({**_of_networks(run.coexistence), **options(own)})
    named = run.environment is not None and run.environment.name == environment
    settings = {"scenario": built(run.scenario), **(run.environment.parameters if named and run.environment else {})}
    return _checked({**settings, **options(own)})


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    for name in SET_BY_SCRIPTS.keys() & settings:
        raise UsageError(f"{name}: {settings[name]!r}; leave it out, {SET_BY_SCRIPTS[name]}")
    return settings


def _of_networks(coexistence: CoexistenceConfig) -> dict[str, Any]:
    """Of a run of coexisting networks, whose servers need torch."""
    from scripts.coexistence.networks import settings_of

    return settings_of(coexistence)


def options(texts: Sequence[str]) -> dict[str, Any]:
    """Values of `key=value`, as in YAML."""
    values: dict[str, Any] = {}
    for text in texts:
        set_value(values, text)
    return values
