"""Every learner finds the best arm of an air on which it is known (`lora_marl.core.presets.single_node`)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import agents
from agents.bandits.cucb import CUCB
from agents.learner import Learner
from agents.planners import PLANNERS
from agents.run import single_node_choices
from lora_marl.core.air import Air
from lora_marl.core.presets.single_node import (
    CHANNEL_LOSS_DB,
    delivery_probabilities,
    equilibria,
    expected_rewards,
    single_node_network,
)

SEEDS = range(8)

LEARNERS: dict[str, tuple[dict[str, Any], int, str]] = {
    "cucb": ({}, 5_000, "rewards"),
    "discounted-cucb": ({}, 5_000, "rewards"),
    "window-cucb": ({}, 5_000, "rewards"),
    "restarting-cucb": ({}, 5_000, "rewards"),
    "priced-cucb": ({}, 10_000, "delivery"),
    "conference-cucb": ({"variant": "PDR"}, 5_000, "delivery"),
    "ucb1": ({}, 10_000, "delivery"),
    "mix-mab": ({}, 20_000, "delivery"),
    "exp3": ({"horizon": 40_000}, 40_000, "delivery"),
    "exp3s": ({"horizon": 40_000}, 40_000, "delivery"),
    "epsilon-greedy": ({}, 10_000, "rewards"),
    "thompson": ({}, 5_000, "rewards"),
    "cd-lora": ({}, 5_000, "rewards"),
    "reference-pdr": ({}, 100, "delivery"),
}
"""Parameters, decisions of every node, and what it seeks: D-LoRa's rewards, or delivery alone."""


@cache
def worth(sought: str) -> np.ndarray:
    """What every super arm is worth on average, flattened."""
    scenario = single_node_network()
    delivered = delivery_probabilities(scenario)
    if sought == "delivery":
        return delivered.ravel()
    dlora = CUCB(scenario, [0])
    return expected_rewards(delivered, dlora.rewards, dlora.factors).sum(axis=0).ravel()


def seeds_on_the_best_arm(learner: str, parameters: dict[str, Any], packets: int, sought: str) -> int:
    """Seeds on which the arm that is played most in the last quarter is the best one."""
    scenario = single_node_network()
    chosen = single_node_choices(Air(scenario, SEEDS), agents.make(learner, scenario, SEEDS, **parameters), packets)
    arms = len(worth(sought))
    counts = [np.bincount(seed, minlength=arms) for seed in chosen[3 * packets // 4 :].T]
    return sum(int(count.argmax() == worth(sought).argmax()) for count in counts)


class Silent(Learner):
    def select(self, decisions):
        return self.fixed_points[decisions.replica, decisions.node]


def test_a_learner_that_leaves_the_channel_to_the_node_is_refused():
    scenario = single_node_network()
    with pytest.raises(ValueError, match="Silent: its channel is hop"):
        single_node_choices(Air(scenario, [0]), Silent(scenario, [0]), 1)


def test_the_best_points_are_what_the_page_says():
    scenario = single_node_network()
    delivered = delivery_probabilities(scenario)
    learner = CUCB(scenario, [0])
    rewards = expected_rewards(delivered, learner.rewards, learner.factors)
    total = np.sort(rewards.sum(axis=0).ravel())
    assert np.unravel_index(delivered.argmax(), delivered.shape) == (1, 0, 1, 2)
    assert np.unravel_index(rewards.sum(axis=0).argmax(), delivered.shape) == (1, 0, 1, 1)
    assert np.argwhere(equilibria(rewards, learner.factors)).tolist() == [[1, 0, 1, 1]]
    assert total[-1] - total[-2] > 0.1 and np.diff(np.sort(delivered.ravel())[-2:])[0] > 0.03
    assert np.argmin(CHANNEL_LOSS_DB) == 1


def test_at_140_db_the_best_point_is_one_that_a_factor_leaves():
    scenario = single_node_network(140.0)
    learner = CUCB(scenario, [0])
    rewards = expected_rewards(delivery_probabilities(scenario), learner.rewards, learner.factors)
    best = np.unravel_index(rewards.sum(axis=0).argmax(), rewards.shape[1:])
    assert best == (1, 0, 1, 2) and not equilibria(rewards, learner.factors)[best]


@pytest.mark.parametrize("learner", LEARNERS)
def test_it_finds_the_best_arm(learner):
    parameters, packets, sought = LEARNERS[learner]
    assert seeds_on_the_best_arm(learner, parameters, packets, sought) >= 7, f"of {len(SEEDS)} seeds"


@pytest.mark.parametrize("sought", ["rewards", "delivery"])
def test_random_choice_does_not(sought):
    assert seeds_on_the_best_arm("random", {}, 5_000, sought) <= 2


def test_nor_does_a_rule_with_one_arm_per_factor_that_seeks_something_else():
    """D-LoRa trades delivery for power here, so the two sought arms differ and neither learner finds the other's."""
    assert worth("rewards").argmax() != worth("delivery").argmax()
    assert seeds_on_the_best_arm("cucb", {}, 5_000, "delivery") == 0
    assert seeds_on_the_best_arm("ucb1", {}, 10_000, "rewards") == 0


@pytest.mark.parametrize("learner", agents.LEARNERS)
def test_no_learner_is_forgotten(learner):
    """A new learner is added above, or here where it does not learn or not on this air."""
    fixed = {"random", "static-sf7", "distance-quantile", "round-robin", "rs-lora", "caasi", "adr", "adr-ideal"}
    fixed |= {"min-sf", "load-br", "load-sorted", "tolio", "adr-server", "dylora"}
    fixed |= {"fadr", "explora-sf", "explora-at", "adr-lite"}
    fixed |= {"adr-chirpstack", "adr-tts", "adr-ns3", "adr-semtech"}
    fixed |= set(PLANNERS)
    fixed.add("reference-ee")  # seeks what no learner seeks
    fixed.add("twin")  # plans for a network, by the hour
    fixed |= {"norel", "norel-frugal"}  # end at mixed strategies: tests/agents/norel/test_norel.py
    assert (learner in LEARNERS) != (learner in fixed)
