"""Rounds and estimates of NoReL's authors' code."""

from __future__ import annotations

import numpy as np
import pytest

from lora_marl.core.presets import norel_network
from lora_marl.core.published.norel_network import GAMMA, PL0, RATE, SIGMA, SINCE, WINDOW, air_of, estimate_of, note
from lora_marl.core.published.norel_receiver import SENT
from lora_marl.core.published.norel_rounds import (
    ALL_DELIVERED,
    ALL_SENT,
    ROUND_DELIVERED,
    ROUND_PACKETS,
    ROUND_SENT,
    answer,
    empty_books,
    judge_next,
    play_fixed,
    play_round,
)

LOSSY = norel_network(30, 3500.0, seed=3)
POINTS = np.full((30, 4), (1, 0, 0, 4), np.int16)
DURATION_S = 3e5


def fates() -> list[tuple[int, bool]]:
    air, books, estimate = air_of(LOSSY, POINTS, 1, DURATION_S), empty_books(30), estimate_of(LOSSY)
    return [(int(n), judge_next(air, books, estimate) >= 0) for n in air.node]


def test_a_round_ends_with_the_first_success_at_or_after_the_tenth_packet() -> None:
    sent, delivered, expected = [0] * 30, [0] * 30, []
    for packet, (n, received) in enumerate(fates()):
        sent[n] += 1
        delivered[n] += received
        if received and sent[n] >= 10:
            expected.append((packet, sent[n], delivered[n]))
            sent[n] = delivered[n] = 0
    air, books, estimate = air_of(LOSSY, POINTS, 1, DURATION_S), empty_books(30), estimate_of(LOSSY)
    found = []
    while (packet := play_round(air, books, estimate)) >= 0:
        own = books.packets[:, air.node[packet]]
        found.append((packet, int(own[ROUND_SENT]), int(own[ROUND_DELIVERED])))
        own[ROUND_SENT:] = 0
    assert found == expected
    assert any(sent > ROUND_PACKETS for _, sent, _ in found)
    assert all(1 <= delivered <= ROUND_PACKETS for _, _, delivered in found)


def test_the_utility_of_a_round_is_biased_upwards_by_a_tenth_of_what_is_lost() -> None:
    air = air_of(LOSSY, POINTS, 2, 40 * DURATION_S)
    books, estimate = empty_books(30), estimate_of(LOSSY)
    rounds, utility = np.zeros(30), np.zeros(30)
    while (packet := play_round(air, books, estimate)) >= 0:
        n = air.node[packet]
        rounds[n] += 1
        utility[n] += books.packets[ROUND_DELIVERED, n] / ROUND_PACKETS
        books.packets[ROUND_SENT:, n] = 0
    share = books.packets[ALL_DELIVERED] / books.packets[ALL_SENT]
    some = rounds > 300
    assert some.sum() > 15
    assert (utility / rounds)[some] == pytest.approx(0.1 + 0.9 * share[some], abs=0.03)
    assert share[some].min() < 0.8


def test_a_node_that_is_never_received_never_ends_a_round() -> None:
    far = norel_network(3, 2000.0, seed=0).with_values({"propagation.reference_loss_db": 250.0})
    air, books = air_of(far, np.zeros((3, 4), np.int16), 0, 1e6), empty_books(3)
    assert play_round(air, books, estimate_of(far)) == -1
    assert books.packets[ALL_SENT].min() > 500
    assert books.packets[ALL_DELIVERED].sum() == 0


def test_answers_cost_delivery_and_are_sent_once_a_round() -> None:
    shares = []
    for answers in (False, True):
        air, books = air_of(norel_network(200), np.full((200, 4), (1, 0, 0, 4), np.int16), 5, 4e5), empty_books(200)
        play_fixed(air, books, estimate_of(norel_network(200)), answers)
        shares.append(books.packets[ALL_DELIVERED].sum() / books.packets[ALL_SENT].sum())
        rounds = air.counts[SENT]
    assert 0.015 < shares[0] - shares[1] < 0.05
    assert rounds == pytest.approx(books.packets[ALL_SENT].sum() / 10, rel=0.08)


def test_an_answer_goes_out_after_the_new_parameters_from_the_nearest_gateway() -> None:
    two = norel_network(10, 500.0, gateway_xy_m=((0.0, 0.0), (3000.0, 0.0)), seed=1)
    points = np.full((10, 4), (0, 0, 0, 4), np.int16)
    air, books = air_of(two, points, 0, 1e5), empty_books(10)
    packet = play_round(air, books, estimate_of(two))
    n = int(air.node[packet])
    air.sf[n] = 3
    answer(air, books, packet)
    assert air.down_s[0] == pytest.approx(air.start_s[packet] + 0.493568 + 2.0)
    assert air.down_gateway[0] == (0 if n < 5 else 1)
    assert books.packets[ROUND_SENT:, n].tolist() == [0, 0]


def test_estimates_are_least_squares_smoothed_and_take_sigma_with_the_old_exponent() -> None:
    scenario, rng = norel_network(50, seed=2), np.random.default_rng(0)
    estimate = estimate_of(scenario)
    assert estimate.now.tolist() == [128.95, 2.32, 3.54, 0.001, 0.0]
    node = rng.integers(0, 50, WINDOW)
    x, y = estimate.x[node], 140.0 + 3.0 * estimate.x[node] + 5.0 * rng.standard_normal(WINDOW)
    for k in range(WINDOW):
        assert estimate.now[SINCE] == 0.0
        note(estimate, node[k], y[k], 20.0 * (k + 1))
    gamma, pl0 = np.polyfit(x, y, 1)
    assert estimate.now[PL0] == pytest.approx(0.3 * 128.95 + 0.7 * pl0)
    assert estimate.now[GAMMA] == pytest.approx(0.3 * 2.32 + 0.7 * gamma)
    assert estimate.now[SIGMA] == pytest.approx(0.3 * 3.54 + 0.7 * (y - 2.32 * x).std())
    assert estimate.now[RATE] == pytest.approx(0.3 * 0.001 + 0.7 * 100 / 2000.0 / 50)
    assert estimate.now[SINCE] == 2000.0
