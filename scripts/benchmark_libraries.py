"""Times each library's wrapper of an environment beside the arrays behind it, with random actions.

- `python scripts/benchmark_libraries.py`
- `python scripts/benchmark_libraries.py coexistence_v0 --library supersuit`
- `make recipe-skrl`, then `.venv-skrl/bin/python scripts/benchmark_libraries.py --library skrl`

There are 100 nodes (in `coexistence_v0` 100 in each of two networks, whose groups are the agents), and 32 replicas
where a wrapper takes several. An environment step is a step of all agents of one replica. Actions are drawn beforehand,
so that only steps are timed; wrapper and arrays take turns. Libraries that are not installed are left out.

Shape letters: `B` replicas, `N` agents, `F` factors of an action.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from lora_marl.envs.codec import sizes_of
from scripts.bench.cases import best_rate
from scripts.bench.libraries import LIBRARIES, REPLICAS, Step, TimedEnv, Wrapper, timed_env
from scripts.runs.cli import JsonPath, UsageError, console, new_app, one_line_errors, write_json

app = new_app()


def rates(name: str, environment: str = "uplink_v0", *, steps: int = 100, repeats: int = 3) -> tuple[float, float]:
    """Environment steps per CPU second of a wrapper and of the arrays, in turns; the best of some repeats each."""
    episodes = [_episode(wrapper, environment, steps) for wrapper in (name, "arrays")]
    wrapped, arrays = zip(*([best_rate(*episode, 1) for episode in episodes] for _ in range(repeats)), strict=True)
    return max(wrapped), max(arrays)


def steps_per_s(name: str, environment: str = "uplink_v0", *, steps: int = 100, repeats: int = 3) -> float:
    """Environment steps per CPU second of a wrapper, the best of some repeats."""
    return best_rate(*_episode(name, environment, steps), repeats)


def _episode(name: str, environment: str, steps: int) -> tuple[Callable[[], None], int]:
    """A function that steps a wrapper through an episode, and the environment steps that this takes."""
    wrapper, timed = WRAPPERS[name], timed_env(environment, steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = wrapper.begin(timed, wrapper.replicas)
    rng, env = np.random.default_rng(0), timed.make()
    space, sizes = env.single_action_space, sizes_of(env.single_action_space)
    shape = wrapper.replicas, len(env.possible_agents), *space.shape
    actions = [rng.integers(0, sizes if space.shape else sizes[0], shape) for _ in range(16)]

    def episode() -> None:
        for number in range(steps):
            step(actions[number % len(actions)])

    return episode, wrapper.replicas * steps


def _arrays(timed: TimedEnv, replicas: int) -> Step:
    env = timed.make(replicas)
    env.reset_array(range(replicas))

    def step(actions: Any) -> None:
        if env.step_array(actions)[3].all():
            env.reset_array()

    return step


def _dicts(timed: TimedEnv, _: int) -> Step:
    env = timed.make()
    env.reset(seed=0)

    def step(actions: Any) -> None:
        env.step(dict(zip(env.possible_agents, actions[0], strict=True)))
        if not env.agents:
            env.reset()

    return step


def _vector(kind: str) -> Callable[[TimedEnv, int], Step]:
    def begin(timed: TimedEnv, replicas: int) -> Step:
        from lora_marl import views

        controller = {"shared": views.Shared, "central": views.Central}[kind](timed.make(replicas))
        envs = views.ControllerVectorEnv(controller, "SameStep")
        envs.reset(seed=0)
        shape = (controller.rows, *(controller.action_space.shape or ()))
        return lambda actions: envs.step(actions.reshape(shape))

    return begin


def _single(kind: str) -> Callable[[TimedEnv, int], Step]:
    def begin(timed: TimedEnv, _: int) -> Step:
        from lora_marl import views

        env = views.ControllerEnv({"agent": views.OneAgent, "central": views.Central}[kind](timed.make()))
        env.reset(seed=0)
        shape = env.action_space.shape or ()
        size = int(np.prod(shape))

        def step(actions: Any) -> None:
            if env.step(actions[0].ravel()[:size].reshape(shape))[3]:
                env.reset()

        return step

    return begin


WRAPPERS: Mapping[str, Wrapper] = {
    "arrays": Wrapper(None, REPLICAS, _arrays),
    "PettingZoo's dicts": Wrapper("pettingzoo", 1, _dicts),
    "Gymnasium's vector, shared policy": Wrapper("gymnasium", REPLICAS, _vector("shared")),
    "Gymnasium's vector, central": Wrapper("gymnasium", REPLICAS, _vector("central")),
    "Gymnasium's environment, one agent": Wrapper("gymnasium", 1, _single("agent")),
    "Gymnasium's environment, central": Wrapper("gymnasium", 1, _single("central")),
    **LIBRARIES,
}


@app.command(help=__doc__)
def main(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="uplink_v0 or coexistence_v0.")] = "uplink_v0",
    library: Annotated[str | None, typer.Option(metavar="PACKAGE", help="Only its wrappers.")] = None,
    json: JsonPath = None,
) -> None:
    """Measures and reports."""
    with one_line_errors():
        installed = {name: wrapper for name, wrapper in WRAPPERS.items() if wrapper.installed}
        wanted = {name: wrapper for name, wrapper in installed.items() if library in (None, wrapper.library)}
        if not wanted:
            known = ", ".join(sorted({wrapper.library for wrapper in installed.values() if wrapper.library}))
            raise UsageError(f"--library: {library!r} is not installed; installed are {known}")
        table, records = Table("wrapper", "version", title=f"{environment}: environment steps per CPU second"), []
        for column in ("replicas", "steps/s", "arrays", "of arrays"):
            table.add_column(column, justify="right")
        for name, wrapper in wanted.items():
            rate, arrays = rates(name, environment)
            release = "" if wrapper.library is None else f"{wrapper.library} {version(wrapper.library)}"
            table.add_row(
                name, release, str(wrapper.replicas), f"{rate:,.0f}", f"{arrays:,.0f}", f"{rate / arrays:.3f}"
            )
            record = {"version": release, "replicas": wrapper.replicas}
            measured = {"steps_per_s": rate, "arrays_steps_per_s": arrays}
            records.append({"environment": environment, "wrapper": name, **record, **measured})
        console.print(table)
        write_json(json, records)


if __name__ == "__main__":
    app()
