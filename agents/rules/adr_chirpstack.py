"""ADR as ChirpStack v4 runs it by default, decided on every uplink.

    steps = trunc((strongest SNR of the history - SNR needed at the data rate - margin) / 3 dB)

in single precision. Steps up raise the data rate to the fastest, then lower the power; they need no history. Steps down
raise the power, and are taken when all 20 entries of the history have the power in force. NbTrans comes from the loss
table, every time: loss is the number of frame counters missing between the entries over that of entries, 0 below 20. An
NbTrans above 1 therefore does not last: once it is accepted the history is short, loss is 0, and the next uplinks take
it back.

The history has one entry per frame, and begins anew when a command has changed something, or when an uplink has
another data rate than the server expects. In the latter case the power counts as reset to the highest.

| ChirpStack | name |
|---|---|
| `installation_margin`, 10 dB | `margin_db` |
| `dr`, `tx_power_index`, `nb_trans` of the device session | `rate`, `power`, `nb_trans` of `SESSION` |
| `uplink_adr_history` | `snr_db`, `missed`, `entry_power` of `SESSION` |

Source: ChirpStack v4, `chirpstack/src/adr/default.rs` (the algorithm), `uplink/data.rs` (history, data rate) and
`maccommand/link_adr.rs` (history after a command).
Differences: those of `agents.rules.served_adr`, and
    1. ChirpStack drops a retry whose frame it has received, without an answer; here the network answers retries.
    2. After an uplink with ADRACKReq it sends the channel mask again; there are no masks here.

Shape letters: `M` uplinks received.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.rules.served_adr import (
    HISTORY,
    ServedAdr,
    add_entry,
    after_steps,
    frames_in_history,
    nb_trans_by_loss,
    note_parameters,
    strongest_db,
    want,
)
from lora_marl.core.outcome import REPEATED


class AdrChirpStack(ServedAdr):
    """ChirpStack v4's default ADR algorithm.

    Args:
        scenario, seeds, margin_db, start, channels, backoff: As in `ServedAdr`.

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    name: ClassVar[str] = "adr-chirpstack"

    def _take_in(self, records: NDArray[np.void], snr_db: NDArray[np.float32], nb_trans: NDArray[np.int8]) -> None:
        margin_db = self.margin_db.astype(np.float32)
        constants = self._needed_db, margin_db, self._lowest, self._most_nb_trans
        _take_in(self._sessions, records, snr_db, nb_trans, *constants)


@njit(cache=True)
def steps_of(strongest_db, needed_db, margin_db):  # type: ignore[no-untyped-def]
    """Whole steps of 3 dB in the margin, towards 0; arguments in single precision."""
    return int((strongest_db - needed_db - margin_db) / np.float32(3.0))


@njit(cache=True)
def command(session, needed_db, margin_db, lowest):  # type: ignore[no-untyped-def]
    """The command on an uplink that the session has taken in: data rate, power, NbTrans."""
    lost, _ = frames_in_history(session)
    loss_percent = np.float32(lost) / np.float32(session.entries) * np.float32(100.0)
    nb_trans = nb_trans_by_loss(session.nb_trans, loss_percent if session.entries == HISTORY else np.float32(0.0))
    steps = steps_of(strongest_db(session), needed_db[session.rate], margin_db)
    with_power = 0
    for i in range(session.entries):
        with_power += session.entry_power[i] == session.power
    if steps < 0 and with_power != HISTORY:
        return np.int64(session.rate), np.int64(session.power), np.int64(nb_trans)
    rate, power = after_steps(steps, session.rate, session.power, len(needed_db) - 1, lowest)
    return np.int64(rate), np.int64(power), np.int64(nb_trans)


@njit(cache=True)
def _take_in(  # type: ignore[no-untyped-def]
    sessions, records, snr_db, nb_trans, needed_db, margin_db, lowest, most_nb_trans
):
    for i in range(len(records)):
        record = records[i]
        if record.missed == REPEATED:
            continue
        session = sessions[record.replica, record.node]
        note_parameters(session, len(needed_db) - 1 - record.point[0], lowest - record.point[3], nb_trans[i])
        add_entry(session, snr_db[i], record.missed)
        want(session, command(session, needed_db, margin_db[record.node], lowest), most_nb_trans)
