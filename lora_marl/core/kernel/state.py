"""The arrays that the packet air lives in, and how snapshots store them.

State that one packet touches together lies together: nodes, links and recorded packets are structured arrays (each
field is an array view, `nodes["end_s"]` is `[B, N]`), which keeps 100,000 nodes inside the cache lines that their
packets touch, and costs one argument instead of twenty where a run of a dozen packets is one call.

Snapshots store the arrays by name, structured ones as bytes: a field may get another name, but neither another type nor
another place; that of nodes is `STORED_NODE`'s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.duty_cycle import SUB_BANDS
from lora_marl.core.kernel import queue
from lora_marl.core.kernel.queue import Queue
from lora_marl.core.reception import FATES

POINT = ("point", np.int16, 4)
_CACHE_LINE_BYTES = 64

_NODE = np.dtype(
    [
        # What packets that overlap it look at, and what its start writes: 64 bytes.
        ("start_s", np.float64),
        ("end_s", np.float64),
        ("critical_s", np.float64),  # from here on an overlap harms the packet
        ("packet", np.int64),  # index of the packet on the air, or of the next one
        ("payload_bits", np.float64),
        POINT,  # of the packet on the air; its channel is the one drawn where the node hops
        ("newer", np.int32),  # neighbours in the list of packets on the air of one channel
        ("older", np.int32),
        ("gateway", np.int16),  # that received the last packet best
        ("phase", np.int8),
        ("lost", np.bool_),  # by power or SINR, known at the start
        ("undecided", np.bool_),  # a decision on it is due
        ("acknowledged", np.bool_),  # its last packet was
        ("due_unanswered", np.bool_),  # no answer came: what became of its packets is unknown
        ("last_fate", np.int8),
        # What its end writes: 64 bytes.
        ("generated", np.int64),  # number of the packet generated last, those dropped included
        ("generated_s", np.float64),  # when, without jitter
        ("free_s", np.float64),  # end of the off time that the duty cycle imposes
        ("last_rssi_dbm", np.float64),  # of the last packet that ended, at its best gateway
        ("last_point", np.int16, 4),
        ("due_s", np.float64),  # when the decision fell due that is due now, or was last taken
        ("due_sent", np.int32),  # packets of that decision, and those of them that were delivered
        ("due_delivered", np.int32),
        ("round_sent", np.int32),  # the same since it fell due
        ("round_delivered", np.int32),
        # What only some networks need.
        ("record", np.int64),  # place of the packet on the air among `packets`
        ("received_s", np.float64),  # end of the packet by which the last frame was received first
        ("in_force", np.int16, 4),  # what it uses where the server commands; sf is -1 before its first packet
        ("command", np.int16, 4),  # in the downlink on its way
        ("missed", np.int32),  # frames lost since the last received; -1 before the first
        ("adr_ack_count", np.int32),  # frames since the last downlink
        ("adr_ack_req", np.bool_),  # it asks for any downlink, having received none for long
    ],
    align=True,
)

NODE = np.dtype(
    {
        "names": list(_NODE.names or ()),
        "formats": [field[0] for field in (_NODE.fields or {}).values()],
        "offsets": [field[1] for field in (_NODE.fields or {}).values()],
        "itemsize": -(-_NODE.itemsize // _CACHE_LINE_BYTES) * _CACHE_LINE_BYTES,
    },
    align=True,
)
"""A node; every one begins a line of the cache."""

STORED_NODE = np.dtype(
    [
        (name, np.int32 if name == "gateway" else NODE[name].base, NODE[name].shape)
        for name in (
            *("packet", "generated", "generated_s", "start_s", "end_s", "critical_s", "free_s", "payload_bits"),
            *("last_rssi_dbm", "record", "due_s", "received_s", "round_sent", "round_delivered", "due_sent"),
            *("due_delivered", "due_unanswered", "missed", "adr_ack_count", "gateway", "newer", "older", "point"),
            *("last_point", "in_force", "command", "phase", "adr_ack_req", "undecided", "acknowledged", "lost"),
            "last_fate",
        )
    ],
    align=True,
)
"""A node in snapshots, which stays as it was when fields of `NODE` move."""

QUEUE = np.dtype(
    [
        ("next_s", np.float64),  # when the next frame is generated that has not joined the queue
        ("delay_s", np.float64),  # from generation to first reception, summed over frames delivered
        ("delivered", np.int64),
        ("lost", np.int64),
        ("size", np.int32),  # frames that wait, the one being sent included
        ("first", np.int32),  # place of that one among `generated_s`
        ("attempts", np.int32),  # of it that have ended
        ("received", np.bool_),
    ],
    align=True,
)

FRAME = np.dtype(
    [
        ("delivered", np.int64),
        ("lost", np.int64),
        ("sent", np.int32),  # transmissions of the frame that have ended and did not end it
        ("in_force", np.int8),  # NbTrans of the node, where the server commands; 0 before its first packet
        ("command", np.int8),  # NbTrans in the downlink on its way
        ("received", np.bool_),
    ],
    align=True,
)

COUNTER = np.dtype([("sent", np.int64), ("received", np.int64)], align=True)
"""Frame counter of a node's last packet that ended, and of its last one received, by a trace; -1: there is none."""

