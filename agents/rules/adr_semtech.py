"""Semtech's recommended algorithm, from which those of most servers come: decided when 20 frames are in the history.

    steps = trunc((strongest SNR of 20 frames - SNR needed at the data rate - margin) / 3 dB)

Steps up raise the data rate to the fastest, then lower the power; steps down raise the power. NbTrans comes from the
loss table. The history begins anew when a command has changed something, or an uplink has another data rate than the
server expects, so that all 20 frames were sent with the same parameters.

| Semtech | name |
|---|---|
| SNRm, SNR(DR), margin_db | `strongest_db`, `REQUIRED_SNR_DB`, `margin_db` |
| NStep | `steps` |

Source: Semtech, "LoRaWAN - simple rate adaptation recommended algorithm", revision 1.0, 2016.
Differences: those of `agents.rules.served_adr`, and
    1. Steps of power are the region's values, which are 3 dB apart in the paper.
    2. The paper leaves open when the history begins anew; here it does so as in ChirpStack.
    3. An uplink that asks for an answer gets one, and no decision before its time.

`adr-ideal` is the same rule with free commands, without NbTrans, rounded down; `adr-chirpstack` steps up without a
history.

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


class AdrSemtech(ServedAdr):
    """Semtech's rule, on a network server.

    Args:
        scenario, seeds, margin_db, start, channels, backoff: As in `ServedAdr`.

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    name: ClassVar[str] = "adr-semtech"

    def _take_in(self, records: NDArray[np.void], snr_db: NDArray[np.float32], nb_trans: NDArray[np.int8]) -> None:
        constants = self._needed_db, self.margin_db, self._lowest, self._most_nb_trans
        _take_in(self._sessions, records, snr_db, nb_trans, *constants)


@njit(cache=True)
def command(session, needed_db, margin_db, lowest):  # type: ignore[no-untyped-def]
    """The command on an uplink that the session has taken in: data rate, power, NbTrans."""
    if session.entries < HISTORY:
        return np.int64(session.rate), np.int64(session.power), np.int64(session.nb_trans)
    lost, span = frames_in_history(session)
    nb_trans = nb_trans_by_loss(session.nb_trans, 100.0 * lost / span)
    steps = int((strongest_db(session) - needed_db[session.rate] - margin_db) / 3.0)
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
