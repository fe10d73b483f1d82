"""Rules that share channels out among networks: what an operator could agree on without learning.

Shape letters: `B` replicas, `S` networks, `Q` groups of a network, `C` channels, `A` actions of a group.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def good_channels(occupancy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Channels that are less busy than the middle between the least and the most busy one. `[..., C]` -> `[..., C]`"""
    middle = (occupancy.min(axis=-1, keepdims=True) + occupancy.max(axis=-1, keepdims=True)) / 2
    return occupancy <= middle


def partition(occupancy: NDArray[np.float64], networks: int, groups: int) -> NDArray[np.int64]:
    """One channel for each group: good ones dealt out in turn, best first, and each network's to its groups in turn.

    More networks than good channels begin again with the best one.

    Args:
        occupancy: Share of time that others keep each channel busy. `[B, C]`
        networks: S.
        groups: Q.

    Returns:
        Channels. `[B, S, Q]`
    """
    order, good = np.argsort(occupancy, axis=-1, kind="stable"), good_channels(occupancy).sum(axis=-1)
    chosen = np.empty((len(occupancy), networks, groups), np.int64)
    for b, ranked in enumerate(order):
        dealt = [[ranked[i] for i in range(s % good[b], good[b], networks)] for s in range(networks)]
        for s, own in enumerate(dealt):
            chosen[b, s] = [own[q % len(own)] for q in range(groups)]
    return chosen


def hopping_partition(occupancy: NDArray[np.float64], networks: int, groups: int, offsets: int, powers: int) -> NDArray:
    """Weights of a partition of all channels over which every attempt hops, at least SF and the highest power.

    All channels are dealt out in turn, best first, bad ones as well.

    Returns:
        `[B, S, Q, A]`
    """
    order = np.argsort(occupancy, axis=-1, kind="stable")
    channels = order.shape[-1]
    weights = np.zeros((len(order), networks, groups, channels, offsets, powers))
    for b, ranked in enumerate(order):
        for s in range(networks):
            weights[b, s, :, ranked[s % channels :: networks], 0, powers - 1] = 1.0
    return weights.reshape(*weights.shape[:3], -1)


def hopping(replicas: int, networks: int, groups: int, channels: int, offsets: int, powers: int) -> NDArray[np.float64]:
    """Weights of all channels alike, at least SF and the highest power. `[B, S, Q, A]`"""
    weights = np.zeros((replicas, networks, groups, channels, offsets, powers))
    weights[..., 0, powers - 1] = 1.0
    return weights.reshape(replicas, networks, groups, -1)
