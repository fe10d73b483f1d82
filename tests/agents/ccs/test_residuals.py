"""What servers do with residuals: trials, floors, participation."""

from __future__ import annotations

import numpy as np
import torch

from agents.ccs.residuals import Acceptance, FairnessFloor, ResidualState, participants
from agents.lns.dqn import DqnServers
from agents.lns.network import Schema, last_layer_of
from agents.lns.policy_gradient import PolicyGradientServers
from agents.lns.team import Team, TeamMember
from agents.lns.vendor import fresh_vendor

FULL = np.full((1, 2), 100.0)


def test_a_residual_that_hurts_is_taken_back_and_only_that() -> None:
    trial, delta = Acceptance(horizon=2, margin=0.03), torch.ones(1, 2, 3, 4)
    for _ in range(2):
        assert trial.observe(FULL, np.array([[80.0, 80.0]])) is None
    trial.apply(delta)
    assert trial.observe(FULL, np.array([[70.0, 78.0]])) is None
    undo = trial.observe(FULL, np.array([[70.0, 78.0]]))
    assert undo is not None
    assert torch.equal(undo[0, 0], -delta[0, 0]) and not undo[0, 1].any()
    assert (trial.tried, trial.rejected) == (2, 1)
    assert trial.observe(FULL, np.array([[0.0, 0.0]])) is None


def test_without_a_past_or_a_residual_there_is_no_verdict() -> None:
    trial = Acceptance(horizon=1)
    trial.apply(torch.ones(1, 2, 3, 4))
    assert trial.observe(FULL, 0.0 * FULL) is None
    trial.observe(FULL, FULL)
    trial.apply(torch.zeros(1, 2, 3, 4))
    assert trial.observe(FULL, 0.0 * FULL) is None
    silent = Acceptance(horizon=1)
    silent.observe(FULL, FULL)
    silent.apply(torch.ones(1, 2, 3, 4))
    assert silent.observe(0.0 * FULL, 0.0 * FULL) is None


def test_the_floor_freezes_who_loses_and_lets_it_try_again() -> None:
    floor, none, both = FairnessFloor((1, 2), loss=0.05, intervals=3), np.zeros((1, 2)), np.ones((1, 2))
    for _ in range(3):
        floor.observe(FULL, np.array([[80.0, 80.0]]), none)
    history = []
    for _ in range(7):
        floor.observe(FULL, np.array([[75.0, 77.0]]), both)
        history.append(floor.allowed[0].tolist())
    assert [allowed for allowed, _ in history] == [True, True, False, False, False, True, True]
    assert all(allowed for _, allowed in history)


def test_the_record_of_a_frozen_network_is_renewed() -> None:
    floor = FairnessFloor((1, 1), intervals=2)
    attempts = np.array([[100.0]])
    for received, coordinated in ((90, 0), (90, 0), (50, 1), (50, 1)):
        floor.observe(attempts, np.array([[received]]), np.array([[coordinated]]))
    assert not floor.allowed.any()
    for _ in range(2):  # frozen: it is as bad alone by now
        floor.observe(attempts, np.array([[50]]), np.array([[1]]))
    for _ in range(6):
        floor.observe(attempts, np.array([[49]]), np.array([[1]]))
        assert floor.allowed.all()


def test_after_a_freeze_a_network_is_judged_by_what_comes_then() -> None:
    floor = FairnessFloor((1, 1), intervals=2)
    attempts = np.array([[100.0]])
    for received, coordinated in ((90, 0), (90, 0), (10, 1), (10, 1)):
        floor.observe(attempts, np.array([[received]]), np.array([[coordinated]]))
    history = []
    for _ in range(5):  # it fares well again: two intervals are frozen, and none of the bad ones counts later
        history.append(bool(floor.allowed.all()))
        floor.observe(attempts, np.array([[90]]), np.array([[1]]))
    assert history == [False, False, True, True, True]


def test_no_record_no_freeze() -> None:
    floor = FairnessFloor((1, 1), intervals=2)
    for received in (90, 50, 10, 0, 0):
        floor.observe(np.array([[100]]), np.array([[received]]), np.array([[1]]))
    assert floor.allowed.all()


def test_half_of_the_networks_take_part() -> None:
    chosen = participants((50, 4), 0.5, np.random.default_rng(0))
    assert (chosen.sum(-1) == 2).all()
    assert (chosen.mean(0) > 0.2).all()
    assert participants((3, 2), 0.01, np.random.default_rng(0)).sum(-1).tolist() == [1, 1, 1]


def test_a_residual_reaches_the_last_layer_of_one_network_in_every_replica() -> None:
    gradient = PolicyGradientServers([fresh_vendor(Schema(kind="pg"), 0)], [5, 6], (0, 2))
    values = DqnServers([fresh_vendor(Schema(kind="dqn"), 1)], [5, 6], (1,))
    team = Team([TeamMember(gradient, (0, 2)), TeamMember(values, (1,))])
    before = {places[0]: servers.parameters() for servers, places in team.learners}
    delta = np.zeros((2, 3, *Schema().last_layer), np.float32)
    delta[:, 2] = 0.25
    residuals = ResidualState(team, 2)
    residuals.add(delta)
    after = {places[0]: servers.parameters() for servers, places in team.learners}
    assert np.array_equal(residuals.total, delta)
    assert np.array_equal(before[1], after[1])
    assert np.array_equal(before[0][:, 0], after[0][:, 0])
    moved = after[0][:, 1] - before[0][:, 1]
    last = last_layer_of(moved, gradient.schema)
    assert np.allclose(last, 0.25, atol=1e-6)
    assert not moved[:, : -last[0].size].any()
