"""The proxy's constants are recovered from its own predictions; packet runs are counted as they are played."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agents.ccs.fitting import Segments, constants_of, expected, fit, loss, quality, start
from agents.ccs.proxy import SHAPES, Constants, Proxy
from scripts import fit_proxy
from scripts.service_training.calibration import HOLD, PRESETS, REGIMES, run_segments

TRUE = Constants(
    weak=torch.tensor([0.4, 0.8, 1.25, 2.5]),
    weak_in_bursts=torch.tensor([0.4, 0.8, 0.95, 1.0]),
    loud=torch.tensor([2.0, 1.25, 0.8, 0.5]),
    weak_power=torch.tensor([1.4, 1.0]),
    loud_power=torch.tensor([0.5, 1.0]),
    answer_s=torch.tensor(2.0),
    deaf_s=torch.tensor(0.15),
)


@pytest.fixture(scope="module")
def exact() -> Segments:
    """What the true constants make of random operating points, without chance."""
    data = run_segments("ccs_study", "RRR", range(8), 5)
    predicted = expected(Proxy(TRUE), data)
    attempts = predicted.attempts_hz * data.length_s
    return replace(data, attempts=attempts, received=attempts * predicted.success)


def test_known_constants_are_found_again(exact) -> None:
    constants = fit([exact], downlinks=True, progress=lambda step: None, steps=120)
    for name, within in (("weak", 0.1), ("loud", 0.15), ("weak_power", 0.1), ("loud_power", 0.1), ("answer_s", 0.1)):
        torch.testing.assert_close(getattr(constants, name), getattr(TRUE, name), rtol=within, atol=0.0)
    assert quality(Proxy(constants), [exact]).error < 0.005 < quality(Proxy(), [exact]).error


def test_the_truth_is_likeliest(exact) -> None:
    assert loss(Proxy(TRUE), [exact]) < loss(Proxy(), [exact])
    best = quality(Proxy(TRUE), [exact])
    assert (best.error, best.bias) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert best.attempts == pytest.approx(1.0)
    assert all(predicted == pytest.approx(played) for predicted, played in best.deciles)


def test_every_constant_has_a_finite_gradient(exact) -> None:
    raw = start(4, 2, downlinks=True)
    assert set(raw) == set(SHAPES)
    loss(Proxy(constants_of(raw)), [exact]).backward()
    assert all(tensor.grad is not None and bool(tensor.grad.isfinite().all()) for tensor in raw.values())
    assert all(bool((raw[name].grad != 0).any()) for name in raw)


def test_packet_runs_are_booked_group_by_group() -> None:
    segments = run_segments("ccs_study", "RU", [3, 4], 2)
    assert segments.actions.shape == segments.attempts.shape == segments.received.shape == (4, 2, 4)
    assert segments.worlds.non_learning.tolist() == [[False, True]] * 4
    assert bool((segments.received <= segments.attempts).all()) and bool((segments.attempts > 0).all())
    alone = run_segments("ccs_study", "RU", [4], 2)
    assert torch.equal(alone.attempts, segments.attempts[1::2]) and torch.equal(alone.actions, segments.actions[1::2])
    assert not torch.equal(
        segments.worlds.occupancy[:2], segments.worlds.occupancy[2:]
    )  # moves with the operating points
    assert HOLD > 1 and set(REGIMES) >= {"RU", "RRRR"}


def test_worlds_held_out_are_others(invoke, tmp_path: Path, monkeypatch) -> None:
    seeds = list[tuple[int, ...]]()
    original = fit_proxy.run_segments

    def noted(preset: str, regime: str, given, count: int) -> Segments:
        seeds.append(tuple(given))
        return original(preset, "R", given, count)

    monkeypatch.setattr(fit_proxy, "run_segments", noted)
    arguments = ("ccs_study", "--worlds", "2", "--segments", "1", "--steps", "2")
    invoke(fit_proxy.app, *arguments, "--out", str(tmp_path), "--json", str(tmp_path / "quality.json"))
    assert set(seeds[: len(REGIMES)]) == {(0, 1)} and not {0, 1} & set(seeds[-1])
    kept = json.loads((tmp_path / "proxy-ccs_study.json").read_text())
    assert kept["command"] == "python scripts/fit_proxy.py " + " ".join(arguments)
    assert [each["constants"] for each in json.loads((tmp_path / "quality.json").read_text())] == ["by hand", "fitted"]
    assert (tmp_path / "proxy-ccs_study.png").exists()


def test_an_unknown_preset_is_named(invoke) -> None:
    result = invoke(fit_proxy.app, "ccs_eu")
    assert result.exit_code == 2 and "'ccs_eu' is no preset of coexisting networks; known: ccs_study" in result.stderr


def test_the_constants_that_ship_are_those_of_every_preset() -> None:
    for preset in PRESETS:
        constants = Constants.load(Path(__file__).parents[2] / "configs" / "ccs" / f"proxy-{preset}.json")
        assert constants.weak.shape == (4,)
        assert bool((constants.answer_s > 0) == (preset == "ccs_eu868"))
