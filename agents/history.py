"""The last packets that a network server received of each node."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class History:
    """A number per packet received, of the last `length` packets of every node.

    Attributes:
        values: In no particular order; nan where there were fewer `[B, N, length]`.
        heard: Packets so far `[B, N]`.
    """

    def __init__(self, replicas: int, nodes: int, length: int) -> None:
        self.values = np.full((replicas, nodes, length), np.nan)
        self.heard = np.zeros((replicas, nodes), np.int64)

    def add(self, replica: NDArray[np.integer], node: NDArray[np.integer], value: NDArray[np.float64]) -> None:
        """Notes packets in order of time `[M]`; several of one node take places one after another."""
        replicas, nodes, length = self.values.shape
        flat = replica.astype(np.int64) * nodes + node
        order = np.argsort(flat, kind="stable")
        number = np.empty(len(flat), np.int64)
        number[order] = np.arange(len(flat)) - np.searchsorted(flat[order], flat[order])
        self.values[replica, node, (self.heard[replica, node] + number) % length] = value
        np.add.at(self.heard, (replica, node), 1)
