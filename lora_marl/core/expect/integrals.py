"""Integrals over a packet's received power: the normal distribution, and interference as a smooth function of power.

For all targets of one class (spreading factor, airtime, channel) the logarithm of the share of packets of power r that
survive all interferers,

    F(r) = sum over j of log(1 - E_j Phi((threshold_j + P_j - r) / spread)),

differs only by the target's own term. It is computed at N Chebyshev points and read by interpolation everywhere else:
O(N) per class in place of O(N) per target. The number of points grows with the range of powers over the spread, which
is the width of the function's features.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

SQRT_2_PI = math.sqrt(2.0 * math.pi)

SMALLEST = 1e-300
"""Shares whose logarithm is taken, and factors that are divided by, are at least this.

Compiled functions in the disk cache do not notice another value: clear the cache after an edit.
"""

REACH = 9.0
"""Beyond so many standard deviations the distribution function is 0 or 1 to the last digit that matters here."""
_PER_UNIT = 64
"""Points of the table of the distribution function per standard deviation."""
_X = np.arange(-REACH * _PER_UNIT, REACH * _PER_UNIT + 2) / _PER_UNIT
_CDF = np.array([0.5 * math.erfc(-x / math.sqrt(2.0)) for x in _X])
_DENSITY = np.exp(-0.5 * _X**2) / SQRT_2_PI


@njit(cache=True, inline="always")
def normal_cdf(x: float) -> float:
    """Phi(x), to 1e-15 in a third of the library's time: the Taylor polynomial of degree 5 about the nearest point."""
    if x >= REACH:
        return 1.0
    if x <= -REACH:
        return 0.0
    place = int((x + REACH) * _PER_UNIT + 0.5)
    center = _X[place]
    d = x - center
    square = center * center
    third, fourth = (square - 1.0) / 6.0, (3.0 - square) * center / 24.0
    fifth = (square * (square - 6.0) + 3.0) / 120.0
    return _CDF[place] + _DENSITY[place] * d * (1.0 + d * (-0.5 * center + d * (third + d * (fourth + d * fifth))))


POINTS_PER_SPREAD, FEWEST_POINTS = 3.0, 24
"""Chebyshev points per spread, and at least."""
MOST_POINTS = 1024
"""Beyond so many points, as with spreads of a few tenths of a dB, interferers are better summed target by target."""
_FINE = 24
"""Points of the even grid per spread; between them a polynomial of degree 5."""
_FOLD = 64
"""Factors that are multiplied before their logarithm is taken: few enough not to underflow."""

Vector = NDArray[np.float64]


@njit(nogil=True)  # no disk cache: it would not notice an edited table
def survival_at(grid_dbm, overlap, loud_dbm, spread_db):  # type: ignore[no-untyped-def]
    """F at powers `[R]`, for interferers with overlap probabilities and `threshold + power` `[J]`."""
    log_survival, product = np.zeros(len(grid_dbm)), np.ones(len(grid_dbm))
    scale = 1.0 / spread_db
    for j in range(len(overlap)):
        e, loud = overlap[j], loud_dbm[j]
        for r in range(len(grid_dbm)):
            product[r] *= 1.0 - e * normal_cdf((loud - grid_dbm[r]) * scale)
        if j % _FOLD == _FOLD - 1:
            for r in range(len(grid_dbm)):
                log_survival[r] += math.log(product[r])
                product[r] = 1.0
    return log_survival + np.log(product)


def chebyshev_points(low: float, high: float, spread_db: float) -> Vector:
    """Powers between two others at which F is computed `[R]`. dBm"""
    count = FEWEST_POINTS + math.ceil(POINTS_PER_SPREAD * (high - low) / spread_db)
    angle = np.pi * (np.arange(count) + 0.5) / count
    return 0.5 * (low + high) - 0.5 * (high - low) * np.cos(angle)


def fine_table(low: float, high: float, values: Vector, spread_db: float) -> tuple[Vector, float]:
    """F on an even grid from `low` to `high`, from its values at Chebyshev points, and the grid's step in dB."""
    count = 7 + math.ceil((high - low) * _FINE / spread_db)
    grid, step = np.linspace(-1.0, 1.0, count), (high - low) / (count - 1)
    order = len(values)
    angle = np.pi * (np.arange(order) + 0.5) / order
    series = 2.0 / order * np.cos(np.outer(np.arange(order), np.pi - angle)) @ values
    series[0] /= 2.0
    return np.polynomial.chebyshev.chebval(grid, series), step


@njit(cache=True, inline="always")
def read(table, low, step, r):  # type: ignore[no-untyped-def]
    """F at a power, by the polynomial through the six nearest points."""
    place = (r - low) / step
    first = min(max(int(place) - 2, 0), len(table) - 6)
    x = place - first
    a, b, c, d, e, f = x, x - 1.0, x - 2.0, x - 3.0, x - 4.0, x - 5.0
    return (
        -table[first] * b * c * d * e * f / 120.0
        + table[first + 1] * a * c * d * e * f / 24.0
        - table[first + 2] * a * b * d * e * f / 12.0
        + table[first + 3] * a * b * c * e * f / 12.0
        - table[first + 4] * a * b * c * d * f / 24.0
        + table[first + 5] * a * b * c * d * e / 120.0
    )
