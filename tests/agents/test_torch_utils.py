"""Threads, the optimiser, clipping and draws that learners with torch share."""

from __future__ import annotations

import pytest
import torch

from agents.torch_utils import adam, clip_gradients, sample_actions, threads, values_at


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="within"), threads(1):
        assert torch.get_num_threads() == 1
        raise RuntimeError("within")
    assert torch.get_num_threads() == before


def test_the_optimiser_has_its_moments_before_the_first_step() -> None:
    parameter = torch.ones(2, 3, requires_grad=True)
    optimizer = adam([parameter], 0.1)
    state = optimizer.state[parameter]
    assert sorted(state) == ["exp_avg", "exp_avg_sq", "step"]
    parameter.grad = torch.full_like(parameter, 2.0)
    optimizer.step()
    assert optimizer.state[parameter] is state and state["step"].item() == 1.0
    torch.testing.assert_close(parameter.detach(), torch.full((2, 3), 0.9))


def test_values_of_the_chosen_actions() -> None:
    values = torch.arange(12.0).reshape(2, 2, 3)
    assert values_at(values, torch.tensor([[0, 2], [1, 1]])).tolist() == [[0.0, 5.0], [7.0, 10.0]]


def test_gradients_are_clipped_by_group_or_agent() -> None:
    parameters = [torch.zeros(2, 3, 4, requires_grad=True), torch.zeros(2, 3, 1, requires_grad=True)]
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
        parameter.grad[0, 0] *= 10.0
    clip_gradients(parameters, torch.full((2, 3), 5.0))
    joint = torch.cat([parameter.grad for parameter in parameters], -1).norm(dim=-1)
    assert joint[0, 0].item() == pytest.approx(5.0, rel=1e-5)
    torch.testing.assert_close(joint[1], torch.full((3,), 5.0**0.5))


def test_actions_are_drawn_as_likely_as_the_policy_says() -> None:
    chances = torch.tensor([0.0, 0.5, 0.0, 0.3, 0.2, 0.0], dtype=torch.float64)
    uniform = torch.linspace(0.0, 1.0, 1001, dtype=torch.float64)[:-1]
    shares = torch.bincount(sample_actions(chances.expand(1000, 6), uniform), minlength=6) / 1000
    torch.testing.assert_close(shares, chances.float(), rtol=0, atol=2e-3)


def test_the_largest_random_number_draws_no_arm_of_probability_zero() -> None:
    logits = torch.randn(100_000, 6, generator=torch.Generator().manual_seed(0))
    allowed = torch.tensor([False, True, True, True, False, False])
    chances = torch.softmax(logits.masked_fill(~allowed, -1e30), dim=-1)
    for uniform in (0.0, 1.0 - 2.0**-24):
        assert allowed[sample_actions(chances, torch.full((100_000,), uniform))].all()
