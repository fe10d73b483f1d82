"""The arrays that the packet air lives in.

State that one packet touches together lies together: nodes, links and recorded packets are structured arrays (each
field is an array view, `nodes["end_s"]` is `[B, N]`), which keeps 100,000 nodes inside the cache lines that their
packets touch, and costs one argument instead of twenty where a run of a dozen packets is one call.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.reception import FATES

POINT = ("point", np.int16, 4)

NODE = np.dtype(
    [
        ("packet", np.int64),  # index of the packet on the air, or of the next one
        ("birth", np.int64),  # index of the birth that it comes from
        ("birth_s", np.float64),
        ("start_s", np.float64),
        ("end_s", np.float64),
        ("critical_s", np.float64),  # from here on an overlap harms the packet
        ("free_s", np.float64),  # end of the off time that the duty cycle imposes
        ("payload_bits", np.float64),
        ("last_rssi_dbm", np.float64),  # of the last packet that ended, at its best gateway
        ("slot", np.int64),  # where the packet on the air is recorded
        ("newer", np.int32),  # neighbours in the list of packets on the air of one channel
        ("older", np.int32),
        POINT,
        ("last_point", np.int16, 4),
        ("on_air", np.bool_),
        ("undecided", np.bool_),  # its last fate has not been answered yet
        ("lost", np.bool_),  # by power or SINR, known at the start
        ("last_fate", np.int8),
    ],
    align=True,
)

LINK = np.dtype(
    [
        ("rssi_dbm", np.float64),
        ("power_mw", np.float64),
        ("noise_like_mw", np.float64),  # power of overlapping packets that acts as noise
        ("overlap_mw", np.float64),  # power of all overlapping packets
        ("locked", np.bool_),  # holds a demodulator
        ("interfered", np.bool_),
        ("collided", np.bool_),
    ],
    align=True,
)

GATE = np.dtype([("locked", np.int64), ("on_air_dbm", np.float64)], align=True)

REPLICA = np.dtype(
    [
        ("traffic_key", np.uint64),
        ("shadowing_key", np.uint64),
        ("fading_key", np.uint64),
        ("noise_key", np.uint64),
        ("now_s", np.float64),
        ("taken_s", np.float64),  # when outcomes were last taken
        ("on_air", np.int64),
        ("due", np.int64),  # nodes whose last fate has not been answered
        ("recorded", np.int64),
    ],
    align=True,
)

EVENT = np.dtype([("time_s", np.float64), ("source", np.int64)], align=True)

DECISION = np.dtype(
    [("replica", np.int32), ("node", np.int32), ("rssi_dbm", np.float64), POINT, ("fate", np.int8)], align=True
)

PACKET = np.dtype(
    [
        ("source", np.int32),
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

UPLINK = 0

DROPPED = 5
"""Column of `State.counts` after the five fates: births that met a busy or silenced node."""
AIRTIME_S, ENERGY_MJ, DELIVERED_BITS = 0, 1, 2


class State(NamedTuple):
    """What changes while the air plays; every array leads with the replica axis `B`."""

    nodes: NDArray[np.void]  # NODE [B, N]
    links: NDArray[np.void]  # LINK [B, N, G]
    gates: NDArray[np.void]  # GATE [B, G]
    replicas: NDArray[np.void]  # REPLICA [B]
    events: NDArray[np.void]  # EVENT [B, N], a binary heap: each node's next event
    newest: NDArray[np.int32]  # [B, C], newest packet on the air of each channel, or -1
    due: NDArray[np.int32]  # [B, N], nodes to be answered, in the order in which their packets ended
    sf_energy: NDArray[np.float64]  # [B, N, G, SF] under `sir_energy`, else [..., 0]. mW s
    counts: NDArray[np.int64]  # [B, N, 6]: packets by fate, births dropped
    sums: NDArray[np.float64]  # [B, N, 3]: airtime, energy, delivered bits
    arms: NDArray[np.int64]  # [B, N, K, 2]: sent and delivered by factor value, or [..., 0, 2]
    packets: NDArray[np.void]  # PACKET [B, P]
    receptions: NDArray[np.void]  # RECEPTION [B, P, G]

    def replicas_in(self, part: slice) -> State:
        """A view of some replicas."""
        return State(**{name: array[part] for name, array in self._asdict().items()})


def allocate(sizes: tuple[int, int, int], channels: int, sf_energies: int, arms: int, packets: int) -> State:
    """A state of `sizes = (B, N, G)`, all nodes silent and nothing on the air."""
    replicas, nodes, gateways = sizes
    state = State(
        nodes=np.zeros((replicas, nodes), NODE),
        links=np.zeros((replicas, nodes, gateways), LINK),
        gates=np.zeros((replicas, gateways), GATE),
        replicas=np.zeros(replicas, REPLICA),
        events=np.zeros((replicas, nodes), EVENT),
        newest=np.full((replicas, channels), -1, np.int32),
        due=np.tile(np.arange(nodes, dtype=np.int32), (replicas, 1)),
        sf_energy=np.zeros((replicas, nodes, gateways, sf_energies)),
        counts=np.zeros((replicas, nodes, 6), np.int64),
        sums=np.zeros((replicas, nodes, 3)),
        arms=np.zeros((replicas, nodes, arms, 2), np.int64),
        packets=np.zeros((replicas, packets), PACKET),
        receptions=np.zeros((replicas, packets, gateways), RECEPTION),
    )
    state.nodes["undecided"] = True
    state.nodes["last_fate"] = -1
    state.nodes["last_rssi_dbm"] = np.nan
    state.replicas["due"] = nodes
    return state


def grown(state: State) -> State:
    """The state with twice the room for recorded packets."""
    return state._replace(
        packets=np.concatenate([state.packets, np.zeros_like(state.packets)], axis=1),
        receptions=np.concatenate([state.receptions, np.zeros_like(state.receptions)], axis=1),
    )


def take_tallies(state: State) -> dict[str, NDArray]:
    """What was booked since tallies were last taken, by the names of `Outcome`; the books begin anew."""
    replicas = state.replicas
    taken = {fate.name.lower(): state.counts[..., fate].copy() for fate in FATES} | {
        "duration_s": replicas["now_s"] - replicas["taken_s"],
        "dropped": state.counts[..., DROPPED].copy(),
        "airtime_s": state.sums[..., AIRTIME_S].copy(),
        "energy_mj": state.sums[..., ENERGY_MJ].copy(),
        "delivered_bits": state.sums[..., DELIVERED_BITS].copy(),
        "arm_sent": state.arms[..., 0].copy(),
        "arm_delivered": state.arms[..., 1].copy(),
    }
    for tally in (state.counts, state.sums, state.arms):
        tally.fill(0)
    replicas["taken_s"] = replicas["now_s"]
    return taken
