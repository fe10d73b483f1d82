"""How fast regret grows: against the logarithm of time, against time, and what the papers' theorems allow.

| paper | name |
|---|---|
| R(t), cumulative regret after t transmissions (journal Eq. (25)) | `regret` |
| Delta_a, the reward that arm a lacks to the best of its factor (conference Eq. (24)) | `gaps` |
| J(t), sum over arms of Delta_a E[T(a)] (conference Eq. (25)-(28)) | `bound` |
| sqrt(K t ln t) (journal Eq. (26)), without its unknown constant | `root_bound` |

Source: D-LoRa journal Eq. (25)-(29), conference Eq. (24)-(30); Auer et al. 2002, Theorem 1, for the constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.estimates import Estimate, estimate

_TIMES = 200


@dataclass(frozen=True)
class Growth:
    """How regret grew over the last decade of time, fitted by least squares, over seeds.

    Attributes:
        final: Regret at the end.
        exponent: Slope of ln(regret) over ln(t): 1 for linear regret, 1/2 for a square root, towards 0 for a logarithm
            (1 / ln t where regret is a multiple of ln t). Of the mean over seeds; the spread is that of the seeds.
        per_log: Slope of regret over ln(t), what a logarithm adds per factor e of time.
    """

    final: Estimate
    exponent: Estimate
    per_log: Estimate


def log_times(packets: int) -> NDArray[np.int64]:
    """Numbers of packets, about evenly spaced in their logarithm, from 1 to `packets`. `[at most 200]`"""
    return np.unique(np.geomspace(1, packets, _TIMES).round().astype(np.int64))


def growth(times: NDArray[np.int64], regret: NDArray[np.float64]) -> Growth:
    """Growth over the last decade: times `[P]`, cumulative regret `[P, B]`.

    Raises:
        ValueError: fewer than three times in the last decade.
    """
    late = times >= times[-1] / 10
    if late.sum() < 3:
        raise ValueError(f"times: {late.sum()} of {len(times)} lie in the last decade; a slope needs at least 3")
    log_t, columns = np.log(times[late]), regret[late].T
    with np.errstate(divide="ignore", invalid="ignore"):
        exponents = [slope(log_t, np.log(column)) for column in columns]
        whole = slope(log_t, np.log(columns.mean(axis=0)))
    spread = estimate(exponents)
    return Growth(
        final=estimate(regret[-1].tolist()),
        exponent=Estimate(whole, spread.spread, math.nan, math.nan, spread.seeds),
        per_log=estimate([slope(log_t, column) for column in columns]),
    )


def slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Slope of the least-squares line; nan where a value is not finite."""
    centred = x - x.mean()
    return float(centred @ (y - y.mean()) / (centred @ centred)) if np.isfinite(y).all() else math.nan


def bound(gaps: ArrayLike, t: ArrayLike, c: float = 2.0) -> NDArray[np.float64]:
    """What the conference paper allows: sum over arms of Delta (2 c^2 ln t / Delta^2 + 1 + pi^2 / 3).

    Args:
        gaps: Of all arms; those of 0 are optimal and left out. `[K]`
        t: Transmissions, at least 1. [...]
        c: Weight of exploration; with the papers' 2 the first term is the printed 8 ln t / Delta^2.

    Returns:
        [...]

    Source: D-LoRa conference Eq. (25)-(28).
    Differences: the constants that O() hides are written out. The theorem behind it takes rewards between 0 and 1 and
    arms whose rewards do not depend on what else is chosen; D-LoRa's arms of different factors share one packet, so
    this is what the paper claims, not what is proven.
    """
    lacking = np.asarray(gaps, np.float64)
    lacking = lacking[lacking > 0.0]
    return 2 * c**2 * np.log(t) * (1 / lacking).sum() + (1 + math.pi**2 / 3) * lacking.sum()


def root_bound(arms: int, t: ArrayLike) -> NDArray[np.float64]:
    """sqrt(K t ln t), the journal's bound for a constant of 1. Source: D-LoRa journal Eq. (26)."""
    time = np.asarray(t, np.float64)
    return np.sqrt(arms * time * np.log(time))
