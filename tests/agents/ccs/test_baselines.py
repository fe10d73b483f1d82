"""Residuals of other origin."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.ccs.baselines import direct, random_residual
from agents.ccs.layout import temperatures
from agents.ccs.proxy import Proxy
from agents.ccs.safeguards import clip_residual
from agents.lns.network import Schema, features, last_layer_of, unflatten


def test_random_residuals_have_the_norms_of_the_given_ones() -> None:
    delta = torch.randn(2, 3, 5, 4) * torch.tensor([0.0, 1.0, 7.0])[:, None, None]
    actual = torch.from_numpy(random_residual(delta.numpy(), np.random.default_rng(7)))
    torch.testing.assert_close(torch.linalg.matrix_norm(actual), torch.linalg.matrix_norm(delta))
    assert (actual * delta).sum().abs() < 0.5 * delta.square().sum()


def test_direct_optimisation_gains_where_it_looks(snapshots_of) -> None:
    stored = snapshots_of((1, 1), count=3)
    parameters, kinds, proxy = stored.parameters[:2], stored.kinds[:2], Proxy()
    actual = direct(parameters, kinds, stored, proxy, steps=20, learning_rate=0.03, clip=0.5)
    last = last_layer_of(parameters, Schema())
    assert (torch.linalg.matrix_norm(actual) <= 0.5001 * torch.linalg.matrix_norm(last)).all()

    def utility(delta: torch.Tensor, world: int) -> float:
        seen = features(unflatten(parameters[world], Schema()), stored.observations.transpose(0, 1).flatten(1, 2))
        logits = seen @ (last[world] + delta) / temperatures(kinds[world])[:, None, None]
        policy = logits.unflatten(1, (3, 4)).transpose(0, 1).softmax(-1)
        return proxy(policy, stored.worlds).utility.mean().item()

    none = torch.zeros_like(actual[0])
    for world in range(2):
        assert utility(actual[world], world) > utility(none, world) + 0.02
    alone = direct(parameters[1:], kinds[1:], stored, proxy, steps=20, learning_rate=0.03, clip=0.5)
    torch.testing.assert_close(alone[0], actual[1], rtol=1e-3, atol=1e-5)
    assert torch.equal(clip_residual(actual, last, 0.6), actual)


def test_direct_optimisation_needs_the_mixture(snapshots_of) -> None:
    with pytest.raises(ValueError, match=r"kinds = \[\[0, 1\]\]: expected \[1, 1\]"):
        direct(torch.zeros(1, 2, Schema().size), torch.tensor([[0, 1]]), snapshots_of((1, 1), 1), Proxy())
