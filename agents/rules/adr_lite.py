"""ADR-Lite: a binary search over data rates and powers in order of their energy, decided on every uplink.

The server keeps no history. With the configurations 0 to K - 1 in order of the energy of a packet, and k the one that
it commanded last,

    if the uplink was sent with k:  k <- floor(k / 2)            search among those of less energy
    else:                           k <- floor((k + K - 1) / 2)  search among those of more

It begins with the configuration of most energy. A device whose commands arrive is thus led to the configuration of
least energy, reachable or not; only a device that backs off, or a command that is lost, leads it back.

| paper | name | paper | name |
|---|---|---|---|
| k_u(t - 1) | `wanted_rate` and `wanted_power` of `SESSION` | r_u(t), what the uplink was sent with | `rate`, `power` |
| configurations, sorted by energy | `configurations` | | |

Source: Serati et al., "ADR-Lite: a low-complexity adaptive data rate scheme for the LoRa network", WiMob 2022; a
published component for the LoRaWAN module of ns-3.
Differences: those of `agents.rules.served_adr`, of which the second does not concern it, and
    1. Configurations are data rates and powers. The paper's also have a channel and a coding rate; here nodes hop over
       all channels, and the coding rate is the network's.
    2. Energy is radiated power times airtime of the largest payload; of equals, the faster data rate comes first.
    3. The component moves towards more energy where an answer could not be sent; here it waits for the next uplink.

Shape letters: `M` uplinks received, `R` data rates, `T` powers, `K` configurations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.rules.served_adr import ServedAdr, want
from lora_marl.core.outcome import REPEATED
from lora_marl.core.units import dbm_to_mw

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario


class AdrLite(ServedAdr):
    """ADR-Lite, on a network server.

    Args:
        scenario, seeds, start, channels, backoff: As in `ServedAdr`.

    Attributes:
        configurations: Data rate and power of each configuration, in order of energy. `[K, 2]`

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    name: ClassVar[str] = "adr-lite"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        start: str = "slowest",
        channels: str = "hop",
        backoff: bool = True,
    ) -> None:
        super().__init__(scenario, seeds, margin_db=0.0, start=start, channels=channels, backoff=backoff)
        self.nb_trans = None  # it sends every frame once
        self.configurations = by_energy(scenario)
        self._place = np.zeros((self._fastest + 1, self._lowest + 1), np.int64)
        self._place[self.configurations[:, 0], self.configurations[:, 1]] = np.arange(len(self.configurations))

    @property
    def operations(self) -> int:
        """Two comparisons, an addition, a division, and two look-ups."""
        return 6

    def _take_in(self, records: NDArray[np.void], snr_db: NDArray[np.float32], nb_trans: NDArray[np.int8]) -> None:
        _take_in(self._sessions, records, self._place, self.configurations)


def by_energy(scenario: Scenario) -> NDArray[np.int64]:
    """Data rate and power of all configurations, numbered as servers do, the one of least energy first. `[K, 2]`"""
    region = scenario.region
    airtime_s = scenario.airtime_s()[::-1, 0]
    tp_mw = dbm_to_mw(np.array(region.tp_dbm, np.float64)[::-1])
    rate, power = np.indices((len(airtime_s), len(tp_mw))).reshape(2, -1)
    order = np.lexsort((-rate, airtime_s[rate] * tp_mw[power]))
    return np.stack([rate, power], axis=1)[order]


@njit(cache=True)
def _take_in(sessions, records, place, configurations):  # type: ignore[no-untyped-def]
    fastest, lowest, last = place.shape[0] - 1, place.shape[1] - 1, len(configurations) - 1
    for i in range(len(records)):
        record = records[i]
        if record.missed == REPEATED:
            continue
        session = sessions[record.replica, record.node]
        session.rate, session.power = fastest - record.point[0], lowest - record.point[3]
        k = place[session.wanted_rate, session.wanted_power]
        as_commanded = session.rate == session.wanted_rate and session.power == session.wanted_power
        chosen = k // 2 if as_commanded else (k + last) // 2
        want(session, (configurations[chosen, 0], configurations[chosen, 1], 1), 1)
