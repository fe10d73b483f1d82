"""What a node is told beside its operating point: NbTrans and its channel mask, as LinkADRReq has them.

Both are arrays of the caller's, which the loop reads and, where a node backs off, writes. Where the caller gives none,
those of the scenario are played, which the air keeps.

Shape letters: `B` replicas, `N` nodes, `C` channels.

Source: LoRaWAN L2 1.0.4, section 5.2.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.allowed import Allowed, Count, Flag, check
from lora_marl.core.kernel.state import State, with_frames, with_masks
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import MOST_TRANSMISSIONS

_STORED_NAMES = {"nb_trans": "scenario_nb_trans", "channel_masks": "scenario_channel_masks"}
_ALLOWED: Mapping[str, Allowed] = {"nb_trans": Count(MOST_TRANSMISSIONS, least=1), "channel_masks": Flag()}


class OwnSettings:
    """NbTrans and channel masks of a scenario, for calls that bring none of their own.

    Args:
        scenario: Whose they are; a change on its schedule may state them, too.
        replicas: B.

    Attributes:
        nb_trans: `[B, N]` int8; None: every frame is sent once.
        channel_masks: `[B, N, C]` bool; None: nodes that hop use all channels.
    """

    def __init__(self, scenario: Scenario, replicas: int) -> None:
        self.nb_trans: NDArray[np.int8] | None = None
        self.channel_masks: NDArray[np.bool_] | None = None
        masked = scenario.channel_mask is not None or any(
            "channel_mask" in change.values for change in scenario.changes
        )
        shape = replicas, scenario.nodes
        if scenario.repeats_frames:
            self.nb_trans = np.empty(shape, np.int8)
        if masked:
            self.channel_masks = np.empty((*shape, len(scenario.region.channels_hz)), np.bool_)
        self.take_over(scenario)
        self._first = self._copies()

    def take_over(self, scenario: Scenario) -> None:
        """Take the values of a scenario, in place."""
        if self.nb_trans is not None:
            self.nb_trans[...] = scenario.traffic.nb_trans
        if self.channel_masks is not None:
            self.channel_masks[...] = True if scenario.channel_mask is None else scenario.channel_mask

    def digest(self, network: int) -> int:
        """The number by which a snapshot knows its network, with what these settings are at first."""
        return zlib.crc32(b"".join(array.tobytes() for array in self._first.values()), network)

    def pack(self) -> dict[str, NDArray]:
        """A copy of the arrays, by their names in snapshots."""
        return {_STORED_NAMES[name]: array for name, array in self._copies().items()}

    def unpack(self, saved: Mapping[str, NDArray]) -> None:
        """Take over the arrays of `pack`, in place.

        Raises:
            ValueError: one is missing, of another shape or type, or has false numbers; nothing has changed.
        """
        arrays = {name: array for name in _STORED_NAMES if (array := getattr(self, name)) is not None}
        for name, array in arrays.items():
            stored = saved.get(_STORED_NAMES[name])
            if stored is None or stored.shape != array.shape or stored.dtype != array.dtype:
                raise ValueError(f"air state: {_STORED_NAMES[name]} is missing or not {array.dtype} {array.shape}")
            check(f"air state: {_STORED_NAMES[name]}", stored, _ALLOWED[name], {})
        for name, array in arrays.items():
            array[...] = saved[_STORED_NAMES[name]]

    def _copies(self) -> dict[str, NDArray]:
        return {name: array.copy() for name in _STORED_NAMES if (array := getattr(self, name)) is not None}


def with_settings(
    state: State, scenario: Scenario, nb_trans: NDArray[np.int8] | None, channel_masks: NDArray[np.bool_] | None
) -> State:
    """The state with arrays for the loop to see, or the same one where it sees them already.

    Args:
        state: Of the air.
        scenario: Of the air; its traffic says whether frames may be repeated.
        nb_trans: How often each frame is sent; None: once. `[B, N]` int8
        channel_masks: Where nodes that hop may; None: everywhere. `[B, N, C]` bool

    Raises:
        ValueError: an array of another type, shape or range, or NbTrans where something else says what is repeated.
    """
    shape = state.nodes.shape
    if nb_trans is None:
        state = state._replace(nb_trans=state.nb_trans[:, :0].copy()) if state.nb_trans.size else state
    else:
        _check_nb_trans(nb_trans, shape, scenario)
        if nb_trans is not state.nb_trans or not state.frames.size:
            state = state._replace(nb_trans=nb_trans)
            state = state if state.frames.size else with_frames(state)
    if channel_masks is None:
        return state._replace(channel_masks=state.channel_masks[:, :0].copy()) if state.channel_masks.size else state
    _check_masks(channel_masks, (*shape, state.newest.shape[1]))
    if channel_masks is not state.channel_masks or not state.masks_in_force.size:
        state = state._replace(channel_masks=channel_masks)
        state = state if state.masks_in_force.size else with_masks(state)
    return state


def _check_nb_trans(nb_trans: NDArray[np.int8], shape: tuple[int, ...], scenario: Scenario) -> None:
    if nb_trans.dtype != np.int8 or nb_trans.shape != shape or not nb_trans.flags.carray:
        raise ValueError(
            f"nb_trans: {nb_trans.dtype} {nb_trans.shape}; the air takes int8 {shape}, contiguous and writable"
        )
    if nb_trans.min() < 1 or nb_trans.max() > MOST_TRANSMISSIONS:
        raise ValueError(f"nb_trans: {nb_trans.min()} to {nb_trans.max()}; allowed is 1 to {MOST_TRANSMISSIONS}")
    if scenario.traffic.confirmed:
        raise ValueError("nb_trans: confirmed frames are sent up to traffic.max_attempts times; allowed is None")
    if scenario.traffic.trace is not None and scenario.traffic.trace.repeats_frames:
        raise ValueError("nb_trans: the trace has frame counters that occur twice: it says what is repeated")


def _check_masks(masks: NDArray[np.bool_], shape: tuple[int, ...]) -> None:
    if masks.dtype != np.bool_ or masks.shape != shape or not masks.flags.carray:
        raise ValueError(
            f"channel_masks: {masks.dtype} {masks.shape}; the air takes bool {shape}, contiguous and writable"
        )
    empty = np.argwhere(~masks.any(axis=-1))
    if len(empty):
        raise ValueError(f"channel_masks{empty[0].tolist()}: enables no channel; each node needs one at least")
