"""Semtech's recommended algorithm: sequences worked out by hand."""

import pytest

import agents
from tests.agents.rules.test_adr_chirpstack import accepted
from tests.agents.rules.test_served_adr import NETWORK, answers


@pytest.fixture
def learner():
    return agents.make("adr-semtech", NETWORK, [0])


# SF12 needs -20 dB, the margin is 10 dB: -1 dB leaves three steps.
def test_it_decides_when_twenty_frames_were_received_with_the_same_parameters(learner):
    assert answers(learner, [-1.0] * 20) == [(0, 0, 1)] * 19 + [(3, 0, 1)]
    # At SF9 2.4 dB less margin is left: (-1 + 12.5 - 10) / 3, no step.
    assert answers(learner, [-1.0] * 21, rate=3) == [(3, 0, 1)] * 21


def test_steps_down_raise_the_power(learner):
    accepted(learner, 5, 3)
    # (-4 + 7.5 - 10) / 3 = -2.17: two steps.
    assert answers(learner, [-4.0] * 20, rate=5, power=3)[-1] == (5, 1, 1)


def test_the_strongest_of_twenty_counts(learner):
    assert answers(learner, [-30.0] * 10 + [5.1] + [-30.0] * 9)[-1] == (5, 0, 1)


@pytest.mark.parametrize(("lost", "nb_trans"), [(1, 1), (2, 1), (3, 2), (8, 2), (9, 3)])
def test_nb_trans_follows_the_share_of_frames_lost(lost, nb_trans):
    # 20 frames received of 20 + lost: 1 of 21 are 4.8 %, 2 of 22 are 9.1 %, 3 of 23 13 %, 8 of 28 28.6 %, 9 of 29 31 %.
    learner = agents.make("adr-semtech", NETWORK, [0])
    answers(learner, [-9.0] * 18)
    answers(learner, [-9.0], missed=lost)
    assert answers(learner, [-9.0]) == [(0, 0, nb_trans)]
