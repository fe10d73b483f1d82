"""Planners on the packet air."""

from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.planners import PLANNERS, plan
from lora_marl.core.air import Air
from lora_marl.core.expect.rayleigh import Rayleigh
from lora_marl.core.presets import journal_network, mmalora_network


@pytest.mark.parametrize("name", PLANNERS)
def test_every_placement_is_planned_by_itself(name):
    one, other = (mmalora_network(8, 2, seed=seed) for seed in (0, 1))
    both = replace(one, node_xy_m=np.stack([one.node_xy_m, other.node_xy_m]))
    gateways = replace(other, gateway_xy_m=one.gateway_xy_m)
    together = agents.make(name, both, [5, 6]).initial_points()
    expected = [plan(name, Rayleigh(alone), seed) for alone, seed in ((one, 5), (gateways, 6))]
    np.testing.assert_array_equal(together, np.stack(expected))


def test_on_the_air_it_keeps_what_the_closed_form_promised():
    network = mmalora_network(40, 3, channels=1)
    points = agents.make("energy-ascent", network, [0], least_delivery=0.6).initial_points()
    outcome = Air(network, [0]).advance(points, 300 * 3600.0)
    delivered = outcome.delivered[0] / outcome.sent[0]
    assert delivered.mean() == pytest.approx(Rayleigh(network).delivery(points[0]).mean(), abs=0.01)
    assert delivered.min() > 0.6 - 4 * np.sqrt(0.24 / outcome.sent.min())


def test_channels_may_come_from_matching():
    network = mmalora_network(24, 2, channels=3, packets_per_s=0.004, seed=1)
    points = agents.make("adr-max", network, [7], channels="matching").initial_points()[0]
    matching = plan("matching", Rayleigh(network), 7)
    np.testing.assert_array_equal(points[:, 2], matching[:, 2])


def test_what_cannot_be_planned_is_named():
    network = mmalora_network(4, 2)
    with pytest.raises(ValueError, match="channels: 'best' is not one of balanced, matching"):
        agents.make("energy-independent", network, [0], channels="best")
    with pytest.raises(ValueError, match=r"least_delivery = -0.1"):
        agents.make("energy-independent", network, [0], least_delivery=-0.1)
    with pytest.raises(ValueError, match="rate: 'cubic'"):
        agents.make("energy-independent", network, [0], rate="cubic")
    with pytest.raises(ValueError, match="has no Rayleigh closed form"):
        agents.make("energy-independent", journal_network(4), [0])
