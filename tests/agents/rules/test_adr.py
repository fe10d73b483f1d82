"""ADR's steps by hand: the conference's rule over (SF, BW), and Semtech's rule on a history of packets."""

import numpy as np
import pytest

import agents
from agents.rules.adr import after_margin
from lora_marl.core.kernel.state import DECISION
from lora_marl.core.outcome import Decisions
from lora_marl.core.reception import Fate


def heard(node, rssi_dbm, point, fate=Fate.DELIVERED):
    records = np.zeros(1, DECISION)
    records["node"], records["rssi_dbm"], records["point"], records["fate"] = node, rssi_dbm, point, fate
    return Decisions(records)


LAST = [5, 0, 0, 6]


@pytest.mark.parametrize(
    ("rssi_dbm", "sf", "bw_khz", "tp_dbm"),
    [
        # Sensitivities of Table I by SF: -123/-120/-116, -126/-123/-119, -129/-125/-122, -132/-128/-125, ...
        (-115.5, 7, 500, None),  # 0.5 dB above SF7/500, the last of its row: next is SF8/125
        (-117.0, 7, 250, None),  # 2 dB above SF8/500: next is SF9/125, one step of 2 dB
        (-122.5, 7, 125, None),
        (-135.5, 12, 125, 14),  # 0.5 dB above SF12/125 alone: next is SF12/250
        (-140.0, 12, 125, 14),
    ],
)
def test_the_conference_rule_is_the_plain_one(conference, rssi_dbm, sf, bw_khz, tp_dbm):
    learner = agents.make("adr", conference, [0])
    point = learner.select(heard(3, rssi_dbm, LAST))[0]
    expected = plain_rule(rssi_dbm)
    assert (point[0] + 7, (125, 250, 500)[point[1]], 2 + 2 * point[3]) == expected


