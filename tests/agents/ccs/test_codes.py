"""Latent codes are apart, distinct, and the same whatever their number."""

from __future__ import annotations

import torch

from agents.ccs.codes import codes, random_codes


def test_codes_lie_on_the_sphere_and_apart() -> None:
    table = codes(100)
    torch.testing.assert_close(table.norm(dim=-1), torch.ones(100))
    cosines = table @ table.T - 2.0 * torch.eye(100)
    assert cosines[:16, :16].max() == 0.0
    assert cosines.max() < 0.75


def test_a_longer_table_begins_with_the_shorter_one() -> None:
    assert torch.equal(codes(300)[:20], codes(20))


def test_any_number_of_members() -> None:
    assert codes(5000).shape == (5000, 8)
    assert len(codes(1000).unique(dim=0)) == 1000


def test_members_of_a_world_differ() -> None:
    drawn = random_codes(50, 8, torch.Generator().manual_seed(0))
    cosines = drawn @ drawn.mT - 2.0 * torch.eye(8)
    assert cosines.max() <= 0.0
    assert len(drawn.flatten(0, 1).unique(dim=0)) == 16
