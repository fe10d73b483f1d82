"""How the others are seen as one."""

from __future__ import annotations

import statistics

import pytest
import torch

from agents.ccs.layout import POOLINGS, others_mean, others_median


def test_the_median_is_that_of_the_others() -> None:
    values = torch.rand(3, 6, 4, 2)
    actual = others_median(values, torch.full((3, 6), 0.6065))
    for world in range(3):
        for network in range(6):
            others = [s for s in range(6) if s != network]
            for place in ((0, 0), (1, 1), (3, 0)):
                expected = statistics.median(values[world, s][place].item() for s in others)
                assert actual[world, network][place].item() == pytest.approx(expected)


def test_whole_weights_are_so_many_networks() -> None:
    values, counts = torch.rand(1, 5, 3), torch.tensor([[1, 3, 2, 0, 2]])
    actual = others_median(values, counts.float())
    for network in range(5):
        for number in range(3):
            others = [values[0, s, number].item() for s in range(5) for _ in range(int(counts[0, s])) if s != network]
            assert actual[0, network, number].item() == pytest.approx(statistics.median(others))


def test_one_liar_of_four_does_not_move_the_median_out_of_the_honest_range() -> None:
    honest = torch.rand(20, 3, 5)
    for lie in (-100.0, 0.5, 100.0):
        reported = torch.cat([torch.full((20, 1, 5), lie), honest], 1)
        actual = others_median(reported, torch.ones(20, 4))[:, 1:]
        assert (actual >= honest.amin(1, keepdim=True)).all() and (actual <= honest.amax(1, keepdim=True)).all()
    assert (others_mean(reported, torch.ones(20, 4))[:, 1:] > 1.0).all()


def test_of_one_other_or_two_or_of_equals_the_median_is_the_mean() -> None:
    for values in (torch.rand(4, 2, 3), torch.rand(4, 3, 3), torch.rand(4, 1, 3).expand(-1, 6, -1)):
        weights = torch.full(values.shape[:2], 0.7)
        torch.testing.assert_close(others_median(values, weights), others_mean(values, weights))


def test_without_others_there_is_nothing() -> None:
    assert not others_median(torch.rand(1, 1, 3), torch.ones(1, 1)).any()
    assert not others_median(torch.rand(1, 3, 3), torch.tensor([[1.0, 0.0, 0.0]]))[0, 0].any()


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
def test_permuted_networks_are_pooled_alike(pooling: str) -> None:
    values, weights, order = torch.rand(2, 5, 3, 2), torch.rand(2, 5), torch.tensor([3, 0, 4, 1, 2])
    actual = POOLINGS[pooling](values, weights)
    torch.testing.assert_close(POOLINGS[pooling](values[:, order], weights[:, order]), actual[:, order])
