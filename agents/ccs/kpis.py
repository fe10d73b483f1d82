"""The performance summary of a report (paper 000, Eq. (1)), over the last reporting window."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

RANGES = ((0.0, 1.0), (0.0, 4.0), (0.5, 2.0), (-0.5, 1.0))
"""Of PRR, EPN / 50 mJ, ATP / 2, and return; what a report says beyond them is cut."""

EPN_MJ, ATP, ENERGY_MJ = 50.0, 2.0, 25.0
"""What energy per delivered frame, attempts per delivered frame and energy per attempt are divided by."""

MAX_ATP = 4.0


def kpis(attempts: ArrayLike, received: ArrayLike, energy_mj: ArrayLike, frames_delivered: ArrayLike) -> Any:
    """Summaries of networks; of one without attempts PRR 1, no energy, one attempt per frame.

    Args:
        attempts: Over the window. `[...]`
        received: Of them. `[...]`
        energy_mj: Of the attempts. `[...]`
        frames_delivered: `[...]`

    Returns:
        PRR, EPN / 50 mJ, ATP / 2 with ATP at most 4, PRR - 0.1 (energy per attempt / 25 mJ). float32 `[..., 4]`
    """
    attempts, received, energy_mj, delivered = (
        np.asarray(given, dtype=np.float64) for given in (attempts, received, energy_mj, frames_delivered)
    )
    idle = attempts <= 0.0
    tries = np.maximum(attempts, 1.0)
    prr = np.where(idle, 1.0, received / tries)
    atp = np.where(idle, 1.0, np.minimum(attempts / np.maximum(delivered, 1e-9), MAX_ATP))
    epn_mj = np.where(idle, 0.0, energy_mj / np.maximum(delivered, 1.0))
    found = np.stack([prr, epn_mj / EPN_MJ, atp / ATP, prr - 0.1 * energy_mj / tries / ENERGY_MJ], axis=-1)
    return found.astype(np.float32)


def within_ranges(reported: Tensor) -> Tensor:
    """Reports, every number cut to its range `[..., 4]`."""
    low, high = torch.tensor(RANGES).T
    return reported.clamp(low, high)
