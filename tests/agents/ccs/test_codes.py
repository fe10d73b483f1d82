"""Latent codes are apart, distinct, and the same whatever their number."""

from __future__ import annotations

import pytest
import torch

from agents.ccs.ring import places, points, random_codes


def test_codes_lie_on_the_sphere_and_apart() -> None:
    table = points(100)
    torch.testing.assert_close(table.norm(dim=-1), torch.ones(100))
    cosines = table @ table.T - 2.0 * torch.eye(100)
    assert cosines[:16, :16].max() == 0.0
    assert cosines.max() < 0.75


def test_a_longer_table_begins_with_the_shorter_one() -> None:
    assert torch.equal(points(300)[:20], points(20))


def test_any_number_of_members() -> None:
    assert points(5000).shape == (5000, 8)
    assert len(points(1000).unique(dim=0)) == 1000


def test_members_of_a_world_differ() -> None:
    drawn = random_codes(50, 8, torch.Generator().manual_seed(0))
    assert drawn.shape == (50, 8, 10)
    of_sphere = drawn[..., :8]
    cosines = of_sphere @ of_sphere.mT - 2.0 * torch.eye(8)
    assert cosines.max() <= 0.0
    assert len(of_sphere.flatten(0, 1).unique(dim=0)) == 16


def angles_of(count: int) -> torch.Tensor:
    """Places of the first slots, in order round the ring. turns"""
    x, y = places(torch.arange(count)).unbind(-1)
    return (torch.atan2(y, x) / (2.0 * torch.pi) % 1.0).sort().values


@pytest.mark.parametrize("count", range(2, 40))
def test_places_stand_well_apart_however_many_there_are(count) -> None:
    turns = angles_of(count)
    gaps = torch.cat([turns[1:], turns[:1] + 1.0]) - turns
    assert gaps.min() > 0.49 / count
    assert gaps.max() < 2.01 / count


def test_places_of_a_power_of_two_are_even() -> None:
    torch.testing.assert_close(angles_of(8), torch.arange(8) / 8.0)


def test_members_of_a_world_take_the_first_slots_in_any_order() -> None:
    drawn = random_codes(50, 4, torch.Generator().manual_seed(0))[..., 8:]
    expected = places(torch.arange(4))
    assert all(
        torch.equal(
            world[world[:, 0].argsort(stable=True)].round(decimals=3).unique(dim=0),
            expected.round(decimals=3).unique(dim=0),
        )
        for world in drawn
    )
    assert len(drawn[:, 0].unique(dim=0)) == 4
