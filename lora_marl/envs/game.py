"""What an environment is made of: settings of its face, and the protocol of the game behind it.

Shape letters: `B` replicas, `N` agents, `D` features, `K` entries of a mask.

Seeds of replicas: those of a list as they are, or all from one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol, Self, TypeGuard, get_args, get_type_hints

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_count as check_count  # views know environments alone
from lora_marl.core.checks import suggest
from lora_marl.envs.features import Feature
from lora_marl.render import Frame

Seeds = int | Sequence[int] | NDArray[np.integer]
"""One seed for all replicas, or one for each `[B]`."""

_REPLICAS = 2
"""Spawn key of what follows from a seed, apart from its own random numbers and those of views (1)."""


def seeds_of(seeds: Seeds, replicas: int) -> list[int]:
    """The seed of each replica.

    A list is taken as it is. One number is the seed of the first replica, and those of the others are random numbers
    that follow from it (`numpy.random.SeedSequence`). They are not its successors, as in the vectors of Gymnasium and
    Stable-Baselines3, by which runs of neighbouring seeds have all replicas but one in common and repeat each other.

    Args:
        seeds: Of at least 0.
        replicas: `B`; the first ones are the same however many there are.

    Raises:
        ValueError: something else, or another number of them.
    """
    given = seeds.tolist() if isinstance(seeds, (np.ndarray, np.generic)) else seeds
    if _is_seed(given):
        state = np.random.SeedSequence(given, spawn_key=(_REPLICAS,)).generate_state(replicas - 1, np.uint64)
        return [given, *(state >> np.uint64(1)).tolist()]  # such as fit into int64, too
    listed = list(given) if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) else []
    if len(listed) != replicas or not all(map(_is_seed, listed)):
        each = "" if replicas == 1 else f", or {replicas} of them, one per replica"
        raise ValueError(f"seed: {seeds!r}; allowed is a whole number of at least 0{each}")
    return [int(each) for each in listed]


def _is_seed(value: object) -> TypeGuard[int]:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= 0)


RENDER_MODES = ("human", "ansi", "rgb_array")

Redraw = Callable[[np.random.Generator], NDArray[np.float64]]
"""Draws the positions of all nodes. `[N, 2]` m"""


@dataclass(frozen=True, kw_only=True)
class EnvSettings:
    """How an environment shows itself.

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

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Settings by name; ValueError for an unknown one, with the most similar known one."""
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise ValueError(f"{name}: is no setting of this environment{suggest(name, known)}")
        return cls(**given)

    def __post_init__(self) -> None:
        for name in ("replicas", "max_cycles"):
            check_count(name, getattr(self, name))
        for name in ("obs_format", "info_level"):
            allowed = get_args(get_type_hints(EnvSettings)[name])
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not one of {', '.join(allowed)}")
        if self.render_mode not in (None, *RENDER_MODES):
            raise ValueError(f"render_mode: {self.render_mode!r} is not one of {', '.join(RENDER_MODES)}")


class Game(Protocol):
    """What a door needs to know of a game; every array is new at each call."""

    agents: tuple[str, ...]
    table: tuple[Feature, ...]
    feature_names: tuple[str, ...]

    def begin(self, rngs: Sequence[np.random.Generator]) -> None:
        """Start an episode; replica b depends on `rngs[b]` alone."""

    def advance(self, actions: ArrayLike) -> None:
        """Play a step. ValueError: actions outside the space, the game is as it was."""

    def observations(self) -> NDArray[np.float32]:
        """`[B, N, D]`"""

    def rewards(self) -> NDArray[np.float64]:
        """Of the last step. `[B, N]`"""

    def infos(self) -> dict[str, NDArray]:
        """Of the last step; after `begin` of what it played, or zeros. Whole or real numbers. `[B, N]` each"""

    def masks(self) -> NDArray[np.bool_]:
        """`[B, N, K]`"""

    def active(self) -> NDArray[np.bool_]:
        """Which agents are part of the network now. `[B, N]`"""

    def first_actions(self) -> NDArray[np.int64]:
        """The actions that are in force before the first step. `[B, N, ...]`"""

    def observation_box(self) -> Box:
        """One agent's observation. `[D]`"""

    def action_space(self) -> Discrete | MultiDiscrete:
        """A new action space of one agent."""

    def frame(self) -> Frame:
        """What there is to see of the first replica."""
