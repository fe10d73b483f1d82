"""The parts of every environment: common settings, seeds of its replicas, and the interface of the game behind it.

Shape letters: `B` replicas, `N` agents, `D` features, `K` entries of a mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeGuard, get_args, get_type_hints

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_choice, check_count, suggest
from lora_marl.core.scenario import Scenario
from lora_marl.envs.features import Feature
from lora_marl.render import Frame

RENDER_MODES = ("human", "ansi", "rgb_array")

Redraw = Callable[[np.random.Generator], NDArray[np.float64]]
"""A function that draws the positions of all nodes. `[N, 2]` m"""

Seeds = int | Sequence[int] | NDArray[np.integer]
"""One seed for all replicas, or one for each `[B]`."""

_ELSEWHERE = {
    "n_envs": "replicas",
    "num_envs": "replicas",
    "max_steps": "max_cycles",
    "max_episode_steps": "max_cycles",
    "episode_length": "max_cycles",
    "n_agents": "scenario",
    "num_agents": "scenario",
    "nodes": "scenario",
}
"""What other libraries call a setting, and its name here."""

_REPLICAS = 2
"""Spawn key of the other replicas' seeds. The views' own random numbers use 1 (`lora_marl.views.controllers`)."""


@dataclass(frozen=True, kw_only=True)
class EnvSettings:
    """The settings that all environments have.

    Attributes:
        replicas: `B`; the dicts need one.
        max_cycles: Steps of an episode.
        obs_format: `box`, or `dict` with the keys `observation` and `action_mask` (`action_mask_flat` where actions
            are multi-discrete, since PettingZoo's tests cannot sample from a flat mask of those).
        mask_in_info: Whether infos carry `action_mask`, for libraries that look there; meant for discrete actions.
        info_level: `full`, or `none` for empty infos.
        remove_dead: Whether agents that leave the network are terminated and dropped from `agents` (for the rest of the
            episode), and agents that have not joined are not in it yet. By default all stay, with a no-op.
        render_mode: `human`, `ansi`, `rgb_array` or None.
        episode_log: CSV file that gets a row for each finished episode (`lora_marl.envs.episode_log`); None: none.

    Raises:
        ValueError: a value outside its range, naming it.
    """

    replicas: int = 1
    max_cycles: int = 500
    obs_format: Literal["box", "dict"] = "box"
    mask_in_info: bool = False
    info_level: Literal["full", "none"] = "full"
    remove_dead: bool = False
    render_mode: str | None = None
    episode_log: str | Path | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The settings with these values by name.

        Raises:
            ValueError: an unknown name, with the most similar known one, or a value outside its range.
        """
        settings = [field.name for field in fields(cls)]
        for name in values:
            if name not in settings:
                hint = f"; here it is {_ELSEWHERE[name]!r}" if name in _ELSEWHERE else suggest(name, settings)
                raise ValueError(f"{name}: is no setting of this environment{hint}")
        return cls(**values)

    def __post_init__(self) -> None:
        for name in ("replicas", "max_cycles"):
            check_count(name, getattr(self, name))
        for name in ("obs_format", "info_level"):
            check_choice(name, getattr(self, name), get_args(get_type_hints(EnvSettings)[name]))
        if self.render_mode is not None:
            check_choice("render_mode", self.render_mode, RENDER_MODES)
        if not isinstance(self.episode_log, str | Path | None):
            raise ValueError(f"episode_log: {self.episode_log!r} is no path of a CSV file, or None")


def check_scenario_type(scenario: object) -> None:
    """Raise ValueError unless it is a scenario; configurations are often given in its place."""
    if not isinstance(scenario, Scenario):
        hint = "of a file: lora_marl.config.load(path).scenario.build()"
        raise ValueError(f"scenario: {scenario!r} is not a lora_marl.core.scenario.Scenario ({hint}), or None")


def check_redraw(redraw: Redraw | None, scenario: Scenario | None) -> None:
    """Raise ValueError where new positions would have no effect, since a scenario's path loss was measured."""
    if redraw is not None and scenario is not None and scenario.path_loss_db is not None:
        raise ValueError("redraw: draws positions, but the scenario has a measured path loss that replaces them")


def seeds_of(seeds: Seeds, replicas: int) -> list[int]:
    """The seed of each replica.

    A list is taken as it is. One number is the seed of the first replica, and those of the others are random numbers
    that follow from it (`numpy.random.SeedSequence`). They are not its successors, as in the vectors of Gymnasium and
    Stable-Baselines3: with successors, runs of neighbouring seeds would share all replicas but one.

    Args:
        seeds: At least 0.
        replicas: `B`; the first seeds are the same for any number.

    Returns:
        Seeds from 0 to 2^63 - 1, unless larger ones were given. `[B]`

    Raises:
        ValueError: something else, or another number of seeds than replicas.
    """
    values = seeds.tolist() if isinstance(seeds, (np.ndarray, np.generic)) else seeds
    if _is_seed(values):
        state = np.random.SeedSequence(values, spawn_key=(_REPLICAS,)).generate_state(replicas - 1, np.uint64)
        return [values, *(state >> np.uint64(1)).tolist()]  # 63 bits fit into int64, too
    listed = list(values) if isinstance(values, Sequence) and not isinstance(values, (str, bytes)) else []
    if len(listed) != replicas or not all(map(_is_seed, listed)):
        alternative = "" if replicas == 1 else f", or {replicas} of them, one per replica"
        raise ValueError(f"seed: {seeds!r}; allowed is a whole number of at least 0{alternative}")
    return [int(seed) for seed in listed]


def _is_seed(value: object) -> TypeGuard[int]:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= 0)


class Game(Protocol):
    """The arrays behind an environment; every returned array is new."""

    agents: tuple[str, ...]
    table: tuple[Feature, ...]
    feature_names: tuple[str, ...]

    def begin(self, rngs: Sequence[np.random.Generator]) -> None:
        """Start an episode; replica b depends on `rngs[b]` alone."""

    def advance(self, actions: ArrayLike) -> None:
        """Run a step.

        Raises:
            ValueError: actions outside the space; the game is then as it was.
        """

    def observations(self) -> NDArray[np.float32]:
        """Observation of each agent now. `[B, N, D]`"""

    def rewards(self) -> NDArray[np.float64]:
        """Reward of each agent in the last step. `[B, N]`"""

    def infos(self) -> dict[str, NDArray]:
        """Integers and floats of the last step by name; after `begin`, of the starting state. `[B, N]` each"""

    def masks(self) -> NDArray[np.bool_]:
        """Mask of the actions that each agent may take. `[B, N, K]`"""

    def active(self) -> NDArray[np.bool_]:
        """Mask of the agents that are part of the network now. `[B, N]`"""

    def first_actions(self) -> NDArray[np.int64]:
        """The actions that are in force before the first step. `[B, N, ...]`"""

    def observation_box(self) -> Box:
        """The space of one agent's observation. `[D]`"""

    def action_space(self) -> Discrete | MultiDiscrete:
        """A new action space of one agent."""

    def frame(self) -> Frame:
        """A picture of the first replica."""
