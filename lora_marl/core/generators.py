"""NumPy's random generators as plain arrays, so that files hold no pickle."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pack_generators(generators: Sequence[np.random.Generator]) -> NDArray[np.uint8]:
    """Return the states of generators as the bytes of a JSON list."""
    states = [generator.bit_generator.state for generator in generators]
    return np.frombuffer(json.dumps(states).encode(), np.uint8).copy()


def restore_generators(generators: Sequence[np.random.Generator], packed: NDArray[np.uint8]) -> None:
    """Continue all generators from what `pack_generators` returned for as many of the same kind.

    Raises:
        ValueError: another number of generators, or bytes that are no states.
    """
    try:
        states = json.loads(packed.tobytes())
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"state of random generators: malformed, or of others ({error})") from None
