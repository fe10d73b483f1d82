"""ChirpStack v4's default algorithm: sequences worked out by hand from its source."""

import numpy as np
import pytest

import agents
from agents.rules.adr_chirpstack import steps_of
from lora_marl.core.outcome import REPEATED
from tests.agents.rules.test_served_adr import NETWORK, answers, commanded, uplinks


@pytest.fixture
def learner():
    return agents.make("adr-chirpstack", NETWORK, [0])


# SF12 needs -20 dB, the margin is 10 dB: an SNR of -10 dB leaves 0, and every 3 dB more are a step.
@pytest.mark.parametrize(
    ("snr_db", "expected"),
    [
        (-10.0, (0, 0)),
        (-7.1, (0, 0)),
        (-6.9, (1, 0)),
        (-1.0, (3, 0)),
        (4.9, (4, 0)),
        (5.1, (5, 0)),
        (8.1, (5, 1)),
        (40.0, (5, 6)),
    ],
)
def test_steps_up_need_no_history(learner, snr_db, expected):
    assert answers(learner, [snr_db]) == [(*expected, 1)]


def test_steps_are_cut_towards_zero():
    # At SF7, -7.5 + 10 = 2.5 dB: down to -0.4 dB nothing happens, which a rule that rounds down would answer.
    single = np.float32
    assert [steps_of(single(snr), single(-7.5), single(10.0)) for snr in (2.5, 0.0, -0.4, -0.6, 5.4, 5.6)] == [
        0, 0, 0, -1, 0, 1,
    ]  # fmt: skip


def test_steps_are_taken_in_single_precision():
    # 4.8 + 12.5 - 8.3 = 9 dB and -5.8 + 12.5 - 9.7 = -3 dB, but for rounding errors: three steps up, one down.
    single = np.float32
    for snr_db, margin_db, cut, in_double in ((4.8, 8.3, 2, 3), (-5.8, 9.7, -1, 0)):
        assert steps_of(single(snr_db), single(-12.5), single(margin_db)) == cut
        assert int((snr_db + 12.5 - margin_db) / 3) == in_double


def accepted(learner, rate, power):
    """Bring the session to a data rate and power that a command has set."""
    sessions = learner.state_arrays()
    for field, value in {"rate": rate, "power": power, "wanted_rate": rate, "wanted_power": power}.items():
        sessions[field][:] = value


def test_steps_down_wait_for_twenty_entries_at_the_power_in_force(learner):
    accepted(learner, 5, 3)
    # SNR -1 dB at SF7: (-1 + 7.5 - 10) / 3 = -1.17, one step down; the 20th uplink gets it.
    commands = answers(learner, [-1.0] * 22, rate=5, power=3)
    assert commands[:19] == [(5, 3, 1)] * 19 and commands[19:] == [(5, 2, 1)] * 3


def test_the_strongest_of_the_history_counts_until_it_is_forgotten(learner):
    accepted(learner, 5, 3)
    # 3 dB leaves no step either way; it is forgotten with the 21st entry, and the 20 others are one step too weak.
    commands = answers(learner, [3.0] + [-1.0] * 20, rate=5, power=3)
    assert commands == [(5, 3, 1)] * 20 + [(5, 2, 1)]


def test_an_accepted_command_begins_the_history_anew(learner):
    accepted(learner, 5, 3)
    answers(learner, [-1.0] * 20, rate=5, power=3)
    assert commanded(learner) == (5, 2, 1)
    # Power 2 is in force: 20 more entries with it before the next step down.
    commands = answers(learner, [-1.0] * 20, rate=5, power=2)
    assert commands == [(5, 2, 1)] * 19 + [(5, 1, 1)]


def test_a_data_rate_that_nobody_commanded_resets_the_power_and_the_history(learner):
    accepted(learner, 5, 4)
    answers(learner, [3.0] * 7, rate=5, power=4)
    # The device has backed off to DR4 at the default power: (-1 + 10 - 10) / 3 is no step; power 0 is commanded.
    assert answers(learner, [-1.0], rate=4, power=0) == [(4, 0, 1)]
    state = learner.state_arrays()
    assert state["entries"][0, 0] == 1 and state["power"][0, 0] == 0


def test_a_power_that_the_device_took_by_itself_is_not_known(learner):
    accepted(learner, 5, 4)
    answers(learner, [3.0], rate=5, power=4)
    # It sends at the default power, and nobody has told the server: (6 + 7.5 - 10) / 3 is one step, from power 4 on.
    assert answers(learner, [6.0], rate=5, power=0) == [(5, 5, 1)]
    assert learner.state_arrays()["power"][0, 0] == 4


def test_retries_are_no_entries(learner):
    answers(learner, [-12.0] * 5)
    answers(learner, [30.0] * 5, missed=REPEATED)
    assert learner.state_arrays()["entries"][0, 0] == 5 and commanded(learner) == (0, 0, 1)


@pytest.mark.parametrize(("lost", "nb_trans"), [(0, 1), (1, 1), (2, 2), (5, 2), (6, 3)])
def test_loss_is_that_between_twenty_entries(lost, nb_trans):
    # -8 dB leaves no step: 20 entries, of which the last had `lost` frames missing before it; 2 of 20 are 10 %.
    learner = agents.make("adr-chirpstack", NETWORK, [0])
    before = answers(learner, [-8.0] * 18) + answers(learner, [-8.0], missed=lost)
    assert before == [(0, 0, 1)] * 19
    assert answers(learner, [-8.0]) == [(0, 0, nb_trans)]


def test_an_nb_trans_is_taken_back_once_it_is_accepted(learner):
    answers(learner, [-8.0] * 18)
    answers(learner, [-8.0], missed=9)
    # 45 % lost: 3. Then the history is short, loss counts as 0, and the table has 2 after 3, and 1 after 2.
    # The device obeys each command with its next uplink.
    commands = [1]
    for _ in range(4):
        ((_, _, nb_trans),) = answers(learner, [-8.0], nb_trans=commands[-1])
        commands.append(nb_trans)
    assert commands[1:] == [3, 2, 1, 1]


def test_frames_lost_before_the_oldest_entry_do_not_count(learner):
    answers(learner, [-8.0], missed=19)
    assert answers(learner, [-8.0] * 19)[-1] == (0, 0, 1)


def test_devices_have_sessions_of_their_own(learner):
    learner.hear(uplinks([40.0], node=1))
    assert commanded(learner, 1) == (5, 6, 1) and commanded(learner, 0) == (0, 0, 1)
