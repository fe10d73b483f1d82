"""The outcome of a control interval, summed over the nodes of groups and networks.

Shape letters: `B` replicas, `N` nodes, `S` networks, `Q` groups of a network, `C` channels, `O` offsets, `K` values of
all factors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.outcome import Outcome
from lora_marl.envs.coexistence.groups import OFFSETS, Groups


@dataclass(frozen=True, kw_only=True)
class IntervalTotals:
    """Sums over the packets and frames that ended in an interval, by group and by network.

    Attributes:
        attempts, received: Packets that ended, and those that a gateway of their network received. `[B, S, Q]`
        acknowledged: Packets whose acknowledgement the node heard; where acknowledgements are free, all that were
            received. `[B, S, Q]`
        energy_mj: Energy that nodes spent. `[B, S, Q]` mJ
        frames_delivered: Frames that were received for the first time. `[B, S, Q]`
        frames_lost: Frames whose last attempt failed, that met a full queue, or that waited when their network fell
            silent. `[B, S, Q]`
        delay_s: Time from generation to first reception, summed over delivered frames. `[B, S, Q]` s
        queued: Frames that wait at the end of the interval, mean per node. `[B, S]`
        channel_attempts, channel_received: Packets by channel. `[B, S, C]`
        channel_airtime_s: Airtime of packets by channel. `[B, S, C]` s
        downlink_airtime_s: Airtime of the network's gateways. `[B, S]` s
        offset_attempts, offset_received: Packets by steps above each node's least spreading factor. Where several
            numbers of steps end at the highest spreading factor, the smallest counts. `[B, S, O]`
    """

    attempts: NDArray[np.float64]
    received: NDArray[np.float64]
    acknowledged: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    frames_delivered: NDArray[np.float64]
    frames_lost: NDArray[np.float64]
    delay_s: NDArray[np.float64]
    queued: NDArray[np.float64]
    channel_attempts: NDArray[np.int64]
    channel_received: NDArray[np.int64]
    channel_airtime_s: NDArray[np.float64]
    downlink_airtime_s: NDArray[np.float64]
    offset_attempts: NDArray[np.int64]
    offset_received: NDArray[np.int64]

    @classmethod
    def of(cls, outcome: Outcome, groups: Groups, channels: slice, *, free: bool) -> IntervalTotals:
        """The totals of an outcome that counts packets by factor value.

        Args:
            outcome: Outcome of the interval by node.
            groups: The groups of the nodes.
            channels: Where the channels stand among the values of all factors.
            free: Whether acknowledgements are free, so that all packets that were received are acknowledged.
        """
        sent, sizes = outcome.sent, np.bincount(groups.network)
        by_channel = outcome.arm_sent[..., channels]
        share = by_channel / np.maximum(sent, 1)[..., None]
        return cls(
            attempts=groups.sums(sent),
            received=groups.sums(outcome.delivered),
            acknowledged=groups.sums(outcome.delivered if free else outcome.downlinks_received),
            energy_mj=groups.sums(outcome.energy_mj),
            frames_delivered=groups.sums(outcome.frames_delivered),
            frames_lost=groups.sums(outcome.frames_lost + outcome.dropped),
            delay_s=groups.sums(outcome.delay_s),
            queued=groups.network_sums(outcome.queued) / sizes,
            channel_attempts=groups.network_sums(by_channel),
            channel_received=groups.network_sums(outcome.arm_delivered[..., channels]),
            channel_airtime_s=groups.network_sums(share * outcome.airtime_s[..., None]),
            downlink_airtime_s=np.add.reduceat(outcome.downlink_airtime_s, groups.first_gateway, axis=1),
            offset_attempts=groups.network_sums(_by_offset(outcome.arm_sent, groups.least_sf, groups.highest_sf)),
            offset_received=groups.network_sums(_by_offset(outcome.arm_delivered, groups.least_sf, groups.highest_sf)),
        )

    def state_arrays(self) -> dict[str, NDArray]:
        """All totals by name, which files have, too (not copies)."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _by_offset(arms: NDArray[np.int64], least_sf: NDArray[np.int64], highest: int) -> NDArray[np.int64]:
    """Packets by steps above the node's least spreading factor; 0 above `highest`. `[B, N, K]` -> `[B, N, O]`"""
    sf = least_sf[..., None] + np.arange(OFFSETS)
    return np.where(sf <= highest, np.take_along_axis(arms, np.minimum(sf, highest), axis=-1), 0)
