"""What the bandits for changing air forget, by hand and in a node's life that changes."""

import numpy as np
import pytest

import agents
from lora_marl.core.reception import Fate

SEEDS = [0]


@pytest.fixture
def packet(decisions_of):
    """Lets node 0 learn the fate of one packet sent with a power."""

    def learn(learner, tp, fate):
        learner.update(decisions_of([0], [0], [fate], [[0, 0, 0, tp]]))

    return learn


def powers(journal, name, **parameters):
    return agents.make(name, journal, SEEDS, factors=["tp"], eta=0.0, **parameters)


def test_discounting_weighs_packets_by_age(journal, packet):
    learner = powers(journal, "discounted-cucb", memory=2.0, prior=0)
    for tp, fate in ((0, Fate.DELIVERED), (1, Fate.COLLIDED), (0, Fate.COLLIDED)):
        packet(learner, tp, fate)
    # Halved with every packet since: arm 0 counts 1/4 delivered and 1 lost, arm 1 counts 1/2 lost.
    np.testing.assert_allclose(learner.counts[0, 0, :2], [1.25, 0.5])
    np.testing.assert_allclose(learner.values[0, 0, :2], [(0.25 - 1) / 1.25, -1])
    assert learner.t[0, 0] == 1 + 1 + 0.5 + 0.25


def test_a_window_is_the_mean_of_its_packets(journal, packet):
    learner = powers(journal, "window-cucb", window=10)
    rng = np.random.default_rng(0)
    tps, fates = rng.integers(0, 7, 200), rng.choice([Fate.DELIVERED, Fate.INTERFERED], 200)
    for tp, fate in zip(tps, fates, strict=True):
        packet(learner, tp, fate)
    rewards = np.where(fates[-10:] == Fate.DELIVERED, 1.0, -1.0)
    for tp in range(7):
        seen = rewards[tps[-10:] == tp]
        assert learner.counts[0, 0, tp] == len(seen)
        assert learner.values[0, 0, tp] == pytest.approx(seen.sum() / (len(seen) + 1), abs=1e-12)
    assert learner.t[0, 0] == 11


def test_a_fall_that_lasts_is_noticed_when_its_sum_exceeds_the_threshold(journal, packet):
    limits = {"slack": 0.5, "threshold": 4.0, "settled": 50.0, "guess": 10.0}
    learner = powers(journal, "restarting-cucb", **limits)
    for _ in range(99):
        packet(learner, 2, Fate.DELIVERED)
    assert learner.restarts[0, 0] == 0
    # 99 deliveries and the pseudo-sample: a value of .99. Every loss adds about .99 + 1 - .5: the third reaches 4.4.
    for losses, restarts in ((1, 0), (2, 0), (3, 1)):
        packet(learner, 2, Fate.COLLIDED)
        assert learner.restarts[0, 0] == restarts, losses
    assert learner.counts[0, 0, 2] == 10
    assert learner.t[0, 0] == 11
    assert learner.values[0, 0, 2] == pytest.approx((99 - 3) / 103)


def test_channels_start_afresh_and_the_rest_is_kept_as_long_as_it_says(journal, decisions_of):
    learner = agents.make("restarting-cucb", journal, SEEDS, threshold=4.0, settled=50.0, guess=3.0, keep=40.0)
    learner.counts[0, 0], learner.values[0, 0] = 100.0, 0.9
    learner.counts[0, 0, 7] = 2.0  # a channel
    for _ in range(3):
        learner.update(decisions_of([0], [0], [Fate.COLLIDED], [[1, 0, 0, 4]]))
    assert learner.restarts[0, 0] == 1
    np.testing.assert_array_equal(learner.counts[0, 0], [40.0] * 6 + [3.0, 2.0] + [3.0] * 6 + [40.0] * 7)
    np.testing.assert_allclose(learner.widths[0, 0], 2 / np.sqrt(2 * (learner.counts[0, 0] + 1)))
    assert learner.t[0, 0] == 1 + 7 * 3 + 2
    assert learner.values[0, 0, 0] == 0.9


