"""What all recipes share: a command line, and what came of training beside random actions."""

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
from lora_marl.core.scenario import DutyCycleWarning
from scripts.runs.cli import new_app, one_line_errors
from scripts.runs.environments import FIRST_SEED, mean_rewards, options

SETTINGS: dict[str, dict[str, Any]] = {
    "uplink_v0": {"max_cycles": 100},
    "energy_v0": {"only_channel": 0},
    "coexistence_v0": {"coexistence": "ccs_study", "decider": "group"},
}
"""The networks of the README's table."""

HELD_OUT = range(FIRST_SEED, FIRST_SEED + 5)


class Train(Protocol):
    """Trains one policy for all agents; keywords that a recipe adds by `Annotated` are options of its command line."""

    def __call__(self, name: str, steps: int, *, seed: int = 0, **settings: Any) -> Policy:
        """A policy after so many environment steps, of all replicas together."""


def recipe(library: str, train: Train, about: str | None) -> None:
    """Runs a recipe from the command line; the result is the last line of its output, JSON."""

    def main(
        environment: Annotated[str, typer.Argument(metavar="ENV")] = "uplink_v0",
        steps: Annotated[int, typer.Option(min=1, help="Environment steps, of all replicas together.")] = 2_000,
        seed: Annotated[int, typer.Option(min=0)] = 0,
        env: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Of the environment.")] = None,
        out: Annotated[Path | None, typer.Option(help="Where the policy goes.")] = None,
        **own: Any,
    ) -> None:
        with one_line_errors():
            warnings.simplefilter("ignore", DutyCycleWarning)
            found = measured(library, partial(train, **own), environment, steps, seed, out, **options(env or ()))
            sys.stdout.write(json.dumps(found) + "\n")

    main.__signature__ = with_options_of(train, main)  # type: ignore[attr-defined]
    app = new_app()
    app.command(help=about)(main)
    app()


def with_options_of(train: Train, main: Callable[..., None]) -> Signature:
    """The signature of a command, with the keywords of a recipe that say what they are in place of its `**own`."""
    *common, _ = (command := signature(main, eval_str=True)).parameters.values()
    keywords = signature(train, eval_str=True).parameters.values()
    own = [keyword for keyword in keywords if get_origin(keyword.annotation) is Annotated]
    return command.replace(parameters=[*common, *own])


def measured(
    library: str, train: Train, environment: str, steps: int, seed: int = 0, out: Path | None = None, **more: Any
) -> dict[str, Any]:
    """What a policy is worth, by its exported form on held-out seeds, beside random actions on the same.

    Args:
        library: Whose version is told.
        train: The recipe.
        environment, steps, seed: See `Train`.
        out: Where the policy goes.
        **more: Settings of the environment, over `SETTINGS`.

    Returns:
        For machines; the mean reward of an agent and step, the worst difference over seeds, and environment steps of
        training per CPU second of this process (of what others play with it, that is not the whole).
    """
    settings, begun_s = {**SETTINGS.get(environment, {}), **more}, time.process_time()
    policy = train(environment, steps, seed=seed, **settings)
    took_s = time.process_time() - begun_s
    if out is not None:
        policy.write(out)
    settings["action_format"] = policy.spaces.settings["action_format"]
    env = lora_marl.make(environment, **settings, replicas=len(HELD_OUT), info_level="none")
    trained, random = (mean_rewards(env, HELD_OUT, chosen) for chosen in (policy, None))
    return {
        "library": library,
        "version": version(library),
        "environment": environment,
        "steps": steps,
        "reward": float(trained.mean()),
        "random": float(random.mean()),
        "worst_difference": float((trained - random).min()),
        "steps_per_cpu_s": steps / took_s,
    }
