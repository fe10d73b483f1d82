from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lora_marl.core.presets import conference_network, journal_network
from lora_marl.core.propagation import path_loss_db
from lora_marl.core.region import HOP
from lora_marl.core.scenario import Scenario
from lora_marl.envs.codec import ActionCodec, pick_allowed


@pytest.mark.parametrize("action_format", ["multidiscrete", "discrete"])
def test_actions_come_back(action_format: str) -> None:
    region = conference_network().region
    codec = ActionCodec(region, action_format=action_format)
    points = np.array(list(product(*map(range, region.factor_sizes))), np.int16)
    written = np.zeros_like(points)
    codec.write(codec.encode(points), written)
    assert np.array_equal(written, points)
    if action_format == "discrete":
        assert np.array_equal(codec.encode(points), np.arange(len(points)))


def far_network() -> Scenario:
    """Nodes at which some actions have a margin, one at which none has."""
    network = journal_network(3)
    xy_m = np.array([[300.0, 0.0], [0.0, 1800.0], [30_000.0, 0.0]])
    return replace(network, node_xy_m=xy_m, channel_loss_db=np.array([0, 0, 0, 0, 3, 6, 9, 12.0]))


def margin_db(network: Scenario, node: int, sf: int, channel: int, tp: int) -> float:
    loss_db = float(path_loss_db(network.propagation, np.hypot(*network.node_xy_m[node])))
    sensitivity_dbm = (-123, -126, -129, -132, -133, -136)[sf]
    return network.region.tp_dbm[tp] - loss_db - float(network.channel_loss_db[channel]) - sensitivity_dbm


def test_masks_by_hand() -> None:
    network = far_network()
    flat = ActionCodec(network.region, action_format="discrete").masks(network, 5.0)
    values = ActionCodec(network.region).masks(network, 5.0)
    assert flat.shape == (3, 336)
    assert values.shape == (3, 21)
    for node in range(2):
        allowed = np.array(
            [
                margin_db(network, node, *np.unravel_index(action, (6, 8, 7))) >= 5.0 for action in range(336)
            ]  # fmt: skip
        )
        assert 0 < allowed.sum()
        assert np.array_equal(flat[node], allowed)
        grid = allowed.reshape(6, 8, 7)
        by_value = np.concatenate([grid.any((1, 2)), grid.any((0, 2)), grid.any((0, 1))])
        assert np.array_equal(values[node], by_value)
    assert 0 < flat[1].sum() < 336


def test_the_best_action_always_stays() -> None:
    network = far_network()
    flat = ActionCodec(network.region, action_format="discrete").masks(network, 5.0)[2]
    best = {(5, channel, 6) for channel in range(4)}
    assert {tuple(map(int, np.unravel_index(action, (6, 8, 7)))) for action in np.flatnonzero(flat)} == best
    values = ActionCodec(network.region).masks(network, 5.0)[2]
    assert np.flatnonzero(values).tolist() == [5, 6, 7, 8, 9, 20]


def test_no_margin_masks_nothing_and_fixed_factors_count() -> None:
    network = far_network()
    assert ActionCodec(network.region).masks(network, None).all()
    weak = ActionCodec(network.region, factors=("sf",), fixed_point=[0, 0, 7, 0]).masks(network, 5.0)
    strong = ActionCodec(network.region, factors=("sf",), fixed_point=[0, 0, 0, 6]).masks(network, 5.0)
    assert weak[1].sum() < strong[1].sum()


def test_the_best_of_several_gateways_and_measured_losses() -> None:
    network = replace(journal_network(2), gateway_xy_m=np.array([[0.0, 0.0], [5000.0, 0.0]]))
    loss_db = np.array([[100.0, 90.0], [120.0, 140.0]])
    assert replace(network, path_loss_db=loss_db).mean_gain_db().max(axis=-1).tolist() == [-90.0, -120.0]
    assert network.mean_gain_db().max(axis=-1).shape == (2,)


def test_random_actions_are_allowed_ones_all_as_likely() -> None:
    masks = np.array([True, False, True, False, True, True])
    draws = (np.arange(6000).reshape(-1, 2) % 997) / 997.0
    picked = pick_allowed(draws, np.broadcast_to(masks, (len(draws), 6)), (4, 2))
    assert set(picked[:, 0]) == {0, 2} and set(picked[:, 1]) == {0, 1}
    assert abs((picked[:, 0] == 0).mean() - 0.5) < 0.05


def test_nodes_hop_where_nobody_chooses_their_channel() -> None:
    region = far_network().region
    assert ActionCodec(region, factors=("sf", "tp")).fixed_point.tolist() == [0, 0, HOP, 6]
    assert ActionCodec(region, factors=("sf", "channel")).fixed_point.tolist() == [0, 0, 0, 6]
    assert ActionCodec(region, factors=("sf",), fixed_point=[0, 0, 3, 6]).fixed_point.tolist() == [0, 0, 3, 6]
    with pytest.raises(ValueError, match="channel is hop, but actions choose the channel; allowed is 0 to 7"):
        ActionCodec(region, factors=("channel",), fixed_point=[0, 0, HOP, 6])


def test_masks_of_nodes_that_hop_take_the_mean_loss_of_the_channels() -> None:
    network = replace(far_network(), channel_loss_db=np.array([0.0, 20.0] * 4))
    even = replace(network, channel_loss_db=np.full(8, 10.0))
    hopping = ActionCodec(network.region, factors=("sf",))
    assert np.array_equal(hopping.masks(network, 5.0), hopping.masks(even, 5.0))
    assert not np.array_equal(hopping.masks(network, 5.0), hopping.masks(replace(even, channel_loss_db=None), 5.0))
