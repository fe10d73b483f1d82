import math
from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.presets.single_node import (
    CHANNEL_LOSS_DB,
    delivery_probabilities,
    equilibria,
    expected_rewards,
    single_node_network,
)
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.region import Region
from lora_marl.core.units import ratio_to_db

REPLICAS, PACKETS = 40, 250


def delivered_share(scenario, point):
    """Share of packets that the air delivers at one operating point, and how many there were."""
    air = Air(scenario, seeds=range(REPLICAS))
    points = np.tile(np.array(point, np.int16), (REPLICAS, 1, 1))
    outcome = air.advance(points, until_s=PACKETS * 20.0)
    return outcome.delivered.sum() / outcome.sent.sum(), outcome.sent.sum()


def test_a_probability_by_hand():
    """SF12 at 125 kHz hears -136 dBm; 9 dBm - 138 dB - 0 dB is 7 dB above it, 1.75 standard deviations of 4 dB."""
    delivered = delivery_probabilities(single_node_network())
    assert delivered.shape == (2, 1, 4, 3)
    assert delivered[1, 0, 1, 1] == pytest.approx(0.95994, abs=5e-6)
    assert delivered[0, 0, 1, 1] == pytest.approx(0.06681, abs=5e-6)  # SF7: 6 dB below -123 dBm
    assert delivered[1, 0, 0, 1] == pytest.approx(1 - 0.59871, abs=5e-6)  # 8 dB of channel loss: 1 dB below


@pytest.mark.parametrize("point", [(1, 0, 1, 1), (0, 0, 1, 2), (1, 0, 0, 1), (1, 0, 3, 2), (0, 0, 2, 0)])
def test_the_packet_air_agrees(point):
    scenario = single_node_network()
    expected = delivery_probabilities(scenario)[point]
    share, packets = delivered_share(scenario, point)
    assert packets > 0.9 * REPLICAS * PACKETS
    assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / packets) + 1e-3


def test_bandwidth_gain_and_model_path_loss_count():
    region = Region(
        name="wide", channels_hz=(868.1e6,), bandwidths_hz=(125e3, 500e3), spreading_factors=(8,), tp_dbm=(14.0,)
    )
    scenario = replace(
        single_node_network(), region=region, path_loss_db=None, channel_loss_db=None,
        node_xy_m=np.array([[1000.0, 0.0]]), propagation=Propagation(shadowing_db=5.0, antenna_gain_db=-4.0),
    )  # fmt: skip
    delivered = delivery_probabilities(scenario)
    margin_db = 14 - 128.95 - 4 - np.array([-126.0, -119.0])
    assert delivered.ravel() == pytest.approx([0.5 * math.erfc(-m / 5 / math.sqrt(2)) for m in margin_db])
    share, packets = delivered_share(scenario, (0, 1, 0, 0))
    assert abs(share - delivered[0, 1, 0, 0]) < 4 * math.sqrt(0.25 / packets)


def test_without_shadowing_power_at_the_sensitivity_is_delivered():
    scenario = single_node_network(145.0, shadowing_db=0.0)
    delivered = delivery_probabilities(scenario)
    assert delivered[1, 0, 1].tolist() == [0.0, 1.0, 1.0]
    assert delivered_share(scenario, (1, 0, 1, 1))[0] == 1.0


def test_rewards_by_hand():
    """Delivered with 3/4: the factor sees 3/4 of its reward and 1/4 of what it gets for a lost packet."""
    delivered = np.full((2, 1, 1, 2), 0.75)
    delivered[1] = 0.0
    rewards = np.array([[1.0, 2.0, 4.0, 8.0], [-1.0, -2.0, 0.0, 0.0], *np.full((3, 4), np.nan)])
    expected = expected_rewards(delivered, rewards, ("sf", "tp"))
    assert expected[:, 0, 0, 0].tolist() == [[0.5, 0.5], [3.0, 6.0]]
    assert expected[:, 1, 0, 0].tolist() == [[-2.0, -2.0], [0.0, 0.0]]
    with pytest.raises(ValueError, match="4 values; sf have 2"):
        expected_rewards(delivered, rewards, ("sf",))


def test_settled_points_are_those_of_a_search():
    rng = np.random.default_rng(0)
    rewards = rng.integers(0, 3, (3, 2, 1, 4, 3)).astype(float)
    axes = (0, 2, 3)
    for point in np.ndindex(rewards.shape[1:]):
        others = [
            rewards[f][point[:axis] + (k,) + point[axis + 1 :]] <= rewards[f][point]
            for f, axis in enumerate(axes)
            for k in range(rewards.shape[1 + axis])
        ]
        assert equilibria(rewards, ("sf", "channel", "tp"))[point] == all(others)


def test_delivery_grows_with_power_and_falls_with_loss():
    delivered = delivery_probabilities(single_node_network())
    assert (np.diff(delivered, axis=3) > 0).all() and (np.diff(delivered, axis=0) > 0).all()
    by_loss = delivered[:, :, np.argsort(CHANNEL_LOSS_DB)]
    assert (np.diff(by_loss, axis=2) < 0).all()
    farther = delivery_probabilities(single_node_network(138.0 + float(ratio_to_db(2.0))))
    assert (farther < delivered).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"node_xy_m": np.zeros((2, 2)), "path_loss_db": None}, "scenario.node_xy_m: 2"),
        ({"gateway_xy_m": np.zeros((2, 2)), "path_loss_db": None}, "scenario.gateway_xy_m: 2"),
        ({"reception": Reception()}, "scenario.reception.inter_sf: 'sinr'"),
        ({"propagation": Propagation(fading="rayleigh")}, "scenario.propagation.fading: 'rayleigh'"),
        ({"propagation": Propagation(shadowing="link")}, "scenario.propagation.shadowing: 'link'"),
        ({"path_loss_db": np.full((3, 1, 1), 130.0)}, "scenario.mean_gain_db: 3"),
    ],
)
def test_scenarios_without_the_closed_form_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        delivery_probabilities(replace(single_node_network(), **fields))
