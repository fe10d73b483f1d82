"""The Things Stack's algorithm: sequences worked out by hand from its source."""

import numpy as np
import pytest

import agents
from agents.rules.adr_tts import nb_trans_for, power_for, rate_and_margin
from lora_marl.core.outcome import REPEATED
from tests.agents.rules.test_adr_chirpstack import accepted
from tests.agents.rules.test_served_adr import NETWORK, answers, commanded

OFFSET_DB = -2.0 * np.arange(7, dtype=np.float32)
"""Powers 2 dB apart, as in EU868."""


@pytest.fixture
def learner():
    return agents.make("adr-tts", NETWORK, [0])


# SF12 needs -20 dB, the margin is 15 dB and 2.5 dB more for a short history: an SNR of -2.5 dB leaves 0.
@pytest.mark.parametrize(
    ("snr_db", "expected"),
    [
        (-2.6, (0, 0)),
        (-0.1, (0, 1)),  # 2.4 dB left: no data rate of 2.5 dB, but a power of 2 dB
        (0.0, (1, 0)),
        (2.4, (1, 1)),
        (5.0, (3, 0)),
        (10.0, (5, 0)),
        (12.1, (5, 1)),
        (21.9, (5, 5)),
        (22.0, (5, 6)),
        (40.0, (5, 6)),
    ],
)
def test_data_rates_of_two_and_a_half_db_then_powers_by_their_distance(learner, snr_db, expected):
    assert answers(learner, [snr_db]) == [(*expected, 1)]


def test_a_full_history_needs_no_reserve(learner):
    # 0 dB with 20 entries leaves 5 dB of margin: two data rates where a short history allows one.
    commands = answers(learner, [0.0] * 20)
    assert commands[:19] == [(1, 0, 1)] * 19 and commands[19] == (2, 0, 1)


def test_a_data_rate_that_rises_begins_with_the_highest_power(learner):
    accepted(learner, 3, 4)
    # SF9 needs -12.5 dB: 8 dB leaves 3 dB, one data rate and half a dB, which no power fits.
    assert answers(learner, [8.0], rate=3, power=4) == [(4, 0, 1)]


def test_a_missing_margin_raises_the_power_but_not_by_little_while_the_history_is_short(learner):
    accepted(learner, 5, 3)
    # SF7: 8 dB leaves -2 dB with a short history; one power of 2 dB would do, and waits. With 20 entries it is 0.5 dB.
    commands = answers(learner, [8.0] * 20, rate=5, power=3)
    assert commands == [(5, 3, 1)] * 20
    # 5 dB leaves -5 dB: three powers, which do not wait.
    other = agents.make("adr-tts", NETWORK, [0])
    accepted(other, 5, 3)
    assert answers(other, [5.0], rate=5, power=3) == [(5, 0, 1)]


@pytest.mark.parametrize(
    ("power", "margin_db", "optimal", "expected"),
    [
        (0, 0.0, True, 0),
        (0, 3.9, True, 1),
        (0, 4.0, True, 2),
        (3, -0.5, True, 2),
        (3, -0.5, False, 3),
        (3, -2.1, False, 1),
        (3, -100.0, True, 0),
        (1, -100.0, False, 1),
        (0, -100.0, True, 0),
    ],
)
def test_the_lowest_power_that_fits(power, margin_db, optimal, expected):
    assert power_for(power, np.float32(margin_db), OFFSET_DB, optimal) == expected


def test_what_the_data_rate_leaves():
    assert rate_and_margin(2, np.float32(6.0), 5) == (4, 1.0)
    assert rate_and_margin(2, np.float32(20.0), 5) == (5, 12.5)
    assert rate_and_margin(2, np.float32(-6.0), 5) == (2, -6.0)


@pytest.mark.parametrize(
    ("nb_trans", "loss", "expected"),
    [(1, 0.0, 1), (3, 0.04, 2), (2, 0.04, 1), (2, 0.07, 2), (1, 0.1, 2), (2, 0.2, 3), (1, 0.3, 3), (3, 0.29, 3)],
)
def test_nb_trans_by_the_share_of_frames_lost(nb_trans, loss, expected):
    assert nb_trans_for(nb_trans, loss) == expected


def test_loss_counts_from_ten_entries_on_over_the_frames_that_they_span(learner):
    # -4 dB leaves nothing. Ten entries that span 11 frames: one lost of 11 is 9 %, two of 12 are 17 %.
    one, two = learner, agents.make("adr-tts", NETWORK, [0])
    for server, lost, nb_trans in ((one, 1, 1), (two, 2, 2)):
        assert answers(server, [-4.0] * 8) + answers(server, [-4.0], missed=lost) == [(0, 0, 1)] * 9
        assert answers(server, [-4.0]) == [(0, 0, nb_trans)]


def test_retries_are_entries_of_their_own_and_no_frames(learner):
    answers(learner, [-4.0] * 3)
    answers(learner, [0.0], missed=REPEATED)
    assert learner.state_arrays()["entries"][0, 0] == 4 and commanded(learner) == (1, 0, 1)


def test_an_accepted_command_begins_the_history_with_its_uplink(learner):
    answers(learner, [5.0] * 4)
    assert commanded(learner) == (3, 0, 1)
    answers(learner, [5.0], rate=3, power=0)
    state = learner.state_arrays()
    assert state["entries"][0, 0] == 1 and state["rate"][0, 0] == 3


def test_a_device_that_backs_off_has_the_highest_power_again(learner):
    accepted(learner, 5, 4)
    answers(learner, [3.0], rate=4, power=0)
    state = learner.state_arrays()
    assert (state["rate"][0, 0], state["power"][0, 0], state["entries"][0, 0]) == (4, 0, 1)
