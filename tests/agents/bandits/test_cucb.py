import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agents
from agents.bandits.cucb import CUCB, UCB1
from agents.bandits.index_bandit import ucb_index
from lora_marl.core.reception import Fate
from lora_marl.core.region import FACTORS

TRACES = range(4)


def test_ucb_index_is_golden(dlora_vectors):
    for case in dlora_vectors["ucb_index"]:
        value, count, t = np.array(case["Qbar"]), np.array(case["N"]), np.array(case["t"])
        assert ucb_index(value, count, t, case["c"], 0) == pytest.approx(case["value_exact"], rel=1e-12)
        assert ucb_index(value, count, t, case["c"], 1) == pytest.approx(case["value_code_Nplus1"], rel=1e-12)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("number", TRACES)
def test_forty_decisions_are_golden(dlora_vectors, journal, decisions_of, number, compiled):
    trace = dlora_vectors["cucb_trace"][number]
    learner = CUCB(
        journal, [0], c=trace["c"], xi=trace["xi"], eta=trace["eta"], prior=trace["prior"],
        indicator={"pm1": "pm1", "01": "indicator01"}[trace["reward"]], sf_weight=trace["sf_weights"],
    )  # fmt: skip
    points, fate = learner.initial_points(), Fate.NONE
    node = 5
    for t, (sf, channel, tp, delivered) in enumerate(trace["choices_sf_cf_tp_ok"], start=1):
        due = decisions_of([0], [node], [fate], points[0, [node]])
        if compiled:
            learner.decide(due, points)
        else:
            learner.update(due)
            points[0, node] = learner.select(due)
        assert points[0, node].tolist() == [sf, 0, channel, tp], f"decision {t}"
        assert delivered == (sf >= 1 and tp >= 2 and channel != 3 and t % 5 != 0)
        fate = Fate.DELIVERED if delivered else Fate.INTERFERED
    learner.update(decisions_of([0], [node], [fate], points[0, [node]]))
    np.testing.assert_allclose(learner.values[0, node], np.concatenate(trace["Q_final"]), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(learner.counts[0, node], np.concatenate(trace["N_final"]))
    assert learner.t[0, node] == len(trace["choices_sf_cf_tp_ok"]) + 1
    assert not learner.counts[0, :node].any()


LEARNERS = st.sampled_from(
    [
        ("cucb", {}),
        ("cucb", {"prior": 0, "zeta": 3.0, "factors": ["tp", "bw"], "fixed_point": [2, 0, 5, 1]}),
        ("cucb", {"c": 0.0, "indicator": "indicator01", "sf_weight": "xor"}),
        ("ucb1", {"factors": ["sf", "tp"]}),
        ("ucb1", {"factors": ["bw", "tp"], "prior": 0}),
        ("conference-cucb", {"variant": "TH"}),
        ("discounted-cucb", {"memory": 15.0}),
        ("discounted-cucb", {"memory": 1.0, "prior": 0}),
        ("window-cucb", {"window": 12}),
        ("window-cucb", {"window": 5, "prior": 0}),
        ("restarting-cucb", {"slack": 0.1, "threshold": 2.0, "settled": 3.0, "guess": 2.0, "keep": 4.0}),
        ("restarting-cucb", {"slack": 0.0, "threshold": 1.0, "settled": 0.0, "guess": 0.0, "prior": 0}),
        ("priced-cucb", {"price": 0.3, "zeta": 1.0, "threshold": 3.0, "settled": 2.0}),
        ("epsilon-greedy", {"epsilon": 0.4}),
        ("thompson", {"scale": 0.5}),
    ]
)


@settings(max_examples=40, deadline=None)
@given(kind=LEARNERS, seed=st.integers(0, 2**32 - 1))
def test_the_compiled_pass_is_the_numpy_statement(conference, decisions_of, kind, seed):
    name, parameters = kind
    rng = np.random.default_rng(seed)
    compiled, stated = (agents.make(name, conference, [0, 1], **parameters) for _ in range(2))
    points = compiled.initial_points()
    for _ in range(40):
        cells = rng.permutation(2 * compiled.nodes)[: rng.integers(1, 2 * compiled.nodes)]
        b, n = np.divmod(cells, compiled.nodes)
        due = decisions_of(b, n, rng.integers(-1, 5, len(cells)), points[b, n])
        compiled.decide(due, points)
        stated.update(due)
        expected = stated.select(due)
        for key, array in stated.state_arrays().items():
            np.testing.assert_array_equal(compiled.state_arrays()[key], array, err_msg=key)
        assert_best(stated, due, points[b, n], expected)


def assert_best(learner, due, chosen, expected):
    """The choices are the oracle's, or as good to the last bits of a logarithm."""
    for row in np.flatnonzero((chosen != expected).any(axis=1)):
        index = learner.indices(due.replica[[row]], due.node[[row]])[0]
        for group in learner.groups:
            ours, best = (index[group[0] + point[row] @ group[3:]] for point in (chosen, expected))
            assert ours == pytest.approx(best, abs=1e-12)


def test_without_a_prior_untried_arms_are_walked_in_order(conference, run_of):
    learner = CUCB(conference, [0], prior=0)
    chosen = run_of(learner, [0], 9)[:, 0, 0]
    sizes = conference.region.factor_sizes
    for factor, size in enumerate(sizes):
        np.testing.assert_array_equal(chosen[: min(size, 9), factor], np.arange(min(size, 9)))


def test_super_arms_cover_every_combination_once(journal, run_of):
    learner = UCB1(journal, [0], prior=0)
    chosen = run_of(learner, [0], 336)[:, 0, 0]
    assert len(np.unique(chosen, axis=0)) == 336
    np.testing.assert_array_equal(chosen[1] - chosen[0], [0, 0, 0, 1])


def test_a_super_arm_is_rewarded_by_delivery_alone(journal, decisions_of):
    learner = UCB1(journal, [0], prior=0)
    learner.update(decisions_of([0, 0], [1, 2], [Fate.DELIVERED, Fate.COLLIDED], [[3, 0, 4, 5], [5, 0, 7, 6]]))
    assert learner.values[0, 1, (3 * 8 + 4) * 7 + 5] == 1
    assert learner.values[0, 2, 335] == -1
    assert learner.counts.sum() == 2


@pytest.mark.parametrize("name", ["cucb", "ucb1"])
def test_factors_that_are_not_learned_keep_the_fixed_point(conference, run_of, name):
    fixed = [4, 2, 5, 3]
    learner = agents.make(name, conference, [0], factors=["bw", "sf"], fixed_point=fixed)
    chosen = run_of(learner, [0], 40)
    assert (chosen[..., FACTORS.index("channel")] == 5).all()
    assert (chosen[..., FACTORS.index("tp")] == 3).all()
    assert len(np.unique(chosen[..., 0])) > 1 and len(np.unique(chosen[..., 1])) > 1
    np.testing.assert_array_equal(learner.initial_points()[0, 0], [0, 0, 5, 3])


def test_by_default_factors_with_one_value_are_not_learned(journal, conference):
    assert CUCB(journal, [0]).factors == ("sf", "channel", "tp")
    assert CUCB(conference, [0]).factors == FACTORS
    assert CUCB(conference, [0]).values.shape == (1, 12, 24)


def test_first_decisions_teach_nothing(journal, decisions_of):
    learner = CUCB(journal, [0])
    learner.decide(decisions_of([0], [3], [Fate.NONE], [[1, 0, 1, 1]]), learner.initial_points())
    assert not learner.counts.any() and (learner.t == 1).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"c": -1.0}, "c = -1.0: must be a finite number of at least 0"),
        ({"c": "two"}, "c = two: must be a finite number of at least 0"),
        ({"eta": "a"}, "eta = a: must be a finite number"),
        ({"prior": 2}, "prior = 2: must be 0 or 1"),
        ({"factors": []}, "allowed is at least one"),
        ({"factors": ["sf", "sf"]}, "each once"),
        ({"factors": ["power"]}, "'power' is not one of sf, bw, channel, tp"),
        ({"fixed_point": [0, 0, 8, 0]}, "channel = 8 is outside 0 to 7"),
        ({"fixed_point": [0, 0]}, "needs 4 indices"),
    ],
)
def test_bad_parameters_are_named(journal, parameters, message):
    with pytest.raises(ValueError, match=message):
        CUCB(journal, [0], **parameters)
