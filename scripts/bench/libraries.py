"""Other libraries' faces of an environment, made to be stepped with given actions: for `speed_faces`.

Each runs in an environment of its own (`make recipe-<library>`), and some together. Faces of one replica are wrappers
that play agent by agent.

Shape letters: `B` replicas, `N` agents, `F` factors of an action.

An environment that `speed_faces` times: what all of its faces are made with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

import lora_marl
from lora_marl.core.coexistence import Deployment
from lora_marl.core.presets.ccs import ccs_study
from lora_marl.envs.codec import sizes_of
from scripts.bench.cases import uplink
from scripts.runs.cli import UsageError

NODES = 100


@dataclass(frozen=True)
class Game:
    """An environment, and what all of its faces are made with.

    Attributes:
        name: In `lora_marl.ENVS`.
        settings: Its own.
    """

    name: str
    settings: Mapping[str, Any]

    def env(self, replicas: int = 1, **more: Any) -> Any:
        """Its arrays; `more` are further settings."""
        return lora_marl.make(self.name, replicas=replicas, **self.settings, **more)


def game(name: str, steps: int) -> Game:
    """An environment whose episodes have so many steps. UsageError: one that is not measured."""
    shared = {"max_cycles": steps, "info_level": "none"}
    if name == "uplink_v0":
        made = uplink(NODES, steps).settings
        return Game(name, {"scenario": made.scenario, "window_s": made.window_s, **shared})
    if name == "coexistence_v0":
        return Game(name, {"coexistence": ccs_study([Deployment(nodes=NODES)] * 2), "decider": "group", **shared})
    raise UsageError(f"ENV: {name!r} is not one of uplink_v0, coexistence_v0")


REPLICAS = 32


@dataclass(frozen=True)
class Face:
    """A way to meet the environment.

    Attributes:
        library: The package that it is for; None: none.
        replicas: Played together.
        begin: Makes it, for so many replicas, and gives a function that plays actions `[B, N, F]`, or `[B, N]` where
            they are single numbers.
        also: Another package that it needs, which the library can be without.
    """

    library: str | None
    replicas: int
    begin: Callable[[Game, int], Callable[[Any], Any]]
    also: str | None = None

    @property
    def installed(self) -> bool:
        """Whether it can be played here."""
        return all(package is None or find_spec(package) for package in (self.library, self.also))


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


def _benchmarl(played: Game, replicas: int) -> Callable[[Any], Any]:
    import torch

    from lora_marl.adapters.benchmarl import ReplicaTask

    env = ReplicaTask(played.name, dict(played.settings)).get_env_fun(replicas, False, 0, "cpu")()
    numbers, seen = _numbers(played), env.reset()

    def step(actions: Any) -> None:
        nonlocal seen
        _, seen = env.step_and_maybe_reset(seen.set((env.group, "action"), torch.from_numpy(numbers(actions))))

    return step


def _rllib(played: Game, _: int) -> Callable[[Any], Any]:
    from lora_marl.adapters.rllib import AgentsEnv

    env = AgentsEnv(played.name, **played.settings)
    env.reset(seed=0)

    def step(actions: Any) -> None:
        if env.step(dict(zip(env.possible_agents, actions[0], strict=True)))[3]["__all__"]:
            env.reset()

    return step


def _skrl(played: Game, _: int) -> Callable[[Any], Any]:
    import torch
    from skrl.envs.wrappers.torch import wrap_env

    env = wrap_env(played.env(), wrapper="pettingzoo")
    env.reset()

    def step(actions: Any) -> None:
        rows = torch.from_numpy(actions.reshape(len(env.possible_agents), 1, -1))
        env.step(dict(zip(env.possible_agents, rows, strict=True)))
        if not env.agents:
            env.reset()

    return step


def _tianshou(played: Game, _: int) -> Callable[[Any], Any]:
    from pettingzoo.utils import parallel_to_aec
    from tianshou.env import PettingZooEnv

    env = PettingZooEnv(parallel_to_aec(played.env(action_format="discrete")))
    numbers = _numbers(played)
    env.reset()

    def step(actions: Any) -> None:
        for action in numbers(actions[0]).tolist():
            *_, truncated, _ = env.step(action)
        if truncated:
            env.reset()

    return step


def _agilerl(played: Game, _: int) -> Callable[[Any], Any]:
    from agilerl.vector import PzDummyVecEnv

    env = PzDummyVecEnv(played.env())  # begins the next episode itself
    env.reset(seed=0)
    return lambda actions: env.step(dict(zip(env.possible_agents, actions[0][:, None], strict=True)))


def _numbers(played: Game) -> Callable[[Any], Any]:
    """Gives actions as single numbers, `[..., F]` to `[...]`, where they are none."""
    space = played.env().single_action_space
    if not space.shape:
        return lambda actions: actions
    return lambda actions: np.ravel_multi_index(tuple(np.moveaxis(actions, -1, 0)), sizes_of(space))


LIBRARIES: Mapping[str, Face] = {
    "Stable-Baselines3's rows": Face("stable_baselines3", REPLICAS, _sb3),
    "SuperSuit for Stable-Baselines3": Face("supersuit", REPLICAS, _supersuit, also="stable_baselines3"),
    "TorchRL's batched environment": Face("torchrl", REPLICAS, _torchrl),
    "BenchMARL's task": Face("benchmarl", REPLICAS, _benchmarl),
    "RLlib's multi-agent environment": Face("ray", 1, _rllib, also="tree"),
    "skrl's wrapper": Face("skrl", 1, _skrl),
    "Tianshou's wrapper, by turns": Face("tianshou", 1, _tianshou),
    "AgileRL's vector of one": Face("agilerl", 1, _agilerl),
}
