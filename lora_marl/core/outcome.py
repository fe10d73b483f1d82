"""Reports of the packet air: outcomes of a period, decisions that are due, uplinks received, recorded packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.metrics import ratio
from lora_marl.core.reception import Fate


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a period, per node `[B, N]`.

    A packet counts in the period in which it ends, with the parameters that it was sent with.

    Attributes:
        duration_s: Length of the period. `[B]` s
        delivered, below_sensitivity, interfered, collided, no_demodulator, gateway_sending: Packets by fate.
        dropped: Packets generated in the period while the node was busy or off or its queue full, and frames that
            waited when their node left.
        airtime_s: s
        energy_mj: mJ
        delivered_bits: PHY payload of delivered packets. bit
        arm_sent, arm_delivered: Packets by factor value, `[B, N, K]`: spreading factors, then bandwidths, channels,
            powers; `K` is 0 where the air does not count them.
        downlinks, downlinks_received, downlinks_refused: Downlinks sent to the node, those of them that it received,
            and those that no gateway could send.
        downlink_airtime_s: Of each gateway, of the downlinks that began in the period. `[B, G]` s
        frames_delivered, frames_lost: Frames of confirmed traffic, or sent with `nb_trans`, by whether a packet of
            theirs was received: counted at the first that was, or when the last has failed; 0 for other traffic, whose
            every packet is a frame.
        delay_s: From generation to first reception, summed over frames delivered. s
        queued: Frames that wait at the end of the period, the one being sent included.
        foreign_busy_s: Airtime of other networks' packets that a gateway could hear (at or above its sensitivity), by
            their channel. `[B, G, C]` s
        external_busy_s: Time with a burst of interference on the channel. `[B, C]` s
    """

    duration_s: NDArray[np.float64]
    delivered: NDArray[np.int64]
    below_sensitivity: NDArray[np.int64]
    interfered: NDArray[np.int64]
    collided: NDArray[np.int64]
    no_demodulator: NDArray[np.int64]
    gateway_sending: NDArray[np.int64]
    dropped: NDArray[np.int64]
    airtime_s: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    delivered_bits: NDArray[np.float64]
    arm_sent: NDArray[np.int64]
    arm_delivered: NDArray[np.int64]
    downlinks: NDArray[np.int64]
    downlinks_received: NDArray[np.int64]
    downlinks_refused: NDArray[np.int64]
    downlink_airtime_s: NDArray[np.float64]
    frames_delivered: NDArray[np.int64]
    frames_lost: NDArray[np.int64]
    delay_s: NDArray[np.float64]
    queued: NDArray[np.int64]
    foreign_busy_s: NDArray[np.float64]
    external_busy_s: NDArray[np.float64]

    @property
    def sent(self) -> NDArray[np.int64]:
        """Packets that ended. `[B, N]`"""
        heard = self.delivered + self.interfered + self.collided + self.no_demodulator + self.gateway_sending
        return heard + self.below_sensitivity

    @property
    def power_mw(self) -> NDArray[np.float64]:
        """Mean power over the period; nan where it has no length. `[B, N]` mW"""
        power_mw: NDArray[np.float64] = ratio(self.energy_mj, self.duration_s[:, None])
        return power_mw

    def __add__(self, other: Outcome) -> Outcome:
        """The outcome of two periods together, `other` the later one."""
        both = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "queued"}
        return Outcome(**both, queued=other.queued)


class Decisions:
    """Decisions that are due, one row each: by replica, then in the order in which the packets ended.

    Attributes:
        records: The rows as one structured array `[M]` with the fields below (what compiled learners take).
    """

    __slots__ = ("records",)

    def __init__(self, records: NDArray[np.void]) -> None:
        self.records = records

    def __len__(self) -> int:
        return self.records.shape[0]

    @property
    def replica(self) -> NDArray[np.int32]:
        """Replica of each row. `[M]`"""
        return self.records["replica"]

    @property
    def node(self) -> NDArray[np.int32]:
        """Node that decides. `[M]`"""
        return self.records["node"]

    @property
    def fate(self) -> NDArray[np.int8]:
        """Fate of the node's last packet; `Fate.NONE` before its first. `[M]`"""
        return self.records["fate"]

    @property
    def rssi_dbm(self) -> NDArray[np.float64]:
        """Received power of that packet at its best gateway; nan before the first. `[M]` dBm"""
        return self.records["rssi_dbm"]

    @property
    def point(self) -> NDArray[np.int16]:
        """Operating point that it was sent with. `[M, 4]`"""
        return self.records["point"]

    @property
    def time_s(self) -> NDArray[np.float64]:
        """When the decision fell due. `[M]` s"""
        return self.records["time_s"]

    @property
    def sent(self) -> NDArray[np.int32]:
        """Packets of the node since its last decision fell due. `[M]`"""
        return self.records["sent"]

    @property
    def delivered(self) -> NDArray[np.int32]:
        """Those of them that were delivered. `[M]`"""
        return self.records["delivered"]

    def earlier(self) -> Iterator[Decisions]:
        """The packets of the rows before their last ones: a batch for each place in a round, of nodes that have one.

        An answer tells how many of them were delivered; which, and why others were not, it does not: those lost come
        first, as `Fate.INTERFERED` with a received power of nan. Where every packet is answered there are none.
        """
        last_delivered = self.fate == Fate.DELIVERED
        lost = self.sent - self.delivered - ~last_delivered
        for place in range(int(self.sent.max(initial=0)) - 1):
            some = self.sent - 1 > place
            rows = self.records[some].copy()
            was_lost = place < lost[some]
            rows["fate"] = np.where(was_lost, Fate.INTERFERED, Fate.DELIVERED)
            rows["rssi_dbm"] = np.where(was_lost, np.nan, rows["rssi_dbm"])
            rows["sent"], rows["delivered"] = 1, ~was_lost
            yield Decisions(rows)


