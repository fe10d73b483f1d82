"""The last frames that the server received of every node, in a ring; compiled.

Lost frames belong to the next one received: a node takes a command right after a frame that was received, so all frames
missed since then were sent with the new point. Gateways report RSSI in whole dB.

Shape letters: `B` replicas, `N` nodes, `F` frames of the ring, `M` frames of one batch.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.outcome import REPEATED, Heard

FRAMES = 128
"""Frames that are kept of a node."""
RSSI_STEP_DB = 1.0
"""Step of a gateway's RSSI. dB. Source: SX1301 datasheet and the packet forwarder's `rssi`, whole dBm."""

FRAME = np.dtype(
    [
        ("time_s", np.float64),
        ("since_s", np.float32),  # since the last one received; nan for the first
        ("gain_db", np.float32),  # RSSI less the power that the node was commanded
        ("missed", np.int32),  # lost since the last one received
        ("epoch", np.int16),  # plans made before
        ("sf", np.int8),
        ("channel", np.int8),
        ("tp", np.int8),
        ("gateway", np.int8),
    ],
    align=True,
)


class FrameRing:
    """The last frames of all nodes.

    Args:
        replicas, nodes: B and N.
        tp_dbm: Powers of the region. `[T]` dBm

    Attributes:
        frames: `FRAME`; frame i of a node is at i modulo F. `[B, N, F]`
        count: Frames received so far. `[B, N]`
    """

    def __init__(self, replicas: int, nodes: int, tp_dbm: NDArray[np.float64]) -> None:
        self.frames = np.zeros((replicas, nodes, FRAMES), FRAME)
        self.count = np.zeros((replicas, nodes), np.int64)
        self._tp_dbm = tp_dbm

    def add(self, heard: Heard, epoch: NDArray[np.int64]) -> None:
        """Take in frames `[M]`, without the repeats of those received before; `epoch` `[B]`: plans made so far."""
        _add(heard.records, epoch, self.frames, self.count, self._tp_dbm, RSSI_STEP_DB, REPEATED)

    def last_points(self, replica: int, first: NDArray[np.int64]) -> NDArray[np.int64]:
        """Spreading factor, channel and power of each node's last frame, or its first point. `[N, 3]`"""
        points, node = first.copy(), np.arange(len(first))
        count = self.count[replica]
        last = self.frames[replica, node, (count - 1) % FRAMES]
        for column, name in enumerate(("sf", "channel", "tp")):
            points[:, column] = np.where(count > 0, last[name], first[:, column])
        return points

    def last_s(self, replica: int) -> NDArray[np.float64]:
        """Time of each node's last frame; minus infinity where there was none. `[N]` s"""
        count = self.count[replica]
        last = self.frames[replica, np.arange(len(count)), (count - 1) % FRAMES]
        return np.where(count > 0, last["time_s"], -np.inf)

    def arrived_s(self, replica: int, wanted: NDArray[np.int64]) -> NDArray[np.float64]:
        """When nodes were first heard at points `[N, 3]` that they have kept since; infinite: not at them. `[N]` s"""
        arrived_s = np.empty(len(wanted))
        _arrived(self.frames[replica], self.count[replica], wanted, arrived_s)
        return arrived_s

    def since(self, replica: int, begin_s: float) -> NDArray[np.bool_]:
        """Which frames were received, and the one before them sent, at or after a time. `[N, F]`"""
        frames, kept = self.frames[replica], np.arange(FRAMES) < self.count[replica][:, None]
        counted: NDArray[np.bool_] = kept & (frames["time_s"] - np.nan_to_num(frames["since_s"], nan=np.inf) >= begin_s)
        return counted

    def state_arrays(self) -> dict[str, NDArray]:
        """The fields of the frames `[B, N, F]`; how many so far `[B, N]`."""
        return {f"frame_{name}": self.frames[name] for name in FRAME.names or ()} | {"frames": self.count}


@njit(cache=True, nogil=True)
def _add(records, epoch, frames, count, tp_dbm, step_db, repeated):  # type: ignore[no-untyped-def]
    for record in records:
        if record.missed == repeated:
            continue
        b, n = record.replica, record.node
        frame = frames[b, n, count[b, n] % frames.shape[2]]
        frame.time_s = record.time_s
        frame.since_s = record.since_s
        frame.gain_db = np.rint(record.rssi_dbm / step_db) * step_db - tp_dbm[record.point[3]]
        frame.missed = max(record.missed, 0)
        frame.sf, frame.channel, frame.tp = record.point[0], record.point[2], record.point[3]
        frame.gateway = record.gateway
        frame.epoch = epoch[b]
        count[b, n] += 1


@njit(cache=True, nogil=True)
def _arrived(frames, count, wanted, arrived_s):  # type: ignore[no-untyped-def]
    for n in range(len(count)):
        arrived_s[n] = np.inf
        for back in range(min(count[n], frames.shape[1])):
            frame = frames[n, (count[n] - 1 - back) % frames.shape[1]]
            if frame.sf != wanted[n, 0] or frame.channel != wanted[n, 1] or frame.tp != wanted[n, 2]:
                break
            arrived_s[n] = frame.time_s
