"""What a server can hear of the channel and the traffic, against samples whose truth is known."""

import numpy as np
import pytest

from agents.channel_state import RATE, WINDOW, WINDOWS_KEPT, ChannelState, state_of
from lora_marl.core.kernel.state import HEARD
from lora_marl.core.outcome import REPEATED, Heard
from lora_marl.core.presets import norel_network

NODES = 300


def sampled(scenario, packets, *, sigma_db=3.54, exponent=2.32, rate_per_s=0.001, delivery=1.0, begin_s=0.0, seed=0):
    """Packets received of a network whose channel and traffic are given; what is below sensitivity is not there."""
    rng = np.random.default_rng(seed)
    loss_db = 128.95 + 10 * exponent * np.log10(np.hypot(*scenario.node_xy_m.T) / 1000)
    rows = np.zeros(packets, HEARD)
    time_s = begin_s
    for row in rows:
        while True:
            n = rng.integers(scenario.nodes)
            rssi_dbm = 14 - loss_db[n] + sigma_db * rng.normal()
            if rssi_dbm >= -124:
                break
        time_s += 1 / (rate_per_s * scenario.nodes)
        missed = rng.geometric(delivery) - 1
        gaps_s = rng.exponential(1 / rate_per_s, missed + 1) + 100 * 0.07808
        row["node"], row["rssi_dbm"], row["time_s"] = n, rssi_dbm, time_s
        row["missed"], row["since_s"], row["point"] = missed, gaps_s.sum(), (0, 0, 0, 4)
    return Heard(rows)


@pytest.mark.parametrize(("sigma_db", "exponent"), [(3.54, 2.32), (7.08, 3.32), (7.08, 2.32), (1.0, 2.32)])
def test_the_channel_is_estimated_from_what_arrives_alone(sigma_db, exponent):
    scenario = norel_network(NODES)
    state = ChannelState(scenario, 1)
    state.hear(sampled(scenario, 40 * WINDOW, sigma_db=sigma_db, exponent=exponent))
    estimated_db, _, _, slope = state.estimates[0]
    assert estimated_db == pytest.approx(sigma_db, rel=0.2)
    assert -slope == pytest.approx(exponent - 2.32, abs=0.5)
    expected = state_of(np.array([sigma_db]), np.array([0.001]))[0]
    assert state.counted[0, expected] >= 0.95 * state.counted[0].sum()


def test_what_is_lost_below_sensitivity_is_made_up_for():
    scenario = norel_network(NODES)
    heard = sampled(scenario, 4000, sigma_db=7.08, exponent=3.32)
    loss_db = 128.95 + 33.2 * np.log10(np.hypot(*scenario.node_xy_m.T) / 1000)
    sample_db = np.std(heard.rssi_dbm - 14 + loss_db[heard.node])
    state = ChannelState(scenario, 1)
    state.hear(heard)
    assert abs(state.estimates[0, 0] - 7.08) < 0.5 * abs(sample_db - 7.08)


@pytest.mark.parametrize("delivery", [1.0, 0.6])
@pytest.mark.parametrize("rate_per_s", [0.001, 0.005])
def test_the_rate_comes_from_gaps_whatever_is_lost(delivery, rate_per_s):
    scenario = norel_network(NODES)
    state = ChannelState(scenario, 1)
    state.hear(sampled(scenario, 30 * WINDOW, rate_per_s=rate_per_s, delivery=delivery))
    assert state.estimates[0, 1] == pytest.approx(rate_per_s, rel=0.15)


def test_bins():
    sigma_db, rate = np.array([0.0, 4.99, 5.0, 9.9, 12.0, 99.0]), 0.0034
    assert state_of(sigma_db, rate).tolist() == [0, 0, 2, 2, 4, 6]
    assert state_of(sigma_db, 0.0035).tolist() == [1, 1, 3, 3, 5, 7]


def test_a_decision_sees_the_windows_that_had_ended_when_it_fell_due():
    scenario = norel_network(NODES)
    state = ChannelState(scenario, 1)
    good, bad = sampled(scenario, 10 * WINDOW), sampled(scenario, 10 * WINDOW, sigma_db=7.08, begin_s=1e5)
    state.hear(good)
    state.hear(bad)
    first, last = good.time_s[WINDOW - 1], bad.time_s[-1]
    times_s = np.array([0.0, first, good.time_s[-1] + 1.0, last, last + 1e6])
    states = state.at(np.zeros(5, int), times_s)
    assert states[:3].tolist() == [0, 0, 0] and states[3:].tolist() == [2, 2]


def test_cutting_what_is_heard_changes_nothing():
    scenario = norel_network(NODES)
    heard = sampled(scenario, 25 * WINDOW, sigma_db=7.08)
    uncut, cut = ChannelState(scenario, 1), ChannelState(scenario, 1)
    uncut.hear(heard)
    for part in np.array_split(heard.records, 37):
        cut.hear(Heard(part))
    for name, array in uncut.state_arrays().items():
        np.testing.assert_array_equal(array, cut.state_arrays()[name], err_msg=name)


def test_retries_of_frames_make_nobody_look_busier():
    scenario = norel_network(NODES)
    once = sampled(scenario, 20 * WINDOW)
    rows = np.repeat(once.records, 2)
    rows["missed"][1::2] = REPEATED
    rates = []
    for heard in (once, Heard(rows)):
        state = ChannelState(scenario, 1)
        state.hear(heard)
        rates.append(state.estimates[0, RATE])
    assert rates[1] == pytest.approx(rates[0], rel=0.1)


def test_more_windows_than_are_kept_leave_the_last_ones():
    scenario = norel_network(NODES)
    state = ChannelState(scenario, 1)
    state.hear(sampled(scenario, (WINDOWS_KEPT + 9) * WINDOW))
    assert state.counted.sum() == WINDOWS_KEPT + 9
    assert state.at(np.array([0]), np.array([np.inf])).tolist() == [0]
