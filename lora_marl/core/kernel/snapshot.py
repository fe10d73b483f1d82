"""The air's state as plain arrays and back: structured arrays travel as their bytes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel.state import GROWING, State


def pack(state: State) -> dict[str, NDArray]:
    """A copy of every array of the state; `unpack` gives the state back, bit for bit."""
    return {
        name: (array.view(np.uint8) if array.dtype.names else array).copy() for name, array in state._asdict().items()
    }


def unpack(state: State, saved: Mapping[str, NDArray]) -> State:
    """The state with the saved arrays in place of its own; recorded packets may have grown.

    Raises:
        ValueError: an array is missing, or of another type or shape; the state is as it was.
    """
    arrays = {name: _unpack_array(name, own, saved) for name, own in state._asdict().items()}
    return State(**arrays)


def _unpack_array(name: str, own: NDArray, saved: Mapping[str, NDArray]) -> NDArray:
    if name not in saved:
        raise ValueError(f"air state: {name} is missing; the snapshot is incomplete")
    plain = own.view(np.uint8) if own.dtype.names else own
    array = np.ascontiguousarray(saved[name])
    fits = array.dtype == plain.dtype and array.ndim == plain.ndim
    if not fits or (name not in GROWING and array.shape != plain.shape):
        raise ValueError(f"air state: {name} is {array.dtype} {array.shape}; this air's is {plain.dtype} {plain.shape}")
    # An air that listens or records goes on from one that did not.
    return own.copy() if name in GROWING and not array.size else array.view(own.dtype).copy()