LINK = np.dtype(
    [
        ("rssi_dbm", np.float64),
        ("power_mw", np.float64),
        ("noise_like_mw", np.float64),  # power of overlapping packets that acts as noise
        ("overlap_mw", np.float64),  # power of all overlapping packets
        ("locked", np.bool_),  # holds a demodulator
        ("deaf", np.bool_),  # the gateway sends during the critical section
        ("interfered", np.bool_),
        ("collided", np.bool_),
        ("received", np.bool_),  # what the gateway made of the last packet that ended
    ],
    align=True,
)

DISTURBER = np.dtype(
    [
        ("packet", np.int64),
        ("tp_dbm", np.float64),  # less the loss of its channel
        ("common_db", np.float64),  # of its shadowing
        ("node", np.int32),
        ("bw", np.int16),
    ],
    align=True,
)
"""A packet whose power acts as noise on another one (`disturbers`)."""

_DISTURBERS = 8
"""Room of the list of each packet; a full one is summed and emptied."""

GATEWAY = np.dtype(
    [
        ("locked", np.int64),
        ("on_air_dbm", np.float64),
        ("free_s", np.float64, SUB_BANDS),  # end of the off time in each sub-band; 0 is RX2's
    ],
    align=True,
)

DOWNLINK = np.dtype(
    [
        ("start_s", np.float64),
        ("critical_s", np.float64),
        ("end_s", np.float64),
        ("record", np.int64),  # place among `packets`
        ("node", np.int32),
        ("sf", np.int16),
        ("bw", np.int16),
        ("channel", np.int16),  # the number of uplink channels in RX2
    ],
    align=True,
)

BURST = np.dtype(
    [
        ("start_s", np.float64),
        ("end_s", np.float64),
        ("busy_s", np.float64),  # of bursts that have ended, as far as no outcome has it
        ("index", np.int64),  # of the burst on the air, or of the next one
        ("on", np.bool_),
    ],
    align=True,
)

REPLICA = np.dtype(
    [
        ("traffic_key", np.uint64),
        ("shadowing_key", np.uint64),
        ("fading_key", np.uint64),
        ("noise_key", np.uint64),
        ("downlink_key", np.uint64),
        ("retry_key", np.uint64),
        ("burst_key", np.uint64),
        ("distribution_key", np.uint64),
        ("now_s", np.float64),
        ("taken_s", np.float64),  # when outcomes were last taken
        ("on_air", np.int64),
        ("due", np.int64),  # nodes on which a decision is due
        ("recorded", np.int64),
        ("heard", np.int64),  # packets received that nobody has taken yet
    ],
    align=True,
)

STREAM_KEYS = np.dtype([("hop", np.uint64), ("slow", np.uint64), ("lost", np.uint64)], align=True)
"""Streams of random numbers, by name, that are no part of REPLICA, to which nothing can be added."""

SLOW = np.dtype([("value", np.float64), ("draws", np.int64)], align=True)
"""A slow term of variance 1, and how many steps of it have been drawn."""

DECISION = np.dtype(
    [
        ("replica", np.int32),
        ("node", np.int32),
        ("rssi_dbm", np.float64),
        POINT,
        ("fate", np.int8),
        ("time_s", np.float64),
        ("sent", np.int32),
        ("delivered", np.int32),
    ],
    align=True,
)

