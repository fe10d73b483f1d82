"""The observation of a node under `uplink_v0`: its parameters, packets and deliveries, as named and bounded features.

Shape letters: `B` replicas, `N` nodes, `D` features, `K` values of all factors.
"""

from __future__ import annotations

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import DTypeLike, NDArray

from lora_marl.core import phy
from lora_marl.core.air import Air
from lora_marl.core.outcome import Outcome
from lora_marl.core.reception import Fate
from lora_marl.core.region import FACTORS
from lora_marl.core.scenario import Scenario
from lora_marl.envs.features import Feature, box, names
from lora_marl.envs.uplink.rows import write_rows

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
        shown = [(FACTORS.index(name), region.factor_sizes[FACTORS.index(name)], name == "channel") for name in factors]
        self._columns = np.array(shown, np.int64).reshape(-1, 3)
        sf, bw, channel, _ = np.cumsum((0, *region.factor_sizes[:3])).tolist()
        self._arms = np.r_[sf:bw, channel : channel + region.factor_sizes[2]]
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
        lead = points.shape[:-1]
        values = np.empty((*lead, len(self.names)), np.float32)
        transmissions = np.zeros(0)
        if nb_trans is not None and self._most_transmissions is not None:
            transmissions = ((nb_trans - 1) / max(self._most_transmissions - 1, 1)).reshape(-1)
        write_rows(
            values.reshape(-1, len(self.names)), self._columns, _flat(points, np.int16, lead),
            _flat(fate, np.int8, lead), self._fates, _flat(last_point, np.int16, lead),
            _flat(rssi_dbm, np.float64, lead), self._snr_floor_dbm, SNR_SCALE_DB, self._arms,
            _flat(arm_sent, np.float64, lead), _flat(arm_delivered, np.float64, lead), _flat(ended, np.int64, lead),
            _flat(active, np.bool_, lead), transmissions,
        )  # fmt: skip
        return values


def _flat(array: NDArray, dtype: DTypeLike, lead: tuple[int, ...]) -> NDArray:
    """The array with one axis for all leading ones, contiguous. `[M]` or `[M, ...]`"""
    return np.ascontiguousarray(array, dtype).reshape(-1, *array.shape[len(lead) :])


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
