"""The Rayleigh closed form is what the packet air delivers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.expect.rayleigh import Rayleigh
from lora_marl.core.presets import mmalora_network
from scripts.studies.mmalora import closed_form
from scripts.studies.mmalora.closed_form import PANELS, Setting, error_percent, expected, floor_percent, simulated

BUSY = Setting("busy", nodes=60, gateways=2)


def test_joint_has_no_error_but_sampling_and_expect_little():
    for seed in range(2):
        floor = floor_percent(BUSY, seed, 1000)
        assert error_percent(BUSY, "joint", seed, 1000) < floor + 0.15
        assert error_percent(BUSY, "expect", seed, 1000) < floor + 0.6
        assert abs((expected(BUSY, "joint", seed) - simulated(BUSY, seed, 1000).share).mean()) < 0.002


def test_many_packets_of_a_heavy_load_with_several_factors():
    """Spreading factors, powers and channels mixed, packets of SF12 every 331 s."""
    scenario = mmalora_network(50, 3, channels=2, packets_per_s=0.005, seed=3)
    rng = np.random.default_rng(0)
    points = np.stack([rng.integers(0, size, 50) for size in scenario.region.factor_sizes], axis=1).astype(np.int16)
    points[:, 3] = np.maximum(points[:, 3], 4)
    outcome = Air(scenario, range(8)).advance(np.repeat(points[None], 8, axis=0), 200_000.0)
    sent = outcome.sent.sum(axis=0)
    share = outcome.delivered.sum(axis=0) / sent
    model = Rayleigh(scenario, variant="joint", rate="renewal").expect(points)
    np.testing.assert_allclose(sent / (8 * 200_000.0), model.packets_per_s, rtol=0.05)
    np.testing.assert_allclose(outcome.energy_mj.sum(axis=0) / sent, model.energy_mj, rtol=1e-9)
    assert abs((share - model.delivery).mean()) < 0.004
    assert np.abs(share - model.delivery).max() < 0.03


def test_births_in_the_off_time_are_dropped():
    """Births at a rate lambda of which those in the off time are dropped leave as many packets as the air sends."""
    scenario = mmalora_network(1, 1, packets_per_s=0.02)
    points = scenario.region.points(sf=[12], bw_hz=125e3, channel=0, tp_dbm=20.0)
    until_s, rng = 2e6, np.random.default_rng(1)
    births_s = np.cumsum(rng.exponential(50.0, 60_000))
    packets, free_s = 0, 0.0
    for birth_s in births_s[births_s < until_s]:
        if birth_s >= free_s:
            packets, free_s = packets + 1, birth_s + 131.8912
    sent = Air(scenario, [0]).advance(points[None], until_s).sent[0, 0]
    assert sent == pytest.approx(packets, rel=0.02)
    assert sent / until_s == pytest.approx(1 / (50.0 + 131.8912), rel=0.02)


def test_points_of_the_figure_are_the_papers():
    assert [setting.nodes for setting in PANELS["nodes"]] == [60, 80, 100, 120, 140, 160]
    assert [setting.gateways for setting in PANELS["gateways"]] == [1, 2, 3, 4]
    airtimes_ms = [1e3 * setting.scenario(0).airtime_s()[setting.sf - 7, 0] for setting in PANELS["parameters"]]
    np.testing.assert_allclose(airtimes_ms, [14.144, 1712.128, 1318.912], rtol=1e-12)


def test_the_picture_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(closed_form, "SEEDS", 1)
    monkeypatch.setattr(closed_form, "PANELS", {"nodes": [replace(BUSY, nodes=5)]})
    closed_form.draw(tmp_path / "out.png", {})
    assert (tmp_path / "out.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("claim", closed_form.studies()[0].claims, ids=lambda claim: claim.name)
def test_every_claim_is_inside_its_band(claim):
    assert claim.low <= np.mean(claim.read()) <= claim.high