HEARD = np.dtype(
    [
        ("replica", np.int32),
        ("node", np.int32),
        ("gateway", np.int32),
        ("missed", np.int32),
        ("time_s", np.float64),
        ("since_s", np.float64),
        ("rssi_dbm", np.float64),
        POINT,
    ],
    align=True,
)

PACKET = np.dtype(
    [
        ("source", np.int32),
        ("gateway", np.int32),
        ("kind", np.int8),
        ("fate", np.int8),
        ("index", np.int64),
        ("start_s", np.float64),
        ("end_s", np.float64),
        ("critical_s", np.float64),
        POINT,
    ],
    align=True,
)

RECEPTION = np.dtype([("rssi_dbm", np.float64), ("overlap_mw", np.float64), ("fate", np.int8)], align=True)

WAITING, SENDING, RX1, RX2, RECEIVING = range(5)
"""Phases of a node: it waits for its next packet, sends it, waits for a receive window, receives a downlink."""

DROPPED, ANSWERED, ANSWERS_RECEIVED, REFUSED = range(len(FATES), len(FATES) + 4)
"""Columns of `State.counts` after the fates: packets that were generated while the node was busy or off, or at a full
queue; downlinks sent, received by the node, and refused by every gateway."""
AIRTIME_S, ENERGY_MJ, DELIVERED_BITS = 0, 1, 2

GROWING = ("packets", "receptions", "heard", "heard_nb_trans")
"""Arrays that grow when they are full."""

CULLING = ("hearing", "listeners", "disturbers", "disturbing", "all_known")
"""Arrays that are empty where gateways are not culled; a loaded state's are made anew from its links."""

NOT_STORED = ("streams", "nb_trans", "channel_masks", "winners", *CULLING)
"""Arrays that follow from the seeds or from other arrays, or are the caller's."""

OF_LINKS = ("slow", "slow_from_s")
"""Arrays that are empty, and no part of snapshots, where the scenario has no measured links."""

OPTIONAL = ("frames", "masks_in_force", "heard_nb_trans")
"""Arrays that air has only if it needs them, and then keeps."""

MAY_BE_EMPTY = ("sub_band_free_s", "counters")
"""Arrays that are younger than snapshots are: one without elements is not stored."""

STORED_NAMES = {"generated_s": "born_s", "gateways": "gates", "gateway_airtime_s": "gate_airtime_s"}
"""Names in snapshots, which stay as they were when arrays get other names."""


