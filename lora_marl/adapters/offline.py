"""Recorded episodes for offline training: arrays in one npz file (`lora_marl.adapters.minari` makes data sets of them).

    import lora_marl
    from lora_marl.adapters import offline

    env = lora_marl.make("uplink_v0", replicas=8, max_cycles=100)
    recording = offline.record(env, "uplink_v0", seeds=range(8))  # random actions; or choose=...
    recording.write("recording.npz")
    observations, actions, rewards, following, ended = offline.Recording.read("recording.npz").transitions()

Shape letters: `E` episodes, `T` steps, `N` agents, `F` factors of an action, `D` features, `K` entries of a mask,
`M = E T N` transitions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.adapters.policy import Policy, Spaces, spaces_of
from lora_marl.core.array_files import read_npz
from lora_marl.envs.base import ArrayParallelEnv
from lora_marl.envs.codec import pick_allowed, sizes_of
from lora_marl.envs.game import seeds_of

FORMAT = "lora_marl-recording-1"

Choose = Callable[[NDArray[np.float32], NDArray[np.bool_]], ArrayLike]
"""A policy of all agents: actions `[E, N, F]` (flat: `[E, N]`) from observations `[E, N, D]` and masks `[E, N, K]`."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Whole episodes of the same length, all of which ended by truncation.

    Attributes:
        spaces: An agent's spaces and the environment's settings; `algorithm` says who chose the actions.
        seeds: Seed of each episode. `[E]`
        observations: All observations, the last ones included. `[E, T + 1, N, D]`
        masks: Allowed actions. `[E, T + 1, N, K]`
        actions: Indices `[E, T, N, F]`, or flat indices `[E, T, N]`.
        rewards: Reward of each agent and step. `[E, T, N]`

    Raises:
        ValueError: shapes that do not fit together, naming an array.
    """

    spaces: Spaces
    seeds: NDArray[np.int64]
    observations: NDArray[np.float32]
    masks: NDArray[np.bool_]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float64]

    def __post_init__(self) -> None:
        episodes, steps, agents = self.rewards.shape
        with_last = (episodes, steps + 1, agents)
        shapes = {"seeds": (episodes,), "observations": with_last, "masks": with_last, "actions": self.rewards.shape}
        for name, expected in shapes.items():
            shape = getattr(self, name).shape
            if shape[: len(expected)] != expected:
                raise ValueError(f"{name}: {shape}; rewards {self.rewards.shape} need {expected} and more")

    def transitions(self) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
        """The transitions of all agents, to train one policy for all.

        Returns:
            Observations `[M, D]`, actions `[M, F]` or `[M]`, rewards `[M]`, next observations `[M, D]`, and whether the
            episode was truncated by this step `[M]`. After a truncation the next observation still has a value.
        """
        ended = np.zeros(self.rewards.shape, np.bool_)
        ended[:, -1] = True
        parts = self.observations[:, :-1], self.actions, self.rewards, self.observations[:, 1:], ended
        return tuple(part.reshape(self.rewards.size, *part.shape[3:]) for part in parts)  # type: ignore[return-value]

    def write(self, path: str | Path) -> None:
        """Write one npz file."""
        header = json.dumps({"format": FORMAT, **asdict(self.spaces)})
        with Path(path).open("wb") as file:
            np.savez_compressed(file, about=np.array(header), **self._arrays())  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: str | Path) -> Recording:
        """The recording in a file.

        Raises:
            ValueError: the file is missing, damaged, or of another format, naming it.
        """
        try:
            arrays = read_npz(path)
            header = json.loads(str(arrays.pop("about")))
            if (version := header.pop("format", None)) != FORMAT:
                raise ValueError(f"format {version!r} is not {FORMAT}")
            return cls(spaces=Spaces.of(header), **arrays)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path}: holds no recording that can be read ({error})") from None

    def _arrays(self) -> Mapping[str, NDArray]:
        names = ("seeds", "observations", "masks", "actions", "rewards")
        return {name: getattr(self, name) for name in names}


def record(
    env: ArrayParallelEnv,
    name: str,
    seeds: Sequence[int],
    choose: Choose | None = None,
    *,
    played_by: str = "random",
) -> Recording:
    """Record an episode in every replica.

    Args:
        env: The environment.
        name: Its name in `lora_marl.ENVS`.
        seeds: One per replica. `[E]`
        choose: Chooses the actions; None: random allowed actions, drawn by the first seed.
        played_by: Name of what chose them, kept as `spaces.algorithm`.

    Raises:
        ValueError: an environment that removes agents (`remove_dead`), or no list of seeds.
    """
    if env.settings.remove_dead:
        raise ValueError("remove_dead: True; recordings keep all agents")
    seeds = _checked_seeds(seeds, env.settings.replicas)
    if choose is None:
        choose = random_choice(env, np.random.default_rng(seeds[0]))
    observations, masks = [env.reset_array(seeds)], [env.mask_array()]
    actions: list[NDArray[np.int64]] = []
    rewards: list[NDArray[np.float64]] = []
    for _ in range(env.max_cycles):
        chosen = np.asarray(choose(observations[-1].copy(), masks[-1].copy()))
        following, reward, *_ = env.step_array(chosen)
        observations.append(following)
        masks.append(env.mask_array())
        actions.append(chosen.astype(np.int64))
        rewards.append(reward)
    spaces = spaces_of(env, name, algorithm=played_by, activation="", greedy=False, masked=False)
    parts: dict[str, Any] = {"observations": observations, "masks": masks, "actions": actions, "rewards": rewards}
    stacked = {key: np.stack(part, axis=1) for key, part in parts.items()}
    return Recording(spaces=spaces, seeds=np.asarray(seeds, np.int64), **stacked)


def random_choice(env: ArrayParallelEnv, rng: np.random.Generator) -> Choose:
    """A function that chooses random allowed actions for all agents of an environment."""
    space, sizes = env.single_action_space, sizes_of(env.single_action_space)

    def choose(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        agents = observations.shape[:2]
        return pick_allowed(rng.random((*agents, len(sizes))), masks, sizes).reshape(*agents, *(space.shape or ()))

    return choose


def policy_choice(policy: Policy, env: ArrayParallelEnv, rng: np.random.Generator) -> Choose:
    """A function that chooses by one exported policy for all agents of an environment."""
    space, sizes = env.single_action_space, policy.spaces.sizes

    def choose(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        agents, rows = observations.shape[:2], observations.reshape(-1, observations.shape[-1])
        allowed = masks.reshape(len(rows), -1) if policy.spaces.masked else None
        actions = policy.choose(rows, rng.random((len(rows), len(sizes))), allowed)
        return actions.reshape(*agents, *(space.shape or ()))

    return choose


def _checked_seeds(seeds: Sequence[int], replicas: int) -> list[int]:
    """One seed per replica. ValueError: a single number, or seeds that do not fit into int64."""
    if isinstance(seeds, int) or max(listed := seeds_of(seeds, replicas)) >= 2**63:
        raise ValueError(f"seeds: {seeds!r}; allowed are {replicas} whole numbers from 0 to 2^63 - 1, one per replica")
    return listed
