"""How fast each library's face of the uplink environment is, beside the arrays behind it, with random actions.

- `python scripts/speed_faces.py`

100 nodes, 32 replicas where a face takes any; an environment step is a step of all nodes of one replica. Actions are
drawn before, so that only steps are timed. What is not installed is left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from rich.table import Table

from scripts.cli import JsonPath, console, new_app, one_line_errors, write_json
from scripts.speed import best_rate, uplink

app = new_app()

NODES, REPLICAS = 100, 32


@dataclass(frozen=True)
class Face:
    """A way to meet the environment.

    Attributes:
        library: The package that it is for; None: none.
        replicas: Played together.
        begin: Makes it, for episodes of so many steps, and gives a function that plays an action `[B, N, F]`.
    """

    library: str | None
    replicas: int
    begin: Callable[[int, int], Callable[[Any], Any]]

    @property
    def installed(self) -> bool:
        """Whether it can be played here."""
        return self.library is None or find_spec(self.library) is not None


def steps_per_s(name: str, *, steps: int = 100, repeats: int = 3) -> float:
    """Environment steps per CPU second of a face, the best of some repeats."""
    face = FACES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = face.begin(face.replicas, steps)
    rng = np.random.default_rng(0)
    sizes = uplink(NODES, 1).single_action_space.nvec
    drawn = [rng.integers(0, sizes, (face.replicas, NODES, len(sizes))) for _ in range(16)]

    def play() -> None:
        for number in range(steps):
            step(drawn[number % len(drawn)])

    return best_rate(play, face.replicas * steps, repeats)


def _arrays(replicas: int, steps: int) -> Callable[[Any], Any]:
    env = uplink(NODES, steps, replicas, info_level="none")
    env.reset_array(range(replicas))

    def step(actions: Any) -> None:
        if env.step_array(actions)[3].all():
            env.reset_array()

    return step


def _dicts(_: int, steps: int) -> Callable[[Any], Any]:
    env = uplink(NODES, steps, info_level="none")
    env.reset(seed=0)

    def step(actions: Any) -> None:
        env.step(dict(zip(env.possible_agents, actions[0], strict=True)))
        if not env.agents:
            env.reset()

    return step


def _vector(kind: str) -> Callable[[int, int], Callable[[Any], Any]]:
    def begin(replicas: int, steps: int) -> Callable[[Any], Any]:
        from lora_marl import views

        controller = {"shared": views.Shared, "central": views.Central}[kind](
            uplink(NODES, steps, replicas, info_level="none")
        )
        envs = views.ControllerVectorEnv(controller, "SameStep")
        envs.reset(seed=0)
        shape = (controller.rows, *(controller.action_space.shape or ()))
        return lambda actions: envs.step(actions.reshape(shape))

    return begin


def _single(kind: str) -> Callable[[int, int], Callable[[Any], Any]]:
    def begin(_: int, steps: int) -> Callable[[Any], Any]:
        from lora_marl import views

        game = uplink(NODES, steps, info_level="none")
        env = views.ControllerEnv({"agent": views.OneAgent, "central": views.Central}[kind](game))
        env.reset(seed=0)
        size = int(np.prod(env.action_space.shape or ()))

        def step(actions: Any) -> None:
            if env.step(actions[0].ravel()[:size])[3]:
                env.reset()

        return step

    return begin


def _sb3(replicas: int, steps: int) -> Callable[[Any], Any]:
    from lora_marl.adapters.sb3 import ControllerVecEnv
    from lora_marl.views import Shared

    rows = ControllerVecEnv(Shared(uplink(NODES, steps, replicas, info_level="none")))
    rows.reset()
    return lambda actions: rows.step(actions.reshape(rows.num_envs, -1))


def _supersuit(replicas: int, steps: int) -> Callable[[Any], Any]:
    import supersuit

    one = supersuit.pettingzoo_env_to_vec_env_v1(uplink(NODES, steps, info_level="none"))
    # One process, which is its fastest way here.
    rows = supersuit.concat_vec_envs_v1(one, replicas, num_cpus=0, base_class="stable_baselines3")
    rows.reset()
    return lambda actions: rows.step(actions.reshape(rows.num_envs, -1))


def _torchrl(replicas: int, steps: int) -> Callable[[Any], Any]:
    import torch

    from lora_marl.adapters.torchrl import ReplicaEnv

    settings = uplink(NODES, steps).settings
    env = ReplicaEnv(
        "uplink_v0", replicas, scenario=settings.scenario, window_s=settings.window_s, max_cycles=settings.max_cycles
    )
    seen = env.reset()

    def step(actions: Any) -> None:
        nonlocal seen
        _, seen = env.step_and_maybe_reset(seen.set(("node", "action"), torch.from_numpy(actions)))

    return step


def _rllib(_: int, steps: int) -> Callable[[Any], Any]:
    from lora_marl.adapters.rllib import AgentsEnv

    settings = uplink(NODES, steps).settings
    env = AgentsEnv(
        "uplink_v0", scenario=settings.scenario, window_s=settings.window_s, max_cycles=steps, info_level="none"
    )
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
def main(json: JsonPath = None) -> None:
    """Measures and reports."""
    with one_line_errors():
        table, records = Table("face", "version", title="environment steps per CPU second, 100 nodes"), []
        for column in ("replicas", "steps/s", "of arrays"):
            table.add_column(column, justify="right")
        raw = steps_per_s("arrays")
        for name, face in FACES.items():
            if face.installed:
                rate = raw if name == "arrays" else steps_per_s(name)
                said = "" if face.library is None else f"{face.library} {version(face.library)}"
                table.add_row(name, said, str(face.replicas), f"{rate:,.0f}", f"{rate / raw:.2f}")
                records.append({"face": name, "version": said, "replicas": face.replicas, "steps_per_s": rate})
        console.print(table)
        write_json(json, records)


if __name__ == "__main__":
    app()
