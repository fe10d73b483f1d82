"""Snapshots of experiments: one npz file per seed and learner, never pickle, written whole or not at all.

Every array of an experiment's state leads with the replica axis (or has the same rows for each replica), so a state
splits into one part per seed and parts join again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lora_marl import __version__
from lora_marl.core.array_files import DamagedFileError, read_npz
from lora_marl.core.files import write_atomically
from scripts.runs.cli import UsageError

State = dict[str, NDArray]

FORMAT = 1
"""Version of snapshots. It grows when one is written that earlier versions of the package would misread."""

_FORMAT = "format"
"""Name of the array that holds it; snapshots without one are of version 1."""


def split(state: Mapping[str, NDArray], replicas: int) -> list[State]:
    """The state of each replica alone; scalars are common to all."""
    return [
        {name: np.split(a, replicas)[replica] if a.ndim else a for name, a in state.items()}
        for replica in range(replicas)
    ]


def join(parts: Sequence[Mapping[str, NDArray]]) -> State:
    """The state of replicas together, in the order given."""
    return {name: np.concatenate([part[name] for part in parts]) if a.ndim else a for name, a in parts[0].items()}


def write(path: Path, state: Mapping[str, NDArray]) -> None:
    """Writes a file that is either complete or absent, whenever the machine stops."""

    def save(partial: Path) -> None:
        with partial.open("wb") as file:  # by path, NumPy would add a suffix
            np.savez(file, **dict(state), **{_FORMAT: np.array(FORMAT)})  # type: ignore[arg-type]

    write_atomically(path, save)


def read(path: Path) -> State:
    """The state in a file.

    Raises:
        UsageError: a file that is truncated or damaged, or of a newer version, naming it.
    """
    try:
        state = read_npz(path)
    except DamagedFileError as error:
        raise UsageError(
            f"{path}: the snapshot is truncated or damaged ({error}); restore it, or train again with --overwrite"
        ) from None
    version = state.pop(_FORMAT, np.array(FORMAT)).tolist()
    if version not in range(1, FORMAT + 1):
        raise UsageError(
            f"{path}: the snapshot is of version {version!r}; lora_marl {__version__} reads versions up to {FORMAT}; "
            "go on with the version that wrote it, or train again with --overwrite"
        )
    return state
