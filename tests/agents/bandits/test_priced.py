"""The price on airtime: what it takes from rewards, and what it is worth in a crowd."""

import numpy as np
import pytest

import agents
from agents.run import run_until
from lora_marl.core.air import Air
from lora_marl.core.presets import journal_network
from lora_marl.core.traffic import Traffic

DELIVERED, LOST = 0, 1


def test_every_step_of_the_spreading_factor_costs_the_price(conference):
    learner = agents.make("priced-cucb", conference, [0], price=0.1, eta=0.5)
    sizes = np.cumsum(conference.region.factor_sizes)[:-1]
    for fate, outcome in ((DELIVERED, 1.0), (LOST, -1.0)):
        by_sf, by_bw, by_channel, by_tp = np.split(learner.rewards[fate], sizes)
        np.testing.assert_allclose(by_sf, outcome - 0.1 * np.arange(6))  # SF7 to SF12
        np.testing.assert_allclose(by_bw, outcome - 0.1 * np.array([2, 1, 0]))  # 125, 250 and 500 kHz
        np.testing.assert_allclose(by_channel, outcome)
        tp_dbm = np.array(conference.region.tp_dbm)
        np.testing.assert_allclose(by_tp, outcome + 0.5 * (1 - tp_dbm / tp_dbm.sum()))


def test_free_airtime_and_d_loras_weights_make_it_restarting_cucb(journal):
    ours = agents.make("priced-cucb", journal, [0], price=0.0, xi=1.0, eta=1.8, c=2.0)
    theirs = agents.make("restarting-cucb", journal, [0])
    np.testing.assert_array_equal(ours.rewards, theirs.rewards)
    np.testing.assert_array_equal(ours.widths, theirs.widths)


def test_factors_that_are_not_learned_have_no_price(journal):
    learner = agents.make("priced-cucb", journal, [0], factors=["channel", "tp"], price=5.0, eta=0.0)
    np.testing.assert_array_equal(learner.rewards[DELIVERED], 1.0)


def test_a_price_makes_room_for_all_in_a_crowd():
    crowd = journal_network(nodes=60, traffic=Traffic(interval_s=3.0, payload_bytes=50, duty_cycle=None))
    pdr = {}
    for price in (0.0, 0.2):
        learner = agents.make("priced-cucb", crowd, [0, 1], price=price)
        air, points = Air(crowd, [0, 1]), learner.initial_points()
        run_until(air, learner, points, 5400.0)
        outcome = run_until(air, learner, points, 9000.0)
        pdr[price] = outcome.delivered.sum() / outcome.sent.sum()
    assert pdr[0.2] > pdr[0.0] + 0.03


@pytest.mark.parametrize("price", [-0.1, np.nan, np.inf])
def test_a_price_is_a_number_of_at_least_0(journal, price):
    with pytest.raises(ValueError, match="price = .*: must be a finite number of at least 0"):
        agents.make("priced-cucb", journal, [0], price=price)
