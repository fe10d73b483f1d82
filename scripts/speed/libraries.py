"""Wrappers of an environment, ready to be stepped with given actions, and how fast they step.

`scripts/benchmark_libraries.py` times them. Most libraries are installed in a virtual environment of their own
(`make recipe-<library>`). Wrappers of one replica step agent by agent.

Shape letters: `B` replicas, `N` agents, `F` factors of an action.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

import lora_marl
from lora_marl.core.coexistence import Deployment
from lora_marl.core.presets.ccs import ccs_study
from lora_marl.envs.codec import sizes_of
from scripts.runs.cli import UsageError
from scripts.speed.cases import best_rate, uplink

NODES, REPLICAS = 100, 32


@dataclass(frozen=True)
class TimedEnv:
    """An environment and its settings, from which every wrapper is made.

    Attributes:
        name: Its name in `lora_marl.ENVS`.
        settings: The environment's settings.
    """

    name: str
    settings: Mapping[str, Any]

    def make(self, replicas: int = 1, **more: Any) -> Any:
        """The environment itself; `more` are further settings."""
        return lora_marl.make(self.name, replicas=replicas, **self.settings, **more)


def timed_env(name: str, steps: int) -> TimedEnv:
    """An environment with episodes of so many steps.

    Raises:
        UsageError: an environment that is not measured.
    """
    shared = {"max_cycles": steps, "info_level": "none"}
    if name == "uplink_v0":
        settings = uplink(NODES, steps).settings
        return TimedEnv(name, {"scenario": settings.scenario, "window_s": settings.window_s, **shared})
    if name == "coexistence_v0":
        return TimedEnv(name, {"coexistence": ccs_study([Deployment(nodes=NODES)] * 2), "decider": "group", **shared})
    raise UsageError(f"ENV: {name!r} is not one of uplink_v0, coexistence_v0")


Step = Callable[[Any], Any]
"""Steps a wrapped environment with actions `[B, N, F]`, or `[B, N]` where they are single numbers."""


@dataclass(frozen=True)
class Wrapper:
    """One library's wrapper of an environment.

    Attributes:
        library: The package that it needs; None: none.
        replicas: How many replicas it steps together.
        begin: Wraps so many replicas and returns the function that steps them.
        also: A second package that it needs.
    """

    library: str | None
    replicas: int
    begin: Callable[[TimedEnv, int], Step]
    also: str | None = None

    @property
    def installed(self) -> bool:
        """Whether the packages that it needs are installed."""
        return all(package is None or find_spec(package) for package in (self.library, self.also))


def _sb3(timed: TimedEnv, replicas: int) -> Step:
    from lora_marl.adapters.sb3 import ControllerVecEnv
    from lora_marl.views import Shared

    rows = ControllerVecEnv(Shared(timed.make(replicas)))
    rows.reset()
    return lambda actions: rows.step(actions.reshape(rows.num_envs, *(rows.action_space.shape or ())))


def _supersuit(timed: TimedEnv, replicas: int) -> Step:
    import supersuit

    one = supersuit.pettingzoo_env_to_vec_env_v1(timed.make())
    # One process, which is its fastest way here.
    rows = supersuit.concat_vec_envs_v1(one, replicas, num_cpus=0, base_class="stable_baselines3")
    rows.reset()
    return lambda actions: rows.step(actions.reshape(rows.num_envs, *(rows.action_space.shape or ())))


def _torchrl(timed: TimedEnv, replicas: int) -> Step:
    import torch

    from lora_marl.adapters.torchrl import ReplicaEnv

    env = ReplicaEnv(timed.name, replicas, **timed.settings)
    data = env.reset()

    def step(actions: Any) -> None:
        nonlocal data
        _, data = env.step_and_maybe_reset(data.set((env.group, "action"), torch.from_numpy(actions)))

    return step


def _benchmarl(timed: TimedEnv, replicas: int) -> Step:
    import torch

    from lora_marl.adapters.benchmarl import ReplicaTask

    env = ReplicaTask(timed.name, dict(timed.settings)).get_env_fun(replicas, False, 0, "cpu")()
    flat, data = _flat_indices(timed), env.reset()

    def step(actions: Any) -> None:
        nonlocal data
        _, data = env.step_and_maybe_reset(data.set((env.group, "action"), torch.from_numpy(flat(actions))))

    return step


def _rllib(timed: TimedEnv, _: int) -> Step:
    from lora_marl.adapters.rllib import AgentsEnv

    env = AgentsEnv(timed.name, **timed.settings)
    env.reset(seed=0)

    def step(actions: Any) -> None:
        if env.step(dict(zip(env.possible_agents, actions[0], strict=True)))[3]["__all__"]:
            env.reset()

    return step


def _skrl(timed: TimedEnv, _: int) -> Step:
    import torch
    from skrl.envs.wrappers.torch import wrap_env

    env = wrap_env(timed.make(), wrapper="pettingzoo")
    env.reset()

    def step(actions: Any) -> None:
        rows = torch.from_numpy(actions.reshape(len(env.possible_agents), 1, -1))
        env.step(dict(zip(env.possible_agents, rows, strict=True)))
        if not env.agents:
            env.reset()

    return step


def _tianshou(timed: TimedEnv, _: int) -> Step:
    from pettingzoo.utils import parallel_to_aec
    from tianshou.env import PettingZooEnv

    env = PettingZooEnv(parallel_to_aec(timed.make(action_format="discrete")))
    flat = _flat_indices(timed)
    env.reset()

    def step(actions: Any) -> None:
        for action in flat(actions[0]).tolist():
            *_, truncated, _ = env.step(action)
        if truncated:
            env.reset()

    return step


def _agilerl(timed: TimedEnv, _: int) -> Step:
    from agilerl.vector import PzDummyVecEnv

    env = PzDummyVecEnv(timed.make())  # begins the next episode itself
    env.reset(seed=0)
    return lambda actions: env.step(dict(zip(env.possible_agents, actions[0][:, None], strict=True)))


def _flat_indices(timed: TimedEnv) -> Step:
    """A function from actions `[..., F]` to flat indices `[...]`; it leaves alone what is flat already."""
    space = timed.make().single_action_space
    if not space.shape:
        return lambda actions: actions
    return lambda actions: np.ravel_multi_index(tuple(np.moveaxis(actions, -1, 0)), sizes_of(space))


LIBRARIES: Mapping[str, Wrapper] = {
    "Stable-Baselines3's rows": Wrapper("stable_baselines3", REPLICAS, _sb3),
    "SuperSuit for Stable-Baselines3": Wrapper("supersuit", REPLICAS, _supersuit, also="stable_baselines3"),
    "TorchRL's batched environment": Wrapper("torchrl", REPLICAS, _torchrl),
    "BenchMARL's task": Wrapper("benchmarl", REPLICAS, _benchmarl),
    "RLlib's multi-agent environment": Wrapper("ray", 1, _rllib, also="tree"),
    "skrl's wrapper": Wrapper("skrl", 1, _skrl),
    "Tianshou's wrapper, by turns": Wrapper("tianshou", 1, _tianshou),
    "AgileRL's vector of one": Wrapper("agilerl", 1, _agilerl),
}


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
"""All wrappers that are timed, by name."""


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
