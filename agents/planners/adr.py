"""The network server's ADR as MMALoRa's tables need it: on received powers of Rayleigh links, with free commands.

From SF12 at the highest power, a command takes n = floor(margin / 3 dB) steps, margin = RSSI at the best gateway -
sensitivity(SF) - 10 dB: each lowers the spreading factor by one, and once that is the smallest, the power by 3 dB;
n below 0 raises the power by -3 n dB. Powers that the region lacks are the next higher ones.

| | RSSI | commands |
|---|---|---|
| `adr-mean` | of the mean power: fading is not credited | until they change nothing |
| `adr-max` | the highest of 20 uplinks, fading included | one |

Source: Semtech, "LoRaWAN - simple rate adaptation recommended algorithm", 2016. MMALoRa names ADR only.
Differences: sensitivities in place of SNR floors, which MMALoRa does not have. `agents.adr` has the rule packet by
packet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import units
from lora_marl.core.expect.rayleigh import Rayleigh, plain

MARGIN_DB, STEP_DB, UPLINKS = 10.0, 3.0, 20
_ROUNDING_DB = 1e-9


def adr_mean(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """ADR by mean received powers, to its fixed point; nothing is drawn."""
    points = _first(closed_form, channel)
    for _ in range(sum(closed_form.scenario.region.factor_sizes)):
        points = commanded(closed_form, points, plain.power_mw(closed_form.tables, points).max(axis=1))
    return points


def adr_max(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """ADR's first command, by the strongest of 20 uplinks."""
    points = _first(closed_form, channel)
    power_mw = plain.power_mw(closed_form.tables, points)
    faded_mw = power_mw * rng.exponential(size=(UPLINKS, *power_mw.shape))
    return commanded(closed_form, points, faded_mw.max(axis=(0, 2)))


def commanded(closed_form: Rayleigh, points: NDArray[np.int16], received_mw: NDArray[np.float64]) -> NDArray[np.int16]:
    """Points `[N, 4]` after one command for received powers `[N]`."""
    tp_dbm, after = np.array(closed_form.scenario.region.tp_dbm), points.copy()
    sensitivity_dbm = units.mw_to_dbm(closed_form.tables.sensitivity_mw)[points[:, 0]]
    margin_db = units.mw_to_dbm(received_mw) - sensitivity_dbm - MARGIN_DB
    steps = np.floor(margin_db / STEP_DB + _ROUNDING_DB)
    faster = np.clip(steps, 0, points[:, 0])
    after[:, 0] -= faster.astype(np.int16)
    wanted_dbm = tp_dbm[points[:, 3]] - STEP_DB * (steps - faster)
    after[:, 3] = np.minimum(np.searchsorted(tp_dbm, wanted_dbm - _ROUNDING_DB), len(tp_dbm) - 1)
    return after


def _first(closed_form: Rayleigh, channel: NDArray[np.int16]) -> NDArray[np.int16]:
    points = np.zeros((len(channel), 4), np.int16)
    points[:, 0], points[:, 2] = len(closed_form.tables.sensitivity_mw) - 1, channel
    points[:, 3] = len(closed_form.tables.tp_mw) - 1
    return points
