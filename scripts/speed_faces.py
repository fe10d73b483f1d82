"""How fast each library's face of an environment is, beside the arrays behind it, with random actions.

- `python scripts/speed_faces.py`
- `python scripts/speed_faces.py coexistence_v0`

100 nodes, of coexisting networks in each of two, whose groups are the agents; 32 replicas where a face takes any. An
environment step is a step of all agents of one replica. Actions are drawn before, so that only steps are timed. What is
not installed is left out.

Shape letters: `B` replicas, `N` agents, `F` factors of an action.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from lora_marl.envs.codec import sizes_of
from scripts.cli import JsonPath, console, new_app, one_line_errors, write_json
from scripts.speed import best_rate
from scripts.speed_game import Game, game

app = new_app()

REPLICAS = 32


@dataclass(frozen=True)
class Face:
    """A way to meet the environment.

    Attributes:
        library: The package that it is for; None: none.
        replicas: Played together.
        begin: Makes it, for so many replicas, and gives a function that plays actions `[B, N, F]`, or `[B, N]` where
            they are single numbers.
    """

    library: str | None
    replicas: int
    begin: Callable[[Game, int], Callable[[Any], Any]]

    @property
    def installed(self) -> bool:
        """Whether it can be played here."""
        return self.library is None or find_spec(self.library) is not None


def steps_per_s(name: str, environment: str = "uplink_v0", *, steps: int = 100, repeats: int = 3) -> float:
    """Environment steps per CPU second of a face, the best of some repeats."""
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

    return best_rate(play, face.replicas * steps, repeats)


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


def _sb3(played: Game, replicas: int) -> Callable[[Any], Any]:
    from lora_marl.adapters.sb3 import ControllerVecEnv
    from lora_marl.views import Shared

    rows = ControllerVecEnv(Shared(played.env(replicas)))
    rows.reset()
    return lambda actions: rows.step(actions.reshape(rows.num_envs, *(rows.action_space.shape or ())))


def _supersuit(played: Game, replicas: int) -> Callable[[Any], Any]:
    import supersuit

    one = supersuit.pettingzoo_env_to_vec_env_v1(played.env())
    # One process, which is its fastest way here.
    rows = supersuit.concat_vec_envs_v1(one, replicas, num_cpus=0, base_class="stable_baselines3")
    rows.reset()
    return lambda actions: rows.step(actions.reshape(rows.num_envs, *(rows.action_space.shape or ())))


def _torchrl(played: Game, replicas: int) -> Callable[[Any], Any]:
    import torch

    from lora_marl.adapters.torchrl import ReplicaEnv

    env = ReplicaEnv(played.name, replicas, **played.settings)
    seen = env.reset()

    def step(actions: Any) -> None:
        nonlocal seen
        _, seen = env.step_and_maybe_reset(seen.set((env.group, "action"), torch.from_numpy(actions)))

    return step


def _rllib(played: Game, _: int) -> Callable[[Any], Any]:
    from lora_marl.adapters.rllib import AgentsEnv

    env = AgentsEnv(played.name, **played.settings)
    env.reset(seed=0)

    def step(actions: Any) -> None:
        if env.step(dict(zip(env.possible_agents, actions[0], strict=True)))[3]["__all__"]:
            env.reset()

    return step


FACES: Mapping[str, Face] = {
    "arrays": Face(None, REPLICAS, _arrays),
    "PettingZoo's dicts": Face("pettingzoo", 1, _dicts),
    "Gymnasium's vector, shared policy": Face("gymnasium", REPLICAS, _vector("shared")),
    "Gymnasium's vector, central": Face("gymnasium", REPLICAS, _vector("central")),
    "Gymnasium's environment, one agent": Face("gymnasium", 1, _single("agent")),
    "Gymnasium's environment, central": Face("gymnasium", 1, _single("central")),
    "Stable-Baselines3's rows": Face("stable_baselines3", REPLICAS, _sb3),
    "SuperSuit for Stable-Baselines3": Face("supersuit", REPLICAS, _supersuit),
    "TorchRL's batched environment": Face("torchrl", REPLICAS, _torchrl),
    "RLlib's multi-agent environment": Face("ray", 1, _rllib),
}


@app.command(help=__doc__)
def main(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="uplink_v0 or coexistence_v0.")] = "uplink_v0",
    json: JsonPath = None,
) -> None:
    """Measures and reports."""
    with one_line_errors():
        table, records = Table("face", "version", title=f"{environment}: environment steps per CPU second"), []
        for column in ("replicas", "steps/s", "of arrays"):
            table.add_column(column, justify="right")
        raw = steps_per_s("arrays", environment)
        for name, face in FACES.items():
            if face.installed:
                rate = raw if name == "arrays" else steps_per_s(name, environment)
                said = "" if face.library is None else f"{face.library} {version(face.library)}"
                table.add_row(name, said, str(face.replicas), f"{rate:,.0f}", f"{rate / raw:.2f}")
                measured = {"version": said, "replicas": face.replicas, "steps_per_s": rate}
                records.append({"environment": environment, "face": name, **measured})
        console.print(table)
        write_json(json, records)


if __name__ == "__main__":
    app()
