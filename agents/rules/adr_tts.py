"""ADR as The Things Stack runs it, decided on every uplink.

    margin = strongest SNR of the history - SNR needed at the data rate - 15 dB, less 2.5 dB below 20 entries

1. The data rate rises by trunc(margin / 2.5 dB), to the fastest at most, and never falls; each costs 2.5 dB of the
   margin. When it rises, the power begins anew at the highest.
2. The power becomes the lowest one whose distance from it, in dB, fits into what is left of the margin; where that is
   below 0, a higher one, the highest if none fits. With fewer than 20 entries, it does not rise by 2.5 dB or less.
3. From 10 entries on, NbTrans n follows the share of frame counters missing from the first entry to the last: below
   5 %, 1 + n // 3; below 10 %, n; below 30 %, 2 + n // 2; else 3.

The history has an entry for every uplink, retries included. It begins anew with the uplink that accepts a command, and
when the data rate changes. Where an uplink's is below the session's, the power counts as reset to the highest.

| The Things Stack | name |
|---|---|
| `DefaultADRMargin`, `OptimalADRUplinkCount` | `margin_db`, `HISTORY` |
| `safetyMargin`, `drStep` | `SAFETY_DB`, `RATE_STEP_DB` |
| `CurrentParameters`, `DesiredParameters` | `rate`, ...; `wanted_rate`, ... of `SESSION` |
| `TxOffset` | `offset_db` |

Source: The Things Stack v3, `pkg/networkserver/mac/adr.go` (the algorithm), `grpc_gsns.go` (history, data rate) and
`mac/link_adr.go` (history after a command). Defaults, without settings of the device.
Version: the one whose power may rise again. The algorithm was compared with a copy of the stack,
dev-ansh-r/dcalpwan-server-stack at dcb4814, and with one that has an addition of its own,
JuiMhatre/ttn-lorawan-local-server at 4994482; which release they stem from, they do not say. An earlier one,
TheThingsNetwork/lorawan-stack at 99492b7, differs in three points: power never rises while the data rate stays, short
histories do not hold it back, and the uplink that accepts a command is not in the history that follows it. It is not
implemented.
Differences: those of `agents.rules.served_adr`, and
    1. What it decides on a retry of a frame that it has received goes out with the next frame, not at once.
    2. No device rejects a data rate or a power.

Shape letters: `M` uplinks received.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from agents.rules.served_adr import HISTORY, ServedAdr, accept_command, add_entry, frames_in_history, strongest_db, want

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

SAFETY_DB = np.float32(2.5)
"""Kept in reserve while the history is not full. dB"""
RATE_STEP_DB = np.float32(2.5)
"""Margin that a data rate uses up. dB"""
MOST_NB_TRANS = 3


class AdrTts(ServedAdr):
    """The Things Stack's ADR algorithm.

    Args:
        scenario, seeds, margin_db, start, channels, backoff: As in `ServedAdr`.

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    name: ClassVar[str] = "adr-tts"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        margin_db: ArrayLike = 15.0,
        start: str = "slowest",
        channels: str = "hop",
        backoff: bool = True,
    ) -> None:
        super().__init__(scenario, seeds, margin_db=margin_db, start=start, channels=channels, backoff=backoff)
        tp_dbm = np.array(self.region.tp_dbm, np.float32)
        self._offset_db = tp_dbm[::-1] - tp_dbm[-1]

    def _take_in(self, records: NDArray[np.void], snr_db: NDArray[np.float32], nb_trans: NDArray[np.int8]) -> None:
        margin_db = self.margin_db.astype(np.float32)
        constants = self._needed_db, margin_db, self._offset_db, self._most_nb_trans
        _take_in(self._sessions, records, snr_db, nb_trans, *constants)


@njit(cache=True)
def rate_and_margin(rate, margin_db, fastest):  # type: ignore[no-untyped-def]
    """The data rate that a margin allows, and what is left of the margin."""
    steps = margin_db / RATE_STEP_DB
    faster = 0
    if steps >= 0:
        faster = int(steps) if steps < fastest - rate else fastest - rate
    return rate + faster, margin_db - np.float32(faster) * RATE_STEP_DB


@njit(cache=True)
def power_for(power, margin_db, offset_db, optimal):  # type: ignore[no-untyped-def]
    """The power that a margin allows, from one power on; `offset_db`: of each, below the highest, 0 or negative."""
    for other in range(len(offset_db) - 1, -1, -1):
        lower_db = offset_db[power] - offset_db[other]
        if lower_db > margin_db and other > 0:
            continue
        if not optimal and lower_db < 0 and -lower_db <= SAFETY_DB:
            return power
        return other
    return power


@njit(cache=True)
def nb_trans_for(nb_trans, loss):  # type: ignore[no-untyped-def]
    """NbTrans by the share of frames lost."""
    if loss < 0.05:
        return 1 + nb_trans // 3
    if loss < 0.10:
        return nb_trans
    if loss < 0.30:
        return 2 + nb_trans // 2
    return MOST_NB_TRANS


@njit(cache=True)
def command(session, needed_db, margin_db, offset_db):  # type: ignore[no-untyped-def]
    """The command on an uplink that the session has taken in: data rate, power, NbTrans."""
    optimal = session.entries >= HISTORY
    left_db = strongest_db(session) - needed_db[session.rate] - margin_db
    if not optimal:
        left_db -= SAFETY_DB
    rate, left_db = rate_and_margin(session.rate, left_db, len(needed_db) - 1)
    power = power_for(session.power if rate == session.rate else 0, left_db, offset_db, optimal)
    nb_trans = np.int64(session.nb_trans)
    if session.entries >= HISTORY // 2:
        lost, span = frames_in_history(session)
        nb_trans = nb_trans_for(nb_trans, np.float32(lost) / np.float32(span))
    return np.int64(rate), np.int64(power), np.int64(nb_trans)


@njit(cache=True)
def note_parameters(session, rate, power, nb_trans):  # type: ignore[no-untyped-def]
    """Note an uplink's parameters: an accepted command, or a data rate that the device has lowered by itself."""
    if accept_command(session, rate, power, nb_trans):
        session.entries = 0
    if rate != session.rate:
        session.entries = 0
        if rate < session.rate:
            session.power = 0
        session.rate = rate


@njit(cache=True)
def _take_in(  # type: ignore[no-untyped-def]
    sessions, records, snr_db, nb_trans, needed_db, margin_db, offset_db, most_nb_trans
):
    for i in range(len(records)):
        record = records[i]
        session = sessions[record.replica, record.node]
        rate, power = len(needed_db) - 1 - record.point[0], len(offset_db) - 1 - record.point[3]
        note_parameters(session, rate, power, nb_trans[i])
        add_entry(session, snr_db[i], record.missed)
        want(session, command(session, needed_db, margin_db[record.node], offset_db), most_nb_trans)
