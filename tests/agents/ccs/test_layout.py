"""Channels with other numbers: observations, actions and networks permuted together mean the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.ccs.layout import Layout, probes_of, random_orders
from agents.lns.network import Schema, forward, unflatten
from lora_marl.envs import coexistence_v0

LAYOUT = Layout()


@pytest.fixture(scope="module")
def env() -> coexistence_v0.Coexisting:
    """The environment whose groups are the agents, as the coordination service knows them."""
    return coexistence_v0.parallel_env(coexistence="ccs_study", decider="group")


def test_sizes_are_those_of_the_environment(env: coexistence_v0.Coexisting) -> None:
    assert (LAYOUT.features, LAYOUT.actions) == (40, 48)
    assert (len(env.feature_names), env.game.actions.size) == (40, 48)
    assert (LAYOUT.channels, LAYOUT.offsets, LAYOUT.powers) == env.game.actions.sizes
    assert Layout(powers=5).actions == 120


def test_observations_are_laid_out_as_the_environment_names_them(env: coexistence_v0.Coexisting) -> None:
    """A feature that is renamed, moved or added in `coexistence_v0` moves what the service reads by position."""
    assert LAYOUT.feature_names == env.feature_names
    names, numbers = np.array(env.feature_names), torch.arange(len(env.feature_names))
    by_channel = names[LAYOUT.by_channel(numbers)]
    assert by_channel.tolist() == [[f"{kind}_channel_{c}" for kind in ("received", "share", "busy")] for c in range(8)]
    assert names[LAYOUT.one_hot(numbers)].tolist() == [f"is_{q}" for q in range(LAYOUT.groups)]


def test_actions_are_numbered_as_in_the_environment(env: coexistence_v0.Coexisting) -> None:
    channel, offset, power = env.game.actions.parts(np.arange(LAYOUT.actions))
    power = np.searchsorted(env.game.actions.powers, power)
    assert np.array_equal((channel * LAYOUT.offsets + offset) * LAYOUT.powers + power, np.arange(LAYOUT.actions))
    marginals = LAYOUT.marginals(torch.eye(LAYOUT.actions))
    assert np.array_equal(marginals.argmax(-1), channel)


def test_features_of_channels_move_and_others_stay() -> None:
    observation = torch.arange(40.0)
    order = torch.tensor([2, 0, 1, 3, 4, 5, 6, 7])
    moved = LAYOUT.permuted_observations(observation, order)
    assert moved[:4].tolist() == [2, 0, 1, 3]
    assert moved[8:11].tolist() == [10, 8, 9]
    assert moved[16:19].tolist() == [18, 16, 17]
    assert torch.equal(moved[24:], observation[24:])
    assert LAYOUT.by_channel(observation)[3].tolist() == [3, 11, 19]


def test_actions_of_a_channel_move_together() -> None:
    order = torch.tensor([2, 0, 1, 3, 4, 5, 6, 7])
    moved = LAYOUT.permuted_actions(torch.arange(48), order)
    assert moved[:6].tolist() == [12, 13, 14, 15, 16, 17]
    assert moved[(1 * 3 + 2) * 2 + 1].item() == (0 * 3 + 2) * 2 + 1


def test_permuted_networks_do_the_same_on_permuted_observations(snapshots_of) -> None:
    snapshots = snapshots_of((0, 1), count=3)
    layers = unflatten(snapshots.parameters, Schema())
    orders = random_orders(3, 8, torch.Generator().manual_seed(1))[:, None]
    before = forward(layers, snapshots.observations)
    moved = LAYOUT.permuted_observations(snapshots.observations, orders[:, :, None])
    after = forward(LAYOUT.permuted_layers(layers, orders), moved)
    torch.testing.assert_close(after, LAYOUT.permuted_actions(before, orders[:, :, None]))
    assert not torch.allclose(after, before)


def test_probes_are_views_of_networks_with_channels_permuted() -> None:
    views = torch.rand(10, 4, 40)
    probes = probes_of(views, 6, LAYOUT, torch.Generator().manual_seed(0))
    assert probes.shape == (24, 40)
    again = probes_of(views, 6, LAYOUT, torch.Generator().manual_seed(0))
    assert torch.equal(probes, again)
    for probe in probes.unflatten(0, (6, 4)):
        source = (views[:, :, 24:] == probe[:, 24:]).all(-1).all(-1).nonzero()
        assert len(source) == 1
        assert torch.equal(views[source[0, 0], :, :8].sort(-1).values, probe[:, :8].sort(-1).values)
    with pytest.raises(ValueError, match="patterns = 11"):
        probes_of(views, 11, LAYOUT, torch.Generator())
