"""How fast each library's face of an environment is, beside the arrays behind it, with random actions.

- `python scripts/benchmark_libraries.py`
- `python scripts/benchmark_libraries.py coexistence_v0 --library supersuit`
- `make recipe-skrl`, then `.venv-skrl/bin/python scripts/benchmark_libraries.py --library skrl`

100 nodes, of coexisting networks in each of two, whose groups are the agents; 32 replicas where a face takes any. An
environment step is a step of all agents of one replica. Actions are drawn before, so that only steps are timed, in
turns with those of the arrays. What is not installed is left out.

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
from scripts.bench.libraries import LIBRARIES, REPLICAS, Face, Game, game
from scripts.runs.cli import JsonPath, UsageError, console, new_app, one_line_errors, write_json

app = new_app()


def rates(name: str, environment: str = "uplink_v0", *, steps: int = 100, repeats: int = 3) -> tuple[float, float]:
    """Environment steps per CPU second of a face and of arrays, played in turns; the best of some repeats."""
    plays = [_played(each, environment, steps) for each in (name, "arrays")]
    face, arrays = zip(*([best_rate(play, units, 1) for play, units in plays] for _ in range(repeats)), strict=True)
    return max(face), max(arrays)


def steps_per_s(name: str, environment: str = "uplink_v0", *, steps: int = 100, repeats: int = 3) -> float:
    """Environment steps per CPU second of a face, the best of some repeats."""
    return best_rate(*_played(name, environment, steps), repeats)


def _played(name: str, environment: str, steps: int) -> tuple[Callable[[], None], int]:
    """A function that plays an episode of a face, and its environment steps."""
    face, played = FACES[name], game(environment, steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = face.begin(played, face.replicas)
    rng, env = np.random.default_rng(0), played.env()
    space, sizes = env.single_action_space, sizes_of(env.single_action_space)
    shape = face.replicas, len(env.possible_agents), *space.shape
    drawn = [rng.integers(0, sizes if space.shape else sizes[0], shape) for _ in range(16)]

    def play() -> None:
        for number in range(steps):
            step(drawn[number % len(drawn)])

    return play, face.replicas * steps


def _arrays(played: Game, replicas: int) -> Callable[[Any], Any]:
    env = played.env(replicas)
    env.reset_array(range(replicas))

    def step(actions: Any) -> None:
        if env.step_array(actions)[3].all():
            env.reset_array()

    return step


def _dicts(played: Game, _: int) -> Callable[[Any], Any]:
    env = played.env()
    env.reset(seed=0)

    def step(actions: Any) -> None:
        env.step(dict(zip(env.possible_agents, actions[0], strict=True)))
        if not env.agents:
            env.reset()

    return step


def _vector(kind: str) -> Callable[[Game, int], Callable[[Any], Any]]:
    def begin(played: Game, replicas: int) -> Callable[[Any], Any]:
        from lora_marl import views

        controller = {"shared": views.Shared, "central": views.Central}[kind](played.env(replicas))
        envs = views.ControllerVectorEnv(controller, "SameStep")
        envs.reset(seed=0)
        shape = (controller.rows, *(controller.action_space.shape or ()))
        return lambda actions: envs.step(actions.reshape(shape))

    return begin


def _single(kind: str) -> Callable[[Game, int], Callable[[Any], Any]]:
    def begin(played: Game, _: int) -> Callable[[Any], Any]:
        from lora_marl import views

        env = views.ControllerEnv({"agent": views.OneAgent, "central": views.Central}[kind](played.env()))
        env.reset(seed=0)
        shape = env.action_space.shape or ()
        size = int(np.prod(shape))

        def step(actions: Any) -> None:
            if env.step(actions[0].ravel()[:size].reshape(shape))[3]:
                env.reset()

        return step

    return begin


FACES: Mapping[str, Face] = {
    "arrays": Face(None, REPLICAS, _arrays),
    "PettingZoo's dicts": Face("pettingzoo", 1, _dicts),
    "Gymnasium's vector, shared policy": Face("gymnasium", REPLICAS, _vector("shared")),
    "Gymnasium's vector, central": Face("gymnasium", REPLICAS, _vector("central")),
    "Gymnasium's environment, one agent": Face("gymnasium", 1, _single("agent")),
    "Gymnasium's environment, central": Face("gymnasium", 1, _single("central")),
    **LIBRARIES,
}


@app.command(help=__doc__)
def main(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="uplink_v0 or coexistence_v0.")] = "uplink_v0",
    library: Annotated[str | None, typer.Option(metavar="PACKAGE", help="Its faces alone.")] = None,
    json: JsonPath = None,
) -> None:
    """Measures and reports."""
    with one_line_errors():
        wanted = {name: face for name, face in FACES.items() if face.installed and library in (None, face.library)}
        if not wanted:
            known = ", ".join(sorted({face.library for face in FACES.values() if face.library and face.installed}))
            raise UsageError(f"--library: {library!r} is not one that is here: {known}")
        table, records = Table("face", "version", title=f"{environment}: environment steps per CPU second"), []
        for column in ("replicas", "steps/s", "arrays", "of arrays"):
            table.add_column(column, justify="right")
        for name, face in wanted.items():
            rate, raw = rates(name, environment)
            said = "" if face.library is None else f"{face.library} {version(face.library)}"
            table.add_row(name, said, str(face.replicas), f"{rate:,.0f}", f"{raw:,.0f}", f"{rate / raw:.3f}")
            measured = {"version": said, "replicas": face.replicas, "steps_per_s": rate, "arrays_steps_per_s": raw}
            records.append({"environment": environment, "face": name, **measured})
        console.print(table)
        write_json(json, records)


if __name__ == "__main__":
    app()
