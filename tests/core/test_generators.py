"""Random generators that go on from a file."""

from __future__ import annotations

import numpy as np
import pytest

from lora_marl.core.generators import pack_generators, restore_generators


def test_restored_generators_draw_the_same_numbers() -> None:
    first = [np.random.default_rng(seed) for seed in (0, 1)]
    first[0].random(7)
    first[1].integers(5, size=3, dtype=np.int32)  # leaves half a word in the buffer
    second = [np.random.default_rng() for _ in first]
    restore_generators(second, pack_generators(first))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.integers(9, size=20, dtype=np.int32), other.integers(9, size=20, dtype=np.int32))


@pytest.mark.parametrize("packed", [pack_generators([]), np.frombuffer(b"[1]", np.uint8), np.zeros(3, np.uint8)])
def test_other_bytes_are_refused(packed: np.ndarray) -> None:
    with pytest.raises(ValueError, match="state of random generators"):
        restore_generators([np.random.default_rng()], packed)
