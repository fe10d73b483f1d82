"""EXP3 and EXP3.S: updates worked out by hand, and a plain statement of the published rule."""

import math
from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.bandits.exp3 import Exp3, Exp3S
from lora_marl.core.reception import Fate


def two_arms(journal, kind, horizon):
    """Arms that are the journal's powers 2 and 4 dBm."""
    region = replace(journal.region, tp_dbm=(2.0, 4.0))
    return kind(replace(journal, region=region), [0], factors=["tp"], horizon=horizon)


def packet(learner, decisions_of, tp, fate):
    learner.update(decisions_of([0], [0], [fate], [[0, 0, 0, tp]]))
    return learner.state_arrays()["arms"][0, 0]


def test_rates_are_those_of_the_published_code(journal):
    arms, horizon = 336, 10_000
    exp3 = agents.make("exp3", journal, [0], horizon=horizon)
    assert exp3.state_arrays()["arms"].shape == (1, 12, 2, arms)  # 6 x 8 x 7
    assert exp3.rate == pytest.approx(math.sqrt(arms * math.log(arms) / (horizon * (math.e - 1))))
    exp3s = agents.make("exp3s", journal, [0], horizon=horizon)
    assert exp3s.rate == pytest.approx(math.sqrt(arms * math.log(arms * horizon) / horizon))
    assert (exp3.sharing, exp3s.sharing) == (0.0, 1e-4)


def test_a_delivery_worked_out_by_hand(journal, decisions_of):
    learner = two_arms(journal, Exp3, 2 * math.log(2) / ((math.e - 1) * 0.25))
    assert learner.rate == pytest.approx(0.5)
    # x = 1 / .5, w_0 = exp(.5 * 2 / 2) = e^.5 over 1.
    weight, probability = packet(learner, decisions_of, 0, Fate.DELIVERED)
    share = math.exp(0.5) / (math.exp(0.5) + 1)
    assert weight.tolist() == pytest.approx([share, 1 - share])
    assert probability.tolist() == pytest.approx([0.5 * share + 0.25, 0.75 - 0.5 * share])


def test_a_loss_changes_nothing_unless_weights_are_shared(journal, decisions_of):
    learner = two_arms(journal, Exp3, 100.0)
    before = packet(learner, decisions_of, 0, Fate.DELIVERED).copy()
    assert packet(learner, decisions_of, 0, Fate.COLLIDED) == pytest.approx(before)
    sharing = two_arms(journal, Exp3S, 100.0)
    weight = packet(sharing, decisions_of, 0, Fate.DELIVERED)[0].copy()
    # Each weight, of sum 1, gets e alpha / K = e / 200 more.
    after = packet(sharing, decisions_of, 0, Fate.COLLIDED)[0]
    assert after == pytest.approx((weight + math.e / 200) / (1 + math.e / 100))


def plain(horizon, arms, sent, delivered, shared):
    """The published rule, with weights that grow and the sum before sharing; the probabilities after all packets."""
    rate = math.sqrt(arms * math.log(arms * (horizon if shared else 1)) / horizon * (1 if shared else 1 / (math.e - 1)))
    rate = min(1.0, rate)
    weight, probability = [1.0] * arms, [1 / arms] * arms
    for arm, arrived in zip(sent, delivered, strict=True):
        reward = arrived / max(probability[arm], 0.0005)
        weight[arm] *= math.exp(rate * reward / arms)
        total = sum(weight)
        weight = [w + (math.e / horizon / arms * total if shared else 0.0) for w in weight]
        probability = [(1 - rate) * w / sum(weight) + rate / arms for w in weight]
        probability = [p if p >= 0.0005 else 0.0 for p in probability]
        probability = [p / sum(probability) for p in probability]
    return probability


@pytest.mark.parametrize(("kind", "shared"), [(Exp3, False), (Exp3S, True)])
def test_a_long_run_equals_the_plain_rule(journal, decisions_of, kind, shared):
    learner = kind(journal, [0], factors=["tp"], horizon=5000.0)
    arms = len(journal.region.tp_dbm)
    draws = np.random.default_rng(1)
    sent = draws.integers(arms, size=3000)
    delivered = draws.random(3000) < 0.2 + 0.6 * (sent == 2)
    for arm, arrived in zip(sent, delivered, strict=True):
        state = packet(learner, decisions_of, int(arm), Fate.DELIVERED if arrived else Fate.COLLIDED)
    expected = plain(5000.0, arms, sent, delivered.astype(float), shared)
    assert state[1] == pytest.approx(expected, abs=1e-9)


def test_what_is_drawn_follows_the_probabilities(journal, decisions_of):
    learner = two_arms(journal, Exp3, 50.0)
    for _ in range(3):
        probability = packet(learner, decisions_of, 1, Fate.DELIVERED)[1]
    drawn = [learner.select(decisions_of([0], [0], [-1], [[0] * 4]))[0, 3] for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(probability[1], abs=3 * 0.5 / math.sqrt(4000))


@pytest.mark.parametrize("name", ["exp3", "exp3s"])
def test_one_pass_is_an_update_and_a_choice(journal, run_of, name):
    compiled = agents.make(name, journal, [3, 4])
    slow = agents.make(name, journal, [3, 4])
    slow.decide = _step_by_step(slow)
    assert np.array_equal(run_of(compiled, [3, 4], 30), run_of(slow, [3, 4], 30))


def _step_by_step(learner):
    def decide(decisions, points):
        learner.update(decisions)
        points[decisions.replica, decisions.node] = learner.select(decisions)

    return decide


def test_a_horizon_below_one_packet_is_refused(journal):
    with pytest.raises(ValueError, match="horizon = 0.5: must be a finite number of at least 1"):
        agents.make("exp3", journal, [0], horizon=0.5)


@pytest.mark.parametrize("name", ["exp3", "exp3s", "mix-mab"])
@pytest.mark.parametrize("horizon", [0.0, 0.99, math.inf, math.nan])
def test_a_horizon_is_finite_and_of_at_least_a_packet(journal, name, horizon):
    with pytest.raises(ValueError, match="horizon = .*: must be a finite number of at least 1 packet"):
        agents.make(name, journal, [0], horizon=horizon)
