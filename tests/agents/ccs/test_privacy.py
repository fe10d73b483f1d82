"""The Gaussian mechanism: its accounting and what it does to a snapshot."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.ccs.privacy import GaussianMechanism


def test_one_report_by_hand() -> None:
    mechanism = GaussianMechanism(epsilon=1.0, delta=1e-5, clip=2.0, reports=1)
    log = math.log(1e5)
    rho = (math.sqrt(log + 1.0) - math.sqrt(log)) ** 2
    assert rho + 2.0 * math.sqrt(rho * log) == pytest.approx(1.0)
    assert mechanism.deviation == pytest.approx(4.0 / math.sqrt(2.0 * rho))


@pytest.mark.parametrize("reports", [1, 48, 1000])
def test_noise_and_epsilon_are_inverse(reports: int) -> None:
    mechanism = GaussianMechanism(3.0, 1e-6, 0.7, reports)
    rho = reports * (2.0 * 0.7) ** 2 / (2.0 * mechanism.deviation**2)
    assert rho + 2.0 * math.sqrt(rho * math.log(1e6)) == pytest.approx(3.0)


def test_more_reports_need_more_noise_in_proportion_to_their_root() -> None:
    once, often = (GaussianMechanism(2.0, 1e-5, 1.0, reports).deviation for reports in (1, 100))
    assert often == pytest.approx(10.0 * once)


def test_what_was_learnt_is_clipped_and_blurred() -> None:
    default, learnt = np.ones(20_000, np.float32), np.zeros(20_000, np.float32)
    learnt[0] = 5.0
    mechanism = GaussianMechanism(1e9, 0.5, 1.0, 1)
    actual = mechanism(default + learnt, default, np.random.default_rng(0)) - default
    assert actual[0] == pytest.approx(1.0, abs=5 * mechanism.deviation)
    strong = GaussianMechanism(1.0, 1e-5, 1.0, 1)
    noise = strong(default, default, np.random.default_rng(0)) - default
    assert noise.std() == pytest.approx(strong.deviation, rel=0.02)
    assert noise.dtype == np.float32


def test_impossible_promises_are_refused() -> None:
    with pytest.raises(ValueError, match="epsilon = 0"):
        GaussianMechanism(0, 1e-5, 1.0, 1)
    with pytest.raises(ValueError, match="delta = 1.0"):
        GaussianMechanism(1.0, 1.0, 1.0, 1)
