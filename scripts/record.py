"""Records whole episodes of an environment for offline training: one npz file, and a Minari data set if asked for.

- `python scripts/record.py uplink_v0 --env max_cycles=100 --out runs/random.npz`
- `python scripts/record.py uplink_v0 --policy configs/policies/uplink_v0 --out runs/expert.npz --minari lora/expert-v0`

Actions are random, or those of an exported policy, by default on the environment that it was trained on.
`lora_marl.adapters.offline` reads the file; the data set (extra `offline`) has an episode for every agent of every
episode.
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import lora_marl
from lora_marl.adapters.offline import Recording, policy_choice, record
from lora_marl.adapters.policy import Policy
from lora_marl.core.duty_cycle import DutyCycleWarning
from lora_marl.envs.codec import sizes_of
from scripts.runs.cli import UsageError, console, how_to_install, new_app, one_line_errors
from scripts.runs.environments import (
    EnvironmentName,
    EnvironmentSettings,
    NetworkChanges,
    NetworkConfig,
    environment_of,
    settings_of,
)

app = new_app()


@app.command(help=__doc__)
def main(
    environment: EnvironmentName,
    out: Annotated[Path, typer.Option(metavar="FILE", help="File of the recording.")],
    config: NetworkConfig = None,
    set_: NetworkChanges = None,
    env: EnvironmentSettings = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Policy that chooses actions; default: they are random.")
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Number of episodes.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first episode; the others count up.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier recording.")] = False,
    minari: Annotated[
        str | None, typer.Option(metavar="ID", help="Also make this data set, such as lora/expert-v0.")
    ] = None,
) -> None:
    """Records episodes and writes them."""
    with one_line_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DutyCycleWarning)
        if out.exists() and not overwrite:
            raise UsageError(f"--out: {out} exists already; replace it with --overwrite")
        if minari is not None and find_spec("minari") is None:
            raise UsageError(f"--minari: {how_to_install('minari')}")
        settings = settings_of(environment, config, set_ or (), env or ())
        try:
            exported = None if policy is None else Policy.read(policy)
            recording = record_episodes(environment, settings, exported, range(seed, seed + episodes))
            out.parent.mkdir(parents=True, exist_ok=True)
            recording.write(out)
        except (ValueError, TypeError, OSError) as error:
            raise UsageError(str(error)) from None
        rewards = recording.rewards
        console.print(f"{rewards.size:,} transitions, mean reward {rewards.mean():.4f}: {out}")
        if minari is not None:
            create_data_set(recording, minari)


def record_episodes(environment: str, settings: dict[str, Any], policy: Policy | None, seeds: range) -> Recording:
    """An episode of each seed, with actions of a policy, or random ones.

    Raises:
        UsageError: a policy of another environment, or of other observations or actions.
    """
    if policy is None:
        env = lora_marl.make(environment, **settings, replicas=len(seeds), info_level="none")
        return record(env, environment, seeds)
    spaces = policy.spaces
    if spaces.environment != environment:
        raise UsageError(f"--policy: was trained on {spaces.environment}, and these are episodes of {environment}")
    if settings:
        env = lora_marl.make(environment, **settings, replicas=len(seeds), info_level="none")
    else:
        env = environment_of(policy, len(seeds))
    if (spaces.feature_names, spaces.sizes) != (
        tuple(env.feature_names),
        tuple(sizes_of(env.single_action_space).tolist()),
    ):
        raise UsageError(f"--policy: was trained on another network or actions of {environment} than these")
    choose = policy_choice(policy, env, np.random.default_rng(seeds[0]))
    return record(env, environment, seeds, choose, played_by=spaces.algorithm)


def create_data_set(recording: Recording, dataset_id: str) -> None:
    """Makes Minari's data set.

    Raises:
        UsageError: Minari is not installed, or has a data set of this name.
    """
    try:
        from lora_marl.adapters.minari import create

        create(recording, dataset_id)
    except (ImportError, ValueError) as error:
        raise UsageError(f"--minari: {error}") from None


if __name__ == "__main__":
    app()
