"""The compiled pass that writes the observations of `observation`: one visit per node instead of forty NumPy calls."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.reception import Fate

_DELIVERED = int(Fate.DELIVERED)


@njit(nogil=True, cache=True, error_model="numpy")
def write_rows(
    values: NDArray[np.float32],
    columns: NDArray[np.int64],
    points: NDArray[np.int16],
    fate: NDArray[np.int8],
    fates: int,
    last_point: NDArray[np.int16],
    rssi_dbm: NDArray[np.float64],
    snr_floor_dbm: NDArray[np.float64],
    snr_scale_db: float,
    arms: NDArray[np.int64],
    arm_sent: NDArray[np.float64],
    arm_delivered: NDArray[np.float64],
    ended: NDArray[np.int64],
    active: NDArray[np.bool_],
    transmissions: NDArray[np.float64],
) -> None:
    """Write the observations of `M` nodes.

    Args:
        values: Written. `[M, D]`
        columns: Of each factor shown: its place in a point, its number of values, and whether these have a flag each,
            1, or a share, 0. `[F, 3]`
        points, fate, last_point, rssi_dbm, arm_sent, arm_delivered, ended, active: As in `NodeFeatures.rows`.
        fates: Number of fates that a packet can have, `Fate.NONE` included.
        snr_floor_dbm: Power at the demodulation floor, by spreading factor and bandwidth. `[S, W]` dBm
        snr_scale_db: Margin that counts as 1. dB
        arms: The factor values whose delivery is shown. `[A]`
        transmissions: NbTrans of each node as a share, or of no element. `[M]`
    """
    for m in range(values.shape[0]):
        row, at = values[m], 0
        for f in range(columns.shape[0]):
            index, size = points[m, columns[f, 0]], columns[f, 1]
            if columns[f, 2]:
                for value in range(size):
                    row[at + value] = 0.0
                row[at + (index if index >= 0 else index + size)] = 1.0
                at += size
            else:
                row[at] = index / max(size - 1, 1)
                at += 1
        if transmissions.shape[0] > 0:
            row[at] = transmissions[m]
            at += 1
        for value in range(fates):
            row[at + value] = 0.0
        row[at + fate[m] + 1] = 1.0
        at += fates
        for a in range(arms.shape[0]):
            row[at] = (arm_delivered[m, arms[a]] + 1.0) / (arm_sent[m, arms[a]] + 2.0)
            at += 1
        margin = 0.0
        if fate[m] == _DELIVERED:
            margin_db = rssi_dbm[m] - snr_floor_dbm[last_point[m, 0], last_point[m, 1]]
            margin = min(max(margin_db / snr_scale_db, -1.0), 1.0)
        row[at] = margin
        row[at + 1] = ended[m] / (1.0 + ended[m])
        row[at + 2] = ended[m] > 0
        row[at + 3] = active[m]
