from __future__ import annotations

import numpy as np
import pytest

from agents.coexistence.rules import good_channels, hopping, hopping_partition, partition

OCCUPANCY = np.array([[0.6, 0.01, 0.55, 0.1, 0.65, 0.05, 0.7, 0.15]])
GOOD = [1, 5, 3, 7]


def test_good_channels_are_below_the_middle() -> None:
    assert np.flatnonzero(good_channels(OCCUPANCY)[0]).tolist() == sorted(GOOD)


def test_two_networks_share_the_good_channels_without_overlap() -> None:
    chosen = partition(OCCUPANCY, 2, 4)
    assert chosen.tolist() == [[[1, 3, 1, 3], [5, 7, 5, 7]]]


def test_four_networks_get_one_each_and_a_fifth_begins_again() -> None:
    chosen = partition(OCCUPANCY, 5, 2)[0]
    assert chosen[:, 0].tolist() == [*GOOD, GOOD[0]]
    assert np.array_equal(chosen[:, 0], chosen[:, 1])


def test_replicas_are_partitioned_by_themselves() -> None:
    both = np.concatenate([OCCUPANCY, OCCUPANCY[:, ::-1]])
    assert np.array_equal(partition(both, 2, 4)[1], 7 - partition(OCCUPANCY, 2, 4)[0])


def test_a_hopping_partition_deals_out_all_channels() -> None:
    weights = hopping_partition(OCCUPANCY, 2, 4, 3, 2).reshape(1, 2, 4, 8, 3, 2)
    used = weights.sum(axis=(-1, -2))[0, :, 0]
    assert used.sum(axis=0).tolist() == [1.0] * 8
    assert used.sum(axis=1).tolist() == [4.0, 4.0]
    assert weights[..., 0, 1].sum() == weights.sum()


def test_hopping_is_even() -> None:
    weights = hopping(1, 2, 4, 8, 3, 2).reshape(1, 2, 4, 8, 3, 2)
    assert weights.sum(axis=-1).sum(axis=-1) == pytest.approx(1.0)
    assert weights[..., 0, 1].sum() == weights.sum()