class State(NamedTuple):
    """The state of the air; every array leads with the replica axis `B`."""

    nodes: NDArray[np.void]  # NODE [B, N]
    links: NDArray[np.void]  # LINK [B, N, G]
    hearing: NDArray[np.int8]  # [B, N, G] where gateways are culled (`culling`), or [B, 0, G]
    listeners: NDArray[np.int16]  # [B, N, 2 + G], how many gateways hear the packet, and which; or [B, 0, 2 + G]
    disturbers: NDArray[np.void]  # DISTURBER [B, N, 8], packets that disturb each as noise; or [B, 0, 8]
    disturbing: NDArray[np.int8]  # [B, N], how many there are; or [B, 0]
    all_known: NDArray[np.bool_]  # [B, N], whether the packet's power at every gateway is in `links`; or [B, 0]
    sub_band_free_s: NDArray[np.float64]  # [B, N, U], end of the off time in each sub-band of uplinks, or [B, N, 0]
    queues: NDArray[np.void]  # QUEUE [B, N] of confirmed traffic, else [B, 0]
    generated_s: NDArray[np.float64]  # [B, N, Q], a ring: when the frames that wait were generated; or [B, 0, 1]. s
    nb_trans: NDArray[np.int8]  # [B, N], the caller's: how often each frame is sent, or [B, 0]: once
    frames: NDArray[np.void]  # FRAME [B, N] of unconfirmed traffic that is or was sent with NbTrans, else [B, 0]
    channel_masks: NDArray[np.bool_]  # [B, N, C], the caller's: where nodes that hop may, or [B, 0, C]: everywhere
    masks_in_force: NDArray[np.bool_]  # [B, N, 2, C] of air that has or had masks (`masks`), else [B, 0, 2, C]
    counters: NDArray[np.void]  # COUNTER [B, N] of a trace that has frame counters, else [B, 0]
    gateways: NDArray[np.void]  # GATEWAY [B, G]
    downlinks: NDArray[np.void]  # DOWNLINK [B, G], the last of each gateway
    down_links: NDArray[np.void]  # LINK [B, G], how its node receives it
    replicas: NDArray[np.void]  # REPLICA [B]
    streams: NDArray[np.void]  # STREAM_KEYS [B]
    slow: NDArray[np.void]  # SLOW [B, N, G + groups, 1 + C] of measured links (of the link, of its channels), or empty
    slow_from_s: NDArray[np.float64]  # [B, 1], length of former episodes, or [B, 0]
    bursts: NDArray[np.void]  # BURST [B, C], the last of each channel, or [B, 0] without interference
    burst_mw: NDArray[np.float64]  # [B, C, G], its power at each gateway
    events: NDArray[np.void]  # EVENT [B, N + C]: the next event of each node and each channel's bursts
    winners: NDArray[np.int32]  # [B, 2 (N + C)]: which events are the earliest (`queue`)
    newest: NDArray[np.int32]  # [B, C], newest packet on the air of each channel, or -1
    due: NDArray[np.int32]  # [B, N], nodes to be decided on, in the order in which their packets ended
    sf_energy: NDArray[np.float64]  # [B, N, G, SF (+ 1: bursts)] under `sir_energy`, else [..., 0]. mW s
    counts: NDArray[np.int64]  # [B, N, 10]: packets by fate, packets dropped, downlinks
    sums: NDArray[np.float64]  # [B, N, 3]: airtime, energy, delivered bits
    arms: NDArray[np.int64]  # [B, N, K, 2]: sent and delivered by factor value, or [..., 0, 2]
    gateway_airtime_s: NDArray[np.float64]  # [B, G], of downlinks
    foreign_busy_s: NDArray[np.float64]  # [B, G, C], of other networks' packets that a gateway could hear
    packets: NDArray[np.void]  # PACKET [B, P]
    receptions: NDArray[np.void]  # RECEPTION [B, P, G]
    heard: NDArray[np.void]  # HEARD [B, H]
    heard_nb_trans: NDArray[np.int8]  # [B, H] of air with `frames`, NbTrans of the node that sent each, else [B, 0]

    def replicas_in(self, part: slice) -> State:
        """A view of some replicas."""
        return State(**{name: array[part] for name, array in self._asdict().items()})

    @property
    def queue(self) -> Queue:
        """The arrays of the event queue."""
        return Queue(self.events, self.winners)


