"""What snapshots of the air hold: names of arrays, and the layout of those that are stored as bytes."""

from __future__ import annotations

import numpy as np
import pytest

from lora_marl.core.kernel import queue, state

STORED = [
    *("arms", "born_s", "burst_mw", "bursts", "counts", "down_links", "downlinks", "due", "events", "foreign_busy_s"),
    *("gate_airtime_s", "gates", "heard", "links", "newest", "nodes", "packets", "queues", "receptions", "replicas"),
    *("sf_energy", "sums"),
]

LAYOUTS = {
    "STORED_NODE": "i8 i8 f8 f8 f8 f8 f8 f8 f8 i8 f8 f8 i4 i4 i4 i4 b1 i4 i4 i4 i4 i4 4i2 4i2 4i2 4i2 "
    "i1 b1 b1 b1 b1 i1",
    "QUEUE": "f8 f8 i8 i8 i4 i4 i4 b1",
    "FRAME": "i8 i8 i4 i1 i1 b1",
    "COUNTER": "i8 i8",
    "LINK": "f8 f8 f8 f8 b1 b1 b1 b1 b1",
    "GATEWAY": "i8 f8 8f8",
    "DOWNLINK": "f8 f8 f8 i8 i4 i2 i2 i2",
    "BURST": "f8 f8 f8 i8 b1",
    "REPLICA": "u8 u8 u8 u8 u8 u8 u8 u8 f8 f8 i8 i8 i8 i8",
    "SLOW": "f8 i8",
    "EVENT": "f8 i8",
    "HEARD": "i4 i4 i4 i4 f8 f8 f8 4i2",
    "PACKET": "i4 i4 i1 i1 i8 f8 f8 f8 4i2",
    "RECEPTION": "f8 f8 i1",
}
"""Types of the fields in order. Whatever changes here makes snapshots of earlier versions unreadable."""


def layout(name: str) -> np.dtype:
    """The structured type of this name."""
    return queue.EVENT if name == "EVENT" else getattr(state, name)


def allocated() -> state.State:
    return state.allocate(
        (2, 3, 1), channels=4, bursts=True, sf_energies=7, arms=5, packets=8, heard=8, frames=4
    )  # fmt: skip


def kinds(dtype: np.dtype) -> str:
    """The types of a structured type's fields, with the number of elements before those of arrays."""
    fields = [dtype.fields[name][0] for name in dtype.names or ()]  # type: ignore[index]
    return " ".join(f"{field.shape[0] if field.shape else ''}{field.base.str[1:]}" for field in fields)


def test_names_in_snapshots_stay() -> None:
    assert sorted(state.pack(allocated())) == STORED


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_in_snapshots_stay(name: str) -> None:
    dtype = layout(name)
    assert kinds(dtype) == LAYOUTS[name]
    assert dtype.isalignedstruct or name == "RECEPTION"


def test_every_structured_array_has_its_layout_listed() -> None:
    stored = {name: array for name, array in allocated()._asdict().items() if name not in state.NOT_STORED}
    types = {array.dtype for array in stored.values() if array.dtype.names}
    assert types - {state.NODE} == {layout(name) for name in LAYOUTS} - {state.STORED_NODE}
    assert state.pack(allocated())["nodes"].shape[-1] == 3 * state.STORED_NODE.itemsize


def test_what_every_packet_of_a_node_needs_lies_in_two_lines_of_the_cache() -> None:
    rare = {"record", "received_s", "in_force", "command", "missed", "adr_ack_count", "adr_ack_req"}
    offsets = {name: state.NODE.fields[name][1] for name in state.NODE.names or ()}  # type: ignore[index]
    assert {name for name, offset in offsets.items() if offset >= 128} == rare
    assert set(state.NODE.names or ()) == set(state.STORED_NODE.names or ())
    nodes = allocated().nodes
    assert nodes.ctypes.data % 64 == 0 and nodes.itemsize % 64 == 0


def columns(array: np.ndarray) -> list[np.ndarray]:
    """An array, or the fields of a structured one: the bytes between fields are arbitrary."""
    return [array] if array.dtype.names is None else [array[name] for name in array.dtype.names]


@pytest.mark.parametrize("repeats", [False, True])
def test_a_packed_state_comes_back_bit_for_bit(repeats: bool) -> None:
    before = state.with_masks(state.with_frames(allocated())) if repeats else allocated()
    rng = np.random.default_rng(0)
    for array in before:
        array.view(np.uint8).reshape(-1)[:] = rng.integers(0, 2, array.nbytes)
    seeded = {name: getattr(before, name) for name in state.NOT_STORED}
    after = state.unpack(allocated()._replace(**seeded), state.pack(before))
    for one, other in zip(before, after, strict=True):
        assert one.shape == other.shape
        assert [part.tobytes() for part in columns(one)] == [part.tobytes() for part in columns(other)]