def plain_rule(rssi_dbm):
    """The published rule in its own words."""
    table = {
        7: (-123, -120, -116), 8: (-126, -123, -119), 9: (-129, -125, -122),
        10: (-132, -128, -125), 11: (-133, -130, -128), 12: (-136, -133, -130),
    }  # fmt: skip
    rates = [(sf, bw, dbm) for sf, row in table.items() for bw, dbm in zip((125, 250, 500), row, strict=True)]
    margins = [(rssi_dbm - dbm, index) for index, (_, _, dbm) in enumerate(rates) if rssi_dbm > dbm]
    if not margins:
        return 12, 125, 14
    margin, index = min(margins)
    sf, bw, _ = rates[min(index + 1, 17)]
    return sf, bw, max(2, 14 - 2 * int(margin // 2))


def test_the_conference_rule_over_all_strengths(conference):
    learner = agents.make("adr", conference, [0])
    seen = set()
    for rssi_dbm in np.arange(-140.05, -90, 0.3):
        point = learner.select(heard(0, rssi_dbm, LAST, Fate.COLLIDED))[0]
        expected = plain_rule(rssi_dbm)
        assert (point[0] + 7, (125, 250, 500)[point[1]], 2 + 2 * point[3]) == expected
        seen.add(expected)
    assert len(seen) > 10
    assert learner.select(heard(0, -110.0, LAST))[0, 3] == 3  # 6 dB above SF7/500: 14 - 6 = 8 dBm


def test_channels_are_drawn_evenly_or_kept_from_a_survey(conference):
    learner = agents.make("adr", conference, [0])
    drawn = [learner.select(heard(2, -120.0, LAST))[0, 2] for _ in range(800)]
    assert (np.bincount(drawn, minlength=8) > 60).all()
    surveyed = agents.make("adr", conference, [0], channels="caasi")
    assert surveyed.overhead.sent.sum() == 12 * (8 + 6 * 20)
    for node in (0, 5):
        channels = {int(surveyed.select(heard(node, -120.0, LAST))[0, 2]) for _ in range(20)}
        assert channels == {int(surveyed.initial_points()[0, node, 2])}


@pytest.mark.parametrize(
    ("parameters", "sf_tp_dbm"),
    [
        # SF7 to SF12 at 125 kHz need -123, -126, -129, -132, -133, -136 dBm. The last three packets: -131, -125, -128.
        ({}, (10, 14)),  # -128: 1 dB above SF9, next is SF10
        ({"statistic": "max", "history": 3}, (9, 14)),  # -125: 1 dB above SF8, next is SF9
        ({"statistic": "max", "history": 4}, (8, 6)),  # -114, the oldest: 9 dB above SF7, 14 - 8 dBm, next is SF8
        ({"statistic": "max", "history": 9}, (8, 6)),  # of nine, four have been sent
        ({"statistic": "mean", "history": 3}, (10, 14)),  # -128
        ({"statistic": "mean", "history": 2}, (10, 12)),  # -126.5: below SF8, 2.5 dB above SF9, next is SF10, one step
        ({"margin_db": 3.5}, (11, 14)),  # as if -131.5: 0.5 dB above SF10, next is SF11
        ({"margin_db": 10.0}, (12, 14)),  # as if -138: nothing is above, as first
    ],
)
def test_what_is_looked_back_on_and_the_margin(journal, parameters, sf_tp_dbm):
    learner = agents.make("adr", journal, [0], **parameters)
    for rssi_dbm in (-114.0, -131.0, -125.0, -128.0):
        decisions = heard(5, rssi_dbm, LAST, Fate.BELOW_SENSITIVITY)
        learner.update(decisions)
    point = learner.select(decisions)[0]
    assert (point[0] + 7, 2 + 2 * point[3]) == sf_tp_dbm


def test_what_is_looked_back_on_is_resumed_and_does_not_depend_on_the_batch(journal):
    powers_dbm = np.random.default_rng(0).uniform(-140, -100, (30, 2))
    whole, stopped = (agents.make("adr", journal, [0], statistic="mean", history=4) for _ in range(2))
    for row in powers_dbm[:13]:
        for learner in (whole, stopped):
            choices(learner, row)
    resumed = agents.make("adr", journal, [0], statistic="mean", history=4)
    resumed.load_state_dict(stopped.state_dict())
    for row in powers_dbm[13:]:
        expected = choices(whole, row)
        np.testing.assert_array_equal(choices(resumed, row[::-1], nodes=(7, 2))[::-1], expected)


def choices(learner, rssi_dbm, nodes=(2, 7)):
    """Both nodes' choices after packets of some strength."""
    chosen = []
    for node, dbm in zip(nodes, rssi_dbm, strict=True):
        learner.update(heard(node, dbm, LAST))
        chosen.append(learner.select(heard(node, dbm, LAST))[0])
    return np.array(chosen)


def test_steps_lower_the_spreading_factor_first_then_the_power_and_raise_power_only():
    point = np.array([[5, 0, 3, 6]] * 5 + [[2, 0, 3, 1]] * 2, np.int16)
    after = after_margin(point, 3.0 * np.array([0, 2, 5, 7, 30, -3, -30]), powers=7)
    assert after[:, 0].tolist() == [5, 3, 0, 0, 0, 2, 2]
    assert after[:, 3].tolist() == [6, 6, 6, 4, 0, 4, 6]
    assert (after[:, [1, 2]] == point[:, [1, 2]]).all()


def test_the_servers_rule_waits_for_its_history_and_takes_the_best_snr(journal):
    learner = agents.make("adr-ideal", journal, [0])
    # Noise at 125 kHz and 6 dB: -117.03 dBm. SF12 needs -20 dB. -120 dBm is -2.97 dB: margin 7.03 dB, two steps.
    for count in range(19):
        learner.update(heard(4, -125.0 if count else -120.0, [5, 0, count % 8, 6]))
    learner.update(heard(4, -90.0, [5, 0, 1, 6], Fate.COLLIDED))
    assert learner.select(heard(4, -120.0, LAST))[0, [0, 3]].tolist() == [5, 6]
    learner.update(heard(4, -125.0, [5, 0, 1, 6]))
    assert learner.select(heard(4, -120.0, LAST))[0, [0, 3]].tolist() == [3, 6]
    # At SF10, which needs -15 dB, -110 dBm is 7.03 dB: margin 12.03 dB, four steps: SF7, and one power down.
    for _ in range(20):
        learner.update(heard(4, -110.0, [3, 0, 1, 6]))
    assert learner.select(heard(4, -120.0, LAST))[0, [0, 3]].tolist() == [0, 5]


def test_a_history_of_one_and_no_margin(journal):
    learner = agents.make("adr-ideal", journal, [0], history=1, margin_db=0.0)
    learner.update(heard(0, -117.0309 - 20 + 3.01, LAST))
    assert learner.select(heard(0, 0.0, LAST))[0, 0] == 4


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("adr", {"channels": "fixed"}, "channels: 'fixed' is not one of random, caasi"),
        ("adr", {"statistic": "median"}, "statistic: 'median' is not one of last, max, mean"),
        ("adr", {"history": 2.5}, "history = 2.5: must be"),
        ("adr", {"margin_db": np.nan}, "margin_db: nan is not within -300 to 300 dB"),
        ("adr-ideal", {"history": 0}, "history = 0: must be"),
        ("adr-ideal", {"margin_db": np.inf}, "margin_db: inf is not within"),
    ],
)
def test_bad_parameters_are_named(journal, name, parameters, message):
    with pytest.raises(ValueError, match=message):
        agents.make(name, journal, [0], **parameters)
