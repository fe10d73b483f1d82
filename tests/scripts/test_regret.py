from __future__ import annotations

import json
import math

import numpy as np
import pytest

from agents.bandits.cucb import CUCB
from lora_marl.core.presets.single_node import delivery_probabilities, expected_rewards, single_node_network
from scripts import regret
from scripts.studies.regret import (
    PACKETS,
    REWARD,
    arm_gaps,
    choices,
    fitted_growth,
    log_times,
    logarithmic_bound,
    make_learner,
    parameters_for,
    point_values,
    regret_results,
    reward_learner,
    root_bound,
    slope,
)

ARMS, PACKETS_EACH = 24, 20_000


def test_times_are_log_spaced_from_the_first_to_the_last():
    times = log_times(100_000)
    assert times[0] == 1 and times[-1] == 100_000 and (np.diff(times) > 0).all()
    assert len(times) <= 200
    gaps = np.diff(np.log(times[times > 1000]))
    assert gaps.max() < 1.1 * gaps.min()


def test_slope_by_hand():
    """Through (0, 1), (1, 3), (2, 5) goes 2 x + 1; of (0, 0), (1, 0), (2, 3) the least squares are 1.5 x - 0.5."""
    x = np.arange(3.0)
    assert slope(x, 2 * x + 1) == pytest.approx(2)
    assert slope(x, np.array([0.0, 0.0, 3.0])) == pytest.approx(1.5)
    assert math.isnan(slope(x, np.array([-math.inf, 0.0, 3.0])))


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_growth_of_a_power(power):
    times = log_times(10_000)
    fitted = fitted_growth(times, np.stack([times**power, 3 * times**power], axis=1).astype(float))
    assert fitted.exponent.mean == pytest.approx(power)
    assert fitted.exponent.spread == pytest.approx(0, abs=1e-9)
    assert fitted.final.mean == pytest.approx(2 * 10_000**power)


def test_growth_of_a_logarithm():
    times = log_times(100_000)
    fitted = fitted_growth(times, (7 * np.log(times) + 5)[:, None])
    assert fitted.per_log.mean == pytest.approx(7)
    assert 1 / math.log(100_000) < fitted.exponent.mean * (1 + 5 / (7 * math.log(100_000))) < 0.11


def test_growth_looks_at_the_last_decade_only():
    times = log_times(1000)
    curve = np.where(times < 100, times**2, 1e4 + np.log(times / 100)).astype(float)
    assert fitted_growth(times, curve[:, None]).per_log.mean == pytest.approx(1)
    with pytest.raises(ValueError, match="2 of 3 lie in the last decade"):
        fitted_growth(np.array([1, 90, 100]), np.ones((3, 1)))


def test_bounds_by_hand():
    """Gaps 0, 1/2 and 1 at t = e: 8 / 0.5 + 8 / 1 = 24, and 1.5 (1 + pi^2 / 3); sqrt(9 t ln t) = 3 at t = e / e."""
    assert logarithmic_bound([0.0, 0.5, 1.0], math.e) == pytest.approx(24 + 1.5 * (1 + math.pi**2 / 3))
    assert logarithmic_bound([0.0, 0.5, 1.0], math.e, c=1.0) == pytest.approx(6 + 1.5 * (1 + math.pi**2 / 3))
    assert root_bound(9, math.e) == pytest.approx(3 * math.sqrt(math.e))


def test_gaps_are_of_one_arm_while_the_others_are_best():
    scenario = single_node_network()
    learner = CUCB(scenario, [0])
    delivered = delivery_probabilities(scenario)
    gaps = arm_gaps(expected_rewards(delivered, learner.rewards, learner.factors), learner.factors)
    best = (1, 0, 1, 1)
    sf, channel, tp = learner.rewards[0, :2], learner.rewards[0, 2:6], learner.rewards[0, 6:]
    rewards = [
        [2 * delivered[k, 0, 1, 1] - 2 + sf[k] for k in range(2)],
        [2 * delivered[1, 0, k, 1] - 2 + channel[k] for k in range(4)],
        [2 * delivered[1, 0, 1, k] - 2 + tp[k] for k in range(3)],
    ]
    expected = np.concatenate([max(values) - np.array(values) for values in rewards])
    np.testing.assert_allclose(gaps, expected, atol=1e-12)
    assert gaps[[best[0], 2 + best[2], 6 + best[3]]].tolist() == [0, 0, 0]


