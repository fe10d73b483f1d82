"""Statistics of the benchmark, against cases worked out by hand."""

import numpy as np
import pytest

from scripts.leaderboard.aggregates import (
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    score,
    stratified_interval,
)


def test_the_interquartile_mean_is_that_of_the_middle_half():
    assert interquartile_mean([100.0, 2.0, 3.0, -50.0]) == 2.5
    assert interquartile_mean(range(10)) == 4.5  # two are left out at either end
    assert interquartile_mean([1.0, 2.0, 9.0]) == 4.0  # a quarter of three is none


def test_one_lucky_seed_does_not_move_it():
    scores = np.full(10, 50.0)
    scores[3] = 1e6
    assert interquartile_mean(scores) == 50.0


def test_seeds_are_drawn_again_within_their_task():
    # A task of 0 and one of 100: drawn together, the share of each would vary; within each it cannot.
    scores = [np.zeros(10), np.full(10, 100.0)]
    assert stratified_interval(scores, np.mean) == (50.0, 50.0)


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide():
    values = np.random.default_rng(0).normal(size=400)
    low, high = stratified_interval([values], np.mean)
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)
    assert (low, high) == stratified_interval([values], np.mean)  # the page can be made again


def test_a_profile_is_the_share_of_seeds_above_each_threshold():
    scores = [np.array([0.0, 50.0]), np.array([100.0, 100.0, 100.0])]
    assert performance_profile(scores, [-1.0, 0.0, 60.0, 100.0]).tolist() == [1.0, 0.75, 0.5, 0.0]


def test_the_probability_of_improvement_counts_ties_a_half():
    # 3 > 1, 3 > 2, 2 > 1, and 2 = 2: three and a half of four pairs. The second task: never.
    ours, theirs = np.array([3.0, 2.0]), np.array([1.0, 2.0])
    assert probability_of_improvement([ours], [theirs]) == pytest.approx(3.5 / 4)
    assert probability_of_improvement([ours, theirs - 5], [theirs, ours]) == pytest.approx(3.5 / 8)
    assert probability_of_improvement([ours], [ours]) == 0.5


def test_a_score_is_the_share_of_the_way_to_the_reference():
    assert score([0.9, 0.8, 0.95, 1.0], [0.8], [0.9, 1.0]).tolist() == pytest.approx([200 / 3, 0.0, 100.0, 400 / 3])
    with pytest.raises(ValueError, match="reference: 0.7 is not above the trivial rule's 0.8"):
        score([0.9], [0.8], [0.7])