def allocate(
    sizes: tuple[int, int, int],
    *,
    channels: int,
    bursts: bool,
    sf_energies: int,
    arms: int,
    packets: int,
    heard: int,
    frames: int,
    slow: int = 0,
    sub_bands: int = 0,
    counters: bool = False,
    culled: bool = False,
) -> State:
    """A state of `sizes = (B, N, G)`, all nodes silent and nothing on the air; 0 `frames`: no queues.

    `slow`: gateways and groups that have slow terms; 0: measured links are off.
    """
    replicas, nodes, gateways = sizes
    noisy = channels if bursts else 0
    state = State(
        nodes=_zero_nodes((replicas, nodes)),
        links=np.zeros((replicas, nodes, gateways), LINK),
        hearing=np.zeros((replicas, nodes if culled else 0, gateways), np.int8),
        listeners=np.zeros((replicas, nodes if culled else 0, 2 + gateways), np.int16),
        disturbers=np.zeros((replicas, nodes if culled else 0, _DISTURBERS), DISTURBER),
        disturbing=np.zeros((replicas, nodes if culled else 0), np.int8),
        all_known=np.zeros((replicas, nodes if culled else 0), np.bool_),
        sub_band_free_s=np.zeros((replicas, nodes, sub_bands)),
        queues=np.zeros((replicas, nodes if frames else 0), QUEUE),
        generated_s=np.zeros((replicas, nodes if frames else 0, max(frames, 1))),
        nb_trans=np.zeros((replicas, 0), np.int8),
        frames=np.zeros((replicas, 0), FRAME),
        channel_masks=np.zeros((replicas, 0, channels), np.bool_),
        masks_in_force=np.zeros((replicas, 0, 2, channels), np.bool_),
        counters=np.full((replicas, nodes if counters else 0), -1, COUNTER),
        gateways=np.zeros((replicas, gateways), GATEWAY),
        downlinks=np.zeros((replicas, gateways), DOWNLINK),
        down_links=np.zeros((replicas, gateways), LINK),
        replicas=np.zeros(replicas, REPLICA),
        streams=np.zeros(replicas, STREAM_KEYS),
        slow=np.zeros((replicas, nodes if slow else 0, slow, 1 + channels), SLOW),
        slow_from_s=np.zeros((replicas, 1 if slow else 0)),
        bursts=np.zeros((replicas, noisy), BURST),
        burst_mw=np.zeros((replicas, noisy, gateways)),
        **queue.allocate(replicas, nodes + noisy)._asdict(),
        newest=np.full((replicas, channels), -1, np.int32),
        due=np.tile(np.arange(nodes, dtype=np.int32), (replicas, 1)),
        sf_energy=np.zeros((replicas, nodes, gateways, sf_energies)),
        counts=np.zeros((replicas, nodes, REFUSED + 1), np.int64),
        sums=np.zeros((replicas, nodes, 3)),
        arms=np.zeros((replicas, nodes, arms, 2), np.int64),
        gateway_airtime_s=np.zeros((replicas, gateways)),
        foreign_busy_s=np.zeros((replicas, gateways, channels)),
        packets=np.zeros((replicas, packets), PACKET),
        receptions=np.zeros((replicas, packets, gateways), RECEPTION),
        heard=np.zeros((replicas, heard), HEARD),
        heard_nb_trans=np.zeros((replicas, 0), np.int8),
    )
    state.nodes["undecided"] = True
    state.nodes["last_fate"] = -1
    state.nodes["last_rssi_dbm"] = np.nan
    state.nodes["in_force"] = -1
    state.nodes["missed"] = -1
    state.replicas["due"] = nodes
    return state


def _zero_nodes(shape: tuple[int, ...]) -> NDArray[np.void]:
    """Nodes whose first one begins a line of the cache. NODE, of this shape"""
    size = math.prod(shape) * NODE.itemsize
    block = np.zeros(size + _CACHE_LINE_BYTES, np.uint8)
    first = -block.__array_interface__["data"][0] % _CACHE_LINE_BYTES
    return block[first : first + size].view(NODE).reshape(shape)


def with_frames(state: State) -> State:
    """The state of air that sends with NbTrans from now on; nodes that are commanded have used 1 so far."""
    frames = np.zeros(state.nodes.shape, FRAME)
    frames["in_force"] = state.nodes["in_force"][..., 0] >= 0
    return _with_heard_nb_trans(state._replace(frames=frames))


def _with_heard_nb_trans(state: State) -> State:
    return state._replace(heard_nb_trans=np.ones(_heard_shape(state), np.int8))


def _heard_shape(state: State) -> tuple[int, ...]:
    """The shape of `heard_nb_trans`."""
    return len(state.heard), state.heard.shape[1] if state.frames.size else 0


def with_masks(state: State) -> State:
    """The state of air that has channel masks from now on; nodes that are commanded have used all channels so far."""
    replicas, nodes = state.nodes.shape
    masks = np.zeros((replicas, nodes, 2, state.newest.shape[1]), np.bool_)
    masks[:, :, 0] = state.nodes["in_force"][..., :1] >= 0
    return state._replace(masks_in_force=masks)


def on_air(state: State) -> NDArray[np.bool_]:
    """Nodes whose next event is the end of a packet or of a downlink, and channels with a burst `[B, N + C]`."""
    busy = (state.nodes["phase"] == SENDING) | (state.nodes["phase"] == RECEIVING)
    return np.concatenate([busy, state.bursts["on"]], axis=1)


def grown(state: State) -> State:
    """The state with twice the room for recorded packets, and for received uplinks that nobody has taken."""
    return state._replace(
        **{name: np.concatenate([array, np.zeros_like(array)], axis=1)
           for name in GROWING if (array := getattr(state, name)).size}
    )  # fmt: skip


