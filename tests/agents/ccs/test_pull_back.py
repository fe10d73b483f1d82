"""The pull-back of shifts of logits, and the clipping of residuals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.ccs.model import Coordinator
from agents.ccs.round import pull_back
from agents.ccs.safeguards import clip_residual
from agents.lns.network import features, unflatten
from agents.lns.vendor import load_vendor

ROOT = Path(__file__).parents[3]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("probes", [24, 96, 200])
def test_almost_no_ridge_reproduces_a_realisable_shift(probes: int) -> None:
    features, change, tau = drawn(3, probes, 129).relu(), drawn(3, 129, 48, seed=1), torch.tensor([0.03, 1.0, 2.0])
    shift = features @ change / tau[:, None, None]
    delta = pull_back(features, tau, ridge=1e-8) @ shift
    error = (features @ delta / tau[:, None, None] - shift).abs().amax((-1, -2))
    assert (error < 1e-5 * shift.abs().amax((-1, -2))).all()


@pytest.mark.parametrize("kind", ["pg", "dqn"])
def test_almost_no_ridge_reproduces_a_shift_of_a_shipped_policy(kind: str) -> None:
    """In double precision; single precision, which rounds use with a ridge of .2, would leave some thousandths."""
    vendor = load_vendor(ROOT / "configs" / "ccs" / f"{kind}-5.safetensors")
    coordinator = Coordinator.load(ROOT / "configs" / "ccs" / "service.safetensors")
    layers = unflatten(vendor.parameters.double(), vendor.schema)
    seen, tau = features(layers, coordinator.probes.double()), torch.tensor(1.0, dtype=torch.float64)
    shift = seen @ (0.1 * drawn(129, 48))
    error = (seen @ (pull_back(seen, tau, ridge=1e-8) @ shift) - shift).abs().max()
    assert error < 1e-5 * shift.abs().max()


def test_is_the_ridge_regression_in_its_first_form() -> None:
    features, shift, tau = drawn(30, 9), drawn(30, 6, seed=1), torch.tensor(0.5, dtype=torch.float64)
    gram = features.T @ features
    expected = 0.5 * torch.linalg.solve(gram + 0.2 * gram.diagonal().mean() * torch.eye(9), features.T @ shift)
    torch.testing.assert_close(pull_back(features, tau) @ shift, expected)


def test_what_is_realised_is_never_larger_than_asked() -> None:
    features, shift = drawn(5, 96, 129).relu().float(), drawn(5, 96, 48, seed=1).float()
    tau = torch.full((5,), 0.03)
    realised = features @ pull_back(features, tau) @ shift / 0.03
    assert (torch.linalg.matrix_norm(realised) < torch.linalg.matrix_norm(shift)).all()


def test_clipping_bounds_the_norm_and_keeps_the_direction() -> None:
    delta, last = drawn(4, 129, 48), drawn(4, 129, 48, seed=1)
    delta = delta * torch.tensor([0.1, 0.5, 1.0, 1000.0])[:, None, None]
    bounded = clip_residual(delta, last, 0.5)
    norms = torch.linalg.matrix_norm(bounded)
    assert (norms <= 0.5 * torch.linalg.matrix_norm(last) * (1 + 1e-12)).all()
    assert torch.equal(bounded[0], delta[0])
    torch.testing.assert_close(bounded[3] / norms[3], delta[3] / torch.linalg.matrix_norm(delta[3]))
    assert torch.equal(clip_residual(delta, last, math.inf), delta)
    assert not clip_residual(delta, last, 0.0).any()
    assert not clip_residual(torch.zeros_like(delta), last, 0.5).any()


def test_no_change_at_all_has_a_gradient() -> None:
    delta = torch.zeros(2, 9, 6, requires_grad=True)
    clip_residual(delta, torch.ones(2, 9, 6), 0.5).sum().backward()
    assert delta.grad is not None and torch.equal(delta.grad, torch.ones(2, 9, 6))


def test_without_a_limit_a_change_stays_whatever_the_layer() -> None:
    delta = drawn(2, 129, 48)
    assert torch.equal(clip_residual(delta, torch.zeros(2, 129, 48, dtype=torch.float64), math.inf), delta)
    assert not clip_residual(delta, torch.zeros(2, 129, 48, dtype=torch.float64), 1.0).any()


def test_arrays_are_clipped_like_tensors() -> None:
    delta, last = 3.0 * drawn(4, 129, 48).float(), drawn(4, 129, 48, seed=1).float()
    for limit in (0.5, 4.0, math.inf):
        clipped = clip_residual(delta.numpy(), last.numpy(), limit)
        assert clipped.dtype == np.float32
        torch.testing.assert_close(torch.from_numpy(clipped), clip_residual(delta, last, limit))
