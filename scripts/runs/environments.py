"""Environments of the commands: their settings from the command line, and how well a policy does on held-out seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

import lora_marl
from lora_marl.adapters.offline import policy_choice, random_choice
from lora_marl.adapters.policy import Policy
from lora_marl.config import CoexistenceConfig, CoexistenceRun
from lora_marl.config.load import set_value
from lora_marl.envs.coexistence.game import CoexistenceGame
from scripts.runs.assumptions import Assumption, assumptions
from scripts.runs.cli import UsageError, read_config
from scripts.runs.packets.experiment import build_scenario
from scripts.runs.statistics import estimate

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


def mean_rewards(env: Any, seeds: Sequence[int], policy: Policy | None) -> NDArray[np.float64]:
    """Mean reward of an agent and step over an episode of each replica.

    Args:
        env: The environment.
        seeds: One per replica. `[B]`
        policy: Chooses the actions of all agents; None: random allowed actions.

    Returns:
        `[B]`
    """
    rng, total = np.random.default_rng(0), np.zeros(len(seeds))
    choose = random_choice(env, rng) if policy is None else policy_choice(policy, env, rng)
    observations = env.reset_array(seeds)
    for _ in range(env.max_cycles):
        observations, rewards, *_ = env.step_array(choose(observations, env.mask_array()))
        total += rewards.mean(axis=1)
    return total / env.max_cycles


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


def compare_with_random(env: Any, policy: Policy, seeds: Sequence[int]) -> tuple[Table, list[dict[str, Any]]]:
    """Evaluate a policy beside random allowed actions on the same seeds.

    Returns:
        A table of mean rewards with intervals, and a record of both rewards for each seed.
    """
    trained, random = (mean_rewards(env, seeds, chosen) for chosen in (policy, None))
    spaces = policy.spaces
    table = Table("mean reward of an agent and step", title=f"{spaces.environment}, {len(seeds)} held-out seeds")
    for column in ("mean", "95 % interval"):
        table.add_column(column, justify="right")
    for label, by_seed in ((spaces.algorithm, trained), ("random", random), ("difference", trained - random)):
        reward = estimate(by_seed.tolist())
        table.add_row(label, f"{reward.mean:.4f}", f"{reward.ci_low:.4f} to {reward.ci_high:.4f}")
    common = {"environment": spaces.environment, "algorithm": spaces.algorithm}
    return table, [
        {**common, "seed": seed, "reward": of_policy, "random": of_random}
        for seed, of_policy, of_random in zip(seeds, trained.tolist(), random.tolist(), strict=True)
    ]
