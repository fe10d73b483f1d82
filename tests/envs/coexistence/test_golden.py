"""Observations of the groups of a small scenario against stored values.

Positions, traffic, bursts, air and features all have a part in them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lora_marl.core.coexistence import Deployment
from lora_marl.core.presets.ccs import ccs_study, non_learning
from lora_marl.envs import coexistence_v0

GOLDEN = Path(__file__).parents[2] / "golden" / "coexistence" / "trace.json"


def trace() -> dict[str, list]:
    """Observations and rewards of two groups over six intervals, and KPIs of all networks."""
    networks = ccs_study(
        [Deployment(nodes=8), non_learning(nodes=8), Deployment(nodes=6, load=2.0)], load=2.0, moves_s=180.0
    )
    env = coexistence_v0.parallel_env(coexistence=networks, decider="group", max_cycles=6)
    env.reset_array([11])
    actions, intervals = np.random.default_rng(5), []
    for _ in range(6):
        observations, rewards, *_ = env.step_array(actions.integers(48, size=(1, 8)))
        totals = env.game.totals
        sums = [getattr(totals, name)[0].sum(-1).tolist() for name in ("attempts", "received", "frames_delivered")]
        intervals.append(
            {"observations": observations[0, [0, 7]].tolist(), "rewards": rewards[0].tolist(), "sums": sums}
        )
    return {"intervals": intervals}


def test_a_scenario_is_as_it_was() -> None:
    golden = json.loads(GOLDEN.read_text())
    for now, before in zip(trace()["intervals"], golden["intervals"], strict=True):
        assert now["sums"] == before["sums"]
        for name in ("observations", "rewards"):
            np.testing.assert_allclose(now[name], before[name], rtol=1e-6, atol=1e-6)
