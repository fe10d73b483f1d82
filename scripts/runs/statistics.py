"""Mean, spread and confidence interval of random numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""97.5 % quantiles of Student's t for 1 to 30 degrees of freedom."""


@dataclass(frozen=True)
class Estimate:
    """A metric over seeds: mean, standard deviation and the 95 % confidence interval of the mean.

    Spread and interval are nan where there is one seed. The interval of a share need not be symmetric.
    """

    mean: float
    spread: float
    ci_low: float
    ci_high: float
    seeds: int


def estimate(values: ArrayLike, highest: float | None = None) -> Estimate:
    """Mean, standard deviation (n - 1) and Student's t interval of the mean.

    Args:
        values: Of seeds `[n]`; or of two crossed random effects, such as vendors and seeds `[V, S]`: the deviation is
            then over the first effect, the interval over both.
        highest: Of shares, which are from 0 to this (1, or 100 for percent): the interval stays there (`within`).

    Source: any statistics text; beyond 30 degrees of freedom the quantile's expansion in 1 / df (Cornish and Fisher).
    """
    array = np.asarray(values, np.float64)
    if array.ndim == 2 and min(array.shape) > 1:
        return _crossed(array, highest)
    array = array.ravel()
    mean, count = float(array.mean()), len(array)
    if count == 1:
        return Estimate(mean, math.nan, math.nan, math.nan, 1)
    low, high = mean_interval(array, highest)
    return Estimate(mean, float(array.std(ddof=1)), float(low), float(high), count)


def mean_interval(values: ArrayLike, highest: float | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of Student's 95 % interval of means over seeds.

    Args:
        values: Of at least two seeds. `[n, ...]`
        highest: Of shares, see `within`; None: the values have no bounds.

    Returns:
        Low and high ends. `[...]`
    """
    array = np.asarray(values, np.float64)
    mean, spread = array.mean(axis=0), array.std(axis=0, ddof=1)
    half = t_quantile(len(array) - 1) * spread / math.sqrt(len(array))
    return within(mean, half, highest)


def within(mean: ArrayLike, half: ArrayLike, highest: float | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of the interval of a mean; those of a share lie between 0 and the largest value that it can have.

    The interval of a share p with half width h is taken on the scale of log(p / (1 - p)), where its half width is
    h / (p (1 - p)), and taken back. Seeds that all have 0, or all the largest value, leave an interval of no width.

    Args:
        mean, half: Mean and half width of the symmetric interval. `[...]`
        highest: The largest value of a share; None: the symmetric interval.

    Source: E. L. Korn, B. I. Graubard, Analysis of Health Surveys (1999), section 3.2 (logit intervals).
    """
    middle, reach = np.asarray(mean, np.float64), np.asarray(half, np.float64)
    if highest is None:
        return middle - reach, middle + reach
    share = np.clip(middle / highest, 0.0, 1.0)
    inside = (share > 0.0) & (share < 1.0)
    safe = np.where(inside, share, 0.5)
    logit, width = np.log(safe / (1.0 - safe)), reach / highest / (safe * (1.0 - safe))
    ends = [np.where(inside, highest / (1.0 + np.exp(-(logit + sign * width))), middle) for sign in (-1.0, 1.0)]
    return ends[0], ends[1]


def _crossed(values: NDArray[np.float64], highest: float | None) -> Estimate:
    """The estimate of a two-way layout of random effects with one value per cell.

    The variance of the mean is (MS_rows + MS_columns - MS_rest) / (V S), with Satterthwaite's degrees of freedom, but
    not fewer than the shorter side allows, nor a variance below that of the rest.

    Source: S. R. Searle, G. Casella, C. E. McCulloch, Variance Components, chapter 4.
    """
    rows, columns = values.shape
    mean, of_rows, of_columns = values.mean(), values.mean(axis=1), values.mean(axis=0)
    rest = values - of_rows[:, None] - of_columns + mean
    degrees = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
    squares = np.array([columns * of_rows.var(ddof=1), rows * of_columns.var(ddof=1), (rest**2).sum() / degrees[2]])
    total = float(squares[:2].sum() - squares[2])
    below = float((squares**2 / degrees).sum())
    freedom = max(int(total**2 / below) if below else 1, min(rows, columns) - 1)
    half = t_quantile(freedom) * math.sqrt(max(total, float(squares[2])) / values.size)
    low, high = within(mean, half, highest)
    return Estimate(float(mean), float(of_rows.std(ddof=1)), float(low), float(high), values.size)


def t_quantile(degrees: int) -> float:
    """97.5 % quantile of Student's t."""
    return _T_975[degrees - 1] if degrees <= len(_T_975) else 1.95996 + 2.3723 / degrees + 2.8225 / degrees**2
