"""NoReL against the authors' traces, by hand, and by what must hold of strategies and rounds."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import agents
from agents.channel_state import state_of
from agents.link_margin import feasible, least_sf
from agents.norel.kernel import empty_table, learn
from agents.norel.norel import NoReL
from agents.run import run_until
from lora_marl.core.air import Air
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.kernel.state import DECISION
from lora_marl.core.outcome import Decisions
from lora_marl.core.presets import norel_network

TRACES = json.loads((Path(__file__).parents[2] / "golden" / "norel" / "learner_trace.json").read_text())
EXPONENTS = np.array([0.8, 0.9, 1.0])


def row(point=(0, 0, 0, 0), sent=10, delivered=9, time_s=0.0, node=0):
    records = np.zeros(1, DECISION)
    records["point"], records["sent"], records["delivered"] = point, sent, delivered
    records["time_s"], records["node"] = time_s, node
    return records


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace["name"])
def test_rounds_are_those_of_the_authors_code(trace):
    actions = len(trace["actions"])
    table, allowed = empty_table((1, 1, actions), 8), np.ones((1, 1, actions), np.bool_)
    for step, theirs in enumerate(trace["rows"]):
        state = state_of(np.array([theirs["sigma_hat"]]), np.array([theirs["lambda_hat"]]))
        assert state[0] == 2 * theirs["ct"] + theirs["tt"]
        # One power, so that an action's number is its spreading factor's index.
        learn(row((theirs["action"], 0, 0, 0)), 1, np.array([theirs["u"]]), state, allowed, EXPONENTS, 0.01, table)
        place = (0, 0, state[0])
        assert table.rounds[place] == theirs["t"], step
        assert table.kappa[place] == theirs["kappa"]
        for ours, name in (
            (table.utility[place], "util"),
            (table.regret[place], "regret"),
            (table.strategy[place], "pi"),
        ):
            np.testing.assert_allclose(ours, theirs[name], rtol=0, atol=1e-9, err_msg=f"{name} at {step}")
        np.testing.assert_allclose(table.beta[0, 0], theirs["beta"], rtol=0, atol=1e-9)
        assert (table.moved[0, 0] <= 0.01) == theirs["converged"]


def test_a_round_by_hand():
    table = empty_table((1, 1, 3), 1)
    learn(row(), 1, np.array([0.8]), np.array([0]), np.ones((1, 1, 3), np.bool_), EXPONENTS, 0.01, table)
    np.testing.assert_allclose(table.utility[0, 0, 0], [0.8, 0, 0])
    np.testing.assert_allclose(table.regret[0, 0, 0], [0, -0.8, -0.8])
    np.testing.assert_allclose(table.strategy[0, 0, 0], [1 / 3] * 3)
    learn(row((1, 0, 0, 0)), 1, np.array([0.2]), np.array([0]), np.ones((1, 1, 3), np.bool_), EXPONENTS, 0.01, table)
    second = 2**-0.8 * 0.2
    regret = 0.0 + 2**-0.9 * (0.8 - 0.2 - 0.0)
    weight = np.exp(5 * regret)
    beta = np.array([weight, 1, 1]) / (weight + 2)
    np.testing.assert_allclose(table.utility[0, 0, 0, 1], second)
    np.testing.assert_allclose(table.strategy[0, 0, 0], (1 / 3 + beta) / 2)


def test_large_regrets_do_not_overflow():
    table = empty_table((1, 1, 2), 1)
    for _ in range(400):
        for action, share in ((0, 1.0), (1, 0.0)):
            learn(
                row((action, 0, 0, 0)), 1, np.array([share]), np.array([0]), np.ones((1, 1, 2), np.bool_), EXPONENTS,
                0.01, table,
            )  # fmt: skip
    assert np.all(np.isfinite(table.strategy)) and table.strategy[0, 0, 0, 0] > 0.9


def test_actions_outside_a_nodes_set_are_never_played():
    scenario = norel_network(60, 4000.0, packets_per_s=0.005, feedback="free")
    learner = agents.make("norel", scenario, [0, 1])
    allowed = feasible(scenario, 2).reshape(2, 60, -1)
    assert 0 < allowed.sum() < allowed.size
    air, points = Air(scenario, [0, 1], feedback=learner.feedback), learner.initial_points()
    assert np.array_equal(points[..., 0], least_sf(scenario, 2))
    tried = set()
    while len(decisions := air.next_decisions(points, 2e5)):
        learner.hear(air.take_heard())
        learner.decide(decisions, points)
        action = points[..., 0] * 5 + points[..., 3]
        assert np.take_along_axis(allowed, action[..., None].astype(int), -1).all()
        tried |= set(action.ravel().tolist())
    assert len(tried) > 20
    strategy = learner.table.strategy
    visited = learner.table.rounds > 0
    np.testing.assert_allclose(strategy.sum(-1)[visited], 1.0)
    assert np.all(strategy[~np.broadcast_to(allowed[:, :, None], strategy.shape)] == 0.0)


@pytest.mark.parametrize(("utility", "expected"), [("unbiased", 10 / 12), ("compat", 1.0)])
def test_what_a_round_is_worth(utility, expected):
    learner = NoReL(norel_network(3), [0], utility=utility, channel_state="none")
    learner.update(Decisions(row((0, 0, 0, 4), sent=12, delivered=10)))
    assert learner.table.utility[0, 0, 0].max() == pytest.approx(expected)


@pytest.mark.parametrize(("utility", "sharpness"), [("unbiased", 1.0), ("compat", 2.5)])
def test_one_pass_is_update_and_select(utility, sharpness):
    scenario, rng = norel_network(12), np.random.default_rng(0)
    one, other = (NoReL(scenario, [5, 6], utility=utility, channel_state="none") for _ in range(2))
    points, expected = one.initial_points(), other.initial_points()
    one.sharpness = other.sharpness = sharpness
    for _ in range(20):
        b, n = np.nonzero(rng.random((2, 12)) < 0.6)
        records = np.zeros(len(b), DECISION)
        records["replica"], records["node"], records["point"] = b, n, expected[b, n]
        records["sent"] = rng.integers(0, 13, len(b))
        records["delivered"] = rng.integers(0, records["sent"] + 1)
        one.decide(Decisions(records), points)
        other.update(Decisions(records))
        expected[b, n] = other.select(Decisions(records))
        np.testing.assert_array_equal(points, expected)
    for name, array in one.state_arrays().items():
        np.testing.assert_array_equal(array, other.state_arrays()[name], err_msg=name)


def test_the_first_decision_is_minsf_and_teaches_nothing():
    learner = NoReL(norel_network(5), [0], channel_state="none")
    rows = Decisions(row(sent=0, delivered=0))
    points = learner.initial_points()
    learner.decide(rows, points)
    assert np.array_equal(points, learner.initial_points()) and learner.table.rounds.sum() == 0


@pytest.mark.parametrize("feedback", ["free", "downlink"])
@pytest.mark.parametrize("decides", ["node", "server"])
def test_every_packet_but_those_of_open_rounds_is_learned_from_once(decides, feedback):
    scenario = norel_network(30, packets_per_s=0.005, feedback=feedback)
    learner = agents.make("norel", scenario, [0], decides=decides)
    air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
    outcome = run_until(air, learner, points, 1e5)
    rounds = learner.table.rounds.sum()
    assert rounds > (300 if feedback == "free" else 30)
    assert 10 * rounds <= outcome.sent.sum()
    if feedback == "free":
        assert 10 * rounds > 0.9 * outcome.sent.sum()


@pytest.mark.parametrize("name", ["norel", "norel-frugal"])
def test_rounds_of_a_server_are_of_one_action(name):
    """Commands arrive late, or never at first; packets sent meanwhile belong to no round of the new action."""
    scenario = replace(
        norel_network(40, packets_per_s=0.005), downlink=replace(PAPERS_DOWNLINK, windows="rx1", rx1_duty_cycle=0.003)
    )
    learner = agents.make(name, scenario, [0], **({"decides": "server"} if name == "norel" else {}))
    air, points = Air(scenario, [0], record=True, feedback=learner.feedback), learner.initial_points()
    rounds, checked = np.zeros(40), 0
    while len(decisions := air.next_decisions(points, 3e5)):
        learner.hear(air.take_heard())
        packets, _ = air.recording()
        for row in decisions.records[decisions.sent > 0]:
            uplinks = (packets.kind == 0) & (packets.source == row["node"]) & (packets.end_s <= row["time_s"] + 1e-9)
            used = packets.point[np.flatnonzero(uplinks)[-row["sent"] :]]
            assert (used == row["point"]).all()
            checked += 1
        before = learner.table.rounds.sum()
        learner.answer(decisions, points)
        rounds += learner.table.rounds.sum() - before
    assert checked > 100 and rounds.max() > 0


def test_a_server_commands_only_what_changes():
    scenario = norel_network(40, packets_per_s=0.005)
    outcomes = {}
    for decides in ("node", "server"):
        learner = agents.make("norel", scenario, [0], decides=decides)
        air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
        run_until(air, learner, points, 2e5)
        outcomes[decides] = run_until(air, learner, points, 6e5)
    assert 0 < outcomes["server"].downlinks.sum() < 0.8 * outcomes["node"].downlinks.sum()


def test_an_easy_choice_is_learned():
    # One node 3 km away: SF7 at 14 dBm arrives about half the time, SF12 at 14 dBm almost always.
    scenario = replace(norel_network(1, packets_per_s=0.01, feedback="free"), node_xy_m=np.array([[4500.0, 0.0]]))
    learner = agents.make("norel", scenario, [0], margin_db=-2.0, channel_state="none")
    air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
    run_until(air, learner, points, 3e6)
    used = learner.modes()[0, 0]
    assert used[0] > points.min() and used[3] == 4
    assert np.array_equal(learner.modes()[0, 0, [1, 2]], [0, 0])


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"utility": "mean"}, "utility: 'mean' is not one of unbiased, compat"),
        ({"channel_state": "compat"}, "channel_state: 'compat' is not one of heard, none"),
        ({"exponents": (0.8, 0.9)}, "exponents"),
        ({"exponents": (0.8, 0.9, 1.5)}, "exponents"),
        ({"round_packets": 0}, "feedback.packets: 0"),
        ({"margin_db": np.inf}, "margin_db: inf is not within"),
        ({"decides": "gateway"}, "feedback.decides: 'gateway'"),
    ],
)
def test_parameters_outside_their_range_are_named(parameters, named):
    with pytest.raises(ValueError, match=named):
        NoReL(norel_network(3), [0], **parameters)


def test_estimates_survive_that_the_clock_begins_anew():
    scenario = norel_network(100)
    learner = agents.make("norel", scenario, [0])
    air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
    for _ in range(3):
        air.begin_episode()
        run_until(air, learner, points, 2 * 86400.0)
        assert learner.channel_state.estimates[0, 1] == pytest.approx(0.001, rel=0.3)
        assert learner.channel_state.at(np.array([0]), np.array([0.0]))[0] == 0


def test_windows_are_held_against_the_truth():
    scenario = norel_network(200)
    learner = agents.make("norel", scenario, [0, 1])
    air, points = Air(scenario, [0, 1], feedback=learner.feedback), learner.initial_points()
    outcome = run_until(air, learner, points, 86400.0)
    columns = learner.diagnostics(scenario)
    assert np.array_equal(columns["windows"], outcome.delivered.sum(axis=1) // 100)
    assert np.all(columns["windows_right"] >= 0.95 * columns["windows"])
    bad = replace(scenario, propagation=replace(scenario.propagation, shadowing_db=7.08))
    run_until(air, learner, points, 2 * 86400.0)
    assert np.all(learner.diagnostics(bad)["windows_right"] <= 0.05 * columns["windows"])


def test_strategies_rest_at_a_time_of_their_own_in_every_state():
    learner = NoReL(norel_network(3), [0])
    table = learner.table
    table.restless_s[0, :, 0], table.restless_s[0, :, 2] = (7200.0, 3600.0, 0.0), (0.0, 36000.0, 3600.0)
    assert learner.diagnostics(norel_network(3))["restless_h"].tolist() == [2.0]
    learner.channel_state.estimates[0, 0] = 7.08
    assert learner.diagnostics(norel_network(3))["restless_h"].tolist() == [10.0]


def test_epsilon_is_of_what_is_played():
    scenario = norel_network(30, packets_per_s=0.005, feedback="free")  # a busy one: state 1
    plain, frugal = (agents.make(name, scenario, [0], epsilon=True) for name in ("norel", "norel-frugal"))
    assert "epsilon" not in agents.make("norel", scenario, [0]).diagnostics(scenario)
    for learner in (plain, frugal):
        air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
        run_until(air, learner, points, 3e5)
    assert 0.0 < plain.diagnostics(scenario)["epsilon_mean"][0] < plain.diagnostics(scenario)["epsilon"][0] < 1.0
    frugal.sharpness = 1.0
    blunt = frugal.diagnostics(scenario)["epsilon_mean"][0]
    frugal.sharpness = 4.0
    assert frugal.diagnostics(scenario)["epsilon_mean"][0] != pytest.approx(blunt, rel=1e-3)
    np.testing.assert_allclose(frugal.played(0, 1).sum(axis=-1), 1.0)


def test_the_old_name_of_the_channel_state_is_accepted():
    with pytest.warns(DeprecationWarning, match="random_state is now channel_state"):
        learner = NoReL(norel_network(3), [0], random_state="none")
    assert learner.channel_state is None
