"""The observation of a node under `uplink_v0`: its parameters, packets and deliveries, as named and bounded features.

Shape letters: `B` replicas, `N` nodes, `D` features, `K` values of all factors.
"""

from __future__ import annotations

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from lora_marl.core import phy
from lora_marl.core.air import Air
from lora_marl.core.outcome import Outcome
from lora_marl.core.reception import Fate
from lora_marl.core.region import FACTORS
from lora_marl.core.scenario import Scenario
from lora_marl.envs.features import Feature, box, names

SNR_SCALE_DB = 40.0
"""SNR margin that counts as 1. dB"""


class NodeFeatures:
    """A node's knowledge of itself: its last choice, its last packet, and its deliveries by parameter.

    Args:
        scenario: The network.
        factors: The factors that nodes choose; the observation shows the last choice of these.
        memory: Share of the packet counts behind the delivery averages that each step keeps; 1: all of the episode.
        nb_trans: Largest NbTrans that nodes choose; None: they do not.

    Attributes:
        table: The features in their order.
        names: Name of each number of an observation. `[D]`

    Raises:
        ValueError: a memory outside 0 to 1.
    """

    def __init__(
        self, scenario: Scenario, factors: tuple[str, ...], memory: float, *, nb_trans: int | None = None
    ) -> None:
        if not 0.0 <= memory <= 1.0:
            raise ValueError(f"memory: {memory} is not from 0 to 1")
        region = scenario.region
        self._memory, self._fates, self._most_transmissions = memory, len(_fates(scenario)), nb_trans
        self._factors = [(FACTORS.index(name), region.factor_sizes[FACTORS.index(name)]) for name in factors]
        sf, bw, channel, _ = np.cumsum((0, *region.factor_sizes[:3])).tolist()
        self._arms = (slice(sf, bw), slice(channel, channel + region.factor_sizes[2]))
        bw_hz = np.array(region.bandwidths_hz)
        self._snr_floor_dbm = phy.noise_dbm(bw_hz, scenario.reception.noise_figure_db) + np.expand_dims(
            scenario.reception.sinr_thresholds_db(np.array(region.spreading_factors)), 1
        )
        self.table = _table(scenario, factors, nb_trans)
        self.names = names(self.table)

    def box(self) -> Box:
        """The space of one node's observation. `[D]`"""
        return box(self.table)

    def begin(self, outcome: Outcome) -> None:
        """Start an episode without packets; the outcome of an empty time gives the shapes."""
        self._arm_sent = outcome.arm_sent.astype(np.float64)
        self._arm_delivered = outcome.arm_delivered.astype(np.float64)
        self._ended = outcome.sent

    def update(self, outcome: Outcome) -> None:
        """Add what came of a step."""
        if self._memory < 1.0:
            self._arm_sent *= self._memory
            self._arm_delivered *= self._memory
        self._arm_sent += outcome.arm_sent
        self._arm_delivered += outcome.arm_delivered
        self._ended = outcome.sent

    def array(
        self,
        air: Air,
        points: NDArray[np.int16],
        active: NDArray[np.bool_],
        nb_trans: NDArray[np.int8] | None = None,
    ) -> NDArray[np.float32]:
        """The observations of all nodes. `[B, N, D]`"""
        last = air.last_fate, air.last_point, air.last_rssi_dbm
        return self.rows(points, *last, self._arm_sent, self._arm_delivered, self._ended, active, nb_trans)

    def rows(
        self,
        points: NDArray[np.int16],
        fate: NDArray[np.int8],
        last_point: NDArray[np.int16],
        rssi_dbm: NDArray[np.float64],
        arm_sent: NDArray,
        arm_delivered: NDArray,
        ended: NDArray[np.integer],
        active: NDArray[np.bool_],
        nb_trans: NDArray[np.int8] | None = None,
    ) -> NDArray[np.float32]:
        """The observations of some nodes, from the fates of their packets.

        Args:
            points: The operating point chosen last. `[..., 4]`
            fate: `Fate` of the last packet that ended. `[...]`
            last_point: The operating point that it was sent with. `[..., 4]`
            rssi_dbm: Its received power. `[...]` dBm
            arm_sent, arm_delivered: Packet counts by factor value, for the delivery averages. `[..., K]`
            ended: Packets that ended in the step. `[...]`
            active: Whether the node is part of the network. `[...]`
            nb_trans: NbTrans chosen last, where nodes choose it. `[...]`

        Returns:
            Values of `table`. `[..., D]`
        """
        values = np.empty((*points.shape[:-1], len(self.names)), np.float32)
        at = 0
        for column, size in self._factors:
            index = points[..., column]
            if FACTORS[column] == "channel":
                at = _write(values, at, _one_hot(index, size))
            else:
                at = _write(values, at, (index / max(size - 1, 1))[..., None])
        if nb_trans is not None and self._most_transmissions is not None:
            at = _write(values, at, ((nb_trans - 1) / max(self._most_transmissions - 1, 1))[..., None])
        at = _write(values, at, _one_hot(fate + 1, self._fates))
        for arms in self._arms:
            at = _write(values, at, (arm_delivered[..., arms] + 1.0) / (arm_sent[..., arms] + 2.0))
        values[..., at] = self._snr_margin(fate, last_point, rssi_dbm)
        values[..., at + 1] = ended / (1.0 + ended)
        values[..., at + 2] = ended > 0
        values[..., at + 3] = active
        return values

    def _snr_margin(
        self, fate: NDArray[np.int8], last_point: NDArray[np.int16], rssi_dbm: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """SNR of a delivered packet above the demodulation floor of its data rate, 0 for others. `[...]`, -1 to 1"""
        sf, bw = np.moveaxis(last_point[..., :2], -1, 0)
        margin_db = rssi_dbm - self._snr_floor_dbm[sf, bw]
        return np.where(fate == Fate.DELIVERED, np.clip(margin_db / SNR_SCALE_DB, -1.0, 1.0), 0.0)


def _table(scenario: Scenario, factors: tuple[str, ...], nb_trans: int | None) -> tuple[Feature, ...]:
    """The features of a node that chooses these factors, in their order."""
    region = scenario.region
    channels = tuple(f"_{channel}" for channel in range(len(region.channels_hz)))
    last = {
        "sf": Feature("sf", "highest index", 0, 1, "spreading factor chosen last"),
        "bw": Feature("bw", "highest index", 0, 1, "bandwidth chosen last"),
        "channel": Feature("channel", "flag", 0, 1, "channel chosen last", channels),
        "tp": Feature("tp", "highest index", 0, 1, "power chosen last"),
    }
    fates = tuple(fate.name.lower() for fate in _fates(scenario))
    sf = tuple(str(sf) for sf in region.spreading_factors)
    return (
        *(last[name] for name in factors),
        *(() if nb_trans is None else (Feature("nb_trans", "highest index", 0, 1, "NbTrans chosen last, less 1"),)),
        Feature("fate_", "flag", 0, 1, "fate of the last packet", fates),
        Feature("delivery_sf", "share", 0, 1, "delivered by spreading factor, (d + 1) / (n + 2)", sf),
        Feature("delivery_channel", "share", 0, 1, "delivered by channel, (d + 1) / (n + 2)", channels),
        Feature("snr_margin", f"{SNR_SCALE_DB:g} dB", -1, 1, "SNR above the floor of the last packet; 0 if lost"),
        Feature("packets", "n / (n + 1)", 0, 1, "packets that ended in the step"),
        Feature("sent", "flag", 0, 1, "whether one ended in the step"),
        Feature("active", "flag", 0, 1, "whether the node is part of the network now"),
    )


def _fates(scenario: Scenario) -> list[Fate]:
    """The fates that a packet can have; gateways are deaf only where they send or where links say so."""
    deaf = scenario.feedback == "downlink" or scenario.links is not None
    return [fate for fate in Fate if fate != Fate.GATEWAY_SENDING or deaf]


def _write(values: NDArray[np.float32], at: int, part: NDArray) -> int:
    """Write features from column `at` on. Returns the next free column."""
    end = at + part.shape[-1]
    values[..., at:end] = part
    return end


def _one_hot(index: NDArray[np.integer], size: int) -> NDArray[np.float32]:
    return np.eye(size, dtype=np.float32)[index]
