"""MIX-MAB against numbers worked out by hand, and against a plain statement of its rule over lists."""

import math
import random

import numpy as np
import pytest

from agents.bandits.mix_mab import MixMAB, exploration_packets, learning_rate
from lora_marl.core.reception import Fate

WEIGHT, PROBABILITY, SENT, DELIVERED = range(4)


def two_arms(journal, **parameters):
    """Arms that are the journal's powers 2 and 4 dBm: a node with two super arms."""
    from dataclasses import replace

    region = replace(journal.region, tp_dbm=(2.0, 4.0))
    return MixMAB(replace(journal, region=region), [0], factors=["tp"], **parameters)


def test_constants_are_golden(dlora_vectors, journal):
    golden = dlora_vectors["mix_mab"]
    assert exploration_packets(golden["K"]) == golden["explore_pulls_per_arm"]
    for horizon, rate in golden["learning_rate_original"].items():
        assert learning_rate(golden["K"], int(horizon)) == pytest.approx(rate, rel=1e-12)
    assert MixMAB(journal, [0]).rate == pytest.approx(golden["learning_rate_original"]["180000"], rel=1e-12)


def test_a_trace_worked_out_by_hand(journal, decisions_of):
    # K = 2, H = 2 ln 2 / ((e - 1) 0.25) makes g = 0.5, so that a delivery with p = 0 multiplies w by exp(0.25).
    learner = two_arms(journal, horizon=2 * math.log(2) / ((math.e - 1) * 0.25))
    assert learner.rate == pytest.approx(0.5)
    arms = learner.state_arrays()["arms"][0, 0]

    def packet(tp, fate):
        learner.update(decisions_of([0], [0], [fate], [[0, 0, 0, tp]]))

    packet(0, Fate.COLLIDED)
    np.testing.assert_array_equal(arms[:, 0], [1, 0, 1, 0])
    # Delivered: w = (e^.25, 1). Arm 0 alone has deliveries; both p are 0 when it is set, so it gets
    # .5 e^.25 / (e^.25 + 1 - 2) + .25, and after scaling 1.
    packet(0, Fate.DELIVERED)
    np.testing.assert_allclose(arms[:, 0], [math.exp(0.25), 1, 2, 1], rtol=1e-12)
    # Arm 1 delivers with p = 0: w = (e^.25, e^.25). p_0 first, with one p of 0: .5 e^.25 / (2 e^.25 - 1) + .25;
    # then p_1 with the same zero, its own: the same value. Scaled: a half each.
    packet(1, Fate.DELIVERED)
    np.testing.assert_allclose(arms[WEIGHT], [math.exp(0.25)] * 2, rtol=1e-12)
    np.testing.assert_allclose(arms[PROBABILITY], [0.5, 0.5], rtol=1e-12)
    # Arm 0 delivers with p = .5: its weight grows by exp(.5 * 2 / 2); no zeros are left.
    packet(0, Fate.DELIVERED)
    weights = np.array([math.exp(0.75), math.exp(0.25)])
    np.testing.assert_allclose(arms[WEIGHT], weights, rtol=1e-12)
    np.testing.assert_allclose(arms[PROBABILITY], 0.5 * weights / weights.sum() + 0.25, rtol=1e-12)


def test_an_arm_of_less_than_half_the_highest_probability_is_eliminated(journal, decisions_of):
    learner = two_arms(journal, horizon=1000)
    arms = learner.state_arrays()["arms"][0, 0]
    for sent, eliminated in ((4, False), (5, True)):
        arms[WEIGHT], arms[PROBABILITY] = [10.0, 1.0], [0.9, 0.1]
        arms[SENT], arms[DELIVERED] = [20, sent], [20, 3]
        learner.update(decisions_of([0], [0], [Fate.DELIVERED], [[0, 0, 0, 1]]))
        assert arms[SENT, 1] == sent + 1
        assert (arms[PROBABILITY, 1] == 0) == eliminated
        assert arms[DELIVERED, 1] == (0 if eliminated else 4)
        assert arms[PROBABILITY].sum() == pytest.approx(1)


