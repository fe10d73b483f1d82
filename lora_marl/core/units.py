"""dB, dBm and mW: the only file that converts between them; and units of time.

A name that ends in `_db` is a ratio, one in `_dbm` a power. Each function is plain enough to be compiled
(`numba.njit(dbm_to_mw)`) for the scalars of an inner loop and to be called on arrays outside of it.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

LN10_OVER_10 = 0.23025850929940458
"""ln(10) / 10: the natural logarithm of one decibel."""

HOUR_S, DAY_S = 3600.0, 86400.0

Real = TypeVar("Real", float, NDArray[np.float64])


def dbm_to_mw(power_dbm: Real) -> Real:
    """Power in milliwatts. [...] dBm -> [...] mW; minus infinity is no power at all."""
    power_mw: Real = np.exp(power_dbm * LN10_OVER_10)
    return power_mw


def mw_to_dbm(power_mw: Real) -> Real:
    """Power in dBm. [...] mW, positive -> [...] dBm."""
    return 10.0 * np.log10(power_mw)


def db_to_ratio(ratio_db: Real) -> Real:
    """Ratio of two powers. [...] dB -> [...], 1; minus infinity is 0."""
    ratio: Real = np.exp(ratio_db * LN10_OVER_10)
    return ratio


def ratio_to_db(ratio: Real) -> Real:
    """Decibels of a ratio of two powers. [...], positive -> [...] dB."""
    return 10.0 * np.log10(ratio)