def test_what_a_point_is_worth_by_hand():
    """SF12, channel 1, 9 dBm delivers p: 3 (2 p - 1) + w(SF12) + 1.8 (1 - 9 / 27)."""
    scenario = single_node_network()
    p = delivery_probabilities(scenario)[1, 0, 1, 1]
    weight = (12 / 2**12) / (7 / 2**7 + 12 / 2**12)
    worth = point_values(scenario, {})
    assert worth[REWARD][16] == pytest.approx(3 * (2 * p - 1) + weight + 1.2)
    assert worth[PACKETS][16] == pytest.approx(p)
    without = point_values(scenario, {"cucb": {"eta": 0.0, "xi": 0.0}})
    assert without[REWARD] == pytest.approx(3 * (2 * worth[PACKETS] - 1))


def test_a_learner_has_the_parameters_given_under_any_of_its_names():
    parameters = {"cucb": {"c": 1.0}, "D-LoRa": {"eta": 0.0}, "ucb1": {"c": 3.0}}
    assert parameters_for("d-lora", parameters) == parameters_for("cucb", parameters) == {"c": 1.0, "eta": 0.0}
    scenario = single_node_network()
    learner = make_learner("d-lora", scenario, [0], parameters)
    assert learner.c == 1.0 and reward_learner(scenario, parameters).c == 1.0


def test_choices_name_the_points_that_were_sent():
    scenario = single_node_network()
    chosen = choices("static-sf7", scenario, [3, 4], 5, {})
    assert chosen.shape == (5, 2)
    assert (chosen == np.ravel_multi_index((0, 0, 0, 2), scenario.region.factor_sizes)).all()
    walked = choices("ucb1", scenario, [0], ARMS, {"prior": 0})
    assert walked[:, 0].tolist() == list(range(ARMS))


def test_regret_adds_up_what_each_choice_lacks():
    scenario = single_node_network()
    times = np.arange(1, 21)
    best, last = int(point_values(scenario, {})[PACKETS].argmax()), np.zeros(20, np.int16)
    choices_of = {"cucb": np.stack([np.full(20, best, np.int16), last], axis=1)}
    by_currency = {result.currency: result for result in regret_results(choices_of, scenario, times, {})}
    lacking = point_values(scenario, {})[PACKETS].max() - point_values(scenario, {})[PACKETS][0]
    np.testing.assert_allclose(by_currency[PACKETS].curve[:, 0], 0)
    np.testing.assert_allclose(by_currency[PACKETS].curve[:, 1], lacking * times)
    assert by_currency[PACKETS].best_share == 0.5
    assert by_currency[REWARD].bound is not None and by_currency[PACKETS].bound is None


def test_learning_grows_like_a_logarithm_and_chance_in_proportion(invoke, tmp_path):
    path = tmp_path / "out.json"
    result = invoke(regret.app, "--packets", PACKETS_EACH, "--seeds", 8, "--results", tmp_path, "--json", path)
    assert result.exit_code == 0, result.output
    records = {(record["learner"], record["currency"]): record for record in json.loads(path.read_text())}
    assert json.loads((tmp_path / "regret.json").read_text()) == list(records.values())
    chance = records["random", REWARD]
    assert chance["exponent"] == pytest.approx(1, abs=0.03)
    worth = point_values(single_node_network(), {})[REWARD]
    assert chance["regret"] == pytest.approx(PACKETS_EACH * (worth.max() - worth.mean()), rel=0.02)
    assert chance["bound"] is None
    for learner, currency in (("cucb", REWARD), ("ucb1", PACKETS)):
        record = records[learner, currency]
        assert record["exponent"] < 0.5 and record["best_share"] > 0.9
        assert record["regret"] < record["bound"] and record["regret"] < 0.2 * records["random", currency]["regret"]
    assert records["cucb", PACKETS]["exponent"] > 0.8
    assert (tmp_path / "regret.png").stat().st_size > 10_000
    assert "none of D-LoRa's factors would leave alone: SF12, channel 1, 9 dBm" in (tmp_path / "regret.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--learners", "cucb,ucb2"), "unknown learner 'ucb2'"),
        (("--set", "cucb.d=1"), "no parameter 'd'"),
        (("--set", "thompson.scale=1"), "give LEARNER.PARAMETER=VALUE"),
        (("--set", "cucb.c"), "give LEARNER.PARAMETER=VALUE"),
    ],
)
def test_bad_input_is_one_line(invoke, arguments, message, tmp_path):
    result = invoke(regret.app, *arguments, "--results", tmp_path)
    assert result.exit_code == 2 and message in result.output
