"""Rounds and estimates of NoReL's authors' code."""

from __future__ import annotations

import numpy as np
import pytest

from lora_marl.core.presets import norel_network
from lora_marl.core.published.norel_network import (
    GAMMA,
    PL0,
    RATE,
    SIGMA,
    SINCE,
    WINDOW,
    add_uplink,
    channel_of,
    initial_estimates,
)
from lora_marl.core.published.norel_receiver import SENT
from lora_marl.core.published.norel_rounds import (
    ALL_DELIVERED,
    ALL_SENT,
    ROUND_DELIVERED,
    ROUND_PACKETS,
    ROUND_SENT,
    receive_next,
    run_fixed,
    run_round,
    send_answer,
    zero_counters,
)

LOSSY = norel_network(30, 3500.0, seed=3)
POINTS = np.full((30, 4), (1, 0, 0, 4), np.int16)
DURATION_S = 3e5


def fates() -> list[tuple[int, bool]]:
    channel, counters, estimates = channel_of(LOSSY, POINTS, 1, DURATION_S), zero_counters(30), initial_estimates(LOSSY)
    return [(int(n), receive_next(channel, counters, estimates) >= 0) for n in channel.node]


def test_a_round_ends_with_the_first_success_at_or_after_the_tenth_packet() -> None:
    sent, delivered, expected = [0] * 30, [0] * 30, []
    for packet, (n, received) in enumerate(fates()):
        sent[n] += 1
        delivered[n] += received
        if received and sent[n] >= 10:
            expected.append((packet, sent[n], delivered[n]))
            sent[n] = delivered[n] = 0
    channel, counters, estimates = channel_of(LOSSY, POINTS, 1, DURATION_S), zero_counters(30), initial_estimates(LOSSY)
    rounds = []
    while (packet := run_round(channel, counters, estimates)) >= 0:
        counts = counters.packets[:, channel.node[packet]]
        rounds.append((packet, int(counts[ROUND_SENT]), int(counts[ROUND_DELIVERED])))
        counts[ROUND_SENT:] = 0
    assert rounds == expected
    assert any(sent > ROUND_PACKETS for _, sent, _ in rounds)
    assert all(1 <= delivered <= ROUND_PACKETS for _, _, delivered in rounds)


def test_the_utility_of_a_round_is_biased_upwards_by_a_tenth_of_what_is_lost() -> None:
    channel = channel_of(LOSSY, POINTS, 2, 40 * DURATION_S)
    counters, estimates = zero_counters(30), initial_estimates(LOSSY)
    rounds, utility = np.zeros(30), np.zeros(30)
    while (packet := run_round(channel, counters, estimates)) >= 0:
        n = channel.node[packet]
        rounds[n] += 1
        utility[n] += counters.packets[ROUND_DELIVERED, n] / ROUND_PACKETS
        counters.packets[ROUND_SENT:, n] = 0
    share = counters.packets[ALL_DELIVERED] / counters.packets[ALL_SENT]
    some = rounds > 300
    assert some.sum() > 15
    assert (utility / rounds)[some] == pytest.approx(0.1 + 0.9 * share[some], abs=0.03)
    assert share[some].min() < 0.8


def test_a_node_that_is_never_received_never_ends_a_round() -> None:
    far = norel_network(3, 2000.0, seed=0).with_values({"propagation.reference_loss_db": 250.0})
    channel, counters = channel_of(far, np.zeros((3, 4), np.int16), 0, 1e6), zero_counters(3)
    assert run_round(channel, counters, initial_estimates(far)) == -1
    assert counters.packets[ALL_SENT].min() > 500
    assert counters.packets[ALL_DELIVERED].sum() == 0


def test_answers_cost_delivery_and_are_sent_once_a_round() -> None:
    shares = []
    for answers in (False, True):
        channel, counters = (
            channel_of(norel_network(200), np.full((200, 4), (1, 0, 0, 4), np.int16), 5, 4e5),
            zero_counters(200),
        )
        run_fixed(channel, counters, initial_estimates(norel_network(200)), answers)
        shares.append(counters.packets[ALL_DELIVERED].sum() / counters.packets[ALL_SENT].sum())
        rounds = channel.counts[SENT]
    assert 0.015 < shares[0] - shares[1] < 0.05
    assert rounds == pytest.approx(counters.packets[ALL_SENT].sum() / 10, rel=0.08)


def test_an_answer_goes_out_after_the_new_parameters_from_the_nearest_gateway() -> None:
    two = norel_network(10, 500.0, gateway_xy_m=((0.0, 0.0), (3000.0, 0.0)), seed=1)
    points = np.full((10, 4), (0, 0, 0, 4), np.int16)
    channel, counters = channel_of(two, points, 0, 1e5), zero_counters(10)
    packet = run_round(channel, counters, initial_estimates(two))
    n = int(channel.node[packet])
    channel.sf[n] = 3
    send_answer(channel, counters, packet)
    assert channel.down_s[0] == pytest.approx(channel.start_s[packet] + 0.493568 + 2.0)
    assert channel.down_gateway[0] == (0 if n < 5 else 1)
    assert counters.packets[ROUND_SENT:, n].tolist() == [0, 0]


def test_estimates_are_least_squares_smoothed_and_take_sigma_with_the_old_exponent() -> None:
    scenario, rng = norel_network(50, seed=2), np.random.default_rng(0)
    estimates = initial_estimates(scenario)
    assert estimates.now.tolist() == [128.95, 2.32, 3.54, 0.001, 0.0]
    node = rng.integers(0, 50, WINDOW)
    x, y = estimates.x[node], 140.0 + 3.0 * estimates.x[node] + 5.0 * rng.standard_normal(WINDOW)
    for k in range(WINDOW):
        assert estimates.now[SINCE] == 0.0
        add_uplink(estimates, node[k], y[k], 20.0 * (k + 1))
    gamma, pl0 = np.polyfit(x, y, 1)
    assert estimates.now[PL0] == pytest.approx(0.3 * 128.95 + 0.7 * pl0)
    assert estimates.now[GAMMA] == pytest.approx(0.3 * 2.32 + 0.7 * gamma)
    assert estimates.now[SIGMA] == pytest.approx(0.3 * 3.54 + 0.7 * (y - 2.32 * x).std())
    assert estimates.now[RATE] == pytest.approx(0.3 * 0.001 + 0.7 * 100 / 2000.0 / 50)
    assert estimates.now[SINCE] == 2000.0
