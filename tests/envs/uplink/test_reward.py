from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.metric_factors import metric_bonus
from lora_marl.core.presets import conference_network, journal_network
from lora_marl.core.scenario import Scenario
from lora_marl.envs.rewards import Reward, TermError
from lora_marl.envs.uplink.reward import TERMS, Scales


def test_factors_that_are_not_chosen_have_no_bonus() -> None:
    network = conference_network()
    scales = Scales.of(network, ("sf", "bw", "tp"), xi=1.0, zeta=0.5, eta=1.8)
    parts = metric_bonus(network.region, xi=1.0, zeta=0.5, eta=1.8)
    np.testing.assert_allclose(scales.bonus, np.concatenate([parts["sf"], parts["bw"], np.zeros(8), parts["tp"]]))
    assert not Scales.of(network, ("channel",), xi=1.0, zeta=0.5, eta=1.8).bonus.any()


def test_terms_by_hand_from_recorded_packets(busy: Scenario) -> None:
    factors = ("sf", "channel", "tp")
    air = Air(busy, [3], record=True, count_arms=True)
    rng = np.random.default_rng(0)
    points = rng.integers(0, busy.region.factor_sizes, (1, 5, 4)).astype(np.int16)
    outcome = air.advance(points, 30.0)
    packets, _ = air.recording()
    reward = Reward(dict.fromkeys(TERMS, 1.0), TERMS)
    terms = reward.terms((1, 5), outcome, Scales.of(busy, factors, xi=1.0, zeta=9.0, eta=1.8))
    weights = [sf / 2**sf for sf in range(7, 13)]
    for node in range(5):
        of_node = (packets.source == node) & (packets.fate >= 0)
        delivered = packets.fate[of_node] == 0
        sf, _, _, tp = points[0, node]
        tp_dbm = busy.region.tp_dbm[tp]
        bonus = weights[sf] / sum(weights) + 1.8 * (1 - tp_dbm / 56)
        airtime_s = (packets.end_s - packets.start_s)[of_node]
        energy_mj = airtime_s * 10 ** (tp_dbm / 10)
        fastest_s = busy.airtime_s().min()
        assert terms["delivery"][0, node] == pytest.approx(delivered.mean())
        assert terms["dlora"][0, node] == pytest.approx(3 * (2 * delivered.mean() - 1) + bonus)
        assert terms["throughput"][0, node] == pytest.approx(delivered.sum() * fastest_s / airtime_s.sum())
        best_mj = fastest_s * 10**0.2
        assert terms["energy_efficiency"][0, node] == pytest.approx(delivered.sum() * best_mj / energy_mj.sum())
    np.testing.assert_allclose(reward.total(terms), sum(terms.values()))


def test_weights_scale_the_terms() -> None:
    network = journal_network(4)
    scales = Scales.of(network, ("sf",), xi=1.0, zeta=0.0, eta=1.8)
    outcome = Air(network, [0], count_arms=True).advance(np.zeros((1, 4, 4), np.int16), 100.0)
    reward = Reward({"delivery": 2.0, "throughput": -0.5}, TERMS)
    terms = reward.terms((1, 4), outcome, scales)
    assert set(terms) == {"delivery", "throughput"}
    np.testing.assert_allclose(reward.total(terms), 2.0 * terms["delivery"] - 0.5 * terms["throughput"])


def test_powers_that_sum_to_nothing_have_no_share() -> None:
    network = journal_network(2)
    network = replace(network, region=replace(network.region, tp_dbm=(-4.0, 2.0)))
    with pytest.raises(ValueError, match=r"values \[-4.0, 2.0\] sum to -2.0"):
        Scales.of(network, ("sf", "tp"), xi=1.0, zeta=0.0, eta=1.8)
    assert not Scales.of(network, ("sf", "tp"), xi=1.0, zeta=0.0, eta=0.0).bonus[-2:].any()


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        ("delivery", "reward: 'delivery' is not a mapping from reward term to weight, such as"),
        ({"delivery": "x"}, "reward: the weight of delivery is 'x'; it must be a finite number"),
        ({"math:pi": 1.0}, "reward: 'math:pi' is 3.14.*; a term is a function"),
        ({":x": 1.0}, "reward: ':x' cannot be imported"),
    ],
)
def test_what_is_no_term_is_named(reward: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reward(reward, TERMS)


def test_a_term_that_takes_something_else_is_named() -> None:
    with pytest.raises(TermError, match="reward: len, called with 2 arguments: "):
        Reward({"builtins:len": 1.0}, TERMS).terms((1, 1), np.zeros(1), np.zeros(1))
