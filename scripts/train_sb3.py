"""Trains one policy for all agents of an environment with Stable-Baselines3, and exports it.

- `python scripts/train_sb3.py uplink_v0 --name first`
- `python scripts/train_sb3.py uplink_v0 --config configs/journal_fit.yaml --algorithm maskable-ppo`
- `python scripts/train_sb3.py energy_v0 --env only_channel=0 --algorithm dqn --hyper learning_rate=1e-3 --steps 100000`
- `python scripts/train_sb3.py coexistence_v0 --env coexistence=ccs_study --env decider=group`

The network is the scenario of a configuration (whose `environment` may have parameters), its coexisting networks, or
the environment's own. The result is `<out>/<name>/` (`.<name>.part` during training): the policy as
`policy.safetensors` and `policy.json`, TensorBoard events, and a row per episode (`episodes.csv`, drawn beside it).

`compare.py` runs a policy of `uplink_v0` against other learners of packets (`--learners cucb,runs/sb3/first`),
`evaluate.py` evaluates one of `energy_v0`, and `train.py` takes one of `coexistence_v0` as the servers of coexisting
networks (`configs/ccs_policies.yaml`).

At the end the exported policy is read back and evaluated on held-out seeds, beside random actions on the same seeds.
Needs the extra `sb3`.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import progress

import lora_marl
from lora_marl.adapters.policy import SPACES, Policy
from lora_marl.core.duty_cycle import DutyCycleWarning
from scripts.runs import baselines
from scripts.runs.assumptions import assumptions_table
from scripts.runs.cli import JsonPath, UsageError, checked_name, console, errors, new_app, one_line_errors, write_json
from scripts.runs.environments import (
    FIRST_SEED,
    EnvironmentName,
    EnvironmentSettings,
    NetworkChanges,
    NetworkConfig,
    assumptions_of_environment,
    options,
    settings_of,
)
from scripts.runs.episodes import EPISODES, show_episodes

app = new_app()


@app.command(help=__doc__)
def main(
    environment: EnvironmentName,
    config: NetworkConfig = None,
    set_: NetworkChanges = None,
    env: EnvironmentSettings = None,
    hyper: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Hyperparameter of the algorithm.")
    ] = None,
    algorithm: Annotated[str, typer.Option(help="ppo, maskable-ppo or dqn.")] = "ppo",
    steps: Annotated[int, typer.Option(min=1, help="Agent steps of training.")] = 400_000,
    replicas: Annotated[int, typer.Option(min=1, help="Networks at the same time.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    held_out: Annotated[int, typer.Option(min=1, help="Seeds of the evaluation.")] = 5,
    name: Annotated[str, typer.Option(help="Name of the policy, and of its folder.")] = "policy",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for policies.")] = Path("runs/sb3"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier policy of this name.")] = False,
    json: JsonPath = None,
) -> None:
    """Trains, exports and evaluates a policy."""
    with one_line_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DutyCycleWarning)  # reading a configuration has warned already
        folder = check_replaceable(out / checked_name(name), overwrite=overwrite)
        settings = settings_of(environment, config, set_ or (), env or ())
        episodes = settings.pop("episode_log", None)
        if algorithm == "dqn":
            settings = {"action_format": "discrete", **settings}
        try:
            held_out_env = lora_marl.make(environment, **settings, replicas=held_out, info_level="none")
            unfinished = new_folder(folder.with_name(f".{folder.name}.part"))
            log = {"episode_log": unfinished / EPISODES if episodes is None else episodes}
            train(environment, settings | log, algorithm, steps, replicas, seed, options(hyper or ()), unfinished)
        except (ValueError, TypeError, ImportError, RuntimeError, OSError) as error:
            raise UsageError(str(error)) from None
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
        show_episodes(folder / EPISODES if episodes is None else Path(episodes), f"{environment}, {algorithm}")
        policy, seeds = Policy.read(folder), range(FIRST_SEED, FIRST_SEED + held_out)
        table, records = baselines.compare(held_out_env, policy, seeds)
        console.print(assumptions_table(assumptions_of_environment(held_out_env)), soft_wrap=False)
        console.print(table, soft_wrap=False)
        console.print(f"policy:          {folder}/policy.safetensors, policy.json")
        console.print(f"learning curves: tensorboard --logdir {folder}")
        write_json(json, records)


def check_replaceable(folder: Path, *, overwrite: bool) -> Path:
    """The folder, if a policy may be written there.

    Raises:
        UsageError: it holds an earlier policy and `overwrite` is not given, or something that is no policy.
    """
    if (folder / SPACES).exists() and not overwrite:
        raise UsageError(f"{folder}: holds a policy already; replace it with --overwrite, or give another --name")
    if folder.is_file():
        raise UsageError(f"{folder}: is a file; give another --name")
    if folder.exists() and any(folder.iterdir()) and not (folder / SPACES).exists():
        raise UsageError(f"{folder}: holds something that is no policy; give another --name")
    return folder


def new_folder(folder: Path) -> Path:
    """The folder, newly created; what an interrupted training left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def train(
    environment: str,
    settings: dict[str, Any],
    algorithm: str,
    steps: int,
    replicas: int,
    seed: int,
    hyperparameters: dict[str, Any],
    folder: Path,
) -> None:
    """Trains a policy with a progress bar and writes it into a folder."""
    from lora_marl.adapters import sb3, sb3_training

    rows = sb3.shared_env(environment, replicas, **settings)
    with progress.Progress(console=errors, disable=not errors.is_terminal) as bar:
        task = bar.add_task(f"{algorithm}, agent steps", total=steps)
        model = sb3_training.train(
            rows, algorithm, steps, seed=seed, hyperparameters=hyperparameters, folder=folder,
            on_step=lambda done: bar.update(task, completed=done),
        )  # fmt: skip
    sb3_training.exported(model, environment).write(folder)


if __name__ == "__main__":
    app()