def test_neither_few_packets_nor_a_small_fall_restart(journal, packet):
    few = powers(journal, "restarting-cucb", settled=100.0, threshold=1.0)
    for fate in [Fate.DELIVERED] * 60 + [Fate.COLLIDED] * 39:
        packet(few, 0, fate)
    assert few.restarts[0, 0] == 0
    small = powers(journal, "restarting-cucb", slack=0.3)
    for number in range(20_000):  # 95 % are delivered, then 85 %: .2 less on -1 to +1, which the slack allows
        packet(small, 0, Fate.COLLIDED if number % 20 in ((0,) if number < 10_000 else (0, 5, 10)) else Fate.DELIVERED)
    assert small.restarts[0, 0] == 0


@pytest.mark.parametrize(
    ("name", "parameters", "most"),
    [
        ("discounted-cucb", {"memory": 500.0}, 1500),
        ("window-cucb", {"window": 1000}, 2000),
        ("restarting-cucb", {"threshold": 10.0}, 700),
    ],
)
def test_they_leave_an_arm_that_turned_bad_sooner_than_cucb(journal, decisions_of, name, parameters, most):
    packets = 20_000

    def time_to_leave(learner):
        rng = np.random.default_rng(1)
        points, fate, used = learner.initial_points(), Fate.NONE, []
        for number in range(packets):
            learner.decide(decisions_of([0], [0], [fate], points[0, [0]]), points)
            best = 5 if number < packets // 2 else 1
            used.append(points[0, 0, 3])
            fate = Fate.DELIVERED if rng.random() < (0.95 if used[-1] == best else 0.4) else Fate.COLLIDED
        assert np.mean(np.array(used[packets // 2 - 1000 : packets // 2]) == 5) > 0.8
        arrived = np.convolve(np.array(used[packets // 2 :]) == 1, np.ones(100) / 100, "valid") > 0.5
        return int(np.argmax(arrived)) if arrived.any() else packets

    ours = time_to_leave(powers(journal, name, c=0.5, **parameters))
    assert ours < most < time_to_leave(powers(journal, "cucb", c=0.5))


@pytest.mark.parametrize(
    "name", ["cucb", "discounted-cucb", "window-cucb", "restarting-cucb", "epsilon-greedy", "thompson"]
)
def test_forbidden_arms_are_never_chosen(journal, run_of, name):
    allowed = np.ones((12, 6 + 8 + 7), bool)
    allowed[:, :3] = False
    allowed[4, 6:13] = False
    short = {"window-cucb": {"window": 5}, "restarting-cucb": {"settled": 0.0, "threshold": 0.5}}
    learner = agents.make(name, journal, SEEDS, allowed=allowed, **short.get(name, {}))
    chosen = run_of(learner, SEEDS, 300)
    assert (chosen[..., 0] >= 3).all() and len(np.unique(chosen[..., 0])) == 3
    assert (chosen[:, 0, 4, 2] == 7).all() and len(np.unique(chosen[:, 0, 3, 2])) > 5
    with pytest.raises(ValueError, match="allowed: node 0 has no arm left of 0 to 5"):
        agents.make(name, journal, SEEDS, allowed=np.arange(21) >= 6)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("discounted-cucb", {"memory": 0.5}, "memory = 0.5: must be at least 1"),
        ("window-cucb", {"window": 0}, "window = 0: must be a whole number"),
        ("restarting-cucb", {"threshold": 0}, "threshold = 0: must be above 0"),
        ("restarting-cucb", {"keep": -1}, "keep = -1: must be at least 0"),
        ("restarting-cucb", {"kept": 1}, "did you mean 'keep'"),
        ("restarting-cucb", {"etta": 1}, "did you mean 'eta'"),
        ("epsilon-greedy", {"epsilon": 1.5}, "epsilon = 1.5: must lie in 0 to 1"),
        ("thompson", {"scale": 0}, "scale = 0: must be above 0"),
    ],
)
def test_bad_parameters_are_named(journal, name, parameters, message):
    with pytest.raises(ValueError, match=message):
        agents.make(name, journal, SEEDS, **parameters)
