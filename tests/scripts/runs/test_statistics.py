"""Means and how sure they are."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.runs.statistics import estimate, mean_interval


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


@pytest.mark.parametrize("highest", [1.0, 100.0])
@pytest.mark.parametrize("shares", [(0.9, 0.99, 1.0), (0.0, 0.0, 0.02), (0.99, 0.999, 0.9999), (0.1, 0.9)])
def test_the_interval_of_a_share_stays_within_its_bounds(shares: tuple[float, ...], highest: float) -> None:
    share, plain = estimate(highest * np.array(shares), highest), estimate(highest * np.array(shares))
    assert 0.0 <= share.ci_low < share.mean < share.ci_high <= highest
    assert (share.mean, share.spread) == (plain.mean, plain.spread)
    assert plain.ci_low < 0.0 or plain.ci_high > highest  # the interval that it replaces


def test_of_a_share_far_from_its_bounds_the_interval_is_the_plain_one() -> None:
    share, plain = estimate([0.899, 0.9, 0.901], 1.0), estimate([0.899, 0.9, 0.901])
    assert (share.ci_low, share.ci_high) == pytest.approx((plain.ci_low, plain.ci_high), abs=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_shares_at_a_bound_have_an_interval_of_no_width(value: float) -> None:
    share = estimate([value] * 3, 1.0)
    assert share.ci_low == share.ci_high == value


def test_intervals_of_shares_hold_the_mean_as_often_as_they_say() -> None:
    draws = np.random.default_rng(0).beta(45.0, 5.0, (5, 4000))
    low, high = mean_interval(draws, 1.0)
    assert 0.93 < np.mean((low <= 0.9) & (high >= 0.9)) < 0.97
