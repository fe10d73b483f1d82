"""Compiled functions read named tuples of arrays by address."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from lora_marl.core.kernel import entry_point
from lora_marl.core.kernel.arrays import Handle, at

CELL = np.dtype([("count", np.int64), ("share", np.float64, 2)], align=True)


class Pair(NamedTuple):
    cells: NDArray[np.void]  # CELL [B, N]
    weights: NDArray[np.float64]  # [N]


@entry_point()
def add_weights(address):
    pair = at(Pair, address)
    total = 0.0
    for b in range(pair.cells.shape[0]):
        for n in range(pair.cells.shape[1]):
            pair.cells[b, n].count += b + 1
            pair.cells[b, n].share[1] += pair.weights[n]
            total += pair.weights[n]
    return total


def pair() -> Pair:
    return Pair(np.zeros((2, 3), CELL), np.array([1.0, 2.0, 4.0]))


def test_compiled_functions_read_and_write_the_arrays() -> None:
    arrays = pair()
    handle = Handle(arrays)
    assert add_weights(handle.address) == 14.0
    assert add_weights(handle.address) == 14.0
    assert arrays.cells["count"].tolist() == [[2, 2, 2], [4, 4, 4]]
    assert arrays.cells["share"][1].tolist() == [[0.0, 2.0], [0.0, 4.0], [0.0, 8.0]]
    assert len(add_weights.signatures) == 1


def test_a_copy_has_arrays_of_its_own() -> None:
    handle = Handle(pair())
    other = copy.deepcopy(handle)
    add_weights(other.address)
    assert handle.arrays.cells["count"].sum() == 0
    assert other.arrays.cells["count"].sum() == 9


@pytest.mark.parametrize(
    "arrays",
    [
        Pair(np.zeros((2, 3), CELL), np.zeros(3, np.float32)),
        Pair(np.zeros((2, 3), CELL), np.zeros((3, 1))),
        Pair(np.zeros((2, 3), CELL), np.zeros(6)[::2]),
        Pair(np.zeros((2, 3), CELL, order="F"), np.zeros(3)),
    ],
    ids=["type", "dimensions", "steps", "order"],
)
def test_other_layouts_are_refused(arrays: Pair) -> None:
    Handle(pair())
    with pytest.raises(TypeError, match="expected .*contiguous"):
        Handle(arrays)
