"""A trained policy as two files that need no learning library: weights in safetensors, spaces in JSON.

`policy.safetensors` has `weight_<i>` `[out, in]` and `bias_<i>` `[out]` of a perceptron from an observation to one
number per value of every factor (`[K]`: logits, or action values). `policy.json` has the spaces that they belong to.

Shape letters: `M` observations, `D` features, `F` factors of an action, `K` values of all factors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from lora_marl import __version__
from lora_marl.core.checks import check_choice, check_count, check_finite
from lora_marl.core.files import one_line, write_atomically
from lora_marl.envs.base import ArrayParallelEnv
from lora_marl.envs.codec import sizes_of

WEIGHTS, SPACES = "policy.safetensors", "policy.json"
FORMAT = "lora_marl-policy-1"

ACTIVATIONS: Mapping[str, Callable[[NDArray], NDArray]] = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0.0)}


@dataclass(frozen=True, kw_only=True)
class Spaces:
    """The environment and spaces that a policy was trained for.

    Attributes:
        algorithm: The algorithm that trained it.
        environment: The environment's name in `lora_marl.ENVS`.
        settings: The environment's settings, as far as JSON can hold them.
        feature_names, low, high: Names and bounds of the observation's features. `[D]` each
        sizes: Number of values of each factor of an action; for flat actions their number. `[F]`
        activation: Activation between layers, of `ACTIVATIONS`.
        greedy: Whether the largest number wins, or a value is drawn by the softmax of each factor's numbers.
        masked: Whether masked actions were excluded in training.
        unsaid: Names of the settings that JSON cannot hold, such as a callable.
        version: Version of this package that wrote it.
    """

    algorithm: str
    environment: str
    settings: Mapping[str, Any]
    feature_names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    sizes: tuple[int, ...]
    activation: str
    greedy: bool
    masked: bool
    unsaid: tuple[str, ...] = ()
    version: str = __version__

    def check(self) -> None:
        """Raise ValueError for bounds that are not one for each feature, and for sizes that are no counts."""
        if not len(self.feature_names) == len(self.low) == len(self.high):
            lengths = len(self.feature_names), len(self.low), len(self.high)
            raise ValueError(f"feature_names, low and high: have lengths {lengths}; expected are equal ones")
        for size in self.sizes:
            check_count("sizes", size)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Spaces:
        """The spaces from the values of a JSON file.

        Raises:
            KeyError: a missing value.
        """
        values = {"unsaid": (), **values}  # older files do not have it
        lists = {name: tuple(values[name]) for name in ("feature_names", "low", "high", "sizes", "unsaid")}
        return cls(**{field.name: values[field.name] for field in fields(cls)} | lists)


@dataclass(frozen=True)
class Policy:
    """A perceptron that chooses actions from observations.

    Attributes:
        spaces: The environment and spaces that it was trained for.
        layers: Weights `[out, in]` and biases `[out]`, from an observation to numbers `[K]`.

    Raises:
        ValueError: an unknown activation, layers whose sizes do not lead from observations to actions, or weights that
            are not finite.
    """

    spaces: Spaces
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]

    def __post_init__(self) -> None:
        check_choice("activation", self.spaces.activation, tuple(ACTIVATIONS))
        self.spaces.check()
        width = len(self.spaces.low)
        for number, (weight, bias) in enumerate(self.layers):
            if weight.ndim != 2 or weight.shape[1] != width or bias.shape != weight.shape[:1]:
                raise ValueError(f"layer {number}: {weight.shape} and {bias.shape}; expected are {width} inputs")
            check_finite(f"layer {number}", weight)
            check_finite(f"layer {number}", bias)
            width = len(weight)
        if width != sum(self.spaces.sizes):
            raise ValueError(
                f"layers: give {width} numbers; the sizes {self.spaces.sizes} need {sum(self.spaces.sizes)}"
            )

    def scores(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """One number per value of every factor: from observations `[M, D]` to `[M, K]`."""
        activation = ACTIVATIONS[self.spaces.activation]
        for number, (weight, bias) in enumerate(self.layers):
            observations = (activation(observations) if number else observations) @ weight.T + bias
        return observations

    def choose(
        self,
        observations: NDArray[np.float32],
        draws: NDArray[np.float64],
        masks: NDArray[np.bool_] | None = None,
        *,
        greedy: bool | None = None,
    ) -> NDArray[np.int64]:
        """Choose actions.

        Args:
            observations: `[M, D]`
            draws: Uniform random numbers from 0 to 1; unused where the choice is greedy. `[M, F]`
            masks: Allowed values `[M, K]`; None: all.
            greedy: Overrides `spaces.greedy`.

        Returns:
            Index of the value of each factor. `[M, F]`
        """
        scores = self.scores(observations).astype(np.float64)
        if masks is not None:
            scores[~masks] = -np.inf
        ends = np.cumsum(self.spaces.sizes)
        chosen = np.empty((len(scores), len(ends)), np.int64)
        for factor, part in enumerate(np.split(scores, ends[:-1], axis=1)):
            if self.spaces.greedy if greedy is None else greedy:
                chosen[:, factor] = part.argmax(axis=1)
            else:
                shares = np.exp(part - part.max(axis=1, keepdims=True)).cumsum(axis=1)
                chosen[:, factor] = (shares > draws[:, factor, None] * shares[:, -1:]).argmax(axis=1)
        return chosen

    def write(self, folder: Path) -> None:
        """Write `policy.safetensors` and `policy.json` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {f"weight_{number}": np.ascontiguousarray(weight) for number, (weight, _) in enumerate(self.layers)}
        arrays |= {f"bias_{number}": np.ascontiguousarray(bias) for number, (_, bias) in enumerate(self.layers)}
        write_atomically(folder / WEIGHTS, save(arrays))
        text = json.dumps({"format": FORMAT, **asdict(self.spaces)}, indent=1)
        write_atomically(folder / SPACES, text + "\n")

    @classmethod
    def read(cls, folder: Path) -> Policy:
        """The policy in a folder.

        Raises:
            ValueError: a file is missing, damaged, or of another format, naming it.
        """
        weights, spaces = files_of(folder)
        try:
            values = json.loads(spaces.read_text(encoding="utf-8"))
            arrays = load_file(weights)
            if values["format"] != FORMAT:
                raise ValueError(f"format {values['format']!r} is not {FORMAT}")
            layers = [(arrays[f"weight_{number}"], arrays[f"bias_{number}"]) for number in range(len(arrays) // 2)]
            return cls(Spaces.of(values), tuple(layers))
        except KeyError as error:
            raise ValueError(f"{folder}: holds no policy that can be read ({error} is missing)") from None
        except (OSError, ValueError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
            raise ValueError(f"{folder}: holds no policy that can be read ({one_line(error)})") from None


def files_of(folder: Path) -> tuple[Path, Path]:
    """Paths of a policy's weights and spaces.

    Raises:
        ValueError: one of them is not in the folder.
    """
    weights, spaces = folder / WEIGHTS, folder / SPACES
    if missing := [path.name for path in (weights, spaces) if not path.is_file()]:
        what = f"has no {' and no '.join(missing)}" if folder.is_dir() else "there is no such folder"
        raise ValueError(f"{folder}: holds no policy, which is {WEIGHTS} and {SPACES} ({what})")
    return weights, spaces


def digest(folder: Path) -> str:
    """SHA-256 of a policy's two files, the first 32 hexadecimal digits.

    Raises:
        ValueError: one of them is missing.
    """
    return sha256(b"\0".join(path.read_bytes() for path in files_of(folder))).hexdigest()[:32]


def spaces_of(env: ArrayParallelEnv, name: str, **more: Any) -> Spaces:
    """The spaces of an environment's agents.

    Args:
        env: The environment.
        name: Its name in `lora_marl.ENVS`.
        **more: `algorithm`, `activation`, `greedy` and `masked` of `Spaces`.
    """
    box = env.single_observation_space
    settings: dict[str, Any] = {}
    unsaid: list[str] = []
    names = (field.name for field in fields(env.settings) if field.name != "episode_log")  # that is of a training
    values = {name: getattr(env.settings, name) for name in names}
    for key, value in (values | {"max_cycles": env.max_cycles}).items():
        try:
            settings[key] = json.loads(json.dumps(value, default=_as_json))
        except TypeError:
            unsaid.append(key)
    return Spaces(
        environment=name,
        settings=settings,
        unsaid=tuple(unsaid),
        feature_names=tuple(env.feature_names),
        low=tuple(box.low.tolist()),
        high=tuple(box.high.tolist()),
        sizes=tuple(sizes_of(env.single_action_space).tolist()),
        **more,
    )


def _as_json(value: Any) -> Any:
    """Arrays and numbers of NumPy, and mappings, as JSON can hold them. TypeError: any other value."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")
