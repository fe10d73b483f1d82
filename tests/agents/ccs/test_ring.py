"""Where groups stand on the ring of channels, and what channels hear around it."""

from __future__ import annotations

from math import pi

import pytest
import torch
from torch import Tensor

from agents.ccs.hypernetwork import MESSAGE, RingMessages
from agents.ccs.layout import View
from agents.ccs.ring import RING_FEATURES, angles, codes, group_places, ring_features


def view(networks: int, absent: int = 0) -> View:
    """Networks of the first places, of which the last ones count for nobody."""
    weights = torch.ones(1, networks)
    weights[:, networks - absent :] = 0.0
    numbers = torch.arange(networks)
    own_codes = codes(numbers, numbers)[None, :, None].expand(1, networks, 4, -1)
    empty = torch.zeros(1, networks, 4, 48)
    return View(empty, torch.zeros(1, networks, dtype=torch.int64), torch.zeros(1, networks, 4), own_codes, weights)


def turns(networks: int, spread: float = 2.0, absent: int = 0) -> Tensor:
    """How far groups stand from their network's place. degrees `[S, 4]`"""
    seen = view(networks, absent)
    x, y = group_places(seen, spread)
    place = torch.atan2(seen.codes[..., -1], seen.codes[..., -2])
    apart = torch.atan2(y, x) - place
    return torch.rad2deg((apart + pi) % (2 * pi) - pi)[0]


def between(seen: View) -> Tensor:
    """The smallest angle between two groups of a network. degrees `[S]`"""
    x, y = (coordinates[0] for coordinates in group_places(seen, 2.0))
    cos = x[:, :, None] * x[:, None] + y[:, :, None] * y[:, None]
    cos.diagonal(dim1=1, dim2=2).fill_(-1.0)
    return torch.rad2deg(cos.amax((1, 2)).clamp(max=1.0).acos())


def test_groups_of_two_networks_divide_the_ring_evenly() -> None:
    torch.testing.assert_close(turns(2), torch.tensor([-67.5, -22.5, 22.5, 67.5]).expand(2, 4), atol=1e-3, rtol=0.0)
    x, y = group_places(view(2), 2.0)
    places = torch.rad2deg(torch.atan2(y, x)).flatten().sort().values
    torch.testing.assert_close(places.diff(), torch.full((7,), 45.0), atol=1e-3, rtol=0.0)


@pytest.mark.parametrize(("networks", "apart"), [(1, 90.0), (2, 45.0), (3, 15.0), (4, 0.0), (9, 0.0)])
def test_the_more_networks_the_closer_stand_their_groups(networks: int, apart: float) -> None:
    torch.testing.assert_close(between(view(networks)), torch.full((networks,), apart), atol=0.1, rtol=0.0)


def test_groups_stand_around_their_place_or_all_at_it() -> None:
    for networks in (2, 3, 5):
        torch.testing.assert_close(turns(networks).mean(-1), torch.zeros(networks), atol=1e-3, rtol=0.0)
        torch.testing.assert_close(turns(networks, spread=0.0), torch.zeros(networks, 4), atol=1e-3, rtol=0.0)


@pytest.mark.parametrize("present", [(0, 1), (0, 2), (1, 2), (0, 3), (0, 2, 4), (1, 2, 3)])
def test_whoever_of_the_first_networks_is_left_has_an_arc_of_its_own(present: tuple[int, ...]) -> None:
    weights = torch.zeros(1, 5)
    weights[:, present] = 1.0
    seen = view(5)._replace(weights=weights)
    x, y = (coordinates[0, present].flatten() for coordinates in group_places(seen, 2.0))
    cos = (x[:, None] * x + y[:, None] * y).fill_diagonal_(-1.0)
    assert torch.rad2deg(cos.clamp(-1.0, 1.0).acos()).min() > 10.0


def test_who_counts_for_nobody_takes_no_share_of_the_ring() -> None:
    torch.testing.assert_close(turns(4, absent=2)[:2], turns(2), atol=1e-3, rtol=0.0)


def test_what_is_said_of_a_channel_is_the_angle_from_places_to_it() -> None:
    seen = view(3)
    actual, at = ring_features(seen, angles(8), 2.0)[0], angles(8)
    assert actual.shape == (3, 4, 8, RING_FEATURES)
    x, y = group_places(seen, 2.0)
    places = torch.atan2(y, x)[0]
    for network, group in ((0, 0), (1, 3), (2, 2)):
        angle = at - places[network, group]
        others = [at - places[s, :, None] for s in range(3) if s != network]
        near = [torch.stack([(n * angles_to).cos().mean(0) for angles_to in others]).mean(0) for n in (1, 2)]
        expected = [angle.cos(), angle.sin(), (2 * angle).cos(), (2 * angle).sin(), *near]
        torch.testing.assert_close(actual[network, group], torch.stack(expected, -1), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("channels", [8, 5])
def test_what_is_heard_turns_with_the_ring_and_comes_from_every_channel(channels: int) -> None:
    torch.manual_seed(0)
    around, at = RingMessages(channels, 7), angles(channels)
    known = torch.randn(2, 3, channels, 7)

    def heard(known: Tensor, at: Tensor) -> Tensor:
        return around(known.flatten(1, 2), at).view(2, 3, channels, MESSAGE)

    turned = heard(known.roll(2, 2), at)
    torch.testing.assert_close(turned, heard(known, at).roll(2, 2), atol=1e-4, rtol=1e-4)
    order = torch.randperm(channels)
    moved = heard(known[:, :, order], at[order])
    torch.testing.assert_close(moved, heard(known, at)[:, :, order], atol=1e-4, rtol=1e-4)
    other = known.clone()
    other[:, :, 0] += 1.0
    reported = (heard(other, at) - heard(known, at))[0, 0].norm(dim=-1)
    assert reported.min() > 1e-3
    assert reported.sort().values.diff().min() > 1e-4
