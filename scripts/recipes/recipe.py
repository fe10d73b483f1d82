"""The shared parts of recipes: their command line, and the evaluation of the trained policy beside random actions."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any, Protocol, get_origin

import typer

import lora_marl
from lora_marl.adapters.policy import Policy
from lora_marl.core.duty_cycle import DutyCycleWarning
from scripts.runs.baselines import best_without_learning, held, mean_rewards, rewards_of_policy, rewards_of_random
from scripts.runs.cli import new_app, one_line_errors
from scripts.runs.environments import FIRST_SEED, options
from scripts.runs.episodes import EPISODES, show_episodes

SETTINGS: dict[str, dict[str, Any]] = {
    "uplink_v0": {"max_cycles": 100},
    "energy_v0": {"only_channel": 0},
    "coexistence_v0": {"coexistence": "ccs_study", "decider": "group"},
}
"""Settings of the environments in the README's table."""

HELD_OUT = range(FIRST_SEED, FIRST_SEED + 5)


class Train(Protocol):
    """Trains one policy for all agents; keywords that a recipe adds by `Annotated` are options of its command line."""

    def __call__(self, name: str, steps: int, *, seed: int = 0, **settings: Any) -> Policy:
        """The policy after so many environment steps, counted over all replicas."""


def recipe(library: str, train: Train, about: str | None) -> None:
    """Run a recipe from the command line."""
    app_of(library, train, about)()


def app_of(library: str, train: Train, about: str | None) -> typer.Typer:
    """The command line of a recipe; the last line of its output is the result as JSON.

    Training curves are left in `--out`, or in `runs/<library>-<environment>`.
    """

    def main(
        environment: Annotated[str, typer.Argument(metavar="ENV")] = "uplink_v0",
        steps: Annotated[int, typer.Option(min=1, help="Environment steps, over all replicas.")] = 2_000,
        seed: Annotated[int, typer.Option(min=0)] = 0,
        env: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Setting of the environment.")] = None,
        out: Annotated[Path | None, typer.Option(help="Folder for the policy.")] = None,
        **keywords: Any,
    ) -> None:
        with one_line_errors():
            warnings.simplefilter("ignore", DutyCycleWarning)
            folder = (Path("runs") / f"{library}-{environment}" if out is None else out).resolve()
            settings = {"episode_log": folder / EPISODES, **options(env or ())}
            result = train_and_evaluate(library, partial(train, **keywords), environment, steps, seed, out, **settings)
            show_episodes(Path(settings["episode_log"]), f"{library}, {environment}")
            sys.stdout.write(json.dumps(result) + "\n")

    main.__signature__ = with_options_of(train, main)  # type: ignore[attr-defined]
    app = new_app()
    app.command(help=about)(main)
    return app


def with_options_of(train: Train, main: Callable[..., None]) -> Signature:
    """The signature of a command in which a recipe's annotated keywords replace `**keywords`."""
    *common, _ = (command := signature(main, eval_str=True)).parameters.values()
    parameters = signature(train, eval_str=True).parameters.values()
    annotated = [parameter for parameter in parameters if get_origin(parameter.annotation) is Annotated]
    return command.replace(parameters=[*common, *annotated])


def train_and_evaluate(
    library: str, train: Train, environment: str, steps: int, seed: int = 0, out: Path | None = None, **more: Any
) -> dict[str, Any]:
    """Train a policy, and evaluate its exported form on held-out seeds beside random actions.

    Args:
        library: The package whose version is reported.
        train: The recipe.
        environment, steps, seed: As of `Train`.
        out: Folder for the policy; None: it is not written.
        **more: Settings of the environment, in place of `SETTINGS`.

    Returns:
        A record: mean reward of an agent and step of the policy, of random actions, and of the best constant and rule
        (`scripts.runs.baselines`); the smallest difference to random actions over seeds; and environment steps of
        training per CPU second of this process (other processes that take part are not counted).
    """
    settings, start_s = {**SETTINGS.get(environment, {}), **more}, time.process_time()
    policy = train(environment, steps, seed=seed, **settings)
    cpu_s = time.process_time() - start_s
    if out is not None:
        policy.write(out)
    settings["action_format"] = policy.spaces.settings["action_format"]
    settings["episode_log"] = None  # it is of the training
    env = lora_marl.make(environment, **settings, replicas=len(HELD_OUT), info_level="none")
    trained, random = rewards_of_policy(env, HELD_OUT, policy), rewards_of_random(env, HELD_OUT)
    best = {
        label: float(mean_rewards(env, HELD_OUT, held(env, actions)).mean())
        for label, (_, actions) in best_without_learning(env, environment).items()
    }
    return {
        "library": library,
        "version": version(library),
        "environment": environment,
        "steps": steps,
        "reward": float(trained.mean()),
        "random": float(random.mean()),
        **best,
        "worst_difference": float((trained - random).min()),
        "steps_per_cpu_s": steps / cpu_s,
    }
