"""One compiled function plays a network, whatever arrays and numbers a caller brings."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.kernel import engine
from lora_marl.core.kernel.loop import entry_points
from tests.core.scenarios import network


def points_of(air: Air, order: Any = "C") -> np.ndarray:
    return np.zeros((air.replicas, air.nodes, 4), np.int16, order=order)


def test_whatever_arrays_come_one_function_is_compiled() -> None:
    scenario = network()
    outcomes = []
    for order, until_s in (("C", 50), ("F", 50.0), ("C", np.float32(50.0))):
        air = Air(scenario, [3, 4])
        outcomes.append(air.advance(points_of(air, order), until_s).delivered)
    assert outcomes[0].sum() > 0
    np.testing.assert_array_equal(outcomes[0], outcomes[1])
    np.testing.assert_array_equal(outcomes[0], outcomes[2])
    assert len(entry_points(frozenset()).run.signatures) == 1


def test_a_copied_air_is_independent() -> None:
    air = Air(network(), [3])
    points = points_of(air)
    air.advance(points, 20.0)
    other = copy.deepcopy(air)
    ahead = other.advance(points, 50.0)
    assert float(air.now_s[0]) == 20.0
    np.testing.assert_array_equal(air.advance(points, 50.0).delivered, ahead.delivered)


@pytest.mark.parametrize("least_packets", [0, 10**9])
def test_threads_change_no_result(monkeypatch: pytest.MonkeyPatch, least_packets: int) -> None:
    monkeypatch.setattr(engine, "_LEAST_PACKETS", least_packets)
    scenario, outcomes = network(), []
    for threads in (1, 3):
        air = Air(scenario, [1, 2, 3, 4], threads=threads)
        points = points_of(air)
        outcomes.append([air.advance(points, until_s).delivered for until_s in (10.0, 30.0)])
    np.testing.assert_array_equal(outcomes[0], outcomes[1])
