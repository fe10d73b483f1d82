from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from lora_marl.logs.link_fit import Link
from lora_marl.logs.slow_fit import Series, Slow, fit_slow, log_likelihoods

DAY_S = 86400.0
LINK = Link(
    mean_dbm=np.array([-121.0, -119.0]), limit_dbm=np.array([-123.0, -123.0]), spread_db=np.full(2, 2.5),
    softness_db=0.8, loss=0.02, covariance=np.eye(8),
)  # fmt: skip
TRUTH = Slow(link_db=2.0, link_s=DAY_S, channel_db=1.0, channel_s=3 * DAY_S, packet_db=1.0)


@pytest.fixture(scope="module")
def series() -> Series:
    """40 days of a frame every ten minutes on one of two channels."""
    rng = np.random.default_rng(8)
    frames, gap_s = 5760, 600.0
    kept = np.exp(-gap_s / np.array([TRUTH.link_s, TRUTH.channel_s, TRUTH.channel_s]))
    size = np.array([TRUTH.link_db, TRUTH.channel_db, TRUTH.channel_db])
    state = rng.normal(size=3) * size
    channel = rng.integers(0, 2, frames)
    power_dbm = np.empty(frames)
    for m in range(frames):
        state = kept * state + np.sqrt(1 - kept**2) * size * rng.normal(size=3)
        power_dbm[m] = LINK.mean_dbm[channel[m]] + state[0] + state[1 + channel[m]] + TRUTH.packet_db * rng.normal()
    heard = power_dbm + LINK.softness_db * rng.normal(size=frames) > -123.0
    heard &= rng.random(frames) > LINK.loss
    return Series(gap_s * np.arange(frames), channel, np.where(heard, power_dbm, np.nan), np.zeros(frames))


def test_slow_changes_are_found_though_weak_frames_are_missed(series):
    assert 0.1 < np.isnan(series.power_dbm).mean() < 0.5
    slow = fit_slow(LINK, series)
    assert slow.link_db == pytest.approx(TRUTH.link_db, rel=0.35)
    assert slow.channel_db == pytest.approx(TRUTH.channel_db, rel=0.5)
    assert slow.packet_db == pytest.approx(TRUTH.packet_db, rel=0.07)
    assert DAY_S / 3 < slow.link_s < 3 * DAY_S


def test_following_predicts_better_than_not_following(series):
    still = Slow(link_db=1e-6, link_s=DAY_S, channel_db=1e-6, channel_s=DAY_S, packet_db=2.45)
    assert log_likelihoods(LINK, TRUTH, series).mean() > log_likelihoods(LINK, still, series).mean() + 0.25


def test_without_slow_changes_the_likelihood_is_that_of_the_link(series):
    one = Series(series.time_s[:1], np.zeros(1, int), np.array([-119.5]), np.zeros(1))
    flat = Slow(link_db=1e-9, link_s=1.0, channel_db=1e-9, channel_s=1.0, packet_db=2.5)
    z = 1.5 / 2.5
    expected = np.log(0.98) - 0.5 * z * z - np.log(2.5) - 0.5 * np.log(2 * np.pi)
    assert log_likelihoods(LINK, flat, one)[0] == pytest.approx(expected, abs=1e-4)
