"""Means and how sure they are."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.runs.statistics import estimate


def test_of_vendors_that_agree_the_interval_is_that_over_seeds() -> None:
    seeds = np.array([1.0, 2.0, 3.0, 6.0])
    alike, alone = estimate(np.tile(seeds, (3, 1))), estimate(seeds)
    assert alike.mean == alone.mean and alike.spread == 0.0
    assert alike.ci_high - alike.mean == pytest.approx(alone.ci_high - alone.mean, rel=1e-6)


def test_of_seeds_that_agree_the_interval_is_that_over_vendors() -> None:
    vendors = np.array([1.0, 2.0, 6.0])
    alike, alone = estimate(np.tile(vendors[:, None], (1, 10))), estimate(vendors)
    assert alike.spread == pytest.approx(alone.spread)
    assert alike.ci_low == pytest.approx(alone.ci_low)


def test_one_vendor_is_seeds_alone() -> None:
    assert estimate([[1.0, 2.0, 3.0]]) == estimate([1.0, 2.0, 3.0])


@pytest.mark.parametrize(("vendor_sd", "seed_sd"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_intervals_over_vendors_and_seeds_hold_the_mean_as_often_as_they_say(vendor_sd: float, seed_sd: float) -> None:
    rng, held = np.random.default_rng(0), []
    for _ in range(1500):
        of_vendors, of_seeds = vendor_sd * rng.standard_normal((3, 1)), seed_sd * rng.standard_normal(10)
        found = estimate(of_vendors + of_seeds + rng.standard_normal((3, 10)))
        held.append(found.ci_low <= 0.0 <= found.ci_high)
    assert 0.93 < np.mean(held) <= 1.0


def test_intervals_over_vendors_alone_would_not() -> None:
    rng, held = np.random.default_rng(0), []
    for _ in range(1500):
        found = estimate((rng.standard_normal(10) + 0.3 * rng.standard_normal((3, 10))).mean(axis=1))
        held.append(found.ci_low <= 0.0 <= found.ci_high)
    assert np.mean(held) < 0.6
