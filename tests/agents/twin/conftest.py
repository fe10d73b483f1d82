"""A small network, the model of it with everything known, and frames made up from a known truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agents.twin.beliefs import strongest_pair
from agents.twin.fields import Nodes
from agents.twin.frames import FRAMES, FrameRing
from agents.twin.knowledge import public_scenario
from agents.twin.tables import Tables, build_tables, payload_classes
from lora_marl.core.presets import norel_network
from lora_marl.core.scenario import Scenario


@pytest.fixture(scope="session")
def known() -> Callable[[Scenario], tuple[Tables, Nodes]]:
    """The model of a scenario by the truth: its shadowing, gains and rates."""

    def build(scenario: Scenario) -> tuple[Tables, Nodes]:
        public = public_scenario(scenario)
        payload = np.broadcast_to(np.asarray(public.traffic.payload_bytes, np.float64), (scenario.nodes,))
        sizes, classes = payload_classes(payload)
        t = build_tables(public, sizes, scenario.propagation.shadowing_db)
        gain = np.rint((scenario.mean_gain_db() - t.lowest_dbm) / t.fine_db).astype(np.int64)
        interval_s = np.broadcast_to(scenario.interval_s(), (scenario.nodes,)).astype(np.float64)
        pair = strongest_pair(scenario.mean_gain_db())
        return t, Nodes(classes, interval_s, gain, pair, np.ones((len(scenario.region.channels_hz), len(t.airtime_s))))

    return build


@pytest.fixture(scope="session")
def norel() -> Scenario:
    """60 nodes of NoReL's network that send often."""
    return norel_network(60, packets_per_s=0.01)


@pytest.fixture(scope="session")
def ring_of() -> Callable[..., FrameRing]:
    """The frames of nodes at fixed points that send at fixed times; which are received is drawn from a known truth."""

    def build(gain_db, sigma_db, point, left, floor_dbm, *, frames=FRAMES, interval_s=1000.0, tp_dbm=14.0, seed=0):
        rng = np.random.default_rng(seed)
        ring = FrameRing(1, len(gain_db), np.array([tp_dbm]))
        for n, mean_db in enumerate(gain_db):
            missed, last_s, now_s = 0, np.nan, 0.0
            while ring.count[0, n] < frames:
                now_s += rng.exponential(interval_s)
                power_dbm = mean_db + tp_dbm + sigma_db * rng.normal()
                if power_dbm < floor_dbm or rng.random() >= left(power_dbm):
                    missed += 1
                    continue
                place = ring.count[0, n]
                ring.frames[0, n, place] = (
                    now_s, now_s - last_s, power_dbm - tp_dbm, 0 if place == 0 else missed, 0, *point, 0,
                )  # fmt: skip
                ring.count[0, n] += 1
                missed, last_s = 0, now_s
        return ring

    return build
