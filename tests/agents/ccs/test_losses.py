"""Terms of the objective, by hand and by their laws."""

from __future__ import annotations

import math

import pytest
import torch

from agents.ccs import training
from agents.ccs.layout import Layout
from agents.ccs.ring import codes


def test_divergence_by_hand() -> None:
    first, second = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert training.jensen_shannon(first, second).item() == pytest.approx(math.log(2.0))
    assert training.jensen_shannon(first, first).item() == 0.0
    half = torch.tensor([0.5, 0.5])
    expected = 0.5 * math.log(1 / 0.75) + 0.5 * (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25))
    assert training.jensen_shannon(first, half).item() == pytest.approx(expected)


def test_sharp_policies_have_a_gradient() -> None:
    logits = torch.tensor([[0.0, 300.0], [300.0, 0.0]], requires_grad=True)
    first, second = logits.softmax(-1)
    training.jensen_shannon(first, second).backward()
    assert logits.grad is not None and bool(logits.grad.isfinite().all())


def test_diversity_is_the_mean_over_pairs_and_states() -> None:
    marginals = torch.rand(2, 3, 5, 8).softmax(-1)
    pairs = [(0, 1), (0, 2), (1, 2)]
    divergences = torch.stack([training.jensen_shannon(marginals[:, i], marginals[:, j]) for i, j in pairs])
    torch.testing.assert_close(training.diversity_loss(marginals), -divergences.mean((0, 2)))
    assert training.diversity_loss(marginals[:, :1]).tolist() == [0.0, 0.0]


def test_task_weighs_the_worst_learner_and_not_the_worst_non_learning_network() -> None:
    utility = torch.tensor([[0.2, 0.6, 0.8]])
    actual = training.task_loss(utility, torch.tensor([1, 2]))
    assert actual.item() == pytest.approx(-(1.6 / 3 + 0.5 * 0.6) / 1.5)


def test_diversity_counts_where_the_air_is_congested() -> None:
    prr = torch.tensor([[0.9, 0.95], [0.73, 0.73], [0.2, 0.3]])
    torch.testing.assert_close(training.congestion(prr), torch.tensor([0.05, 0.5, 1.0]))


def test_a_discriminator_learns_who_is_who() -> None:
    judge = training.Discriminator(Layout())
    states, code = torch.rand(16, 4, 40), codes(torch.arange(2), torch.arange(2)).expand(16, 2, -1)
    marginals = torch.zeros(16, 2, 4, 8)
    marginals[:, 0, :, 2] = marginals[:, 1, :, 5] = 1.0
    before = judge(states, marginals, code)
    assert before.item() == pytest.approx(math.log(2.0), abs=0.2)
    optimizer = torch.optim.Adam(judge.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        judge(states, marginals, code).backward()
        optimizer.step()
    assert judge(states, marginals, code).item() < 0.05
    assert judge(states, marginals.flip(1), code).item() > 1.0