class Heard:
    """Uplinks that the network received, by replica, then in order of time: what a network server knows.

    Args:
        records: The rows.
        nb_trans: Of their nodes; None: 1. `[M]`

    Attributes:
        records: The rows as one structured array `[M]` with the fields below.
        nb_trans: NbTrans that the node used, which its answer to the last command (LinkADRAns) tells. `[M]`
    """

    __slots__ = ("nb_trans", "records")

    def __init__(self, records: NDArray[np.void], nb_trans: NDArray[np.int8] | None = None) -> None:
        self.records = records
        self.nb_trans = np.ones(len(records), np.int8) if nb_trans is None else nb_trans

    def __len__(self) -> int:
        return self.records.shape[0]

    @property
    def replica(self) -> NDArray[np.int32]:
        """Replica of each row. `[M]`"""
        return self.records["replica"]

    @property
    def node(self) -> NDArray[np.int32]:
        """Node that sent the uplink. `[M]`"""
        return self.records["node"]

    @property
    def gateway(self) -> NDArray[np.int32]:
        """Gateway that received it best. `[M]`"""
        return self.records["gateway"]

    @property
    def time_s(self) -> NDArray[np.float64]:
        """End of the packet. `[M]` s"""
        return self.records["time_s"]

    @property
    def rssi_dbm(self) -> NDArray[np.float64]:
        """Received power at that gateway. `[M]` dBm"""
        return self.records["rssi_dbm"]

    @property
    def point(self) -> NDArray[np.int16]:
        """Operating point that it was sent with. `[M, 4]`"""
        return self.records["point"]

    @property
    def missed(self) -> NDArray[np.int32]:
        """Frames of the node lost since its last received one, by the frame counter.

        -1 for its first, and `REPEATED` for a packet of a frame that has been received before. `[M]`
        """
        return self.records["missed"]

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Whether the packet's frame counter is that of the node's last one received: a retry, a repeat. `[M]`"""
        return self.records["missed"] == REPEATED

    @property
    def since_s(self) -> NDArray[np.float64]:
        """From the end of the packet by which its last frame was received first, to that of this one. `[M]` s

        nan for the node's first.
        """
        return self.records["since_s"]

    def frames(self) -> Heard:
        """The rows by which a frame was received first, without its repeats."""
        return Heard(self.records[~self.repeated], self.nb_trans[~self.repeated])


REPEATED = -2
"""`missed` of a packet whose frame the network has received before."""

UPLINK_KIND, DOWNLINK_KIND, BURST_KIND = 0, 1, 2
"""Kinds of recorded packets; a burst is one of interference."""


@dataclass(frozen=True, kw_only=True)
class Packets:
    """Recorded packets of one replica, `P` in order of start. Together with `Receptions` the oracle's only input.

    Attributes:
        source: Node that sent it, or that a downlink is for; the channel of a burst. `[P]`
        gateway: That sent a downlink, else -1. `[P]`
        kind: `UPLINK_KIND`; `DOWNLINK_KIND`, whose operating point has indices of `Scenario.receive_windows`, where
            RX2's channel is behind those of uplinks, and power 0; or `BURST_KIND`, whose operating point has a channel
            and nothing else, and which keeps fate NONE. `[P]`
        index: Its number among the source's packets. `[P]`
        fate: `Fate`; NONE while it is on the air. `[P]`
        start_s, end_s, critical_s: On the air from start to end; harmful overlaps lie after `critical_s`. `[P]` s
        point: Operating point. `[P, 4]`
    """

    source: NDArray[np.int32]
    gateway: NDArray[np.int32]
    kind: NDArray[np.int8]
    index: NDArray[np.int64]
    fate: NDArray[np.int8]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    critical_s: NDArray[np.float64]
    point: NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class Receptions:
    """Reception of the recorded packets at each gateway.

    Attributes:
        rssi_dbm: Received power; of a downlink at its node, in the first column. `[P, G]` dBm
        overlap_mw: Summed power of all packets that overlap it beyond spared symbols, whatever their spreading factor.
            `[P, G]` mW
        fate: The packet's fate at the gateway; NONE while it is on the air, and at gateways of other networks. `[P, G]`
    """

    rssi_dbm: NDArray[np.float64]
    overlap_mw: NDArray[np.float64]
    fate: NDArray[np.int8]
