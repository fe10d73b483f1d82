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
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lora_marl.core.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

    from agents.maac.learner import MAAC
    from agents.maac.networks import AgentLayers

FORMAT = "maac-1"


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
    with torch.no_grad():
        for name, tensor in _tensors(learner).items():
            tensor.copy_(torch.from_numpy(arrays[name]))
    learner.replay.load({name: torch.from_numpy(arrays[f"replay.{name}"]) for name in learner.replay.state()})
    learner.acts, learner.training.updates = (int(count) for count in arrays["counters"])


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
        return config | hyperparameters | masks, arrays
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> ValueError:
    """The error of a file that cannot be used."""
    return ValueError(f"{path}: no snapshot of a MAAC learner, or a damaged one ({error})")


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
