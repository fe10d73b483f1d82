"""The server of a non-learning network under adaptive data rate, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from lora_marl.core.presets.ccs import ccs_study
from lora_marl.core.reception import Fate
from lora_marl.envs.coexistence.non_learning import HISTORY, AdaptiveDataRate

SCENARIO = ccs_study(1).radio
FLOOR_DBM = SCENARIO.reception.sensitivities_dbm(np.arange(7, 13), np.array([125_000.0]))[:, 0]
FULL = len(SCENARIO.region.tp_dbm) - 1


def decided(adr: AdaptiveDataRate, margins_db: list[float], fate: Fate = Fate.DELIVERED) -> tuple[int, int]:
    """SF and power of a node after packets so far above the floor of what it sends with."""
    for margin_db in margins_db:
        sf = int(adr.sf[0, 0])
        air = SimpleNamespace(
            last_fate=np.array([[fate]]),
            last_rssi_dbm=np.array([[FLOOR_DBM[sf] + margin_db]]),
            last_point=np.array([[[sf, 0, 0, int(adr.tp[0, 0])]]]),
        )
        adr.update(air, np.array([[True]]))  # type: ignore[arg-type]
    return int(adr.sf[0, 0]), int(adr.tp[0, 0])


def new() -> AdaptiveDataRate:
    return AdaptiveDataRate(SCENARIO, (1, 1))


def test_nodes_begin_slowest_and_loudest_and_wait_for_twenty_packets() -> None:
    adr = new()
    assert decided(adr, [40.0] * (HISTORY - 1)) == (5, FULL)
    assert HISTORY == 20 and decided(adr, [40.0]) != (5, FULL)


def test_a_step_is_three_db_of_what_the_best_packet_has_above_ten() -> None:
    assert decided(new(), [0.0] * 19 + [10.0 + 6.5]) == (3, FULL), "two steps, and a rest"
    assert decided(new(), [10.0 + 2.9] * 20) == (5, FULL)
    assert decided(new(), [10.0 + 3 * 5 + 3 * 2 + 0.1] * 20) == (0, FULL - 2), "five of spreading factor, two of power"
    assert decided(new(), [100.0] * 20) == (0, 0)


def test_what_is_missing_is_made_up_by_power_and_not_by_spreading_factor() -> None:
    adr = new()
    decided(adr, [10.0 + 3 * 5 + 3 * 3 + 0.1] * 20)
    assert (adr.sf[0, 0], adr.tp[0, 0]) == (0, FULL - 3)
    assert decided(adr, [10.0 - 5.9] * 20) == (0, FULL - 1)


def test_what_came_before_a_decision_and_what_was_lost_does_not_count() -> None:
    adr = new()
    decided(adr, [10.0 + 3.1] * 20)
    assert decided(adr, [10.0] * 20) == (4, FULL)
    assert decided(adr, [40.0] * 40, Fate.COLLIDED) == (4, FULL)
