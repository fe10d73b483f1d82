"""ADR as the LoRaWAN module of ns-3 runs it (`AdrComponent`), decided on every uplink once four were received.

    steps = floor((mean SNR of the last four frames - SNR needed at the data rate) / 3 dB)

Steps up raise the data rate to the fastest, then lower the power; steps down raise the power. There is no margin. The
history never begins anew: a mean may cover packets of several data rates and powers. NbTrans is 1.

| ns-3 | name |
|---|---|
| `HistoryRange`, 4 | `history` |
| `MultiplePacketsCombiningMethod`, avg | `statistic`: `mean`, `max` or `min` |
| `threshold` | `REQUIRED_SNR_DB` |
| `ChangeTransmissionPower` | `change_power` |

Source: signetlabdei/lorawan, `model/adr-component.cc` and `adr-component.h`, `model/end-device-status.cc` (a frame
counter has one entry); Li et al., "How agile is the adaptive data rate mechanism of LoRaWAN?", 2018.
Differences: those of `agents.rules.served_adr`, of which the second does not concern it, and
    1. Of several gateways the strongest counts; the module takes the mean of their received powers by default.
    2. The module enables the first three channels; here nodes hop over all of the region's.
    3. Powers are the region's values, 2 dB apart from 2 to 14 dBm in the module.
    4. Like the module, the server knows the power that its device uses.
    5. Nodes back off as LoRaWAN has it.
    6. The module's gateways hear 5.5 dB less than its rule asks for (SF7 at -130 dBm), which is its margin. Where a
       scenario's sensitivities are above the noise plus `REQUIRED_SNR_DB`, the rule commands what cannot be heard:
       give it a `margin_db`.

Shape letters: `M` uplinks received.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from agents.rules.served_adr import HISTORY, ServedAdr, add_entry, after_steps
from lora_marl.core.checks import check_choice
from lora_marl.core.outcome import REPEATED

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

STATISTICS = ("mean", "max", "min")


class AdrNs3(ServedAdr):
    """The rule of ns-3's `AdrComponent`.

    Args:
        scenario, seeds, start, channels, backoff: As in `ServedAdr`.
        margin_db: As in `ServedAdr`; the module has none. dB
        history: Frames that are looked at, 1 to 20.
        statistic: Statistic of their SNR, in dB: `mean`, `max` or `min`.
        change_power: Whether the server commands powers, too.

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    name: ClassVar[str] = "adr-ns3"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        margin_db: ArrayLike = 0.0,
        history: int = 4,
        statistic: str = "mean",
        change_power: bool = True,
        start: str = "slowest",
        channels: str = "hop",
        backoff: bool = True,
    ) -> None:
        check_choice("statistic", statistic, STATISTICS)
        if history not in range(1, HISTORY + 1):
            raise ValueError(f"history = {history}: must be a whole number from 1 to {HISTORY}")
        super().__init__(scenario, seeds, margin_db=margin_db, start=start, channels=channels, backoff=backoff)
        self.nb_trans = None  # the module sends every frame once
        self.history, self._statistic, self._change_power = int(history), STATISTICS.index(statistic), change_power

    def _take_in(self, records: NDArray[np.void], snr_db: NDArray[np.float32], nb_trans: NDArray[np.int8]) -> None:
        _take_in(
            self._sessions, records, snr_db, self._needed_db, self.margin_db, self._lowest, self.history,
            self._statistic, self._change_power,
        )  # fmt: skip


@njit(cache=True)
def _statistic_db(session, history, statistic):  # type: ignore[no-untyped-def]
    """Statistic of the SNR of the last frames, which are in the history. dB"""
    first = session.entries - history
    total = least = most = np.float64(session.snr_db[first])
    for i in range(first + 1, session.entries):
        total += session.snr_db[i]
        least, most = min(least, session.snr_db[i]), max(most, session.snr_db[i])
    return total / history if statistic == 0 else most if statistic == 1 else least


@njit(cache=True)
def _take_in(  # type: ignore[no-untyped-def]
    sessions, records, snr_db, needed_db, margin_db, lowest, history, statistic, change_power
):
    fastest = len(needed_db) - 1
    for i in range(len(records)):
        record = records[i]
        if record.missed == REPEATED:
            continue
        session = sessions[record.replica, record.node]
        session.rate = fastest - record.point[0]
        session.power = lowest - record.point[3]
        add_entry(session, snr_db[i], record.missed)
        session.wanted_rate, session.wanted_power = session.rate, session.power
        if session.entries < history:
            continue
        margin_now_db = _statistic_db(session, history, statistic) - needed_db[session.rate] - margin_db[record.node]
        steps = int(np.floor(margin_now_db / 3.0))
        rate, power = after_steps(steps, session.rate, session.power, fastest, lowest)
        session.wanted_rate, session.wanted_power = rate, power if change_power else session.power
