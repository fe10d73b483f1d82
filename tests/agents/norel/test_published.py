"""NoReL, MinSF and ADR in the simulator of NoReL's authors."""

from __future__ import annotations

import numpy as np
import pytest

from agents.link_margin import feasible
from agents.norel.published import min_sf_points, simulate
from lora_marl.core.presets import norel_network
from lora_marl.core.units import DAY_S

SCENARIO = norel_network(60, seed=4)


def test_norel_plays_within_its_action_sets_one_downlink_a_round() -> None:
    played = simulate(SCENARIO, 0, 5 * DAY_S)
    assert played.table is not None
    assert played.downlinks == played.table.rounds.sum() > 1000
    allowed = feasible(SCENARIO, 1)[0]
    assert allowed[np.arange(60), played.points[:, 0], played.points[:, 3]].all()
    assert not played.table.strategy[0].reshape(60, 8, -1)[~np.repeat(allowed.reshape(60, 1, -1), 8, 1)].any()
    assert played.gateway_airtime == pytest.approx(played.downlinks * 1.712128 / (5 * DAY_S))


def test_a_quiet_channel_stays_in_the_first_random_state() -> None:
    played = simulate(SCENARIO, 0, 2 * DAY_S)
    assert played.table is not None
    assert played.table.rounds[0, :, 1:].sum() == 0


def test_many_packets_are_another_random_state() -> None:
    busy = norel_network(60, packets_per_s=0.005, seed=4)
    played = simulate(busy, 0, DAY_S)
    assert played.table is not None
    assert played.table.rounds[0, :, 1].sum() > played.table.rounds.sum() / 2


def test_seeds_are_runs() -> None:
    first, again, other = (simulate(SCENARIO, seed, DAY_S) for seed in (0, 0, 1))
    assert np.array_equal(first.points, again.points) and np.array_equal(first.delivered, again.delivered)
    assert not np.array_equal(first.points, other.points)


def test_nothing_moves_fixed_points_and_adr_answers_rarely() -> None:
    fixed = simulate(SCENARIO, 0, 2 * DAY_S, "fixed", answers=True)
    assert np.array_equal(fixed.points, min_sf_points(SCENARIO))
    adr = simulate(SCENARIO, 0, 2 * DAY_S, "adr", margin_db=15.0)
    assert 0 < adr.downlinks < fixed.downlinks / 2


def test_early_stop_receives_more() -> None:
    rng = np.random.default_rng(0)
    busy = norel_network(300, packets_per_s=0.005)
    points = np.zeros((300, 4), np.int16)
    points[:, 0], points[:, 3] = rng.integers(0, 6, 300), 4
    early, full = (simulate(busy, 0, DAY_S / 2, "fixed", points=points, early_stop=stop) for stop in (True, False))
    assert early.delivery > full.delivery + 0.01


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(ValueError, match="method: 'dylora'"):
        simulate(SCENARIO, 0, DAY_S, "dylora")  # type: ignore[arg-type]
