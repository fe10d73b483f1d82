"""Recorded play for offline training: arrays in one npz file, and Minari's data sets where Minari is installed.

    import lora_marl
    from lora_marl.adapters import offline

    env = lora_marl.make("uplink_v0", replicas=8, max_cycles=100)
    played = offline.record(env, "uplink_v0", seeds=range(8))  # random actions; or choose=...
    played.write("played.npz")
    observations, actions, rewards, following, ended = offline.Recording.read("played.npz").transitions()

Shape letters: `E` episodes, `T` steps, `N` agents, `F` factors of an action, `D` features, `K` entries of a mask,
`M = E T N` transitions.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.adapters.policy import Spaces, spaces_of
from lora_marl.envs.base import ArrayParallelEnv
from lora_marl.envs.codec import pick_allowed, sizes_of
from lora_marl.envs.game import seeds_of

FORMAT = "lora_marl-recording-1"

Choose = Callable[[NDArray[np.float32], NDArray[np.bool_]], ArrayLike]
"""Actions of all agents `[E, N, F]` (flat indices: `[E, N]`) from observations `[E, N, D]` and masks `[E, N, K]`."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Whole episodes of one length, which all ended by truncation.

    Attributes:
        spaces: Of an agent, and the environment's settings; `algorithm` says who played.
        seeds: `[E]`
        observations: `[E, T + 1, N, D]`
        masks: `[E, T + 1, N, K]`
        actions: `[E, T, N, F]`, or `[E, T, N]` of flat indices.
        rewards: `[E, T, N]`

    Raises:
        ValueError: arrays of shapes that do not go together, naming one.
    """

    spaces: Spaces
    seeds: NDArray[np.int64]
    observations: NDArray[np.float32]
    masks: NDArray[np.bool_]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float64]

    def __post_init__(self) -> None:
        episodes, steps, agents = self.rewards.shape
        seen = (episodes, steps + 1, agents)
        own = {"seeds": (episodes,), "observations": seen, "masks": seen, "actions": self.rewards.shape}
        for name, expected in own.items():
            found = getattr(self, name).shape
            if found[: len(expected)] != expected:
                raise ValueError(f"{name}: {found}; rewards {self.rewards.shape} need {expected} and more")

    def transitions(self) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
        """What agents, one by one, saw, did and got: for a policy that all share.

        Returns:
            Observations `[M, D]`, actions `[M, F]` or `[M]`, rewards `[M]`, the observations that followed `[M, D]`,
            and whether the episode was then truncated (its value does not end there) `[M]`.
        """
        ended = np.zeros(self.rewards.shape, np.bool_)
        ended[:, -1] = True
        parts = self.observations[:, :-1], self.actions, self.rewards, self.observations[:, 1:], ended
        return tuple(part.reshape(self.rewards.size, *part.shape[3:]) for part in parts)  # type: ignore[return-value]

    def write(self, path: str | Path) -> None:
        """Write one npz file."""
        about = json.dumps({"format": FORMAT, **asdict(self.spaces)})
        with Path(path).open("wb") as file:
            np.savez_compressed(file, about=np.array(about), **self._arrays())  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: str | Path) -> Recording:
        """A recording from its file.

        Raises:
            ValueError: the file is missing, damaged, or of another format, naming it.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(str(arrays.pop("about")))
            if (found := about.pop("format", None)) != FORMAT:
                raise ValueError(f"format {found!r} is not {FORMAT}")
            return cls(spaces=Spaces.of(about), **arrays)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
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
    """Play an episode in every replica.

    Args:
        env: The environment.
        name: Its name in `lora_marl.ENVS`.
        seeds: One per replica. `[E]`
        choose: Who plays; None: everybody by random allowed actions, by the first seed.
        played_by: What to call that.

    Raises:
        ValueError: agents that leave (`remove_dead`), of which arrays know nothing, or what is no list of seeds.
    """
    if env.settings.remove_dead:
        raise ValueError("remove_dead: True; recordings keep all agents")
    seeds = _seeds(seeds, env.settings.replicas)
    rng, sizes, space = np.random.default_rng(seeds[0]), sizes_of(env.single_action_space), env.single_action_space
    seen, masks = [env.reset_array(seeds)], [env.mask_array()]
    done: list[NDArray[np.int64]] = []
    got: list[NDArray[np.float64]] = []
    for _ in range(env.max_cycles):
        if choose is None:
            draws = rng.random((*seen[-1].shape[:2], len(sizes)))
            actions = pick_allowed(draws, masks[-1], sizes).reshape(*seen[-1].shape[:2], *(space.shape or ()))
        else:
            actions = np.asarray(choose(seen[-1].copy(), masks[-1].copy()))
        observations, rewards, *_ = env.step_array(actions)
        seen.append(observations)
        masks.append(env.mask_array())
        done.append(actions.astype(np.int64))
        got.append(rewards)
    spaces = spaces_of(env, name, algorithm=played_by, activation="", greedy=False, masked=False)
    parts: dict[str, Any] = {"observations": seen, "masks": masks, "actions": done, "rewards": got}
    stacked = {key: np.stack(part, axis=1) for key, part in parts.items()}
    return Recording(spaces=spaces, seeds=np.asarray(seeds, np.int64), **stacked)


def _seeds(seeds: Sequence[int], replicas: int) -> list[int]:
    """As a recording can keep them."""
    if isinstance(seeds, int) or max(found := seeds_of(seeds, replicas)) >= 2**63:
        raise ValueError(f"seeds: {seeds!r}; allowed are {replicas} whole numbers from 0 to 2^63 - 1, one per replica")
    return found
