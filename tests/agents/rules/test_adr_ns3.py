"""The rule of ns-3's LoRaWAN module: sequences worked out by hand from its source."""

import numpy as np
import pytest

import agents
from lora_marl.core.outcome import REPEATED
from tests.agents.rules.test_served_adr import NETWORK, answers, commanded, uplinks


@pytest.fixture
def learner():
    return agents.make("adr-ns3", NETWORK, [0])


def test_it_decides_on_every_uplink_once_four_were_received(learner):
    # SF12 needs -20 dB, and there is no margin: -13 dB is two steps, -7 dB four.
    commands = answers(learner, [-13.0] * 5)
    assert commands == [(0, 0, 1)] * 3 + [(2, 0, 1)] * 2


def test_the_mean_of_the_last_four_counts(learner):
    # (-20 - 20 - 20 + 0) / 4 = -15, one step of 5 dB; then (-20 - 20 + 0 + 0) / 4 = -10, three.
    assert answers(learner, [-20.0, -20.0, -20.0, 0.0, 0.0])[3:] == [(1, 0, 1), (3, 0, 1)]


def test_the_history_never_begins_anew(learner):
    answers(learner, [-5.0] * 4)
    # The next uplink is at DR5, SF7 needs -7.5 dB; the mean is still of packets at SF12: (-5 + 7.5) / 3, no step.
    assert answers(learner, [-5.0], rate=5) == [(5, 0, 1)]
    assert answers(learner, [30.0], rate=5) == [(5, 3, 1)]  # (-15 + 30) / 4 = 3.75: floor(11.25 / 3) = 3


def test_steps_are_rounded_down(learner):
    # -7.6 dB at SF7 lacks 0.1 dB: one step down, where rules that cut towards 0 take none.
    assert answers(learner, [-7.6] * 4, rate=5, power=3)[-1] == (5, 2, 1)


@pytest.mark.parametrize(("statistic", "expected"), [("mean", (1, 0)), ("max", (5, 1)), ("min", (0, 0))])
def test_other_statistics(statistic, expected):
    learner = agents.make("adr-ns3", NETWORK, [0], statistic=statistic)
    assert answers(learner, [-20.0, -20.0, -22.0, 0.0])[-1] == (*expected, 1)


def test_the_power_may_be_left_alone():
    learner = agents.make("adr-ns3", NETWORK, [0], change_power=False)
    assert answers(learner, [40.0] * 4, power=2)[-1] == (5, 2, 1)


def test_the_server_knows_the_power_in_use(learner):
    answers(learner, [1.0] * 3, rate=5, power=4)
    assert answers(learner, [1.0], rate=5, power=0) == [(5, 2, 1)]


def test_a_retry_is_no_entry(learner):
    answers(learner, [-13.0] * 3)
    learner.hear(uplinks([-13.0], missed=REPEATED))
    assert commanded(learner) == (0, 0, 1)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"history": 0}, "history = 0"), ({"history": 21}, "history = 21"), ({"statistic": "median"}, "statistic")],
)
def test_parameters_outside_their_range_are_named(parameters, named):
    with pytest.raises(ValueError, match=named):
        agents.make("adr-ns3", NETWORK, [0], **parameters)


def test_one_packet_of_history_is_enough_where_asked_for():
    learner = agents.make("adr-ns3", NETWORK, [0], history=1)
    assert answers(learner, [-13.0]) == [(2, 0, 1)] and np.all(learner.state_arrays()["nb_trans"] == 1)
