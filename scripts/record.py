"""Records whole episodes of an environment for offline training: one npz file, and a Minari data set if asked for.

- `python scripts/record.py uplink_v0 --env max_cycles=100 --out runs/random.npz`
- `python scripts/record.py uplink_v0 --policy configs/policies/uplink_v0 --out runs/expert.npz --minari lora/expert-v0`

Random actions play, or an exported policy on the environment that it was trained on, unless settings are given.
`lora_marl.adapters.offline` reads the file; the data set has an episode for every agent of every episode (extra
`offline`).
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import lora_marl
from lora_marl.adapters.offline import Recording, record
from lora_marl.adapters.policy import Policy
from lora_marl.core.scenario import DutyCycleWarning
from lora_marl.envs.codec import sizes_of
from scripts.runs.cli import UsageError, console, new_app, one_line_errors
from scripts.runs.environments import environment_of, settings_of

app = new_app()


@app.command(help=__doc__)
def main(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="Such as uplink_v0.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Of the recording.")],
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Whose scenario is the network.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the config.")] = None,
    env: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Of the environment.")] = None,
    policy: Annotated[Path | None, typer.Option(metavar="DIR", help="Who plays; without it, random actions.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="How many.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of the first episode; the next ones follow.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier recording.")] = False,
    minari: Annotated[str | None, typer.Option(metavar="ID", help="Of a data set, such as lora/expert-v0.")] = None,
) -> None:
    """Records and writes."""
    with one_line_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DutyCycleWarning)
        if out.exists() and not overwrite:
            raise UsageError(f"--out: {out} is there already; replace it with --overwrite")
        if minari is not None and find_spec("minari") is None:
            raise UsageError("--minari: needs the extra offline: pip install 'lora_marl[offline]'")
        settings = settings_of(environment, config, set_ or (), env or ())
        try:
            player = None if policy is None else Policy.read(policy)
            played = recorded(environment, settings, player, range(seed, seed + episodes))
            out.parent.mkdir(parents=True, exist_ok=True)
            played.write(out)
        except (ValueError, TypeError, OSError) as error:
            raise UsageError(str(error)) from None
        console.print(
            f"{played.rewards.size:,} transitions, mean reward {played.rewards.mean():.4f}: {out}", markup=False
        )
        if minari is not None:
            publish(played, minari)


def recorded(environment: str, settings: dict[str, Any], player: Policy | None, seeds: range) -> Recording:
    """Episodes of all seeds."""
    if player is not None and player.spaces.environment != environment:
        raise UsageError(
            f"--policy: was trained on {player.spaces.environment}, and these are episodes of {environment}"
        )
    if player is None or settings:
        env = lora_marl.make(environment, **settings, replicas=len(seeds), info_level="none")
    else:
        env = environment_of(player, len(seeds))
    if player is None:
        return record(env, environment, seeds)
    own = tuple(env.feature_names), tuple(sizes_of(env.single_action_space).tolist())
    if (player.spaces.feature_names, player.spaces.sizes) != own:
        raise UsageError(f"--policy: was trained on another network or actions of {environment} than these")
    rng, sizes = np.random.default_rng(seeds[0]), player.spaces.sizes

    def choose(observations: Any, masks: Any) -> Any:
        rows, shape = observations.reshape(-1, observations.shape[-1]), observations.shape[:2]
        allowed = masks.reshape(len(rows), -1) if player.spaces.masked else None
        actions = player.choose(rows, rng.random((len(rows), len(sizes))), allowed)
        return actions.reshape(*shape, *env.single_action_space.shape)

    return record(env, environment, seeds, choose, played_by=player.spaces.algorithm)


def publish(played: Recording, dataset_id: str) -> None:
    """Makes Minari's data set.

    Raises:
        UsageError: Minari is not installed, or has a data set of this name.
    """
    try:
        from lora_marl.adapters.minari import create

        create(played, dataset_id)
    except (ImportError, ValueError) as error:
        raise UsageError(f"--minari: {error}") from None


if __name__ == "__main__":
    app()
