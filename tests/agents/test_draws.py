"""Draws of learners against their definition, and against the frequencies that they should have."""

from __future__ import annotations

import numpy as np
import pytest

from agents.draws import learner_keys, uniform_index, uniform_indices
from lora_marl.core.random import bits, stream_key

SEEDS = (0, 7, 2**40)


def test_a_key_is_that_of_the_seed_and_the_stream_of_learners() -> None:
    assert learner_keys(SEEDS).tolist() == [int(stream_key(seed, "learner")) for seed in SEEDS]


def test_an_index_is_the_upper_half_of_the_bits_scaled_to_the_count() -> None:
    key = learner_keys(SEEDS)[1]
    for node, counter, count in ((0, 0, 7), (3, 12, 8), (11, 5, 1)):
        assert uniform_index(key, node, counter, count) == ((int(bits(key, node, counter)) >> 32) * count) >> 32


def test_many_draws_are_those_one_by_one_whatever_their_order() -> None:
    key, node, counter = np.repeat(learner_keys(SEEDS), 4), np.tile(np.arange(4), 3), np.arange(12)
    drawn = uniform_indices(key, node, counter, 5)
    assert drawn.tolist() == [uniform_index(*row, 5) for row in zip(key, node, counter, strict=True)]
    order = np.random.default_rng(0).permutation(12)
    assert np.array_equal(uniform_indices(key[order], node[order], counter[order], 5), drawn[order])


@pytest.mark.parametrize("count", [2, 6, 7])
def test_all_indices_are_as_likely(count: int) -> None:
    draws = 60_000
    drawn = uniform_indices(np.full(draws, learner_keys([1])[0]), np.zeros(draws, int), np.arange(draws), count)
    frequencies = np.bincount(drawn, minlength=count) / draws
    assert len(frequencies) == count
    assert frequencies == pytest.approx(1 / count, abs=5 * np.sqrt((1 / count) / draws))