def pack(state: State) -> dict[str, NDArray]:
    """A copy of every array of the state, by its name in snapshots; `unpack` gives the state back, bit for bit.

    The bytes between fields, which are arbitrary in memory, are 0: equal states are equal bytes.
    """
    return {
        STORED_NAMES.get(name, name): _plain(array)
        for name, array in (state._asdict() | {"nodes": _converted(state.nodes, STORED_NODE)}).items()
        if name not in NOT_STORED and not (name in (*OPTIONAL, *OF_LINKS, *MAY_BE_EMPTY) and not array.size)
    }


def _plain(array: NDArray) -> NDArray:
    """A copy of an array; of a structured one its bytes `[..., itemsize of n]`, with 0 between the fields."""
    if array.dtype.names is None:
        return array.copy()
    plain = array.view(np.uint8).copy()
    plain.reshape(-1, array.dtype.itemsize)[:, ~_is_field(array.dtype)] = 0
    return plain


@cache
def _is_field(dtype: np.dtype) -> NDArray[np.bool_]:
    """Which bytes of a structured type belong to a field. `[itemsize]`"""
    used = np.zeros(dtype.itemsize, np.bool_)
    for field_type, first in (field[:2] for field in (dtype.fields or {}).values()):
        used[first : first + field_type.itemsize] = True
    return used


def unpack(state: State, saved: Mapping[str, NDArray]) -> State:
    """The state with the saved arrays in place of its own; recorded packets may have grown.

    An optional array that the snapshot lacks is left out.

    Raises:
        ValueError: an array is missing, or of another type or shape; the state is as it was.
    """
    current_arrays = state._asdict() | {"nodes": np.zeros(state.nodes.shape, STORED_NODE)}
    for name in ("frames", "masks_in_force"):
        array = current_arrays[name]
        nodes = state.nodes.shape[1] if name in saved else 0
        current_arrays[name] = np.zeros((len(array), nodes, *array.shape[2:]), array.dtype)
    left_out = {*NOT_STORED, *(name for name in OPTIONAL if name not in saved)}
    left_out |= {name for name in (*OF_LINKS, *MAY_BE_EMPTY) if not current_arrays[name].size}
    stored = [name for name in current_arrays if name not in left_out]
    arrays = {name: _unpack_array(STORED_NAMES.get(name, name), current_arrays[name], saved) for name in stored}
    unpacked = State(**(current_arrays | arrays | {"nodes": _converted(arrays["nodes"], NODE)}))
    if unpacked.packets.shape[1] != unpacked.receptions.shape[1]:
        rows = unpacked.packets.shape[1], unpacked.receptions.shape[1]
        raise ValueError(f"air state: packets has room for {rows[0]} and receptions for {rows[1]}; they are the same")
    return unpacked if unpacked.heard_nb_trans.shape == _heard_shape(unpacked) else _with_heard_nb_trans(unpacked)


def _converted(nodes: NDArray[np.void], dtype: np.dtype) -> NDArray[np.void]:
    """The nodes in another order of their fields."""
    converted = _zero_nodes(nodes.shape) if dtype == NODE else np.zeros(nodes.shape, dtype)
    for name in STORED_NODE.names or ():
        converted[name] = nodes[name]
    return converted


def _unpack_array(name: str, current: NDArray, saved: Mapping[str, NDArray]) -> NDArray:
    """The saved array of a name in the type of the current one."""
    if name not in saved:
        raise ValueError(f"air state: {name} is missing; the snapshot is incomplete")
    plain = current.view(np.uint8) if current.dtype.names else current
    array = np.ascontiguousarray(saved[name])
    fits = array.dtype == plain.dtype and array.ndim == plain.ndim
    if name in GROWING:
        fits = fits and (len(array), array.shape[2:]) == (len(plain), plain.shape[2:])
    if not fits or (name not in GROWING and array.shape != plain.shape):
        raise ValueError(f"air state: {name} is {array.dtype} {array.shape}; this air's is {plain.dtype} {plain.shape}")
    # An air that listens or records goes on from one that did not.
    return current.copy() if name in GROWING and not array.size else array.view(current.dtype).copy()
