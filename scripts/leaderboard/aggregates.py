"""Statistics over tasks and seeds: interquartile mean, stratified bootstrap, profiles, probability of improvement.

Source: Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS 2021.

Shape letters: `T` tasks, `S` seeds, `R` resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
"""Of the bootstrap."""

Scores = Sequence[NDArray[np.float64]]
"""The scores of a learner: for each task one of every seed. `T` arrays `[S]`"""


def interquartile_mean(values: ArrayLike) -> float:
    """Mean of the middle half: a quarter of the values, rounded down, is left out at either end."""
    ordered = np.sort(np.asarray(values, np.float64).ravel())
    left_out = len(ordered) // 4
    return float(ordered[left_out : len(ordered) - left_out].mean())


def stratified_interval(
    scores: Scores,
    statistic: Callable[[NDArray[np.float64]], float] = interquartile_mean,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic over all scores; seeds are drawn again within each task.

    Args:
        scores: Of a learner.
        statistic: Of all scores together, one after another.
        level: Share of the resamples within the interval.
        seed: Of the resampling, so that a page can be made again.
    """
    generator = np.random.default_rng(seed)
    resampled = np.concatenate(
        [values[generator.integers(len(values), size=(RESAMPLES, len(values)))] for values in scores], axis=1
    )
    estimates = [statistic(row) for row in resampled]
    low, high = np.quantile(estimates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def performance_profile(scores: Scores, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Share of seeds with a score above each threshold, as the mean over tasks. `[thresholds]`"""
    above = [(values[:, None] > np.asarray(thresholds)).mean(axis=0) for values in scores]
    return np.asarray(np.mean(above, axis=0))


def probability_of_improvement(ours: Scores, theirs: Scores) -> float:
    """Probability that a seed of ours scores above one of theirs, ties a half, as the mean over tasks.

    Source: Mann and Whitney 1947; U over the number of pairs.
    """
    by_task = [
        ((our[:, None] > their).mean() + 0.5 * (our[:, None] == their).mean())
        for our, their in zip(ours, theirs, strict=True)
    ]
    return float(np.mean(by_task))


def score(values: ArrayLike, trivial: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Share of the way from the trivial rule to the reference: 100 (x - trivial) / (reference - trivial). `[S]`

    Args:
        values: A learner's metric. `[S]`
        trivial, reference: The same of the trivial rule and the reference, of which the means over seeds count. `[S]`

    Raises:
        ValueError: the reference is no better than the trivial rule.
    """
    low, high = float(np.asarray(trivial, np.float64).mean()), float(np.asarray(reference, np.float64).mean())
    if not high > low:
        raise ValueError(f"reference: {high:g} is not above the trivial rule's {low:g}; a share needs a way to go")
    return 100.0 * (np.asarray(values, np.float64) - low) / (high - low)
