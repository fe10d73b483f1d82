"""The state of a learner as arrays by name, and as one safetensors file from which alone it continues.

Names of arrays are data: snapshots have them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from agents.tensor_files import FILE_ERRORS
from lora_marl.core.checks import check_finite
from lora_marl.core.files import one_line, write_atomically

if TYPE_CHECKING:
    from torch import Tensor

    from agents.maac.learner import MAAC
    from agents.maac.networks import AgentLayers

FORMAT = "maac-1"

MOST_STEPS = 100_000_000
"""Steps of a buffer in a file: memory is taken where steps are written, addresses at once."""


def collect(learner: MAAC) -> dict[str, NDArray]:
    """A copy of everything that changes while learning, by name."""
    tensors = _tensors(learner) | _prefixed("replay", learner.replay.state())
    arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}
    return arrays | {"counters": np.array([learner.acts, learner.training.updates])}


def restore(learner: MAAC, arrays: Mapping[str, NDArray]) -> None:
    """Takes over a state of `collect`, for a learner made with the same arguments.

    Raises:
        ValueError: an array is missing, unknown, or of another shape or type than this learner's.
    """
    current = collect(learner)
    for name in sorted(set(arrays) ^ set(current)):
        raise ValueError(f"state of maac: {name} is {'missing' if name in current else 'unknown'}")
    filled = arrays["replay.action"].shape[1] if arrays["replay.action"].ndim > 1 else 0
    for name, expected in current.items():
        array, shape = arrays[name], list(expected.shape)
        if name.startswith("replay.") and expected.ndim:
            shape[1] = min(filled, learner.replay.capacity)
        if list(array.shape) != shape or array.dtype != expected.dtype:
            raise ValueError(
                f"state of maac: {name} is {array.dtype} {list(array.shape)}; expected {expected.dtype} {shape}"
            )
    _check_numbers(learner, arrays)
    with torch.no_grad():
        for name, tensor in _tensors(learner).items():
            tensor.copy_(torch.from_numpy(arrays[name]))
    learner.replay.load({name: torch.from_numpy(arrays[f"replay.{name}"]) for name in learner.replay.state()})
    learner.acts, learner.training.updates = (int(count) for count in arrays["counters"])


def _check_numbers(learner: MAAC, arrays: Mapping[str, NDArray]) -> None:
    """Raise ValueError for weights that are not finite, and for counts and actions that no learner has."""
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            check_finite(f"state of maac: {name}", array)
    actions, counters = arrays["replay.action"], arrays["counters"]
    if actions.size and not (actions.min() >= 0 and actions.max() < learner.groups.actions):
        raise ValueError(f"state of maac: replay.action: allowed are 0 to {learner.groups.actions - 1}")
    if counters.min() < 0:
        raise ValueError(f"state of maac: counters are {counters.tolist()}; allowed are whole numbers from 0")


def write(path: Path, learner: MAAC) -> None:
    """Writes a learner to a safetensors file that is either complete or absent, whenever the machine stops.

    The file holds the state, the masks, and, as JSON in its metadata, the learner's arguments.
    """
    groups = learner.groups
    config = {
        "format": FORMAT,
        "observation_size": groups.observation_size,
        "actions": groups.actions,
        "seeds": groups.seeds,
        "dtype": str(learner.dtype).removeprefix("torch."),
        "hyperparameters": asdict(learner.hyper),
    }
    masks = {"group_mask": groups.mask, "action_mask": groups.allowed}
    write_atomically(path, save(collect(learner) | masks, metadata={"config": json.dumps(config)}))


def read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """The arguments of the learner in a file, and its state; `MAAC.read` makes a learner of them.

    Raises:
        ValueError: no such file, one that is truncated or damaged, or not of this kind, naming it.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            config = json.loads((file.metadata() or {})["config"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        if config.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        masks = {name: arrays.pop(name) for name in ("group_mask", "action_mask")}
        hyperparameters = config.pop("hyperparameters")
        arguments = config | hyperparameters | masks
        _check_sizes(arguments, path.stat().st_size)
        return arguments, arrays
    except FILE_ERRORS as error:
        raise damaged(path, error) from None


def _check_sizes(arguments: Mapping[str, Any], file_bytes: int) -> None:
    """Raise ValueError for a learner that is larger than its file, before it is made."""
    seats = arguments["group_mask"].shape
    if len(seats) != 2:
        raise ValueError(f"group_mask has shape {list(seats)}; expected [G, A]")
    for name in ("hidden", "observation_size", "actions", "heads", "batch"):
        value = arguments.get(name, 1)
        if not isinstance(value, int) or not 0 < value:
            raise ValueError(f"{name} = {value!r}: must be an integer of at least 1")
    hidden, widest = arguments.get("hidden", 1), max(arguments["observation_size"], arguments["actions"])
    if seats[0] * seats[1] * hidden * max(hidden, widest) > file_bytes:
        raise ValueError(f"hidden = {hidden} with {seats[0]} x {seats[1]} agents is more than its file holds")
    capacity = arguments.get("capacity", 1)
    if not isinstance(capacity, int) or not 0 < capacity <= MOST_STEPS:
        raise ValueError(f"capacity = {capacity!r}: must be an integer from 1 to {MOST_STEPS}")


def damaged(path: Path, error: Exception) -> ValueError:
    """The error of a file that cannot be used."""
    return ValueError(f"{path}: no snapshot of a MAAC learner, or a damaged one ({one_line(error)})")


def _tensors(learner: MAAC) -> dict[str, Tensor]:
    """The tensors that change with an update, not copied: networks, targets, and moments of the optimisers."""
    training = learner.training
    networks: dict[str, AgentLayers] = {"actor": training.actor, "critic": training.critic}
    if training.targets is not None:
        networks |= {"target_actor": training.targets[0], "target_critic": training.targets[1]}
    tensors: dict[str, Tensor] = {}
    for prefix, network in networks.items():
        tensors |= _prefixed(prefix, network.state_dict())
    for prefix, adam in (("actor", training.actor_adam), ("critic", training.critic_adam)):
        for name, parameter in networks[prefix].named_parameters():
            tensors |= _prefixed(f"{prefix}_adam.{name}", adam.state[parameter])
    return tensors


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}
