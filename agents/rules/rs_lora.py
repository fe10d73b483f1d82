"""RS-LoRa as D-LoRa's conference paper compares with it: small spreading factors more often, power by link.

A node draws for every packet

    SF            with probability p_s, see below
    BW, channel   each value as likely
    TP            one above the smallest power with TP - PL - sensitivity(SF, BW) > 0 (the highest power left out);
                  where there is none, the second lowest power

where PL is the mean path loss to the nearest gateway in dB plus a draw from N(0, sigma^2), the shadowing.

| `sf_weight` | p_s |
|---|---|
| `xor` (as run) | (s XOR 2) in place of 2^s, which makes all spreading factors nearly as likely |
| `true` | (s / 2^s) / sum (i / 2^i), of Reynders et al. |

Source: the code behind D-LoRa's conference paper (IEEE GLOBECOM 2025); Reynders, Meert and Pollin 2017 and 2018 for
RS-LoRa.
Differences:
    1. From RS-LoRa: neither the code nor this learner has its beacons, slots and sorting of nodes.
    2. From the code: it looks among 2 to 14 dBm and adds 2 dB. Here a region with powers up to 16 dBm does the same.

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch, `T` powers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.draws import learner_keys, uniform_index
from agents.learner import Learner
from lora_marl.core.metric_factors import sf_weights
from lora_marl.core.random import normal, uniform
from lora_marl.core.region import BW, SF, TP

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


class RSLoRa(Learner):
    """RS-LoRa: the parameters of every packet are drawn (see `agents.draws`).

    Args:
        scenario: The network; path losses are those at its start.
        seeds: One per replica.
        sf_weight: `xor` or `true`.

    Raises:
        ValueError: an unknown `sf_weight`.
    """

    name: ClassVar[str] = "rs-lora"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, sf_weight: str = "xor") -> None:
        super().__init__(scenario, seeds)
        region, reception = self.region, scenario.reception
        self._cumulative = np.cumsum(sf_weights(region.spreading_factors, sf_weight))
        gain_db = scenario.mean_gain_db().max(axis=-1)
        self._gain_db = np.broadcast_to(gain_db, (self.replicas, self.nodes)).copy()
        self._shadowing_db = scenario.propagation.shadowing_db
        self._sensitivity_dbm = reception.sensitivities_dbm(
            np.array(region.spreading_factors), np.array(region.bandwidths_hz)
        )
        self._tp_dbm = np.array(region.tp_dbm, np.float64)
        self._keys = learner_keys(seeds)
        self._decided = np.zeros((self.replicas, self.nodes), np.int64)

    @property
    def operations(self) -> int:
        """Four draws, a comparison per spreading factor and power, and five for the link."""
        return 9 + len(self._cumulative) + len(self._tp_dbm)

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The next draw of each decider. `[M, 4]`"""
        replica, node = decisions.replica, decisions.node
        chosen = self._draws(replica, node)
        self._decided[replica, node] += 1
        return chosen

    def initial_points(self) -> NDArray[np.int16]:
        """The draws of the first decision. `[B, N, 4]`"""
        replica, node = np.indices((self.replicas, self.nodes)).reshape(2, -1)
        return self._draws(replica, node).reshape(self.replicas, self.nodes, 4)

    def state_arrays(self) -> dict[str, NDArray]:
        """Decisions so far `[B, N]`."""
        return {"decided": self._decided}

    def _draws(self, replica: NDArray, node: NDArray) -> NDArray[np.int16]:
        drawn = np.zeros((len(replica), 4), np.int16)
        sizes = np.array([len(self.region.bandwidths_hz), len(self.region.channels_hz)], np.int64)
        shadowing = np.zeros(len(replica))
        _draw(self._keys[replica], node, self._decided[replica, node], self._cumulative, sizes, drawn, shadowing)
        received_dbm = self._gain_db[replica, node] - self._shadowing_db * shadowing
        sensitivity_dbm = self._sensitivity_dbm[drawn[:, SF], drawn[:, BW]]
        drawn[:, TP] = power_index(received_dbm - sensitivity_dbm, self._tp_dbm)
        return drawn


def power_index(margin_db: NDArray[np.float64], tp_dbm: NDArray[np.float64]) -> NDArray[np.intp]:
    """One power above the smallest sufficient one, the last power left out; the second lowest where none suffices.

    Args:
        margin_db: Received power over the sensitivity of a transmission at 0 dBm. `[M]` dB
        tp_dbm: Powers, ascending. `[T]` dBm

    Returns:
        Indices of the powers. `[M]`

    Source: the code behind D-LoRa's conference paper.
    """
    if len(tp_dbm) == 1:
        return np.zeros(len(margin_db), np.intp)
    enough = tp_dbm[:-1] + margin_db[:, None] > 0
    return enough.argmax(axis=1) + 1  # argmax is 0 where none is


@njit(nogil=True)  # no disk cache: it would not notice a change of the generator
def _draw(
    key: NDArray[np.uint64],
    node: NDArray[np.integer],
    decided: NDArray[np.int64],
    cumulative: NDArray[np.float64],
    sizes: NDArray[np.int64],
    drawn: NDArray[np.int16],
    shadowing: NDArray[np.float64],
) -> None:
    """Four draws for each decision: spreading factor, bandwidth, channel, shadowing (a standard normal)."""
    for m in range(len(node)):
        first = 4 * decided[m]
        draw = uniform(key[m], node[m], first)
        while drawn[m, 0] < len(cumulative) - 1 and draw >= cumulative[drawn[m, 0]]:
            drawn[m, 0] += 1
        for factor in range(2):
            drawn[m, 1 + factor] = uniform_index(key[m], node[m], first + 1 + factor, sizes[factor])
        shadowing[m] = normal(key[m], node[m], first + 3)
