"""Nodes that hop over the channels, in expectation: one row for each channel that a node may draw.

A hop is uniform over the C channels (those that take the data rate, where some do not), so the packets of a node in one
channel are a part of 1 / C of its traffic, and a packet's delivery is the mean over the channels. Different parts of
Poisson traffic are independent, so rows are added where channels are: N C rows at most, in place of the C^N
combinations. Where all nodes hop, and channels neither differ in their loss nor overlap, one channel stands for all.

That a channel is drawn among those whose sub-band is free is left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.reception import channel_overlaps
from lora_marl.core.region import BW, CHANNEL, HOP, SF
from lora_marl.core.scenario import Scenario


class ChannelRows(NamedTuple):
    """An allocation `[N, 4]` with a row for each channel of a node: `M` rows."""

    points: NDArray[np.int16]  # [M, 4], every channel named
    node: NDArray[np.intp]  # [M]
    traffic: NDArray[np.float64]  # [M], share of the node's packets that disturb others of the row's channel
    weight: NDArray[np.float64]  # [M], share of the node's delivery

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means of a node's rows. `[M, ...]` -> `[N, ...]`"""
        if len(self.node) == self.node[-1] + 1:
            return values
        sums = np.zeros((self.node[-1] + 1, *values.shape[1:]))
        np.add.at(sums, self.node, self.weight.reshape(-1, *[1] * (values.ndim - 1)) * values)
        return sums


def channel_rows(scenario: Scenario, points: NDArray[np.int16], *, distinct: bool = False) -> ChannelRows:
    """The rows of an allocation, in the order of the nodes.

    Args:
        scenario: The network.
        points: The allocation; a channel may be `HOP`. `[N, 4]`
        distinct: Whether nodes may only hop where channels do not overlap.

    Raises:
        ValueError: nodes that hop over channels that overlap, though they must not.
    """
    region, hops = scenario.region, points[:, CHANNEL] == HOP
    channels = len(region.channels_hz)
    ones = np.ones(len(points))
    if not hops.any():
        return ChannelRows(points, np.arange(len(points)), ones, ones)
    apart = _apart(scenario)
    if distinct and not apart:
        raise ValueError("points: channel is hop (-1); this closed form takes that where channels do not overlap")
    loss_db = scenario.channel_loss_db
    alike = not region.channel_data_rates and (loss_db is None or np.ptp(loss_db) == 0.0)
    if hops.all() and apart and alike:
        rows = points.copy()
        rows[:, CHANNEL] = 0
        return ChannelRows(rows, np.arange(len(points)), ones / channels, ones)
    used = region.rates_taken()[:, points[:, SF], points[:, BW]].T & hops[:, None]
    used[~hops, points[~hops, CHANNEL]] = True
    node, channel = np.nonzero(used)
    rows, share = points[node], 1.0 / used.sum(axis=1)[node]
    rows[:, CHANNEL] = channel
    return ChannelRows(rows, node, share, share)


def _apart(scenario: Scenario) -> bool:
    """Whether no two channels overlap at any bandwidths."""
    region = scenario.region
    overlaps = channel_overlaps(
        np.array(region.channels_hz), np.array(region.bandwidths_hz), scenario.reception.channel_overlap
    )
    return int(overlaps.any(axis=(1, 3)).sum()) == len(region.channels_hz)