def test_an_arm_played_too_often_starts_everything_but_the_weights_afresh(journal, decisions_of):
    learner = two_arms(journal)
    state = learner.state_arrays()
    arms, ref = state["arms"][0, 0], state["ref"]
    arms[WEIGHT], arms[PROBABILITY], arms[SENT] = [3.0, 1.0], [0.7, 0.3], [99, 40]
    learner.update(decisions_of([0], [0], [Fate.COLLIDED], [[0, 0, 0, 0]]))
    assert ref[0, 0] == 1 and arms[SENT, 0] == 100
    learner.update(decisions_of([0], [0], [Fate.COLLIDED], [[0, 0, 0, 0]]))
    assert ref[0, 0] == 2
    np.testing.assert_array_equal(arms[WEIGHT], [3, 1])
    assert not arms[PROBABILITY:].any()


def test_every_arm_is_tried_in_turn_before_any_is_drawn(journal, decisions_of):
    learner = MixMAB(journal, [0], factors=["tp"])
    points = learner.initial_points()
    tries = exploration_packets(7)
    chosen = []
    for _ in range(7 * tries):
        fate = Fate.NONE if not chosen else Fate.COLLIDED
        learner.decide(decisions_of([0], [0], [fate], points[0, [0]]), points)
        chosen.append(points[0, 0, 3])
    np.testing.assert_array_equal(chosen, np.tile(range(7), tries))


@pytest.mark.parametrize("seed", range(3))
def test_the_compiled_rule_is_the_plain_one(journal, decisions_of, seed):
    learner = MixMAB(journal, [0], factors=["channel"], horizon=400)
    arms, ref = learner.state_arrays()["arms"][0, 0], learner.state_arrays()["ref"]
    plain = PlainRule(8, learner.rate)
    dice = random.Random(seed)
    for _ in range(3000):
        arm = dice.choices(range(8), weights=range(1, 9))[0]
        delivered = dice.random() < 0.2 + 0.1 * arm
        fate = Fate.DELIVERED if delivered else Fate.INTERFERED
        learner.update(decisions_of([0], [0], [fate], [[0, 0, arm, 0]]))
        plain.learn(arm, delivered)
        np.testing.assert_allclose(arms, [plain.w, plain.p, plain.n, plain.s], rtol=1e-10, atol=1e-14)
    assert ref[0, 0] == plain.ref > 1


class PlainRule:
    """The published rule in its own words: lists, and a sum and a count for every arm."""

    def __init__(self, arms, rate):
        self.w, self.p, self.n, self.s, self.ref, self.g = [1.0] * arms, [0.0] * arms, [0] * arms, [0] * arms, 1, rate

    def learn(self, a, delivered):
        arms = range(len(self.w))
        self.n[a] += 1
        if delivered:
            self.s[a] += 1
            reward = 1 if self.p[a] == 0 else 1 / self.p[a]
            self.w[a] *= math.exp(self.g * reward / len(self.w))
            for k in arms:
                if self.s[k]:
                    share = self.w[k] / (sum(self.w) - self.p.count(0))
                    self.p[k] = (1 - self.g) * share + self.g / len(self.w)
            if self.n[a] > 5 and len([p for p in self.p if p]) > 1 and self.p[a] < max(self.p) / 2:
                self.p[a], self.s[a] = 0.0, 0
        if self.n[a] > 100 * self.ref:
            self.ref += 1
            self.p, self.n, self.s = [0.0] * len(self.w), [0] * len(self.w), [0] * len(self.w)
        self.p = [0.0 if p < 0.0005 else p for p in self.p]
        if sum(self.p):
            self.p = [p / sum(self.p) for p in self.p]


def test_arms_are_drawn_as_often_as_their_probabilities_say(journal, decisions_of):
    learner = MixMAB(journal, [0], factors=["channel"])
    arms = learner.state_arrays()["arms"][0, 0]
    arms[SENT] = 50
    arms[PROBABILITY] = np.array([0, 1, 2, 3, 4, 0, 0, 0]) / 10
    due = decisions_of([0], [0], [Fate.NONE], [[0, 0, 0, 0]])
    drawn = np.bincount([learner.select(due)[0, 2] for _ in range(4000)], minlength=8) / 4000
    np.testing.assert_allclose(drawn, arms[PROBABILITY], atol=4 * 0.5 / math.sqrt(4000))
    assert not drawn[[0, 5, 6, 7]].any()


def test_a_horizon_below_one_packet_is_an_error(journal):
    with pytest.raises(ValueError, match="horizon = 0: must be"):
        MixMAB(journal, [0], horizon=0)
